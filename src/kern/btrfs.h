/* SPDX-License-Identifier: MPL-2.0 */
/*
 * btrfs by its ioctls: thin, one call each. All return 0 (or what is said) or a negative errno and fill no message:
 * the caller knows the name of what it was working on. `fd` is a descriptor of any directory of the file system that
 * allows ioctls (not O_PATH).
 */
#ifndef CLOISTER_KERN_BTRFS_H
#define CLOISTER_KERN_BTRFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTRFS_FSID_TEXT 37
#define BTRFS_LABEL_MAX 256
#define BTRFS_DEV_PATH  1024

struct btrfs_fs {
	char fsid[BTRFS_FSID_TEXT];
	uint64_t devices, max_devid;
	uint32_t nodesize;
};
/* -ENOTTY when fd is not on btrfs. */
int btrfs_fs_info(int fd, struct btrfs_fs *out);
int btrfs_commit(int fd); /* everything so far is on disk when it returns */

/* The superblock of an image file or a block device. -ENODATA: no btrfs there. */
struct btrfs_super {
	char fsid[BTRFS_FSID_TEXT], label[BTRFS_LABEL_MAX];
	uint64_t bytes, devices, devid;
};
int btrfs_super_read(int fd, struct btrfs_super *out);
int btrfs_super_wipe(int fd);          /* all copies, so that nothing takes it for a btrfs any more */
int btrfs_scan(const char *dev);       /* tells the kernel about a member device */
int btrfs_mounted(const char *fsid);   /* 1 while anybody has it mounted, in whatever mount namespace */

/* ---- subvolumes ---- */
#define BTRFS_SUBVOL_INO 256u /* inode number of every subvolume's top */
/* group 0: member of none. -EEXIST and so on as from the kernel. */
int btrfs_subvol_create(int dirfd, const char *name, uint64_t group);
int btrfs_subvol_snapshot(int src, int dirfd, const char *name, bool ro, uint64_t group);
int btrfs_subvol_id(int fd, uint64_t *id); /* of the subvolume that fd is in */
int btrfs_subvol_created(int fd, uint64_t *wall_ns);
/* One that came from elsewhere: when it was made there is what btrfs_subvol_created() says from now on. It must be writable. */
int btrfs_subvol_set_created(int fd, uint64_t wall_ns);
int btrfs_subvol_ro(int fd);               /* 1, 0 */
int btrfs_subvol_set_ro(int fd, bool ro);
/* Deletes the subvolume that fd is the top of, and all those nested in it. Follows no path that is inside. */
int btrfs_subvol_delete(int fsfd, int fd);
/* The ids of the subvolume that fd is the top of and of all nested in it; a parent comes before its children. */
int btrfs_subvol_nested(int fsfd, int fd, int (*each)(uint64_t id, void *), void *arg);

/* ---- trees ---- */
struct btrfs_item {
	uint64_t objectid, offset;
	uint32_t type, len;
	const void *data; /* until the callback returns */
};
/* Items of `tree` with objectid in [omin, omax], type in [tmin, tmax]; a non-zero return of each ends and is returned. */
int btrfs_search(int fd, uint64_t tree, uint64_t omin, uint64_t omax, uint32_t tmin, uint32_t tmax,
		 int (*each)(const struct btrfs_item *, void *), void *arg);

/* ---- quota groups ---- */
#define BTRFS_GROUP(level, n) ((uint64_t)(level) << 48 | (n))
enum btrfs_quota { BTRFS_QUOTA_OFF, BTRFS_QUOTA_FULL, BTRFS_QUOTA_SIMPLE };
int btrfs_quota_mode(int fd); /* enum btrfs_quota */
/* -EINVAL: the kernel has no simple quotas. */
int btrfs_quota_enable(int fd, enum btrfs_quota mode);
int btrfs_quota_wait(int fd); /* for the rescan that full quotas begin with */
int btrfs_quota_rescan(int fd);
int btrfs_group_make(int fd, uint64_t group);   /* 0 also if it is there */
int btrfs_group_remove(int fd, uint64_t group); /* 0 also if it is not; -EBUSY while it has members or usage */
int btrfs_group_limit(int fd, uint64_t group, uint64_t bytes); /* 0 = none */
/* From the quota tree; -ENOENT without such a group. used is as of now where sysfs tells, else of the last commit. */
int btrfs_group_get(int fd, uint64_t group, uint64_t *limit, uint64_t *used);
int btrfs_group_join(int fd, uint64_t child, uint64_t parent);
int btrfs_group_leave(int fd, uint64_t child, uint64_t parent);
int btrfs_group_member(int fd, uint64_t child, uint64_t parent); /* 1, 0 */
int btrfs_group_members(int fd, uint64_t parent, int (*each)(uint64_t child, void *), void *arg);
int btrfs_group_parents(int fd, uint64_t child, int (*each)(uint64_t parent, void *), void *arg);

/* ---- devices ---- */
struct btrfs_dev {
	uint64_t devid, bytes, used;
	char path[BTRFS_DEV_PATH]; /* "" or a name that can't be opened: missing */
	bool missing;
	uint64_t errors; /* write, read, flush, corruption and generation together */
};
int btrfs_dev_each(int fd, int (*each)(const struct btrfs_dev *, void *), void *arg);
int btrfs_dev_add(int fd, const char *path);
int btrfs_dev_remove(int fd, uint64_t devid);                         /* moves its data; may take long */
int btrfs_dev_replace(int fd, uint64_t devid, const char *path);      /* the same */
int btrfs_dev_replace_progress(int fd, unsigned *permille);
int btrfs_dev_grow(int fd, uint64_t devid);                           /* to all that the device has */
enum btrfs_profile { BTRFS_SINGLE, BTRFS_MIRROR };
int btrfs_balance(int fd, enum btrfs_profile p); /* converts data and metadata (SINGLE: metadata twice); long */
int btrfs_balance_progress(int fd, uint64_t *done, uint64_t *total);
struct btrfs_scrub { uint64_t bytes, errors, corrected, uncorrectable; };
int btrfs_scrub_dev(int fd, uint64_t devid, struct btrfs_scrub *out); /* blocks until done */
int btrfs_scrub_progress(int fd, uint64_t devid, struct btrfs_scrub *out); /* -ENOTCONN: none runs */
int btrfs_scrub_cancel(int fd);

#endif
