/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The TCP side of a machine's screen: who connects at vnc_host:vnc_port gets a connection to vm.vnc in the run directory, and bytes go to
 * and fro. Nothing of them is read here. Who connects is anybody who reaches the address: there are few places, and who
 * holds one without getting as far as a screen loses it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "zone/settings.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define PAIRS_MAX 8
_Static_assert(2 * PAIRS_MAX + 1 <= PART_FDS, "the worker polls no more");
#define SECOND    1000000000ULL
#define AGAIN     (5 * SECOND)  /* a port that another has just now */
#define GREETING  (30 * SECOND) /* to have said more than a handshake is, … */
#define HANDSHAKE 30            /* … in bytes: version, kind, answer to the challenge, and the first of what comes then */
#define PORT_FILE "vnc.port"

struct way {
	char data[16384];
	size_t len;
};

struct pair {
	int fd[2];         /* the client's, QEMU's */
	struct way way[2]; /* what has come from each, for the other */
	uint64_t said;     /* bytes of the client */
	uint64_t by;       /* when it has to have greeted; 0 = it has */
};

static struct {
	int fd;            /* -1: none is wanted, or it could not be had */
	int port;          /* as it is set, -1 = none */
	char host[48];
	uint64_t again;
	struct pair pair[PAIRS_MAX];
	int n;
} screen = {.fd = -1, .port = -1};

static void drop(int i)
{
	struct pair *p = &screen.pair[i], *last = &screen.pair[--screen.n];

	close(p->fd[0]);
	close(p->fd[1]);
	if (p != last)
		*p = *last;
}

/* ---- the port ---- */

static socklen_t address(int port, struct sockaddr_storage *a)
{
	struct sockaddr_in *a4 = (struct sockaddr_in *)a;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)a;

	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, screen.host, &a4->sin_addr) == 1) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons((uint16_t)port);
		return sizeof *a4;
	}
	if (inet_pton(AF_INET6, screen.host, &a6->sin6_addr) != 1)
		return 0;
	a6->sin6_family = AF_INET6;
	a6->sin6_port = htons((uint16_t)port);
	return sizeof *a6;
}

static int listen_port(int port)
{
	struct sockaddr_storage a;
	socklen_t n = address(port, &a);
	_fd_ int fd = n ? socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;

	if (fd < 0)
		return n ? -errno : -EINVAL;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, PAIRS_MAX) < 0)
		return -errno;
	return take_fd(&fd);
}

/* The one that the worker before us had. */
static int port_before(void)
{
	_buf_ struct buf b = BUF_INIT;
	int port = 0;

	return file_read(FD_RUN, PORT_FILE, 64, &b, NULL) == 0 && sscanf(buf_str(&b), "%d", &port) == 1 && port > 0 && port < 65536 ? port : 0;
}

static void port_note(void)
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof a;
	_buf_ struct buf b = BUF_INIT;

	if (getsockname(screen.fd, (struct sockaddr *)&a, &n) < 0)
		return;
	buf_printf(&b, "%u\n", ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port));
	put_file(FD_RUN, PORT_FILE, &b, NULL);
}

static int open_port(void)
{
	int before = screen.port == 0 ? port_before() : 0;
	int fd = listen_port(before ? before : screen.port);

	if (fd < 0 && before)
		fd = listen_port(0);
	screen.again = fd < 0 ? clock_mono_ns() + AGAIN : 0;
	if (fd < 0)
		return fd;
	screen.fd = fd;
	port_note();
	return 0;
}

/* Who is connected goes too: it is the operator's word that nobody shall be, or elsewhere. */
static void close_port(void)
{
	own_fd(&screen.fd);
	screen.again = 0;
	while (screen.n)
		drop(0);
	unlinkat(FD_RUN, PORT_FILE, 0);
}

static int screen_settings(const char *text)
{
	int port = (int)settings_u64(text, "vnc_port", UINT64_MAX);
	char host[sizeof screen.host] = "";

	if (port >= 0 && (port > 65535 || settings_text(text, "vnc_host", host, sizeof host) < 0))
		return -EINVAL;
	if (port == screen.port && !strcmp(host, screen.host))
		return port < 0 || screen.fd >= 0 ? 0 : open_port();
	if (screen.port >= 0)
		close_port();
	screen.port = port;
	memcpy(screen.host, host, sizeof host);
	return port < 0 ? 0 : open_port();
}

/* ---- bytes ---- */

static int to_monitor(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/vm.vnc", FD_RUN);
	return fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -1 : take_fd(&fd);
}

static void take_client(uint64_t now)
{
	struct pair *p = &screen.pair[screen.n];
	_fd_ int fd = accept4(screen.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int one = 1, idle = 60, mon;

	if (fd < 0 || screen.n == PAIRS_MAX)
		return;
	mon = to_monitor();
	if (mon < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	p->fd[0] = take_fd(&fd);
	p->fd[1] = mon;
	p->way[0].len = p->way[1].len = 0;
	p->said = 0;
	p->by = now + GREETING;
	screen.n++;
}

/* One way: what there is room for, and what the other end takes. -1 = one of them has gone. */
static int pass(struct pair *p, int from)
{
	struct way *w = &p->way[from];
	ssize_t n = w->len < sizeof w->data ? recv(p->fd[from], w->data + w->len, sizeof w->data - w->len, 0) : 1;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return -1;
	if (n > 0 && w->len < sizeof w->data) {
		w->len += (size_t)n;
		p->said += from == 0 ? (uint64_t)n : 0;
	}
	if (p->said >= HANDSHAKE)
		p->by = 0;
	n = w->len ? send(p->fd[!from], w->data, w->len, MSG_NOSIGNAL) : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (n > 0) {
		w->len -= (size_t)n;
		memmove(w->data, w->data + n, w->len);
	}
	return 0;
}

/* Nothing is wanted of it while what it said has nowhere to go. That it has gone would be told again at once, for as long as the other reads nothing. */
static bool hung_up(const struct pollfd *p)
{
	return !p->events && p->revents & (POLLHUP | POLLERR);
}

/* ---- a part of the worker ---- */

static int screen_poll(struct pollfd *p)
{
	p[0] = (struct pollfd){.fd = screen.fd, .events = POLLIN};
	for (int i = 0; i < screen.n; i++)
		for (int k = 0; k < 2; k++) {
			const struct pair *q = &screen.pair[i];

			p[1 + 2 * i + k] = (struct pollfd){
				.fd = q->fd[k], .events = (short)((q->way[k].len < sizeof q->way[k].data ? POLLIN : 0) | (q->way[!k].len ? POLLOUT : 0))};
		}
	return 1 + 2 * screen.n;
}

static uint64_t screen_due(void)
{
	uint64_t t = screen.again;

	for (int i = 0; i < screen.n; i++)
		if (screen.pair[i].by && (!t || screen.pair[i].by < t))
			t = screen.pair[i].by;
	return t;
}

static void screen_ready(const struct pollfd *p, int n, uint64_t now)
{
	for (int i = (n - 1) / 2 - 1; i >= 0 && i < screen.n; i--) {
		const struct pollfd *two = &p[1 + 2 * i];
		struct pair *q = &screen.pair[i];
		bool over = hung_up(&two[0]) || hung_up(&two[1]) || (q->by && q->by <= now);

		if (over || ((two[0].revents || two[1].revents) && (pass(q, 0) < 0 || pass(q, 1) < 0)))
			drop(i);
	}
	if (n > 0 && p[0].revents)
		take_client(now);
	if (screen.again && screen.again <= now && screen.fd < 0)
		open_port();
}

static void screen_end(void)
{
	while (screen.n)
		drop(0);
	own_fd(&screen.fd);
}

const struct part part_screen = {
	.name = "screen", .poll = screen_poll, .due = screen_due, .ready = screen_ready, .settings = screen_settings, .end = screen_end,
};
