/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The firewall in the switch's program, with lists that net/fw.c has loaded: raw frames of two VMs, both ways, and what is made of
 * them. The kernel runs the program (BPF_PROG_TEST_RUN) in a network namespace of the test's own. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"
#include "zone/droplog.h"
#include "net/fw.h"
#include "net/fw_lists.h"
#include "net/log.h"

#define SHOT     2
#define REDIRECT 7
#define ZONE_A   11
#define ZONE_B   12

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static const uint8_t mac[3][6] = {{2, 8, 32, 0, 0, 1}, {2, 8, 32, 0, 0, 2}, {2, 8, 32, 0, 0, 3}};
static const char *const ip4[3] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"}, *const ip6[3] = {"fd00::1", "fd00::2", "fd00::3"};

static struct {
	struct bpf_object *obj;
	struct net_switch s;
	int prog;
	uint32_t port[3]; /* of A, of B, and of nobody's: outside */
} t = {.prog = -1};

static int quiet(enum libbpf_print_level l, const char *fmt, va_list ap)
{
	return l == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static void put_port(int i, uint32_t flags)
{
	struct sw_port p = {.sw = 1, .flags = flags, .vnic = i == 2 ? 0 : (uint32_t)(ZONE_A + i) << 5};
	struct sw_mac_key k = {.sw = 1};
	struct sw_dest d = {.ifindex = t.port[i], .flags = flags, .vnic = p.vnic};

	memcpy(p.mac, mac[i], 6);
	memcpy(k.mac, mac[i], 6);
	assert_int_equal(bpf_put(t.s.map[SWM_PORTS], &t.port[i], &p, NULL), 0);
	assert_int_equal(bpf_put(t.s.map[SWM_FDB], &k, &d, NULL), 0);
}

static int setup(void **state)
{
	static const struct {
		enum sw_map i;
		const char *name;
	} maps[] = {{SWM_PORTS, "ports"}, {SWM_FDB, "fdb"}, {SWM_COUNTERS, "counters"}, {SWM_FLOOD, "flood"}, {SWM_FW_LISTS, "fw_lists"}, {SWM_FW_ZONES, "fw_zones"}, {SWM_FW_SPARE, "fw_spare"},
		    {SWM_FW_SETS, "fw_sets"}, {SWM_ADDRS, "addrs"}, {SWM_FLOWS, "flows"}, {SWM_FLOW_USE, "flow_use"}, {SWM_FLOW_SLOTS, "flow_slots"}, {SWM_FLOW_SHARED, "flow_shared"},
		    {SWM_LOG_RINGS, "log_rings"}, {SWM_LOG_USE, "log_buckets"}};
	struct err e = ERR_INIT;
	struct sw_count *c;
	int s;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return 0; /* every test says that it was skipped */
	libbpf_set_print(quiet);
	t.obj = bpf_object__open_file(getenv("SWITCH_OBJECT"), NULL);
	assert_non_null(t.obj);
	assert_int_equal(bpf_object__load(t.obj), 0);
	t.prog = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_vnic"));
	t.s = NET_SWITCH_INIT;
	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
		t.s.map[maps[i].i] = bpf_object__find_map_fd_by_name(t.obj, maps[i].name);
	c = calloc((size_t)bpf_cpus(), sizeof *c);
	s = rtnl_open(&e);
	for (int i = 0; i < 3; i++) {
		char a[8], b[8];
		struct rtnl_veth v = {.name = a, .peer = b, .peer_ns = -1};

		snprintf(a, sizeof a, "p%d", i);
		snprintf(b, sizeof b, "q%d", i);
		assert_int_equal(rtnl_veth(s, &v, &e), 0);
		t.port[i] = (uint32_t)rtnl_index(s, a, &e);
		assert_int_equal(bpf_put(t.s.map[SWM_COUNTERS], &t.port[i], c, &e), 0);
	}
	close(s);
	free(c);
	return 0;
}

static int done(void **state)
{
	bpf_object__close(t.obj);
	return 0;
}

/* ---- rules ---- */

static struct fw_list list = {.zone = 0};
static struct fw_entry entries[32];

static void fresh(uint32_t zone)
{
	memset(entries, 0, sizeof entries);
	list = (struct fw_list){.zone = zone, .entry = entries};
}

static struct fw_entry *rule(enum fw_dir dir, enum fw_action action, unsigned proto, unsigned lo, unsigned hi)
{
	struct fw_entry *r = &entries[list.n++];

	r->rule[0] = (uint8_t)list.n;
	r->dir = dir;
	r->action = action;
	r->proto = (uint8_t)proto;
	r->npeers = 1;
	if (lo || hi) {
		r->nports = 1;
		r->port[0] = (struct fw_range){(uint16_t)lo, (uint16_t)hi};
	}
	return r;
}

static void from(struct fw_entry *r, const char *text, unsigned prefix)
{
	r->peer[0].kind = FW_PEER_NET;
	r->peer[0].prefix = (uint8_t)prefix;
	r->peer[0].a.family = strchr(text, ':') ? 6 : 4;
	inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, r->peer[0].a.ip);
}

static struct fw_addr addr(const char *text)
{
	struct fw_addr a = {.family = strchr(text, ':') ? 6 : 4};

	inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.ip);
	return a;
}

static void load(void)
{
	struct err e = ERR_INIT;

	if (net_fw_load(&t.s, &list, 1, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Everything as it was at the beginning: A without a firewall, B with one that has no rules. */
static void begin(void)
{
	put_port(0, 0);
	put_port(1, PORT_FIREWALL | PORT_RESTRICTED);
	put_port(2, PORT_L2);
	for (uint32_t z = ZONE_A; z <= ZONE_B; z++)
		assert_int_equal(net_fw_drop(&t.s, z, NULL), 0);
	assert_int_equal(net_fw_drop(&t.s, 0, NULL), 0);
	fresh(ZONE_B);
}

/* ---- frames ---- */

struct frame {
	uint8_t b[320];
	size_t n;
	int who; /* sends it */
};

static void put16(uint8_t *b, unsigned v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static struct frame eth(int a, int b, unsigned proto)
{
	struct frame f = {.n = 14, .who = a};

	memcpy(f.b, mac[b], 6);
	memcpy(f.b + 6, mac[a], 6);
	put16(f.b + 12, proto);
	return f;
}

/* v: 4 or 6 */
static struct frame ip(int v, int a, int b, unsigned proto, const void *data, size_t n)
{
	struct frame f = eth(a, b, v == 4 ? 0x0800 : 0x86dd);
	uint8_t *h = f.b + 14;

	if (v == 4) {
		h[0] = 0x45;
		put16(h + 2, (unsigned)(20 + n));
		h[8] = 64;
		h[9] = (uint8_t)proto;
		inet_pton(AF_INET, ip4[a], h + 12);
		inet_pton(AF_INET, ip4[b], h + 16);
		f.n += 20;
	} else {
		h[0] = 0x60;
		put16(h + 4, (unsigned)n);
		h[6] = (uint8_t)proto;
		h[7] = 255;
		inet_pton(AF_INET6, ip6[a], h + 8);
		inet_pton(AF_INET6, ip6[b], h + 24);
		f.n += 40;
	}
	memcpy(f.b + f.n, data, n);
	f.n += n;
	return f;
}

static struct frame udp(int v, int a, int b, unsigned sport, unsigned dport)
{
	uint8_t u[16] = {0};

	put16(u, sport);
	put16(u + 2, dport);
	put16(u + 4, 16);
	return ip(v, a, b, 17, u, 16);
}

static struct frame tcp(int v, int a, int b, unsigned sport, unsigned dport, unsigned flags)
{
	uint8_t u[20] = {0};

	put16(u, sport);
	put16(u + 2, dport);
	u[12] = 0x50;
	u[13] = (uint8_t)flags;
	return ip(v, a, b, 6, u, 20);
}

static struct frame icmp(int v, int a, int b, unsigned type, unsigned code, unsigned id)
{
	uint8_t u[16] = {(uint8_t)type, (uint8_t)code};

	put16(u + 4, id);
	return ip(v, a, b, v == 4 ? 1 : 58, u, 16);
}

/* An error of a's about what b has sent: the packet in `of`. */
static struct frame icmp_error(int v, int a, int b, unsigned type, unsigned code, const struct frame *of)
{
	uint8_t u[128] = {(uint8_t)type, (uint8_t)code};

	memcpy(u + 8, of->b + 14, of->n - 14);
	return ip(v, a, b, v == 4 ? 1 : 58, u, 8 + of->n - 14);
}

/* Part of a packet: of IPv4 offset in eights. */
static struct frame part(struct frame f, unsigned id, unsigned offset, int more)
{
	put16(f.b + 18, id);
	put16(f.b + 20, offset | (more ? 0x2000 : 0));
	return f;
}

static struct frame part6(int a, int b, unsigned proto, unsigned id, unsigned offset, int more, const void *data, size_t n)
{
	uint8_t u[64] = {(uint8_t)proto};

	put16(u + 2, offset << 3 | (more ? 1 : 0));
	put16(u + 6, id);
	memcpy(u + 8, data, n);
	return ip(6, a, b, 44, u, 8 + n);
}

static uint64_t drops(int port, enum sw_drop why)
{
	struct sw_count *c = calloc((size_t)bpf_cpus(), sizeof *c);
	uint64_t n = 0;

	assert_int_equal(bpf_get(t.s.map[SWM_COUNTERS], &t.port[port], c, NULL), 0);
	for (int i = 0; i < bpf_cpus(); i++)
		n += c[i].drops[why];
	free(c);
	return n;
}

static int run(const struct frame *f)
{
	struct err e = ERR_INIT;
	int r = bpf_try(t.prog, f->b, f->n, t.port[f->who], 0, NULL, NULL, &e);

	if (r < 0)
		print_error("%s\n", e.msg);
	return r;
}

static int to_of(const struct frame *f)
{
	return f->b[5] - 1;
}

static void passes(struct frame f, int line)
{
	if (run(&f) != REDIRECT)
		fail_msg("the frame of line %d was dropped", line);
}

static void dropped(struct frame f, enum sw_drop why, int line)
{
	int at = why == DROP_FW_IN ? to_of(&f) : f.who;
	uint64_t n = drops(at, why);

	if (run(&f) != SHOT)
		fail_msg("the frame of line %d was let through", line);
	if (drops(at, why) != n + 1)
		fail_msg("the frame of line %d was dropped for another reason", line);
}
#define PASSES(f)       passes(f, __LINE__)
#define DROPPED(f, why) dropped(f, why, __LINE__)
#define NEED                \
	if (t.prog < 0)     \
		skip();     \
	begin()

static int set_is(uint32_t set, const struct fw_addr *a, size_t n)
{
	struct fw_member m[4];

	for (size_t i = 0; i < n; i++)
		m[i] = (struct fw_member){set, a[i]};
	return net_fw_sets(&t.s, &set, 1, m, n, NULL);
}

/* ---- */

static void closed(void **state)
{
	NEED;
	/* the flag and no list: nothing in or out */
	DROPPED(udp(4, 0, 1, 9, 53), DROP_FW_IN);
	DROPPED(udp(4, 1, 0, 9, 53), DROP_FW_OUT);
	load();
	DROPPED(udp(4, 0, 1, 9, 53), DROP_FW_IN);
	DROPPED(udp(6, 0, 1, 9, 53), DROP_FW_IN);
	DROPPED(tcp(4, 0, 1, 9, 22, SYN), DROP_FW_IN);
	DROPPED(icmp(4, 0, 1, 8, 0, 7), DROP_FW_IN);
	DROPPED(ip(4, 0, 1, 47, "abcdefgh", 8), DROP_FW_IN);
	PASSES(udp(4, 1, 0, 9, 53));
	assert_int_equal(net_fw_stop(&t.s, ZONE_B, NULL), 0);
	PASSES(udp(4, 0, 1, 77, 53));
	assert_int_equal(net_fw_status(&t.s, ZONE_B, NULL), 0);
	load(); /* the ports are found and closed again */
	assert_int_equal(net_fw_status(&t.s, ZONE_B, NULL), 1);
	DROPPED(udp(4, 0, 1, 78, 53), DROP_FW_IN);
}

static void link_goes_on(void **state)
{
	uint8_t nd[24] = {135}, arp[28] = {0, 1, 8, 0, 6, 4, 0, 1};
	struct frame f = eth(0, 1, 0x0806), other = eth(0, 1, 0x88cc);

	NEED;
	load();
	memcpy(f.b + 14, arp, 28);
	f.n = 42;
	PASSES(f);
	PASSES(ip(6, 0, 1, 58, nd, 24));
	nd[0] = 136;
	PASSES(ip(6, 0, 1, 58, nd, 24));
	/* not from farther away than the link */
	f = ip(6, 0, 1, 58, nd, 24);
	f.b[21] = 64;
	DROPPED(f, DROP_ND);
	other.n = 60;
	DROPPED(other, DROP_FW_IN);
}

static void kinds(void **state)
{
	NEED;
	rule(FW_IN, FW_ALLOW, 6, 80, 80);
	rule(FW_IN, FW_ALLOW, 17, 8000, 8100);
	rule(FW_IN, FW_ALLOW, 1, 8, FW_CODE_ANY);
	rule(FW_IN, FW_ALLOW, 58, 128, 0);
	rule(FW_IN, FW_ALLOW, 50, 0, 0);
	load();
	PASSES(tcp(4, 0, 1, 1000, 80, SYN));
	PASSES(tcp(6, 0, 1, 1000, 80, SYN));
	DROPPED(tcp(4, 0, 1, 1000, 81, SYN), DROP_FW_IN);
	DROPPED(udp(4, 0, 1, 1000, 80), DROP_FW_IN);
	PASSES(udp(4, 0, 1, 1000, 8000));
	PASSES(udp(6, 0, 1, 1000, 8100));
	DROPPED(udp(4, 0, 1, 1000, 8101), DROP_FW_IN);
	DROPPED(udp(4, 0, 1, 8000, 7999), DROP_FW_IN);
	PASSES(icmp(4, 0, 1, 8, 0, 5));
	PASSES(icmp(6, 0, 1, 128, 0, 5));
	DROPPED(icmp(6, 0, 1, 128, 1, 6), DROP_FW_IN);
	DROPPED(icmp(4, 0, 1, 13, 0, 5), DROP_FW_IN);
	PASSES(ip(4, 0, 1, 50, "abcdefgh", 8));
	DROPPED(ip(4, 0, 1, 51, "abcdefgh", 8), DROP_FW_IN);
}

static void several_ports(void **state)
{
	struct fw_entry *r;

	NEED;
	r = rule(FW_IN, FW_ALLOW, 17, 1, 1);
	r->nports = 8;
	for (unsigned i = 0; i < 8; i++)
		r->port[i] = (struct fw_range){(uint16_t)(10 * i + 1), (uint16_t)(10 * i + 3)};
	load();
	for (unsigned i = 0; i < 8; i++) {
		PASSES(udp(4, 0, 1, 99, 10 * i + 1));
		PASSES(udp(4, 0, 1, 99, 10 * i + 3));
		DROPPED(udp(4, 0, 1, 99, 10 * i + 4), DROP_FW_IN);
	}
}

static void peers(void **state)
{
	struct fw_addr a = addr("10.0.0.1"), a6 = addr("fd00::1");
	struct fw_entry *r;

	NEED;
	from(rule(FW_IN, FW_ALLOW, 17, 1, 1), "10.0.0.1", 32);
	from(rule(FW_IN, FW_ALLOW, 17, 2, 2), "10.0.0.2", 31); /* host bits: 10.0.0.2 and .3 */
	from(rule(FW_IN, FW_ALLOW, 17, 3, 3), "fd00::", 64);
	from(rule(FW_IN, FW_ALLOW, 17, 4, 4), "0.0.0.0", 0);
	r = rule(FW_IN, FW_ALLOW, 17, 5, 5);
	r->peer[0] = (struct fw_peer){.kind = FW_PEER_SET, .set = 70};
	r = rule(FW_IN, FW_ALLOW, 17, 6, 6); /* either */
	from(r, "10.9.0.0", 16);
	r->npeers = 2;
	r->peer[1] = (struct fw_peer){.kind = FW_PEER_SET, .set = 71};
	load();
	PASSES(udp(4, 0, 1, 99, 1));
	DROPPED(udp(4, 2, 1, 99, 1), DROP_FW_IN);
	DROPPED(udp(4, 0, 1, 99, 2), DROP_FW_IN);
	PASSES(udp(4, 2, 1, 99, 2));
	PASSES(udp(6, 0, 1, 99, 3));
	DROPPED(udp(4, 0, 1, 99, 3), DROP_FW_IN);
	PASSES(udp(4, 0, 1, 99, 4));
	DROPPED(udp(6, 0, 1, 99, 4), DROP_FW_IN);
	DROPPED(udp(4, 0, 1, 99, 5), DROP_FW_IN);
	assert_int_equal(net_fw_set_add(&t.s, 70, &a, NULL), 0);
	assert_int_equal(net_fw_set_add(&t.s, 70, &a, NULL), 0);
	PASSES(udp(4, 0, 1, 99, 5));
	DROPPED(udp(4, 2, 1, 99, 5), DROP_FW_IN);
	DROPPED(udp(6, 0, 1, 99, 5), DROP_FW_IN);
	assert_int_equal(set_is(70, &a6, 1), 0);
	PASSES(udp(6, 0, 1, 99, 5));
	PASSES(udp(4, 0, 1, 99, 5)); /* the flow of before goes on */
	DROPPED(udp(4, 0, 1, 98, 5), DROP_FW_IN);
	DROPPED(udp(4, 0, 1, 99, 6), DROP_FW_IN);
	assert_int_equal(set_is(71, &a, 1), 0);
	PASSES(udp(4, 0, 1, 99, 6));
	assert_int_equal(set_is(71, NULL, 0), 0);
	assert_int_equal(net_fw_set_remove(&t.s, 70, &a6, NULL), 0);
	DROPPED(udp(4, 0, 1, 98, 6), DROP_FW_IN);
	DROPPED(udp(6, 0, 1, 98, 5), DROP_FW_IN);
}

/* A prefix is an element like an address, and no port's prefixes are a set's, whatever their numbers. */
static void prefixes(void **state)
{
	struct fw_addr net = addr("10.0.0.0"), net6 = addr("fd00::"), all = addr("0.0.0.0"), one = addr("10.0.0.1"), bad = addr("10.0.0.1");
	struct sw_addr_key port = {.bits = 64, .list = 80, .family = 4};
	struct fw_member m[] = {{80, one}, {80, net6}};
	uint32_t yes = 1;
	struct fw_entry *r;

	NEED;
	net.part = 1 + 31;
	net6.part = 1 + 127;
	m[1].a.part = 1 + 127;
	all.part = 1;
	one.part = 1 + 32; /* all of it */
	bad.part = 1 + 33;
	r = rule(FW_IN, FW_ALLOW, 17, 0, 0);
	r->peer[0] = (struct fw_peer){.kind = FW_PEER_SET, .set = 80};
	load();
	assert_int_equal(bpf_put(t.s.map[SWM_ADDRS], &port, &yes, NULL), 0); /* a port of that number may have any */
	DROPPED(udp(4, 0, 1, 99, 1), DROP_FW_IN);
	assert_int_equal(net_fw_set_add(&t.s, 80, &net, NULL), 0);
	PASSES(udp(4, 0, 1, 99, 1)); /* 10.0.0.1 */
	DROPPED(udp(4, 2, 1, 99, 1), DROP_FW_IN); /* 10.0.0.3 */
	DROPPED(udp(6, 0, 1, 99, 1), DROP_FW_IN);
	assert_int_equal(net_fw_set_add(&t.s, 80, &net6, NULL), 0);
	PASSES(udp(6, 0, 1, 99, 1));
	DROPPED(udp(6, 2, 1, 99, 1), DROP_FW_IN);
	assert_int_equal(net_fw_set_remove(&t.s, 80, &net, NULL), 0);
	DROPPED(udp(4, 0, 1, 99, 2), DROP_FW_IN);
	PASSES(udp(6, 0, 1, 99, 2));
	assert_int_equal(net_fw_set_add(&t.s, 80, &all, NULL), 0);
	PASSES(udp(4, 2, 1, 99, 2));
	DROPPED(udp(6, 2, 1, 99, 2), DROP_FW_IN);
	/* exactly these, in this set; another one's stay, and the port's */
	assert_int_equal(net_fw_set_add(&t.s, 81, &net, NULL), 0);
	assert_int_equal(net_fw_sets(&t.s, &(uint32_t){80}, 1, m, 2, NULL), 0);
	DROPPED(udp(4, 2, 1, 99, 3), DROP_FW_IN);
	PASSES(udp(4, 0, 1, 99, 3));
	PASSES(udp(6, 0, 1, 99, 3));
	r->peer[0].set = 81;
	load();
	PASSES(udp(4, 0, 1, 99, 4));
	assert_int_equal(net_fw_sets(&t.s, NULL, 0, m, 2, NULL), 0);
	DROPPED(udp(4, 0, 1, 99, 5), DROP_FW_IN);
	assert_int_equal(bpf_get(t.s.map[SWM_ADDRS], &port, &yes, NULL), 0);
	assert_true(net_fw_set_add(&t.s, 80, &bad, NULL) < 0);
	assert_int_equal(net_fw_sets(&t.s, NULL, 0, NULL, 0, NULL), 0);
	r->peer[0].set = 80;
	load();
	DROPPED(udp(4, 0, 1, 99, 6), DROP_FW_IN);
	DROPPED(udp(6, 0, 1, 99, 6), DROP_FW_IN);
	assert_int_equal(bpf_del(t.s.map[SWM_ADDRS], &port, NULL), 0);
}

/* The order of the list is what priorities have become. */
static void order(void **state)
{
	NEED;
	rule(FW_IN, FW_BLOCK, 6, 22, 22);
	rule(FW_IN, FW_ALLOW, 6, 0, 0);
	rule(FW_OUT, FW_BLOCK, 17, 25, 25);
	rule(FW_OUT, FW_ALLOW, 17, 53, 53);
	rule(FW_OUT, FW_BLOCK, 17, 0, 0);
	load();
	DROPPED(tcp(4, 0, 1, 9, 22, SYN), DROP_FW_IN);
	PASSES(tcp(4, 0, 1, 9, 23, SYN));
	DROPPED(udp(4, 1, 0, 9, 25), DROP_FW_OUT);
	PASSES(udp(4, 1, 0, 9, 53));
	DROPPED(udp(4, 1, 0, 9, 54), DROP_FW_OUT);
	PASSES(tcp(4, 1, 0, 9, 25, SYN));
}

static void both_ends(void **state)
{
	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	fresh(ZONE_A);
	rule(FW_OUT, FW_BLOCK, 17, 54, 54);
	load();
	DROPPED(udp(4, 0, 1, 9, 54), DROP_FW_OUT);
	DROPPED(udp(4, 0, 1, 9, 55), DROP_FW_IN);
	PASSES(udp(4, 0, 1, 9, 53));
	PASSES(udp(4, 1, 0, 53, 9));
	DROPPED(udp(4, 1, 0, 53, 10), DROP_FW_IN);
}

static void tcp_states(void **state)
{
	NEED;
	rule(FW_IN, FW_ALLOW, 6, 80, 80);
	load();
	/* nothing but SYN begins one; combinations that there are not */
	DROPPED(tcp(4, 0, 1, 1, 80, ACK), DROP_FW_STATE);
	DROPPED(tcp(4, 0, 1, 1, 80, SYN | ACK), DROP_FW_STATE);
	DROPPED(tcp(4, 0, 1, 1, 80, RST), DROP_FW_STATE);
	DROPPED(tcp(4, 0, 1, 1, 80, FIN | ACK), DROP_FW_STATE);
	DROPPED(tcp(4, 0, 1, 1, 80, 0), DROP_FW_STATE);
	DROPPED(tcp(4, 0, 1, 1, 80, SYN | FIN), DROP_FW_STATE);
	DROPPED(tcp(4, 0, 1, 1, 80, SYN | RST), DROP_FW_STATE);
	DROPPED(tcp(4, 0, 1, 1, 80, FIN), DROP_FW_STATE);
	PASSES(tcp(4, 0, 1, 1, 80, SYN));
	PASSES(tcp(4, 0, 1, 1, 80, SYN)); /* again */
	DROPPED(tcp(4, 0, 1, 1, 80, ACK), DROP_FW_STATE);
	DROPPED(tcp(4, 1, 0, 80, 1, SYN), DROP_FW_STATE); /* who is asked begins nothing under that name */
	PASSES(tcp(4, 1, 0, 80, 1, SYN | ACK));
	DROPPED(tcp(4, 0, 1, 1, 80, SYN | ACK), DROP_FW_STATE);
	PASSES(tcp(4, 0, 1, 1, 80, ACK));
	PASSES(tcp(4, 1, 0, 80, 1, ACK));
	/* a rule that goes takes nothing away from it; new ones are others */
	fresh(ZONE_B);
	load();
	PASSES(tcp(4, 0, 1, 1, 80, ACK));
	PASSES(tcp(4, 1, 0, 80, 1, ACK));
	DROPPED(tcp(4, 0, 1, 2, 80, SYN), DROP_FW_IN);
	/* done */
	PASSES(tcp(4, 0, 1, 1, 80, FIN | ACK));
	PASSES(tcp(4, 1, 0, 80, 1, ACK));
	PASSES(tcp(4, 1, 0, 80, 1, FIN | ACK));
	PASSES(tcp(4, 0, 1, 1, 80, ACK));
	DROPPED(tcp(4, 0, 1, 1, 80, SYN), DROP_FW_IN); /* that is a new one */
}

static void tcp_reset(void **state)
{
	NEED;
	rule(FW_IN, FW_ALLOW, 6, 80, 80);
	load();
	PASSES(tcp(4, 0, 1, 1, 80, SYN));
	PASSES(tcp(4, 1, 0, 80, 1, RST | ACK));
	PASSES(tcp(4, 0, 1, 1, 80, SYN)); /* tries again at once */
	PASSES(tcp(4, 1, 0, 80, 1, SYN | ACK));
	PASSES(tcp(4, 0, 1, 1, 80, ACK));
	PASSES(tcp(4, 1, 0, 80, 1, RST));
	PASSES(tcp(4, 0, 1, 1, 80, ACK)); /* did not believe it */
	DROPPED(tcp(4, 1, 0, 80, 1, SYN), DROP_FW_STATE);
}

/* Switched on while there are connections: they go on if they are seen soon. */
static void switched_on(void **state)
{
	NEED;
	put_port(1, PORT_RESTRICTED);
	PASSES(tcp(4, 0, 1, 1, 80, ACK));
	load();
	PASSES(tcp(4, 0, 1, 1, 80, ACK));
	PASSES(tcp(4, 1, 0, 80, 1, ACK));
	DROPPED(tcp(4, 0, 1, 2, 80, SYN), DROP_FW_IN);
	DROPPED(tcp(4, 0, 1, 2, 80, SYN | ACK), DROP_FW_STATE);
	/* a flow that the other end's firewall has let begin */
	fresh(ZONE_A);
	load();
	PASSES(tcp(4, 0, 1, 1, 80, ACK));
	PASSES(tcp(4, 1, 0, 80, 1, ACK));
}

static void answers(void **state)
{
	NEED;
	load();
	PASSES(udp(4, 1, 0, 9, 53));
	PASSES(udp(4, 0, 1, 53, 9));
	DROPPED(udp(4, 0, 1, 53, 10), DROP_FW_IN);
	DROPPED(udp(4, 2, 1, 53, 9), DROP_FW_IN);
	PASSES(udp(6, 1, 0, 9, 53));
	PASSES(udp(6, 0, 1, 53, 9));
	DROPPED(icmp(4, 0, 1, 0, 0, 5), DROP_FW_STATE);
	PASSES(icmp(4, 1, 0, 8, 0, 5));
	PASSES(icmp(4, 0, 1, 0, 0, 5));
	DROPPED(icmp(4, 0, 1, 0, 0, 6), DROP_FW_STATE);
	DROPPED(icmp(4, 0, 1, 8, 0, 5), DROP_FW_IN); /* a question is none */
	PASSES(icmp(6, 1, 0, 128, 0, 5));
	PASSES(icmp(6, 0, 1, 129, 0, 5));
	PASSES(ip(4, 1, 0, 47, "abcdefgh", 8));
	PASSES(ip(4, 0, 1, 47, "abcdefgh", 8));
}

/* The same words from another VM, or to another that has the address now, are another flow. */
static void whose(void **state)
{
	struct sw_port p;

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	PASSES(udp(4, 0, 1, 9, 53));
	fresh(ZONE_B);
	load();
	PASSES(udp(4, 0, 1, 9, 53));
	assert_int_equal(bpf_get(t.s.map[SWM_PORTS], &t.port[0], &p, NULL), 0);
	p.vnic = 99 << 5;
	assert_int_equal(bpf_put(t.s.map[SWM_PORTS], &t.port[0], &p, NULL), 0);
	DROPPED(udp(4, 0, 1, 9, 53), DROP_FW_IN);
}

/* A port of a zone with A's address, and these flags. */
static void with_address(int i, uint32_t zone, uint32_t flags)
{
	struct sw_port p;

	assert_int_equal(bpf_get(t.s.map[SWM_PORTS], &t.port[i], &p, NULL), 0);
	p.vnic = zone << 5;
	p.flags = flags;
	p.n4 = 1;
	inet_pton(AF_INET, ip4[0], &p.ip4[0]);
	assert_int_equal(bpf_put(t.s.map[SWM_PORTS], &t.port[i], &p, NULL), 0);
}

/* Who may send from any address takes no flow away that is of two others, nor goes on in it. */
static void spoofed(void **state)
{
	struct frame f = udp(4, 0, 1, 7, 53);
	uint32_t used, limit;

	NEED;
	with_address(0, ZONE_A, PORT_IP_NOSPOOF);
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	PASSES(f);
	f.who = 2;
	put_port(2, PORT_L2);
	with_address(2, ZONE_A + 7, 0);
	PASSES(f); /* its rule lets it in */
	fresh(ZONE_B);
	load();
	DROPPED(f, DROP_FW_IN);
	f.who = 0;
	PASSES(f); /* without a rule, for it has begun */
	assert_int_equal(net_fw_flows(&t.s, ZONE_A, &used, &limit, NULL), 0);
	assert_int_equal(used, 1);
	/* who has the address by right begins anew: it was another VM's before */
	fresh(ZONE_B);
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	with_address(2, ZONE_A + 7, PORT_IP_NOSPOOF);
	f.who = 2;
	PASSES(f);
	assert_int_equal(net_fw_flows(&t.s, ZONE_A, &used, &limit, NULL), 0);
	assert_int_equal(used, 0);
	assert_int_equal(net_fw_drop(&t.s, ZONE_A + 7, NULL), 0);
	put_port(2, PORT_L2);
}

static void related(void **state)
{
	NEED;
	for (int v = 4; v <= 6; v += 2) {
		struct frame q = udp(v, 1, 0, 9, 53), c = tcp(v, 1, 0, 9, 80, SYN), p = icmp(v, 1, 0, v == 4 ? 8 : 128, 0, 4), x = udp(v, 1, 0, 10, 53);
		unsigned unreachable = v == 4 ? 3 : 1, too_big = v == 4 ? 3 : 2;

		begin();
		load();
		DROPPED(icmp_error(v, 0, 1, unreachable, 3, &q), DROP_FW_IN);
		PASSES(q);
		PASSES(c);
		PASSES(p);
		PASSES(icmp_error(v, 0, 1, unreachable, 3, &q));
		PASSES(icmp_error(v, 0, 1, too_big, v == 4 ? 4 : 0, &c));
		PASSES(icmp_error(v, 0, 1, unreachable, 1, &p));
		/* from a router on the way */
		PASSES(icmp_error(v, 2, 1, v == 4 ? 11 : 3, 0, &q));
		/* about something that it has not sent */
		DROPPED(icmp_error(v, 0, 1, unreachable, 3, &x), DROP_FW_IN);
		x = udp(v, 0, 1, 53, 9);
		DROPPED(icmp_error(v, 0, 1, unreachable, 3, &x), DROP_FW_IN);
		rule(FW_IN, FW_ALLOW, v == 4 ? 1 : 58, unreachable, FW_CODE_ANY);
		load();
		PASSES(icmp_error(v, 0, 1, unreachable, 3, &x));
	}
}

static void fragments(void **state)
{
	uint8_t u[16] = {0, 9, 0, 53, 0, 16};

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	DROPPED(part(udp(4, 0, 1, 9, 53), 7, 2, 0), DROP_FRAGMENT);
	PASSES(part(udp(4, 0, 1, 9, 53), 7, 0, 1));
	PASSES(part(udp(4, 0, 1, 0, 0), 7, 2, 1));
	PASSES(part(udp(4, 0, 1, 0, 0), 7, 4, 0));
	DROPPED(part(udp(4, 0, 1, 0, 0), 8, 4, 0), DROP_FRAGMENT);
	DROPPED(part(udp(4, 2, 1, 0, 0), 7, 4, 0), DROP_FRAGMENT);
	DROPPED(part(udp(4, 0, 1, 9, 54), 9, 0, 1), DROP_FW_IN);
	DROPPED(part(udp(4, 0, 1, 0, 0), 9, 4, 0), DROP_FRAGMENT);
	DROPPED(part6(0, 1, 17, 7, 2, 0, u, 16), DROP_FRAGMENT);
	PASSES(part6(0, 1, 17, 7, 0, 1, u, 16));
	PASSES(part6(0, 1, 17, 7, 2, 0, u, 16));
	DROPPED(part6(0, 1, 17, 8, 2, 0, u, 16), DROP_FRAGMENT);
	u[3] = 54;
	DROPPED(part6(0, 1, 17, 9, 0, 1, u, 16), DROP_FW_IN);
	/* an answer in parts */
	u[3] = 9;
	u[1] = 53;
	PASSES(part6(1, 0, 17, 7, 0, 1, u, 16));
	PASSES(part6(1, 0, 17, 7, 2, 0, u, 16));
}

static void extensions(void **state)
{
	uint8_t x[32] = {17, 0, 1, 4, 0, 0, 0, 0, 0, 9, 0, 53, 0, 16};

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	PASSES(ip(6, 0, 1, 60, x, 24));
	x[11] = 54;
	DROPPED(ip(6, 0, 1, 60, x, 24), DROP_FW_IN);
	x[0] = 60;
	x[1] = 17; /* goes on behind what is looked at */
	DROPPED(ip(6, 0, 1, 60, x, 32), DROP_FRAGMENT);
}

static void garbage(void **state)
{
	struct frame f = tcp(4, 0, 1, 1, 80, SYN);

	NEED;
	rule(FW_IN, FW_ALLOW, 6, 80, 80);
	load();
	/* its own length ends before the flags */
	put16(f.b + 16, 28);
	DROPPED(f, DROP_SHORT);
	f = icmp(6, 0, 1, 128, 0, 1);
	put16(f.b + 18, 4);
	DROPPED(f, DROP_SHORT);
	DROPPED(ip(6, 0, 1, 60, "\x3c\0\1\4\0\0\0\0\x3c\0\1\4\0\0\0\0\x3c\0\1\4\0\0\0\0\x3c\0\1\4\0\0\0\0\x3c\0\1\4\0\0\0\0\x3c\0\1\4\0\0\0\0", 48), DROP_FRAGMENT);
}

static void quota(void **state)
{
	struct sw_use u;
	uint32_t used, limit, zone = ZONE_A;
	unsigned n = 0;

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	PASSES(udp(4, 0, 1, 1, 53));
	assert_int_equal(bpf_get(t.s.map[SWM_FLOW_USE], &zone, &u, NULL), 0);
	assert_int_equal(u.limit, SW_FLOWS_ZONE);
	u.limit = 256;
	assert_int_equal(bpf_put(t.s.map[SWM_FLOW_USE], &zone, &u, NULL), 0);
	for (unsigned i = 2; i < 1000; i++) {
		struct frame f = udp(4, 0, 1, i, 53);

		n += run(&f) == REDIRECT;
	}
	assert_in_range(n, 240, 255);
	assert_int_equal(net_fw_flows(&t.s, ZONE_A, &used, &limit, NULL), 0);
	assert_int_equal(used, n + 1);
	assert_int_equal(limit, 256 + SW_FLOWS_ZONE);
	assert_true(drops(0, DROP_FW_FULL) >= 1000 - 256 - 10);
	/* what is there goes on, and its neighbour has its own */
	PASSES(udp(4, 0, 1, 1, 53));
	PASSES(udp(4, 1, 0, 53, 1));
	PASSES(udp(4, 1, 2, 1, 53));
	/* what has gone makes room */
	assert_int_equal(net_fw_drop(&t.s, ZONE_A, NULL), 0);
	assert_int_equal(net_fw_flows(&t.s, ZONE_A, &used, &limit, NULL), 0);
	assert_int_equal(used, 0);
	PASSES(udp(4, 0, 1, 1, 53));
}

static void quota_reused(void **state)
{
	uint32_t used, limit, zone = ZONE_A;
	struct sw_use u;

	NEED;
	rule(FW_IN, FW_ALLOW, 6, 80, 80);
	load();
	/* connections that have ended: far more than there is room for at a time */
	for (unsigned i = 1; i < 2000; i++) {
		if (i == 2) {
			assert_int_equal(bpf_get(t.s.map[SWM_FLOW_USE], &zone, &u, NULL), 0);
			u.limit = 128;
			assert_int_equal(bpf_put(t.s.map[SWM_FLOW_USE], &zone, &u, NULL), 0);
		}
		PASSES(tcp(4, 0, 1, i, 80, SYN));
		PASSES(tcp(4, 1, 0, 80, i, SYN | ACK));
		PASSES(tcp(4, 0, 1, i, 80, ACK));
		PASSES(tcp(4, 0, 1, i, 80, FIN | ACK));
		PASSES(tcp(4, 1, 0, 80, i, FIN | ACK));
		PASSES(tcp(4, 0, 1, i, 80, ACK));
	}
	assert_int_equal(net_fw_flows(&t.s, ZONE_A, &used, &limit, NULL), 0);
	assert_in_range(used, 64, 128);
}

/* Where the hand stands before thousands of flows that live on, a place beyond them is found all the same. */
static void quota_beyond(void **state)
{
	uint32_t zone = ZONE_A;
	struct sw_use u;
	unsigned n = 0;

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	rule(FW_IN, FW_ALLOW, 6, 80, 80);
	load();
	for (unsigned i = 1; i <= SW_FLOWS_ZONE / 2; i++) {
		struct frame f = udp(4, 0, 1, i, 53), back = udp(4, 1, 0, 53, i);

		run(&f);
		run(&back);
	}
	for (unsigned i = 1; i <= SW_FLOWS_ZONE / 2; i++) {
		struct frame f = tcp(4, 0, 1, i, 80, SYN), back = tcp(4, 1, 0, 80, i, 0x14);

		run(&f);
		run(&back);
	}
	for (unsigned at = 0; at < SW_FLOWS_ZONE; at += 512) {
		assert_int_equal(bpf_get(t.s.map[SWM_FLOW_USE], &zone, &u, NULL), 0);
		u.hand = at;
		assert_int_equal(bpf_put(t.s.map[SWM_FLOW_USE], &zone, &u, NULL), 0);
		for (unsigned i = 0; i < 8; i++) {
			struct frame f = tcp(4, 0, 1, 20000 + at + i, 80, SYN);

			n += run(&f) == REDIRECT;
		}
	}
	/* of 16 places that are looked at anywhere all are taken once in 65,536 times */
	assert_in_range(n, 255, 256);
	assert_int_equal(net_fw_drop(&t.s, ZONE_A, NULL), 0);
}

/* Charged to who is here when the other is not, and not to what that one begins. */
#define FLOODERS 64
#define KEEP_OPEN_FIN (86400 - 600) /* what an open flow is kept for, without what one is that has one end done */

static void as_zone(uint32_t zone)
{
	struct sw_mac_key k = {.sw = 1};
	struct sw_dest d = {.ifindex = t.port[0], .vnic = zone << 5};
	struct sw_port p;

	memcpy(k.mac, mac[0], 6);
	assert_int_equal(bpf_get(t.s.map[SWM_PORTS], &t.port[0], &p, NULL), 0);
	p.vnic = zone << 5;
	assert_int_equal(bpf_put(t.s.map[SWM_PORTS], &t.port[0], &p, NULL), 0);
	assert_int_equal(bpf_put(t.s.map[SWM_FDB], &k, &d, NULL), 0);
}

/* As many flows as a zone may have, of as many zones as had room for that: another one has its share, and what is worth nothing of theirs. */
static void flooded(void **state)
{
	const struct frame first = udp(4, 0, 1, 7, 1000);
	uint32_t used = 0, limit, zero = 0;
	unsigned n = 0;
	uint64_t all;

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 2000);
	load();
	for (uint32_t z = 0; z < FLOODERS; z++) {
		struct frame f = udp(4, 0, 1, 1, 1000 + z);

		as_zone(100 + z);
		if (z == 0) {
			PASSES(first);
			PASSES(udp(4, 1, 0, 1000, 7));
		}
		for (unsigned i = 10; i < 10 + SW_FLOWS_ZONE; i++) {
			put16(f.b + 34, i);
			run(&f);
		}
	}
	assert_int_equal(bpf_get(t.s.map[SWM_FLOW_SHARED], &zero, &all, NULL), 0);
	assert_in_range(all, SW_SHARED / 2, SW_SHARED);
	as_zone(ZONE_A);
	for (unsigned i = 1; i <= SW_SHARE - 32; i++)
		PASSES(udp(4, 0, 1, i, 53));
	for (unsigned i = 0; i < 300 && used < 2000; i++) {
		for (unsigned j = 0; j < 100; j++, n++) {
			struct frame f = udp(4, 0, 1, 1000 + n, 53);

			run(&f);
		}
		usleep(5000);
		assert_int_equal(net_fw_flows(&t.s, ZONE_A, &used, &limit, NULL), 0);
	}
	assert_in_range(used, 2000, SW_FLOWS_ZONE);
	/* what was answered is still there: it goes on without a rule */
	as_zone(100);
	fresh(ZONE_B);
	load();
	PASSES(first);
	for (uint32_t z = 0; z < FLOODERS; z++)
		assert_int_equal(net_fw_drop(&t.s, 100 + z, NULL), 0);
	assert_int_equal(net_fw_drop(&t.s, ZONE_A, NULL), 0);
	assert_int_equal(bpf_get(t.s.map[SWM_FLOW_SHARED], &zero, &all, NULL), 0);
	assert_int_equal(all, 0);
}

/* TCP in the middle is let on no more. */
static void no_grace(uint32_t zone)
{
	struct sw_rule head;
	struct sw_fw_head h;
	uint32_t zero = 0;
	int fd = fw_list_open(&t.s, zone, NULL);

	assert_int_equal(bpf_get(fd, &zero, &head, NULL), 0);
	memcpy(&h, &head, sizeof h);
	h.since = 0;
	memcpy(&head, &h, sizeof h);
	assert_int_equal(bpf_put(fd, &zero, &head, NULL), 0);
	close(fd);
}

/* What the only flow that there is looks like from now on; returns how it was. */
static struct sw_flow flow_is(const struct sw_flow *c)
{
	struct sw_flow_key k;
	struct sw_flow was;

	assert_int_equal(bpf_next(t.s.map[SWM_FLOWS], NULL, &k, NULL), 1);
	assert_int_equal(bpf_get(t.s.map[SWM_FLOWS], &k, &was, NULL), 0);
	if (c)
		assert_int_equal(bpf_put(t.s.map[SWM_FLOWS], &k, c, NULL), 0);
	return was;
}

/* An open connection goes on without its rules, as long as each thing that it rests on is as it was. */
static void established(void **state)
{
	const struct frame a = tcp(4, 0, 1, 1, 80, ACK), b = tcp(4, 1, 0, 80, 1, ACK);
	struct sw_flow c, d;
	struct frame f;

	NEED;
	rule(FW_IN, FW_ALLOW, 6, 80, 80);
	load();
	PASSES(tcp(4, 0, 1, 1, 80, SYN));
	PASSES(tcp(4, 1, 0, 80, 1, SYN | ACK));
	PASSES(a);
	fresh(ZONE_B);
	load();
	no_grace(ZONE_B);
	PASSES(a);
	PASSES(b);
	DROPPED(tcp(4, 0, 1, 2, 80, ACK), DROP_FW_STATE);
	DROPPED(tcp(4, 2, 1, 1, 80, ACK), DROP_FW_STATE);
	/* another's, in both directions */
	as_zone(77);
	DROPPED(a, DROP_FW_STATE);
	DROPPED(b, DROP_FW_STATE);
	put_port(0, 0);
	PASSES(a);
	PASSES(b);
	/* a part; options where another's ports are; a packet that ends before its flags */
	f = a;
	f.b[21] = 0xb9;
	DROPPED(f, DROP_FRAGMENT);
	f = a;
	memmove(f.b + 38, a.b + 34, a.n - 34);
	f.n += 4;
	f.b[14] = 0x46;
	f.b[17] += 4;
	f.b[39] = 2;
	f.b[47] = ACK;
	DROPPED(f, DROP_FW_STATE);
	f = a;
	f.b[17] = 33;
	DROPPED(f, DROP_SHORT);
	PASSES(a);
	/* a firewall that has not been asked; a flow that has ended; one that is not open yet */
	c = d = flow_is(NULL);
	d.asked = 0;
	flow_is(&d);
	DROPPED(a, DROP_FW_IN);
	DROPPED(b, DROP_FW_IN);
	d = c;
	d.until = 1;
	flow_is(&d);
	DROPPED(a, DROP_FW_STATE);
	d = c;
	d.state = 0;
	flow_is(&d);
	DROPPED(a, DROP_FW_STATE);
	/* after a reset, or what ends one direction, it is heard by the flow */
	d = c;
	d.fin = 8;
	d.until -= 1000;
	flow_is(&d);
	PASSES(a);
	d = flow_is(NULL);
	assert_int_equal(d.fin, 0);
	assert_in_range(d.until, c.until, c.until + 100);
	d.fin = 1;
	flow_is(&d);
	PASSES(b);
	assert_in_range(flow_is(NULL).until, c.until - KEEP_OPEN_FIN, c.until - KEEP_OPEN_FIN + 100);
	flow_is(&c);
	PASSES(a);
}

static void from_outside(void **state)
{
	uint32_t used, limit, owner = ZONE_B | SW_OUTSIDE;
	struct sw_use u;
	unsigned n = 0;

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	PASSES(udp(4, 2, 1, 1, 53));
	assert_int_equal(net_fw_flows(&t.s, ZONE_B, &used, &limit, NULL), 0);
	assert_int_equal(used, 1);
	assert_int_equal(limit, 2 * SW_FLOWS_ZONE);
	assert_int_equal(bpf_get(t.s.map[SWM_FLOW_USE], &owner, &u, NULL), 0);
	u.limit = 64;
	assert_int_equal(bpf_put(t.s.map[SWM_FLOW_USE], &owner, &u, NULL), 0);
	for (unsigned i = 2; i < 200; i++) {
		struct frame f = udp(4, 2, 1, i, 53);

		n += run(&f) == REDIRECT;
	}
	assert_int_equal(n, 63);
	PASSES(udp(4, 1, 2, 9, 53));
	PASSES(udp(4, 0, 1, 9, 53));
	assert_int_equal(net_fw_drop(&t.s, ZONE_B, NULL), 0);
	assert_int_equal(net_fw_flows(&t.s, ZONE_B, &used, &limit, NULL), 0);
	assert_int_equal(used, 0);
}

struct seen {
	uint64_t packets[2][4];
};

static int see(const uint8_t rule_[16], enum fw_dir dir, enum fw_action action, uint64_t packets, uint64_t bytes, void *arg)
{
	struct seen *s = arg;

	s->packets[dir][rule_[0]] = packets;
	assert_true(!packets == !bytes);
	return 0;
}

static void stats(void **state)
{
	struct seen s = {0};

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	rule(FW_IN, FW_BLOCK, 17, 54, 54);
	rule(FW_OUT, FW_BLOCK, 17, 25, 25);
	load();
	for (unsigned i = 0; i < 3; i++) {
		struct frame f = udp(4, 0, 1, 9, 54), g = udp(4, 1, 0, 9, 25), h = udp(4, 0, 1, 9, 99), p = udp(4, 0, 1, 9, 53);

		run(&f);
		run(&g);
		run(&h);
		run(&p);
	}
	load(); /* what they have counted stays */
	assert_int_equal(net_fw_stats(&t.s, ZONE_B, see, &s, NULL), 0);
	assert_int_equal(s.packets[FW_IN][1], 1); /* the first of the flow */
	assert_int_equal(s.packets[FW_IN][2], 3);
	assert_int_equal(s.packets[FW_OUT][3], 3);
	assert_int_equal(s.packets[FW_IN][0], 3);
	assert_int_equal(s.packets[FW_OUT][0], 0);
}

static void groups(void **state)
{
	struct sw_flood_key k = {.sw = 1};
	uint32_t n = 2;
	struct frame f = udp(4, 0, 1, 9, 53);
	uint64_t in;

	NEED;
	assert_int_equal(bpf_put(t.s.map[SWM_FLOOD], &k, &n, NULL), 0);
	for (k.i = 1; k.i <= 2; k.i++)
		assert_int_equal(bpf_put(t.s.map[SWM_FLOOD], &k, &t.port[k.i - 1], NULL), 0);
	load();
	memset(f.b, 255, 6);
	in = drops(1, DROP_FW_IN);
	run(&f);
	assert_int_equal(drops(1, DROP_FW_IN), in + 1);
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	rule(FW_OUT, FW_BLOCK, 17, 99, 99);
	load();
	run(&f);
	assert_int_equal(drops(1, DROP_FW_IN), in + 1);
	f = udp(4, 1, 0, 9, 99);
	memset(f.b, 255, 6);
	in = drops(1, DROP_FW_OUT);
	run(&f);
	assert_int_equal(drops(1, DROP_FW_OUT), in + 1);
}

/* As a server says it: to whom it goes is in it. op and cookie: 2 and 0x63 are an answer's. */
static struct frame answer(int v, int op, int cookie, int whose)
{
	uint8_t u[256] = {0};

	put16(u, v == 4 ? 67 : 547);
	put16(u + 2, v == 4 ? 68 : 546);
	put16(u + 4, v == 4 ? 252 : 16);
	u[8] = (uint8_t)op;
	if (v == 4) {
		u[9] = 1;
		u[10] = 6;
		memcpy(u + 36, eth(0, whose, 0).b, 6);
		memcpy(u + 244, (uint8_t[]){(uint8_t)cookie, 0x82, 0x53, 0x63}, 4);
	}
	return ip(v, 2, 1, 17, u, v == 4 ? 252 : 16);
}

static void leases(void **state)
{
	NEED;
	load();
	DROPPED(answer(4, 2, 0x63, 1), DROP_FW_IN);
	put_port(1, PORT_FIREWALL | PORT_RESTRICTED | PORT_DHCP_CLIENT);
	PASSES(answer(4, 2, 0x63, 1));
	DROPPED(answer(4, 1, 0x63, 1), DROP_FW_IN);
	DROPPED(answer(4, 2, 0x62, 1), DROP_FW_IN);
	DROPPED(answer(4, 2, 0x63, 2), DROP_FW_IN);
	DROPPED(udp(4, 2, 1, 67, 68), DROP_FW_IN);
	PASSES(answer(6, 7, 0, 1));
	DROPPED(answer(6, 1, 0, 1), DROP_FW_IN);
	DROPPED(udp(4, 2, 1, 67, 69), DROP_FW_IN);
}

/* ---- the log ---- */

static struct {
	struct droplog d[64];
	uint32_t missed;
	int n;
} got;

static int note_record(void *ctx, void *data, size_t n)
{
	const struct sw_log *l = data;

	if (got.n < 64)
		assert_int_equal(droplog_read(l, n, &got.d[got.n++]), 0);
	got.missed += l->missed;
	return 0;
}

/* What the zone's log has got since the last look. */
static int look(uint32_t zone)
{
	int fd = bpf_inner(t.s.map[SWM_LOG_RINGS], &zone, NULL);
	struct ring_buffer *r = fd < 0 ? NULL : ring_buffer__new(fd, note_record, NULL, NULL);

	assert_non_null(r);
	got.n = 0;
	got.missed = 0;
	assert_true(ring_buffer__consume(r) >= 0);
	ring_buffer__free(r);
	close(fd);
	return got.n;
}

static void log_of(uint32_t zone)
{
	assert_int_equal(net_log_on(&t.s, &zone, 1, NULL), 0);
}

/* Of a VM with log_drops, and of no other. */
static void log_drops(void **state)
{
	uint32_t to;

	NEED;
	rule(FW_IN, FW_BLOCK, 6, 23, 23);
	load();
	log_of(ZONE_B);
	DROPPED(tcp(4, 0, 1, 1000, 23, SYN), DROP_FW_IN);
	assert_int_equal(look(ZONE_B), 0);
	put_port(1, PORT_FIREWALL | PORT_RESTRICTED | PORT_LOG);
	DROPPED(tcp(4, 0, 1, 1000, 23, SYN), DROP_FW_IN);
	assert_int_equal(look(ZONE_B), 1);
	assert_int_equal(got.d[0].reason, DROP_FW_IN);
	assert_int_equal(got.d[0].proto, 6);
	assert_int_equal(got.d[0].port[0], 1000);
	assert_int_equal(got.d[0].port[1], 23);
	assert_int_equal(got.d[0].rule[0], 1);
	inet_pton(AF_INET, "10.0.0.1", &to);
	assert_memory_equal(got.d[0].ip[0], &to, 4);
	/* that no rule decided; what no rule was asked about; what it sends itself */
	DROPPED(udp(6, 0, 1, 9, 53), DROP_FW_IN);
	DROPPED(eth(0, 1, 0x88b5), DROP_FW_IN);
	DROPPED(tcp(4, 1, 0, 9, 9, SYN | FIN), DROP_FW_STATE);
	assert_int_equal(look(ZONE_B), 3);
	assert_int_equal(got.d[0].what, DROPLOG_IP6);
	assert_int_equal(got.d[0].rule[0], 0);
	assert_int_equal(got.d[1].ethertype, 0x88b5);
	assert_int_equal(got.d[1].at, t.port[1]);
	assert_int_equal(got.d[2].reason, DROP_FW_STATE);
	assert_int_equal(got.d[2].port[1], 9);
	/* what goes on is not told, nor what a zone without a log has dropped */
	PASSES(udp(4, 1, 0, 9, 53));
	put_port(0, PORT_FIREWALL | PORT_LOG);
	DROPPED(udp(4, 0, 1, 9, 5353), DROP_FW_OUT);
	assert_int_equal(look(ZONE_B), 0);
}

static void log_rules(void **state)
{
	NEED;
	rule(FW_IN, FW_BLOCK, 6, 23, 23)->log = true;
	rule(FW_IN, FW_ALLOW, 6, 80, 80)->log = true;
	rule(FW_IN, FW_ALLOW, 6, 81, 81);
	load();
	DROPPED(tcp(4, 0, 1, 1000, 23, SYN), DROP_FW_IN);
	DROPPED(tcp(4, 0, 1, 1000, 24, SYN), DROP_FW_IN);
	PASSES(tcp(4, 0, 1, 1000, 80, SYN));
	PASSES(tcp(4, 1, 0, 80, 1000, SYN | ACK));
	PASSES(tcp(4, 0, 1, 1000, 81, SYN));
	assert_int_equal(look(ZONE_B), 2); /* a connection, not each of its packets */
	assert_int_equal(got.d[0].reason, DROP_FW_IN);
	assert_int_equal(got.d[0].rule[0], 1);
	assert_int_equal(got.d[1].reason, DROP_NONE);
	assert_int_equal(got.d[1].rule[0], 2);
	assert_int_equal(got.d[1].port[1], 80);
	/* both at once: one record */
	put_port(1, PORT_FIREWALL | PORT_RESTRICTED | PORT_LOG);
	DROPPED(tcp(4, 0, 1, 1001, 23, SYN), DROP_FW_IN);
	assert_int_equal(look(ZONE_B), 1);
}

/* A flood fills its own bucket: what it hides is counted, and others are told of as before. */
static void log_flood(void **state)
{
	uint32_t records, missed;
	time_t began;

	NEED;
	began = time(NULL);
	put_port(1, PORT_FIREWALL | PORT_RESTRICTED | PORT_LOG);
	load();
	log_of(ZONE_B);
	for (int i = 0; i < 500; i++)
		DROPPED(udp(4, 0, 1, 9, 1 + i), DROP_FW_IN);
	look(ZONE_B);
	assert_in_range(got.n, SW_LOG_BURST - 1, SW_LOG_BURST + SW_LOG_RATE * (time(NULL) - began + 1));
	records = (uint32_t)got.n;
	missed = got.missed;
	DROPPED(udp(4, 2, 1, 9, 53), DROP_FW_IN);
	assert_int_equal(look(ZONE_B), 1);
	assert_int_equal(got.d[0].port[1], 53);
	assert_int_equal(got.missed, 0);
	usleep(300000);
	DROPPED(udp(4, 0, 1, 9, 53), DROP_FW_IN);
	assert_int_equal(look(ZONE_B), 1);
	assert_int_equal(records + missed + got.missed, 500);
	assert_true(got.missed > 0);
	/* the zone goes, and its log */
	assert_int_equal(net_fw_drop(&t.s, ZONE_B, NULL), 0);
	assert_int_equal(bpf_inner(t.s.map[SWM_LOG_RINGS], &(uint32_t){ZONE_B}, NULL), -ENOENT);
	assert_int_equal(bpf_next(t.s.map[SWM_LOG_USE], NULL, &(struct sw_log_key){0}, NULL), 0);
}

#define SENDERS 60

static struct {
	uint32_t from[SENDERS];
	int n[SENDERS], all;
} heard;

static int note_sender(void *ctx, void *data, size_t n)
{
	const struct sw_log *l = data;

	for (int i = 0; i < SENDERS; i++)
		heard.n[i] += l->from == heard.from[i];
	heard.all++;
	return 0;
}

/* Many at once, each of whom sends more than a log has room for, before anybody reads: each is told of. */
static void log_many_senders(void **state)
{
	struct sw_port p = {.sw = 1};
	struct ring_buffer *r;
	int fd, s = rtnl_open(NULL);

	NEED;
	put_port(1, PORT_FIREWALL | PORT_RESTRICTED | PORT_LOG);
	load();
	log_of(ZONE_B);
	for (int i = 0; i < SENDERS; i++) {
		char name[16], peer[16];
		struct rtnl_veth v = {.name = name, .peer = peer, .peer_ns = -1};
		struct frame f = udp(4, 0, 1, 9, 53);

		snprintf(name, sizeof name, "s%d", i);
		snprintf(peer, sizeof peer, "s%dp", i);
		assert_int_equal(rtnl_veth(s, &v, NULL), 0);
		heard.from[i] = (uint32_t)rtnl_index(s, name, NULL);
		p.vnic = (uint32_t)(300 + i) << 5;
		assert_int_equal(bpf_put(t.s.map[SWM_PORTS], &heard.from[i], &p, NULL), 0);
		for (int j = 0; j < 30; j++)
			assert_int_equal(bpf_try(t.prog, f.b, f.n, heard.from[i], 0, NULL, NULL, NULL), SHOT);
		assert_int_equal(bpf_del(t.s.map[SWM_PORTS], &heard.from[i], NULL), 0);
	}
	close(s);
	fd = bpf_inner(t.s.map[SWM_LOG_RINGS], &(uint32_t){ZONE_B}, NULL);
	r = ring_buffer__new(fd, note_sender, NULL, NULL);
	assert_non_null(r);
	assert_true(ring_buffer__consume(r) >= 0);
	ring_buffer__free(r);
	close(fd);
	assert_in_range(heard.n[0], SW_LOG_BURST - 1, 30);
	for (int i = 0; i < SENDERS; i++)
		assert_in_range(heard.n[i], 1, 30);
	assert_int_equal(net_fw_drop(&t.s, ZONE_B, NULL), 0);
}

static void many_rules(void **state)
{
	struct fw_entry *many = calloc(3000, sizeof *many);
	struct fw_list l = {.zone = ZONE_B, .entry = many, .n = 3000};
	struct err e = ERR_INIT;

	NEED;
	for (size_t i = 0; i < l.n; i++) {
		many[i].proto = 17;
		many[i].npeers = 1;
		many[i].nports = 1;
		many[i].port[0] = (struct fw_range){(uint16_t)(i + 1), (uint16_t)(i + 1)};
	}
	assert_int_equal(net_fw_load(&t.s, &l, 1, &e), 0);
	PASSES(udp(4, 0, 1, 9, 3000));
	DROPPED(udp(4, 0, 1, 9, 3001), DROP_FW_IN);
	for (size_t i = 0; i < l.n; i++)
		many[i].npeers = 24;
	assert_true(net_fw_load(&t.s, &l, 1, &e) < 0); /* refused, and what was there goes on */
	PASSES(udp(4, 0, 1, 10, 3000));
	free(many);
}

static uint32_t place_of(uint32_t zone)
{
	uint64_t place;

	assert_int_equal(bpf_get(t.s.map[SWM_FW_ZONES], &zone, &place, NULL), 0);
	assert_int_equal((uint32_t)place, zone);
	return (uint32_t)(place >> 32);
}

/* A list that is ready is taken, one by one, and what was there before it is no zone's; none is ready: one is made. */
static void ready_lists(void **state)
{
	struct fw_spare p;
	struct err e = ERR_INIT;
	uint32_t ready, old, left;

	NEED;
	assert_int_equal(fw_list_numbers(&t.s, &ready, 1, &e), 0);
	{
		_fd_ int fd = bpf_array(sizeof(struct sw_rule), SW_LIST_ROOM, &e);

		assert_int_equal(bpf_put(t.s.map[SWM_FW_LISTS], &ready, &fd, &e), 0);
	}
	load();
	old = place_of(ZONE_B);
	DROPPED(udp(4, 0, 1, 1000, 53), DROP_FW_IN);
	assert_int_equal(fw_spare_set(&t.s, SW_SPARE_LIST + 3, ready, &e), 0);
	assert_int_equal(fw_spare_read(&t.s, &p, &e), 0);
	left = p.at[SW_SPARE_LEFT];
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	assert_int_equal(place_of(ZONE_B), ready);
	assert_int_equal(fw_spare_read(&t.s, &p, &e), 0);
	assert_int_equal(p.at[SW_SPARE_LIST + 3], 0);
	assert_int_equal(p.at[SW_SPARE_LEFT], left + 1);
	PASSES(udp(4, 0, 1, 1000, 53));
	DROPPED(udp(4, 0, 1, 1000, 54), DROP_FW_IN);
	rule(FW_IN, FW_ALLOW, 17, 54, 54);
	load();
	assert_true(place_of(ZONE_B) != ready && place_of(ZONE_B) != old);
	PASSES(udp(4, 0, 1, 1001, 54));
	assert_int_equal(net_fw_drop(&t.s, ZONE_B, &e), 0);
	assert_int_equal(net_fw_status(&t.s, ZONE_B, &e), 0);
	DROPPED(udp(4, 0, 1, 1002, 53), DROP_FW_IN);
}

/* As a program of before has put it: under the zone's own number, and an element of another zone in the memory of what was this one's. */
static void lists_of_before(void **state)
{
	uint32_t zone = ZONE_B, number;
	uint64_t place;
	struct err e = ERR_INIT;

	NEED;
	rule(FW_IN, FW_ALLOW, 17, 53, 53);
	load();
	number = place_of(zone);
	{
		_fd_ int fd = bpf_inner(t.s.map[SWM_FW_LISTS], &number, &e);

		assert_int_equal(bpf_put(t.s.map[SWM_FW_LISTS], &zone, &fd, &e), 0);
	}
	place = (uint64_t)number << 32 | (zone + 1);
	assert_int_equal(bpf_put(t.s.map[SWM_FW_ZONES], &zone, &place, &e), 0);
	DROPPED(udp(4, 0, 1, 1000, 53), DROP_FW_IN);
	assert_int_equal(bpf_del(t.s.map[SWM_FW_ZONES], &zone, &e), 0);
	PASSES(udp(4, 0, 1, 1000, 53));
	assert_int_equal(net_fw_status(&t.s, zone, &e), 1);
	assert_int_equal(net_fw_drop(&t.s, zone, &e), 0);
	assert_int_equal(net_fw_status(&t.s, zone, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed), cmocka_unit_test(link_goes_on), cmocka_unit_test(kinds), cmocka_unit_test(several_ports),
		cmocka_unit_test(peers), cmocka_unit_test(prefixes), cmocka_unit_test(order), cmocka_unit_test(both_ends), cmocka_unit_test(tcp_states),
		cmocka_unit_test(tcp_reset), cmocka_unit_test(switched_on), cmocka_unit_test(answers), cmocka_unit_test(whose), cmocka_unit_test(spoofed),
		cmocka_unit_test(related), cmocka_unit_test(fragments), cmocka_unit_test(extensions), cmocka_unit_test(garbage),
		cmocka_unit_test(quota), cmocka_unit_test(quota_reused), cmocka_unit_test(quota_beyond), cmocka_unit_test(flooded), cmocka_unit_test(established), cmocka_unit_test(from_outside), cmocka_unit_test(stats),
		cmocka_unit_test(groups), cmocka_unit_test(leases), cmocka_unit_test(many_rules), cmocka_unit_test(log_drops),
		cmocka_unit_test(log_rules), cmocka_unit_test(log_flood), cmocka_unit_test(log_many_senders),
		cmocka_unit_test(ready_lists), cmocka_unit_test(lists_of_before),
	};

	return cmocka_run_group_tests_name("bpf_fw", tests, setup, done);
}
