/* SPDX-License-Identifier: MPL-2.0 */
/* File system, superblock and tree search. Subvolumes, quota groups, devices: btrfs_{subvol,quota,dev}.c. */
#include "kern/btrfs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

static void fsid_text(const uint8_t *u, char out[BTRFS_FSID_TEXT])
{
	snprintf(out, BTRFS_FSID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2],
		 u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

int btrfs_fs_info(int fd, struct btrfs_fs *out)
{
	struct btrfs_ioctl_fs_info_args a = {0};

	if (ioctl(fd, BTRFS_IOC_FS_INFO, &a) < 0)
		return -errno;
	fsid_text(a.fsid, out->fsid);
	out->devices = a.num_devices;
	out->max_devid = a.max_id;
	out->nodesize = a.nodesize;
	return 0;
}

int btrfs_commit(int fd)
{
	return ioctl(fd, BTRFS_IOC_SYNC, NULL) < 0 ? -errno : 0;
}

/* Offsets within the superblock: struct btrfs_super_block of the on-disk format. */
#define SUPER_SIZE    4096
#define SUPER_AT      65536
#define SUPER_FSID    0x20
#define SUPER_MAGIC   0x40
#define SUPER_BYTES   0x70
#define SUPER_DEVICES 0x88
#define SUPER_DEVITEM 0xc9
#define SUPER_LABEL   0x12b
static const char super_magic[8] = "_BHRfS_M";

static uint64_t le64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

int btrfs_super_read(int fd, struct btrfs_super *out)
{
	uint8_t b[SUPER_SIZE];
	ssize_t n = pread(fd, b, sizeof b, SUPER_AT);

	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof b || memcmp(b + SUPER_MAGIC, super_magic, sizeof super_magic))
		return -ENODATA;
	fsid_text(b + SUPER_FSID, out->fsid);
	memcpy(out->label, b + SUPER_LABEL, sizeof out->label);
	out->label[sizeof out->label - 1] = 0;
	for (char *q = out->label; *q; q++) /* it will be printed */
		if (*q < ' ' || *q > '~')
			*q = '?';
	out->bytes = le64_at(b + SUPER_BYTES);
	out->devices = le64_at(b + SUPER_DEVICES);
	out->devid = le64_at(b + SUPER_DEVITEM);
	return 0;
}

int btrfs_super_wipe(int fd)
{
	static const off_t at[] = {SUPER_AT, 64LL << 20, 256LL << 30};
	static const uint8_t zero[SUPER_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		uint8_t b[SUPER_SIZE];

		/* a copy that is not there (short device, other data) is left alone */
		if (pread(fd, b, sizeof b, at[i]) != (ssize_t)sizeof b || memcmp(b + SUPER_MAGIC, super_magic, sizeof super_magic))
			continue;
		if (pwrite(fd, zero, sizeof zero, at[i]) != (ssize_t)sizeof zero)
			return errno ? -errno : -EIO;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int btrfs_scan(const char *dev)
{
	struct btrfs_ioctl_vol_args a = {0};
	_fd_ int fd = -1;

	if (strlen(dev) >= sizeof a.name)
		return -ENAMETOOLONG;
	fd = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	strcpy(a.name, dev);
	return ioctl(fd, BTRFS_IOC_SCAN_DEV, &a) < 0 ? -errno : 0;
}

int btrfs_mounted(const char *fsid)
{
	char path[96];

	/* The folder is there as long as the kernel has the file system open; an outside unmount keeps it while a zone lives. */
	snprintf(path, sizeof path, "/sys/fs/btrfs/%s", fsid);
	return access(path, F_OK) == 0;
}

/* ---- trees ---- */

int btrfs_search(int fd, uint64_t tree, uint64_t omin, uint64_t omax, uint32_t tmin, uint32_t tmax,
		 int (*each)(const struct btrfs_item *, void *), void *arg)
{
	enum { ROOM = 65536 };
	_free_ struct btrfs_ioctl_search_args_v2 *a = xalloc(sizeof *a + ROOM);
	struct btrfs_ioctl_search_key *k = &a->key;

	*k = (struct btrfs_ioctl_search_key){.tree_id = tree, .min_objectid = omin, .max_objectid = omax, .max_offset = UINT64_MAX,
		.max_transid = UINT64_MAX, .min_type = tmin, .max_type = tmax};
	for (;;) {
		struct btrfs_ioctl_search_header h;
		const uint8_t *p = a->buf;

		k->nr_items = UINT32_MAX;
		a->buf_size = ROOM;
		if (ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, a) < 0)
			return -errno;
		if (k->nr_items == 0)
			return 0;
		for (uint32_t i = 0; i < k->nr_items; i++) {
			struct btrfs_item it;
			int r = 0;

			memcpy(&h, p, sizeof h);
			p += sizeof h;
			it = (struct btrfs_item){.objectid = h.objectid, .offset = h.offset, .type = h.type, .len = h.len, .data = p};
			p += h.len;
			/* the kernel's range is over the whole key: types outside show up between two objectids */
			if (h.type >= tmin && h.type <= tmax)
				r = each(&it, arg);
			if (r)
				return r;
		}
		/* the key after the last one */
		k->min_objectid = h.objectid;
		k->min_type = h.type;
		k->min_offset = h.offset + 1;
		if (k->min_offset == 0 && ++k->min_type == 0)
			k->min_objectid++;
		if (k->min_objectid > omax || (k->min_objectid == omax && k->min_type > tmax))
			return 0;
	}
}
