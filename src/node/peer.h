/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Other nodes: who they are, and connections to them. A node is known by its certificate's fingerprint, as a host is to ssh by its key: it has
 * a key and a certificate of its own in <etc>/tls, made when they are first needed, and in <etc>/tls/peers a file for each node that may
 * connect, or be connected to. TLS itself is spoken by cloister-tls, a process without rights for each connection.
 */
#ifndef CLOISTER_NODE_PEER_H
#define CLOISTER_NODE_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ctx.h"

#define PEER_PRINT 64 /* letters of a fingerprint: SHA-256, in lower-case hex */
#define PEER_PORT  "7450"

/* This node's own; makes key and certificate where there are none. */
int peer_own(struct ctx *c, char print[PEER_PRINT + 1], struct err *e);
/* name: letters, digits, dot, dash; print: colons and capitals are taken too. -EEXIST: the name is another's. */
int peer_add(struct ctx *c, const char *name, const char *print, struct err *e);
int peer_remove(struct ctx *c, const char *name, struct err *e); /* -ENOENT */
int peer_each(struct ctx *c, int (*each)(const char *name, const char *print, void *arg), void *arg, struct err *e);
/* What it is called here; the fingerprint itself where it is not known. */
void peer_name(struct ctx *c, const char *print, char out[PEER_PRINT + 1]);

/* One connection. fd: plain bytes; whoever else holds it talks to the other node, and this end is the other's to close. */
struct peer {
	int fd;
	pid_t tls;
	char print[PEER_PRINT + 1]; /* of the other node; "" until the handshake is over */
};
#define PEER_INIT ((struct peer){.fd = -1})
#define _peer_    __attribute__((cleanup(peer_close)))

/* "host:port", "[::1]:port" or a host alone. Returns when the other has agreed: -EACCES: one does not know the other, and what to do. */
int peer_connect(struct ctx *c, const char *where, struct peer *p, struct err *e);
/* Listens there; "ADDRESS:PORT", "ADDRESS" or ":PORT". Not blocking. */
int peer_listen(const char *where, struct err *e);
/* Takes the connection over: peer_shaken() when p->fd can be read. */
int peer_accept(struct ctx *c, int net, struct peer *p, struct err *e);
/* Reads how the handshake ended. 0; -EAGAIN: it has not; -EACCES: who it is we do not know, with what to do. */
int peer_shaken(struct ctx *c, struct peer *p, struct err *e);
/* The other end of p->fd becomes fd, behind a last text of ours: it talks to the other node from then on. p is closed. */
int peer_hand_over(struct peer *p, const char *last, int fd, struct err *e);
/* Ends it, and cloister-tls with it; of one whose fd was taken (-1) that goes on. */
void peer_close(struct peer *p);
/* How often that cloister-tls has waited: it has had something to do in between where that grows. 0 = it has ended. */
uint64_t peer_turns(pid_t tls);
/* Each cloister-tls that this command has started, those with ends that were handed over too: whoever waits for what they bring hears that it is cut. */
void peer_end_all(void);

#endif
