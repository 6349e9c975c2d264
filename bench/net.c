/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usage: net rr|crr|udp|tcp|check CLIENT-NS SERVER-NS ADDRESS CPU SECONDS
 *
 * Traffic from one network namespace (a path) to ADDRESS in another, all of it on one processor that is busy all the while:
 * what passes of the clock is then what sender, path and receiver together cost in CPU, wherever the kernel books it.
 *
 *	rr    one byte there and back by TCP: median and mean of a round trip, µs
 *	crr   connect, one byte there and back, close: mean, µs
 *	udp   packets of 64 bytes on the wire, 32 sent and then received: µs of one; says how many were lost
 *	tcp   one stream in pieces of 64 KiB: seconds of a GB
 *	check what gets there, 1 or 0: a datagram to the port that the others use, one to the next port, one with another sender's address.
 *	      So that a row of a table is what its name says
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

#define PORT  7007
#define BURST 32
#define UDP   22 /* with 42 bytes of headers before it: 64 */

static struct sockaddr_storage to;
static socklen_t to_len;
static double seconds;

static void die(const char *what)
{
	fprintf(stderr, "net: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *ns)
{
	int fd = open(ns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(ns);
	close(fd);
}

static void parse(const char *text)
{
	struct sockaddr_in *v4 = (void *)&to;
	struct sockaddr_in6 *v6 = (void *)&to;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(PORT);
		to_len = sizeof *v4;
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(PORT);
		to_len = sizeof *v6;
	} else {
		errno = EINVAL;
		die(text);
	}
}

static int tcp(void)
{
	int s = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (s < 0)
		die("socket");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	/* none is held back by what a peer's kernel takes for a congested path */
	setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	return s;
}

static int join(void)
{
	struct timeval limit = {.tv_sec = 10};
	struct linger hard = {.l_onoff = 1};
	int s = tcp();

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	/* a thousand connections a second would use up the ports in TIME_WAIT */
	setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	if (connect(s, (void *)&to, to_len) < 0)
		die("connect");
	return s;
}

static int cmp(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void rr(void)
{
	size_t n = 0, room = 1 << 20;
	float *took = malloc(room * sizeof *took);
	int s = join();
	double t0 = now(), t, last = t0;
	char c = 0;

	do {
		if (send(s, &c, 1, 0) != 1 || recv(s, &c, 1, 0) != 1)
			die("rr");
		t = now();
		if (n < room)
			took[n++] = (float)((t - last) * 1e6);
		last = t;
	} while (t - t0 < seconds);
	qsort(took, n, sizeof *took, cmp);
	printf("{\"p50\": %.3f, \"p99\": %.3f, \"mean\": %.3f, \"n\": %zu}\n", took[n / 2], took[n * 99 / 100], (t - t0) * 1e6 / (double)n, n);
}

static void crr(void)
{
	double t0 = now(), t;
	long n = 0;
	char c = 0;

	do {
		int s = join();

		if (send(s, &c, 1, 0) != 1 || recv(s, &c, 1, 0) != 1)
			die("crr");
		close(s);
		n++;
		t = now();
	} while (t - t0 < seconds);
	printf("{\"mean\": %.3f, \"n\": %ld}\n", (t - t0) * 1e6 / (double)n, n);
}

static void bulk(void)
{
	static char piece[65536];
	int s = join();
	double t0 = now(), t, bytes = 0;

	do {
		ssize_t n = send(s, piece, sizeof piece, 0);

		if (n < 0)
			die("tcp");
		bytes += (double)n;
		t = now();
	} while (t - t0 < seconds);
	printf("{\"s_per_gb\": %.5f, \"gb\": %.3f}\n", (t - t0) / bytes * 1e9, bytes / 1e9);
}

static void serve_one(int c)
{
	static char piece[65536];
	ssize_t n;

	while ((n = recv(c, piece, sizeof piece, 0)) > 0)
		if (n == 1 && send(c, piece, 1, MSG_NOSIGNAL) != 1)
			break;
	close(c);
}

/* ready: written to when it listens. */
static void serve(int ready)
{
	int s = tcp(), c;

	if (bind(s, (void *)&to, to_len) < 0 || listen(s, 64) < 0)
		die("listen");
	if (write(ready, "r", 1) != 1)
		die("ready");
	while ((c = accept4(s, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		int one = 1;

		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		serve_one(c);
	}
	_exit(0);
}

/* Both sockets in one process: nobody is woken, the path alone is there. */
static void udp(const char *server_ns, const char *client_ns)
{
	struct timeval limit = {.tv_usec = 20000};
	char c[UDP] = {0};
	long sent = 0, got = 0;
	double t0, t;
	int r, s, big = 1 << 20;

	enter(server_ns);
	r = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r < 0 || bind(r, (void *)&to, to_len) < 0)
		die("udp server");
	setsockopt(r, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(r, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
	enter(client_ns);
	s = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (void *)&to, to_len) < 0)
		die("udp client");
	t0 = now();
	do {
		for (int i = 0; i < BURST; i++)
			sent += send(s, c, sizeof c, 0) == (ssize_t)sizeof c;
		for (int i = 0; i < BURST; i++) {
			if (recv(r, c, sizeof c, 0) != (ssize_t)sizeof c)
				break;
			got++;
		}
		t = now();
	} while (t - t0 < seconds);
	printf("{\"us\": %.4f, \"sent\": %ld, \"got\": %ld}\n", (t - t0) * 1e6 / (double)(got ? got : 1), sent, got);
}

static int listener(uint16_t port)
{
	struct sockaddr_in at = *(struct sockaddr_in *)&to;
	struct timeval limit = {.tv_usec = 100000};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	at.sin_port = htons(port);
	if (s < 0 || bind(s, (void *)&at, sizeof at) < 0)
		die("check server");
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return s;
}

/* The answer to "who has that address" may have to be waited for: only the first datagram of all is sent twice. */
static int arrives(int client, int server, uint16_t port, int times)
{
	struct sockaddr_in at = *(struct sockaddr_in *)&to;
	char c[UDP];
	int got = 0;

	at.sin_port = htons(port);
	for (int i = 0; i < times && !got; i++) {
		(void)!sendto(client, "x", 1, 0, (void *)&at, sizeof at);
		got = recv(server, c, sizeof c, 0) >= 0;
	}
	return got;
}

/* In the name of the address a hundred above the receiver's. */
static int lie_arrives(int server)
{
	struct sockaddr_in at = *(struct sockaddr_in *)&to;
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char c;
	} __attribute__((packed)) p = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
				       .udp = {.source = htons(9), .dest = htons(PORT), .len = htons(9)}};
	int s = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	char c[UDP];

	p.ip.daddr = at.sin_addr.s_addr;
	p.ip.saddr = htonl(ntohl(at.sin_addr.s_addr) + 100);
	if (s < 0 || sendto(s, &p, sizeof p, 0, (void *)&at, sizeof at) != (ssize_t)sizeof p)
		die("check raw");
	return recv(server, c, sizeof c, 0) >= 0;
}

static void check(const char *server_ns, const char *client_ns)
{
	int a, b, s, port, next;

	if (to.ss_family != AF_INET) {
		errno = EAFNOSUPPORT;
		die("check");
	}
	enter(server_ns);
	a = listener(PORT);
	b = listener(PORT + 1);
	enter(client_ns);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		die("check client");
	port = arrives(s, a, PORT, 3);
	next = arrives(s, b, PORT + 1, 1);
	printf("{\"port\": %d, \"next\": %d, \"lie\": %d}\n", port, next, lie_arrives(a));
}

int main(int argc, char **argv)
{
	cpu_set_t cpu;
	pid_t pid;
	int p[2];
	char r;

	if (argc != 7) {
		fprintf(stderr, "usage: net rr|crr|udp|tcp|check CLIENT-NS SERVER-NS ADDRESS CPU SECONDS\n");
		return 2;
	}
	parse(argv[4]);
	seconds = atof(argv[6]);
	CPU_ZERO(&cpu);
	CPU_SET((size_t)atoi(argv[5]), &cpu);
	if (sched_setaffinity(0, sizeof cpu, &cpu) < 0)
		die("affinity");
	if (strcmp(argv[1], "udp") == 0) {
		udp(argv[3], argv[2]);
		return 0;
	}
	if (strcmp(argv[1], "check") == 0) {
		check(argv[3], argv[2]);
		return 0;
	}
	if (pipe2(p, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter(argv[3]);
		serve(p[1]);
	}
	close(p[1]);
	if (pid < 0 || read(p[0], &r, 1) != 1)
		return 1;
	enter(argv[2]);
	if (strcmp(argv[1], "rr") == 0)
		rr();
	else if (strcmp(argv[1], "crr") == 0)
		crr();
	else
		bulk();
	fflush(stdout);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
