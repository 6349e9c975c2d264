/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bursting (zone/burst.h): samples the zone's processor time, clamps it to its baseline and lets it go again. A zone
 * without a cpu_baseline costs nothing here. What it keeps is in a mapped file of the run directory, so that the next
 * worker goes on from there: the time without one is accounted by the counters, as one long sample.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "zone/burst.h"
#include "zone/settings.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

static struct burst_file *file; /* NULL = the zone has no baseline */
static struct burst now_b;
static int use_fd = -1, stat_fd = -1, quota_fd = -1;
static bool v2;

/* The number behind "key " in cpu.stat. */
static int keyed(int fd, const char *key, uint64_t *out)
{
	char t[1024];
	ssize_t n = pread(fd, t, sizeof t - 1, 0);

	if (n < 0)
		return -errno;
	t[n] = '\0';
	*out = settings_u64(t, key, UINT64_MAX);
	return *out == UINT64_MAX ? -ENODATA : 0;
}

static int sample(uint64_t *used, uint64_t *throttled)
{
	int r = keyed(use_fd, "usage_usec", used);

	*used *= 1000;
	return r < 0 ? r : keyed(stat_fd, "nr_throttled", throttled);
}

/* The cap of now, read back. */
static int clamp(uint64_t percent)
{
	char t[48], got[48];
	ssize_t n;

	if (v2 && !percent)
		snprintf(t, sizeof t, "max 100000\n");
	else if (v2)
		snprintf(t, sizeof t, "%llu 100000\n", (unsigned long long)percent * 1000);
	else
		snprintf(t, sizeof t, "%lld\n", percent ? (long long)percent * 1000 : -1LL);
	n = pread(quota_fd, got, sizeof got - 1, 0);
	if (n >= 0) {
		got[n] = '\0';
		/* each write, whatever it says, makes the kernel walk the groups of the whole host */
		if (!strcmp(got, t))
			return 0;
		if (pwrite(quota_fd, t, strlen(t), 0) < 0)
			return -errno;
		n = pread(quota_fd, got, sizeof got - 1, 0);
	}
	if (n < 0)
		return -errno;
	got[n] = '\0';
	return strcmp(got, t) ? -EIO : 0;
}

static void close_all(void)
{
	own_fd(&use_fd);
	own_fd(&stat_fd);
	own_fd(&quota_fd);
}

static int open_below(const char *text, const char *dir, const char *name, int flags, int *out)
{
	char path[512];
	size_t n;

	if (settings_text(text, dir, path, sizeof path - 32) < 0)
		return -EINVAL;
	n = strlen(path);
	snprintf(path + n, sizeof path - n, "/%s", name);
	*out = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	return *out < 0 ? -errno : 0;
}

static int open_all(const char *text)
{
	int r;

	close_all();
	v2 = settings_u64(text, "cpu_v2", 0);
	r = open_below(text, "use_dir", "cpu.stat", O_RDONLY, &use_fd);
	if (r == 0)
		r = open_below(text, "cpu_dir", "cpu.stat", O_RDONLY, &stat_fd);
	if (r == 0)
		r = open_below(text, "cpu_dir", v2 ? "cpu.max" : "cpu.cfs_quota_us", O_RDWR, &quota_fd);
	return r;
}

/* The file of a worker before this one, or a new one. It is written, not extended: no page of it can be missing later. */
static int map(bool *fresh)
{
	static const struct burst_file none;
	_fd_ int fd = openat(FD_RUN, BURST_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct burst_file have;
	void *p;

	if (fd < 0)
		return -errno;
	*fresh = pread(fd, &have, sizeof have, 0) != sizeof have || burst_get(&have, sizeof have, &now_b) < 0;
	if (*fresh && pwrite(fd, &none, sizeof none, 0) != sizeof none)
		return -ENOSPC;
	p = mmap(NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	file = p;
	return 0;
}

static void off(void)
{
	if (file)
		munmap(file, sizeof *file);
	file = NULL;
	close_all();
	unlinkat(FD_RUN, BURST_FILE, 0);
}

static int settings(const char *text)
{
	struct burst_conf c = {
		.cap = settings_u64(text, "cpu_cap", 0), .baseline = settings_u64(text, "cpu_baseline", 0),
		.limit_ns = settings_u64(text, "cpu_burst_time", 0) * 1000000000, .cpus = settings_u64(text, "cpus", 1),
	};
	uint64_t used, throttled, now = clock_mono_ns();
	bool fresh = false;
	int r;

	/* taken away: the command writes the whole cap when we have let go */
	if (!c.baseline) {
		off();
		return 0;
	}
	r = open_all(text);
	if (r == 0 && !file)
		r = map(&fresh);
	if (r == 0)
		r = sample(&used, &throttled);
	if (r < 0)
		return r;
	if (fresh)
		burst_start(&now_b, &c, now, used, throttled);
	else
		burst_sample(&now_b, now, used, throttled);
	burst_conf(&now_b, &c);
	burst_put(file, &now_b);
	return clamp(burst_effective(&now_b));
}

static uint64_t due(void)
{
	return file ? burst_due(&now_b) : 0;
}

static void ready(const struct pollfd *p, int n, uint64_t now)
{
	uint64_t used, throttled, before = burst_effective(&now_b);

	if (sample(&used, &throttled) < 0) {
		/* the cgroup is going: so is the zone */
		now_b.at_ns = now;
		return;
	}
	burst_sample(&now_b, now, used, throttled);
	burst_put(file, &now_b);
	if (before != burst_effective(&now_b))
		(void)clamp(burst_effective(&now_b));
}

const struct part part_burst = {.name = "burst", .due = due, .ready = ready, .settings = settings};
