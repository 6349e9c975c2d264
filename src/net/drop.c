/* SPDX-License-Identifier: MPL-2.0 */
#include "net/drop.h"

#include <stddef.h>

#include "base/own.h"
#include "bpf/switch.h"

static const char *const names[] = {
	[DROP_NONE] = "none", [DROP_SHORT] = "malformed", [DROP_VLAN] = "vlan-tag", [DROP_MAC] = "mac-nospoof",
	[DROP_RESTRICTED] = "restricted", [DROP_IP4] = "ip-nospoof", [DROP_ARP] = "arp", [DROP_IP6] = "ip6-nospoof", [DROP_ND] = "nd",
	[DROP_RA] = "ra", [DROP_DHCP] = "dhcp-nospoof", [DROP_FRAGMENT] = "fragment", [DROP_BLOCKED] = "blocked-port",
	[DROP_UNKNOWN] = "no-such-mac", [DROP_FW_OUT] = "fw-out", [DROP_FW_IN] = "fw-in", [DROP_FW_STATE] = "fw-state",
	[DROP_FW_FULL] = "fw-full",
	[DROP_STORM] = "broadcast-rate", [DROP_OURS] = "own-address", [DROP_PEER] = "unknown-peer", [DROP_LONG] = "too-long",
};
_Static_assert(ARRAY_LEN(names) == DROP_REASONS, "each reason has a name");
_Static_assert(DROP_REASONS <= DROP_ROOM, "and a counter");

const char *drop_name(unsigned reason)
{
	return reason < DROP_REASONS ? names[reason] : NULL;
}
