/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Drops that the zone's log in the switch has (net/log.h), as events. Records of a second are added up by what is the same about them, and
 * the event log is told at most every 10 s. Records wait in the kernel's ring, also for the next worker: one that is killed loses what it had
 * read and not told. What a ring has no room for the counters of the port have.
 *
 * A zone without a log costs one look when it boots and one at each sample of its usage. Whoever begins one in a running zone says so
 * (settings), so that it is found at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/bpf.h"
#include "zone/droplog.h"
#include "zoneadmd/event.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define SECOND 1000000000ULL
#define AGAIN  (2 * SECOND) /* after the start: its NICs may come a moment later */
#define KINDS  16           /* of drops that one event tells apart */
#define BUSY   (1u << 31)   /* of a record's head: as the kernel has it */
#define DISCARD (1u << 30)
#define HEAD   8

static struct {
	int fd, ports;             /* the ring; the map that knows what ports are called */
	uint64_t *consumer;        /* a page of ours, … */
	const uint64_t *producer;  /* … one of the kernel's, and behind it the data, twice in a row */
	const char *data;
	uint64_t size, page;
	uint64_t look, read;       /* when to look for a ring, when to read it; 0: not */
} ring = {.fd = -1, .ports = -1};

/* What is not told yet: drops, and what rules with `log` let begin. */
struct sums {
	const char *kind;
	size_t n;
	uint64_t more, missed;     /* records that have no room here; that the switch left out */
	struct {
		struct droplog d;
		uint64_t count;
	} of[KINDS];
	char text[KINDS * DROPLOG_TEXT + 128]; /* as it was told last */
};
static struct sums drops = {.kind = "drop"}, allows = {.kind = "allow"};

/* ---- the ring ---- */

/* Which ring it is, in a file beside the spec: numbers, since a switch that was made after us is mounted where we don't see it. */
static int ring_numbers(uint32_t *log, uint32_t *ports)
{
	_fd_ int fd = openat(FD_RUN, DROPLOG_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0)
		return -errno;
	text[n] = 0;
	return sscanf(text, "%u %u", log, ports) == 2 ? 0 : -EBADMSG;
}

static int map_ring(int fd)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint32_t size;
	void *c, *p;
	int r = bpf_room(fd, &size, NULL);

	if (r < 0)
		return r;
	c = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p = mmap(NULL, page + 2 * (uint64_t)size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (c == MAP_FAILED || p == MAP_FAILED) {
		r = -errno;
		if (c != MAP_FAILED)
			munmap(c, page);
		if (p != MAP_FAILED)
			munmap(p, page + 2 * (uint64_t)size);
		return r;
	}
	ring.consumer = c;
	ring.producer = p;
	ring.data = (char *)p + page;
	ring.page = page;
	ring.size = size;
	return 0;
}

/* 0, also if the zone has no log. */
static int find_ring(void)
{
	uint32_t log, ports;
	_fd_ int fd = -1;
	int r;

	if (ring.fd >= 0)
		return 0;
	r = ring_numbers(&log, &ports);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	fd = bpf_by_id(log, NULL);
	r = fd < 0 ? fd : map_ring(fd);
	if (r < 0)
		return r;
	ring.fd = take_fd(&fd);
	ring.ports = bpf_by_id(ports, NULL);
	return 0;
}

void drops_look(void)
{
	find_ring();
}

/* ---- records ---- */

static size_t of_sender(const struct sums *s, uint32_t from)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->of[i].d.from == from;
	return n;
}

/* One whose frames are all different takes no room from who has less of it: the last of who has most goes. */
static bool make_room(struct sums *s, uint32_t from)
{
	size_t most = of_sender(s, from) + 1, at = KINDS;

	for (size_t i = 0; i < s->n; i++) {
		size_t has = of_sender(s, s->of[i].d.from);

		if (has > most || (has == most && at < KINDS)) {
			most = has;
			at = i;
		}
	}
	if (at == KINDS)
		return false;
	s->more += s->of[at].count;
	s->of[at] = s->of[--s->n];
	return true;
}

static void add_up(const struct sw_log *l, size_t n)
{
	struct sums *s = l->reason == DROP_NONE ? &allows : &drops;
	struct droplog d;

	if (droplog_read(l, n, &d) < 0)
		return;
	s->missed += l->missed;
	for (size_t i = 0; i < s->n; i++)
		if (droplog_same(&s->of[i].d, &d)) {
			s->of[i].count++;
			return;
		}
	if (s->n == KINDS && !make_room(s, d.from)) {
		s->more++;
		return;
	}
	s->of[s->n].d = d;
	s->of[s->n++].count = 1;
}

/* No more than one ring has: who writes meanwhile is for the next time. */
static uint64_t drain(void)
{
	uint64_t at = *ring.consumer, end = __atomic_load_n(ring.producer, __ATOMIC_ACQUIRE), n = 0;

	while (at < end) {
		const uint32_t *head = (const void *)(ring.data + (at & (ring.size - 1)));
		uint32_t len = __atomic_load_n(head, __ATOMIC_ACQUIRE), size = len & ~(BUSY | DISCARD);
		struct sw_log l;

		if (len & BUSY)
			break;
		if (!(len & DISCARD) && size >= sizeof l) {
			memcpy(&l, (const char *)head + HEAD, sizeof l);
			add_up(&l, size);
			n++;
		}
		at += (HEAD + size + 7) & ~7ULL;
	}
	__atomic_store_n(ring.consumer, at, __ATOMIC_RELEASE);
	return n;
}

static const char *nic_name(uint32_t ifindex, struct sw_port *p)
{
	if (!ifindex || ring.ports < 0 || bpf_get(ring.ports, &ifindex, p, NULL) < 0)
		return "";
	p->name[sizeof p->name - 1] = 0;
	return p->name;
}

/* Told again, as it was, should that have failed the last time and nothing come since. */
static const char *told(struct sums *s)
{
	size_t n = 0, size = sizeof s->text;
	struct sw_port p;

	if (s->n == 0)
		return s->text[0] ? s->text : "{}";
	n += (size_t)snprintf(s->text, size, "{\"packets\":[");
	for (size_t i = 0; i < s->n; i++) {
		int len;

		if (i)
			s->text[n++] = ',';
		len = droplog_json(&s->of[i].d, nic_name(s->of[i].d.at, &p), s->of[i].count, s->text + n, size - n - 100);
		n += len > 0 ? (size_t)len : (size_t)snprintf(s->text + n, size - n, "{}");
	}
	n += (size_t)snprintf(s->text + n, size - n, "]");
	if (s->more)
		n += (size_t)snprintf(s->text + n, size - n, ",\"others\":%llu", (unsigned long long)s->more);
	if (s->missed)
		n += (size_t)snprintf(s->text + n, size - n, ",\"not_logged\":%llu", (unsigned long long)s->missed);
	snprintf(s->text + n, size - n, "}");
	s->n = 0;
	s->more = s->missed = 0;
	return s->text;
}

static const char *told_drops(void)
{
	return told(&drops);
}

static const char *told_allows(void)
{
	return told(&allows);
}

static uint64_t records(const struct sums *s)
{
	uint64_t n = s->more;

	for (size_t i = 0; i < s->n; i++)
		n += s->of[i].count;
	return n;
}

static void read_ring(void)
{
	uint64_t before[] = {records(&drops), records(&allows)};

	if (ring.fd < 0 || drain() == 0)
		return;
	event_report_made(drops.kind, told_drops, records(&drops) - before[0]);
	event_report_made(allows.kind, told_allows, records(&allows) - before[1]);
}

/* ---- a part of the worker ---- */

static int drops_start(const struct worker *w)
{
	ring.look = clock_mono_ns() + AGAIN;
	return 0;
}

static int drops_settings(const char *text)
{
	return find_ring();
}

static int drops_poll(struct pollfd *p)
{
	/* what has come is left there for a second: there may be more of it */
	p[0] = (struct pollfd){.fd = ring.read ? -1 : ring.fd, .events = POLLIN};
	return 1;
}

static uint64_t drops_due(void)
{
	return ring.read && (!ring.look || ring.read < ring.look) ? ring.read : ring.look;
}

static void drops_ready(const struct pollfd *p, int n, uint64_t now)
{
	if (ring.look && ring.look <= now) {
		ring.look = 0;
		find_ring();
	}
	if (n > 0 && p[0].fd >= 0 && p[0].revents && !ring.read)
		ring.read = now + SECOND;
	if (ring.read && ring.read <= now) {
		ring.read = 0;
		read_ring();
	}
}

static void drops_end(void)
{
	read_ring();
}

const struct part part_drops = {
	.name = "drops", .start = drops_start, .settings = drops_settings, .poll = drops_poll, .due = drops_due, .ready = drops_ready, .end = drops_end,
};
