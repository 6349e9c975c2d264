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
#include "base/str.h"
#include "model/vm.h"
#include "node/io.h"
#include "store/store.h"

#define MIB (1ULL << 20)

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

static const char *const names[CG_IO_CEILINGS][2] = {{"io_read_bps", "io_read_bps_max"}, {"io_write_bps", "io_write_bps_max"},
						     {"io_read_iops", "io_read_iops_max"}, {"io_write_iops", "io_write_iops_max"}};

/* 0 = that ceiling is none that bursts. */
static uint64_t max_of(const json_t *rec, size_t k)
{
	return vm_int(rec, names[k][0], 0) && vm_int(rec, "io_burst_time", 0) ? (uint64_t)vm_int(rec, names[k][1], 0) : 0;
}

bool io_bursts(const json_t *rec)
{
	for (size_t k = 0; k < CG_IO_CEILINGS; k++)
		if (max_of(rec, k))
			return true;
	return false;
}

/* Whether it wants any. full: of a ceiling that bursts what it has in a burst. */
static bool io_of(const json_t *rec, bool full, struct cg_io *io)
{
	int64_t weight = vm_int(rec, "zfs_io_priority", 100);
	bool wants = weight != 100;

	*io = (struct cg_io){.weight = wants ? (uint64_t)weight : 0, .weight_given = wants};
	for (size_t k = 0; k < CG_IO_CEILINGS; k++) {
		io->ceiling[k] = (uint64_t)vm_int(rec, names[k][0], 0);
		if (full && max_of(rec, k))
			io->ceiling[k] = max_of(rec, k);
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

	if (!io_of(rec, false, &io))
		return 0;
	r = devices(c, dev, &n, e);
	return r < 0 ? r : cg_can_io(h, &io, dev, n, e);
}

/* Whether it is sent flushes: not if it says that it loses nothing at a power cut. */
static bool flushed(dev_t d)
{
	_buf_ struct buf b = BUF_INIT;
	char p[64];

	snprintf(p, sizeof p, "/sys/dev/block/%u:%u/queue/write_cache", major(d), minor(d));
	return file_read(AT_FDCWD, p, 64, &b, NULL) < 0 || !str_starts(buf_str(&b), "write through");
}

/*
 * A write ceiling binds the neighbours as well: what an fsync ends with, the flush of the device's cache, is a write of the
 * zone that asks for it, and waits behind all that this zone has queued, while the pool's log, one for all, waits for it. Before
 * Linux 6.12, whose ceilings let metadata pass, the log's own blocks do so too.
 */
static void warn_log(struct vm *v, const json_t *rec, const struct cg_io *io, const dev_t *dev, size_t n)
{
	uint64_t mib = (uint64_t)vm_int(rec, "max_physical_memory", 256), bytes = io->ceiling[CG_IO_WRITE_BPS],
		 ops = io->ceiling[CG_IO_WRITE_IOPS], sec = 0;
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= flushed(dev[i]);
	if (bytes)
		sec = mib * MIB / bytes;
	if (ops && mib * (MIB / 4096) / ops > sec)
		sec = mib * (MIB / 4096) / ops;
	if (!sec)
		return;
	ctx_log(v->c, LOG_WARN, "%s: %san fsync of this zone waits for all that the zone has waiting for its ceiling, and all other "
		"zones' fsync wait with it: %llu s if that is as much as max_physical_memory (%llu MiB). Less of that or a higher ceiling "
		"make it shorter (docs/limits.md)", bytes ? "io_write_bps" : "io_write_iops", any ? "" : "before Linux 6.12 ", (unsigned long long)sec,
		(unsigned long long)mib);
}

static int apply(struct vm *v, const json_t *rec, bool full, bool fresh, struct err *e)
{
	struct cg_io io;
	bool wants = io_of(rec, full, &io);
	dev_t dev[32];
	size_t n;
	int r;

	if (fresh && !wants)
		return 0;
	r = devices(v->c, dev, &n, e);
	if (r == 0)
		r = cg_set_io(&v->cg, v->uuid, &io, dev, n, e);
	if (r == 0 && (io.ceiling[1] || io.ceiling[3]) && v->cg.v1[CG_BLKIO][0])
		ctx_log(v->c, LOG_WARN, "io_write_%s binds%s what the zone writes itself (direct I/O, O_SYNC, fsync) and not what the "
			"kernel writes back later: this host's blkio controller is on cgroup v1", io.ceiling[1] ? "bps" : "iops",
			max_of(rec, 1) || max_of(rec, 3) ? ", and its burst counts," : "");
	if (r == 0)
		warn_log(v, rec, &io, dev, n);
	return r;
}

int io_apply(struct vm *v, const json_t *rec, bool fresh, struct err *e)
{
	return apply(v, rec, true, fresh, e);
}

int io_clamp(struct vm *v, const json_t *rec, struct err *e)
{
	return apply(v, rec, false, false, e);
}

int io_settings(const struct vm *v, const json_t *rec, struct buf *out, struct err *e)
{
	struct cg_io io;
	char dir[512];
	dev_t dev[32];
	size_t n;
	bool v2;
	int r;

	if (!io_bursts(rec))
		return 0;
	io_of(rec, false, &io);
	r = devices(v->c, dev, &n, e);
	if (r == 0)
		r = cg_io_dir(&v->cg, v->uuid, dir, sizeof dir, &v2, e);
	if (r < 0)
		return r;
	buf_printf(out, "io_burst_time %lld\nio_v2 %d\nio_dir %s\nio_base", (long long)vm_int(rec, "io_burst_time", 0), v2, dir);
	for (size_t k = 0; k < CG_IO_CEILINGS; k++)
		buf_printf(out, " %llu", (unsigned long long)io.ceiling[k]);
	buf_puts(out, "\nio_max");
	for (size_t k = 0; k < CG_IO_CEILINGS; k++)
		buf_printf(out, " %llu", (unsigned long long)max_of(rec, k));
	buf_puts(out, "\nio_devs");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, " %u:%u", major(dev[i]), minor(dev[i]));
	buf_puts(out, "\n");
	return 0;
}

int io_now(struct ctx *c, const struct cg_host *h, const char *uuid, uint64_t limit[CG_IO_CEILINGS], uint64_t used[CG_IO_CEILINGS])
{
	char dir[512];
	dev_t dev[32];
	size_t n;
	bool v2;
	int r = cg_io_dir(h, uuid, dir, sizeof dir, &v2, NULL);

	if (r == 0)
		r = devices(c, dev, &n, NULL);
	return r < 0 ? r : cg_io_held(dir, v2, dev, n, limit) < 0 ? -ENOENT : cg_io_used(dir, v2, dev, n, used);
}
