/* SPDX-License-Identifier: MPL-2.0 */
#include "image/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"

#define MIB   1048576ULL
#define CHUNK 65536

/* A guest's own bytes never look like these at the start of a disk: it would not boot from them. */
static const char *other_format(const unsigned char *p, size_t n)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *name;
	} known[] = {{"QFI\xfb", 4, "qcow2"}, {"KDMV", 4, "VMDK"}, {"conectix", 8, "VHD"}, {"vhdxfile", 8, "VHDX"},
		     {"\x1f\x8b", 2, "gzip"}, {"\xfd""7zXZ", 5, "xz"}, {"\x28\xb5\x2f\xfd", 4, "zstd"}, {"BZh", 3, "bzip2"}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (n >= known[i].len && !memcmp(p, known[i].magic, known[i].len))
			return known[i].name;
	return NULL;
}

static bool all_zero(const unsigned char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* As much of a chunk as there is. */
static ssize_t read_full(int fd, unsigned char *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t k = read(fd, p + at, n - at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		at += (size_t)k;
	}
	return (ssize_t)at;
}

static int copy(struct ctx *c, int in, const char *what, int out, uint64_t max, uint64_t *bytes, struct err *e)
{
	_free_ unsigned char *chunk = xalloc(CHUNK);

	for (*bytes = 0;;) {
		ssize_t n = read_full(in, chunk, CHUNK);
		const char *format;
		int r = ctx_check(c, e);

		if (r < 0)
			return r;
		if (n < 0)
			return err_sys(e, (int)-n, "read %s", what);
		if (n == 0)
			return 0;
		format = *bytes == 0 ? other_format(chunk, (size_t)n) : NULL;
		if (format) {
			err_set(e, ENOTSUP, "%s: it is %s, not a raw disk", what, format);
			return err_hint(e, "Unpack or convert it first: `qemu-img convert -O raw`, or the program that packed it.");
		}
		if (max && *bytes + (uint64_t)n > max)
			return err_set(e, EFBIG, "%s: more than the %llu MiB it may have", what, (unsigned long long)(max / MIB));
		if (!all_zero(chunk, (size_t)n) && pwrite(out, chunk, (size_t)n, (off_t)*bytes) != n)
			return err_sys(e, errno ? errno : ENOSPC, "write the image's disk");
		*bytes += (uint64_t)n;
	}
}

int disk_fill(struct ctx *c, int in, const char *what, int ds, uint64_t max_bytes, json_t *manifest, struct err *e)
{
	_fd_ int out = openat(ds, "root/" DISK_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint64_t bytes, mib;
	int r;

	if (out < 0)
		return err_sys(e, errno, "the image's disk");
	r = copy(c, in, what, out, max_bytes, &bytes, e);
	if (r < 0)
		return r;
	if (bytes == 0)
		return err_set(e, EINVAL, "%s is empty", what);
	mib = (bytes + MIB - 1) / MIB;
	if (ftruncate(out, (off_t)(mib * MIB)) < 0)
		return err_sys(e, errno, "the image's disk");
	json_object_set_new(manifest, "image_size", json_integer((json_int_t)mib));
	if (!json_object_get(manifest, "disk_driver"))
		json_object_set_new(manifest, "disk_driver", json_string("virtio"));
	if (!json_object_get(manifest, "nic_driver"))
		json_object_set_new(manifest, "nic_driver", json_string("virtio"));
	return 0;
}

int disk_clone(struct store *s, const char *image, int to, struct err *e)
{
	_free_ char *path = xprintf("images/%s/root/" DISK_NAME, image);
	_fd_ int from = openat(store_fd(s), path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0)
		return err_sys(e, errno, "disk of image %s", image);
	return ioctl(to, FICLONE, from) < 0 ? err_sys(e, errno, "clone the disk of image %s", image) : 0;
}
