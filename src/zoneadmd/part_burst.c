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
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "zone/burst.h"
#include "zone/settings.h"
#include "zone/twin.h"
#include "zoneadmd/event.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

static struct twin *file; /* NULL = the zone has no baseline */
static struct burst now_b;
static int use_fd = -1, stat_fd = -1, quota_fd = -1;
static bool v2, unwritten; /* unwritten: the cap of now could not be written */
static uint64_t again;      /* when the settings are taken once more, 0 = they are taken */

#define AGAIN_NS 5000000000ULL
#define WRITE_NS 1000000000ULL

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

	if (r < 0)
		return r;
	*used *= 1000;
	return keyed(stat_fd, "nr_throttled", throttled);
}

static int cap_put(uint64_t percent)
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

/* The cap of now, read back. */
static int clamp(void)
{
	int r = cap_put(burst_effective(&now_b));

	unwritten = r < 0;
	return r;
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

/* What is in the file stays there: who goes on from it is a worker to come, or this one. */
static void stop(void)
{
	twin_unmap(&file);
	close_all();
}

static void keep(void)
{
	twin_put(file, BURST_MAGIC, &now_b, sizeof now_b);
}

static int settings(const char *text)
{
	struct burst_conf c = {
		.cap = settings_u64(text, "cpu_cap", 0), .baseline = settings_u64(text, "cpu_baseline", 0),
		.limit_ns = settings_u64(text, "cpu_burst_time", 0) * 1000000000, .cpus = settings_u64(text, "cpus", 1),
	};
	uint64_t used = 0, throttled = 0, now = clock_mono_ns();
	int fresh = 0, r;

	/* taken away: the command writes the whole cap when we have let go */
	if (!c.baseline) {
		stop();
		unlinkat(FD_RUN, BURST_FILE, 0);
		again = 0;
		return 0;
	}
	r = open_all(text);
	if (r == 0)
		r = sample(&used, &throttled);
	if (r == 0 && !file) {
		fresh = twin_map(FD_RUN, BURST_FILE, BURST_MAGIC, &now_b, sizeof now_b, &file);
		/* of no state that there is: not one of ours */
		fresh |= fresh == 0 && now_b.state > BURST_CLAMPED;
		r = fresh < 0 ? fresh : 0;
	}
	again = r < 0 ? now + AGAIN_NS : 0;
	if (r < 0) {
		stop();
		return r;
	}
	if (fresh)
		burst_start(&now_b, &c, now, used, throttled);
	else
		burst_sample(&now_b, now, used, throttled);
	burst_conf(&now_b, &c);
	keep();
	return clamp();
}

static void settings_again(uint64_t now)
{
	char text[SETTINGS_MAX + 1];

	again = now + AGAIN_NS;
	if (worker_settings_read(text) == 0)
		(void)settings(text);
}

static uint64_t due(void)
{
	uint64_t t;

	if (!file)
		return again;
	t = burst_due(&now_b);
	return unwritten && t > now_b.at_ns + WRITE_NS ? now_b.at_ns + WRITE_NS : t;
}

static void ready(const struct pollfd *p, int n, uint64_t now)
{
	uint64_t used, throttled, before = now_b.state;
	char detail[EVENT_DETAIL];

	if (!file) {
		settings_again(now);
		return;
	}
	if (sample(&used, &throttled) < 0) {
		/* the cgroup is going: so is the zone */
		now_b.at_ns = now;
		return;
	}
	burst_sample(&now_b, now, used, throttled);
	keep();
	/* A command that changes its limits writes the whole cap; should it be killed before it tells us, that must not last. */
	if (before == BURST_CLAMPED || now_b.state == BURST_CLAMPED || unwritten)
		(void)clamp();
	if (before == BURST_CLAMPED || now_b.state != BURST_CLAMPED)
		return;
	snprintf(detail, sizeof detail, "{\"limit\":\"cpu_burst_time\",\"seconds\":%llu,\"now\":%llu}",
		 (unsigned long long)(now_b.conf.limit_ns / 1000000000), (unsigned long long)now_b.conf.baseline);
	event_report("burst-spent", detail);
}

const struct part part_burst = {.name = "burst", .due = due, .ready = ready, .settings = settings};
