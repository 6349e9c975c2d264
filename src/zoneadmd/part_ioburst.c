/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bursts of I/O (zone/ioburst.h): samples what the zone reads and writes on the pool's devices, takes a ceiling down when its
 * burst is spent and up again when some of it is earned. As part_burst.c, of which it is the little brother: a zone without
 * io_burst_time costs nothing, and what is spent is in a mapped file for the next worker.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "kern/cgroup.h"
#include "zone/ioburst.h"
#include "zone/settings.h"
#include "zone/twin.h"
#include "zoneadmd/event.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define SECOND   1000000000ULL
#define AGAIN_NS (5 * SECOND)
#define DEVS     32

static struct twin *file; /* NULL = the zone has no bursts */
static struct ioburst now_b;
static char dir[512];
static dev_t dev[DEVS];
static size_t ndevs;
static bool v2, unwritten; /* unwritten: a ceiling of now could not be written */
static uint64_t again;     /* when the settings are taken once more, 0 = they are taken */

static const char *const names[IOBURST_N] = {"io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops"};

static int four(const char *text, const char *name, uint64_t out[IOBURST_N])
{
	char line[128], *at = line;
	int r = settings_text(text, name, line, sizeof line);

	for (unsigned k = 0; r == 0 && k < IOBURST_N; k++)
		out[k] = strtoull(at, &at, 10);
	return r;
}

static int devices(const char *text)
{
	char line[1024], *at = line;
	int r = settings_text(text, "io_devs", line, sizeof line);

	for (ndevs = 0; r == 0 && ndevs < DEVS && *at; at += *at == ' ') {
		unsigned long ma = strtoul(at, &at, 10), mi;

		if (*at++ != ':')
			return -EINVAL;
		mi = strtoul(at, &at, 10);
		dev[ndevs++] = makedev((unsigned)ma, (unsigned)mi);
	}
	return r < 0 || ndevs ? r : -ENODEV;
}

static int clamp(void)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < IOBURST_N; k++)
		if (ioburst_ceiling(&now_b, k))
			r = cg_io_ceiling(dir, v2, k, ioburst_ceiling(&now_b, k), dev, ndevs, NULL);
	unwritten = r < 0;
	return r;
}

static void keep(void)
{
	twin_put(file, IOBURST_MAGIC, &now_b, sizeof now_b);
}

static int take(const char *text, struct ioburst_conf *c, uint64_t used[IOBURST_N])
{
	int r = settings_text(text, "io_dir", dir, sizeof dir);

	v2 = settings_u64(text, "io_v2", 0);
	if (r == 0)
		r = devices(text);
	if (r == 0)
		r = four(text, "io_base", c->base);
	if (r == 0)
		r = four(text, "io_max", c->max);
	return r == 0 ? cg_io_used(dir, v2, dev, ndevs, used) : r;
}

static int settings(const char *text)
{
	struct ioburst_conf c = {.limit_ns = settings_u64(text, "io_burst_time", 0) * SECOND};
	uint64_t used[IOBURST_N], now = clock_mono_ns();
	int fresh = 0, r;

	/* taken away: the command writes the ceilings when we have let go */
	if (!c.limit_ns) {
		twin_unmap(&file);
		unlinkat(FD_RUN, IOBURST_FILE, 0);
		again = 0;
		return 0;
	}
	r = take(text, &c, used);
	if (r == 0 && !file) {
		fresh = twin_map(FD_RUN, IOBURST_FILE, IOBURST_MAGIC, &now_b, sizeof now_b, &file);
		r = fresh < 0 ? fresh : 0;
	}
	again = r < 0 ? now + AGAIN_NS : 0;
	if (r < 0) {
		twin_unmap(&file);
		return r;
	}
	if (fresh)
		ioburst_start(&now_b, &c, now, used);
	else
		ioburst_sample(&now_b, now, used);
	ioburst_conf(&now_b, &c);
	keep();
	return clamp();
}

static uint64_t due(void)
{
	uint64_t t;

	if (!file)
		return again;
	t = ioburst_due(&now_b);
	return unwritten && t > now_b.at_ns + SECOND ? now_b.at_ns + SECOND : t;
}

static void tell(uint64_t bits)
{
	for (unsigned k = 0; k < IOBURST_N; k++) {
		char detail[EVENT_DETAIL];

		if (!(bits >> k & 1))
			continue;
		snprintf(detail, sizeof detail, "{\"limit\":\"%s_max\",\"seconds\":%llu,\"now\":%llu}", names[k],
			 (unsigned long long)(now_b.conf.limit_ns / SECOND), (unsigned long long)now_b.conf.base[k]);
		event_report("burst-spent", detail);
	}
}

static void ready(const struct pollfd *p, int n, uint64_t now)
{
	char text[SETTINGS_MAX + 1];
	uint64_t used[IOBURST_N], spent, was = now_b.clamped;

	(void)p;
	(void)n;
	if (!file) {
		again = now + AGAIN_NS;
		if (worker_settings_read(text) == 0)
			(void)settings(text);
		return;
	}
	if (cg_io_used(dir, v2, dev, ndevs, used) < 0) {
		/* the cgroup is going: so is the zone */
		now_b.at_ns = now;
		return;
	}
	spent = ioburst_sample(&now_b, now, used);
	keep();
	/* a command that changes its limits writes the whole ceiling; should it be killed before it tells us, that must not last */
	if (was != now_b.clamped || now_b.clamped || unwritten)
		(void)clamp();
	tell(spent);
}

const struct part part_ioburst = {.name = "ioburst", .due = due, .ready = ready, .settings = settings};
