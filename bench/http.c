/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small HTTP server, and a client that loads many, for the comparison of zones with plain processes.
 *
 *	http serve PORT          keep-alive, one thread, epoll; as an init it also reaps
 *	http load SECONDS        standard input: a line "PID PORT NET" for each server; NET is 1 if it listens on the loopback of
 *	                         a network namespace of its own. One connection to each, on each one request after the other;
 *	                         after a quarter of a second counts: prints requests a second, median and p99 in ms, and the
 *	                         servers' CPU time for a request in us
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "timing.h"

#define BODY    512
#define BUCKETS 400000 /* of 10 us */
#define SERVERS 4096

static struct sockaddr_in local(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return a;
}

static int serve(int port)
{
	struct sockaddr_in a = local(port);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ep = epoll_create1(EPOLL_CLOEXEC), one = 1, head;
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = s};
	static char answer[BODY + 256], in[4096];

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	head = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", BODY);
	memset(answer + head, 'x', BODY);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s, (struct sockaddr *)&a, sizeof a) < 0 || listen(s, 64) < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev) < 0)
		return 1;
	for (;;) {
		if (epoll_wait(ep, &ev, 1, -1) < 1)
			continue;
		if (ev.data.fd == s) {
			ev.data.fd = accept4(s, NULL, NULL, SOCK_CLOEXEC);
			setsockopt(ev.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
			continue;
		}
		if (read(ev.data.fd, in, sizeof in) <= 0 || write(ev.data.fd, answer, (size_t)head + BODY) < 0)
			close(ev.data.fd);
	}
}

/* A connection to a port of the loopback in that process's network namespace, which it keeps. */
static int dial(int pid, int port, int home)
{
	struct sockaddr_in a = local(port);
	char path[32];
	int one = 1, s, ns = -1;

	snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
	if (pid && ((ns = open(path, O_RDONLY | O_CLOEXEC)) < 0 || setns(ns, CLONE_NEWNET) < 0))
		return -1;
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof a) < 0)
		return -1;
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (pid && (close(ns), setns(home, CLONE_NEWNET) < 0))
		return -1;
	return s;
}

/* ns on a CPU so far, of all of them: what else the machine does is not in it, as it is in the time that passes. */
static double spent(const int *pid, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++) {
		char path[40], text[64];
		int fd;
		ssize_t k;

		snprintf(path, sizeof path, "/proc/%d/schedstat", pid[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		k = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
		text[k > 0 ? k : 0] = 0;
		sum += strtod(text, NULL);
		if (fd >= 0)
			close(fd);
	}
	return sum;
}

static double percentile(const unsigned *hist, unsigned long n, double part)
{
	unsigned long seen = 0;

	for (int i = 0; i < BUCKETS; i++) {
		seen += hist[i];
		if ((double)seen >= (double)n * part)
			return (double)i / 100;
	}
	return 0;
}

static int load(double seconds)
{
	static const char ask[] = "GET / HTTP/1.1\r\nHost: zone\r\n\r\n";
	static unsigned hist[BUCKETS];
	static double asked[SERVERS];
	static int got[SERVERS], to[SERVERS], who[SERVERS];
	struct epoll_event ev[64];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), ep = epoll_create1(EPOLL_CLOEXEC), pid, port, net, m = 0;
	unsigned long n = 0;
	static char b[65536];
	double begin, end, t, cpu = -1;

	for (; m < SERVERS && scanf("%d %d %d", &pid, &port, &net) == 3; m++) {
		who[m] = pid;
		to[m] = dial(net ? pid : 0, port, home);
		ev->events = EPOLLIN;
		ev->data.u32 = (uint32_t)m;
		if (to[m] < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, to[m], ev) < 0) {
			perror("connect");
			return 1;
		}
	}
	for (int i = 0; i < m; i++) {
		asked[i] = now();
		if (write(to[i], ask, sizeof ask - 1) < 0)
			return 1;
	}
	for (begin = (t = now()) + 0.25, end = begin + seconds; t < end;) {
		int k = epoll_wait(ep, ev, 64, 1000);

		for (int j = 0; j < k; j++) {
			uint32_t i = ev[j].data.u32;
			ssize_t r = read(to[i], b, sizeof b);

			if (r <= 0)
				return 1;
			got[i] += (int)r;
			if (got[i] < BODY) /* the header is shorter than that, and comes with the body */
				continue;
			t = now();
			if (t >= begin && t < end) {
				int at = (int)((t - asked[i]) * 1e5);

				if (cpu < 0)
					cpu = spent(who, m);
				hist[at < BUCKETS ? at : BUCKETS - 1]++;
				n++;
			}
			got[i] = 0;
			asked[i] = t;
			if (write(to[i], ask, sizeof ask - 1) < 0)
				return 1;
		}
		if (k <= 0)
			t = now();
	}
	cpu = spent(who, m) - cpu;
	printf("%.1f %.2f %.2f %.3f\n", (double)n / seconds, percentile(hist, n, 0.5), percentile(hist, n, 0.99),
	       n ? cpu / 1e3 / (double)n : 0);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 1) /* as an init */
		return serve(80);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "load"))
		return load(atof(argv[2]));
	fprintf(stderr, "usage: see the head of http.c\n");
	return 2;
}
