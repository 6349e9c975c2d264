/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/own.h"
#include "kern/pidfd.h"

#define PIDFS_MAGIC 0x50494446 /* Linux 6.9 */

static const char *const reasons[] = {
	[ZONE_END_NONE] = "none",     [ZONE_END_EXIT] = "exit", [ZONE_END_SIGNAL] = "signal",
	[ZONE_END_REBOOT] = "reboot", [ZONE_END_HALT] = "halt", [ZONE_END_UNKNOWN] = "unknown",
};

void run_zone_write(const struct run_zone *z, const char *cgroup, struct buf *out)
{
	buf_printf(out, "bootid %s\nzoneid %llu\nkeeper %d %llu %llu\ninit %d %llu %llu\nboot_ns %llu\ncgroup %s\n", z->bootid,
		   (unsigned long long)z->zoneid, (int)z->keeper.pid, (unsigned long long)z->keeper.start,
		   (unsigned long long)z->keeper.ino, (int)z->init.pid, (unsigned long long)z->init.start,
		   (unsigned long long)z->init.ino, (unsigned long long)z->boot_ns, cgroup ? cgroup : "-");
}

int run_zone_parse(const char *text, struct run_zone *z)
{
	unsigned long long id, kst, kino, ist, iino, ns;
	int kpid, ipid;
	char boot[40];

	if (sscanf(text, "bootid %39s\nzoneid %llu\nkeeper %d %llu %llu\ninit %d %llu %llu\nboot_ns %llu\n", boot, &id, &kpid,
		   &kst, &kino, &ipid, &ist, &iino, &ns) != 9)
		return -EINVAL;
	strcpy(z->bootid, boot);
	z->zoneid = id;
	z->boot_ns = ns;
	z->keeper = (struct run_proc){kpid, kst, kino};
	z->init = (struct run_proc){ipid, ist, iino};
	return 0;
}

void run_ended_write(const struct run_ended *d, struct buf *out)
{
	buf_printf(out, "%s %d %llu\n", reasons[d->reason], d->status, (unsigned long long)d->ns);
}

int run_ended_parse(const char *text, struct run_ended *d)
{
	unsigned long long ns;
	char word[16];
	int status;

	if (sscanf(text, "%15s %d %llu", word, &status, &ns) != 3)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (!strcmp(reasons[i], word)) {
			*d = (struct run_ended){(enum zone_end)i, status, ns};
			return 0;
		}
	}
	return -EINVAL;
}

/* Inode of a pidfd where each process has one of its own (pidfs), else 0. */
static uint64_t pidfs_ino(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != PIDFS_MAGIC || fstat(fd, &st) < 0)
		return 0;
	return st.st_ino;
}

int run_proc_of(pid_t pid, struct run_proc *p)
{
	_fd_ int fd = pidfd_open(pid, 0);
	uint64_t start = pid_start(pid, NULL);

	if (fd < 0 || !start)
		return -ESRCH;
	*p = (struct run_proc){pid, start, pidfs_ino(fd)};
	return 0;
}

/*
 * A pidfd's inode number costs a tenth of reading /proc/pid/stat, which matters to a list of thousands. A pidfd polls
 * readable once the process has ended, reaped or not.
 */
int run_proc_alive(const struct run_proc *p)
{
	_fd_ int fd = p->pid > 0 ? pidfd_open(p->pid, 0) : -1;
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	struct stat st;

	if (fd < 0)
		return 0;
	if (p->ino) {
		if (fstat(fd, &st) < 0 || st.st_ino != p->ino)
			return 0;
	} else if (pid_start(p->pid, NULL) != p->start) {
		return 0;
	}
	return poll(&pf, 1, 0) == 0;
}

bool run_says_ready(const char *text, size_t n)
{
	static const char word[] = "READY=1";

	for (const char *l = text, *end = text + n; l < end;) {
		const char *eol = memchr(l, '\n', (size_t)(end - l)) ?: end;

		if ((size_t)(eol - l) == sizeof word - 1 && !memcmp(l, word, sizeof word - 1))
			return true;
		l = eol + 1;
	}
	return false;
}
