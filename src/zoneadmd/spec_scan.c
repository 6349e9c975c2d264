/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the worker wants of the spec, a line at a time: all of it parsed would stay in the memory of each of a thousand
 * workers. Long lines (files, environments) are nothing that it wants, and are passed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

enum { LINE = 512 };

/* Undoes the spec's escapes in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++, *to++ = *s == 't' ? '\t' : *s == 'n' ? '\n' : *s;
		else
			*to++ = *s;
	}
	*to = '\0';
}

/* true = enough. */
static bool take_line(char *line, bool (*each)(const char *, const char *, void *), void *arg)
{
	char *tab = strchr(line, '\t');

	if (!tab)
		return false;
	*tab++ = '\0';
	unescape(tab);
	return each(line, tab, arg);
}

int spec_scan(int run, bool (*each)(const char *key, const char *value, void *arg), void *arg)
{
	_fd_ int fd = openat(run, "spec", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char chunk[LINE], line[LINE + 1];
	size_t len = 0;
	bool over = false;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, chunk, sizeof chunk)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (chunk[i] != '\n') {
				over |= len == LINE;
				if (!over)
					line[len++] = chunk[i];
				continue;
			}
			line[len] = '\0';
			if (!over && take_line(line, each, arg))
				return 0;
			len = 0;
			over = false;
		}
	}
	return n < 0 ? -errno : 0;
}

struct place {
	const char *file;
	int flags, fd;
	bool top;
};

static int open_in(const char *dir, size_t n, const char *file, int flags)
{
	char path[LINE + 64];

	if (n + strlen(file) + 2 > sizeof path)
		return -1;
	memcpy(path, dir, n);
	path[n] = '/';
	strcpy(path + n + 1, file);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* The cgroup that this path is a child of, or a file of. */
static size_t above(const char *path, size_t n)
{
	while (n > 0 && path[n - 1] != '/')
		n--;
	return n > 0 ? n - 1 : 0;
}

static bool look_v2(const char *key, const char *value, void *arg)
{
	struct place *p = arg;
	bool deep;
	size_t n;

	if (strcmp(key, "cg_v2_zone") != 0)
		return false;
	n = above(value, strlen(value));
	deep = n > 4 && !strncmp(value + n - 4, "/all", 4);
	p->fd = deep && p->top ? -1 : open_in(value, n, p->file, p->flags);
	if (p->fd < 0 && deep)
		p->fd = open_in(value, n - 4, p->file, p->flags);
	return true;
}

static bool look_v1(const char *key, const char *value, void *arg)
{
	struct place *p = arg;

	if (!strcmp(key, "join"))
		p->fd = open_in(value, above(value, strlen(value)), p->file, p->flags);
	return p->fd >= 0;
}

int zone_cgroup_file(int run, enum zone_tree tree, const char *file, int flags)
{
	struct place p = {file, flags, -1, tree == ZONE_TOP};

	spec_scan(run, tree == ZONE_V1 ? look_v1 : look_v2, &p);
	return p.fd >= 0 ? p.fd : -ENOENT;
}
