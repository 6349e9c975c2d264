/* SPDX-License-Identifier: MPL-2.0 */
/* Terminals: raw mode that is always given back, window sizes, and pseudo terminals of a zone's own devpts. */
#ifndef CLOISTER_KERN_TTY_H
#define CLOISTER_KERN_TTY_H

#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"

/* A terminal's settings before we changed them; on = there is something to give back. */
struct tty_saved {
	int fd;
	bool on;
	struct termios old;
};
#define TTY_SAVED_INIT ((struct tty_saved){.fd = -1})
#define _tty_          __attribute__((cleanup(tty_restore)))

/* Raw: every byte passes, no echo, no signals. Not a terminal: 0 and nothing to restore. */
int tty_raw(int fd, struct tty_saved *s, struct err *e);
/* Gives the old settings back, once; works on a saved set that is not on. */
void tty_restore(struct tty_saved *s);
/* The same settings for another terminal (a new pty looks like the caller's). */
void tty_copy_settings(const struct tty_saved *from, int fd);
/* Copies the window's size; silently nothing where `from` is no terminal. */
void tty_copy_size(int from, int to);

/* A pty of this process' own namespace (zoneadmd makes its console there). name: "/dev/pts/N". */
int tty_pair(int *master, int *slave, char name[32], struct err *e);
/*
 * A pty of the devpts that is mounted at dev/pts below rootfd, owned by uid:gid. No link is followed and whatever is
 * not the pty multiplexer of a devpts is refused before it is opened: the path is the zone's.
 */
int tty_pair_in(int rootfd, uid_t uid, gid_t gid, int *master, int *slave, char name[32], struct err *e);

#endif
