/* SPDX-License-Identifier: MPL-2.0 */
/* Why the switch drops a frame, in words: "mac-nospoof", "arp", …; NULL past the last. The order is enum sw_drop's. */
#ifndef CLOISTER_NET_DROP_H
#define CLOISTER_NET_DROP_H

const char *drop_name(unsigned reason);

#endif
