/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a disk's file has beside its size: how it is compressed, and room that is set aside. That is blocks of its own for what it has not
 * written to yet (preallocated, so a first write needs none of the pool's); what it shares with its image or a snapshot is written elsewhere when
 * it changes, which this has no room for. Both are asked for, read back, and kept by the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "model/vm.h"
#include "node/disks.h"

#define MIB       1048576LL
#define ATTR      "btrfs.compression"
#define ATTR_TEXT 32
#define EXTENTS   256 /* asked for at a time */

/* The file system's word; NULL: it has none for that. */
static const char *method(const char *word)
{
	static const struct {
		const char *ours, *theirs;
	} words[] = {{"on", "zstd"}, {"zstd", "zstd"}, {"gzip", "zlib"}, {"off", "none"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(words[i].ours, word))
			return words[i].theirs;
	return NULL;
}

int disk_file_check(const json_t *rec, const json_t *disk, struct err *e)
{
	const char *word = vm_str(disk, "compression"), *path = vm_str(disk, "path");
	int64_t room = vm_int(disk, "refreservation", 0), size = vm_int(disk, "size", 0);

	if ((word || room) && qdisk_number(rec, disk) < 0)
		return err_set(e, EINVAL, "disk %s: %s of a file that is used as it is is not changed", path, word ? "compression" : "refreservation");
	if (word && !method(word)) {
		err_set(e, ENOTSUP, "disk %s: compression %s: the pool has on (zstd), zstd, gzip and off", path, word);
		return err_hint(e, "Levels and other methods are no property of a file here.");
	}
	if (room > size)
		return err_set(e, EINVAL, "disk %s: refreservation, %lld MiB, is more than its size, %lld", path, (long long)room, (long long)size);
	return 0;
}

/* "" where it has none. */
static void compression_of(int fd, char out[ATTR_TEXT])
{
	ssize_t n = fgetxattr(fd, ATTR, out, ATTR_TEXT - 1);

	out[n < 0 ? 0 : n] = 0;
}

/* Unless it is given, what new files there have. */
static int compression(int fd, int dir, const char *word, struct err *e)
{
	char has[ATTR_TEXT], want[ATTR_TEXT];

	if (word)
		snprintf(want, sizeof want, "%s", method(word) ?: "");
	else
		compression_of(dir, want);
	compression_of(fd, has);
	if (!strcmp(has, want))
		return 0;
	if (*want ? fsetxattr(fd, ATTR, want, strlen(want), 0) < 0 : fremovexattr(fd, ATTR) < 0)
		return err_sys(e, errno, "compression %s", word ?: "of the pool");
	compression_of(fd, has);
	/* some kernels say no, some none */
	return !strcmp(has, want) || (!strcmp(want, "none") && (!*has || !strcmp(has, "no")))
		       ? 0
		       : err_set(e, EIO, "compression %s: the file has %s", word ?: "of the pool", *has ? has : "none");
}

static int room(int fd, int64_t bytes, struct err *e)
{
	struct stat st;

	/* however much of it is there: that costs next to nothing */
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) < 0) {
		int code = errno;

		err_sys(e, code, "refreservation: set %lld MiB aside", (long long)(bytes / MIB));
		if (code == ENOSPC || code == EDQUOT)
			err_hint(e, "The pool, or the VM's quota, has not that much left.");
		return -code;
	}
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "refreservation");
	return st.st_blocks * 512 >= bytes ? 0 : err_set(e, EIO, "refreservation: of %lld MiB the file has %lld", (long long)(bytes / MIB),
							 (long long)(st.st_blocks * 512 / MIB));
}

/* What is set aside and not written to, behind the first bytes, is the pool's again: holes are left alone. Nobody may be writing. */
static int give_back(int fd, uint64_t from, struct err *e)
{
	_free_ struct fiemap *m = xalloc(sizeof *m + EXTENTS * sizeof m->fm_extents[0]);
	uint64_t at = from;
	bool last = false;

	if (fsync(fd) < 0)
		return err_sys(e, errno, "refreservation");
	while (!last) {
		*m = (struct fiemap){.fm_start = at, .fm_length = FIEMAP_MAX_OFFSET - at, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = EXTENTS};
		if (ioctl(fd, FS_IOC_FIEMAP, m) < 0)
			return err_sys(e, errno, "refreservation: what is set aside");
		last = !m->fm_mapped_extents;
		for (uint32_t i = 0; i < m->fm_mapped_extents; i++) {
			const struct fiemap_extent *x = &m->fm_extents[i];
			uint64_t begin = x->fe_logical > from ? x->fe_logical : from;

			at = x->fe_logical + x->fe_length;
			last = last || x->fe_flags & FIEMAP_EXTENT_LAST;
			if (x->fe_flags & FIEMAP_EXTENT_UNWRITTEN && at > begin &&
			    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin, (off_t)(at - begin)) < 0)
				return err_sys(e, errno, "refreservation: give back what is set aside");
		}
	}
	return 0;
}

int disk_file_give_back(int fd, const json_t *disk, struct err *e)
{
	int r = give_back(fd, (uint64_t)vm_int(disk, "refreservation", 0) * MIB, e);

	return r < 0 ? err_add(e, "disk %s", vm_str(disk, "path")) : 0;
}

int disk_file_compress(int fd, int dir, const json_t *disk, struct err *e)
{
	return compression(fd, dir, vm_str(disk, "compression"), e);
}

int disk_file_settle(const struct vm *v, int fd, int dir, const json_t *disk, bool less, struct err *e)
{
	int64_t bytes = vm_int(disk, "refreservation", 0) * MIB;
	int r = compression(fd, dir, vm_str(disk, "compression"), e);

	if (r == 0 && less && !v->run.running)
		r = give_back(fd, (uint64_t)bytes, e);
	if (r == 0 && bytes)
		r = room(fd, bytes, e);
	return r < 0 ? err_add(e, "disk %s", vm_str(disk, "path")) : 0;
}
