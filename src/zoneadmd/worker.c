/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The worker: one poll loop over its parts (part.h), the keeper and init. It may be killed at any time: the keeper holds
 * all descriptors and starts another.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/sock.h"
#include "zone/settings.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

/* part_events last: what the others tell at the end, it writes down. */
static const struct part *const parts[] = {&part_console, &part_burst, &part_ioburst, &part_usage, &part_view, &part_calls, &part_drops, &part_mdata, &part_screen, &part_machine, &part_events};
enum { PARTS = sizeof parts / sizeof *parts };

#define REST_NS 2000000000ULL

static struct worker w; /* what it was started with */
static bool off[PARTS]; /* could not start */
static bool keeper = true, init = true;
static uint64_t rest; /* when the start is behind it; 0 = it has been */

int worker_settings_read(char *text)
{
	_fd_ int fd = openat(FD_RUN, SETTINGS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, SETTINGS_MAX);
	int r = n >= 0 || errno == ENOENT ? 0 : -errno;

	text[n > 0 ? n : 0] = '\0';
	return n == SETTINGS_MAX ? -EFBIG : r;
}

int worker_settings(void)
{
	char text[SETTINGS_MAX + 1];
	int r = worker_settings_read(text);

	if (r < 0)
		return r;
	for (int i = 0; i < PARTS; i++) {
		int one = !off[i] && parts[i]->settings ? parts[i]->settings(text) : 0;

		r = r < 0 ? r : one;
	}
	return r;
}

/* Until the first part is due: milliseconds, -1 = for ever. */
static int patience(uint64_t now)
{
	uint64_t first = rest;

	for (int i = 0; i < PARTS; i++) {
		uint64_t t = !off[i] && parts[i]->due ? parts[i]->due() : 0;

		if (t && (!first || t < first))
			first = t;
	}
	if (!first)
		return -1;
	/* rounded up: to wake before the time is to wake twice */
	return first <= now ? 0 : (first - now) / 1000000 >= 3600000 ? 3600000 : (int)((first - now + 999999) / 1000000);
}

bool worker_kept(void)
{
	return keeper;
}

/* A descriptor, of which it has one too; or its end. */
static void hear_keeper(void)
{
	int fd;

	if (sock_recv_fd(FD_CONTROL, &fd) < 0)
		keeper = false;
	else if (fd >= 0)
		calls_listen(fd);
}

/* true = go on. */
static bool turn(void)
{
	struct pollfd p[2 + PARTS * PART_FDS];
	int at[PARTS + 1], n = 2;
	uint64_t now;

	p[0] = (struct pollfd){.fd = keeper ? FD_CONTROL : -1, .events = POLLIN};
	p[1] = (struct pollfd){.fd = init ? FD_INIT : -1, .events = POLLIN};
	for (int i = 0; i < PARTS; i++) {
		at[i] = n;
		n += !off[i] && parts[i]->poll ? parts[i]->poll(p + n) : 0;
	}
	at[PARTS] = n;
	if (poll(p, (nfds_t)n, patience(clock_mono_ns())) < 0)
		return errno == EINTR;
	if (p[0].revents)
		hear_keeper();
	if (p[1].revents)
		init = false;
	now = clock_mono_ns();
	for (int i = 0; i < PARTS; i++) {
		uint64_t t = !off[i] && parts[i]->due ? parts[i]->due() : 0;
		bool call = t && t <= now;

		for (int k = at[i]; k < at[i + 1]; k++)
			call |= p[k].revents != 0;
		if (call)
			parts[i]->ready(p + at[i], at[i + 1] - at[i], now);
	}
	if (rest && rest <= now) {
		rest = 0;
		text_back();
	}
	/* Without its keeper it goes on for as long as the zone does: whoever adopts it takes the descriptors from here. */
	return keeper || init;
}

int worker_main(const char *uuid, const char *log_dir, uint64_t log_max)
{
	signal(SIGPIPE, SIG_IGN);
	fd_cloexec(FD_RUN, 1);
	w.uuid = uuid;
	w.log_dir = log_dir;
	w.log_max = log_max;
	for (int i = 0; i < PARTS; i++)
		off[i] = parts[i]->start && parts[i]->start(&w) < 0;
	worker_settings();
	rest = clock_mono_ns() + REST_NS;
	while (turn())
		;
	for (int i = 0; i < PARTS; i++)
		if (!off[i] && parts[i]->end)
			parts[i]->end();
	return 0;
}
