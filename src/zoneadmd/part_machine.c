/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a machine's monitor tells of (events.sock in the run directory, its second control socket): that its guest panicked, reset itself or
 * can't write to a disk becomes an event of the node's; why it is about to end is written down for who decides what comes after
 * that (node/ended.c). The monitor is read as fast as a console may write, not faster: it is a guest's, at worst.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "zone/qevent.h"
#include "zoneadmd/event.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define TICK_NS  100000000ULL
#define TICK_MAX (64u << 10)
#define LEAST    1024 /* what being woken costs, in bytes: one that says one at a time gets no more of us */

static struct {
	int fd;
	char line[8192];
	size_t len;
	bool skip;     /* the rest of a line that is too long */
	uint64_t tick; /* when it began */
	size_t taken;  /* bytes in it, and what it took to get them */
} mon = {.fd = -1};

/* Whether its guest has been stopped, and for what: a word for who lists machines (node/vmlive.c). */
struct halt {
	bool io_error, said;
	const char *word; /* NULL: it runs */
};

static void halted(const struct qevent *q, struct halt *h)
{
	if (!strcmp(q->name, "BLOCK_IO_ERROR"))
		h->io_error = !strcmp(q->action, "stop");
	if (strcmp(q->name, "STOP") && strcmp(q->name, "RESUME"))
		return;
	h->said = true;
	h->word = q->name[0] == 'R' ? NULL : h->io_error ? "io-error" : "paused";
	h->io_error = false;
}

/* The answer to our question at the start: who is a second worker has not heard what came before. */
static void status(const char *line, size_t n, struct halt *h)
{
	char word[QEVENT_WORD];

	if (!qevent_status(line, n, word))
		return;
	h->said = true;
	h->word = !strcmp(word, "io-error") ? "io-error" : !strcmp(word, "paused") ? "paused" : NULL;
}

/* why: room for a word, of an end that it tells of. */
static void tell(const struct qevent *q, char why[QEVENT_WORD])
{
	char detail[EVENT_DETAIL], counts[72] = "";
	uint64_t used, limit;

	if (!strcmp(q->name, "GUEST_PANICKED") || !strcmp(q->name, "GUEST_CRASHLOADED")) {
		event_report("guest-panic", NULL);
	} else if (!strcmp(q->name, "RESET")) {
		machine_balloon_reset();
		if (q->guest)
			event_report("guest-reset", NULL);
	} else if (!strcmp(q->name, "BLOCK_IO_ERROR")) {
		/* its words are the monitor's: they may be too long for both */
		if (q->nospace && strlen(q->device) + strlen(q->operation) + strlen(q->action) < 64 && usage_quota(&used, &limit))
			snprintf(counts, sizeof counts, ",\"used\":%llu,\"limit\":%llu", (unsigned long long)used, (unsigned long long)limit);
		snprintf(detail, sizeof detail, "{\"disk\":\"%s\",\"operation\":\"%s\",\"action\":\"%s\",\"full\":%s%s}", q->device, q->operation,
			 q->action, q->nospace ? "true" : "false", counts);
		event_report("disk-error", detail);
	} else if (!strcmp(q->name, "SHUTDOWN") && q->reason[0]) {
		snprintf(why, QEVENT_WORD, "%s", q->reason);
	}
}

static void put_halt(const struct halt *h)
{
	_buf_ struct buf text = BUF_INIT;

	if (!h->word) {
		(void)unlinkat(FD_RUN, "paused", 0);
		return;
	}
	buf_printf(&text, "%s\n", h->word);
	put_file(FD_RUN, "paused", &text, NULL);
}

/* However many lines came at once: what is left is moved once, and each of two files written at most. */
static void lines(void)
{
	static struct halt h; /* an error and the stop that it makes may come apart */

	char *at = mon.line, *end, why[QEVENT_WORD] = "";
	_buf_ struct buf text = BUF_INIT;

	for (; (end = memchr(at, '\n', mon.len)); at = end + 1) {
		size_t n = (size_t)(end - at);
		struct qevent q;

		if (!mon.skip)
			machine_balloon_line(mon.fd, at, n);
		if (!mon.skip && qevent_read(at, n, &q) == 0)
			tell(&q, why), halted(&q, &h);
		else if (!mon.skip)
			status(at, n, &h);
		mon.skip = false;
		mon.len -= n + 1;
	}
	memmove(mon.line, at, mon.len);
	if (mon.len == sizeof mon.line) {
		mon.skip = true;
		mon.len = 0;
	}
	if (h.said)
		put_halt(&h);
	h.said = false;
	if (why[0]) {
		buf_printf(&text, "%s\n", why);
		put_file(FD_RUN, "shutdown", &text, NULL);
	}
}

/* false = there is no more of it now. */
static bool hear(void)
{
	ssize_t n = mon.fd < 0 ? 0 : recv(mon.fd, mon.line + mon.len, sizeof mon.line - mon.len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		own_fd(&mon.fd);
		return false;
	}
	mon.len += (size_t)n;
	mon.taken += n < LEAST ? LEAST : (size_t)n;
	lines();
	return true;
}

/* Its socket listens before it runs; it hears what we say when it gets there, and greets us, which tells of nothing. */
static int machine_start(const struct worker *w)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\"}\n";
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/events.sock", FD_RUN);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0 || send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) != (ssize_t)sizeof hello - 1)
		return -ENOENT; /* a zone's worker: it has none */
	mon.fd = take_fd(&fd);
	return 0;
}

static int machine_poll(struct pollfd *p)
{
	p[0] = (struct pollfd){.fd = mon.taken >= TICK_MAX ? -1 : mon.fd, .events = POLLIN};
	return 1;
}

static uint64_t machine_due(void)
{
	uint64_t own = mon.taken >= TICK_MAX ? mon.tick + TICK_NS : 0, balloon = machine_balloon_due();

	if (mon.fd < 0)
		return 0;
	return !own || (balloon && balloon < own) ? balloon : own;
}

static void machine_ready(const struct pollfd *p, int n, uint64_t now)
{
	if (now - mon.tick >= TICK_NS) {
		mon.tick = now;
		mon.taken = 0;
	}
	if (n > 0 && p[0].revents)
		hear();
	if (mon.fd >= 0)
		machine_balloon_turn(mon.fd, now);
}

/* What it said last: why it ends. */
static void machine_end(void)
{
	mon.taken = 0;
	while (mon.taken < TICK_MAX && hear())
		;
	own_fd(&mon.fd);
}

const struct part part_machine = {
	.name = "machine", .start = machine_start, .poll = machine_poll, .due = machine_due, .ready = machine_ready, .settings = machine_balloon_settings, .end = machine_end,
};
