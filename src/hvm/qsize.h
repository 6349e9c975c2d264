/* SPDX-License-Identifier: MPL-2.0 */
/* How much memory and how many processors a machine has, asked of its monitor: what it says may be its guest's word by now. */
#ifndef CLOISTER_HVM_QSIZE_H
#define CLOISTER_HVM_QSIZE_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "hvm/qmp.h"

#define QSIZE_CPUS 1024 /* at most */

struct qsize {
	json_int_t base;               /* bytes it was started with */
	json_int_t room, asked, taken; /* of what can be added (QEMU_ROOM): in all; offered to its guest; what that has. 0, 0, 0: there is none */
	size_t cpus, cpus_most;        /* that are there, that can be */
	json_t *list;                  /* query-hotpluggable-cpus; owned: qsize_done() */
};
#define QSIZE_INIT ((struct qsize){.list = NULL})
#define _qsize_    __attribute__((cleanup(qsize_done)))

/* room, asked and taken; and base with them. */
int qsize_room(struct qmp *q, struct qsize *s, struct err *e);
int qsize_memory(struct qmp *q, struct qsize *s, struct err *e);
/* cpus, cpus_most and list. */
int qsize_cpus(struct qmp *q, struct qsize *s, struct err *e);
void qsize_done(struct qsize *s);

/* In the order of their places: the first of the list that is not there (there: false), or the last that is. Borrowed, NULL = none. */
const json_t *qsize_place(const struct qsize *s, bool there);
/* The cores that are there, in their order: as a machine of one socket has them, a thread each. New reference; NULL: this one is another. */
json_t *qsize_cores(const struct qsize *s);

#endif
