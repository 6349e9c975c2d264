/* SPDX-License-Identifier: MPL-2.0 */
/* Places that clients share: questions under way, connections. Nobody is without because another has them all, or many others have. */
#ifndef CLOISTER_NETD_SLOTS_H
#define CLOISTER_NETD_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slot {
	bool used;
	uint64_t who;   /* the client, as client_of() has it */
	uint64_t since; /* of use; the least is the oldest */
};

/*
 * The place for one more of this client's, of n that lie stride bytes apart. It may be in use: then it is the oldest of who has most, more than this one
 * has, and the caller ends that one first. NULL: this client has as many as it may, each, or all have as few as it.
 */
struct slot *slot_for(void *first, size_t stride, size_t n, unsigned each, uint64_t who);

#endif
