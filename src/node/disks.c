/* SPDX-License-Identifier: MPL-2.0 */
#include "node/disks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "image/disk.h"
#include "model/vm.h"

#define MIB 1048576ULL

/* An existing file of the host: an ISO, or what the operator has said is to be used as it is. Its name tells: ours has this. */
static bool foreign(const json_t *rec, const json_t *disk, size_t i)
{
	_free_ char *ours = xprintf("/%s/root/disk%zu", vm_str(rec, "uuid"), i);
	const char *path = vm_str(disk, "path");

	return str_eq(vm_str(disk, "media"), "cdrom") || (path && !str_ends(path, ours));
}

char *disk_path(const struct ctx *c, const json_t *rec, size_t i)
{
	const json_t *d = json_array_get(json_object_get(rec, "disks"), i);

	return foreign(rec, d, i) ? xstrdup(vm_str(d, "path") ?: "") : xprintf("%s/%s/root/disk%zu", c->node.pool, vm_str(rec, "uuid"), i);
}

static int of_image(struct ctx *c, struct state *st, json_t *disk, size_t i, struct err *e)
{
	const char *uuid = vm_str(disk, "image_uuid");
	struct image image = IMAGE_INIT;
	int64_t size = vm_int(disk, "size", 0), has;
	int r = image_get(c, st, uuid, "kvm", &image, e);

	if (r < 0)
		return err_add(e, "disks.%zu", i);
	has = json_integer_value(json_object_get(image.manifest, "image_size"));
	image_done(&image);
	if (size && size < has)
		return err_set(e, EINVAL, "disks.%zu.size: %lld is less than the image's %lld MiB", i, (long long)size, (long long)has);
	json_object_set_new(disk, "image_size", json_integer(has));
	json_object_set_new(disk, "size", json_integer(size ? size : has));
	return 0;
}

static int of_host(const json_t *disk, size_t i, struct err *e)
{
	const char *path = vm_str(disk, "path");
	struct stat st;

	if (!path)
		return err_set(e, EINVAL, "disks.%zu.path is missing: it is a file of the host", i);
	if (stat(path, &st) < 0)
		return err_sys(e, errno, "disks.%zu.path: %s", i, path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, EINVAL, "disks.%zu.path: %s is neither a file nor a block device", i, path);
	return 0;
}

static void put_path(const struct ctx *c, const json_t *rec, json_t *disk, size_t i)
{
	_free_ char *path = disk_path(c, rec, i);

	json_object_set_new(disk, "path", json_string(path));
}

int disks_fill(struct ctx *c, json_t *rec, const json_t *payload, struct err *e)
{
	json_t *disks = json_object_get(rec, "disks"), *d;
	struct state *st = NULL;
	size_t i;
	int r = 0;

	if (json_array_size(disks) > DISKS_MAX)
		return err_set(e, E2BIG, "disks: at most %d", DISKS_MAX);
	json_array_foreach(disks, i, d)
	{
		/* no part of a record */
		bool nocreate = vm_bool(json_array_get(json_object_get(payload, "disks"), i), "nocreate", false);

		if (nocreate || str_eq(vm_str(d, "media"), "cdrom")) {
			r = of_host(d, i, e);
			if (r == 0 && vm_str(d, "image_uuid"))
				r = err_set(e, EINVAL, "disks.%zu.image_uuid: nothing is written to a file that is used as it is", i);
			if (r == 0 && !foreign(rec, d, i))
				r = err_set(e, EINVAL, "disks.%zu.path: %s is the name of a disk of its own", i, vm_str(d, "path"));
		} else if (vm_str(d, "path")) {
			r = err_set(e, EINVAL, "disks.%zu.path: a disk of its own lies in the pool; for a file that is there give nocreate", i);
		} else if (vm_str(d, "image_uuid")) {
			if (!st)
				r = state_open(c, STATE_READ, &st, e);
			if (r == 0)
				r = of_image(c, st, d, i, e);
		} else if (vm_int(d, "size", 0) <= 0) {
			r = err_set(e, EINVAL, "disks.%zu.size is missing", i);
		}
		if (r < 0)
			break;
		if (!vm_str(d, "path"))
			put_path(c, rec, d, i);
	}
	state_close(&st);
	return r;
}

static int make_one(struct vm *v, int dir, const json_t *disk, size_t i, struct err *e)
{
	uint64_t size = (uint64_t)vm_int(disk, "size", 0) * MIB;
	const char *image = vm_str(disk, "image_uuid");
	char name[32];
	_fd_ int fd = -1;
	int r = 0;

	snprintf(name, sizeof name, "disk%zu", i);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s of VM %s", name, v->uuid);
	if (image)
		r = disk_clone(v->store, image, fd, e);
	if (r == 0 && ftruncate(fd, (off_t)size) < 0)
		r = err_sys(e, errno, "%s of VM %s: %llu MiB", name, v->uuid, (unsigned long long)(size / MIB));
	return r;
}

int disks_make(struct vm *v, const char *name, struct err *e)
{
	_fd_ int dir = openat(store_fd(v->store), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const json_t *d;
	size_t i;

	if (dir < 0)
		return err_sys(e, errno, "%s", name);
	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		int r = foreign(v->rec, d, i) ? 0 : make_one(v, dir, d, i, e);

		if (r < 0)
			return r;
	}
	return 0;
}

uint64_t disks_bytes(const json_t *rec)
{
	const json_t *d;
	uint64_t sum = 0;
	size_t i;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
		sum += foreign(rec, d, i) ? 0 : (uint64_t)vm_int(d, "size", 0) * MIB;
	return sum;
}

int disks_hold(const struct ctx *c, const json_t *rec, struct disks_held *h, struct err *e)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
	{
		const char *image = vm_str(d, "image_uuid");
		int fd;

		if (!image || h->n == DISKS_MAX)
			continue;
		fd = image_lock(c, image, true, false, e);
		if (fd < 0)
			return fd;
		h->fd[h->n++] = fd;
	}
	return 0;
}

void disks_let_go(struct disks_held *h)
{
	while (h->n > 0)
		own_fd(&h->fd[--h->n]);
}
