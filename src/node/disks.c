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
#include "hvm/qdisk.h"
#include "image/disk.h"
#include "model/prop.h"
#include "model/vm.h"

#define MIB 1048576ULL

/* An existing file of the host: an ISO, or what the operator has said is to be used as it is. */
static bool foreign(const json_t *rec, const json_t *disk)
{
	return qdisk_number(rec, disk) < 0;
}

char *disk_path(const struct ctx *c, const json_t *rec, const json_t *disk)
{
	int n = qdisk_number(rec, disk);

	return n < 0 ? xstrdup(vm_str(disk, "path") ?: "") : xprintf("%s/%s/root/disk%d", c->node.pool, vm_str(rec, "uuid"), n);
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

static const char *first_image(const json_t *payload)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(payload, "disks"), i, d)
		if (json_is_object(d) && vm_str(d, "image_uuid"))
			return vm_str(d, "image_uuid");
	return NULL;
}

json_t *disks_drivers(struct ctx *c, const json_t *payload)
{
	static const char *const names[] = {"disk_driver", "nic_driver", "cpu_type"};
	bool kvm = json_is_object(payload) && str_eq(vm_str(payload, "brand"), "kvm");
	const char *uuid = kvm ? first_image(payload) : NULL;
	struct image image = IMAGE_INIT;
	struct state *st = NULL;
	json_t *out;

	/* what is wrong with the image is said when the disk is looked at */
	if (!uuid || !uuid_valid(uuid) || state_open(c, STATE_READ, &st, NULL) < 0 || image_get(c, st, uuid, "kvm", &image, NULL) < 0) {
		state_close(&st);
		return json_incref((json_t *)(uintptr_t)payload);
	}
	out = json_copy((json_t *)(uintptr_t)payload);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!prop_find(names[i])->needs && !prop_find(names[i])->never && !json_object_get(out, names[i]) && json_object_get(image.manifest, names[i]))
			json_object_set(out, names[i], json_object_get(image.manifest, names[i]));
	image_done(&image);
	state_close(&st);
	return out;
}

int disk_of_host(const char *path, const char *what, struct err *e)
{
	struct stat st;

	/* the last name itself, as when the machine starts and it is opened: a link there could be turned meanwhile */
	if (lstat(path, &st) < 0)
		return err_sys(e, errno, "%s: %s", what, path);
	if (S_ISLNK(st.st_mode)) {
		err_set(e, EINVAL, "%s: %s is a symbolic link", what, path);
		return err_hint(e, "Name what it leads to: readlink -f %s", path);
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, EINVAL, "%s: %s is neither a file nor a block device", what, path);
	return 0;
}

static int of_host(const json_t *disk, size_t i, struct err *e)
{
	_free_ char *what = xprintf("disks.%zu.path", i);
	const char *path = vm_str(disk, "path");

	return path ? disk_of_host(path, what, e) : err_set(e, EINVAL, "%s is missing: it is a file of the host", what);
}

static int fill_one(struct ctx *c, struct state **st, const json_t *rec, json_t *d, size_t i, bool nocreate, struct err *e)
{
	int r;

	if (nocreate || qdisk_cdrom(d)) {
		r = of_host(d, i, e);
		if (r == 0 && vm_str(d, "image_uuid"))
			r = err_set(e, EINVAL, "disks.%zu.image_uuid: nothing is written to a file that is used as it is", i);
		if (r == 0 && !foreign(rec, d))
			r = err_set(e, EINVAL, "disks.%zu.path: %s is the name of a disk of its own", i, vm_str(d, "path"));
		return r;
	}
	if (vm_str(d, "path"))
		return err_set(e, EINVAL, "disks.%zu.path: a disk of its own lies in the pool; for a file that is there give nocreate", i);
	if (!vm_str(d, "image_uuid"))
		return vm_int(d, "size", 0) > 0 ? 0 : err_set(e, EINVAL, "disks.%zu.size is missing", i);
	r = *st ? 0 : state_open(c, STATE_READ, st, e);
	return r < 0 ? r : of_image(c, *st, d, i, e);
}

/* The lowest number that is free. */
static int put_path(const struct ctx *c, const json_t *rec, json_t *disk, bool *taken, struct err *e)
{
	int n = 0;

	while (n < QDISK_NUMBERS && taken[n])
		n++;
	if (n == QDISK_NUMBERS)
		return err_set(e, E2BIG, "disks: all %d numbers are taken: by disks, or by snapshots that have them", QDISK_NUMBERS);
	taken[n] = true;
	json_object_set_new(disk, "path", json_sprintf("%s/%s/root/disk%d", c->node.pool, vm_str(rec, "uuid"), n));
	return 0;
}

int disks_fill(struct ctx *c, json_t *rec, size_t from, const json_t *given, bool *taken, struct err *e)
{
	json_t *disks = json_object_get(rec, "disks"), *d;
	struct state *st = NULL;
	size_t i;
	int r = 0;

	if (json_array_size(disks) > DISKS_MAX)
		return err_set(e, E2BIG, "disks: at most %d", DISKS_MAX);
	json_array_foreach(disks, i, d)
	{
		if (i < from)
			continue;
		/* nocreate is no part of a record */
		r = fill_one(c, &st, rec, d, i, vm_bool(json_array_get(given, i - from), "nocreate", false), e);
		if (r == 0 && !vm_str(d, "path"))
			r = put_path(c, rec, d, taken, e);
		if (r == 0)
			r = disk_file_check(rec, d, e);
		if (r < 0)
			break;
	}
	state_close(&st);
	return r;
}

/* flags: O_CREAT | O_EXCL, or 0 = it is there, as its image has it. */
static int make(struct vm *v, int dir, const json_t *disk, int flags, struct err *e)
{
	uint64_t size = (uint64_t)vm_int(disk, "size", 0) * MIB;
	const char *image = vm_str(disk, "image_uuid");
	char name[32];
	_fd_ int fd = -1;
	int r = 0;

	snprintf(name, sizeof name, "disk%d", qdisk_number(v->rec, disk));
	fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s of VM %s", name, v->uuid);
	if (image && flags)
		r = disk_clone(v->store, image, fd, e);
	if (r == 0 && ftruncate(fd, (off_t)size) < 0)
		r = err_sys(e, errno, "%s of VM %s: %llu MiB", name, v->uuid, (unsigned long long)(size / MIB));
	return r < 0 ? r : disk_file_settle(v, fd, dir, disk, false, e);
}

int disk_make(struct vm *v, int dir, const json_t *disk, struct err *e)
{
	return make(v, dir, disk, O_CREAT | O_EXCL, e);
}

/* The first disk that is made of an image, or NULL. */
static const json_t *imaged(const struct vm *v)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
		if (!foreign(v->rec, d) && vm_str(d, "image_uuid"))
			return d;
	return NULL;
}

/*
 * A reflink takes as long as the image has pieces, and compressed ones have 128 KiB: 100 ms for 1 GiB. So the dataset with the first
 * disk of an image is a snapshot of that image's. Full quotas would have to be counted again after it.
 */
int disks_make(struct vm *v, const char *name, uint64_t quota_id, struct err *e)
{
	const json_t *first = store_caps(v->store) & STORE_SQUOTA ? imaged(v) : NULL, *d;
	_fd_ int dir = -1;
	char as[32];
	size_t i;
	int r;

	if (first)
		snprintf(as, sizeof as, "disk%d", qdisk_number(v->rec, first));
	r = first ? disk_dataset(v->store, vm_str(first, "image_uuid"), name, as, quota_id, e) : store_create(v->store, name, quota_id, e);
	if (r < 0)
		return r;
	dir = openat(store_fd(v->store), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "%s", name);
	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		r = foreign(v->rec, d) ? 0 : make(v, dir, d, d == first ? 0 : O_CREAT | O_EXCL, e);
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
		sum += foreign(rec, d) ? 0 : (uint64_t)vm_int(d, "size", 0) * MIB;
	return sum;
}

uint64_t disks_used(const struct vm *v)
{
	const json_t *d;
	uint64_t sum = 0;
	struct stat st;
	size_t i;

	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		_free_ char *path = xprintf("%s/root/disk%d", v->uuid, qdisk_number(v->rec, d));

		if (!foreign(v->rec, d) && fstatat(store_fd(v->store), path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			sum += (uint64_t)st.st_blocks * 512;
	}
	return sum;
}

int disks_hold(const struct ctx *c, const json_t *disks, struct disks_held *h, struct err *e)
{
	const json_t *d;
	size_t i;

	json_array_foreach(disks, i, d)
	{
		const char *image = vm_str(d, "image_uuid");
		int fd;

		if (!image || !uuid_valid(image) || h->n == DISKS_MAX)
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
