/* SPDX-License-Identifier: MPL-2.0 */
/* A message of DHCPv4 (RFC 951, 2131, 2132): where what stands in it, and its options read. For who asks and who answers. Pure. */
#ifndef CLOISTER_NETD_BOOTP_H
#define CLOISTER_NETD_BOOTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_XID     4
#define AT_SECS    8
#define AT_CIADDR  12
#define AT_YIADDR  16
#define AT_GIADDR  24
#define AT_CHADDR  28
#define AT_SNAME   44
#define AT_FILE    108
#define AT_COOKIE  236
#define AT_OPTIONS 240

enum bootp_op { BOOTP_ASKS = 1, BOOTP_ANSWERS = 2 };
enum {
	OPT_PAD = 0, OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_HOSTNAME = 12, OPT_DOMAIN = 15, OPT_MTU = 26, OPT_BROADCAST = 28, OPT_STATIC = 33,
	OPT_REQUESTED = 50, OPT_LEASE = 51, OPT_OVERLOAD = 52, OPT_TYPE = 53, OPT_SERVER = 54, OPT_WANTED = 55, OPT_SIZE = 57, OPT_T1 = 58, OPT_T2 = 59,
	OPT_CLIENT = 61, OPT_CLASSLESS = 121, OPT_END = 255,
};

extern const uint8_t bootp_cookie[4];

/* n bytes are such a message, of Ethernet, as far as its options. */
bool bootp_is(const uint8_t *m, size_t n, enum bootp_op op);
/*
 * Its options in their order, then those in the fields of file and server, where an OPT_OVERLOAD says so (the first one counts, and if it has
 * another length than 1 none does). m: bootp_is(). false: a field ends in the middle of an option, or each did not
 * want one. A field without its end is fine: some clients leave that out.
 */
bool bootp_options(const uint8_t *m, size_t n, bool (*each)(void *arg, unsigned code, const uint8_t *v, size_t len), void *arg);

#endif
