/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A record of the switch's log (bpf/log.h) as what people read. Pure, libc only. The frame in it is whatever a zone or the wire has sent: nothing
 * of it becomes text but numbers and addresses.
 */
#ifndef CLOISTER_ZONE_DROPLOG_H
#define CLOISTER_ZONE_DROPLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/switch.h"

#define DROPLOG_FILE "droplog" /* in a zone's run directory, while it has a log: net_log_note() */

enum droplog_what { DROPLOG_OTHER, DROPLOG_ARP, DROPLOG_IP4, DROPLOG_IP6 };

struct droplog {
	uint32_t from;       /* who has sent it, for who shares room among senders */
	uint32_t at;         /* port where it is counted; 0: the record has none */
	uint8_t reason;      /* DROP_*; DROP_NONE: let begin by a rule with log */
	uint8_t what;        /* of DROPLOG_OTHER macs and ethertype are all there is */
	uint8_t proto;       /* IP's */
	bool ports, types;   /* there are such */
	uint8_t rule[16];    /* zero: none */
	uint8_t macs[2][6];  /* to, from; zero: the record has none */
	uint16_t ethertype;
	uint8_t ip[2][16];   /* from, to; of IPv4 the first four */
	uint16_t port[2];    /* from, to */
	uint8_t type, code;
};

/* n: bytes of the record. 0, or -EBADMSG: it is none. */
int droplog_read(const struct sw_log *l, size_t n, struct droplog *out);
/* Whether they are the same to a reader: all but the port on the sender's side. */
bool droplog_same(const struct droplog *a, const struct droplog *b);
/* A JSON object. nic: the name of the port, "" = not known. Returns its length; nothing is written if there is no room for it: -ENOSPC. */
int droplog_json(const struct droplog *d, const char *nic, uint64_t count, char *out, size_t size);
#define DROPLOG_TEXT 512 /* what one object needs at most */

#endif
