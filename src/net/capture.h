/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Frames of one VNIC as the kernel hands them to packet sockets, which are all there is: nothing is attached, and what is killed leaves
 * nothing. One socket is at the switch's end and sees what the VNIC sends before anything judges it; the other is at the VNIC's own end
 * and sees what it receives, whichever way the switch sent it. Each is blind to the other direction, so no frame comes twice.
 */
#ifndef CLOISTER_NET_CAPTURE_H
#define CLOISTER_NET_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CAPTURE_MAX 262144 /* bytes of a frame */

struct frame_seen {
	uint64_t wall_ns;
	uint32_t have, whole;
	bool full; /* there is one */
	uint8_t bytes[CAPTURE_MAX];
};

/* What arrives at interface ifindex of the namespace of descriptor ns. */
int capture_open(int ns, int ifindex, struct err *e);
/* The other direction: what is sent out there. A tap has no other end to listen at. */
int capture_open_out(int ns, int ifindex, struct err *e);
/* The next one, at most snaplen of its bytes: 1, 0 = none now, -ENETDOWN and others. */
int capture_next(int s, uint32_t snaplen, struct frame_seen *f);
/* How many it had no room for. */
uint64_t capture_lost(int s);

#endif
