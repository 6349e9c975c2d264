/* SPDX-License-Identifier: MPL-2.0 */
/* The client process: what comes by the uplink goes through client.h and hold.h, and what becomes of it to the keeper. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netd/dhcpd.h"
#include "netd/netd.h"

#define BATCH 64 /* frames before the clock is looked at */
#define WAIT_MS 60000 /* epoll's clock stands still while the machine sleeps */

struct client {
	struct client_nic *nic;
	size_t n;
	int link, keeper, epoll;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint32_t chance(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof v, 0) != sizeof v)
		_exit(1); /* numbers that can be guessed would let anybody answer */
	return v;
}

static void send_it(const struct client *c, const struct question *q)
{
	uint8_t f[CLIENT_FRAME];
	size_t n = client_ask(q, f);

	/* what the device does not take is asked again */
	if (n && send(c->link, f, n, 0) < 0)
		return;
}

static void tell(const struct client *c, const struct client_nic *nic, enum hold_news what)
{
	struct dhcp_news m;

	if (what == HOLD_NOTHING)
		return;
	memset(&m, 0, sizeof m);
	m.what = (uint8_t)what;
	m.until = nic->h.until;
	m.o = nic->h.has;
	memcpy(m.mac, nic->h.mac, 6);
	memcpy(m.uuid, nic->uuid, sizeof m.uuid);
	m.zoneid = nic->zoneid;
	if (send(c->keeper, &m, sizeof m, 0) != sizeof m)
		_exit(0); /* there is none any more, and another client will come with the next */
}

/* ---- the table ---- */

static char *text_of(size_t *n)
{
	int fd = openat(AT_FDCWD, "table", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *text = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= (off_t)TABLE_MAX)
		text = calloc(1, (size_t)st.st_size + 1);
	*n = 0;
	while (text && *n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + *n, (size_t)st.st_size - *n);

		if (got <= 0)
			break;
		*n += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* What a server knows it by. */
static bool same(const struct client_nic *a, const struct client_nic *b)
{
	return a->h.watch == b->h.watch && a->h.vlan == b->h.vlan && a->h.ncid == b->h.ncid && !memcmp(a->h.cid, b->h.cid, a->h.ncid) && !strcmp(a->uuid, b->uuid);
}

/*
 * A VM that is booted again goes on with what it has, if the record says that it has it: one that was stopped in between has given that back, and
 * we may have missed the table without it.
 */
static bool goes_on(const struct client_nic *was, const struct client_nic *now)
{
	return was->zoneid == now->zoneid || !was->h.held || (now->until && !memcmp(was->h.has.ip, now->ip, 4));
}

static void go_on(struct client_nic *nic, struct client_nic *was)
{
	char name[sizeof nic->h.name];

	memcpy(name, nic->h.name, sizeof name);
	nic->h = was->h;
	memcpy(nic->h.name, name, sizeof name);
	was->h.held = false;
}

/* Who stays goes on where it is; who has gone, or is another for its server now, gives back what it had. */
static const char *load(struct client *c)
{
	struct client_nic *list = NULL;
	struct question q;
	size_t len, n = 0;
	int watch = 0, ignore;
	char *text = text_of(&len);
	int bad = text ? clients_parse(text, len, &list, &n) : -1;

	free(text);
	if (bad)
		return "the table";
	for (size_t i = 0; i < n; i++) {
		struct client_nic *was = clients_mac(c->nic, c->n, list[i].h.mac);

		watch |= list[i].h.watch;
		if (was && same(was, &list[i]) && goes_on(was, &list[i]))
			go_on(&list[i], was);
		else
			hold_begin(&list[i].h, now_ms(), list[i].ip, was && was->h.held ? 0 : list[i].until);
		if (was && was->h.held && !strcmp(was->uuid, list[i].uuid))
			tell(c, &list[i], HOLD_EXPIRED);
	}
	for (size_t i = 0; i < c->n; i++)
		if (hold_release(&c->nic[i].h, &q))
			send_it(c, &q);
	/* what goes out is looked at only where somebody is watched: else it would be copied for us */
	ignore = !watch;
	setsockopt(c->link, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore, sizeof ignore);
	free(c->nic);
	c->nic = list;
	c->n = n;
	return NULL;
}

/* ---- what comes ---- */

static void ordered(struct client *c)
{
	struct dhcp_order o;
	struct client_nic *nic;
	struct question q;
	ssize_t n = recv(c->keeper, &o, sizeof o, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof o)
		_exit(0);
	if (o.what == DHCP_ORDER_TABLE)
		load(c); /* or the old one goes on */
	nic = o.what == DHCP_ORDER_DECLINE ? clients_mac(c->nic, c->n, o.mac) : NULL;
	if (nic && !memcmp(nic->h.has.ip, o.ip, 4) && hold_decline(&nic->h, now_ms(), &q))
		send_it(c, &q);
}

/* Its VLAN, and whether its checksums are there. A tag of another kind: -1. */
static int vlan_of(struct msghdr *m, bool *sums)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		struct tpacket_auxdata a;

		if (h->cmsg_level != SOL_PACKET || h->cmsg_type != PACKET_AUXDATA || h->cmsg_len < CMSG_LEN(sizeof a))
			continue;
		memcpy(&a, CMSG_DATA(h), sizeof a);
		/* sent on this very machine: they would have been made by a card */
		*sums = a.tp_status & TP_STATUS_CSUMNOTREADY;
		if (!(a.tp_status & TP_STATUS_VLAN_VALID))
			return 0;
		return (a.tp_status & TP_STATUS_VLAN_TPID_VALID) && a.tp_vlan_tpid != 0x8100 ? -1 : a.tp_vlan_tci & 4095;
	}
	return -1;
}

static void answered(struct client *c, const uint8_t *f, size_t n, int vlan, bool sums)
{
	const uint8_t *m;
	struct client_nic *nic;
	struct question q;
	enum hold_news news;
	struct offer o;
	uint8_t mac[6];
	uint32_t xid;
	size_t len;

	if (!client_packet(f, n, sums, &m, &len) || !client_about(m, len, mac, &xid))
		return;
	nic = clients_mac(c->nic, c->n, mac);
	if (!nic || nic->h.vlan != vlan || !client_answer(m, len, mac, nic->h.xid, &o))
		return;
	if (hold_answer(&nic->h, now_ms(), chance(), &o, f + 6, &q, &news))
		send_it(c, &q);
	tell(c, nic, news);
}

static void went_out(struct client *c, const uint8_t *f, size_t n, int vlan)
{
	struct client_nic *nic;
	enum hold_news news;
	struct asked a;

	if (!client_asked(f, n, &a))
		return;
	nic = clients_mac(c->nic, c->n, a.mac);
	if (!nic || !nic->h.watch || nic->h.vlan != vlan)
		return;
	hold_asked(&nic->h, now_ms(), &a, &news);
	tell(c, nic, news);
}

static void received(struct client *c)
{
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_ll from = {0};
		uint8_t f[2048];
		union {
			struct cmsghdr h;
			char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		} control;
		struct iovec v = {f, sizeof f};
		struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
		ssize_t n = recvmsg(c->link, &m, 0);
		bool sums = false;
		int vlan;

		if (n < 0)
			return;
		vlan = vlan_of(&m, &sums);
		if (vlan < 0 || (m.msg_flags & MSG_TRUNC))
			continue;
		if (from.sll_pkttype == PACKET_OUTGOING)
			went_out(c, f, (size_t)n, vlan);
		else
			answered(c, f, (size_t)n, vlan, sums);
	}
}

/* What is due. When the next is. */
static uint64_t due(struct client *c)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < c->n; i++) {
		struct client_nic *nic = &c->nic[i];
		enum hold_news news;
		struct question q;

		if (hold_due(&nic->h) <= now_ms()) {
			if (hold_tick(&nic->h, now_ms(), chance(), &q, &news))
				send_it(c, &q);
			tell(c, nic, news);
		}
		if (hold_due(&nic->h) < next)
			next = hold_due(&nic->h);
	}
	return next;
}

static void fail(int ready, const char *what)
{
	char line[200];
	int n = snprintf(line, sizeof line, "%s: %s\n", what, strerror(errno));

	if (ready >= 0)
		(void)!write(ready, line, (size_t)n);
	_exit(1);
}

void dhcp_client(int link, int keeper, int ready, unsigned uid)
{
	struct client c = {.link = link, .keeper = keeper, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct epoll_event e = {.events = EPOLLIN, .data.fd = link}, got[2];
	const char *why;

	if (c.epoll < 0 || epoll_ctl(c.epoll, EPOLL_CTL_ADD, link, &e) < 0)
		fail(ready, "epoll");
	e.data.fd = keeper;
	if (epoll_ctl(c.epoll, EPOLL_CTL_ADD, keeper, &e) < 0)
		fail(ready, "epoll");
	(void)!nice(5); /* zones' own work goes before */
	why = lock_in(uid, false);
	if (!why)
		why = load(&c);
	if (why)
		fail(ready, why);
	if (ready >= 0) {
		(void)!write(ready, "ok\n", 3);
		close(ready);
	}
	for (;;) {
		uint64_t next = due(&c), now = now_ms();
		int ms = next <= now ? 0 : next - now > WAIT_MS ? WAIT_MS : (int)(next - now), n = epoll_wait(c.epoll, got, 2, ms);

		if (n < 0 && errno != EINTR)
			_exit(1);
		for (int i = 0; i < n; i++)
			if (got[i].data.fd == link)
				received(&c);
			else
				ordered(&c);
	}
}
