/* SPDX-License-Identifier: MPL-2.0 */
/* One entry of the archive: its name and ids are judged, then it is made. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "unpack/name.h"
#include "unpack/tree.h"

#define STRICT (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)

struct meta {
	uid_t uid;
	gid_t gid;
	mode_t mode;
	struct timespec mtime;
};

static struct meta meta_of(struct archive_entry *ae, const char *path)
{
	la_int64_t uid = archive_entry_uid(ae), gid = archive_entry_gid(ae);

	if (uid < 0 || uid >= ID_LIMIT || gid < 0 || gid >= ID_LIMIT)
		fail(ERANGE, "%s: owner %lld:%lld, a zone has the ids 0 to %d", path, (long long)uid, (long long)gid, ID_LIMIT - 1);
	return (struct meta){
		.uid = (uid_t)uid,
		.gid = (gid_t)gid,
		.mode = archive_entry_perm(ae) & 07777,
		.mtime = {.tv_sec = archive_entry_mtime(ae), .tv_nsec = archive_entry_mtime_nsec(ae)},
	};
}

/* Owner first: chown takes away setuid and file capabilities. */
static void apply(int fd, const struct meta *m, struct archive_entry *ae, const char *path)
{
	if (fchown(fd, m->uid, m->gid) < 0 || fchmod(fd, m->mode) < 0)
		fail(errno, "%s: set owner and mode: %s", path, strerror(errno));
	entry_xattrs(fd, ae, path);
}

static void apply_link(int dir, const char *name, const struct meta *m, const char *path)
{
	const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, m->mtime};

	if (fchownat(dir, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0 || utimensat(dir, name, t, AT_SYMLINK_NOFOLLOW) < 0)
		fail(errno, "%s: set owner and time: %s", path, strerror(errno));
}

/* Reads the entry's data to its end; fd -1 drops it. */
static void data(struct unpack *u, int fd, const char *path)
{
	const void *p;
	size_t n;
	la_int64_t off;
	int r;

	while ((r = archive_read_data_block(u->inner, &p, &n, &off)) >= ARCHIVE_WARN && r != ARCHIVE_EOF) {
		const char *s = p;

		while (fd >= 0 && n) {
			ssize_t w = pwrite(fd, s, n, off);

			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0)
				fail(errno, "write %s: %s", path, strerror(errno));
			s += w, off += w, n -= (size_t)w;
		}
	}
	if (r < ARCHIVE_WARN)
		fail(EBADMSG, "%s: %s", path, archive_error_string(u->inner));
}

static void regular(struct unpack *u, struct archive_entry *ae, const char *path, const struct meta *m)
{
	const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, m->mtime};
	la_int64_t size = archive_entry_size(ae);
	const char *name;
	int dir = tree_parent(u, path, &name), fd;

	if (size < 0 || (uint64_t)size > u->max_bytes - u->bytes)
		fail(EFBIG, "%s: the tree has more than %llu bytes", path, (unsigned long long)u->max_bytes);
	tree_clear(u, dir, name, path, false);
	fd = tree_openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, STRICT);
	if (fd < 0)
		fail(errno, "create %s: %s", path, strerror(errno));
	data(u, fd, path);
	if (ftruncate(fd, size) < 0) /* a hole at its end */
		fail(errno, "%s: %s", path, strerror(errno));
	u->bytes += (uint64_t)size;
	apply(fd, m, ae, path);
	if (futimens(fd, t) < 0)
		fail(errno, "%s: set time: %s", path, strerror(errno));
	tree_made(u, fd, "");
	close(fd);
}

static void folder(struct unpack *u, struct archive_entry *ae, const char *path, const struct meta *m)
{
	const char *name;
	int dir, fd;

	if (!*path) {
		fd = tree_openat(FD_ROOT, ".", O_RDONLY | O_DIRECTORY, 0, STRICT);
	} else {
		dir = tree_parent(u, path, &name);
		if (!tree_clear(u, dir, name, path, true) && mkdirat(dir, name, 0700) < 0)
			fail(errno, "mkdir %s: %s", path, strerror(errno));
		fd = tree_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, STRICT);
	}
	if (fd < 0)
		fail(errno, "open %s: %s", path, strerror(errno));
	apply(fd, m, ae, path);
	tree_made(u, fd, "");
	close(fd);
	tree_late(u, path, m->mtime);
}

static void symbolic(struct unpack *u, struct archive_entry *ae, const char *path, const struct meta *m)
{
	const char *target = archive_entry_symlink(ae), *name;
	int dir;

	if (!target || !*target || strlen(target) >= PATH_MAX)
		fail(EINVAL, "%s: symbolic link without a usable target", path);
	if (name_link_leaves(path, target))
		fail(EXDEV, "%s: symbolic link to %s leaves the root", path, target);
	dir = tree_parent(u, path, &name);
	tree_clear(u, dir, name, path, false);
	if (symlinkat(target, dir, name) < 0)
		fail(errno, "symbolic link %s: %s", path, strerror(errno));
	apply_link(dir, name, m, path);
	tree_made(u, dir, name);
}

static void hard(struct unpack *u, const char *path, const char *target)
{
	char clean[PATH_MAX];
	const char *why = name_clean(target, clean), *name, *tname;
	struct stat st;
	int from, dir;

	if (why || !*clean)
		fail(EXDEV, "%s: hard link to %s: %s", path, target, why ? why : "the root");
	if (!strcmp(path, clean))
		fail(EINVAL, "%s: hard link to itself", path);
	from = fcntl(tree_parent(u, clean, &tname), F_DUPFD_CLOEXEC, FD_STATUS + 1);
	if (from < 0)
		fail(errno, "dup");
	if (fstatat(from, tname, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail(errno, "%s: hard link to %s, which is not in the tree", path, target);
	if (S_ISDIR(st.st_mode))
		fail(EPERM, "%s: hard link to the folder %s", path, target);
	dir = tree_parent(u, path, &name);
	tree_clear(u, dir, name, path, false);
	if (linkat(from, tname, dir, name, 0) < 0)
		fail(errno, "hard link %s to %s: %s", path, target, strerror(errno));
	tree_made(u, dir, name);
	close(from);
}

/* A zone gets its own /dev: the usual nodes of an archived one are left out, anything else is someone's intention. */
static bool usual_device(const char *path, const struct stat *st)
{
	static const unsigned chr[] = {1 /* mem */, 4, 5 /* tty */, 7 /* vcs */, 10 /* misc */, 29 /* fb */, 108 /* ppp */, 136 /* pts */},
			      blk[] = {1 /* ram */, 2 /* fd */, 3, 7 /* loop */, 8 /* sd */, 11 /* sr */, 253, 254};
	const unsigned *t = S_ISCHR(st->st_mode) ? chr : blk;
	size_t n = S_ISCHR(st->st_mode) ? sizeof chr / sizeof *chr : sizeof blk / sizeof *blk;

	if (strncmp(path, "dev/", 4))
		return false;
	for (size_t i = 0; i < n; i++)
		if (major(st->st_rdev) == t[i])
			return true;
	return false;
}

static void device(struct archive_entry *ae, const char *path)
{
	struct stat st = {.st_mode = archive_entry_filetype(ae), .st_rdev = archive_entry_rdev(ae)};

	if (!usual_device(path, &st))
		fail(EPERM, "%s: %s device %u:%u: an image can't bring devices", path, S_ISCHR(st.st_mode) ? "character" : "block",
		     major(st.st_rdev), minor(st.st_rdev));
}

static void fifo(struct unpack *u, const char *path, const struct meta *m)
{
	const char *name;
	int dir = tree_parent(u, path, &name);

	tree_clear(u, dir, name, path, false);
	/* the mode counts as it is: umask is 0 */
	if (mknodat(dir, name, S_IFIFO | (m->mode & 0777), 0) < 0)
		fail(errno, "fifo %s: %s", path, strerror(errno));
	apply_link(dir, name, m, path);
	tree_made(u, dir, name);
}

/* true if the entry was a whiteout */
static bool whiteout(struct unpack *u, const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *of;
	bool opaque, bad;
	int dir;

	if (!(of = name_whiteout(name, &opaque, &bad)))
		return false;
	if (bad)
		fail(EINVAL, "%s: whiteout of nothing", path);
	if (opaque || strncmp(of, ".wh.", 4)) { /* other .wh..wh.x are aufs's own */
		dir = tree_parent(u, path, &name);
		tree_whiteout(u, dir, opaque ? NULL : of);
	}
	return true;
}

void entry_unpack(struct unpack *u, struct archive_entry *ae)
{
	const char *raw = archive_entry_pathname(ae), *link = archive_entry_hardlink(ae), *why;
	char path[PATH_MAX];
	struct meta m;

	if (!raw)
		fail(EILSEQ, "entry %llu: name can't be read", (unsigned long long)u->entries);
	why = name_clean(raw, path);
	if (why)
		fail(EXDEV, "%.300s: %s", raw, why);
	if (u->layer && whiteout(u, path)) {
		data(u, -1, path);
		return;
	}
	m = meta_of(ae, path);
	if (!*path && (link || archive_entry_filetype(ae) != AE_IFDIR))
		fail(EINVAL, "the root is not a folder");
	if (link) {
		hard(u, path, link);
	} else {
		switch (archive_entry_filetype(ae)) {
		case AE_IFREG:
			regular(u, ae, path, &m);
			return; /* its data is read */
		case AE_IFDIR:
			folder(u, ae, path, &m);
			break;
		case AE_IFLNK:
			symbolic(u, ae, path, &m);
			break;
		case AE_IFCHR:
		case AE_IFBLK:
			device(ae, path);
			break;
		case AE_IFIFO:
			fifo(u, path, &m);
			break;
		case AE_IFSOCK:
			fail(EPERM, "%s: socket: an image can't bring sockets", path);
		default:
			fail(EPERM, "%s: entry of unknown kind %o", path, (unsigned)archive_entry_filetype(ae));
		}
	}
	data(u, -1, path); /* so that the next header is where it is expected */
}
