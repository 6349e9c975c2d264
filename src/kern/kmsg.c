/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

#define RECORD 8192 /* the kernel's longest */
#define ROUNDS 1000000

/* A number in decimal that ends before end; NULL if there is none, or it is too large. */
static const char *number(const char *p, const char *end, uint64_t *out)
{
	uint64_t v = 0;
	const char *start = p;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (v > (UINT64_MAX - 9) / 10)
			return NULL;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*out = v;
	return p == start ? NULL : p;
}

static const char *word(const char *p, const char *end, const char *w)
{
	size_t n = strlen(w);

	return p && (size_t)(end - p) >= n && !memcmp(p, w, n) ? p + n : NULL;
}

/* Where w begins last in it: what follows a hostile name can't be written by who bears the name. */
static const char *last(const char *p, const char *end, const char *w)
{
	size_t n = strlen(w);

	for (const char *at = end - n; at >= p; at--)
		if (!memcmp(at, w, n))
			return at;
	return NULL;
}

/* " total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB, UID:5 …" */
static bool sizes(const char *p, const char *end, struct oom_kill *k)
{
	static const char *const before[] = {" total-vm:", "kB, anon-rss:", "kB, file-rss:", "kB, shmem-rss:", "kB, UID:"};
	uint64_t v[5] = {0};

	for (int i = 0; i < 5; i++) {
		p = word(p, end, before[i]);
		p = p ? number(p, end, &v[i]) : NULL;
		if (!p)
			return false;
	}
	for (int i = 1; i < 4; i++)
		if (v[i] > UINT32_MAX * 1024ULL)
			return false;
	if (v[4] > UINT32_MAX)
		return false;
	k->bytes = (v[1] + v[2] + v[3]) * 1024;
	k->uid = (uint32_t)v[4];
	return true;
}

/* The text of a record of the kernel's own; NULL if it is none. */
static const char *kernels(const char *record, const char *end)
{
	uint64_t v;
	const char *p = number(record, end, &v);

	/* the facility is above the lowest three bits, and 0 is the kernel: who writes to /dev/kmsg gets another */
	if (!p || v > 7 || p == end || *p != ',')
		return NULL;
	p = memchr(p, ';', (size_t)(end - p));
	return p ? p + 1 : NULL;
}

static const char *first(const char *p, const char *end, const char *w)
{
	return memmem(p, (size_t)(end - p), w, strlen(w));
}

int kmsg_oom_where(const char *record, size_t n, pid_t *pid, char uuid[37])
{
	const char *end = memchr(record, '\n', n) ?: record + n, *p = kernels(record, end), *path, *at;
	uint64_t id, uid;

	p = p ? word(p, end, "oom-kill:constraint=") : NULL;
	if (!p)
		return 0;
	/* a name in front of it, the cpuset's, may be a zone's: it holds no '/' */
	path = first(p, end, ",oom_memcg=/");
	if (!path)
		path = first(p, end, ",task_memcg=/");
	at = last(p, end, ",pid=");
	at = at ? number(at + 5, end, &id) : NULL;
	at = word(at, end, ",uid=");
	at = at ? number(at, end, &uid) : NULL;
	if (!path || at != end || id == 0 || id > INT32_MAX)
		return 0;
	*pid = (pid_t)id;
	uuid[0] = '\0';
	for (path = memchr(path, '/', (size_t)(end - path)); path; path = memchr(path, '/', (size_t)(end - path))) {
		path++;
		if (end - path < 36 || (end - path > 36 && path[36] != '/' && path[36] != ','))
			continue;
		memcpy(uuid, path, 36);
		uuid[36] = '\0';
		if (uuid_valid(uuid))
			return 1;
		uuid[0] = '\0';
	}
	return 1;
}

int kmsg_oom(const char *record, size_t n, struct oom_kill *out)
{
	const char *end = memchr(record, '\n', n) ?: record + n, *p, *close;
	struct oom_kill k = {0};
	uint64_t v;

	p = kernels(record, end);
	if (!p)
		return 0;
	if (word(p, end, "Memory cgroup out of memory: "))
		p = word(p, end, "Memory cgroup out of memory: ");
	else if ((p = word(p, end, "Out of memory: ")))
		k.host = true;
	p = word(p, end, "Killed process ");
	p = p ? number(p, end, &v) : NULL;
	if (!p || v == 0 || v > INT32_MAX)
		return 0;
	k.pid = (pid_t)v;
	p = word(p, end, " (");
	close = p ? last(p, end, ") total-vm:") : NULL;
	if (!close || (size_t)(close - p) >= sizeof k.name || !sizes(close + 1, end, &k))
		return 0;
	memcpy(k.name, p, (size_t)(close - p));
	*out = k;
	return 1;
}

int kmsg_oom_last(const char *uuid, uint32_t uid, uint32_t uids, struct oom_kill *out, size_t max)
{
	_fd_ int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[RECORD], where[37] = "";
	pid_t pid = 0;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	for (int i = 0; i < ROUNDS && max > 0; i++) {
		ssize_t r = read(fd, record, sizeof record);
		struct oom_kill k;

		if (r < 0 && errno == EAGAIN)
			break;
		if (r < 0 && errno != EINTR && errno != EPIPE) /* EPIPE: overtaken by what is written, goes on behind the gap */
			return -errno;
		if (r > 0 && kmsg_oom_where(record, (size_t)r, &pid, where))
			continue;
		if (r <= 0 || !kmsg_oom(record, (size_t)r, &k) || k.uid - uid >= uids)
			continue;
		/* of many the kernel says no more than who it was */
		if (k.pid == pid && strcmp(where, uuid) != 0)
			continue;
		if (n == max)
			memmove(out, out + 1, --n * sizeof *out);
		out[n++] = k;
	}
	return (int)n;
}
