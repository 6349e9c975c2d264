/* SPDX-License-Identifier: MPL-2.0 */
/* A sample: a few reads of descriptors that stay open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "zone/usage.h"

#define SECTOR 512

static const char *next_line(const char *t)
{
	t = strchr(t, '\n');
	return t ? t + 1 : "";
}

static uint64_t keyed(const char *t, const char *key)
{
	size_t n = strlen(key);

	for (; *t; t = next_line(t))
		if (!strncmp(t, key, n) && t[n] == ' ' && t[n + 1] >= '0' && t[n + 1] <= '9')
			return strtoull(t + n + 1, NULL, 10);
	return USAGE_UNKNOWN;
}

void usage_text_cpu(const char *t, struct usage_sample *s)
{
	s->counter[UC_CPU_US] = keyed(t, "usage_usec");
	s->counter[UC_THROTTLED_US] = keyed(t, "throttled_usec");
}

void usage_text_io(const char *t, const struct usage_devs *d, struct usage_sample *s)
{
	static const struct {
		const char *key;
		enum usage_counter to;
	} keys[] = {{" rbytes=", UC_READ}, {" wbytes=", UC_WRITTEN}, {" rios=", UC_READS}, {" wios=", UC_WRITES}};

	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		s->counter[keys[k].to] = 0;
	for (; *t; t = next_line(t)) {
		size_t len = strcspn(t, "\n");
		bool ours = false;
		char *end;
		unsigned long major = strtoul(t, &end, 10), minor = *end == ':' ? strtoul(end + 1, &end, 10) : ULONG_MAX;

		for (unsigned i = 0; i < d->n; i++)
			ours |= d->dev[i][0] == major && d->dev[i][1] == minor;
		for (size_t k = 0; ours && k < ARRAY_LEN(keys); k++) {
			const char *at = memmem(t, len, keys[k].key, strlen(keys[k].key));

			if (at)
				s->counter[keys[k].to] += strtoull(at + strlen(keys[k].key), NULL, 10);
		}
	}
}

static ssize_t read_at(int fd, char *t, size_t n)
{
	ssize_t got;

	do
		got = pread(fd, t, n - 1, 0);
	while (got < 0 && errno == EINTR);
	t[got > 0 ? got : 0] = '\0';
	return got < 0 ? -errno : got;
}

/* Whole lines of it: half a number is a wrong one. */
static ssize_t read_lines(int fd, char *t, size_t n)
{
	ssize_t got = read_at(fd, t, n);
	char *end = got == (ssize_t)n - 1 ? strrchr(t, '\n') : NULL;

	if (end)
		end[1] = '\0';
	return got;
}

static ssize_t read_file(const char *path, char *t, size_t n)
{
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	*t = '\0';
	return fd < 0 ? -errno : read_at(fd, t, n);
}

static uint64_t number_at(int fd)
{
	char t[32], *end;
	uint64_t v;

	if (fd < 0 || read_at(fd, t, sizeof t) <= 0)
		return USAGE_UNKNOWN;
	v = strtoull(t, &end, 10);
	return end > t ? v : USAGE_UNKNOWN;
}

static void now(const char *bootid, struct usage_sample *s)
{
	struct timespec ts;

	memset(s, 0, sizeof *s);
	for (int i = 0; i < UC_COUNT; i++)
		s->counter[i] = USAGE_UNKNOWN;
	for (int i = 0; i < UG_COUNT; i++)
		s->gauge[i] = USAGE_UNKNOWN;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	s->up_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	s->wall_ns = clock_wall_ns();
	s->life[0] = str_hash(bootid, strlen(bootid));
}

int usage_read(struct usage_src *src, const char *bootid, struct usage_sample *s)
{
	return usage_read_unless(src, bootid, USAGE_UNKNOWN, s);
}

int usage_read_unless(struct usage_src *src, const char *bootid, uint64_t idle_us, struct usage_sample *s)
{
	char t[4096];
	struct stat st;
	ssize_t n;

	now(bootid, s);
	n = read_lines(src->cpu, t, sizeof t);
	if (n < 0)
		return (int)n;
	usage_text_cpu(t, s);
	if (idle_us != USAGE_UNKNOWN && s->counter[UC_CPU_US] == idle_us)
		return 1;
	/* no other file of this boot has had that number, and none will: a zone's next cgroup is another life */
	if (!src->ino && fstat(src->cpu, &st) < 0)
		return -errno;
	if (!src->ino)
		src->ino = st.st_ino;
	s->life[1] = src->ino;
	s->gauge[UG_MEMORY] = number_at(src->memory);
	s->gauge[UG_DATA] = number_at(src->data);
	if (src->io >= 0 && read_lines(src->io, t, sizeof t) >= 0)
		usage_text_io(t, &src->devs, s);
	return 0;
}

int usage_read_stopped(int data, const char *bootid, struct usage_sample *s)
{
	now(bootid, s);
	s->stopped = true;
	s->gauge[UG_DATA] = number_at(data);
	return s->gauge[UG_DATA] == USAGE_UNKNOWN ? -ENODATA : 0;
}

void usage_src_done(struct usage_src *src)
{
	own_fd(&src->cpu);
	own_fd(&src->memory);
	own_fd(&src->io);
	own_fd(&src->data);
}

int usage_data_open(const char *fsid, uint32_t id_base)
{
	char path[128];

	if (!*fsid)
		return -1;
	snprintf(path, sizeof path, "/sys/fs/btrfs/%s/qgroups/1_%u/referenced", fsid, id_base >> 16);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Each device of a btrfs: its folder in sysfs. */
static void devices(const char *fsid, void (*each)(const char *dir, void *arg), void *arg)
{
	char path[384];
	_dir_ DIR *d = NULL;

	snprintf(path, sizeof path, "/sys/fs/btrfs/%s/devices", fsid);
	d = *fsid ? opendir(path) : NULL;
	for (struct dirent *de; d && (de = readdir(d));) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/sys/fs/btrfs/%s/devices/%s", fsid, de->d_name);
		each(path, arg);
	}
}

static void dev_of(const char *dir, void *arg)
{
	struct usage_devs *d = arg;
	char path[400], t[64], *end;

	snprintf(path, sizeof path, "%s/dev", dir);
	if (d->n == USAGE_DEVS || read_file(path, t, sizeof t) <= 0)
		return;
	d->dev[d->n][0] = (uint32_t)strtoul(t, &end, 10);
	d->dev[d->n][1] = *end == ':' ? (uint32_t)strtoul(end + 1, NULL, 10) : 0;
	d->n++;
}

void usage_devs_find(const char *fsid, struct usage_devs *out)
{
	out->n = 0;
	devices(fsid, dev_of, out);
}

/* /sys/block/X/stat: reads, merged, sectors, ms, writes, merged, sectors, … */
static void stat_of(const char *dir, void *arg)
{
	struct usage_sample *s = arg;
	unsigned long long v[7];
	char path[400], t[512];

	snprintf(path, sizeof path, "%s/stat", dir);
	if (read_file(path, t, sizeof t) <= 0 ||
	    sscanf(t, "%llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]) != 7)
		return;
	for (int i = UC_READ; i <= UC_WRITES; i++)
		s->counter[i] = s->counter[i] == USAGE_UNKNOWN ? 0 : s->counter[i];
	s->counter[UC_READS] += v[0];
	s->counter[UC_READ] += v[2] * SECTOR;
	s->counter[UC_WRITES] += v[4];
	s->counter[UC_WRITTEN] += v[6] * SECTOR;
}

static uint64_t pool_used(const char *fsid)
{
	static const char *const kinds[] = {"data", "metadata"};
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char path[128], t[32];

		snprintf(path, sizeof path, "/sys/fs/btrfs/%s/allocation/%s/bytes_used", fsid, kinds[i]);
		if (read_file(path, t, sizeof t) <= 0)
			return USAGE_UNKNOWN;
		sum += strtoull(t, NULL, 10);
	}
	return sum;
}

int usage_read_host(const char *fsid, const char *bootid, struct usage_sample *s)
{
	unsigned long long u, nice, sys, idle, iowait, irq, soft, total = 0, avail = 0;
	uint64_t us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	char t[4096];
	const char *at;
	ssize_t n;

	now(bootid, s);
	n = read_file("/proc/stat", t, sizeof t);
	if (n < 0)
		return (int)n;
	if (sscanf(t, "cpu %llu %llu %llu %llu %llu %llu %llu", &u, &nice, &sys, &idle, &iowait, &irq, &soft) != 7)
		return -EINVAL;
	s->counter[UC_CPU_US] = (u + nice + sys + irq + soft) * us;
	if (read_file("/proc/meminfo", t, sizeof t) > 0 && (at = strstr(t, "MemTotal:")) && sscanf(at, "MemTotal: %llu", &total) == 1 &&
	    (at = strstr(t, "MemFree:")) && sscanf(at, "MemFree: %llu", &avail) == 1 && total > avail)
		s->gauge[UG_MEMORY] = (total - avail) * 1024;
	if (*fsid) {
		devices(fsid, stat_of, s);
		s->gauge[UG_DATA] = pool_used(fsid);
	}
	s->age_ms = s->up_ns / 1000000;
	s->from_now = true;
	return 0;
}
