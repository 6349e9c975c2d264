/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A line of QEMU's control protocol that tells of something (an event), for the worker, which has no JSON. What is read of it are words
 * and no more: the monitor may be a guest's by now, and these words end in the node's event log. Pure; libc only.
 */
#ifndef CLOISTER_ZONE_QEVENT_H
#define CLOISTER_ZONE_QEVENT_H

#include <stdbool.h>
#include <stddef.h>

#define QEVENT_WORD 48

struct qevent {
	char name[QEVENT_WORD];      /* SHUTDOWN, RESET, GUEST_PANICKED, BLOCK_IO_ERROR… */
	char reason[QEVENT_WORD];    /* guest-shutdown, host-signal…; empty: none is said */
	char action[QEVENT_WORD], operation[QEVENT_WORD], device[QEVENT_WORD];
	bool guest, nospace; /* nospace: of the pool, or of the quota */
};

/* 0, or -ENOMSG: a line that tells of nothing. Words are of A-Z a-z 0-9 _ . -, cut at their end. */
int qevent_read(const char *line, size_t n, struct qevent *out);
/* Of the answer to query-status: running, paused, io-error…; false: the line is none. */
bool qevent_status(const char *line, size_t n, char out[QEVENT_WORD]);

#endif
