/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How many of the zone's threads want a processor or wait for a disk, at this moment. No cgroup counts that, so they are looked
 * at, one file of /proc each: the first LOOK of them, and the zone decides how many there are; beyond, the rest is taken to be like
 * those. Some 2 ms at most, once in five seconds, and only if somebody reads a load.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "zoneadmd/view.h"

#define LOOK  200
#define DEPTH 8
#define DIRS  200

struct count {
	unsigned seen, running, blocked, dirs;
	int proc;
};

static void look_at(struct count *c, const char *tid, size_t n)
{
	char path[32], t[256], *p;
	ssize_t k;

	if (n == 0 || n > 10 || c->seen == LOOK)
		return;
	c->seen++;
	snprintf(path, sizeof path, "%.*s/stat", (int)n, tid);
	_fd_ int fd = openat(c->proc, path, O_RDONLY | O_CLOEXEC);

	k = fd < 0 ? -1 : read(fd, t, sizeof t - 1);
	if (k <= 0)
		return;
	t[k] = '\0';
	p = strrchr(t, ')'); /* a thread's name may be anything */
	if (p && p[1] == ' ')
		c->running += p[2] == 'R', c->blocked += p[2] == 'D';
}

/* A file of thread ids, a line each. */
static void look_file(struct count *c, int dir, const char *name)
{
	_fd_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char t[1024], line[16];
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && c->seen < LOOK && (n = read(fd, t, sizeof t)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (t[i] != '\n') {
				if (len < sizeof line)
					line[len++] = t[i];
				continue;
			}
			look_at(c, line, len);
			len = 0;
		}
	}
}

static void look_tree(struct count *c, int dir, int depth)
{
	char b[1024] __attribute__((aligned(8)));
	_fd_ int self = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	if (self < 0 || depth == DEPTH || c->dirs >= DIRS || c->seen == LOOK)
		return;
	c->dirs++;
	look_file(c, self, "cgroup.threads");
	while (c->dirs < DIRS && c->seen < LOOK && (n = syscall(SYS_getdents64, self, b, sizeof b)) > 0) {
		const struct dirent64 *d;

		for (long at = 0; at < n && c->dirs < DIRS && c->seen < LOOK; at += d->d_reclen) {
			d = (const void *)(b + at);
			if (d->d_type != DT_DIR || d->d_name[0] == '.')
				continue;
			_fd_ int below = openat(self, d->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (below >= 0)
				look_tree(c, below, depth + 1);
		}
	}
}

void view_count(int v1, int v2, unsigned *running, unsigned *blocked)
{
	struct count c = {.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	uint64_t all = view_tasks();

	if (v1 >= 0)
		look_file(&c, v1, "tasks");
	else
		look_tree(&c, v2, 0);
	if (c.seen == LOOK && all > LOOK) {
		c.running = (unsigned)(c.running * all / LOOK);
		c.blocked = (unsigned)(c.blocked * all / LOOK);
	}
	own_fd(&c.proc);
	*running = c.running;
	*blocked = c.blocked;
}
