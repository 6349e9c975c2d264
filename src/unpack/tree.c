/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names below the tree's root, always through openat2(2). A tarball's parents must be real folders: an entry that goes
 * through a link is refused. An OCI layer's may be links (bin/x on a tree where bin is a link to usr/bin), and then
 * resolve within the tree: there is no way to say a path outside.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unpack/tree.h"

int tree_openat(int dir, const char *path, uint64_t flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

static int open_dir(struct unpack *u, const char *path)
{
	return tree_openat(FD_ROOT, *path ? path : ".", O_PATH | O_DIRECTORY, 0,
			   u->layer ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static int make_parents(struct unpack *u, const char *path)
{
	char part[PATH_MAX];
	int dir = open_dir(u, "");

	memcpy(part, path, strlen(path) + 1);
	for (char *s = part, *slash; s && dir >= 0; s = slash ? slash + 1 : NULL) {
		int next;

		slash = strchr(s, '/');
		if (slash)
			*slash = 0;
		next = open_dir(u, part);
		if (next < 0 && errno == ENOENT) {
			/* what an archive leaves out is a plain folder of root's */
			if (mkdirat(dir, s, 0755) < 0)
				fail(errno, "%s: folder for %s: %s", part, path, strerror(errno));
			next = open_dir(u, part);
		}
		close(dir);
		dir = next;
		if (slash)
			*slash = '/';
	}
	return dir;
}

void tree_forget(struct unpack *u)
{
	if (u->parent_fd >= 0)
		close(u->parent_fd);
	u->parent_fd = -1;
}

int tree_parent(struct unpack *u, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	*name = slash ? slash + 1 : path;
	/* entries of one folder come one after the other */
	if (u->parent_fd >= 0 && strlen(u->parent) == n && !memcmp(u->parent, path, n))
		return u->parent_fd;
	tree_forget(u);
	memcpy(u->parent, path, n);
	u->parent[n] = 0;
	u->parent_fd = open_dir(u, u->parent);
	if (u->parent_fd < 0 && errno == ENOENT)
		u->parent_fd = make_parents(u, u->parent);
	if (u->parent_fd < 0 && errno == ELOOP)
		fail(ELOOP, "%s: goes through a symbolic link", path);
	if (u->parent_fd < 0)
		fail(errno, "%s: %s", path, strerror(errno));
	return u->parent_fd;
}

/* ---- inodes of this layer ---- */

static size_t slot_of(const struct inoset *s, uint64_t ino)
{
	size_t i = (size_t)(ino * 0x9e3779b97f4a7c15ULL >> 17) & (s->cap - 1);

	while (s->slot[i] && s->slot[i] != ino)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static bool set_has(const struct inoset *s, uint64_t ino)
{
	return s->cap && s->slot[slot_of(s, ino)] == ino;
}

static void set_add(struct inoset *s, uint64_t ino)
{
	if (s->used * 2 >= s->cap) {
		struct inoset big = {.cap = s->cap ? s->cap * 2 : 1024};

		big.slot = need(calloc(big.cap, sizeof *big.slot));
		for (size_t i = 0; i < s->cap; i++)
			if (s->slot[i])
				set_add(&big, s->slot[i]);
		free(s->slot);
		*s = big;
	}
	if (!set_has(s, ino)) {
		s->slot[slot_of(s, ino)] = ino;
		s->used++;
	}
}

void tree_made(struct unpack *u, int dir, const char *name)
{
	struct stat st;

	if (!u->layer)
		return;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		fail(errno, "stat %s", name);
	set_add(&u->made, st.st_ino);
}

/* ---- removing ---- */

static void remove_at(struct unpack *u, int dir, const char *name, bool lower_only);

static void remove_inside(struct unpack *u, int fd, bool lower_only)
{
	DIR *d = fdopendir(fd); /* takes fd */

	if (!d)
		fail(errno, "read folder");
	for (struct dirent *de; (de = readdir(d));)
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			remove_at(u, dirfd(d), de->d_name, lower_only);
	closedir(d);
}

static void remove_at(struct unpack *u, int dir, const char *name, bool lower_only)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return;
		fail(errno, "%s: %s", name, strerror(errno));
	}
	if (!S_ISDIR(st.st_mode)) {
		if (!(lower_only && set_has(&u->made, st.st_ino)) && unlinkat(dir, name, 0) < 0)
			fail(errno, "remove %s: %s", name, strerror(errno));
		return;
	}
	fd = tree_openat(dir, name, O_RDONLY | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		fail(errno, "open %s: %s", name, strerror(errno));
	remove_inside(u, fd, lower_only);
	if (lower_only && set_has(&u->made, st.st_ino))
		return;
	/* not empty: this layer put something into it */
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && !(lower_only && errno == ENOTEMPTY))
		fail(errno, "remove %s: %s", name, strerror(errno));
}

void tree_whiteout(struct unpack *u, int dir, const char *name)
{
	if (name) {
		remove_at(u, dir, name, true);
	} else {
		int fd = tree_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

		if (fd < 0)
			fail(errno, "open folder: %s", strerror(errno));
		remove_inside(u, fd, true);
	}
	tree_forget(u);
}

bool tree_clear(struct unpack *u, int dir, const char *name, const char *path, bool keep_dir)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return false;
		fail(errno, "%s: %s", path, strerror(errno));
	}
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dir, name, 0) < 0)
			fail(errno, "replace %s: %s", path, strerror(errno));
		return false;
	}
	if (keep_dir)
		return true;
	if (u->layer)
		remove_at(u, dir, name, false);
	else if (unlinkat(dir, name, AT_REMOVEDIR) < 0)
		fail(errno, "%s: would replace a folder: %s", path, strerror(errno));
	return false;
}

/* ---- folders' times ---- */

void tree_late(struct unpack *u, const char *path, struct timespec mtime)
{
	if (u->nlate == u->caplate) {
		u->caplate = u->caplate ? u->caplate * 2 : 256;
		u->late = need(realloc(u->late, u->caplate * sizeof *u->late));
	}
	u->late[u->nlate].path = need(strdup(path));
	u->late[u->nlate++].mtime = mtime;
}

void tree_finish(struct unpack *u)
{
	tree_forget(u);
	for (size_t i = 0; i < u->nlate; i++) {
		const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, u->late[i].mtime};
		int fd = tree_openat(FD_ROOT, *u->late[i].path ? u->late[i].path : ".", O_RDONLY | O_DIRECTORY, 0,
				     u->layer ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

		if (fd >= 0) { /* a later entry may have replaced it */
			if (futimens(fd, t) < 0)
				fail(errno, "%s: set time: %s", u->late[i].path, strerror(errno));
			close(fd);
		}
		free(u->late[i].path);
	}
	u->nlate = 0;
}
