/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

/* Fields of stat behind the name, by their numbers in proc(5). */
enum { F_STATE = 3, F_PPID, F_PGRP, F_SESSION, F_TTY, F_UTIME = 14, F_STIME, F_PRIORITY = 18, F_NICE, F_THREADS, F_START = 22, F_VSIZE, F_RSS,
       F_IO_WAIT = 42, F_END };

int proc_text_stat(const char *t, size_t n, struct proc_stat *out)
{
	const char *open = memchr(t, '(', n), *close = memrchr(t, ')', n), *end = t + n;
	long long f[F_END] = {0};
	int i;

	if (!open || !close || close < open || end - close < 3 || close[1] != ' ')
		return -EINVAL;
	*out = (struct proc_stat){.state = close[2]};
	out->comm_len = (size_t)(close - open - 1);
	if (out->comm_len > sizeof out->comm)
		out->comm_len = sizeof out->comm;
	memcpy(out->comm, open + 1, out->comm_len);
	close += 3;
	for (i = F_PPID; i < F_END && close < end && *close == ' '; i++) {
		unsigned long long v = 0;
		bool minus = ++close < end && *close == '-';

		for (close += minus; close < end && *close >= '0' && *close <= '9'; close++)
			v = v * 10 + (unsigned long long)(*close - '0');
		f[i] = minus ? -(long long)(v & INT64_MAX) : (long long)v;
	}
	if (i <= F_RSS)
		return -EINVAL;
	out->ppid = (pid_t)f[F_PPID];
	out->pgrp = (pid_t)f[F_PGRP];
	out->session = (pid_t)f[F_SESSION];
	out->tty = (int)f[F_TTY];
	out->priority = (int)f[F_PRIORITY];
	out->nice = (int)f[F_NICE];
	out->user = (uint64_t)f[F_UTIME];
	out->sys = (uint64_t)f[F_STIME];
	out->start = (uint64_t)f[F_START];
	out->threads = (uint64_t)f[F_THREADS];
	out->vsize = (uint64_t)f[F_VSIZE];
	out->rss = (uint64_t)f[F_RSS];
	out->io_wait = (uint64_t)f[F_IO_WAIT];
	return 0;
}

/* The line that begins with key; the kernel writes the name of the process with its line ends as \n, so none is forged. */
static const char *line_of(const char *t, const char *end, const char *key)
{
	size_t k = strlen(key);

	while (t < end) {
		const char *nl = memchr(t, '\n', (size_t)(end - t));

		if ((size_t)(end - t) > k && !memcmp(t, key, k))
			return t + k;
		t = nl ? nl + 1 : end;
	}
	return NULL;
}

/* The which'th number of the line, from 0. */
static int number(const char *p, const char *end, int which, uint32_t *out)
{
	for (int i = 0;; i++) {
		uint64_t v = 0;
		const char *from;

		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		for (from = p; p < end && *p >= '0' && *p <= '9' && v <= UINT32_MAX; p++)
			v = v * 10 + (uint64_t)(*p - '0');
		if (p == from || v > UINT32_MAX)
			return -EINVAL;
		if (i == which) {
			*out = (uint32_t)v;
			return 0;
		}
	}
}

int proc_text_status(const char *t, size_t n, struct proc_ids *out)
{
	const char *end = t + n, *uid = line_of(t, end, "Uid:"), *gid = line_of(t, end, "Gid:"), *pid = line_of(t, end, "NSpid:");
	struct proc_ids ids = {.uid = 0};
	uint32_t zone = 0;

	if (!uid || !gid || number(uid, end, 1, &ids.uid) < 0 || number(gid, end, 1, &ids.gid) < 0)
		return -EINVAL;
	if (pid && number(pid, end, 1, &zone) == 0 && zone <= INT32_MAX)
		ids.zone_pid = (pid_t)zone;
	*out = ids;
	return 0;
}

int proc_text_schedstat(const char *t, size_t n, uint64_t *ran, uint64_t *waited)
{
	uint64_t v[2] = {0, 0};
	const char *p = t, *end = t + n;

	for (int i = 0; i < 2; i++, p++) {
		const char *from = p;

		for (; p < end && *p >= '0' && *p <= '9'; p++)
			v[i] = v[i] * 10 + (uint64_t)(*p - '0');
		if (p == from || p == end || *p != ' ')
			return -EINVAL;
	}
	/* who could be asked has run: that is what a kernel says that could count, and does not */
	if (!v[0])
		return -ENODATA;
	*ran = v[0], *waited = v[1];
	return 0;
}

int proc_open(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

ssize_t proc_read(int dir, const char *name, char *out, size_t room)
{
	_fd_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, room);

	return n < 0 ? -errno : n;
}

int proc_waits(int dir, uint64_t *ran, uint64_t *waited)
{
	char text[128];
	ssize_t n = proc_read(dir, "schedstat", text, sizeof text);

	return n == -ENOENT ? -ENODATA : n < 0 ? (int)n : proc_text_schedstat(text, (size_t)n, ran, waited);
}
