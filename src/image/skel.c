/* SPDX-License-Identifier: MPL-2.0 */
#include "image/skel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#define COPY_MAX (1u << 20)

void skel_done(struct skel *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].path);
		free(s->v[i].data);
	}
	free(s->v);
	*s = SKEL_INIT;
}

static void add(struct skel *s, const char *path, mode_t mode, uid_t uid, gid_t gid, const void *p, size_t n)
{
	struct skel_item *i;

	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->v = xrealloc(s->v, s->cap * sizeof *s->v);
	}
	i = &s->v[s->n++];
	*i = (struct skel_item){.path = xstrdup(path), .mode = mode, .uid = uid, .gid = gid, .data = xalloc(n + 1), .len = n};
	if (n)
		memcpy(i->data, p, n);
}

void skel_dir(struct skel *s, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	add(s, path, S_IFDIR | mode, uid, gid, NULL, 0);
}

void skel_file(struct skel *s, const char *path, mode_t mode, uid_t uid, gid_t gid, const void *p, size_t n)
{
	add(s, path, S_IFREG | mode, uid, gid, p, n);
}

void skel_text(struct skel *s, const char *path, const char *text)
{
	skel_file(s, path, 0644, 0, 0, text, strlen(text));
}

void skel_link(struct skel *s, const char *path, const char *target)
{
	add(s, path, S_IFLNK | 0777, 0, 0, target, strlen(target));
}

int skel_copy(struct skel *s, const char *path, const char *from)
{
	_buf_ struct buf b = BUF_INIT;
	struct stat st;

	if (stat(from, &st) < 0 || !S_ISREG(st.st_mode) || file_read(AT_FDCWD, from, COPY_MAX, &b, NULL) < 0)
		return -ENOENT;
	skel_file(s, path, st.st_mode & 0755, 0, 0, buf_str(&b), b.len);
	return 0;
}

uint64_t skel_hash(const struct skel *s)
{
	uint64_t h[4], sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct skel_item *it = &s->v[i];

		h[0] = sum;
		h[1] = str_hash(it->path, strlen(it->path));
		h[2] = str_hash(it->data, it->len);
		h[3] = (uint64_t)it->mode << 32 | it->uid << 16 | it->gid;
		sum = str_hash(h, sizeof h);
	}
	return sum;
}

static int parents(int root, const char *path)
{
	_free_ char *p = xstrdup(path);

	for (char *s = strchr(p, '/'); s; s = strchr(s + 1, '/')) {
		*s = 0;
		if (mkdirat(root, p, 0755) < 0 && errno != EEXIST)
			return -errno;
		*s = '/';
	}
	return 0;
}

static int make(const struct skel_item *i, int root)
{
	_fd_ int fd = -1;

	if (S_ISDIR(i->mode)) {
		if (mkdirat(root, i->path, 0700) < 0 && errno != EEXIST)
			return -errno;
	} else if (S_ISLNK(i->mode)) {
		return symlinkat(i->data, root, i->path) < 0 && errno != EEXIST ? -errno : 0;
	} else {
		fd = openat(root, i->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		int r = fd_write_all(fd, i->data, i->len);

		if (r < 0)
			return r;
	}
	if (fchownat(root, i->path, i->uid, i->gid, AT_SYMLINK_NOFOLLOW) < 0 || fchmodat(root, i->path, i->mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

int skel_write(const struct skel *s, int root, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		int r = make(&s->v[i], root);

		if (r == -ENOENT && (r = parents(root, s->v[i].path)) == 0)
			r = make(&s->v[i], root);
		if (r < 0)
			return err_sys(e, r, "platform image: %s", s->v[i].path);
	}
	return 0;
}
