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

static int devices(struct vm *v, dev_t dev[32], size_t *n, struct err *e)
{
	_free_ struct pool_status *st = xalloc(sizeof *st);
	int r = pool_status(v->c, st, e);

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

int io_apply(struct vm *v, const json_t *rec, bool fresh, struct err *e)
{
	static const char *const names[CG_IO_CEILINGS] = {"io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops"};
	int64_t weight = vm_int(rec, "zfs_io_priority", 100);
	struct cg_io io = {.weight = weight == 100 ? 0 : (uint64_t)weight, .weight_given = weight != 100};
	bool wants = io.weight_given;
	dev_t dev[32];
	size_t n;
	int r;

	for (size_t k = 0; k < CG_IO_CEILINGS; k++) {
		io.ceiling[k] = (uint64_t)vm_int(rec, names[k], 0);
		wants |= io.ceiling[k] != 0;
	}
	if (fresh && !wants)
		return 0;
	r = devices(v, dev, &n, e);
	if (r == 0)
		r = cg_set_io(&v->cg, v->uuid, &io, dev, n, e);
	if (r == 0 && (io.ceiling[1] || io.ceiling[3]) && v->cg.v1[CG_BLKIO][0])
		ctx_log(v->c, LOG_WARN, "io_write_%s binds what the zone writes itself (direct I/O, O_SYNC, fsync) and not what the "
			"kernel writes back later: this host's blkio controller is on cgroup v1", io.ceiling[1] ? "bps" : "iops");
	return r;
}
