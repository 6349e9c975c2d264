/* SPDX-License-Identifier: MPL-2.0 */
/* The client of DHCP: what an answer may say, what is asked when, and what a hostile server does not get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netd/clients.h"
#include "netd/dhcp.h"
#include "netd/wire.h"

static const uint8_t card[6] = {2, 8, 0x20, 0, 0, 0xa}, far_card[6] = {2, 0, 0, 0, 0, 0xfe}, none[4], all[4] = {255, 255, 255, 255};
static const uint8_t mine[4] = {10, 8, 0, 50}, server[4] = {10, 8, 0, 254}, second[4] = {10, 8, 0, 253}, mask24[4] = {255, 255, 255, 0};

struct msg {
	uint8_t p[1400];
	size_t n;
};

static void add(struct msg *m, uint8_t code, const void *p, size_t n)
{
	m->p[m->n++] = code;
	m->p[m->n++] = (uint8_t)n;
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void add32(struct msg *m, uint8_t code, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	add(m, code, b, 4);
}

static struct msg head(uint8_t type, uint32_t xid, const uint8_t ip[4])
{
	static const uint8_t cookie[4] = {99, 130, 83, 99};
	struct msg m = {.p = {2, 1, 6}, .n = 240};

	for (int i = 0; i < 4; i++)
		m.p[4 + i] = (uint8_t)(xid >> (24 - 8 * i));
	memcpy(m.p + 16, ip, 4);
	memcpy(m.p + 28, card, 6);
	memcpy(m.p + 236, cookie, 4);
	add(&m, 53, &type, 1);
	return m;
}

static struct msg answer(uint8_t type, uint32_t xid, const uint8_t ip[4], const uint8_t from[4], uint32_t lease)
{
	struct msg m = head(type, xid, ip);

	add(&m, 54, from, 4);
	if (lease)
		add32(&m, 51, lease);
	return m;
}

static bool takes(const struct msg *m, struct offer *o)
{
	return client_answer(m->p, m->n, card, 7, o);
}

static void all_of_it(void **state)
{
	struct msg m = answer(DHCP_ACK, 7, mine, server, 1000);
	struct offer o;

	add(&m, 1, mask24, 4);
	add(&m, 3, (const uint8_t[]){10, 9, 0, 1, 10, 8, 0, 1, 10, 8, 0, 2}, 12); /* the first is beyond reach */
	add(&m, 6, (const uint8_t[]){127, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5}, 24);
	add(&m, 15, "Home.Example.", 13);
	add(&m, 33, (const uint8_t[]){10, 7, 0, 0, 10, 8, 0, 9, 192, 168, 9, 0, 10, 8, 0, 9, 0, 0, 0, 0, 10, 8, 0, 9}, 24);
	add32(&m, 58, 300);
	add32(&m, 59, 400);
	m.p[m.n++] = 255;
	assert_true(takes(&m, &o));
	assert_int_equal(o.type, DHCP_ACK);
	assert_int_equal(o.bits, 24);
	assert_memory_equal(o.ip, mine, 4);
	assert_memory_equal(o.server, server, 4);
	assert_memory_equal(o.router, ((const uint8_t[]){10, 8, 0, 1}), 4);
	assert_int_equal(o.ndns, 4);
	assert_memory_equal(o.dns[0], ((const uint8_t[]){1, 1, 1, 1}), 4);
	assert_string_equal(o.domain, "home.example");
	assert_int_equal(o.lease, 1000);
	assert_int_equal(o.t1, 300);
	assert_int_equal(o.t2, 400);
	assert_int_equal(o.nroutes, 2);
	assert_int_equal(o.route[0].bits, 32); /* 10/8 has more than its network said */
	assert_int_equal(o.route[1].bits, 24);
}

static void classless(void **state)
{
	struct msg m = answer(DHCP_OFFER, 7, mine, server, 1000);
	struct offer o;

	add(&m, 1, mask24, 4);
	add(&m, 3, (const uint8_t[]){10, 8, 0, 1}, 4);
	add(&m, 33, (const uint8_t[]){192, 168, 9, 0, 10, 8, 0, 9}, 8);
	add(&m, 121, (const uint8_t[]){0, 10, 8, 0, 2, 12, 172, 16, 10, 8, 0, 3, 8, 127, 10, 8, 0, 3, 24, 9, 9, 9, 7, 7, 7, 7}, 26);
	assert_true(takes(&m, &o));
	/* RFC 3442: the router and the old routes say nothing beside it */
	assert_memory_equal(o.router, ((const uint8_t[]){10, 8, 0, 2}), 4);
	assert_int_equal(o.nroutes, 1);
	assert_int_equal(o.route[0].bits, 12);
	assert_memory_equal(o.route[0].to, ((const uint8_t[]){172, 16, 0, 0}), 4);
	assert_memory_equal(o.route[0].via, ((const uint8_t[]){10, 8, 0, 3}), 4);
	/* one that ends in the middle */
	m = answer(DHCP_OFFER, 7, mine, server, 1000);
	add(&m, 1, mask24, 4);
	add(&m, 121, (const uint8_t[]){32, 1, 2, 3, 4, 10, 8}, 7);
	assert_true(takes(&m, &o));
	assert_int_equal(o.nroutes, 0);
	m = answer(DHCP_OFFER, 7, mine, server, 1000);
	add(&m, 1, mask24, 4);
	add(&m, 121, (const uint8_t[]){33, 1, 2, 3, 4, 5, 10, 8, 0, 1}, 10);
	assert_true(takes(&m, &o));
	assert_int_equal(o.nroutes, 0);
}

/* Addresses that no host can have, and masks that are none. */
static void no_address(void **state)
{
	static const uint8_t bad[][8] = {
		{0, 0, 0, 1, 255, 0, 0, 0}, {127, 0, 0, 2, 255, 0, 0, 0}, {224, 0, 0, 1, 255, 255, 255, 0}, {255, 255, 255, 255, 255, 255, 255, 0},
		{169, 254, 1, 1, 255, 255, 0, 0}, {10, 8, 0, 0, 255, 255, 255, 0}, {10, 8, 0, 255, 255, 255, 255, 0}, {10, 8, 0, 50, 255, 0, 255, 0},
		{10, 8, 0, 50, 0, 0, 0, 0}, {10, 8, 0, 50, 254, 0, 0, 0}, {10, 8, 0, 254, 255, 255, 255, 0}, {240, 0, 0, 1, 255, 255, 255, 0},
	};
	struct offer o;
	struct msg m;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		m = answer(DHCP_ACK, 7, bad[i], server, 1000);
		add(&m, 1, bad[i] + 4, 4);
		assert_false(takes(&m, &o));
	}
	m = answer(DHCP_ACK, 7, mine, server, 1000);
	add(&m, 1, "\377\377\377", 3);
	assert_false(takes(&m, &o));
	/* of the largest and smallest networks it may */
	m = answer(DHCP_ACK, 7, mine, server, 1000);
	add(&m, 1, "\377\0\0\0", 4);
	assert_true(takes(&m, &o));
	m = answer(DHCP_ACK, 7, mine, server, 1000);
	add(&m, 1, all, 4);
	assert_true(takes(&m, &o));
	/* without a mask as it was once */
	m = answer(DHCP_ACK, 7, mine, server, 1000);
	assert_true(takes(&m, &o));
	assert_int_equal(o.bits, 8);
}

static void no_answer(void **state)
{
	struct msg good = answer(DHCP_ACK, 7, mine, server, 1000), m;
	static const struct { size_t at; uint8_t v; } bad[] = {{0, 1}, {1, 6}, {2, 16}, {7, 8}, {33, 1}, {236, 0}};
	struct offer o;

	add(&good, 1, mask24, 4);
	assert_true(takes(&good, &o));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		m = good;
		m.p[bad[i].at] = bad[i].v;
		assert_false(takes(&m, &o));
	}
	for (m = good; m.n > 0;) {
		m.n--;
		/* where an option ends all that is needed may be there */
		if (m.n != good.n - 6)
			assert_false(takes(&m, &o));
	}
	for (unsigned type = 0; type < 256; type++) {
		m = answer((uint8_t)type, 7, mine, server, 1000);
		assert_int_equal(takes(&m, &o), type == DHCP_OFFER || type == DHCP_ACK || type == DHCP_NAK);
	}
	/* without a time, too short, from nobody, of two types: the first counts */
	m = answer(DHCP_ACK, 7, mine, server, 0);
	assert_false(takes(&m, &o));
	m = answer(DHCP_ACK, 7, mine, server, CLIENT_LEAST_S - 1);
	assert_false(takes(&m, &o));
	m = head(DHCP_ACK, 7, mine);
	add32(&m, 51, 1000);
	assert_false(takes(&m, &o));
	m = answer(DHCP_ACK, 7, mine, all, 1000);
	assert_false(takes(&m, &o));
	m = good;
	add(&m, 53, "\6", 1);
	assert_true(takes(&m, &o));
	assert_int_equal(o.type, DHCP_ACK);
	/* more of it in the fields of file and server, as the options themselves say, the first time they do; none of it is cut off */
	m = good;
	add(&m, 52, "\1", 1);
	add(&m, 52, "\3", 1);
	memcpy(m.p + 108, "\x03\4\x0a\x08\0\x01\xff", 7);
	memcpy(m.p + 44, "\x0f\4aaaa\xff", 7);
	assert_true(takes(&m, &o));
	assert_memory_equal(o.router, ((const uint8_t[]){10, 8, 0, 1}), 4);
	assert_string_equal(o.domain, "");
	m.p[m.n - 4] = 3; /* the first one, now */
	assert_true(takes(&m, &o));
	assert_string_equal(o.domain, "aaaa");
	m.p[44 + 1] = 63;
	assert_false(takes(&m, &o));
	m = good;
	add(&m, 52, "\1\1", 2);
	memcpy(m.p + 108, "\x03\4\x0a\x08\0\x01\xff", 7);
	assert_true(takes(&m, &o));
	assert_memory_equal(o.router, ((const uint8_t[]){0, 0, 0, 0}), 4);
	/* a name that would be another line in a file is none */
	m = good;
	add(&m, 15, "a\nnameserver 6.6.6.6", 20);
	assert_true(takes(&m, &o));
	assert_string_equal(o.domain, "");
	m = good;
	add(&m, 15, "a..b", 4);
	assert_true(takes(&m, &o));
	assert_string_equal(o.domain, "");
}

static void times(void **state)
{
	struct msg m = answer(DHCP_ACK, 7, mine, server, UINT32_MAX);
	struct offer o;

	assert_true(takes(&m, &o));
	assert_int_equal(o.lease, CLIENT_MOST_S);
	assert_true(o.t1 < o.t2 && o.t2 < o.lease);
	for (uint32_t lease = CLIENT_LEAST_S; lease < 100; lease++) {
		m = answer(DHCP_ACK, 7, mine, server, lease);
		assert_true(takes(&m, &o));
		assert_true(o.t1 > 0 && o.t1 < o.t2 && o.t2 < o.lease);
	}
	m = answer(DHCP_ACK, 7, mine, server, 1000);
	add32(&m, 58, 900);
	add32(&m, 59, 900);
	assert_true(takes(&m, &o));
	assert_int_equal(o.t1, 500);
	assert_true(o.t2 < 1000);
	m = answer(DHCP_ACK, 7, mine, server, 1000);
	add32(&m, 58, 1);
	add32(&m, 59, 2);
	assert_true(takes(&m, &o));
	assert_int_equal(o.t1, 500);
}

/* ---- frames ---- */

static uint8_t frame[1600];

/* As a server's card sends it. */
static size_t framed(const struct msg *m)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0xfe};
	static const struct table t = {.server = {.family = 4, .bits = 32, .ip = {10, 8, 0, 254}}};
	struct dhcp_to to = {.ip = {255, 255, 255, 255}};

	memcpy(to.mac, card, 6);
	return dhcp_frame(&t, mac, &to, m->p, m->n, frame);
}

static void packets(void **state)
{
	struct msg m = answer(DHCP_ACK, 7, mine, server, 1000);
	size_t n = framed(&m), len;
	static const struct { size_t at; uint8_t v; } bad[] = {{12, 0x86}, {14, 0x46}, {14, 0x44}, {16, 0xff}, {20, 0x20}, {21, 1}, {23, 6}, {26, 11}, {35, 66}, {37, 67}, {38, 0xff}, {39, 3}, {60, 1}};
	const uint8_t *msg;

	assert_true(client_packet(frame, n, false, &msg, &len));
	assert_int_equal(len, m.n);
	assert_memory_equal(msg, m.p, m.n);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t was = frame[bad[i].at];

		frame[bad[i].at] = bad[i].v;
		assert_false(client_packet(frame, n, false, &msg, &len));
		frame[bad[i].at] = was;
	}
	for (size_t i = 0; i < n; i++)
		assert_false(client_packet(frame, i, false, &msg, &len));
	/* a checksum that a card was to make: it may be anything */
	frame[40] ^= 1;
	assert_false(client_packet(frame, n, false, &msg, &len));
	assert_true(client_packet(frame, n, true, &msg, &len));
	frame[40] = frame[41] = 0;
	assert_true(client_packet(frame, n, false, &msg, &len));
}

static const uint8_t *option(const uint8_t *p, size_t n, uint8_t code, size_t *len)
{
	for (size_t at = 240; at + 1 < n && p[at] != 255; at += p[at] ? p[at + 1] + 2u : 1)
		if (p[at] == code) {
			*len = p[at + 1];
			return p + at + 2;
		}
	return NULL;
}

static void questions(void **state)
{
	uint8_t out[CLIENT_FRAME], cid[255];
	struct question q = {.type = DHCP_DISCOVER, .to = {255, 255, 255, 255}, .xid = 0x01020304, .secs = 9, .vlan = 7, .name = "web"};
	const uint8_t *v;
	size_t n, len;

	memcpy(q.mac, card, 6);
	memset(q.to_mac, 255, 6);
	n = client_ask(&q, out);
	assert_memory_equal(out + 12, ((const uint8_t[]){0x81, 0, 0, 7, 8, 0}), 6);
	assert_int_equal(wire_sum(0, out + 18, 20), 0);
	assert_int_equal(wire_sum(wire_add(17 + (uint32_t)(n - 38), out + 30, 8), out + 38, n - 38), 0);
	assert_memory_equal(out + 46 + 4, ((const uint8_t[]){1, 2, 3, 4, 0, 9, 0, 0}), 8);
	assert_memory_equal(out + 46 + 28, card, 6);
	v = option(out + 46, n - 46, 61, &len);
	assert_int_equal(len, 7);
	assert_memory_equal(v, ((const uint8_t[]){1, 2, 8, 0x20, 0, 0, 0xa}), 7);
	assert_memory_equal(option(out + 46, n - 46, 12, &len), "web", 3);
	assert_null(option(out + 46, n - 46, 50, &len));
	assert_null(option(out + 46, n - 46, 54, &len));
	/* the longest id: the name gives way */
	memset(cid, 9, sizeof cid);
	q.cid = cid;
	q.ncid = 255;
	q.name = "a-name-of-sixty-three-bytes-which-is-the-most-that-one-label-has";
	n = client_ask(&q, out);
	assert_true(n > 0 && n <= CLIENT_FRAME);
	assert_null(option(out + 46, n - 46, 12, &len));
	assert_non_null(option(out + 46, n - 46, 61, &len));
	q.vlan = 0;
	q.ncid = 2;
	n = client_ask(&q, out);
	assert_memory_equal(out + 12, ((const uint8_t[]){8, 0}), 2);
}

/* ---- what is asked when ---- */

static struct hold h;
static struct question q;
static enum hold_news news;
static struct offer got;

static int tick(uint64_t now)
{
	static uint32_t chance = 1000;

	return hold_tick(&h, now, chance += 1000, &q, &news);
}

static int says(uint64_t now, uint8_t type, const uint8_t ip[4], const uint8_t from[4], uint32_t lease)
{
	struct msg m = answer(type, h.xid, ip, from, lease);

	add(&m, 1, mask24, 4);
	assert_true(client_answer(m.p, m.n, card, h.xid, &got));
	return hold_answer(&h, now, 5, &got, far_card, &q, &news);
}

static void fresh(uint64_t now, const uint8_t ip[4], uint64_t until)
{
	memset(&h, 0, sizeof h);
	memcpy(h.mac, card, 6);
	hold_begin(&h, now, ip, until);
}

static void bound(uint64_t now, uint32_t lease)
{
	fresh(now, none, 0);
	assert_int_equal(tick(now), 1);
	assert_int_equal(q.type, DHCP_DISCOVER);
	assert_int_equal(says(now, DHCP_OFFER, mine, server, lease), 1);
	assert_int_equal(q.type, DHCP_REQUEST);
	assert_memory_equal(q.requested, mine, 4);
	assert_memory_equal(q.server, server, 4);
	assert_memory_equal(q.ciaddr, none, 4);
	assert_memory_equal(q.to, all, 4);
	assert_int_equal(says(now, DHCP_ACK, mine, server, lease), 0);
	assert_int_equal(news, HOLD_GOT);
	assert_int_equal(h.state, HOLD_BOUND);
	assert_true(h.held);
	assert_int_equal(h.until, now + lease * 1000ull);
}

static void life(void **state)
{
	uint64_t t, before = 0;

	bound(1000, 1000);
	assert_int_equal(hold_due(&h), 1000 + 500 * 1000);
	assert_int_equal(tick(hold_due(&h) - 1), 0);
	/* T1: the server itself is asked, from the address */
	assert_int_equal(tick(hold_due(&h)), 1);
	assert_int_equal(h.state, HOLD_RENEW);
	assert_memory_equal(q.to_mac, far_card, 6);
	assert_memory_equal(q.to, server, 4);
	assert_memory_equal(q.from, mine, 4);
	assert_memory_equal(q.ciaddr, mine, 4);
	assert_memory_equal(q.requested, none, 4);
	assert_memory_equal(q.server, none, 4);
	t = 501000 + 10;
	assert_int_equal(says(t, DHCP_ACK, mine, second, 1000), 0); /* who was not asked */
	assert_int_equal(news, HOLD_NOTHING);
	assert_int_equal(says(t, DHCP_ACK, mine, server, 1000), 0);
	assert_int_equal(news, HOLD_GOT);
	assert_int_equal(h.until, 501000 + 1000000); /* from when it asked */
	/* nobody answers: T1, T2 and the end, with questions that grow no more frequent than once a minute but by T2 and the end */
	for (int i = 0; i < 40 && h.held; i++) {
		t = hold_due(&h);
		assert_true(t > before);
		before = t;
		tick(t);
		if (news == HOLD_EXPIRED)
			break;
		assert_int_equal(h.state, t < h.t2 ? HOLD_RENEW : HOLD_REBIND);
		if (h.state == HOLD_REBIND) {
			assert_memory_equal(q.to, all, 4);
			assert_int_equal(q.to_mac[0], 255);
			assert_memory_equal(q.ciaddr, mine, 4);
		}
	}
	assert_int_equal(news, HOLD_EXPIRED);
	assert_false(h.held);
	assert_int_equal(t, 1501000);
	/* and all begins anew, with the same address as its wish */
	assert_int_equal(q.type, DHCP_DISCOVER);
	assert_memory_equal(q.requested, mine, 4);
	/* any server will do while it rebinds */
	bound(0, 1000);
	tick(h.t2);
	assert_int_equal(h.state, HOLD_REBIND);
	says(h.t2, DHCP_ACK, mine, second, 1000);
	assert_int_equal(news, HOLD_GOT);
	assert_memory_equal(h.has.server, second, 4);
}

static void nobody(void **state)
{
	uint64_t t = 0, gap;

	fresh(0, none, 0);
	for (int i = 0; i < 20; i++) {
		uint32_t xid = h.xid;

		t = hold_due(&h);
		assert_int_equal(tick(t), 1);
		assert_int_equal(q.type, DHCP_DISCOVER);
		assert_int_not_equal(h.xid, xid);
		gap = hold_due(&h) - t;
		assert_in_range(gap, (i < 5 ? 4000u << i : 64000) - 1000, (i < 5 ? 4000u << i : 64000) + 1000);
	}
	/* an offer, and then nothing: the request three times, and from the beginning */
	assert_int_equal(says(t, DHCP_OFFER, mine, server, 1000), 1);
	for (int i = 0; i < 2; i++) {
		uint32_t xid = h.xid;

		assert_int_equal(tick(hold_due(&h)), 1);
		assert_int_equal(q.type, DHCP_REQUEST);
		assert_int_equal(h.xid, xid);
	}
	assert_int_equal(tick(hold_due(&h)), 1);
	assert_int_equal(q.type, DHCP_DISCOVER);
}

static void again(void **state)
{
	/* it had one, and its time is not over: it is asked for, and kept until a server says no */
	fresh(5000, mine, 100000);
	assert_true(h.held);
	assert_int_equal(tick(5000), 1);
	assert_int_equal(h.state, HOLD_REBOOT);
	assert_int_equal(q.type, DHCP_REQUEST);
	assert_memory_equal(q.requested, mine, 4);
	assert_memory_equal(q.server, none, 4);
	assert_memory_equal(q.ciaddr, none, 4);
	says(5000, DHCP_ACK, second, server, 1000);
	assert_int_equal(news, HOLD_NOTHING); /* another address is no answer */
	says(5000, DHCP_ACK, mine, server, 1000);
	assert_int_equal(news, HOLD_GOT);
	fresh(5000, mine, 100000);
	tick(5000);
	says(5000, DHCP_NAK, none, server, 0);
	assert_int_equal(news, HOLD_REFUSED);
	assert_false(h.held);
	assert_true(hold_due(&h) > 5000);
	tick(hold_due(&h));
	assert_int_equal(q.type, DHCP_DISCOVER);
	assert_memory_equal(q.requested, none, 4); /* what it may not have it does not ask for */
	/* nobody there: it is kept to its end */
	fresh(5000, mine, 100000);
	for (int i = 0; i < 50 && h.held; i++)
		tick(hold_due(&h));
	assert_int_equal(news, HOLD_EXPIRED);
	assert_int_equal(h.since, 100000);
	/* its time is over */
	fresh(5000, mine, 4000);
	assert_false(h.held);
	tick(5000);
	assert_int_equal(q.type, DHCP_DISCOVER);
	assert_memory_equal(q.requested, mine, 4);
}

static void refused(void **state)
{
	uint64_t t = 0, last = 0;

	/* a server that says yes and no in turn is asked ever more seldom */
	fresh(0, none, 0);
	for (int i = 0; i < 8; i++) {
		t = hold_due(&h);
		assert_true(t - last <= 65000);
		last = t;
		tick(t);
		says(t, DHCP_OFFER, mine, server, 1000);
		says(t, DHCP_NAK, none, server, 0);
		assert_int_equal(news, HOLD_NOTHING); /* it never had it */
	}
	assert_true(hold_due(&h) - t >= 60000);
	/* nor does one that was not chosen say no */
	bound(0, 1000);
	tick(h.t1);
	says(h.t1, DHCP_NAK, none, second, 0);
	assert_true(h.held);
	says(h.t1, DHCP_NAK, none, server, 0);
	assert_int_equal(news, HOLD_REFUSED);
	/* before anything was asked nothing is an answer */
	fresh(0, none, 0);
	assert_int_equal(hold_answer(&h, 0, 5, &got, far_card, &q, &news), 0);
	tick(0);
	says(0, DHCP_ACK, mine, server, 1000);
	assert_false(h.held);
}

static void given_back(void **state)
{
	bound(0, 1000);
	assert_int_equal(hold_decline(&h, 10, &q), 1);
	assert_int_equal(q.type, DHCP_DECLINE);
	assert_memory_equal(q.requested, mine, 4);
	assert_memory_equal(q.server, server, 4);
	assert_memory_equal(q.ciaddr, none, 4);
	assert_false(h.held);
	assert_true(hold_due(&h) >= 10010);
	assert_int_equal(hold_decline(&h, 20, &q), 0);
	bound(0, 1000);
	assert_int_equal(hold_release(&h, &q), 1);
	assert_int_equal(q.type, DHCP_RELEASE);
	assert_memory_equal(q.ciaddr, mine, 4);
	assert_memory_equal(q.to, server, 4);
	assert_memory_equal(q.to_mac, far_card, 6);
	assert_int_equal(hold_release(&h, &q), 0);
	/* what no server has confirmed is nobody's to give back */
	fresh(0, mine, 1000);
	assert_int_equal(hold_release(&h, &q), 0);
}

/* ---- the table ---- */

static int parsed(const char *text, struct client_nic **list, size_t *n)
{
	char *copy = strdup(text);
	int r;

	*list = NULL;
	*n = 0;
	r = clients_parse(copy, strlen(text), list, n);
	free(copy);
	return r;
}

static void table(void **state)
{
	struct client_nic *list, *c;
	size_t n;

#define U "11111111-2222-3333-4444-555555555555"
	assert_int_equal(parsed("zone " U " 02:08:20:00:00:0b 7 web 0102ff 10.8.0.50 123456 watch 3\n\nzone " U " 02:08:20:00:00:0a 0 - - - - ask 3\n", &list, &n), 0);
	assert_int_equal(n, 2);
	c = clients_mac(list, n, card);
	assert_ptr_equal(c, list);
	assert_int_equal(c->until, 0);
	assert_int_equal(c->h.ncid, 0);
	c = list + 1;
	assert_string_equal(c->uuid, U);
	assert_int_equal(c->h.vlan, 7);
	assert_string_equal(c->h.name, "web");
	assert_int_equal(c->h.ncid, 3);
	assert_memory_equal(c->h.cid, "\1\2\377", 3);
	assert_memory_equal(c->ip, mine, 4);
	assert_int_equal(c->until, 123456);
	assert_true(c->h.watch && !list->h.watch);
	assert_int_equal(c->zoneid, 3);
	assert_null(clients_mac(list, n, far_card));
	free(list);
	/* what it had is none: the others are asked for all the same */
	assert_int_equal(parsed("zone " U " 02:08:20:00:00:0a 0 - - 127.0.0.1 99 ask 3\n", &list, &n), 0);
	assert_memory_equal(list->ip, none, 4);
	free(list);
	static const char *const bad[] = {
		"zone " U " 02:08:20:00:00:0a 0 - - - -\n", "zone " U " 02:08:20:00:00:0a 0 - - - - ask\n", "zone " U " 02:08:20:00:00:0a 0 - - - - ask x\n", "zone " U " 02:08:20:00:00:0a 0 - - - - ask 3 -\n", "zone x 02:08:20:00:00:0a 0 - - - - ask 3\n",
		"zone " U " 02:08:20:00:00 0 - - - - ask 3\n", "zone " U " 02:08:20:00:00:0a 4095 - - - - ask 3\n", "zone " U " 02:08:20:00:00:0a 0 a.b - - - ask 3\n",
		"zone " U " 02:08:20:00:00:0a 0 - 012 - - ask 3\n", "zone " U " 02:08:20:00:00:0a 0 - 01 - - ask 3\n", "zone " U " 02:08:20:00:00:0a 0 - 0G11 - - ask 3\n",
		"zone " U " 02:08:20:00:00:0a 0 - - 10.8.0 - ask 3\n", "zone " U " 02:08:20:00:00:0a 0 - - 10.8.0.1/24 - ask 3\n", "zone " U " 02:08:20:00:00:0a 0 - - - x ask 3\n",
		"zone " U " 02:08:20:00:00:0a 0 - - - - look\n", "what\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(parsed(bad[i], &list, &n), 1);
}

/* One that asks by itself: what it asked, and what it was given for that. */
static void a_guest(void **state)
{
	struct asked a;
	uint8_t out[CLIENT_FRAME];
	size_t n;

	fresh(0, none, 0);
	h.watch = true;
	hold_begin(&h, 0, none, 0);
	assert_int_equal(hold_due(&h), UINT64_MAX);
	assert_int_equal(tick(1000), 0);
	/* nobody has asked */
	h.xid = 7;
	says(1000, DHCP_ACK, mine, server, 1000);
	assert_false(h.held);
	q = (struct question){.type = DHCP_REQUEST, .xid = 99, .requested = {10, 8, 0, 50}, .to = {255, 255, 255, 255}};
	memcpy(q.mac, card, 6);
	memset(q.to_mac, 255, 6);
	n = client_ask(&q, out);
	out[40] ^= 0x55; /* its card makes that sum */
	assert_true(client_asked(out, n, &a));
	assert_int_equal(a.type, DHCP_REQUEST);
	assert_int_equal(a.xid, 99);
	assert_memory_equal(a.mac, card, 6);
	assert_memory_equal(a.ip, mine, 4);
	for (size_t i = 0; i < n; i++)
		assert_false(client_asked(out, i, &a));
	out[6] ^= 1; /* another card's */
	assert_false(client_asked(out, n, &a));
	out[6] ^= 1;
	assert_true(client_asked(out, n, &a));
	hold_asked(&h, 2000, &a, &news);
	assert_int_equal(h.xid, 99);
	says(2500, DHCP_OFFER, mine, server, 1000);
	assert_false(h.held);
	says(2500, DHCP_ACK, mine, server, 1000);
	assert_int_equal(news, HOLD_GOT);
	assert_true(h.held);
	assert_int_equal(h.until, 2000 + 1000000);
	assert_int_equal(hold_due(&h), h.until);
	assert_int_equal(hold_release(&h, &q), 0); /* it is not ours to give back */
	/* once is enough, and late is too late */
	says(2600, DHCP_NAK, none, server, 0);
	assert_true(h.held);
	hold_asked(&h, 3000, &a, &news);
	says(3000 + 100000, DHCP_NAK, none, server, 0);
	assert_true(h.held);
	hold_asked(&h, 4000, &a, &news);
	says(4001, DHCP_NAK, none, server, 0);
	assert_int_equal(news, HOLD_REFUSED);
	assert_false(h.held);
	hold_asked(&h, 5000, &a, &news);
	says(5000, DHCP_ACK, mine, server, 1000);
	/* given back: that address, not another */
	a.type = DHCP_RELEASE;
	a.ip[3] = 51;
	hold_asked(&h, 6000, &a, &news);
	assert_true(h.held);
	a.ip[3] = 50;
	hold_asked(&h, 6000, &a, &news);
	assert_int_equal(news, HOLD_RELEASED);
	assert_false(h.held);
	a.type = DHCP_REQUEST;
	hold_asked(&h, 7000, &a, &news);
	says(7000, DHCP_ACK, mine, server, 1000);
	tick(1007000);
	assert_int_equal(news, HOLD_EXPIRED);
	assert_false(h.held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_of_it), cmocka_unit_test(classless), cmocka_unit_test(no_address),
					   cmocka_unit_test(no_answer), cmocka_unit_test(times), cmocka_unit_test(packets),
					   cmocka_unit_test(questions), cmocka_unit_test(life), cmocka_unit_test(nobody),
					   cmocka_unit_test(again), cmocka_unit_test(refused), cmocka_unit_test(given_back), cmocka_unit_test(table),
					   cmocka_unit_test(a_guest)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
