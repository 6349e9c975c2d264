/* SPDX-License-Identifier: MPL-2.0 */
/* Connections to other nodes: TCP here, TLS in cloister-tls. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/child.h"
#include "kern/sock.h"
#include "node/peer.h"

#define OWNER      "4294901763" /* 0xffff0003: no zone's */
#define CONNECT_MS 10000
#define SHAKE_MS   20000
/* A link that is dead is noticed within this time, whether or not there is something to say. */
#define DEAD_S 20
#define ALIVE_S 5
#define LINE_S  5
#define PLAIN_ROOM (512 << 10) /* of the plain socket: with the usual 208 KiB one end waits for the other too often */

/* ---- processes ---- */

/* Those of this command that have not been waited for. One that was handed over lives as long as its ends do. */
static pid_t *procs;
static size_t nprocs;

/* A command that listens for days meets any number of strangers, and each of them leaves one that has ended. */
static void reap(void)
{
	for (size_t i = nprocs; i-- > 0;)
		if (waitpid(procs[i], NULL, WNOHANG) != 0)
			procs[i] = procs[--nprocs];
}

static void note(pid_t pid)
{
	procs = xrealloc(procs, (nprocs + 1) * sizeof *procs);
	procs[nprocs++] = pid;
}

/* Not waited for yet: the number is still its own. */
static void end_one(size_t i)
{
	kill(procs[i], SIGKILL);
	while (waitpid(procs[i], NULL, 0) < 0 && errno == EINTR)
		continue;
	procs[i] = procs[--nprocs];
}

void peer_end_all(void)
{
	while (nprocs > 0)
		end_one(nprocs - 1);
}

uint64_t peer_turns(pid_t tls)
{
	_free_ char *path = xprintf("/proc/%d/status", (int)tls);
	_buf_ struct buf b = BUF_INIT;
	const char *p;
	uint64_t n = 0;

	if (file_read(AT_FDCWD, path, 65536, &b, NULL) < 0)
		return 0;
	/* of its own will and not */
	for (p = buf_str(&b); (p = strstr(p, "voluntary_ctxt_switches:")); p++)
		n += strtoull(strchr(p, ':') + 1, NULL, 10);
	return n;
}

static int all_prints(const char *name, const char *print, void *arg)
{
	buf_printf(arg, "%s\n", print);
	return 0;
}

static int peers_file(struct ctx *c, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	_fd_ int fd = memfd_create("peers", MFD_CLOEXEC);
	int r = fd < 0 ? err_sys(e, errno, "memory") : peer_each(c, all_prints, &b, e);

	if (r == 0)
		r = fd_write_all(fd, buf_str(&b), b.len);
	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(e, errno, "memory") : take_fd(&fd);
}

static void tune(int net)
{
	const int on = 1, idle = ALIVE_S, n = DEAD_S / ALIVE_S - 1, dead = DEAD_S * 1000;

	/* what of these a kernel hasn't makes a dead link's end later, no more */
	setsockopt(net, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(net, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(net, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(net, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof idle);
	setsockopt(net, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof n);
	setsockopt(net, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
}

/* cloister-tls at a TCP socket; p->fd is the plain end. */
static int start(struct ctx *c, const char *how, int net, struct peer *p, struct err *e)
{
	_free_ char *prog = xprintf("%s/cloister-tls", c->libexec), *key = xprintf("%s/tls/key.pem", c->node.etc);
	_free_ char *cert = xprintf("%s/tls/cert.pem", c->node.etc);
	const int room = PLAIN_ROOM;
	const char *argv[] = {prog, how, OWNER, NULL}, *const env[] = {"LC_ALL=C", NULL};
	_fd_ int peers = peers_file(c, e), k = -1, crt = -1, mine = -1;
	struct child child = CHILD_INIT;
	int sv[2], r;

	if (peers < 0)
		return peers;
	k = open(key, O_RDONLY | O_CLOEXEC);
	crt = open(cert, O_RDONLY | O_CLOEXEC);
	if (k < 0 || crt < 0)
		return err_sys(e, errno, "%s", k < 0 ? key : cert);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, errno, "socketpair");
	mine = sv[0];
	for (int i = 0; i < 2; i++)
		setsockopt(sv[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	tune(net);
	/* a line that is begun and not ended is not waited for: who talks to strangers may be one by now */
	setsockopt(mine, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){LINE_S, 0}, sizeof(struct timeval));
	reap();
	r = child_start(&child, argv, env, (int[]){sv[1], -1, 2, net, k, crt, peers}, 7, e);
	close(sv[1]);
	if (r < 0)
		return r;
	own_fd(&child.pidfd);
	note(child.pid);
	*p = (struct peer){.fd = take_fd(&mine), .tls = child.pid};
	return 0;
}

/* ---- addresses ---- */

/* "[::1]:7450" → "::1", "7450". A colon alone that is not in brackets stands before a port; more of them are an address. */
static int split(const char *where, char host[256], char port[16], struct err *e)
{
	const char *colon = strrchr(where, ':'), *end = *where == '[' ? strchr(where, ']') : NULL;
	size_t n;

	strcpy(port, PEER_PORT);
	if (*where == '[' && !end)
		return err_set(e, EINVAL, "\"%.80s\": a bracket is missing", where);
	if (end) {
		n = (size_t)(end - where - 1);
		colon = end[1] == ':' ? end + 1 : NULL;
		where++;
	} else {
		if (colon && strchr(where, ':') != colon)
			colon = NULL;
		n = colon ? (size_t)(colon - where) : strlen(where);
	}
	if (n > 255 || (colon && (!colon[1] || strlen(colon + 1) > 15)))
		return err_set(e, EINVAL, "\"%.80s\" is no address: HOST:PORT", where);
	memcpy(host, where, n);
	host[n] = 0;
	if (colon)
		strcpy(port, colon + 1);
	return 0;
}

static int look_up(const char *where, int flags, struct addrinfo **ai, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
	char host[256], port[16];
	int r = split(where, host, port, e);

	if (r < 0)
		return r;
	r = getaddrinfo(*host ? host : NULL, port, &hints, ai);
	return r == 0 ? 0 : err_set(e, EHOSTUNREACH, "%.80s: %s", where, gai_strerror(r));
}

static int dial(const struct addrinfo *a)
{
	_fd_ int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t n = sizeof(int);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&p, 1, CONNECT_MS) <= 0)
			return -ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &r, &n) < 0 || r)
			return -(r ?: errno);
	}
	return take_fd(&fd);
}

int peer_listen(const char *where, struct err *e)
{
	struct addrinfo *ai = NULL;
	_fd_ int fd = -1;
	const int on = 1;
	int r = look_up(where, AI_PASSIVE, &ai, e);

	if (r < 0)
		return r;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 64) < 0)
		r = err_sys(e, errno, "listen at %.80s", where);
	freeaddrinfo(ai);
	return r < 0 ? r : take_fd(&fd);
}

/* ---- connections ---- */

/* The line, a letter at a time: what is behind it is the other node's. 1 = there it is. */
static int line(int fd, char *out, size_t size)
{
	size_t n = 0;
	int r = 0;

	while (n + 1 < size && (r = (int)recv(fd, out + n, 1, n ? 0 : MSG_DONTWAIT)) == 1 && out[n] != '\n')
		n++;
	out[n] = 0;
	return r == 1 ? 1 : r < 0 && errno == EAGAIN ? -EAGAIN : -EPIPE;
}

int peer_shaken(struct ctx *c, struct peer *p, struct err *e)
{
	char text[256], own[PEER_PRINT + 1] = "?";
	int r = line(p->fd, text, sizeof text);

	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return err_set(e, EPIPE, "cloister-tls has ended without a word");
	if (str_starts(text, "ok ") && strlen(text) == 3 + PEER_PRINT) {
		strcpy(p->print, text + 3);
		return 0;
	}
	if (str_starts(text, "unknown ")) {
		err_set(e, EACCES, "that node is not known here: its fingerprint is %s", text + strlen("unknown "));
		return err_hint(e, "If that is what `cloister peer show` says there: cloister peer add NAME %.64s", text + strlen("unknown "));
	}
	if (str_eq(text, "refused")) {
		peer_own(c, own, NULL);
		err_set(e, EACCES, "this node is not known there");
		return err_hint(e, "There: cloister peer add NAME %s", own);
	}
	return err_set(e, EPROTO, "no TLS with that node: %s", str_starts(text, "failed ") ? text + strlen("failed ") : "?");
}

int peer_connect(struct ctx *c, const char *where, struct peer *p, struct err *e)
{
	struct addrinfo *ai = NULL;
	char own[PEER_PRINT + 1];
	struct pollfd w;
	_fd_ int net = -1;
	int r = peer_own(c, own, e);

	if (r == 0)
		r = look_up(where, 0, &ai, e);
	if (r < 0)
		return r;
	for (const struct addrinfo *a = ai; a && net < 0; a = a->ai_next)
		r = net = dial(a);
	freeaddrinfo(ai);
	if (net < 0) {
		err_sys(e, r, "connect to %.80s", where);
		return r == -ECONNREFUSED ? err_hint(e, "Nobody listens: there, vmadm receive -l ADDRESS:PORT") : r;
	}
	r = start(c, "connect", net, p, e);
	if (r < 0)
		return r;
	w = (struct pollfd){.fd = p->fd, .events = POLLIN};
	r = poll(&w, 1, SHAKE_MS) > 0 ? peer_shaken(c, p, e) : err_set(e, ETIME, "no answer within %d s", SHAKE_MS / 1000);
	if (r < 0) {
		peer_close(p);
		err_add(e, "%.80s", where);
	}
	return r;
}

int peer_accept(struct ctx *c, int net, struct peer *p, struct err *e)
{
	char own[PEER_PRINT + 1];
	_fd_ int fd = net;
	int r = peer_own(c, own, e);

	return r < 0 ? r : start(c, "accept", fd, p, e);
}

int peer_hand_over(struct peer *p, const char *last, int fd, struct err *e)
{
	size_t n = strlen(last);

	/* cloister-tls waits for both its ends at once, and has no right to say so of one that it gets */
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_sys(e, errno, "socket");
	if (sock_send_with(p->fd, last, n, 0, fd) != (ssize_t)n)
		return err_sys(e, errno, "cloister-tls");
	own_fd(&p->fd);
	return 0;
}

void peer_close(struct peer *p)
{
	bool mine = p->fd >= 0;

	own_fd(&p->fd);
	/* what was said last goes out, and it ends by itself; a stranger was told nothing */
	for (size_t i = nprocs; mine && !*p->print && i-- > 0;)
		if (procs[i] == p->tls) {
			end_one(i);
			break;
		}
	*p = PEER_INIT;
}
