/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Disks of a VM that is there. The record is what counts: files are made before it is stored and taken away after, so that
 * whoever comes after a kill makes them as it says, disks_settle(), whichever of the two records that is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "model/vm.h"
#include "node/disks.h"
#include "zone/zone.h"

#define MIB 1048576LL

static json_t *by_path(const json_t *rec, const char *path)
{
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
		if (path && str_eq(vm_str(d, "path"), path))
			return d;
	return NULL;
}

/* ---- what may be ---- */

/* "disk3" → 3, else -1: by its name, as qdisk_number() has it of a whole path. */
static int number(const char *name)
{
	char *end;
	long n;

	if (!str_starts(name, "disk") || !name[4] || strspn(name + 4, "0123456789") != strlen(name + 4))
		return -1;
	n = strtol(name + 4, &end, 10);
	return n < QDISK_NUMBERS && (name[4] != '0' || !name[5]) ? (int)n : -1;
}

static int each_file(struct vm *v, const char *dataset, int (*each)(int dir, const char *name, int n, void *arg), void *arg, struct err *e)
{
	_dir_ DIR *d = dir_of(openat(store_fd(v->store), dataset, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	int r = 0;

	if (!d)
		return err_sys(e, errno, "%s", dataset);
	for (struct dirent *de; r == 0 && (de = readdir(d));)
		if (number(de->d_name) >= 0)
			r = each(dirfd(d), de->d_name, number(de->d_name), arg);
	return r;
}

static int take_number(int dir, const char *name, int n, void *arg)
{
	((bool *)arg)[n] = true;
	return 0;
}

struct taking {
	struct vm *v;
	bool *taken;
	struct err *e;
};

static int take_snap(const char *name, uint64_t created_ns, void *arg)
{
	struct taking *t = arg;
	_free_ char *snap = xprintf("%s/snap/%s", t->v->uuid, name);

	return each_file(t->v, snap, take_number, t->taken, t->e);
}

/*
 * A number that a snapshot has is not given again: rolled back to it, another disk would stand under that name. Nor is one that the machine
 * has: its guest may not have let go of it, and would go on writing to a file that is no more.
 */
static int numbers(struct vm *v, const json_t *rec, bool *taken, struct err *e)
{
	_free_ char *root = xprintf("%s/root", v->uuid), *snaps = xprintf("%s/snap", v->uuid);
	struct taking t = {v, taken, e};
	_json_ json_t *names = NULL;
	const json_t *d;
	size_t i;
	int r = vm_need_store(v, e);

	json_array_foreach(json_object_get(rec, "disks"), i, d)
		if (qdisk_number(rec, d) >= 0)
			taken[qdisk_number(rec, d)] = true;
	if (r == 0)
		r = each_file(v, root, take_number, taken, e);
	if (r == 0)
		r = store_each(v->store, snaps, take_snap, &t, e);
	if ((r == 0 || r == -ENOENT) && v->run.running)
		r = disks_live_names(v, &names, e);
	json_array_foreach(names, i, d)
		if (number(json_string_value(d) ?: "") >= 0)
			taken[number(json_string_value(d))] = true;
	return r == -ENOENT ? 0 : r;
}

static int refuse_running(const struct vm *v, const char *path, const char *what, struct err *e)
{
	err_set(e, EBUSY, "disk %s: its %s can't change while the VM runs", path, what);
	return err_hint(e, "vmadm stop %s", v->uuid);
}

static int changed(struct vm *v, const json_t *rec, const json_t *old, const json_t *now, const json_t *upd, struct err *e)
{
	int64_t had = vm_int(old, "size", 0), has = vm_int(now, "size", 0);
	const char *path = vm_str(now, "path");

	if (qdisk_cdrom(old) != qdisk_cdrom(now))
		return err_set(e, EINVAL, "disk %s: a disk does not become a CD-ROM, nor the other way round: remove it and add it", path);
	if (v->run.running && !str_eq(qdisk_model(v->rec, old), qdisk_model(rec, now)))
		return refuse_running(v, path, "model", e);
	if (v->run.running && vm_int(now, "refreservation", 0) < vm_int(old, "refreservation", 0)) {
		err_set(e, EBUSY, "disk %s: its refreservation can't become less while the VM runs", path);
		return err_hint(e, "vmadm stop %s", v->uuid);
	}
	if (had == has || qdisk_number(rec, now) >= 0) {
		int r = disk_file_check(rec, now, e);

		if (r < 0 || had == has)
			return r;
	}
	if (qdisk_number(rec, now) < 0)
		return err_set(e, EINVAL, "disk %s: the size of a file that is used as it is is its own", path);
	if (has <= 0)
		return err_set(e, EINVAL, "disk %s: a size is needed", path);
	if (has > had)
		return 0;
	if (!vm_bool(upd, "dangerous_allow_shrink", false)) {
		err_set(e, EINVAL, "disk %s: %lld MiB is less than the %lld it has: what lies behind them would be lost", path, (long long)has,
			(long long)had);
		return err_hint(e, "If that is meant, say dangerous_allow_shrink: true with it.");
	}
	return v->run.running ? refuse_running(v, path, "size", e) : 0;
}

static const json_t *update_of(const json_t *payload, const char *path)
{
	const json_t *u;
	size_t i;

	json_array_foreach(json_object_get(payload, "update_disks"), i, u)
		if (str_eq(vm_str(u, "path"), path))
			return u;
	return NULL;
}

int disks_check(struct vm *v, const json_t *old, json_t *rec, const json_t *payload, struct err *e)
{
	const json_t *d, *add = json_object_get(payload, "add_disks");
	bool taken[QDISK_NUMBERS] = {false};
	size_t i, from = json_array_size(json_object_get(rec, "disks")) - json_array_size(add);
	int r = 0;

	if (json_equal(json_object_get(old, "disks"), json_object_get(rec, "disks")))
		return 0;
	json_array_foreach(json_object_get(rec, "disks"), i, d)
	{
		const json_t *was = i < from ? by_path(old, vm_str(d, "path")) : NULL;

		if (was && r == 0)
			r = changed(v, rec, was, d, update_of(payload, vm_str(d, "path")), e);
	}
	if (r == 0 && json_array_size(add))
		r = numbers(v, old, taken, e);
	if (r == 0 && json_array_size(add))
		r = disks_fill(v->c, rec, from, add, taken, e);
	return r == 0 ? disks_alone(v->c, v->st, rec, e) : r;
}

/* ---- two VMs, one disk ---- */

struct same {
	struct ctx *c;
	const char *uuid, *path;
	bool reads; /* a CD-ROM: another's that only reads it too is no harm */
	struct stat st;
	struct err *e;
};

static bool one_file(const struct stat *a, const struct stat *b)
{
	return S_ISBLK(a->st_mode) ? S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev : a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int its(const struct same *s, const struct vm_row *row)
{
	return err_set(s->e, EBUSY, "disk %s is VM %s%s%s%s's", s->path, row->uuid, row->alias ? " (" : "", row->alias ?: "", row->alias ? ")" : "");
}

/* What a start was given that its record has not: its keeper's files are what it runs with. */
static int has_now(const struct same *s, const struct vm_row *row)
{
	_free_ char *path = xprintf("%s/%s/spec", s->c->node.run, row->uuid);
	_buf_ struct buf b = BUF_INIT;
	struct zspec z = {0};
	struct zone_run run;
	struct stat st;
	int r = 0;

	if (zone_status(s->c, row->uuid, &run, NULL) < 0 || !run.running || file_read(AT_FDCWD, path, 1 << 20, &b, NULL) < 0 ||
	    zspec_parse(buf_str(&b), b.len, &z, NULL) < 0)
		return 0;
	for (unsigned i = 0; i < z.nfds && r == 0; i++)
		if ((z.fds[i].kind == ZFD_FILE || (z.fds[i].kind == ZFD_FILE_RO && !s->reads)) && z.fds[i].path && *z.fds[i].path == '/' &&
		    stat(z.fds[i].path, &st) == 0 && one_file(&s->st, &st))
			r = its(s, row);
	zspec_done(&z);
	return r;
}

static int has_it(const struct vm_row *row, void *arg)
{
	struct same *s = arg;
	_json_ json_t *rec = NULL;
	const json_t *d;
	struct stat st;
	size_t i;

	if (str_eq(row->uuid, s->uuid) || !row->record || !str_eq(row->brand, "kvm"))
		return 0;
	rec = json_loadb(row->record, row->record_len, 0, NULL);
	json_array_foreach(json_object_get(rec, "disks"), i, d)
	{
		_free_ char *path = disk_path(s->c, rec, d);

		if ((s->reads && qdisk_cdrom(d)) || stat(path, &st) < 0 || !one_file(&s->st, &st))
			continue;
		return its(s, row);
	}
	return has_now(s, row);
}

int disks_alone(struct ctx *c, struct state *st, const json_t *rec, struct err *e)
{
	struct state *own = NULL;
	const json_t *d;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
	{
		struct same s = {.c = c, .uuid = vm_str(rec, "uuid"), .path = vm_str(d, "path"), .reads = qdisk_cdrom(d), .e = e};

		if (r < 0 || qdisk_number(rec, d) >= 0 || stat(s.path, &s.st) < 0)
			continue;
		if (!st && !own)
			r = state_open(c, STATE_READ, &own, e);
		if (r == 0)
			r = state_vm_each(st ?: own, STATE_RECORD, has_it, &s, e);
	}
	state_close(&own);
	return r;
}

/* ---- files ---- */

static int root_of(struct vm *v, struct err *e)
{
	_free_ char *root = xprintf("%s/root", v->uuid);
	int r = vm_need_store(v, e), fd;

	if (r < 0)
		return r;
	fd = openat(store_fd(v->store), root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "%s/%s", v->c->node.pool, root) : fd;
}

static int to_size(const struct vm *v, int dir, const json_t *rec, const json_t *disk, bool shrink, struct err *e)
{
	int64_t want = vm_int(disk, "size", 0) * MIB;
	_fd_ int fd = -1;
	char name[32];
	struct stat st;

	snprintf(name, sizeof name, "disk%d", qdisk_number(rec, disk));
	fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0; /* its start says so */
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s of VM %s", name, v->uuid);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_size != want && (st.st_size < want || shrink) && ftruncate(fd, want) < 0)
		return err_sys(e, errno, "%s of VM %s: %lld MiB", name, v->uuid, (long long)(want / MIB));
	return disk_file_settle(v, fd, dir, disk, shrink, e);
}

int disks_prepare(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	_fd_ int dir = root_of(v, e);
	const json_t *d;
	size_t i;
	int r = dir < 0 ? dir : 0;

	json_array_foreach(json_object_get(to, "disks"), i, d)
	{
		if (r < 0 || qdisk_number(to, d) < 0)
			continue;
		r = by_path(from, vm_str(d, "path")) ? to_size(v, dir, to, d, false, e) : disk_make(v, dir, d, e);
	}
	return r;
}

static int drop_other(int dir, const char *name, int n, void *arg)
{
	const json_t *rec = arg, *d;
	size_t i;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
		if (qdisk_number(rec, d) == n)
			return 0;
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int disks_settle(struct vm *v, const json_t *rec, bool shrink, struct err *e)
{
	_free_ char *root = xprintf("%s/root", v->uuid);
	_fd_ int dir = root_of(v, e);
	const json_t *d;
	size_t i;
	int r = dir < 0 ? dir : each_file(v, root, drop_other, (void *)(uintptr_t)rec, e);

	if (r < 0)
		return dir < 0 ? r : err_sys(e, -r, "%s/%s: take a disk away", v->c->node.pool, root);
	json_array_foreach(json_object_get(rec, "disks"), i, d)
		if (r == 0 && qdisk_number(rec, d) >= 0)
			r = to_size(v, dir, rec, d, shrink, e);
	return r;
}

int disks_suit(struct vm *v, const char *snap, struct err *e)
{
	const json_t *d;
	struct stat st;
	size_t i;

	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		int n = qdisk_number(v->rec, d);
		_free_ char *file = xprintf("%s/disk%d", snap, n);

		if (n < 0)
			continue;
		if (fstatat(store_fd(v->store), file, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			err_set(e, EINVAL, "it is from before disk%d was added", n);
			return err_hint(e, "Remove that disk first; with it goes what is on it.");
		}
		if (st.st_size > vm_int(d, "size", 0) * MIB) {
			err_set(e, EINVAL, "disk%d had %lld MiB then, more than now", n, (long long)(st.st_size / MIB));
			return err_hint(e, "Make it that large first: vmadm update, update_disks.");
		}
	}
	return 0;
}
