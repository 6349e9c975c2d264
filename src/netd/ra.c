/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/ra.h"

#include <string.h>

#include "netd/wire.h"

#define RS 133
#define RA 134
#define LIFETIME (3 * RA_EVERY_S)

enum { OPT_SOURCE = 1, OPT_PREFIX = 3, OPT_MTU = 5, OPT_RDNSS = 25, OPT_DNSSL = 31 };

bool rs_valid(const uint8_t *p, size_t n, int hops, const uint8_t from[16])
{
	static const uint8_t none[16];
	bool nobody = memcmp(from, none, 16) == 0;

	if (n < 8 || p[0] != RS || p[1] != 0 || hops != 255)
		return false;
	for (size_t at = 8; at < n;) {
		size_t len;

		if (n - at < 2)
			return false;
		len = p[at + 1] * 8u;
		if (len == 0 || len > n - at || (p[at] == OPT_SOURCE && nobody))
			return false;
		at += len;
	}
	return true;
}

static void prefix(const struct table *t, struct wire *w, bool last)
{
	/* of one's own making only in a /64: that is what a link address fills up */
	uint8_t flags = (uint8_t)(0x80 | (t->subnet6.bits == 64 ? 0x40 : 0));

	wire_put(w, (const uint8_t[]){OPT_PREFIX, 4, t->subnet6.bits, flags}, 4);
	wire_u32(w, last ? 0 : 86400);
	wire_u32(w, last ? 0 : 14400);
	wire_u32(w, 0);
	wire_put(w, t->subnet6.ip, 16);
}

static void servers(const struct table *t, struct wire *w, bool last)
{
	uint8_t n = 0;

	for (size_t i = 0; i < t->ntold; i++)
		n += t->told[i].family == 6;
	if (!n)
		return;
	wire_put(w, (const uint8_t[]){OPT_RDNSS, (uint8_t)(1 + 2 * n), 0, 0}, 4);
	wire_u32(w, last ? 0 : LIFETIME);
	for (size_t i = 0; i < t->ntold; i++)
		if (t->told[i].family == 6)
			wire_put(w, t->told[i].ip, 16);
}

static void search(const struct table *t, struct wire *w, bool last)
{
	uint8_t name[NAME_MAX_DNS + 10] = {0};
	size_t n = t->domain[0] ? wire_name(t->domain, name) : 0;

	if (!n)
		return;
	n = (n + 7) / 8 * 8;
	wire_put(w, (const uint8_t[]){OPT_DNSSL, (uint8_t)(1 + n / 8), 0, 0}, 4);
	wire_u32(w, last ? 0 : LIFETIME);
	wire_put(w, name, n);
}

size_t ra_build(const struct table *t, const uint8_t mac[6], bool last, uint8_t out[RA_MAX])
{
	struct wire w = {.p = out, .cap = RA_MAX};
	bool dns6 = false;

	if (!t->ra || t->subnet6.family != 6)
		return 0;
	for (size_t i = 0; i < t->ntold; i++)
		dns6 |= t->told[i].family == 6;
	/* O: more is to be had by DHCPv6 */
	wire_put(&w, (const uint8_t[]){RA, 0, 0, 0, 64, dns6 ? 0x40 : 0}, 6);
	wire_u16(&w, 0); /* no way out by us: nothing routes IPv6 */
	wire_u32(&w, 0);
	wire_u32(&w, 0);
	wire_put(&w, (const uint8_t[]){OPT_SOURCE, 1}, 2);
	wire_put(&w, mac, 6);
	wire_put(&w, (const uint8_t[]){OPT_MTU, 1, 0, 0}, 4);
	wire_u32(&w, t->mtu);
	prefix(t, &w, last);
	servers(t, &w, last);
	search(t, &w, last);
	return w.full ? 0 : w.n;
}
