/* SPDX-License-Identifier: MPL-2.0 */
/* Unix sockets, of type SOCK_SEQPACKET (one message, one packet) where nothing else is said. Libc only. */
#ifndef CLOISTER_KERN_SOCK_H
#define CLOISTER_KERN_SOCK_H

#include <sys/types.h>

#include "base/err.h"

/* Listens at dir/name, 0600, in place of what stood there (one rename; dir is a descriptor). Not blocking. */
int sock_listen(int dir, const char *name, struct err *e);
/*
 * The same of type SOCK_STREAM, and who connects to it: for what speaks a protocol of lines. -ETIME: who listens has taken nobody who called
 * for that long (a socket has room for a few; without a limit one waits for ever there).
 */
int sock_serve(int dir, const char *name, struct err *e);
int sock_call(const char *path, int ms, struct err *e);
/* A datagram socket at name below dir, for the owner uid alone; nonblocking. For what a zone's init, or a login, has to say. */
int sock_hear(int dir, const char *name, uid_t uid, struct err *e);
/* Connects to a socket by path; paths longer than sun_path are reached through a descriptor of the folder. */
int sock_connect(const char *path, struct err *e);
/* The same to a datagram socket; what is sent waits ms for room there. */
int sock_tell(const char *path, int ms, struct err *e);
/* One letter with a descriptor, and its other end: the letter, or negative errno (a closed socket is -EPIPE). */
int sock_send_fd(int sock, char c, int fd);
/* As send(2), with a descriptor beside the first byte. */
ssize_t sock_send_with(int sock, const void *p, size_t n, int flags, int fd);
int sock_recv_fd(int sock, int *fd);
/* recv(2) of a message that may have a descriptor with it (close-on-exec); *fd = -1: it has none. */
ssize_t sock_recv(int sock, void *p, size_t n, int *fd);

#endif
