/* SPDX-License-Identifier: MPL-2.0 */
/* I/O limits of a VM: on which devices its datasets are, and what of them the record gives it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "model/vm.h"
#include "node/io.h"
#include "store/store.h"

/* The kernel limits whole disks. */
static dev_t whole(dev_t d)
{
	char p[64], t[32] = "";
	_buf_ struct buf b = BUF_INIT;
	unsigned ma, mi;

	snprintf(p, sizeof p, "/sys/dev/block/%u:%u/partition", major(d), minor(d));
	if (access(p, F_OK) < 0)
		return d;
	snprintf(p, sizeof p, "/sys/dev/block/%u:%u/../dev", major(d), minor(d));
	if (file_read(AT_FDCWD, p, sizeof t, &b, NULL) < 0 || sscanf(buf_str(&b), "%u:%u", &ma, &mi) != 2)
		return d;
	return makedev(ma, mi);
}

static int devices(struct ctx *c, dev_t dev[32], size_t *n, struct err *e)
{
	_free_ struct pool_status *st = xalloc(sizeof *st);
	int r = pool_status(c, st, e);

	*n = 0;
	for (unsigned i = 0; r == 0 && i < st->ndevs; i++) {
		struct stat s;
		bool seen = false;
		dev_t d;

		if (st->dev[i].missing)
			continue;
		if (stat(st->dev[i].path, &s) < 0)
			return err_sys(e, errno, "the pool's device %s", st->dev[i].path);
		d = whole(s.st_rdev);
		for (size_t k = 0; k < *n; k++)
			seen |= dev[k] == d;
		if (!seen)
			dev[(*n)++] = d;
	}
	if (r == 0 && *n == 0)
		return err_set(e, ENODEV, "I/O limits: the pool has no block device that could hold them");
	return r;
}

/* Whether it wants any. */
static bool io_of(const json_t *rec, struct cg_io *io)
{
	static const char *const names[CG_IO_CEILINGS] = {"io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops"};
	int64_t weight = vm_int(rec, "zfs_io_priority", 100);
	bool wants = weight != 100;

	*io = (struct cg_io){.weight = wants ? (uint64_t)weight : 0, .weight_given = wants};
	for (size_t k = 0; k < CG_IO_CEILINGS; k++) {
		io->ceiling[k] = (uint64_t)vm_int(rec, names[k], 0);
		wants |= io->ceiling[k] != 0;
	}
	return wants;
}

int io_check(struct ctx *c, const struct cg_host *h, const json_t *rec, struct err *e)
{
	struct cg_io io;
	dev_t dev[32];
	size_t n;
	int r;

	if (!io_of(rec, &io))
		return 0;
	r = devices(c, dev, &n, e);
	return r < 0 ? r : cg_can_io(h, &io, dev, n, e);
}

int io_apply(struct vm *v, const json_t *rec, bool fresh, struct err *e)
{
	struct cg_io io;
	bool wants = io_of(rec, &io);
	dev_t dev[32];
	size_t n;
	int r;

	if (fresh && !wants)
		return 0;
	r = devices(v->c, dev, &n, e);
	if (r == 0)
		r = cg_set_io(&v->cg, v->uuid, &io, dev, n, e);
	if (r == 0 && (io.ceiling[1] || io.ceiling[3]) && v->cg.v1[CG_BLKIO][0])
		ctx_log(v->c, LOG_WARN, "io_write_%s binds what the zone writes itself (direct I/O, O_SYNC, fsync) and not what the "
			"kernel writes back later: this host's blkio controller is on cgroup v1", io.ceiling[1] ? "bps" : "iops");
	return r;
}
