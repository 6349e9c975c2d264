/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTB, the kernel's hierarchical token bucket, at the egress of an interface, by rtnetlink. Its handle is 1:, a class is known by
 * its minor number. s: an rtnetlink socket in the namespace of the interface (rtnl.h). Rates: bytes a second.
 */
#ifndef CLOISTER_KERN_QDISC_H
#define CLOISTER_KERN_QDISC_H

#include <stdint.h>

#include "base/err.h"

/* The qdisc, made unless it is there. A frame whose priority names no class of it is dropped. */
int qdisc_htb(int s, int ifindex, struct err *e);

struct qdisc_class {
	uint32_t minor;
	uint32_t parent;  /* minor, 0: none. It never changes */
	uint64_t rate;    /* its own, whatever others do */
	uint64_t ceil;    /* with what its parent has left */
	uint32_t burst;   /* bytes at once, of either */
	uint32_t quantum; /* bytes before it is the next one's turn */
	uint32_t prio;    /* 0 to 7: who of those that wait gets first what is left */
};
struct qdisc_count { /* of an inner class: of all below it */
	uint64_t bytes, packets, drops;
	uint32_t backlog; /* bytes that wait */
};
/* Made or changed, and read back: -EIO if the kernel has other rates. */
int qdisc_class(int s, int ifindex, const struct qdisc_class *c, struct err *e);
/* -ENOENT. burst, quantum and parent are not told. n may be NULL. */
int qdisc_class_get(int s, int ifindex, uint32_t minor, struct qdisc_class *out, struct qdisc_count *n, struct err *e);
/* 0, also if it was not there. -EBUSY: it has classes below it. */
int qdisc_class_delete(int s, int ifindex, uint32_t minor, struct err *e);
/* How much may wait in a class that has none below it: bytes, before what comes is dropped. */
int qdisc_queue(int s, int ifindex, uint32_t minor, uint32_t bytes, struct err *e);

#endif
