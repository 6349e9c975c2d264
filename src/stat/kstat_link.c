/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The statistics of a link, in the order of their names. i and r are what it received, o what it sent, as illumos has them. What was
 * dropped of what it tried to send counts by reason; there is a name for each that cloister net tells.
 */
#include <string.h>

#include "base/own.h"
#include "net/drop.h"
#include "stat/kstat.h"

/* "drop_mac_nospoof" of "mac-nospoof"; there are as many as enum sw_drop has. */
static const char *drop_stat(unsigned reason, char out[40])
{
	snprintf(out, 40, "drop_%s", drop_name(reason));
	for (char *p = out; *p; p++)
		*p = *p == '-' ? '_' : *p;
	return out;
}

enum { ST_CLASS, ST_CRTIME, ST_DROPS, ST_IERRORS, ST_IPACKETS, ST_OBYTES, ST_OERRORS, ST_OPACKETS, ST_RBYTES, ST_SNAPTIME, ST_ZONENAME };
static const char *const names[] = {"class", "crtime", NULL, "ierrors", "ipackets64", "obytes64", "oerrors", "opackets64", "rbytes64", "snaptime", "zonename"};

void kstat_link_order(unsigned order[DROP_REASONS])
{
	char a[40], b[40];

	for (unsigned i = 1; i < DROP_REASONS; i++) {
		unsigned before = 0;

		for (unsigned j = 1; j < DROP_REASONS; j++)
			before += strcmp(drop_stat(j, a), drop_stat(i, b)) < 0;
		order[before] = i;
	}
}

static uint64_t value(unsigned which, const struct sw_count *c)
{
	uint64_t all = 0;

	for (unsigned i = 1; i < DROP_REASONS; i++)
		all += i == DROP_FW_IN ? 0 : c->drops[i];
	switch (which) {
	case ST_IERRORS: return c->drops[DROP_FW_IN];
	case ST_IPACKETS: return c->rpackets;
	case ST_OBYTES: return c->obytes;
	case ST_OERRORS: return all;
	case ST_OPACKETS: return c->opackets;
	case ST_RBYTES: return c->rbytes;
	default: return 0;
	}
}

bool kstat_link_stat(unsigned n, const unsigned order[DROP_REASONS], const struct sw_count *c, struct kstat_item *out, char text[40])
{
	unsigned drops = DROP_REASONS - 1, which = n < ST_DROPS ? n : n < ST_DROPS + drops ? (unsigned)ST_DROPS : n - drops + 1;

	if (which >= ARRAY_LEN(names))
		return false;
	out->kind = which == ST_CLASS || which == ST_ZONENAME ? KV_TEXT : which == ST_CRTIME || which == ST_SNAPTIME ? KV_SECONDS : KV_NUMBER;
	out->stat = names[which];
	if (which == ST_DROPS) {
		unsigned reason = order[n - ST_DROPS];

		out->stat = drop_stat(reason, text);
		out->number = c->drops[reason];
	} else if (out->kind == KV_NUMBER) {
		out->number = value(which, c);
	}
	return true;
}
