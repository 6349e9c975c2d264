/* SPDX-License-Identifier: MPL-2.0 */
/* Member devices. The long ones block in the kernel until they are done; their progress is asked for from another process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/btrfs.h"

static bool sys_missing(const char *fsid, uint64_t devid)
{
	char path[128], c = '0';
	_fd_ int fd = -1;

	snprintf(path, sizeof path, "/sys/fs/btrfs/%s/devinfo/%llu/missing", fsid, (unsigned long long)devid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &c, 1) == 1 && c == '1';
}

int btrfs_dev_each(int fd, int (*each)(const struct btrfs_dev *, void *), void *arg)
{
	struct btrfs_fs fs;
	int r = btrfs_fs_info(fd, &fs);

	/* 0 is the target of a running replacement: it gets the number of what it replaces */
	for (uint64_t id = 1; r >= 0 && id <= fs.max_devid; id++) {
		struct btrfs_ioctl_dev_info_args a = {.devid = id};
		struct btrfs_ioctl_get_dev_stats st = {.devid = id, .nr_items = BTRFS_DEV_STAT_VALUES_MAX};
		struct btrfs_dev d = {.devid = id};

		if (ioctl(fd, BTRFS_IOC_DEV_INFO, &a) < 0) {
			if (errno == ENODEV)
				continue;
			return -errno;
		}
		d.bytes = a.total_bytes;
		d.used = a.bytes_used;
		snprintf(d.path, sizeof d.path, "%.*s", (int)sizeof d.path - 1, (const char *)a.path);
		d.missing = !*d.path || sys_missing(fs.fsid, id);
		if (!d.missing && ioctl(fd, BTRFS_IOC_GET_DEV_STATS, &st) == 0)
			for (uint64_t i = 0; i < st.nr_items && i < BTRFS_DEV_STAT_VALUES_MAX; i++)
				d.errors += st.values[i];
		r = each(&d, arg);
	}
	return r;
}

/* RM_DEV and ADD_DEV answer some refusals with a positive number. */
static int dev_error(int r)
{
	switch (r) {
	case BTRFS_ERROR_DEV_RAID1_MIN_NOT_MET:
	case BTRFS_ERROR_DEV_ONLY_WRITABLE:
		return -EINVAL;
	case BTRFS_ERROR_DEV_MISSING_NOT_FOUND:
		return -ENODEV;
	case BTRFS_ERROR_DEV_TGT_REPLACE:
	case BTRFS_ERROR_DEV_EXCL_RUN_IN_PROGRESS:
		return -EBUSY;
	default:
		return r > 0 ? -EINVAL : r;
	}
}

int btrfs_dev_add(int fd, const char *path)
{
	struct btrfs_ioctl_vol_args a = {0};
	int r;

	if (strlen(path) >= sizeof a.name)
		return -ENAMETOOLONG;
	strcpy(a.name, path);
	r = ioctl(fd, BTRFS_IOC_ADD_DEV, &a);
	return r < 0 ? -errno : dev_error(r);
}

int btrfs_dev_remove(int fd, uint64_t devid)
{
	struct btrfs_ioctl_vol_args_v2 a = {.flags = BTRFS_DEVICE_SPEC_BY_ID, .devid = devid};
	int r = ioctl(fd, BTRFS_IOC_RM_DEV_V2, &a);

	return r < 0 ? -errno : dev_error(r);
}

int btrfs_dev_replace(int fd, uint64_t devid, const char *path)
{
	struct btrfs_ioctl_dev_replace_args a = {.cmd = BTRFS_IOCTL_DEV_REPLACE_CMD_START, .start = {.srcdevid = devid}};

	if (strlen(path) >= sizeof a.start.tgtdev_name)
		return -ENAMETOOLONG;
	strcpy((char *)a.start.tgtdev_name, path);
	if (ioctl(fd, BTRFS_IOC_DEV_REPLACE, &a) < 0)
		return -errno;
	return a.result == BTRFS_IOCTL_DEV_REPLACE_RESULT_NO_ERROR ? 0 : -EBUSY;
}

int btrfs_dev_replace_progress(int fd, unsigned *permille)
{
	struct btrfs_ioctl_dev_replace_args a = {.cmd = BTRFS_IOCTL_DEV_REPLACE_CMD_STATUS};

	if (ioctl(fd, BTRFS_IOC_DEV_REPLACE, &a) < 0)
		return -errno;
	*permille = (unsigned)a.status.progress_1000;
	return 0;
}

int btrfs_dev_grow(int fd, uint64_t devid)
{
	struct btrfs_ioctl_vol_args a = {0};

	snprintf(a.name, sizeof a.name, "%llu:max", (unsigned long long)devid);
	return ioctl(fd, BTRFS_IOC_RESIZE, &a) < 0 ? -errno : 0;
}

int btrfs_balance(int fd, enum btrfs_profile p)
{
	uint64_t one = BTRFS_AVAIL_ALLOC_BIT_SINGLE, twice = BTRFS_BLOCK_GROUP_DUP, mirror = BTRFS_BLOCK_GROUP_RAID1;
	struct btrfs_ioctl_balance_args a = {
		.flags = BTRFS_BALANCE_DATA | BTRFS_BALANCE_METADATA | BTRFS_BALANCE_SYSTEM | BTRFS_BALANCE_FORCE,
		.data = {.flags = BTRFS_BALANCE_ARGS_CONVERT | BTRFS_BALANCE_ARGS_SOFT, .target = p == BTRFS_MIRROR ? mirror : one},
		.meta = {.flags = BTRFS_BALANCE_ARGS_CONVERT | BTRFS_BALANCE_ARGS_SOFT, .target = p == BTRFS_MIRROR ? mirror : twice},
		.sys = {.flags = BTRFS_BALANCE_ARGS_CONVERT | BTRFS_BALANCE_ARGS_SOFT, .target = p == BTRFS_MIRROR ? mirror : twice},
	};

	if (ioctl(fd, BTRFS_IOC_BALANCE_V2, &a) < 0)
		return -errno;
	return 0;
}

int btrfs_balance_progress(int fd, uint64_t *done, uint64_t *total)
{
	struct btrfs_ioctl_balance_args a = {0};

	if (ioctl(fd, BTRFS_IOC_BALANCE_PROGRESS, &a) < 0)
		return -errno;
	*done = a.stat.completed;
	*total = a.stat.expected;
	return 0;
}

static void scrub_sum(const struct btrfs_scrub_progress *p, struct btrfs_scrub *out)
{
	out->bytes = p->data_bytes_scrubbed + p->tree_bytes_scrubbed;
	out->errors = p->read_errors + p->csum_errors + p->verify_errors + p->super_errors;
	out->corrected = p->corrected_errors;
	out->uncorrectable = p->uncorrectable_errors;
}

int btrfs_scrub_dev(int fd, uint64_t devid, struct btrfs_scrub *out)
{
	struct btrfs_ioctl_scrub_args a = {.devid = devid, .end = UINT64_MAX};

	if (ioctl(fd, BTRFS_IOC_SCRUB, &a) < 0)
		return -errno;
	scrub_sum(&a.progress, out);
	return 0;
}

int btrfs_scrub_progress(int fd, uint64_t devid, struct btrfs_scrub *out)
{
	struct btrfs_ioctl_scrub_args a = {.devid = devid};

	if (ioctl(fd, BTRFS_IOC_SCRUB_PROGRESS, &a) < 0)
		return -errno;
	scrub_sum(&a.progress, out);
	return 0;
}

int btrfs_scrub_cancel(int fd)
{
	return ioctl(fd, BTRFS_IOC_SCRUB_CANCEL, NULL) < 0 ? -errno : 0;
}
