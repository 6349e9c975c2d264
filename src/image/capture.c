/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An image of a stopped VM. A private root is snapshotted. A shared one is the image below and what the VM wrote above:
 * the two are merged by an overlay in a mount namespace of its own, copied, and files that are the image's still share
 * its blocks again (the kernel compares them).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "image/build.h"
#include "image/child.h"
#include "image/disk.h"
#include "image/import.h"
#include "image/manifest.h"
#include "kern/path.h"

#define DEPTH_MAX 400
#define DEDUPE_MAX (16u << 20) /* what the kernel takes at once */

struct overlay {
	const char *target, *opts;
};

static int mount_merged(const void *arg)
{
	const struct overlay *o = arg;

	return mount("overlay", o->target, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, o->opts) < 0 ? -errno : 0;
}

/* The reason stands in what a program says first. */
static void keep_first(char *line, void *arg)
{
	if (!*(char *)arg)
		snprintf(arg, 512, "%s", line);
}

static int copy_tree(struct ctx *c, const struct overlay *o, const char *to, struct err *e)
{
	_clean_(child_end) struct child k = CHILD_INIT;
	_free_ char *cp = child_find("cp"), *from = xprintf("%s/.", o->target);
	const char *argv[] = {cp, "-a", "--sparse=auto", "--", from, to, NULL}, *const env[] = {"LC_ALL=C", NULL};
	char text[512] = "";
	struct child_lines lines = {.line = keep_first, .arg = text, .log = -1};
	_fd_ int rd = -1;
	int p[2], fds[3] = {-1, -1, -1}, r;

	if (!cp)
		return err_set(e, ENOPKG, "cp is not installed");
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	rd = p[0];
	fds[2] = p[1];
	r = child_start_apart(&k, argv, env, fds, 3, mount_merged, o, e);
	close(p[1]);
	if (r == 0)
		r = child_listen(c, rd, &lines, e);
	if (r < 0)
		return r;
	r = child_wait(&k);
	return r ? err_set(e, EIO, "copy the root: %s (status %d)", *text ? text : "cp failed", r) : 0;
}

/* ---- sharing blocks again ---- */

static void share_file(int file, int with, uint64_t size)
{
	_free_ struct file_dedupe_range *d = xalloc(sizeof *d + sizeof d->info[0]);

	for (uint64_t at = 0; at < size; at += DEDUPE_MAX) {
		memset(d, 0, sizeof *d + sizeof d->info[0]);
		d->src_offset = d->info[0].dest_offset = at;
		d->src_length = size - at < DEDUPE_MAX ? size - at : DEDUPE_MAX;
		d->dest_count = 1;
		d->info[0].dest_fd = file;
		/* different, or a file system that can't: then it stays a copy */
		if (ioctl(with, FIDEDUPERANGE, d) < 0 || d->info[0].status != FILE_DEDUPE_RANGE_SAME)
			return;
	}
}

/* dir belongs to the new image, with to the old one; hostile names only ever meet O_NOFOLLOW. Takes dir. */
static int share_dir(struct ctx *c, int dir, int with, int depth, struct err *e)
{
	DIR *d = dir_of(dir);
	int r = ctx_check(c, e);

	if (!d)
		return err_sys(e, errno, "read folder");
	for (struct dirent *de; r == 0 && (de = readdir(d));) {
		_fd_ int a = -1, b = -1;
		struct stat x, y;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (fstatat(dir, de->d_name, &x, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(with, de->d_name, &y, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (x.st_mode & S_IFMT) != (y.st_mode & S_IFMT))
			continue;
		if (S_ISDIR(x.st_mode) && depth < DEPTH_MAX) {
			a = openat(dir, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			b = openat(with, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (a >= 0 && b >= 0)
				r = share_dir(c, take_fd(&a), b, depth + 1, e);
		} else if (S_ISREG(x.st_mode) && x.st_size == y.st_size && x.st_size >= 4096) {
			a = openat(dir, de->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
			b = openat(with, de->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
			if (a >= 0 && b >= 0)
				share_file(a, b, (uint64_t)x.st_size);
		}
	}
	closedir(d);
	return r;
}

/* ---- the image ---- */

struct capture {
	const struct capture_from *from;
	const struct import_opts *o;
};

static int fill_merged(struct ctx *c, struct build *b, int ds, struct err *e)
{
	const struct capture *cp = b->arg;
	const char *pool = c->node.pool;
	_free_ char *target = xprintf("%s/%s/merged", pool, b->tmp), *to = xprintf("%s/%s/root", pool, b->tmp),
		    *lower = xprintf("%s/root", cp->from->image),
		    *opts = xprintf("lowerdir=%s/%s/upper:%s/%s,redirect_dir=follow,metacopy=on", pool, cp->from->dataset, pool, lower);
	struct overlay o = {target, opts};
	_fd_ int root = -1, with = -1;
	int r;

	if (mkdirat(ds, "merged", 0700) < 0)
		return err_sys(e, errno, "mkdir merged");
	if (c->progress)
		c->progress(c, "copy the root", 0, 0);
	r = copy_tree(c, &o, to, e);
	if (r < 0)
		return r;
	if (unlinkat(ds, "merged", AT_REMOVEDIR) < 0)
		return err_sys(e, errno, "rmdir merged");
	root = openat(ds, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	with = openat(store_fd(b->s), lower, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0 || with < 0)
		return err_sys(e, errno, "open root");
	import_describe(root, cp->o, b->manifest);
	return share_dir(c, take_fd(&root), with, 0, e);
}

static int fill_snapshot(struct ctx *c, struct build *b, int ds, struct err *e)
{
	const struct capture *cp = b->arg;
	_fd_ int root = openat(ds, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, errno, "open root");
	import_describe(root, cp->o, b->manifest);
	return 0;
}

static int fill_disk(struct ctx *c, struct build *b, int ds, struct err *e)
{
	const struct capture *cp = b->arg;
	_fd_ int disk = open(cp->from->disk, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return disk < 0 ? err_sys(e, errno, "%s", cp->from->disk) : disk_capture(disk, cp->from->disk_mib, ds, b->manifest, e);
}

int image_capture(struct ctx *c, struct state *st, struct store *s, const struct capture_from *from, const json_t *overrides,
		  const struct import_opts *o, char uuid[37], struct err *e)
{
	struct capture cp = {from, o};
	struct build b = {.st = st, .s = s, .arg = &cp, .fill = from->disk ? fill_disk : from->image ? fill_merged : fill_snapshot,
			  .snapshot_of = from->image || from->disk ? NULL : from->dataset};
	_free_ char *text = NULL;
	json_t *m = NULL, *whole;
	int r = import_manifest(o, from->name, from->type, &m, e);

	if (r < 0)
		return r;
	whole = json_deep_copy(m);
	json_decref(m);
	if (overrides)
		json_object_update(whole, (json_t *)(uintptr_t)overrides);
	if (from->oci)
		json_object_set(whole, "oci", (json_t *)(uintptr_t)from->oci);
	json_object_del(whole, "files"); /* it has none */
	if (from->disk)
		json_object_del(whole, "image_size"); /* that is the disk's to say */
	text = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	r = manifest_parse(text, strlen(text), &b.manifest, e);
	if (r == 0)
		r = image_build(c, &b, e);
	if (r == 0)
		snprintf(uuid, 37, "%s", b.uuid);
	json_decref(b.manifest);
	return r;
}
