/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-netd INTERFACE UID: DHCP, router advertisements and DNS for one switch. It is started by a command (net/netd.c)
 * with its folder, the router's namespace and a lock as descriptors, opens its sockets there, drops all rights, and
 * answers from the folder's file "table" until it is told to end. SIGHUP: the table is another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netd/dns.h"
#include "netd/netd.h"

#define SECOND 1000000000ULL
#define TICK_MS 250

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* A bucket for all whose hash is the same: who floods takes from few others, and none of them is without. */
bool may(struct netd *d, const void *who, size_t n, unsigned per_second)
{
	const uint8_t *p = who;
	uint32_t h = 2166136261u;
	uint64_t t = now_ns(), each = SECOND / per_second;
	struct bucket *b;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619u;
	b = &d->bucket[h % BUCKETS];
	if (b->at < t)
		b->at = t;
	if (b->at - t > SECOND)
		return false;
	b->at += each;
	return true;
}

uint64_t client_of(const struct netd *d, const struct sockaddr_storage *who)
{
	struct tip ip = {.family = who->ss_family == AF_INET ? 4 : 6};

	if (ip.family == 4)
		memcpy(ip.ip, &((const struct sockaddr_in *)who)->sin_addr, 4);
	else
		memcpy(ip.ip, &((const struct sockaddr_in6 *)who)->sin6_addr, 16);
	return table_owner(&d->t, &ip);
}

bool may_ask(struct netd *d, const struct sockaddr_storage *who)
{
	uint64_t c = client_of(d, who);

	return may(d, &c, sizeof c, DNS_RATE);
}

void watch(struct netd *d, struct source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->fd, &e);
}

void watch_again(struct netd *d, struct source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	epoll_ctl(d->epoll, EPOLL_CTL_MOD, s->fd, &e);
}

void unwatch(struct netd *d, struct source *s)
{
	if (s->fd < 0)
		return;
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	s->fd = -1;
}

socklen_t server_address(const struct table *t, size_t n, struct sockaddr_storage *out)
{
	const struct tip *ip = &t->forward[n];
	struct sockaddr_in *a = (void *)out;
	struct sockaddr_in6 *b = (void *)out;

	memset(out, 0, sizeof *out);
	if (ip->family == 4) {
		a->sin_family = AF_INET;
		a->sin_port = htons(53);
		memcpy(&a->sin_addr, ip->ip, 4);
		return sizeof *a;
	}
	b->sin6_family = AF_INET6;
	b->sin6_port = htons(53);
	memcpy(&b->sin6_addr, ip->ip, 16);
	return sizeof *b;
}

/* ---- */

/* The new one, or the old one goes on being answered from. */
static const char *load(struct netd *d)
{
	int fd = openat(FD_FOLDER, "table", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct table t;
	struct stat st;
	size_t n = 0;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)TABLE_MAX) {
		if (fd >= 0)
			close(fd);
		return "no table";
	}
	text = calloc(1, (size_t)st.st_size + 1);
	while (text && n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	if (!text)
		return "no memory";
	if (table_parse(text, n, &t) != 0)
		return "the table has a line that can't be read";
	table_free(&d->t);
	d->t = t;
	return NULL;
}

static void signalled(struct netd *d, struct source *s)
{
	struct signalfd_siginfo i;

	while (read(s->fd, &i, sizeof i) == sizeof i) {
		if (i.ssi_signo == SIGTERM) {
			serve_advertise(d, true, true);
			_exit(0);
		}
		load(d);
		serve_advertise(d, true, false);
	}
}

static void fail(const char *what)
{
	char line[200];
	int n = snprintf(line, sizeof line, "%s: %s\n", what, strerror(errno));

	(void)!write(FD_READY, line, (size_t)n);
	_exit(1);
}

static void listen_all(struct netd *d)
{
	const struct { struct source *s; void (*ready)(struct netd *, struct source *); } all[] = {
		{&d->dhcp, serve_dhcp}, {&d->dhcp6, serve_dhcp6}, {&d->solicited, serve_solicited}, {&d->signals, signalled}, {&d->dns[0], dns_udp},
		{&d->dns[1], dns_udp}, {&d->tcp[0], dns_accept}, {&d->tcp[1], dns_accept},
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		all[i].s->ready = all[i].ready;
		if (all[i].s->fd >= 0)
			watch(d, all[i].s, EPOLLIN);
	}
}

static void serve(struct netd *d)
{
	struct epoll_event e[32];

	for (;;) {
		bool udp = dns_udp_tick(d), tcp = dns_tcp_tick(d);
		uint64_t next = serve_advertise(d, false, false), t = now_ns();
		int ms = next == UINT64_MAX ? -1 : next <= t ? 0 : (int)((next - t) / 1000000 + 1), n;

		if ((udp || tcp) && (ms < 0 || ms > TICK_MS))
			ms = TICK_MS;
		n = epoll_wait(d->epoll, e, 32, ms);
		if (n < 0 && errno != EINTR)
			_exit(1);
		for (int i = 0; i < n; i++) {
			struct source *s = e[i].data.ptr;

			if (s->fd >= 0) /* one before it may have closed it */
				s->ready(d, s);
		}
	}
}

int main(int argc, char **argv)
{
	static struct netd d;
	const char *why;
	unsigned uid;
	sigset_t set;
	char end;
	int home;

	if (argc != 3 || sscanf(argv[2], "%u%c", &uid, &end) != 1 || uid == 0 || fcntl(FD_READY, F_GETFD) < 0 || fcntl(FD_NS, F_GETFD) < 0) {
		fprintf(stderr, "cloister-netd: run by commands of the network, with descriptors 3 to 6\n");
		return 2;
	}
	if (close_range(FD_READY + 1, ~0U, 0) < 0)
		fail("close_range");
	snprintf(d.ifname, sizeof d.ifname, "%s", argv[1]);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(FD_NS, CLONE_NEWNET) < 0)
		fail("enter the router's namespace");
	why = sockets_open(&d);
	if (why)
		fail(why);
	/* other name servers are asked from where the host's own programs ask them */
	if (setns(home, CLONE_NEWNET) < 0)
		fail("leave the router's namespace");
	close(home);
	close(FD_NS);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	d.signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	d.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d.signals.fd < 0 || d.epoll < 0)
		fail("signals");
	listen_all(&d);
	(void)!nice(5); /* zones' own work goes before what they ask */
	why = lock_in(uid, true);
	if (!why)
		why = load(&d);
	if (why)
		fail(why);
	(void)!write(FD_READY, "ok\n", 3);
	close(FD_READY);
	serve(&d);
}
