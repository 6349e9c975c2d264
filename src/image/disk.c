/* SPDX-License-Identifier: MPL-2.0 */
#include "image/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "image/import.h"
#include "base/buf.h"

#define MIB 1048576ULL

static int new_disk(int ds, struct err *e)
{
	int fd = openat(ds, "root/" DISK_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_sys(e, errno, "the image's disk") : fd;
}

/* Of a packed disk nobody knows how large it gets; what lies there unpacked is at least no more than it is. */
static uint64_t bound(int in)
{
	off_t size = lseek(in, 0, SEEK_END);

	if (size < 0 || lseek(in, 0, SEEK_SET) < 0 || (uint64_t)size < IMAGE_BYTES_MAX)
		return IMAGE_BYTES_MAX;
	return (uint64_t)size;
}

int disk_fill(struct ctx *c, const struct unpack_job *job, int ds, json_t *manifest, struct err *e)
{
	uint64_t says = (uint64_t)json_integer_value(json_object_get(manifest, "image_size")), mib;
	_fd_ int out = new_disk(ds, e);
	struct unpack_job j = *job;
	struct unpack_done d;
	int r;

	if (out < 0)
		return out;
	j.disk = true;
	j.root = out;
	if (!j.max_bytes)
		j.max_bytes = bound(j.in);
	/* it may be more than what comes, and is what a VM's disk and quota then are */
	if (says > j.max_bytes / MIB) {
		err_set(e, EFBIG, "the image_size of its manifest, %llu MiB, is more than a disk may have: %llu bytes (--max-size)",
			(unsigned long long)says, (unsigned long long)j.max_bytes);
		return err_hint(e, "If the disk is meant to be that large: --max-size %lluM.", (unsigned long long)says);
	}
	r = unpack_run(c, &j, &d, e);
	if (r < 0)
		return r;
	if (d.bytes == 0)
		return err_set(e, EINVAL, "it is empty");
	mib = (d.bytes + MIB - 1) / MIB;
	if (says && mib > says)
		return err_set(e, EBADMSG, "the disk has %llu MiB, more than the image_size of its manifest, %llu", (unsigned long long)mib,
			       (unsigned long long)says);
	mib = says ? says : mib;
	if (ftruncate(out, (off_t)(mib * MIB)) < 0)
		return err_sys(e, errno, "the image's disk");
	disk_describe(manifest, mib);
	return 0;
}

int disk_capture(int file, uint64_t mib, int ds, json_t *manifest, struct err *e)
{
	_fd_ int out = new_disk(ds, e);

	if (out < 0)
		return out;
	if (ioctl(out, FICLONE, file) < 0 || ftruncate(out, (off_t)(mib * MIB)) < 0)
		return err_sys(e, errno, "clone the VM's disk");
	disk_describe(manifest, mib);
	return 0;
}

void disk_describe(json_t *manifest, uint64_t mib)
{
	json_object_set_new(manifest, "image_size", json_integer((json_int_t)mib));
	if (!json_object_get(manifest, "disk_driver"))
		json_object_set_new(manifest, "disk_driver", json_string("virtio"));
	if (!json_object_get(manifest, "nic_driver"))
		json_object_set_new(manifest, "nic_driver", json_string("virtio"));
}

int disk_clone(struct store *s, const char *image, int to, struct err *e)
{
	_free_ char *path = xprintf("images/%s/root/" DISK_NAME, image);
	_fd_ int from = openat(store_fd(s), path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0)
		return err_sys(e, errno, "disk of image %s", image);
	return ioctl(to, FICLONE, from) < 0 ? err_sys(e, errno, "clone the disk of image %s", image) : 0;
}

/* Nothing but the disk, under its new name. */
static int strip(int dir, const char *as, struct err *e)
{
	_dir_ DIR *d = NULL;
	int r = 0;

	if (renameat(dir, "root/" DISK_NAME, dir, as) < 0)
		return err_sys(e, errno, "the image's disk");
	if (fchown(dir, 0, 0) < 0 || fchmod(dir, 0755) < 0)
		return err_sys(e, errno, "the clone of an image");
	d = dir_of(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!d)
		return err_sys(e, errno, "the clone of an image");
	for (struct dirent *de; r == 0 && (de = readdir(d));)
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, "..") && strcmp(de->d_name, as))
			r = dir_remove(dir, de->d_name, e);
	return r;
}

int disk_dataset(struct store *s, const char *image, const char *name, const char *as, uint64_t quota_id, struct err *e)
{
	_free_ char *from = xprintf("images/%s", image);
	_fd_ int dir = -1;
	int r = store_snapshot(s, from, name, false, quota_id, e);

	if (r < 0)
		return err_add(e, "disk of image %s", image);
	dir = openat(store_fd(s), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_sys(e, errno, "%s", name) : strip(dir, as, e);
	if (r < 0)
		store_destroy(s, name, NULL);
	return r;
}
