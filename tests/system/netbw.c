/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Traffic for tests and benchmarks of bandwidth; runs in zones. Each mode ends by itself after SECONDS (serve: when killed).
 *
 *	netbw serve [CC]                           takes TCP on port 5001 and throws away; answers UDP on 5002, throws away UDP on 5003
 *	netbw tcp IP STREAMS SECONDS [CC]          as fast as it can
 *	netbw udp IP PORT SIZE SECONDS [MBIT]      datagrams; without MBIT as fast as it can
 *	netbw raw IFACE MAC SIZE SECONDS           Ethernet frames
 *	netbw direct IFACE MAC SIZE SECONDS        the same past every qdisc of the zone (PACKET_QDISC_BYPASS), or fails
 *	netbw probe IP BYTES PER_SECOND SECONDS    UDP to 5002 and back: "n lost p50 p99" in microseconds
 *	netbw rx IFACE SECONDS                     "bytes seconds": what the kernel counted on it as received meanwhile
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_QDISC_BYPASS
#define PACKET_QDISC_BYPASS 20
#endif

static char buf[1 << 17];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_storage addr(const char *ip, unsigned port, socklen_t *n)
{
	struct sockaddr_storage s = {0};
	struct sockaddr_in *a = (void *)&s;
	struct sockaddr_in6 *b = (void *)&s;

	if (strchr(ip, ':')) {
		b->sin6_family = AF_INET6;
		b->sin6_port = htons((uint16_t)port);
		inet_pton(AF_INET6, ip, &b->sin6_addr);
		*n = sizeof *b;
	} else {
		a->sin_family = AF_INET;
		a->sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, ip, &a->sin_addr);
		*n = sizeof *a;
	}
	return s;
}

static void congestion(int s, const char *cc)
{
	if (cc && setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc)) < 0)
		die(cc);
}

static void serve(const char *cc)
{
	struct pollfd p[64];
	nfds_t n = 3;
	int one = 1;

	for (int i = 0; i < 3; i++) {
		socklen_t len;
		struct sockaddr_storage a = addr("::", 5001u + (unsigned)i, &len);

		p[i] = (struct pollfd){.fd = socket(AF_INET6, i ? SOCK_DGRAM : SOCK_STREAM, 0), .events = POLLIN};
		setsockopt(p[i].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (bind(p[i].fd, (void *)&a, len) < 0 || (i == 0 && listen(p[i].fd, 16) < 0))
			die("bind");
	}
	congestion(p[0].fd, cc);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct sockaddr_storage from;
		socklen_t len = sizeof from;
		ssize_t got;

		if (poll(p, n, -1) < 0)
			continue;
		if (p[0].revents && n < 64)
			p[n++] = (struct pollfd){.fd = accept(p[0].fd, NULL, NULL), .events = POLLIN};
		if (p[1].revents && (got = recvfrom(p[1].fd, buf, sizeof buf, 0, (void *)&from, &len)) > 0)
			sendto(p[1].fd, buf, (size_t)got, 0, (void *)&from, len);
		if (p[2].revents)
			for (int i = 0; i < 64 && recv(p[2].fd, buf, sizeof buf, MSG_DONTWAIT) > 0; i++)
				;
		for (nfds_t i = 3; i < n; i++)
			if (p[i].revents && recv(p[i].fd, buf, sizeof buf, MSG_DONTWAIT) <= 0 && errno != EAGAIN) {
				close(p[i].fd);
				p[i--] = p[--n];
			}
	}
}

static int tcp(const char *ip, int streams, double seconds, const char *cc)
{
	double end = now() + seconds;
	socklen_t len;
	struct sockaddr_storage a = addr(ip, 5001, &len);
	struct pollfd p[32];

	for (int i = 0; i < streams; i++) {
		p[i] = (struct pollfd){.fd = socket(a.ss_family, SOCK_STREAM, 0), .events = POLLOUT};
		congestion(p[i].fd, cc);
		if (connect(p[i].fd, (void *)&a, len) < 0)
			die("connect");
	}
	while (now() < end) {
		if (poll(p, (nfds_t)streams, 100) <= 0)
			continue;
		for (int i = 0; i < streams; i++)
			if (p[i].revents && send(p[i].fd, buf, sizeof buf, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
				die("send");
	}
	/* what is still to be sent would go on when this has ended */
	for (int i = 0; i < streams; i++) {
		struct linger none = {.l_onoff = 1};

		setsockopt(p[i].fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
		close(p[i].fd);
	}
	return 0;
}

static int udp(const char *ip, unsigned port, size_t size, double seconds, double mbit)
{
	socklen_t len;
	struct sockaddr_storage a = addr(ip, port, &len);
	int s = socket(a.ss_family, SOCK_DGRAM, 0), yes = 1;
	double start = now(), sent = 0;

	setsockopt(s, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
	if (connect(s, (void *)&a, len) < 0)
		die("connect");
	for (double t = start; t < start + seconds; t = now()) {
		if (mbit > 0 && sent * 8 > (t - start) * mbit * 1e6) {
			struct timespec nap = {.tv_nsec = 200000};

			nanosleep(&nap, NULL);
			continue;
		}
		for (int i = 0; i < 8; i++)
			if (send(s, buf, size, 0) > 0) /* waits while what was sent waits */
				sent += (double)size;
	}
	return 0;
}

static int raw(const char *ifname, const char *mac, size_t size, double seconds, int direct)
{
	int s = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(ifname), .sll_protocol = htons(ETH_P_IP)};
	unsigned char *b = (void *)buf, own[6];
	char path[100];
	FILE *f;

	if (s < 0 || bind(s, (void *)&a, sizeof a) < 0)
		die("packet socket");
	if (direct && setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0)
		die("PACKET_QDISC_BYPASS");
	snprintf(path, sizeof path, "/sys/class/net/%s/address", ifname);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &own[0], &own[1], &own[2], &own[3], &own[4], &own[5]) != 6)
		die(path);
	sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]);
	memcpy(b + 6, own, 6);
	/* the local experimental EtherType: nobody answers it (the NIC may send what is not IP) */
	b[12] = 0x88;
	b[13] = 0xb5;
	for (double end = now() + seconds; now() < end;)
		for (int i = 0; i < 64; i++)
			(void)!send(s, b, size, MSG_DONTWAIT);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int probe(const char *ip, size_t bytes, double per_second, double seconds)
{
	static double took[200000];
	socklen_t len;
	struct sockaddr_storage a = addr(ip, 5002, &len);
	int s = socket(a.ss_family, SOCK_DGRAM, 0);
	size_t n = 0, sent = 0, max = sizeof took / sizeof *took;
	double start = now();

	if (connect(s, (void *)&a, len) < 0)
		die("connect");
	while (n < max) {
		double next = start + (double)sent / per_second, t = now();
		struct pollfd p = {.fd = s, .events = POLLIN};

		if (t > start + seconds + 1 || (t > start + seconds && n == sent))
			break;
		if (t >= next && t < start + seconds) {
			memcpy(buf, &t, sizeof t);
			if (send(s, buf, bytes < sizeof t ? sizeof t : bytes, MSG_DONTWAIT) > 0)
				sent++;
			continue;
		}
		if (poll(&p, 1, t < start + seconds ? (int)((next - t) * 1000) : 10) > 0 && recv(s, buf, sizeof buf, MSG_DONTWAIT) > 0) {
			memcpy(&t, buf, sizeof t);
			took[n++] = (now() - t) * 1e6;
		}
	}
	if (!n)
		return printf("0 %zu - -\n", sent), 1;
	qsort(took, n, sizeof *took, by_value);
	printf("%zu %zu %.1f %.1f\n", n, sent - n, took[n / 2], took[n * 99 / 100]);
	return 0;
}

static double counter(const char *ifname)
{
	char path[100];
	double v = 0;
	FILE *f;

	snprintf(path, sizeof path, "/sys/class/net/%s/statistics/rx_bytes", ifname);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lf", &v) != 1)
		die(path);
	fclose(f);
	return v;
}

static int rx(const char *ifname, double seconds)
{
	double t = now(), v = counter(ifname);
	struct timespec nap = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	nanosleep(&nap, NULL);
	v = counter(ifname) - v;
	printf("%.0f %.4f\n", v, now() - t);
	return 0;
}

int main(int argc, char **argv)
{
	const char *m = argc > 1 ? argv[1] : "";

	if (!strcmp(m, "serve"))
		serve(argc > 2 ? argv[2] : NULL);
	if (!strcmp(m, "tcp") && argc >= 5)
		return tcp(argv[2], atoi(argv[3]), atof(argv[4]), argc > 5 ? argv[5] : NULL);
	if (!strcmp(m, "udp") && argc >= 6)
		return udp(argv[2], (unsigned)atoi(argv[3]), (size_t)atol(argv[4]), atof(argv[5]), argc > 6 ? atof(argv[6]) : 0);
	if ((!strcmp(m, "raw") || !strcmp(m, "direct")) && argc == 6)
		return raw(argv[2], argv[3], (size_t)atol(argv[4]), atof(argv[5]), m[0] == 'd');
	if (!strcmp(m, "probe") && argc == 6)
		return probe(argv[2], (size_t)atol(argv[3]), atof(argv[4]), atof(argv[5]));
	if (!strcmp(m, "rx") && argc == 4)
		return rx(argv[2], atof(argv[3]));
	fprintf(stderr, "usage: netbw serve|tcp|udp|raw|direct|probe|rx …\n");
	return 2;
}
