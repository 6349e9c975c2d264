/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small HTTP server, and a client that loads it, for the comparison of zones with plain processes.
 *
 *	http serve PORT                   keep-alive, one thread, epoll; as an init it also reaps
 *	http load PORT START SECONDS OUT  one connection, one request after the other, from START (unix time) on; writes to
 *	                                  OUT (- = stdout) the number of requests and the histogram of their times
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY    512
#define BUCKETS 4096 /* of 10 us */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

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

static int load(int port, double start, double seconds, const char *out)
{
	static const char ask[] = "GET / HTTP/1.1\r\nHost: zone\r\n\r\n";
	static unsigned hist[BUCKETS];
	struct sockaddr_in a = local(port);
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct timespec at = {(time_t)start, (long)((start - (double)(time_t)start) * 1e9)};
	unsigned long n = 0;
	char b[4096];
	FILE *f;

	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(s, (struct sockaddr *)&a, sizeof a) < 0) {
		perror("connect");
		return 1;
	}
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL);
	for (double t = now(), end = start + seconds; t < end;) {
		ssize_t got = 0, r;
		double then = t;

		if (write(s, ask, sizeof ask - 1) < 0)
			return 1;
		while (got < BODY && (r = read(s, b, sizeof b)) > 0)
			got += r;
		if (got < BODY)
			return 1;
		t = now();
		r = (ssize_t)((t - then) * 1e5);
		hist[r < BUCKETS ? r : BUCKETS - 1]++;
		n++;
	}
	f = strcmp(out, "-") ? fopen(out, "w") : stdout;
	if (!f)
		return 1;
	fprintf(f, "%lu", n);
	for (int i = 0; i < BUCKETS; i++)
		if (hist[i])
			fprintf(f, " %d:%u", i, hist[i]);
	fprintf(f, "\n");
	return fclose(f) ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 1) /* as an init */
		return serve(80);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if (argc == 6 && !strcmp(argv[1], "load"))
		return load(atoi(argv[2]), atof(argv[3]), atof(argv[4]), argv[5]);
	fprintf(stderr, "usage: see the head of http.c\n");
	return 2;
}
