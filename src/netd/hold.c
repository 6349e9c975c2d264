/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/hold.h"

#include <string.h>

#include "netd/dhcp.h"

#define SECOND     1000
#define FIRST_MS   4000  /* RFC 2131, 4.1: 4, 8, 16, 32, 64 s, each a second more or less */
#define MOST_MS    64000
#define TRIES      3     /* of a request that nobody answers, before all begins anew */
#define DECLINE_MS 10000 /* 3.1, 5 */
#define LEAST_MS   1000

static const uint8_t none[4], all[4] = {255, 255, 255, 255}, broadcast[6] = {255, 255, 255, 255, 255, 255};

static uint64_t backoff(unsigned tries, uint32_t chance)
{
	uint64_t ms = tries < 5 ? (uint64_t)FIRST_MS << tries : MOST_MS;

	if (ms > MOST_MS)
		ms = MOST_MS;
	return ms - SECOND + chance % (2 * SECOND + 1);
}

static void idle(struct hold *h, uint64_t due)
{
	h->state = HOLD_IDLE;
	h->tries = 0;
	h->due = due;
}

/* Whom it goes to, and what is said of addresses, differs by state: RFC 2131, table 4 and 5. */
static int ask(struct hold *h, uint64_t now, uint8_t type, struct question *q)
{
	bool own = h->state == HOLD_RENEW || h->state == HOLD_REBIND || type == DHCP_RELEASE;
	uint64_t secs = (now - h->since) / SECOND;

	*q = (struct question){.type = type, .xid = h->xid, .vlan = h->vlan, .cid = h->ncid ? h->cid : NULL, .ncid = h->ncid, .name = h->name,
			       .secs = (uint16_t)(secs > 0xffff ? 0xffff : secs)};
	memcpy(q->mac, h->mac, 6);
	memcpy(q->to_mac, broadcast, 6);
	memcpy(q->to, all, 4);
	if (own) {
		memcpy(q->ciaddr, h->has.ip, 4);
		memcpy(q->from, h->has.ip, 4);
	}
	/* to the server itself, by the card that its last answer came from: the server's, or its router's */
	if ((h->state == HOLD_RENEW || type == DHCP_RELEASE) && memcmp(h->has.server, none, 4) && !(h->server_mac[0] & 1)) {
		memcpy(q->to_mac, h->server_mac, 6);
		memcpy(q->to, h->has.server, 4);
	}
	if (h->state == HOLD_SELECT)
		memcpy(q->requested, h->hint, 4);
	else if (h->state == HOLD_REQUEST || h->state == HOLD_REBOOT || type == DHCP_DECLINE)
		memcpy(q->requested, h->has.ip, 4);
	if (h->state == HOLD_REQUEST || type == DHCP_DECLINE || type == DHCP_RELEASE)
		memcpy(q->server, h->has.server, 4);
	h->sent = now;
	return 1;
}

void hold_begin(struct hold *h, uint64_t now, const uint8_t ip[4], uint64_t until)
{
	h->held = false;
	h->failed = 0;
	h->since = now;
	memset(&h->has, 0, sizeof h->has);
	memset(h->server_mac, 255, sizeof h->server_mac);
	memcpy(h->hint, ip, 4);
	idle(h, h->watch ? UINT64_MAX : now);
	if (memcmp(ip, none, 4) == 0 || until <= now)
		return;
	h->held = true;
	h->until = until;
	memcpy(h->has.ip, ip, 4);
	if (h->watch)
		h->state = HOLD_BOUND;
}

/* Half of what is left until then, but not too often. */
static uint64_t half(const struct hold *h, uint64_t now, uint64_t end)
{
	uint64_t left = end > now ? end - now : 0, ms = left / 2, least = h->has.lease >= 600 ? 60 * SECOND : LEAST_MS;

	if (ms < least)
		ms = least;
	return ms < left ? now + ms : end;
}

static void lost(struct hold *h, uint64_t due)
{
	memcpy(h->hint, h->has.ip, 4);
	h->held = false;
	idle(h, h->watch ? UINT64_MAX : due);
}

static int begin(struct hold *h, uint64_t now, uint32_t chance, struct question *q)
{
	h->xid = chance;
	h->since = now;
	h->state = h->held ? HOLD_REBOOT : HOLD_SELECT;
	h->due = now + backoff(h->tries++, chance);
	return ask(h, now, h->held ? DHCP_REQUEST : DHCP_DISCOVER, q);
}

/* Nobody has answered. */
static int again(struct hold *h, uint64_t now, uint32_t chance, struct question *q)
{
	if (h->state != HOLD_SELECT && h->tries >= TRIES) {
		if (h->state == HOLD_REQUEST) {
			idle(h, now);
			return begin(h, now, chance, q);
		}
		/* it has it still, and goes on asking whoever there is */
		h->state = HOLD_REBIND;
		h->t2 = now;
		h->due = half(h, now, h->until);
		h->xid = chance;
		return ask(h, now, DHCP_REQUEST, q);
	}
	h->due = now + backoff(h->tries++, chance);
	/* a request goes on under the number of the offer, from whose time its lease counts */
	if (h->state == HOLD_REQUEST) {
		uint64_t first = h->sent;
		int r = ask(h, now, DHCP_REQUEST, q);

		h->sent = first;
		return r;
	}
	h->xid = chance;
	return ask(h, now, h->state == HOLD_SELECT ? DHCP_DISCOVER : DHCP_REQUEST, q);
}

uint64_t hold_due(const struct hold *h)
{
	return h->held && h->until < h->due ? h->until : h->due;
}

int hold_tick(struct hold *h, uint64_t now, uint32_t chance, struct question *q, enum hold_news *news)
{
	*news = HOLD_NOTHING;
	if (h->held && now >= h->until) {
		*news = HOLD_EXPIRED;
		lost(h, now);
	}
	if (now < h->due || h->watch)
		return 0;
	switch (h->state) {
	case HOLD_IDLE:
		return begin(h, now, chance, q);
	case HOLD_BOUND:
	case HOLD_RENEW:
	case HOLD_REBIND:
		if (h->state == HOLD_BOUND)
			h->since = now;
		h->state = now >= h->t2 ? HOLD_REBIND : HOLD_RENEW;
		h->due = half(h, now, h->state == HOLD_REBIND ? h->until : h->t2);
		h->xid = chance;
		return ask(h, now, DHCP_REQUEST, q);
	default:
		/* its end may come before the next question */
		return again(h, now, chance, q);
	}
}

static void bind_it(struct hold *h, const struct offer *o, const uint8_t from_mac[6])
{
	h->has = *o;
	h->held = true;
	h->failed = 0;
	h->tries = 0;
	h->state = HOLD_BOUND;
	h->t1 = h->sent + (uint64_t)o->t1 * SECOND;
	h->t2 = h->sent + (uint64_t)o->t2 * SECOND;
	h->until = h->sent + (uint64_t)o->lease * SECOND;
	h->due = h->watch ? UINT64_MAX : h->t1;
	memcpy(h->server_mac, from_mac, 6);
}

/* Its answer comes soon, or nobody knows whose it is. */
static int watched(struct hold *h, uint64_t now, const struct offer *o, const uint8_t from_mac[6], enum hold_news *news)
{
	if (h->state != HOLD_REQUEST || now - h->sent > MOST_MS || o->type == DHCP_OFFER)
		return 0;
	if (o->type == DHCP_ACK) {
		bind_it(h, o, from_mac);
		*news = HOLD_GOT;
		return 0;
	}
	h->state = HOLD_IDLE;
	if (h->held) {
		lost(h, 0);
		*news = HOLD_REFUSED;
	}
	return 0;
}

void hold_asked(struct hold *h, uint64_t now, const struct asked *a, enum hold_news *news)
{
	*news = HOLD_NOTHING;
	if (a->type == DHCP_REQUEST) {
		h->state = HOLD_REQUEST;
		h->xid = a->xid;
		h->sent = now;
	} else if ((a->type == DHCP_RELEASE || a->type == DHCP_DECLINE) && h->held && !memcmp(a->ip, h->has.ip, 4)) {
		lost(h, 0);
		*news = HOLD_RELEASED;
	}
}

int hold_answer(struct hold *h, uint64_t now, uint32_t chance, const struct offer *o, const uint8_t from_mac[6], struct question *q, enum hold_news *news)
{
	bool requested = h->state == HOLD_REQUEST || h->state == HOLD_REBOOT || h->state == HOLD_RENEW || h->state == HOLD_REBIND;

	*news = HOLD_NOTHING;
	if (h->watch)
		return watched(h, now, o, from_mac, news);
	if (h->state == HOLD_SELECT && o->type == DHCP_OFFER) {
		h->has = *o;
		h->state = HOLD_REQUEST;
		h->tries = 1;
		h->due = now + backoff(0, chance);
		return ask(h, now, DHCP_REQUEST, q);
	}
	if (!requested)
		return 0;
	/* the server that was chosen, or that has been asked by itself, has its say alone */
	if ((h->state == HOLD_REQUEST || h->state == HOLD_RENEW) && memcmp(o->server, h->has.server, 4))
		return 0;
	if (o->type == DHCP_NAK) {
		*news = h->held ? HOLD_REFUSED : HOLD_NOTHING;
		if (h->held)
			lost(h, 0);
		memset(h->hint, 0, sizeof h->hint);
		idle(h, now + (h->failed ? backoff(h->failed - 1, chance) : LEAST_MS));
		h->failed += h->failed < 16;
		return 0;
	}
	/* another address than the one that was asked for is no answer to it */
	if (o->type != DHCP_ACK || memcmp(o->ip, h->has.ip, 4))
		return 0;
	bind_it(h, o, from_mac);
	*news = HOLD_GOT;
	return 0;
}

int hold_decline(struct hold *h, uint64_t now, struct question *q)
{
	int r;

	if (!h->held)
		return 0;
	/* its own client's to find out */
	if (h->watch) {
		lost(h, 0);
		return 0;
	}
	h->state = HOLD_IDLE;
	r = ask(h, now, DHCP_DECLINE, q);
	h->held = false;
	memset(h->hint, 0, sizeof h->hint);
	idle(h, now + ((uint64_t)DECLINE_MS << (h->failed < 5 ? h->failed : 5)));
	h->failed += h->failed < 16;
	return r;
}

int hold_release(struct hold *h, struct question *q)
{
	int r;

	/* of what was not confirmed nobody knows whose it is */
	if (!h->held || h->watch || !memcmp(h->has.server, none, 4))
		return 0;
	h->state = HOLD_IDLE;
	r = ask(h, h->since, DHCP_RELEASE, q);
	memcpy(h->hint, h->has.ip, 4);
	h->held = false;
	return r;
}
