/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A client of QEMU's machine protocol (QMP): JSON, a line each way. The other side is a program that a guest may have taken
 * over: what it says is bounded in length, time and number of lines, and its texts are made printable before anybody sees them.
 */
#ifndef CLOISTER_HVM_QMP_H
#define CLOISTER_HVM_QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define QMP_OWED_MAX 8u

struct qmp {
	int fd;
	struct buf in;   /* what has come and is no line yet */
	unsigned lines;  /* how many have come in all */
	uint64_t stopped_ns; /* CLOCK_MONOTONIC: when its guest stopped last, as it says; 0 = it has not since we listen */
	const char *owed[QMP_OWED_MAX]; /* commands that were said, and whose answers have not been heard */
	unsigned nowed;
	uint64_t until; /* CLOCK_MONOTONIC: qmp_bound(); 0 = none */
};
#define QMP_INIT ((struct qmp){.fd = -1, .in = BUF_INIT})
#define _qmp_    __attribute__((cleanup(qmp_close)))

#define QMP_LINE_MAX (1u << 20)
#define QMP_LINES_MAX 4096u

/* Connects and gets as far as commands. ms: for all of it. -ETIME: it does not answer, or talks to somebody else. */
int qmp_open(const char *path, int ms, struct qmp *q, struct err *e);
void qmp_close(struct qmp *q);
/* Whatever is still said and heard here ends within ms, all of it together: a monitor may take its time with each answer. */
void qmp_bound(struct qmp *q, int ms);
/*
 * One command. args: taken over, NULL = none. *ret (may be NULL): new reference. What it refuses is -EREMOTEIO with its own words;
 * -EPIPE: it has ended meanwhile.
 */
int qmp_do(struct qmp *q, const char *command, json_t *args, int ms, json_t **ret, struct err *e);
/* The same with a descriptor beside it, for add-fd. */
int qmp_do_fd(struct qmp *q, const char *command, json_t *args, int fd, int ms, json_t **ret, struct err *e);
/*
 * Says it and goes on: its answer is heard before the next one's, by whatever comes next. command: a literal. A refusal is that one's
 * failure, and names this command.
 */
int qmp_say(struct qmp *q, const char *command, json_t *args, int ms, struct err *e);
/* Hears what is owed. */
int qmp_settle(struct qmp *q, int ms, struct err *e);
/* Lets the guest run. 0 as soon as QEMU has said that it does: the answer to it comes when the guest leaves QEMU the time. 1: it took it, and has not said so. */
int qmp_cont(struct qmp *q, int ms, struct err *e);
/* Waits for the next event of that name; what comes during a command is not kept. -ETIME. */
int qmp_event(struct qmp *q, const char *name, int ms, struct err *e);

/*
 * The guest's own agent (qemu-ga), at a socket of its port: the same lines without a greeting and events. Connects, and has it say that it
 * is there and listens to us: what it still says to somebody else goes by. qmp_do() from then on.
 */
int qmp_agent(const char *path, int ms, struct qmp *q, struct err *e);
/* Whether a line of it is the answer to that, and the number in it. For the client and the fuzzer. */
bool qmp_sync(const char *text, size_t n, json_int_t *id);

/*
 * One line of it, for the client and the fuzzer. QMP_OTHER: what nobody has asked for.
 * *value: the returned one, or the event's name; new reference; why: QEMU's words, printable.
 */
enum qmp_kind { QMP_BAD, QMP_OTHER, QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };
enum qmp_kind qmp_line(const char *text, size_t n, json_t **value, char why[256]);

#endif
