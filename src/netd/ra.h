/* SPDX-License-Identifier: MPL-2.0 */
/* Router advertisements (RFC 4861, 8106): prefix for addresses of one's own, name servers, MTU. Pure. */
#ifndef CLOISTER_NETD_RA_H
#define CLOISTER_NETD_RA_H

#include "netd/table.h"

#define RA_MAX 512
#define RA_EVERY_S 200 /* unasked; MaxRtrAdvInterval of 600 and more is for links whose hosts come slowly */

/* Whether n bytes of ICMPv6 that came with this hop limit are a solicitation that may be answered. from: its sender, all 0 for none. */
bool rs_valid(const uint8_t *p, size_t n, int hops, const uint8_t from[16]);
/* An advertisement without its checksum, which the kernel puts in; mac: ours. last: we are a router no more. 0: the table has no prefix. */
size_t ra_build(const struct table *t, const uint8_t mac[6], bool last, uint8_t out[RA_MAX]);

#endif
