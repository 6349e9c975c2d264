/* SPDX-License-Identifier: MPL-2.0 */
/* The capture file of tcpdump and wireshark: pcapng (draft-ietf-opsawg-pcapng), one Ethernet interface, nanoseconds. Pure. */
#ifndef CLOISTER_NET_PCAP_H
#define CLOISTER_NET_PCAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* What comes before the first frame. name: of the interface; filter may be "". */
void pcap_begin(struct buf *out, const char *name, const char *filter, uint32_t snaplen);
/* have bytes of a frame that was `whole` long. received: by the VNIC, else it sent it. */
void pcap_frame(struct buf *out, uint64_t wall_ns, bool received, const void *frame, uint32_t have, uint32_t whole);
/* How many there were, and how many the kernel had no room for. */
void pcap_end(struct buf *out, uint64_t wall_ns, uint64_t frames, uint64_t lost);

#endif
