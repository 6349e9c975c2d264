/* SPDX-License-Identifier: MPL-2.0 */
#include "image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/build.h"
#include "image/disk.h"
#include "image/manifest.h"
#include "image/unpack.h"
#include "kern/path.h"

struct import {
	const struct import_opts *o;
	const char *path, *what;
	int in; /* the archive, or the layout's folder */
	struct stat st;
	const char *sha1, *sha256;
	int64_t size;
};

static int root_of(int ds, struct err *e)
{
	int fd = openat(ds, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "open root") : fd;
}

static bool there(int root, const char *path)
{
	_fd_ int fd = path_open_in(root, path, O_PATH | O_NOFOLLOW, 0, NULL);

	return fd >= 0;
}

void import_describe(int root, const struct import_opts *o, json_t *manifest)
{
	_fd_ int fd = path_open_in(root, "/etc/os-release", O_RDONLY | O_NONBLOCK, 0, NULL);
	char text[8192], v[128];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (n = read(fd, text, sizeof text - 1)) <= 0)
		return;
	text[n] = 0;
	if (!o->description && os_release_value(text, "PRETTY_NAME", v, sizeof v) == 0) {
		json_t *s = json_string(v); /* NULL for bytes that are not UTF-8 */

		if (s)
			json_object_set_new(manifest, "description", s);
	}
}

/* ---- tarballs ---- */

static struct unpack_job job(const struct import *im, int root)
{
	return (struct unpack_job){
		.what = im->what, .in = im->in, .root = root, .sha1 = im->sha1, .sha256 = im->sha256, .size = im->size,
		.total = S_ISREG(im->st.st_mode) ? (uint64_t)im->st.st_size : 0,
		.max_bytes = im->o->max_bytes, .max_entries = im->o->max_entries,
	};
}

static int unpack(struct ctx *c, struct import *im, int root, struct err *e)
{
	struct unpack_job j = job(im, root);
	struct unpack_done d;
	int r = unpack_run(c, &j, &d, e);

	return r < 0 ? err_add(e, "%s", im->path) : 0;
}

static int fill_checked(struct ctx *c, struct build *b, int ds, struct err *e)
{
	_fd_ int root = root_of(ds, e);

	return root < 0 ? root : unpack(c, b->arg, root, e);
}

/* The tarball was a layout: its tree moves aside, the image is made from it, and it goes. */
static int from_layout(struct ctx *c, struct build *b, int ds, struct err *e)
{
	struct import *im = b->arg;
	_fd_ int layout = -1, root = -1;
	int r;

	if (renameat(ds, "root", ds, "layout") < 0 || mkdirat(ds, "root", 0755) < 0)
		return err_sys(e, errno, "layout");
	layout = openat(ds, "layout", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (layout < 0)
		return err_sys(e, errno, "layout");
	root = root_of(ds, e);
	if (root < 0)
		return root;
	r = oci_fill(c, layout, root, im->o, b->manifest, e);
	return r < 0 ? err_add(e, "%s", im->path) : dir_remove(ds, "layout", e);
}

static int fill_tar(struct ctx *c, struct build *b, int ds, struct err *e)
{
	static const char *const signs[] = {"bin", "usr", "sbin", "etc", "lib"};
	struct import *im = b->arg;
	_fd_ int root = root_of(ds, e);
	int r = root < 0 ? root : unpack(c, im, root, e);

	if (r < 0)
		return r;
	if (there(root, "oci-layout"))
		return from_layout(c, b, ds, e);
	if (there(root, "manifest.json") && !there(root, "usr")) {
		err_set(e, ENOTSUP, "%s: it is a docker archive without an OCI layout", im->path);
		return err_hint(e, "convert it: skopeo copy docker-archive:FILE oci:FOLDER");
	}
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (there(root, signs[i])) {
			import_describe(root, im->o, b->manifest);
			return 0;
		}
	return err_set(e, EINVAL, "%s: neither a root filesystem (no bin, usr, sbin, etc or lib in it) nor an OCI image layout",
		       im->path);
}

static int fill_layout(struct ctx *c, struct build *b, int ds, struct err *e)
{
	struct import *im = b->arg;
	_fd_ int root = root_of(ds, e);
	int r = root < 0 ? root : oci_fill(c, im->in, root, im->o, b->manifest, e);

	return r < 0 ? err_add(e, "%s", im->path) : 0;
}

static int fill_disk(struct ctx *c, struct build *b, int ds, struct err *e)
{
	struct import *im = b->arg;
	struct unpack_job j = job(im, -1);
	int r = disk_fill(c, &j, ds, b->manifest, e);

	return r < 0 ? err_add(e, "%s", im->path) : 0;
}

/* ---- commands' sides ---- */

/* "…/debian-12.tar.xz" → "debian-12" */
static void name_from(const char *path, char out[128])
{
	static const char *const tails[] = {".gz", ".xz", ".zst", ".bz2", ".tgz", ".txz", ".tar", ".raw", ".img", ".qcow2", ".zvol"};
	size_t n = strlen(path), b;

	while (n && path[n - 1] == '/')
		n--;
	for (b = n; b && path[b - 1] != '/'; b--)
		;
	snprintf(out, 128, "%.*s", (int)(n - b), path + b);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++)
		if (str_ends(out, tails[i]) && strlen(out) > strlen(tails[i]))
			out[strlen(out) - strlen(tails[i])] = 0;
	if (!*out || !strcmp(out, "-") || !strcmp(out, "."))
		strcpy(out, "image");
}

int import_manifest(const struct import_opts *o, const char *name, const char *type, json_t **out, struct err *e)
{
	char uuid[UUID_LEN + 1], when[CLOCK_TEXT], day[16];
	time_t now = (time_t)(clock_wall_ns() / 1000000000);
	_free_ char *text = NULL;
	json_t *m;
	struct tm tm;
	int r;

	if (o->uuid && !uuid_valid(o->uuid))
		return err_set(e, EINVAL, "\"%s\" is not a uuid", o->uuid);
	uuid_make(uuid);
	strftime(day, sizeof day, "%Y%m%d", gmtime_r(&now, &tm));
	m = manifest_make(o->uuid ?: uuid, o->name ?: name, o->version ?: day, o->type ?: type, clock_iso(clock_wall_ns(), when),
			  o->description);
	if (!m)
		return err_set(e, EINVAL, "name, version or description is not UTF-8");
	if (o->origin)
		json_object_set_new(m, "origin", json_string(o->origin));
	/* the options are outside input: the same checks as for a manifest from a file */
	text = json_dumps(m, JSON_COMPACT);
	json_decref(m);
	r = manifest_parse(text, strlen(text), out, e);
	return r;
}

static int open_input(struct import *im, struct err *e)
{
	im->in = strcmp(im->path, "-") ? open(im->path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : fcntl(0, F_DUPFD_CLOEXEC, 3);
	if (im->in < 0 || fstat(im->in, &im->st) < 0)
		return err_sys(e, errno, "%s", im->path);
	if (S_ISBLK(im->st.st_mode) && str_eq(im->o->type, "zvol"))
		return 0;
	if (!S_ISREG(im->st.st_mode) && !S_ISDIR(im->st.st_mode) && !S_ISFIFO(im->st.st_mode) && !S_ISSOCK(im->st.st_mode))
		return err_set(e, EINVAL, "%s: not a file, folder or pipe", im->path);
	return 0;
}

int image_import(struct ctx *c, struct state *st, struct store *s, const char *path, const struct import_opts *o, char uuid[37],
		 struct err *e)
{
	char name[128];
	struct import im = {.o = o, .path = path, .what = "unpack", .in = -1, .size = -1};
	bool disk = str_eq(o->type, "zvol");
	struct build b = {.st = st, .s = s, .arg = &im, .fill = disk ? fill_disk : fill_tar};
	json_t *m = NULL;
	int r = open_input(&im, e);

	if (r == -ENOENT && uuid_valid(path)) /* SmartOS: from a server, with its name */
		err_hint(e, "An image server that has it is not available yet: import takes a file or a folder, and `imgadm bootstrap debian` makes an image.");
	if (r == 0 && disk && S_ISDIR(im.st.st_mode)) {
		r = err_set(e, EISDIR, "%s: a disk is a file, a block device or a pipe", path);
	} else if (r == 0 && S_ISDIR(im.st.st_mode)) {
		b.fill = fill_layout;
		if (faccessat(im.in, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
			r = err_set(e, EINVAL, "%s: a folder without oci-layout in it", path);
			err_hint(e, "if it is a root filesystem: tar -C %.80s --numeric-owner --xattrs -c . | imgadm import --name NAME -", path);
		}
	}
	name_from(path, name);
	if (r == 0)
		r = import_manifest(o, name, "lx-dataset", &m, e);
	if (r == 0) {
		b.manifest = m;
		r = image_build(c, &b, e);
		if (r == 0)
			snprintf(uuid, 37, "%s", b.uuid);
	}
	json_decref(m);
	own_fd(&im.in);
	return r < 0 ? r : 0;
}

static int load_manifest(const char *path, json_t **out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r = file_read(AT_FDCWD, path, MANIFEST_MAX, &b, e);

	if (r < 0)
		return r;
	r = manifest_parse(buf_str(&b), b.len, out, e);
	return r < 0 ? err_add(e, "%s", path) : 0;
}

static int install(struct ctx *c, struct state *st, struct store *s, json_t *m, struct import *im, char uuid[37], struct err *e)
{
	const char *type = manifest_str(m, "type"), *origin = manifest_str(m, "origin"), *state = manifest_str(m, "state");
	struct build b = {.st = st, .s = s, .arg = im, .fill = str_eq(type, "zvol") ? fill_disk : fill_checked, .manifest = m};
	const json_t *f = json_array_get(json_object_get(m, "files"), 0);
	int r;

	if (str_eq(type, "other"))
		return err_set(e, ENOTSUP, "an image of type other can't be installed: only zone-dataset, lx-dataset, docker and zvol");
	if (!f)
		return err_set(e, EINVAL, "the manifest names no file: sha1 or sha256 and size are needed");
	if (json_is_true(json_object_get(m, "disabled")) || (state && strcmp(state, "active")))
		return err_set(e, EPERM, "image %s is %s", manifest_str(m, "uuid"), state && strcmp(state, "active") ? state : "disabled");
	if (origin) {
		r = state_image_get(st, origin, NULL, NULL, NULL);
		if (r < 0)
			return err_set(e, ENOENT, "its origin, image %s, is not installed", origin);
	}
	im->sha1 = manifest_str(f, "sha1");
	im->sha256 = manifest_str(f, "sha256");
	im->size = json_integer_value(json_object_get(f, "size"));
	r = open_input(im, e);
	if (r == 0 && S_ISDIR(im->st.st_mode))
		r = err_sys(e, EISDIR, "%s", im->path);
	if (r == 0)
		r = image_build(c, &b, e);
	own_fd(&im->in);
	if (r == 0)
		snprintf(uuid, 37, "%s", b.uuid);
	return r;
}

int image_install(struct ctx *c, struct state *st, struct store *s, const char *manifest, const char *file,
		  const struct import_opts *o, char uuid[37], struct err *e)
{
	struct import im = {.o = o, .path = file, .what = "install", .in = -1};
	json_t *m = NULL;
	int r = load_manifest(manifest, &m, e);

	if (r == 0)
		r = install(c, st, s, m, &im, uuid, e);
	json_decref(m);
	return r;
}
