/* SPDX-License-Identifier: MPL-2.0 */
/* The btrfs driver's devices: status, add, remove, replace, grow, scrub. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/btrfs.h"
#include "kern/loop.h"
#include "store/btrfs.h"
#include "store/btrfs_job.h"
#include "store/pool.h"

/* ---- finding ---- */

struct find {
	const char *path;
	struct btrfs_dev dev;
	struct stat st;
	bool have_stat;
	unsigned n, present;
	struct pool_conf *conf;
};

static int find_one(const struct btrfs_dev *d, void *arg)
{
	struct find *f = arg;
	struct stat st;
	char id[24];

	f->n++;
	f->present += !d->missing;
	if (f->conf && f->conf->ndevs < POOL_DEVS_MAX && *d->path && !d->missing)
		snprintf(f->conf->dev[f->conf->ndevs++], sizeof f->conf->dev[0], "%.255s", d->path);
	if (!f->path)
		return 0;
	snprintf(id, sizeof id, "%llu", (unsigned long long)d->devid);
	/* by its number, by "missing", by its name or by another name of the same device */
	if (!strcmp(f->path, id) || (d->missing && !strcmp(f->path, "missing")) || (*d->path && !strcmp(f->path, d->path)) ||
	    (f->have_stat && stat(d->path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == f->st.st_rdev))
		f->dev = *d;
	return 0;
}

static int find_dev(int fd, const char *path, struct find *f, struct err *e)
{
	int r;

	*f = (struct find){.path = path};
	f->have_stat = stat(path, &f->st) == 0 && S_ISBLK(f->st.st_mode);
	r = btrfs_dev_each(fd, find_one, f);
	if (r < 0)
		return err_sys(e, r, "devices of the pool");
	return f->dev.devid ? 0 : err_set(e, ENODEV, "%s is not a device of the pool", path);
}

static int list_devs(struct pool_conf *p, int fd, struct err *e)
{
	struct find f = {.conf = p};
	int r;

	p->ndevs = 0;
	r = btrfs_dev_each(fd, find_one, &f);
	return r < 0 ? err_sys(e, r, "devices of the pool") : 0;
}

/* Nothing on it that somebody could miss: what mkfs asks for itself, the kernel's own calls do not. */
static int device_free(const char *dev, bool force, struct err *e)
{
	static const char *const at[] = {"/sbin/blkid", "/usr/sbin/blkid"};
	_buf_ struct buf out = BUF_INIT;
	_fd_ int fd = -1;
	int r = pool_block_device(dev, e);

	if (r < 0)
		return r;
	fd = open(dev, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", dev);
	if (force)
		return 0;
	const char *const argv[] = {access(at[0], X_OK) == 0 ? at[0] : at[1], "-p", "-o", "value", "-s", "TYPE", "-s", "PTTYPE", dev, NULL};
	r = tool_run(argv, &out, e);
	if (r < 0)
		return r;
	if (r == 2)
		return 0;
	err_set(e, EEXIST, "%s holds something: %.100s", dev, out.len ? out.p : "of several kinds");
	return err_hint(e, "-F overwrites it");
}

static int need_devices(const struct pool_conf *p, struct err *e)
{
	if (p->kind == POOL_DEVICES)
		return 0;
	err_set(e, ENOTSUP, "the pool is %s, it has no devices of its own", p->kind == POOL_FILE ? "on a file" : "in a folder");
	if (p->kind == POOL_FILE)
		err_hint(e, "cloister pool grow makes the file larger");
	return -ENOTSUP;
}

/* ---- operations ---- */

int pool_btrfs_add(struct ctx *c, struct pool_conf *p, int fd, const char *dev, bool mirror, bool force, struct err *e)
{
	int r = need_devices(p, e);

	if (r == 0)
		r = device_free(dev, force, e);
	if (r < 0)
		return r;
	r = btrfs_dev_add(fd, dev);
	if (r < 0)
		return err_sys(e, r, "add %s", dev);
	r = list_devs(p, fd, e);
	if (r == 0 && mirror && !p->mirror) {
		/* what is written from now on is mirrored as soon as the first group has been moved */
		r = pool_job_balance(c, fd, BTRFS_MIRROR, e);
		if (r == 0)
			p->mirror = true;
	}
	return r;
}

int pool_btrfs_remove(struct ctx *c, struct pool_conf *p, int fd, const char *dev, struct err *e)
{
	struct pool_job j = {.fd = fd, .what = "moving data", .call = pool_call_remove, .progress = pool_progress_remove};
	struct find f;
	int r = need_devices(p, e);

	if (r == 0)
		r = find_dev(fd, dev, &f, e);
	if (r < 0)
		return r;
	if (f.n < 2)
		return err_set(e, EINVAL, "%s is the pool's only device", dev);
	if (f.n == 2) { /* what is left can't hold two copies on two devices */
		r = pool_job_balance(c, fd, BTRFS_SINGLE, e);
		if (r < 0)
			return r;
		p->mirror = false;
	}
	j.devid = f.dev.devid;
	j.total = f.dev.used;
	r = pool_job_run(c, &j, e);
	if (r == -ENOSPC)
		return err_sys(e, r, "remove %s: the others have no room for what is on it", dev);
	if (r < 0)
		return err_sys(e, r, "remove %s", dev);
	return list_devs(p, fd, e);
}

int pool_btrfs_replace(struct ctx *c, struct pool_conf *p, int fd, const char *old, const char *dev, bool force, struct err *e)
{
	struct pool_job j = {.fd = fd, .what = "copying", .call = pool_call_replace, .progress = pool_progress_replace, .path = dev};
	struct find f;
	int r = need_devices(p, e);

	if (r == 0)
		r = find_dev(fd, old, &f, e);
	if (r == 0)
		r = device_free(dev, force, e);
	if (r < 0)
		return r;
	j.devid = f.dev.devid;
	r = pool_job_run(c, &j, e);
	if (r == -ENOSPC) {
		/*
		 * The kernel wants to lock each group while it copies, with room for a new one beside it. Where there is none,
		 * the long way: the new device brings the room, the old one's groups move.
		 */
		struct pool_job m = {.fd = fd, .what = "moving data", .call = pool_call_remove, .progress = pool_progress_remove,
			.devid = f.dev.devid, .total = f.dev.used};

		r = btrfs_dev_add(fd, dev);
		if (r == 0)
			r = pool_job_run(c, &m, e);
		if (r < 0)
			return err_sys(e, r, "replace %s by %s", old, dev);
		r = p->mirror ? pool_job_balance(c, fd, BTRFS_MIRROR, e) : 0;
		return r < 0 ? r : list_devs(p, fd, e);
	}
	if (r == -EINVAL)
		return err_sys(e, r, "replace %s by %s, which must not be smaller", old, dev);
	if (r < 0)
		return err_sys(e, r, "replace %s by %s", old, dev);
	r = btrfs_dev_grow(fd, f.dev.devid);
	if (r < 0)
		return err_sys(e, r, "%s: use all of it", dev);
	/* while a device was missing, what was written may stand on one device only */
	r = p->mirror ? pool_job_balance(c, fd, BTRFS_MIRROR, e) : 0;
	return r < 0 ? r : list_devs(p, fd, e);
}

struct grow {
	int fd, r;
};

static int grow_one(const struct btrfs_dev *d, void *arg)
{
	struct grow *g = arg;

	if (!d->missing)
		g->r = btrfs_dev_grow(g->fd, d->devid);
	return g->r;
}

int pool_btrfs_grow(struct ctx *c, struct pool_conf *p, int fd, uint64_t size, struct err *e)
{
	struct grow g = {.fd = fd};
	char name[LOOP_NAME];
	_fd_ int file = -1, loop = -1;
	struct stat st;
	int r;

	if (p->kind == POOL_FOLDER)
		return err_set(e, ENOTSUP, "the pool is a folder: make the file system that it is in larger");
	if (p->kind == POOL_DEVICES && size)
		return err_set(e, EINVAL, "a pool on devices takes all they have: no size");
	if (p->kind == POOL_FILE) {
		size &= ~4095ULL;
		file = open(p->dev[0], O_RDWR | O_CLOEXEC);
		if (file < 0 || fstat(file, &st) < 0)
			return err_sys(e, errno, "%s", p->dev[0]);
		if (!size)
			return err_set(e, EINVAL, "to what size?");
		if (size < (uint64_t)st.st_size)
			return err_set(e, EINVAL, "the pool's file has %llu MiB already; it can't be made smaller",
				       (unsigned long long)st.st_size >> 20);
		/* from the beginning: a growth that was killed may have left a hole */
		r = posix_fallocate(file, 0, (off_t)size);
		if (r) {
			if (ftruncate(file, st.st_size) < 0) /* what was taken goes back */
				ctx_log(c, LOG_WARN, "%s: %s", p->dev[0], err_name(errno));
			return err_sys(e, r, "reserve %llu MiB in %s", (unsigned long long)(size >> 20), p->dev[0]);
		}
		if (fsync(file) < 0)
			return err_sys(e, errno, "%s", p->dev[0]);
		loop = loop_find(p->dev[0], name, e);
		if (loop < 0)
			return loop;
		r = loop_resize(loop, e);
		if (r < 0)
			return r;
		p->size = size;
	}
	r = btrfs_dev_each(fd, grow_one, &g);
	return r < 0 ? err_sys(e, r, "grow") : 0;
}

struct scrubs {
	struct ctx *c;
	struct pool_job j;
	struct pool_scrub sum;
	struct err *e;
	uint64_t total;
};

static int add_used(const struct btrfs_dev *d, void *arg)
{
	((struct scrubs *)arg)->total += d->used;
	return 0;
}

static int scrub_one(const struct btrfs_dev *d, void *arg)
{
	struct scrubs *s = arg;
	int r;

	if (d->missing)
		return 0;
	s->j.devid = d->devid;
	s->j.base = s->sum.bytes;
	s->j.total = s->total;
	r = pool_job_run(s->c, &s->j, s->e);
	if (r == -EINPROGRESS)
		return err_set(s->e, EBUSY, "a scrub is running already");
	if (r < 0)
		return err_sys(s->e, r, "scrub %s", d->path);
	s->sum.bytes += s->j.scrub.bytes;
	s->sum.errors += s->j.scrub.errors;
	s->sum.corrected += s->j.scrub.corrected;
	s->sum.uncorrectable += s->j.scrub.uncorrectable;
	return 0;
}

int pool_btrfs_scrub(struct ctx *c, int fd, struct pool_scrub *out, struct err *e)
{
	struct scrubs s = {.c = c, .e = e,
		.j = {.fd = fd, .what = "scrub", .call = pool_call_scrub, .progress = pool_progress_scrub, .cancel = btrfs_scrub_cancel}};
	int r = btrfs_dev_each(fd, add_used, &s);

	if (r < 0)
		return err_sys(e, r, "devices of the pool");
	r = btrfs_dev_each(fd, scrub_one, &s);
	if (r < 0)
		return r;
	*out = s.sum;
	return 0;
}

static int status_one(const struct btrfs_dev *d, void *arg)
{
	struct pool_status *st = arg;
	struct pool_dev *v;

	if (st->ndevs == ARRAY_LEN(st->dev))
		return 0;
	v = &st->dev[st->ndevs++];
	snprintf(v->path, sizeof v->path, "%.255s", *d->path ? d->path : "missing");
	v->bytes = d->bytes;
	v->errors = d->errors;
	v->missing = d->missing;
	if (d->missing)
		strcpy(st->state, "DEGRADED");
	return 0;
}

int pool_btrfs_status(int fd, const struct pool_conf *p, struct pool_status *out, struct err *e)
{
	int r = btrfs_dev_each(fd, status_one, out);

	return r < 0 ? err_sys(e, r, "devices of the pool") : 0;
}
