/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/vcpus.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/cgroup_stat.h"
#include "kern/proc.h"

#define VCPUS_MAX   1024 /* as many as a machine can have */
#define THREADS_MAX 4096

int stat_vcpu_of(const char *comm, size_t n)
{
	static const char *const ends[] = {"/KVM", "/TCG"};
	const char *p = comm + 4, *end = comm + n;
	int id = 0;

	while (n && end[-1] == '\n')
		end--, n--;
	if (n < 4 || memcmp(comm, "CPU ", 4) != 0)
		return -1;
	for (; p < end && *p >= '0' && *p <= '9' && id < VCPUS_MAX; p++)
		id = id * 10 + *p - '0';
	if (p == comm + 4 || id >= VCPUS_MAX)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if ((size_t)(end - p) == strlen(ends[i]) && !memcmp(p, ends[i], strlen(ends[i])))
			return id;
	return -1;
}

void stat_vcpu_name(const struct stat_vcpu *v, char out[24])
{
	snprintf(out, 24, "vcpu%u", v->id);
}

static int by_name(const void *x, const void *y)
{
	char a[24], b[24];

	stat_vcpu_name(x, a);
	stat_vcpu_name(y, b);
	return strcmp(a, b);
}

static void add(int tasks, const char *tid, struct stat_vcpus *out)
{
	/* one thread's, whatever comes to have its number between name and times */
	_fd_ int dir = openat(tasks, tid, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat_vcpu v;
	char comm[32];
	ssize_t n = dir < 0 ? -1 : proc_read(dir, "comm", comm, sizeof comm);
	int id = n < 0 ? -1 : stat_vcpu_of(comm, (size_t)n);

	if (id < 0 || proc_waits(dir, &v.ran, &v.waited) < 0 || out->n == VCPUS_MAX)
		return;
	v.id = (unsigned)id;
	if (out->n == out->cap) {
		out->cap = out->cap ? out->cap * 2 : 4;
		out->v = xrealloc(out->v, out->cap * sizeof *out->v);
	}
	out->v[out->n++] = v;
}

/* In the order of names, and each once. */
static void tidy(struct stat_vcpus *c)
{
	size_t kept = 0;

	if (c->n)
		qsort(c->v, c->n, sizeof *c->v, by_name);
	for (size_t i = 0; i < c->n; i++)
		if (!kept || c->v[kept - 1].id != c->v[i].id)
			c->v[kept++] = c->v[i];
	c->n = kept;
}

void stat_vcpus_read(int tasks, struct stat_vcpus *out)
{
	int fd = tasks < 0 ? -1 : openat(tasks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *t;

	out->before = out->now;
	out->n = 0;
	for (unsigned n = 0; d && n < THREADS_MAX && (t = readdir(d)); n++)
		if (*t->d_name != '.')
			add(tasks, t->d_name, out);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	tidy(out);
	out->ran = out->now = out->n ? 0 : CGV_UNKNOWN;
	for (size_t i = 0; i < out->n; i++) {
		out->ran += out->v[i].ran;
		out->now += out->v[i].waited;
	}
}
