/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One NIC's lease from a server outside (RFC 2131, 4.4): asked for, renewed, lost. Time and chance are handed in, frames are handed out: pure.
 *
 *	IDLE ──▶ SELECT ──offer──▶ REQUEST ──ack──▶ BOUND ──T1──▶ RENEW ──T2──▶ REBIND ──end──▶ IDLE, lost
 *	  └────▶ REBOOT (it had one) ──ack──────────▶ │            └──ack──▶ BOUND ◀──ack──┘
 *
 * What no server confirms after REBOOT is kept for the time that it was given for; a NAK ends it at once.
 */
#ifndef CLOISTER_NETD_HOLD_H
#define CLOISTER_NETD_HOLD_H

#include "netd/client.h"

enum hold_state { HOLD_IDLE, HOLD_SELECT, HOLD_REQUEST, HOLD_REBOOT, HOLD_BOUND, HOLD_RENEW, HOLD_REBIND };
/* What is to be told: it has this lease, or has it again for longer; it has none any more: its time is over, the server said so, its own client gave it back. */
enum hold_news { HOLD_NOTHING, HOLD_GOT, HOLD_EXPIRED, HOLD_REFUSED, HOLD_RELEASED };

struct hold {
	/* the caller's */
	uint8_t mac[6];
	uint16_t vlan;
	bool watch;           /* it asks by itself: what it gets is learnt, and nothing is asked */
	uint8_t ncid;         /* 0: its link address is its id */
	uint8_t cid[255];
	char name[64];
	/* its own */
	enum hold_state state;
	bool held;            /* the NIC has has.ip */
	uint32_t xid;
	unsigned tries, failed;
	uint64_t due;         /* ms */
	uint64_t since, sent; /* when it began to ask; when it asked what is answered next */
	uint64_t t1, t2, until;
	uint8_t hint[4];      /* what it had before */
	uint8_t server_mac[6];
	struct offer has;
};

/* From the beginning. ip: what it had, 0.0.0.0: nothing; until: it is its until then (0: not any more). */
void hold_begin(struct hold *h, uint64_t now, const uint8_t ip[4], uint64_t until);
/* When hold_tick() has something to do. */
uint64_t hold_due(const struct hold *h);
/* When due. What is to be asked, if anything: 1 and *q; chance: any number, another one each time. */
int hold_tick(struct hold *h, uint64_t now, uint32_t chance, struct question *q, enum hold_news *news);
/* Of one that is watched: it has asked. */
void hold_asked(struct hold *h, uint64_t now, const struct asked *a, enum hold_news *news);
/* An answer to its question of number h->xid, from that card. Where it asks something at once: 1 and *q. */
int hold_answer(struct hold *h, uint64_t now, uint32_t chance, const struct offer *o, const uint8_t from_mac[6], struct question *q, enum hold_news *news);
/* The address can't be its own: somebody here has it. 1 and what the server is told. */
int hold_decline(struct hold *h, uint64_t now, struct question *q);
/* It is done with it: 1 and what the server is told, 0: it had none. */
int hold_release(struct hold *h, struct question *q);

#endif
