/* SPDX-License-Identifier: MPL-2.0 */
/* What a pool is going to be: on which file, devices or folder, and how large. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/btrfs.h"
#include "store/pool.h"

#define GIB           (1ULL << 30)
#define FILE_MIN      (256ULL << 20) /* asked for by number: btrfs works from here on */
#define DEFAULT_MIN   (2 * GIB)
#define DEFAULT_MAX   (20 * GIB)

static int free_room(const char *dir, uint64_t *avail, struct err *e)
{
	_free_ char *d = xstrdup(dir);
	struct statvfs v;

	while (statvfs(d, &v) < 0) { /* the nearest parent that exists */
		char *slash = strrchr(d, '/');

		if (errno != ENOENT || !slash)
			return err_sys(e, errno, "%s", d);
		slash[slash == d] = 0;
	}
	*avail = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

static int default_size(const char *dir, uint64_t *bytes, struct err *e)
{
	uint64_t avail = 0, want;
	char text[16];
	int r = free_room(dir, &avail, e);

	if (r < 0)
		return r;
	want = avail / 4 < DEFAULT_MAX ? avail / 4 : DEFAULT_MAX;
	if (want < DEFAULT_MIN)
		want = DEFAULT_MIN;
	if (want + GIB / 2 > avail) {
		err_set(e, ENOSPC, "%s: %s are free, a pool takes at least 2 GiB and leaves half a GiB", dir, str_from_bytes(avail, text));
		err_hint(e, "give it a device (cloister pool create /dev/…) or a smaller size (-s)");
		return -ENOSPC;
	}
	*bytes = want & ~((1ULL << 20) - 1);
	return 0;
}

int pool_default_size(const struct ctx *c, uint64_t *bytes, struct err *e)
{
	return default_size(c->node.state, bytes, e);
}

static int absolute(const char *path, char out[256], struct err *e)
{
	_free_ char *full = NULL;

	if (*path == '/') {
		if (strlen(path) < 256) {
			strcpy(out, path);
			return 0;
		}
	} else {
		_free_ char *cwd = realpath(".", NULL);

		full = cwd ? xprintf("%s/%s", cwd, path) : NULL;
		if (full && strlen(full) < 256) {
			strcpy(out, full);
			return 0;
		}
	}
	return err_set(e, ENAMETOOLONG, "%.60s…: too long a path for a pool", path);
}

int pool_block_device(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "%s", path);
	return S_ISBLK(st.st_mode) ? 0 : err_sys(e, ENOTBLK, "%s", path);
}

static int plan_folder(struct pool_create *k, struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	char mnt[256];
	struct btrfs_fs fs;
	_fd_ int fd = -1;
	int named, r = absolute(sp->mount, mnt, e);

	if (r < 0)
		return r;
	fd = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : btrfs_fs_info(fd, &fs);
	if (r == -ENOTTY)
		return err_set(e, EINVAL, "%s is not on btrfs", mnt);
	if (r < 0)
		return err_sys(e, r, "%s", mnt);
	strcpy(k->p.fsid, fs.fsid);
	named = strcmp(c->node.name, "default");
	r = snprintf(k->p.dev[0], sizeof k->p.dev[0], "%s/cloister%s%s", strcmp(mnt, "/") ? mnt : "", named ? "-" : "",
		     named ? c->node.name : "");
	if (r >= (int)sizeof k->p.dev[0])
		return err_sys(e, ENAMETOOLONG, "%s", mnt);
	k->p.ndevs = 1;
	if (access(k->p.dev[0], F_OK) == 0) {
		err_sys(e, EEXIST, "%s", k->p.dev[0]);
		err_hint(e, "if it is a pool: cloister pool import %s", k->p.dev[0]);
		return -EEXIST;
	}
	return 0;
}

static int plan_file(struct pool_create *k, struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	_free_ char *dir = NULL;
	uint64_t avail = 0;
	char text[16];
	int r;

	if (sp->file)
		r = absolute(sp->file, k->p.dev[0], e);
	else
		r = snprintf(k->p.dev[0], sizeof k->p.dev[0], "%s/pool.img", c->node.state) < 0 ? -EINVAL : 0;
	if (r < 0)
		return r;
	k->p.ndevs = 1;
	if (access(k->p.dev[0], F_OK) == 0) {
		err_sys(e, EEXIST, "%s", k->p.dev[0]);
		err_hint(e, "if it is a pool: cloister pool import %s", k->p.dev[0]);
		return -EEXIST;
	}
	dir = xprintf("%.*s", (int)(strrchr(k->p.dev[0], '/') - k->p.dev[0]), k->p.dev[0]);
	k->p.size = sp->size;
	if (!k->p.size)
		r = default_size(*dir ? dir : "/", &k->p.size, e);
	else if (k->p.size < FILE_MIN)
		r = err_set(e, EINVAL, "a pool file takes at least %llu MiB", FILE_MIN >> 20);
	k->p.size &= ~4095ULL;
	if (r == 0)
		r = free_room(*dir ? dir : "/", &avail, e);
	if (r == 0 && k->p.size > avail) {
		err_set(e, ENOSPC, "%s: %s are free", *dir ? dir : "/", str_from_bytes(avail, text));
		err_hint(e, "choose a smaller size (-s), or a device");
		r = -ENOSPC;
	}
	return r;
}

int pool_plan(struct pool_create *k, struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	int r;

	k->p.state = POOL_CREATING;
	strcpy(k->p.driver, "btrfs");
	strcpy(k->p.node, c->node.name);
	uuid_make(k->p.fsid);
	k->ops = store_driver(k->p.driver);
	k->force = sp->force;
	if (sp->quota && strcmp(sp->quota, "simple") && strcmp(sp->quota, "full"))
		return err_set(e, EINVAL, "quota \"%s\": simple or full", sp->quota);
	snprintf(k->p.quota, sizeof k->p.quota, "%s", sp->quota ? sp->quota : "");
	if (!!sp->file + !!sp->ndevs + !!sp->mount > 1)
		return err_set(e, EINVAL, "a pool is on a file, on devices, or in a folder: one of them");
	if (sp->mirror && sp->ndevs < 2)
		return err_set(e, EINVAL, "a mirror takes at least two devices");
	if (sp->mount) {
		k->p.kind = POOL_FOLDER;
		return plan_folder(k, c, sp, e);
	}
	if (!sp->ndevs) {
		k->p.kind = POOL_FILE;
		return plan_file(k, c, sp, e);
	}
	k->p.kind = POOL_DEVICES;
	k->p.mirror = sp->mirror;
	if (sp->ndevs > POOL_DEVS_MAX)
		return err_set(e, E2BIG, "at most %d devices", POOL_DEVS_MAX);
	for (size_t i = 0; i < sp->ndevs; i++) {
		r = absolute(sp->devs[i], k->p.dev[i], e);
		if (r == 0)
			r = pool_block_device(k->p.dev[i], e);
		if (r < 0)
			return r;
		k->p.ndevs++;
	}
	return 0;
}
