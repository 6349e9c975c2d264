/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The balloon of a machine (zone/balloon.h has the rules), over the connection on which its monitor tells of events: questions go out, answers come as
 * lines between the others, and nothing here waits for one. Nothing is asked of a machine whose balloon is to hold nothing, and no more
 * than what has been answered: what a monitor is late with can fill no buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kern/hoststat.h"
#include "zone/balloon.h"
#include "zone/settings.h"
#include "zoneadmd/part.h"

#define SECOND 1000000000ULL
#define IDLE_S 10 /* how often it is looked at, and the guest asked; … */
#define HOLD_S 2  /* … while the balloon holds something */

static struct balloon b;
static struct balloon_says says = BALLOON_SILENT;
static unsigned waiting = 2; /* answers that are to come: the first are to what its worker begins with (part_machine.c) */
static bool asked, adopted;
static unsigned every = IDLE_S;  /* what the guest has been told */
static uint64_t told, due, last; /* bytes that it was told to hold; next turn; last one */

static bool say(int fd, const char *text)
{
	size_t n = strlen(text);

	if (send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
		return false;
	waiting++;
	return true;
}

static size_t read_text(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static void look(struct balloon_host *h)
{
	struct host_stat s = {0};
	char text[4096];
	unsigned long whole, part;

	*h = (struct balloon_host){0};
	if (read_text("/proc/meminfo", text, sizeof text) && host_text_memory(text, &s) == 0)
		*h = (struct balloon_host){.total = s.mem_total, .available = s.mem_available};
	if (read_text("/proc/pressure/memory", text, sizeof text) && sscanf(text, "some avg10=%lu.%2lu", &whole, &part) == 2)
		h->stalled = whole * 100 + part;
}

static void ask(int fd)
{
	says = BALLOON_SILENT;
	asked = say(fd, "{\"execute\":\"query-memory-size-summary\"}\n") && say(fd, "{\"execute\":\"query-balloon\"}\n") &&
		say(fd, "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral/balloon\",\"property\":\"guest-stats\"}}\n");
}

static void act(int fd, uint64_t now)
{
	struct balloon_host h;
	char text[160];
	unsigned often;
	uint64_t want;

	asked = false;
	/* of the worker before this one, which may have been killed */
	if (!adopted && says.base != BALLOON_UNKNOWN && says.actual < says.base)
		told = b.want = b.most = says.base - says.actual;
	adopted = true;
	look(&h);
	want = balloon_step(&b, &says, &h, now);
	if (want != told && says.base != BALLOON_UNKNOWN && want < says.base) {
		snprintf(text, sizeof text, "{\"execute\":\"balloon\",\"arguments\":{\"value\":%" PRIu64 "}}\n", says.base - want);
		if (say(fd, text))
			told = want;
	}
	often = want ? HOLD_S : IDLE_S;
	if (often != every) {
		snprintf(text, sizeof text, "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/machine/peripheral/balloon\",\"property\":"
			 "\"guest-stats-polling-interval\",\"value\":%u}}\n", often);
		if (say(fd, text))
			every = often;
	}
	/* nothing to hold, and it holds nothing: until the settings say otherwise */
	due = b.floor || told ? now + every * SECOND : 0;
}

void machine_balloon_line(int fd, const char *line, size_t n)
{
	int r = balloon_read(line, n, &says);

	if (r == 0 && waiting && !--waiting && asked)
		act(fd, clock_mono_ns());
	/* it may have taken some back: that is looked at soon, but not more often than now and then */
	if (r == 1 && due)
		due = last + SECOND;
}

void machine_balloon_reset(void)
{
	balloon_reset(&b, clock_mono_ns());
	if (due)
		due = last + SECOND;
}

int machine_balloon_settings(const char *text)
{
	b.floor = settings_u64(text, "balloon_floor", 0);
	b.below = (unsigned)settings_u64(text, "balloon_below", 0);
	if (b.floor || told)
		due = clock_mono_ns();
	return 0;
}

uint64_t machine_balloon_due(void)
{
	return due;
}

void machine_balloon_turn(int fd, uint64_t now)
{
	if (!due || now < due)
		return;
	last = now;
	due = now + every * SECOND;
	if (!waiting)
		ask(fd);
}
