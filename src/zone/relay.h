/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Between a person's descriptors and a program in a zone: copies bytes both ways, obeys the escape character, follows
 * the window's size, hands signals on, and leaves when the program has ended and its output has been delivered.
 */
#ifndef CLOISTER_ZONE_RELAY_H
#define CLOISTER_ZONE_RELAY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "kern/tty.h"

/* ---- the escape: "~." at the beginning of a line leaves, "~^Z" suspends, "~~" is one "~" ---- */
struct esc {
	char c;      /* 0 = none */
	bool begun;  /* the last byte was not the end of a line */
	bool pending; /* c stood at the beginning of a line */
};
enum esc_act { ESC_NONE, ESC_LEAVE, ESC_SUSPEND };
/*
 * Copies in to out (room for n + 1 bytes) without what was an escape; *taken bytes of in are dealt with when it returns
 * (less than n only together with an action).
 */
enum esc_act esc_feed(struct esc *x, const char *in, size_t n, size_t *taken, char *out, size_t *len);

#define RELAY_BUF 16384
struct relay_way {
	int from, to;      /* -1 = not there. Ours (of the zone's side) are non-blocking, closed when this way ends */
	bool inward;       /* from the person to the program */
	char *buf;         /* owned, RELAY_BUF bytes */
	size_t at, len;
};

struct relay {
	struct relay_way way[3];
	size_t nways;
	int pidfd;         /* readable when the program has ended; -1 = until the other side closes */
	int sigfd;         /* signalfd, see relay_signals() */
	pid_t pid;         /* whose process group gets the signals; 0 = nobody */
	int master;        /* the pty's, also in way[]; -1 = none */
	struct tty_saved *tty;
	int tty_in;        /* the person's terminal */
	struct esc esc;
};

/* Blocks what relay handles (INT, TERM, HUP, QUIT, WINCH, CHLD), the mask before in *old, and returns a signalfd for them. */
int relay_signals(sigset_t *old, struct err *e);
/*
 * 0 when the program ended or the person left (*left), or 128+n when signal n told us to leave. A slow reader makes us
 * wait; nothing is dropped.
 */
int relay_run(struct relay *r, bool *left, struct err *e);
/*
 * waitpid for r->pid, once relay_run says that it has ended: 0, 128+n, or -errno. A tracer in the zone may hold its
 * remains for as long as it likes; whoever waits for them out here can still be interrupted.
 */
int relay_reap(struct relay *r, int *status);
/* Closes our ends and frees the buffers of the ways. */
void relay_done(struct relay *r);

#endif
