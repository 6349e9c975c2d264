/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Not a libFuzzer target, for the kernel runs what is tried: the loaded switch program against an oracle (link_oracle.c) over the corpus and
 * frames made from it. A frame that the oracle calls a lie never passes; one that it finds plainly honest does. Needs root.
 *
 *	fuzz_switch OBJECT CORPUS [FRAMES [SEED]]     SEED: of an earlier run, which it repeats; else the time
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"
#include "link_frames.h"
#include "link_oracle.h"

#define LISTS   4    /* numbers under which addresses and blocked ports lie ready; a NIC has one of them */
#define CHANGE  64   /* frames, and the NIC is another */
#define REASONS 64

static const uint8_t mac_a[6] = {2, 8, 32, 0, 0, 1}, mac_b[6] = {2, 8, 32, 0, 0, 2};

static struct {
	struct bpf_object *obj;
	int sent, came, ports, counters;
	uint32_t a, b;
	struct sw_count *count, *was; /* after and before the last frame */
	struct nic nic;
	struct here here;
	bool outside;
	struct {
		const char *why;
		unsigned long n;
	} lies[REASONS];
	unsigned long tried, honest, passed;
} t;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int quiet(enum libbpf_print_level l, const char *fmt, va_list ap)
{
	return l == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static int map(const char *name)
{
	return bpf_object__find_map_fd_by_name(t.obj, name);
}

static void put(int m, const void *k, const void *v)
{
	struct err e = ERR_INIT;

	if (bpf_put(m, k, v, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
}

/* ---- the NIC, for the program and for the oracle ---- */

/* Prefix and blocked ports of list i: 10.i.0.0/24, fd0i::/64 (of list 3 /22 and /57); TCP 25 and UDP 5000 + i. */
static unsigned bits_of(uint32_t list, unsigned family)
{
	return family == 4 ? (list == 3 ? 22 : 24) : list == 3 ? 57 : 64;
}

static void lists(void)
{
	for (uint32_t i = 1; i < LISTS; i++) {
		struct sw_addr_key k4 = {.bits = 64 + bits_of(i, 4), .list = i, .family = 4, .ip = {10, (uint8_t)i}};
		struct sw_addr_key k6 = {.bits = 64 + bits_of(i, 6), .list = i, .family = 6, .ip = {0xfd, (uint8_t)i}};
		struct sw_port_key tcp = {.list = i, .port = 6 << 16 | 25}, udp = {.list = i, .port = 17 << 16 | (5000 + i)};
		uint32_t one = 1;

		put(map("addrs"), &k4, &one);
		put(map("addrs"), &k6, &one);
		put(map("blocked"), &tcp, &one);
		put(map("blocked"), &udp, &one);
	}
}

static void another_nic(void)
{
	static const uint8_t own4[4][4] = {{10, 0, 0, 1}, {10, 0, 0, 101}, {192, 168, 1, 1}, {10, 9, 9, 9}};
	static const uint8_t own6[2][16] = {{0xfd, [15] = 1}, {0xfd, [15] = 0x65}};
	uint32_t list = 1 + rnd(LISTS - 1), flags = rnd(2) ? 15 : rnd(16);
	struct sw_port p = {.sw = 1, .lists = list, .vrrp = rnd(3) ? 0 : 7, .n4 = (uint8_t)rnd(5), .n6 = (uint8_t)rnd(3)};
	struct nic *n = &t.nic;

	if (!rnd(3))
		flags |= PORT_DHCP_CLIENT;
	if (!rnd(3))
		flags |= PORT_LEASE;
	if (!rnd(3))
		flags |= PORT_ADDRCONF;
	if (!rnd(2))
		flags |= PORT_MORE_ADDRS;
	if (!rnd(2))
		flags |= PORT_BLOCKED_PORTS;
	p.flags = flags;
	memcpy(p.mac, mac_a, 6);
	memcpy(p.ip4, own4, 4 * p.n4);
	memcpy(p.ip6, own6, 16 * p.n6);
	*n = (struct nic){.vrrp = p.vrrp, .n4 = p.n4, .n6 = p.n6};
	memcpy(n->mac, mac_a, 6);
	n->mac_nospoof = flags & PORT_MAC_NOSPOOF;
	n->ip_nospoof = flags & PORT_IP_NOSPOOF;
	n->dhcp_nospoof = flags & PORT_DHCP_NOSPOOF;
	n->restricted = flags & PORT_RESTRICTED;
	n->dhcp = flags & (PORT_DHCP_CLIENT | PORT_LEASE);
	n->addrconf = flags & PORT_ADDRCONF;
	for (size_t i = 0; i < n->n4; i++) {
		memcpy(n->v4[i].ip, own4[i], 4);
		n->v4[i].bits = 32;
	}
	for (size_t i = 0; i < n->n6; i++) {
		memcpy(n->v6[i].ip, own6[i], 16);
		n->v6[i].bits = 128;
	}
	if (flags & PORT_MORE_ADDRS) {
		n->v4[n->n4++] = (struct net){.ip = {10, (uint8_t)list}, .bits = bits_of(list, 4)};
		n->v6[n->n6++] = (struct net){.ip = {0xfd, (uint8_t)list}, .bits = bits_of(list, 6)};
	}
	if (flags & PORT_BLOCKED_PORTS) {
		n->blocked[n->nblocked++] = 6 << 16 | 25;
		n->blocked[n->nblocked++] = 17 << 16 | (5000 + list);
	}
	put(t.ports, &t.a, &p);
}

/* From now on the port is an uplink. */
static void uplink(void)
{
	struct sw_port p = {.sw = 1, .flags = PORT_L2 | PORT_OUTSIDE};
	struct sw_ip_key k = {.sw = 1, .family = 6};
	struct sw_neigh n;

	memcpy(t.here.mac, mac_b, 6);
	memcpy(t.here.v4, (uint8_t[]){10, 0, 0, 2}, 4);
	memcpy(t.here.v6, (uint8_t[16]){0xfd, [15] = 2}, 16);
	memcpy(n.mac, mac_b, 6);
	memcpy(k.ip, t.here.v6, 16);
	put(map("neighbours"), &k, &n);
	memset(k.ip, 0, 16);
	k.family = 4;
	memcpy(k.ip, t.here.v4, 4);
	put(map("neighbours"), &k, &n);
	put(t.ports, &t.a, &p);
	t.outside = true;
}

/* ---- one frame ---- */

/*
 * What the program lets through is counted before it is asked who it is for. An uplink's for one of ours goes there at once. -1: the kernel
 * itself makes no packet of less than an IP header.
 */
static int passes(const struct frame *f)
{
	struct err e = ERR_INIT;
	unsigned long was = t.passed;
	uint64_t n = 0;
	int r;

	memcpy(t.was, t.count, sizeof *t.was * (size_t)bpf_cpus());
	r = bpf_try(t.outside ? t.came : t.sent, f->b, f->n, t.a, 0, NULL, NULL, &e);

	if (r == -EINVAL && f->n < 14 + 40)
		return -1;
	if (r < 0 || bpf_get(t.counters, &t.a, t.count, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	for (int i = 0; i < bpf_cpus(); i++)
		n += t.count[i].opackets;
	t.passed = n;
	return n != was || r == 7;
}

static void count_lie(const char *why)
{
	for (int i = 0; i < REASONS; i++) {
		if (!t.lies[i].why)
			t.lies[i].why = why;
		if (strcmp(t.lies[i].why, why) == 0) {
			t.lies[i].n++;
			return;
		}
	}
}

static void show(const struct frame *f, const char *what)
{
	const struct nic *n = &t.nic;

	printf("%s\n", what);
	if (!t.outside)
		printf("the NIC: mac-nospoof %d, ip-nospoof %d, dhcp-nospoof %d, restricted %d, dhcp %d, addrconf %d, vrrp %d, %zu IPv4, %zu IPv6, %zu ports blocked\n",
			n->mac_nospoof, n->ip_nospoof, n->dhcp_nospoof, n->restricted, n->dhcp, n->addrconf, n->vrrp, n->n4, n->n6, n->nblocked);
	for (int i = 0; i < bpf_cpus(); i++)
		for (int why = 0; why < DROP_REASONS; why++)
			if (t.count[i].drops[why] != t.was[i].drops[why])
				printf("dropped for reason %d of enum sw_drop\n", why);
	for (size_t i = 0; i < f->n; i++)
		printf("%02x%s", f->b[i], i + 1 == f->n || i % 16 == 13 ? "\n" : " ");
}

static int one(const struct frame *f)
{
	struct verdict v = t.outside ? oracle_came(&t.here, f->b, f->n) : oracle_sent(&t.nic, f->b, f->n);
	int passed = passes(f);

	if (passed < 0)
		return 0;
	t.tried++;
	if (v.lie)
		count_lie(v.lie);
	else if (!v.doubt)
		t.honest++;
	if (v.lie && passed)
		return show(f, v.lie), printf("passed\n"), -1;
	if (!v.lie && !v.doubt && !passed)
		return show(f, "an honest frame"), printf("was dropped\n"), -1;
	return 0;
}

static int many(unsigned long frames, uint64_t seed)
{
	for (unsigned long i = 0; i < frames; i++) {
		struct frame f;

		if (i % CHANGE == 0 && !t.outside)
			another_nic();
		f = made_frame(i < nseeds() ? (int)i : -1);
		if (one(&f) < 0)
			return printf("frame %lu of seed %llu\n", i, (unsigned long long)seed), -1;
	}
	return 0;
}

/* A run that never came upon some lie has shown nothing of it. */
static int enough(unsigned long frames, int kinds)
{
	int n = 0;

	for (int i = 0; i < REASONS && t.lies[i].why; i++, n++)
		printf("%8lu %s\n", t.lies[i].n, t.lies[i].why);
	printf("%8lu honest, of %lu\n", t.honest, t.tried);
	if (frames >= 20000 && (n < kinds || t.honest < frames / 50)) {
		printf("%d kinds of lie, and there are %d\n", n, kinds);
		return -1;
	}
	memset(t.lies, 0, sizeof t.lies);
	t.honest = t.tried = 0;
	return 0;
}

static void load(const char *object)
{
	struct rtnl_veth a = {.name = "a", .peer = "a0", .peer_ns = -1}, b = {.name = "b", .peer = "b0", .peer_ns = -1};
	struct sw_mac_key k = {.sw = 1};
	struct sw_dest d = {0};
	int s;

	libbpf_set_print(quiet);
	t.obj = bpf_object__open_file(object, NULL);
	if (!t.obj || bpf_object__load(t.obj) < 0)
		die(object);
	t.sent = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_vnic"));
	t.came = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_uplink"));
	t.ports = map("ports");
	t.counters = map("counters");
	t.count = calloc((size_t)bpf_cpus(), sizeof *t.count);
	t.was = calloc((size_t)bpf_cpus(), sizeof *t.was);
	s = rtnl_open(NULL);
	if (!t.count || !t.was || s < 0 || rtnl_veth(s, &a, NULL) < 0 || rtnl_veth(s, &b, NULL) < 0)
		die("links");
	t.a = (uint32_t)rtnl_index(s, "a", NULL);
	t.b = (uint32_t)rtnl_index(s, "b", NULL);
	close(s);
	memcpy(k.mac, mac_b, 6);
	d.ifindex = t.b;
	put(map("fdb"), &k, &d);
	put(t.counters, &t.a, t.count);
	put(map("leases"), &t.a, &(struct sw_lease){.ip = htonl(0x0a000001), .server = htonl(0x0a0000fe)});
	lists();
}

int main(int argc, char **argv)
{
	unsigned long frames = argc > 3 ? strtoul(argv[3], NULL, 0) : 100000;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)time(NULL);

	if (argc < 3) {
		fprintf(stderr, "usage: %s OBJECT CORPUS [FRAMES [SEED]]\n", argv[0]);
		return 2;
	}
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: needs root and a network namespace\n");
		return 77;
	}
	printf("seed %llu\n", (unsigned long long)seed);
	rnd_seed(seed);
	if (read_seeds(argv[2]) == 0)
		die(argv[2]);
	load(argv[1]);
	if (many(frames, seed) < 0 || enough(frames, 24) < 0)
		return 1;
	uplink();
	return many(frames / 4, seed) < 0 || enough(frames / 4, 6) < 0;
}
