/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The zone asks for its own numbers (zone/numbers.h): zonestat and its kind inside. Whoever connects gets one packet and
 * is gone; nothing that it sends is read. The zone decides how often that is, so a packet is made at most every 50 ms and
 * handed out as it is meanwhile, and who comes beyond a hundred in that time waits for the next.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "zone/numbers.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define TICK_NS  50000000ULL
#define TICK_MAX 100
#define IDLE_NS  (5 * 1000000000ULL) /* nobody asks any more: files and memory are given back */

static const char *zone_uuid;
static struct cg_reader *reader;
static struct cg_files *files;
static struct buf text;
static uint64_t tick, generation;
static unsigned answered;

static int numbers_start(const struct worker *w)
{
	int yes = 0;
	socklen_t n = sizeof yes;

	/* a zone that a keeper without it has booted, or one whose keeper and worker both died */
	if (getsockopt(FD_NUMBERS, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) < 0 || !yes)
		return -ENOENT;
	zone_uuid = w->uuid;
	return 0;
}

static int numbers_poll(struct pollfd *p)
{
	bool full = answered >= TICK_MAX && clock_mono_ns() - tick < TICK_NS;

	*p = (struct pollfd){.fd = full ? -1 : FD_NUMBERS, .events = POLLIN};
	return 1;
}

static uint64_t numbers_due(void)
{
	return !reader && !text.p ? 0 : tick + (answered >= TICK_MAX ? TICK_NS : IDLE_NS);
}

static void forget(void)
{
	if (reader)
		cg_files_free(reader, &files);
	cg_reader_free(&reader);
	buf_done(&text);
	answered = 0;
}

static bool find_node(const char *key, const char *value, void *arg)
{
	char *node = arg;

	if (strcmp(key, "node") != 0)
		return false;
	strncpy(node, value, NODE_NAME_MAX - 1);
	return true;
}

static int find_reader(void)
{
	char node[NODE_NAME_MAX] = "";
	struct cg_host h;
	struct ctx c;
	int r;

	spec_scan(find_node, node);
	if (ctx_init(&c, *node ? node : NULL, NULL) < 0)
		return -ENOENT;
	r = cg_host_known(&c, &h, NULL);
	if (r == 0)
		r = cg_reader_new(&h, CGS_ALL, 64, &reader, NULL);
	ctx_done(&c);
	return r;
}

static int sample(uint64_t now)
{
	struct zone_numbers n = {.mono_ns = now};
	int r = reader ? 0 : find_reader();

	if (r < 0)
		return r;
	cg_reader_limits(reader, ++generation);
	r = cg_reader_read(reader, zone_uuid, &files, n.v);
	if (r == 0)
		r = host_stat_read(&n.host, NULL);
	text.len = 0;
	if (r == 0)
		numbers_write(&n, &text);
	return r;
}

static void numbers_ready(const struct pollfd *p, int n, uint64_t now)
{
	if (now - tick >= IDLE_NS && !p->revents) {
		forget();
		return;
	}
	if (now - tick >= TICK_NS) {
		tick = now;
		answered = 0;
		text.len = 0;
	}
	if (!p->revents)
		return;
	for (; answered < TICK_MAX; answered++) {
		_fd_ int fd = accept4(FD_NUMBERS, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		/* who can't be told is hung up on, and says so */
		if (text.len == 0 && sample(now) < 0)
			continue;
		if (text.len <= NUMBERS_MAX && send(fd, text.p, text.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			continue;
	}
}

const struct part part_numbers = {
	.name = "numbers", .start = numbers_start, .poll = numbers_poll, .due = numbers_due, .ready = numbers_ready, .end = forget,
};
