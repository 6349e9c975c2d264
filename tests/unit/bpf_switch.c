/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The switch's program against raw frames: what each kind of liar may not send, and beside it the same frame from who may.
 * The kernel runs it (BPF_PROG_TEST_RUN) in a network namespace of the test's own. Needs root.
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
#include <linux/if_packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"

#define SHOT     2
#define REDIRECT 7
#define ALL      (PORT_MAC_NOSPOOF | PORT_IP_NOSPOOF | PORT_DHCP_NOSPOOF | PORT_RESTRICTED)

static const uint8_t mac_a[6] = {2, 8, 32, 0, 0, 1}, mac_b[6] = {2, 8, 32, 0, 0, 2}, mac_x[6] = {2, 8, 32, 0, 0, 9};
static const uint8_t all_ones[6] = {255, 255, 255, 255, 255, 255};

static struct {
	struct bpf_object *obj;
	int prog, ports, fdb, neighbours, addrs, blocked, cids, counters;
	uint32_t a, b; /* interface indexes of two ports */
	struct sw_port port;
} t = {.prog = -1};

static int map(const char *name)
{
	return bpf_object__find_map_fd_by_name(t.obj, name);
}

static int quiet(enum libbpf_print_level l, const char *fmt, va_list ap)
{
	return l == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static void set_port(uint32_t flags)
{
	t.port.flags = flags;
	assert_int_equal(bpf_put(t.ports, &t.a, &t.port, NULL), 0);
}

static int setup(void **state)
{
	struct rtnl_veth va = {.name = "a", .peer = "a0", .peer_ns = -1}, vb = {.name = "b", .peer = "b0", .peer_ns = -1};
	struct sw_mac_key k = {.sw = 1};
	struct sw_dest d = {0};
	struct sw_ip_key ip = {.sw = 1, .family = 4};
	struct sw_neigh nb = {0};
	struct err e = ERR_INIT;
	int s;

	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNET) < 0)
		return 0; /* a machine that allows no namespace: every test says that it was skipped */
	libbpf_set_print(quiet);
	t.obj = bpf_object__open_file(getenv("SWITCH_OBJECT"), NULL);
	assert_non_null(t.obj);
	assert_int_equal(bpf_object__load(t.obj), 0);
	t.prog = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_vnic"));
	t.ports = map("ports");
	t.fdb = map("fdb");
	t.neighbours = map("neighbours");
	t.addrs = map("addrs");
	t.blocked = map("blocked");
	t.cids = map("cids");
	t.counters = map("counters");
	s = rtnl_open(&e);
	assert_true(s >= 0);
	assert_int_equal(rtnl_veth(s, &va, &e), 0);
	assert_int_equal(rtnl_veth(s, &vb, &e), 0);
	t.a = (uint32_t)rtnl_index(s, "a", &e);
	t.b = (uint32_t)rtnl_index(s, "b", &e);
	close(s);
	t.port = (struct sw_port){.sw = 1, .n4 = 1, .n6 = 1, .lists = t.a};
	memcpy(t.port.mac, mac_a, 6);
	inet_pton(AF_INET, "10.0.0.1", &t.port.ip4[0]);
	inet_pton(AF_INET6, "fd00::1", t.port.ip6[0]);
	set_port(ALL);
	memcpy(k.mac, mac_b, 6);
	d.ifindex = t.b;
	assert_int_equal(bpf_put(t.fdb, &k, &d, &e), 0);
	inet_pton(AF_INET, "10.0.0.2", ip.ip);
	memcpy(nb.mac, mac_b, 6);
	assert_int_equal(bpf_put(t.neighbours, &ip, &nb, &e), 0);
	{
		struct sw_count *c = calloc((size_t)bpf_cpus(), sizeof *c);

		assert_int_equal(bpf_put(t.counters, &t.a, c, &e), 0);
		free(c);
	}
	return 0;
}

static int done(void **state)
{
	bpf_object__close(t.obj);
	return 0;
}

static uint64_t drops(enum sw_drop why)
{
	struct sw_count *c = calloc((size_t)bpf_cpus(), sizeof *c);
	uint64_t n = 0;

	assert_int_equal(bpf_get(t.counters, &t.a, c, NULL), 0);
	for (int i = 0; i < bpf_cpus(); i++)
		n += c[i].drops[why];
	free(c);
	return n;
}

/* ---- frames ---- */

struct frame {
	uint8_t b[768];
	size_t n;
};

static void add(struct frame *f, const void *p, size_t n)
{
	memcpy(f->b + f->n, p, n);
	f->n += n;
}

static void add16(struct frame *f, unsigned v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	add(f, b, 2);
}

static struct frame eth(const uint8_t *dst, const uint8_t *src, unsigned proto)
{
	struct frame f = {.n = 0};

	add(&f, dst, 6);
	add(&f, src, 6);
	add16(&f, proto);
	return f;
}

static struct frame arp(const uint8_t *src, const uint8_t *sha, unsigned op, const char *spa, const char *tpa)
{
	struct frame f = eth(op == 1 ? all_ones : mac_b, src, 0x0806);
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4}, none[6];
	struct in_addr a;

	add(&f, head, 6);
	add16(&f, op);
	add(&f, sha, 6);
	inet_pton(AF_INET, spa, &a);
	add(&f, &a, 4);
	add(&f, none, 6);
	inet_pton(AF_INET, tpa, &a);
	add(&f, &a, 4);
	return f;
}

static struct frame ip4(const uint8_t *src_mac, const char *src, const char *dst, unsigned proto, unsigned frag, const void *data, size_t n)
{
	struct frame f = eth(mac_b, src_mac, 0x0800);
	uint8_t h[20] = {0x45, 0};
	unsigned len = (unsigned)(20 + n);

	h[2] = (uint8_t)(len >> 8);
	h[3] = (uint8_t)len;
	h[6] = (uint8_t)(frag >> 8);
	h[7] = (uint8_t)frag;
	h[8] = 64;
	h[9] = (uint8_t)proto;
	inet_pton(AF_INET, src, h + 12);
	inet_pton(AF_INET, dst, h + 16);
	add(&f, h, 20);
	add(&f, data, n);
	return f;
}

static struct frame udp(const char *src, const char *dst, unsigned sport, unsigned dport, const void *data, size_t n)
{
	uint8_t u[700] = {(uint8_t)(sport >> 8), (uint8_t)sport, (uint8_t)(dport >> 8), (uint8_t)dport, (uint8_t)((8 + n) >> 8), (uint8_t)(8 + n)};

	memcpy(u + 8, data, n);
	return ip4(mac_a, src, dst, 17, 0, u, 8 + n);
}

static struct frame ip6(const char *src, const char *dst, unsigned next, unsigned hops, const void *data, size_t n)
{
	struct frame f = eth(mac_b, mac_a, 0x86dd);
	uint8_t h[40] = {0x60};

	h[4] = (uint8_t)(n >> 8);
	h[5] = (uint8_t)n;
	h[6] = (uint8_t)next;
	h[7] = (uint8_t)hops;
	inet_pton(AF_INET6, src, h + 8);
	inet_pton(AF_INET6, dst, h + 24);
	add(&f, h, 40);
	add(&f, data, n);
	return f;
}

/* As a large segment, whose pieces nobody has counted: so it comes from a tap, and of UDP each piece is a packet. */
static int run_large(const struct frame *f, uint32_t piece)
{
	struct __sk_buff in = {.ifindex = t.a, .gso_size = piece};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->n, .ctx_in = &in, .ctx_size_in = sizeof in);

	assert_int_equal(bpf_prog_test_run_opts(t.prog, &o), 0);
	return (int)o.retval;
}

static int run(const struct frame *f)
{
	struct err e = ERR_INIT;
	int r = bpf_try(t.prog, f->b, f->n, t.a, 0, NULL, NULL, &e);

	if (r < 0)
		print_error("%s\n", e.msg);
	return r;
}

#define NEED \
	if (t.prog < 0) \
	skip()
static void passes(struct frame f, int line)
{
	if (run(&f) != REDIRECT)
		fail_msg("the frame of line %d was dropped", line);
}

static void dropped(struct frame f, enum sw_drop why, int line)
{
	uint64_t n = drops(why);

	if (run(&f) != SHOT)
		fail_msg("the frame of line %d was let through", line);
	if (drops(why) != n + 1)
		fail_msg("the frame of line %d was dropped for another reason", line);
}
#define PASSES(f)       passes(f, __LINE__)
#define DROPPED(f, why) dropped(f, why, __LINE__)

/* ---- what may not be sent ---- */

static void mac(void **state)
{
	static const uint8_t p[8] = {0, 1, 0, 2, 0, 8};

	NEED;
	set_port(ALL);
	PASSES(ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 0, p, 8));
	DROPPED(ip4(mac_x, "10.0.0.1", "10.0.0.2", 17, 0, p, 8), DROP_MAC);
	set_port(ALL & ~PORT_MAC_NOSPOOF);
	PASSES(ip4(mac_x, "10.0.0.1", "10.0.0.2", 17, 0, p, 8));
	/* a group's address is nobody's */
	DROPPED(ip4(all_ones, "10.0.0.1", "10.0.0.2", 17, 0, p, 8), DROP_MAC);
}

static void unknown_mac(void **state)
{
	struct frame f = ip4(mac_a, "10.0.0.1", "10.0.0.2", 1, 0, "abcdefgh", 8);

	NEED;
	set_port(ALL);
	memcpy(f.b, mac_x, 6);
	DROPPED(f, DROP_UNKNOWN);
}

static void ip_source(void **state)
{
	struct sw_addr_key k = {.bits = 64 + 24, .list = t.a, .family = 4};
	uint32_t one = 1;

	NEED;
	set_port(ALL);
	DROPPED(ip4(mac_a, "10.0.0.3", "10.0.0.2", 1, 0, "abcdefgh", 8), DROP_IP4);
	DROPPED(ip4(mac_a, "10.1.0.77", "10.0.0.2", 1, 0, "abcdefgh", 8), DROP_IP4);
	inet_pton(AF_INET, "10.1.0.0", k.ip);
	assert_int_equal(bpf_put(t.addrs, &k, &one, NULL), 0);
	set_port(ALL | PORT_MORE_ADDRS);
	PASSES(ip4(mac_a, "10.1.0.77", "10.0.0.2", 1, 0, "abcdefgh", 8));
	DROPPED(ip4(mac_a, "10.1.1.77", "10.0.0.2", 1, 0, "abcdefgh", 8), DROP_IP4);
	assert_int_equal(bpf_del(t.addrs, &k, NULL), 0);
	DROPPED(ip4(mac_a, "10.1.0.77", "10.0.0.2", 1, 0, "abcdefgh", 8), DROP_IP4);
	set_port(ALL & ~PORT_IP_NOSPOOF);
	PASSES(ip4(mac_a, "10.1.0.77", "10.0.0.2", 1, 0, "abcdefgh", 8));
}

static void lengths(void **state)
{
	struct frame f = ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 0, "abcdefgh", 8);

	NEED;
	set_port(ALL);
	f.b[14] = 0x44; /* a header of 16 bytes */
	DROPPED(f, DROP_SHORT);
	f.b[14] = 0x4f; /* one that goes on behind the end */
	DROPPED(f, DROP_SHORT);
	f.b[14] = 0x45;
	f.b[17] = 200;
	DROPPED(f, DROP_SHORT);
	f.b[17] = 10;
	DROPPED(f, DROP_SHORT);
	f = ip6("fd00::1", "fd00::2", 17, 64, "abcdefgh", 8);
	f.b[14] = 0x40;
	DROPPED(f, DROP_SHORT);
	f.b[14] = 0x60;
	f.b[19] = 77;
	DROPPED(f, DROP_SHORT);
}

static void fragments(void **state)
{
	NEED;
	set_port(ALL);
	/* first, complete; first without its ports; second; second over TCP's flags */
	PASSES(ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 0x2000, "abcdefgh", 8));
	DROPPED(ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 0x2000, "abcd", 4), DROP_FRAGMENT);
	DROPPED(ip4(mac_a, "10.0.0.1", "10.0.0.2", 6, 0x2000, "abcdefgh", 8), DROP_FRAGMENT);
	PASSES(ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 1, "abcdefgh", 8));
	DROPPED(ip4(mac_a, "10.0.0.1", "10.0.0.2", 6, 1, "abcdefgh", 8), DROP_FRAGMENT);
	DROPPED(ip4(mac_a, "10.0.0.3", "10.0.0.2", 17, 185, "abcdefgh", 8), DROP_IP4);
}

/* What lies in the frame behind a first fragment's end is not what the second one brings. */
static void fragments_padded(void **state)
{
	uint8_t bootp[72] = {0, 68, 0, 67, 0, 72, 0, 0, 1, 1, 6};
	/* fragment header, destination options of 8 bytes; then what is padding, or is not */
	uint8_t x[40] = {60, 0, 0, 1, 0, 0, 0, 9, 58, 0, 1, 4, 0, 0, 0, 0, 128};
	struct frame f;

	NEED;
	set_port(ALL);
	memcpy(bootp + 8 + 28, mac_a, 6);
	f = ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 0x2000, bootp, sizeof bootp);
	DROPPED(f, DROP_DHCP); /* a second could be laid over the client's address */
	f.b[17] = 28; /* ports and no more: the client's address would come with the second */
	DROPPED(f, DROP_DHCP);
	set_port(ALL & ~PORT_DHCP_NOSPOOF);
	PASSES(f);
	set_port(ALL);
	f = ip6("fd00::1", "fd00::2", 44, 255, x, sizeof x);
	PASSES(f);
	f.b[19] = 16;
	DROPPED(f, DROP_FRAGMENT);
	x[8] = 17;
	f = ip6("fd00::1", "fd00::2", 44, 255, x, sizeof x);
	PASSES(f);
	f.b[19] = 16;
	DROPPED(f, DROP_FRAGMENT);
	f.b[19] = 12;
	DROPPED(f, DROP_SHORT);
}

static void arp_lies(void **state)
{
	NEED;
	set_port(ALL);
	PASSES(arp(mac_a, mac_a, 1, "10.0.0.1", "10.0.0.2"));
	PASSES(arp(mac_a, mac_a, 1, "0.0.0.0", "10.0.0.2"));
	PASSES(arp(mac_a, mac_a, 2, "10.0.0.1", "10.0.0.2"));
	DROPPED(arp(mac_x, mac_a, 1, "10.0.0.1", "10.0.0.2"), DROP_MAC);
	DROPPED(arp(mac_a, mac_x, 1, "10.0.0.1", "10.0.0.2"), DROP_ARP);
	DROPPED(arp(mac_a, mac_a, 1, "10.0.0.3", "10.0.0.2"), DROP_ARP);
	DROPPED(arp(mac_a, mac_a, 2, "10.0.0.3", "10.0.0.2"), DROP_ARP);
	DROPPED(arp(mac_a, mac_a, 2, "0.0.0.0", "10.0.0.2"), DROP_ARP);
	DROPPED(arp(mac_a, mac_a, 3, "10.0.0.1", "10.0.0.2"), DROP_ARP);
	set_port(ALL & ~PORT_IP_NOSPOOF);
	PASSES(arp(mac_a, mac_a, 2, "10.0.0.3", "10.0.0.2"));
}

static void arp_answer(void **state)
{
	struct frame f = arp(mac_a, mac_a, 1, "10.0.0.1", "10.0.0.2"), want;
	uint8_t out[128];
	size_t n = sizeof out;

	NEED;
	set_port(ALL);
	assert_int_equal(bpf_try(t.prog, f.b, f.n, t.a, 0, out, &n, NULL), REDIRECT);
	want = eth(mac_a, mac_b, 0x0806);
	assert_int_equal(n, f.n);
	assert_memory_equal(out, want.b, 14);
	assert_memory_equal(out + 20, "\0\2", 2);
	assert_memory_equal(out + 22, mac_b, 6);
	assert_memory_equal(out + 28, "\12\0\0\2", 4);
	assert_memory_equal(out + 32, mac_a, 6);
	assert_memory_equal(out + 38, "\12\0\0\1", 4);
	/* to all: nobody is known to have it */
	f = arp(mac_a, mac_a, 1, "10.0.0.1", "10.0.0.9");
	assert_int_equal(run(&f), SHOT);
}

static void others(void **state)
{
	struct frame f = eth(mac_b, mac_a, 0x88cc);

	NEED;
	add(&f, "abcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh", 46);
	set_port(ALL);
	DROPPED(f, DROP_RESTRICTED);
	set_port(ALL & ~PORT_RESTRICTED);
	PASSES(f);
	f.b[12] = 0x81;
	f.b[13] = 0;
	DROPPED(f, DROP_VLAN);
	f.b[12] = 0x88;
	f.b[13] = 0xa8;
	DROPPED(f, DROP_VLAN);
	f.b[12] = 0x91;
	f.b[13] = 0;
	DROPPED(f, DROP_VLAN);
	f.b[12] = 0x92;
	DROPPED(f, DROP_VLAN);
}

static void dhcp(void **state)
{
	uint8_t b[64] = {1, 1, 6};
	struct frame f;

	NEED;
	memcpy(b + 28, mac_a, 6);
	set_port(ALL);
	PASSES(udp("10.0.0.1", "10.0.0.2", 68, 67, b, 64));
	/* behind the first piece others would ask in anybody's name */
	f = udp("10.0.0.1", "10.0.0.2", 68, 67, b, 64);
	assert_int_equal(run_large(&f, 40), SHOT);
	f = udp("10.0.0.1", "10.0.0.2", 68, 99, b, 64);
	assert_int_equal(run_large(&f, 40), REDIRECT);
	DROPPED(udp("10.0.0.1", "10.0.0.2", 67, 68, b, 64), DROP_DHCP);
	DROPPED(udp("10.0.0.1", "10.0.0.2", 99, 68, b, 64), DROP_DHCP);
	DROPPED(udp("0.0.0.0", "255.255.255.255", 68, 67, b, 64), DROP_IP4);
	set_port(ALL | PORT_DHCP_CLIENT);
	PASSES(udp("0.0.0.0", "255.255.255.255", 68, 67, b, 64));
	DROPPED(udp("0.0.0.0", "255.255.255.255", 68, 69, b, 64), DROP_IP4);
	DROPPED(udp("0.0.0.0", "10.0.0.2", 68, 67, b, 64), DROP_IP4);
	/* to a server each of these is another client */
	b[1] = 6;
	DROPPED(udp("0.0.0.0", "255.255.255.255", 68, 67, b, 64), DROP_DHCP);
	b[1] = 1, b[2] = 7;
	DROPPED(udp("0.0.0.0", "255.255.255.255", 68, 67, b, 64), DROP_DHCP);
	b[2] = 0;
	DROPPED(udp("10.0.0.1", "10.0.0.2", 68, 67, b, 64), DROP_DHCP);
	b[2] = 6, b[0] = 2;
	DROPPED(udp("10.0.0.1", "10.0.0.2", 999, 67, b, 64), DROP_DHCP);
	b[0] = 1;
	PASSES(udp("10.0.0.1", "10.0.0.2", 999, 67, b, 64));
	DROPPED(udp("10.0.0.1", "10.0.0.2", 68, 67, b, 33), DROP_SHORT);
	memcpy(b + 28, mac_x, 6);
	DROPPED(udp("0.0.0.0", "255.255.255.255", 68, 67, b, 64), DROP_DHCP);
	set_port(ALL & ~PORT_DHCP_NOSPOOF);
	PASSES(udp("10.0.0.1", "10.0.0.2", 67, 68, b, 64));
}

static void allow_id(const void *id, size_t n)
{
	static uint32_t last;
	struct sw_cid_key k = {.list = t.a, .len = (uint32_t)n};

	for (size_t at = 0; at < n; at += SW_CID_PART) {
		memset(k.part, 0, sizeof k.part);
		memcpy(k.part, (const uint8_t *)id + at, n - at < SW_CID_PART ? n - at : SW_CID_PART);
		last++;
		assert_int_equal(bpf_put(t.cids, &k, &last, NULL), 0);
		k.from = last;
	}
}

/* A DISCOVER of its own with these options, the first of them its kind. */
static struct frame discover(const void *options, size_t n)
{
	uint8_t b[600] = {1, 1, 6};

	memcpy(b + 28, mac_a, 6);
	memcpy(b + 236, "\x63\x82\x53\x63\x35\x01\x01", 7);
	memcpy(b + 243, options, n);
	return udp("0.0.0.0", "255.255.255.255", 68, 67, b, 243 + n);
}
#define DISCOVER(text) discover(text, sizeof text - 1)

static void client_ids(void **state)
{
	uint8_t pads[80], many[3 * 60 + 1], long_id[258];
	struct frame f;

	NEED;
	memset(pads, 0, sizeof pads);
	pads[sizeof pads - 1] = 255;
	memset(many, 0, sizeof many);
	for (int i = 0; i < 60; i++) {
		many[3 * i] = 12;
		many[3 * i + 1] = 1;
	}
	many[sizeof many - 1] = 255;
	allow_id("\x01\x02\x03", 3);
	allow_id("\xff\x00", 2);
	set_port(ALL | PORT_DHCP_CLIENT);
	PASSES(DISCOVER("\x3d\x02\x01\x02\xff"));
	set_port(ALL | PORT_DHCP_CLIENT | PORT_DHCP_CIDS);
	PASSES(DISCOVER("\x3d\x03\x01\x02\x03\xff"));
	PASSES(DISCOVER("\x0c\x03" "web" "\x00\x00\x3d\x03\x01\x02\x03\x37\x01\x03\xff\x00\x00\x00"));
	PASSES(DISCOVER("\x3d\x02\xff\x00\xff"));
	PASSES(DISCOVER("\xff")); /* none: it is its link address's */
	/* which has six bytes, and is Ethernet's */
	f = DISCOVER("\xff");
	f.b[14 + 28 + 2] = 16;
	DROPPED(f, DROP_DHCP);
	f.b[14 + 28 + 2] = 6;
	f.b[14 + 28 + 1] = 7;
	DROPPED(f, DROP_DHCP);
	/* another's; the beginning of its own; with more behind */
	DROPPED(DISCOVER("\x3d\x03\x01\x02\x04\xff"), DROP_DHCP);
	DROPPED(DISCOVER("\x3d\x02\x01\x02\xff"), DROP_DHCP);
	DROPPED(DISCOVER("\x3d\x04\x01\x02\x03\x00\xff"), DROP_DHCP);
	DROPPED(DISCOVER("\x3d\x01\xff\xff"), DROP_DHCP);
	DROPPED(DISCOVER("\x3d\x00\xff"), DROP_DHCP);
	/* RFC 3396: one id in two options; more of them elsewhere; no end; an option that is longer than the packet */
	DROPPED(DISCOVER("\x3d\x03\x01\x02\x03\x3d\x01\x04\xff"), DROP_DHCP);
	DROPPED(DISCOVER("\x34\x01\x03\x3d\x03\x01\x02\x03\xff"), DROP_DHCP);
	DROPPED(DISCOVER("\x3d\x03\x01\x02\x03"), DROP_DHCP);
	DROPPED(DISCOVER("\x3d\x09\x01\x02\x03\xff"), DROP_DHCP);
	DROPPED(DISCOVER("\x3d"), DROP_DHCP);
	/* the longest there is: each piece of it counts, and none is another's */
	long_id[0] = 61;
	long_id[1] = 255;
	for (int i = 0; i < 255; i++)
		long_id[2 + i] = (uint8_t)(i * 7);
	long_id[257] = 255;
	allow_id(long_id + 2, 255);
	allow_id(long_id + 2, 128);
	PASSES(discover(long_id, sizeof long_id));
	for (int at = 0; at < 255; at += 51) {
		long_id[2 + at] ^= 1;
		DROPPED(discover(long_id, sizeof long_id), DROP_DHCP);
		long_id[2 + at] ^= 1;
	}
	memmove(long_id + 2 + 64, long_id + 2, 64);
	DROPPED(discover(long_id, sizeof long_id), DROP_DHCP);
	/* more than is looked through */
	DROPPED(discover(pads, sizeof pads), DROP_DHCP);
	DROPPED(discover(many, sizeof many), DROP_DHCP);
	/* a receiver could see less of it, or more; or no options at all */
	f = DISCOVER("\x3d\x03\x01\x02\x03\xff");
	f.b[39]--;
	DROPPED(f, DROP_DHCP);
	f = DISCOVER("\x3d\x03\x01\x02\x03\xff");
	f.b[14 + 28 + 236] ^= 1;
	DROPPED(f, DROP_DHCP);
	f = udp("10.0.0.1", "10.0.0.2", 68, 67, f.b + 42, f.n - 42);
	f.b[14 + 28 + 236] ^= 1;
	PASSES(f);
	f.b[20] |= 0x20; /* the rest is to come */
	DROPPED(f, DROP_DHCP);
	set_port(ALL);
	DROPPED(f, DROP_DHCP);
	/* no question to a server, or one that may lie */
	set_port(ALL | PORT_DHCP_CIDS);
	PASSES(udp("10.0.0.1", "10.0.0.2", 68, 69, "x", 1));
	set_port((ALL & ~PORT_DHCP_NOSPOOF) | PORT_DHCP_CLIENT | PORT_DHCP_CIDS);
	PASSES(DISCOVER("\x3d\x02\x01\x02\xff"));
}

/* A message to DHCPv6's servers. */
static struct frame solicit(const void *data, size_t n)
{
	uint8_t b[200] = {546 >> 8, 546 & 255, 547 >> 8, 547 & 255, 0, (uint8_t)(8 + n)};

	memcpy(b + 8, data, n);
	return ip6("fd00::1", "fd00::2", 17, 1, b, 8 + n);
}
#define SOLICIT(text) solicit(text, sizeof text - 1)

static void client_duids(void **state)
{
	uint8_t frag[100] = {17};
	struct frame f;

	NEED;
	allow_id("\x00\x03\x00\x01", 4);
	set_port(ALL);
	PASSES(SOLICIT("\x01xxx\x00\x01\x00\x01\x09"));
	set_port(ALL | PORT_DHCP_CIDS);
	PASSES(SOLICIT("\x01xxx\x00\x01\x00\x04\x00\x03\x00\x01"));
	PASSES(SOLICIT("\x0bxxx\x00\x08\x00\x02\x00\x00\x00\x01\x00\x04\x00\x03\x00\x01\x00\x06\x00\x00"));
	PASSES(SOLICIT("\x01xxx"));
	DROPPED(SOLICIT("\x01xxx\x00\x01\x00\x01\x09"), DROP_DHCP);
	DROPPED(SOLICIT("\x01xxx\x00\x01\x00\x04\x00\x03\x00\x02"), DROP_DHCP);
	DROPPED(SOLICIT("\x01xxx\x00\x01\x00\x04\x00\x03\x00\x01\x00\x01\x00\x01\x09"), DROP_DHCP);
	DROPPED(SOLICIT("\x01xxx\x00\x01\x00\x05\x00\x03\x00\x01"), DROP_DHCP);
	DROPPED(SOLICIT("\x01xxx\x00\x01\x00"), DROP_DHCP);
	DROPPED(SOLICIT("\x01xxx\x00\x01\x00\x00"), DROP_DHCP);
	/* a relay's, with another's question in it */
	DROPPED(SOLICIT("\x0cxxx\x00\x01\x00\x04\x00\x03\x00\x01"), DROP_DHCP);
	f = SOLICIT("\x01xxx\x00\x01\x00\x04\x00\x03\x00\x01");
	memcpy(frag + 8, f.b + 54, f.n - 54);
	PASSES(f);
	f.b[59]--;
	DROPPED(f, DROP_DHCP);
	f.b[59]++;
	DROPPED(ip6("fd00::1", "fd00::2", 44, 1, frag, 8 + f.n - 54), DROP_DHCP);
	set_port(ALL);
	PASSES(ip6("fd00::1", "fd00::2", 44, 1, frag, 8 + f.n - 54));
}

static void blocked_ports(void **state)
{
	struct sw_port_key k = {.list = t.a, .port = 17 << 16 | 25};
	uint32_t one = 1;

	NEED;
	assert_int_equal(bpf_put(t.blocked, &k, &one, NULL), 0);
	set_port(ALL);
	PASSES(udp("10.0.0.1", "10.0.0.2", 1000, 25, "", 0));
	set_port(ALL | PORT_BLOCKED_PORTS);
	DROPPED(udp("10.0.0.1", "10.0.0.2", 1000, 25, "", 0), DROP_BLOCKED);
	PASSES(udp("10.0.0.1", "10.0.0.2", 1000, 26, "", 0));
}

static void ip6_source(void **state)
{
	NEED;
	set_port(ALL);
	PASSES(ip6("fd00::1", "fd00::2", 17, 64, "abcdefgh", 8));
	PASSES(ip6("fe80::8:20ff:fe00:1", "fd00::2", 17, 64, "abcdefgh", 8));
	DROPPED(ip6("fd00::3", "fd00::2", 17, 64, "abcdefgh", 8), DROP_IP6);
	DROPPED(ip6("fe80::1", "fd00::2", 17, 64, "abcdefgh", 8), DROP_IP6);
	DROPPED(ip6("fd01::8:20ff:fe00:1", "fd00::2", 17, 64, "abcdefgh", 8), DROP_IP6);
	DROPPED(ip6("::", "fd00::2", 17, 64, "abcdefgh", 8), DROP_IP6);
	set_port(ALL | PORT_ADDRCONF);
	PASSES(ip6("fd01::8:20ff:fe00:1", "fd00::2", 17, 64, "abcdefgh", 8));
}

static void neighbour_discovery(void **state)
{
	uint8_t nd[40] = {136, 0};

	NEED;
	set_port(ALL);
	inet_pton(AF_INET6, "fd00::1", nd + 8);
	nd[24] = 2;
	nd[25] = 1;
	memcpy(nd + 26, mac_a, 6);
	PASSES(ip6("fd00::1", "fd00::2", 58, 255, nd, 32));
	DROPPED(ip6("fd00::1", "fd00::2", 58, 64, nd, 32), DROP_ND);
	memcpy(nd + 26, mac_x, 6);
	DROPPED(ip6("fd00::1", "fd00::2", 58, 255, nd, 32), DROP_ND);
	/* the lie behind an option that nobody knows */
	nd[24] = 99;
	memcpy(nd + 32, (uint8_t[]){2, 1, 2, 8, 32, 0, 0, 9}, 8);
	DROPPED(ip6("fd00::1", "fd00::2", 58, 255, nd, 40), DROP_ND);
	nd[25] = 0;
	DROPPED(ip6("fd00::1", "fd00::2", 58, 255, nd, 40), DROP_ND);
	nd[25] = 200;
	DROPPED(ip6("fd00::1", "fd00::2", 58, 255, nd, 40), DROP_ND);
	inet_pton(AF_INET6, "fd00::3", nd + 8);
	DROPPED(ip6("fd00::1", "fd00::2", 58, 255, nd, 24), DROP_ND);
	nd[0] = 135; /* asks for any */
	PASSES(ip6("fd00::1", "fd00::2", 58, 255, nd, 24));
	DROPPED(ip6("::", "fd00::2", 58, 255, nd, 24), DROP_ND);
	inet_pton(AF_INET6, "fd00::1", nd + 8);
	PASSES(ip6("::", "fd00::2", 58, 255, nd, 24));
	nd[0] = 134;
	DROPPED(ip6("fe80::8:20ff:fe00:1", "fd00::2", 58, 255, nd, 24), DROP_RA);
	nd[0] = 137;
	DROPPED(ip6("fe80::8:20ff:fe00:1", "fd00::2", 58, 255, nd, 40), DROP_RA);
	set_port(ALL & ~PORT_DHCP_NOSPOOF);
	PASSES(ip6("fe80::8:20ff:fe00:1", "fd00::2", 58, 255, nd, 40));
}

static void ip6_extensions(void **state)
{
	/* destination options, then what would be dropped without them */
	uint8_t x[80] = {58, 0, 1, 4, 0, 0, 0, 0, 134};
	uint8_t frag[24] = {17, 0, 0, 1};

	NEED;
	set_port(ALL);
	DROPPED(ip6("fd00::1", "fd00::2", 60, 255, x, 32), DROP_RA);
	memset(x, 0, sizeof x);
	for (int i = 0; i < 7; i++)
		x[i * 8] = 60;
	DROPPED(ip6("fd00::1", "fd00::2", 60, 64, x, 64), DROP_FRAGMENT);
	x[1] = 200;
	DROPPED(ip6("fd00::1", "fd00::2", 60, 64, x, 64), DROP_FRAGMENT);
	/* one that authenticates counts its length in fours, the others in eights */
	DROPPED(ip6("fd00::1", "fd00::2", 51, 255, (uint8_t[40]){60, 4, [24] = 58, [32] = 134}, 40), DROP_RA);
	DROPPED(ip6("fd00::1", "fd00::2", 60, 255, (uint8_t[40]){51, 1, [16] = 58, [17] = 1, [28] = 134}, 40), DROP_RA);
	PASSES(ip6("fd00::1", "fd00::2", 51, 64, (uint8_t[32]){17, 4}, 32));
	/* fragments: UDP's ports are in the first; neighbour discovery is never in one */
	PASSES(ip6("fd00::1", "fd00::2", 44, 64, frag, 16));
	DROPPED(ip6("fd00::1", "fd00::2", 44, 64, frag, 10), DROP_FRAGMENT);
	frag[0] = 58;
	frag[8] = 136;
	DROPPED(ip6("fd00::1", "fd00::2", 44, 255, frag, 24), DROP_FRAGMENT);
	frag[8] = 128;
	PASSES(ip6("fd00::1", "fd00::2", 44, 255, frag, 24));
	/* TCP's flags are in the first fragment, and nothing writes over them, nor over what stands before them */
	frag[0] = 6;
	DROPPED(ip6("fd00::1", "fd00::2", 44, 64, frag, 16), DROP_FRAGMENT);
	PASSES(ip6("fd00::1", "fd00::2", 44, 64, frag, 24));
	frag[3] = 8;
	DROPPED(ip6("fd00::1", "fd00::2", 44, 64, frag, 16), DROP_FRAGMENT);
	frag[3] = 16;
	PASSES(ip6("fd00::1", "fd00::2", 44, 64, frag, 16));
	frag[0] = 60;
	DROPPED(ip6("fd00::1", "fd00::2", 44, 64, frag, 16), DROP_FRAGMENT);
	frag[2] = 5;
	PASSES(ip6("fd00::1", "fd00::2", 44, 64, frag, 16));
	frag[2] = 0;
	/* DHCPv6's server */
	frag[0] = 17;
	frag[3] = 0;
	frag[8] = 547 >> 8;
	frag[9] = 547 & 255;
	DROPPED(ip6("fd00::1", "fd00::2", 44, 64, frag, 16), DROP_DHCP);
}

static void vrrp(void **state)
{
	static const uint8_t v[6] = {0, 0, 0x5e, 0, 1, 7}, w[6] = {0, 0, 0x5e, 0, 1, 8};

	NEED;
	t.port.vrrp = 7;
	set_port(ALL);
	PASSES(ip4(v, "10.0.0.1", "10.0.0.2", 112, 0, "abcdefgh", 8));
	DROPPED(ip4(w, "10.0.0.1", "10.0.0.2", 112, 0, "abcdefgh", 8), DROP_MAC);
	/* and as it is asked for */
	PASSES(arp(v, v, 2, "10.0.0.1", "10.0.0.2"));
	DROPPED(arp(mac_a, w, 2, "10.0.0.1", "10.0.0.2"), DROP_ARP);
	t.port.vrrp = 0;
	set_port(ALL);
	DROPPED(arp(mac_a, v, 2, "10.0.0.1", "10.0.0.2"), DROP_ARP);
	DROPPED(ip4(v, "10.0.0.1", "10.0.0.2", 112, 0, "abcdefgh", 8), DROP_MAC);
}

/* A frame is for the port that has the MAC; which one that is tells what it counts as received. */
static uint64_t got_by(uint32_t ifindex)
{
	struct sw_count *c = calloc((size_t)bpf_cpus(), sizeof *c);
	uint64_t n = 0;

	assert_int_equal(bpf_get(t.counters, &ifindex, c, NULL), 0);
	for (int i = 0; i < bpf_cpus(); i++)
		n += c[i].rpackets;
	free(c);
	return n;
}

static uint64_t sent_by(uint32_t ifindex)
{
	struct sw_count *c = calloc((size_t)bpf_cpus(), sizeof *c);
	uint64_t n = 0;

	assert_int_equal(bpf_get(t.counters, &ifindex, c, NULL), 0);
	for (int i = 0; i < bpf_cpus(); i++)
		n += c[i].opackets;
	free(c);
	return n;
}

static int from(uint32_t ifindex, struct frame f)
{
	return bpf_try(t.prog, f.b, f.n, ifindex, 0, NULL, NULL, NULL);
}

/* Two that may be the virtual router 7, and one who sends to it. The last who sent with its MAC has it. */
static void vrrp_has(void **state)
{
	static const uint8_t v[6] = {0, 0, 0x5e, 0, 1, 7}, v6[6] = {0, 0, 0x5e, 0, 2, 7}, mac_c[6] = {2, 8, 32, 0, 0, 3};
	struct sw_count *zero = calloc((size_t)bpf_cpus(), sizeof *zero);
	struct sw_port a = t.port, b = t.port, c = t.port, up = {.sw = 1, .flags = PORT_L2 | PORT_OUTSIDE};
	struct frame to = ip4(mac_c, "10.0.0.1", "10.0.0.100", 17, 0, "abcdefgh", 8), lie;
	struct rtnl_veth vc = {.name = "c", .peer = "c0", .peer_ns = -1};
	uint32_t ic, has;
	struct sw_mac_key k = {.sw = 1};
	uint64_t na, nb;
	int s;

	NEED;
	s = rtnl_open(NULL);
	assert_int_equal(rtnl_veth(s, &vc, NULL), 0);
	ic = (uint32_t)rtnl_index(s, "c", NULL);
	close(s);
	memcpy(k.mac, v, 6);
	memcpy(to.b, v, 6);
	a.vrrp = b.vrrp = 7;
	memcpy(b.mac, mac_b, 6);
	memcpy(c.mac, mac_c, 6);
	a.flags = b.flags = c.flags = ALL;
	assert_int_equal(bpf_put(t.ports, &t.a, &a, NULL), 0);
	assert_int_equal(bpf_put(t.ports, &t.b, &b, NULL), 0);
	assert_int_equal(bpf_put(t.ports, &ic, &c, NULL), 0);
	assert_int_equal(bpf_put(t.counters, &t.b, zero, NULL), 0);
	assert_int_equal(bpf_put(t.counters, &ic, zero, NULL), 0);
	bpf_del(map("vrrp_macs"), &k, NULL); /* of the test before */
	/* nobody has sent with it yet, and who may not has no say */
	assert_int_equal(from(ic, to), SHOT);
	assert_int_equal(from(ic, arp(v, v, 1, "10.0.0.1", "10.0.0.1")), SHOT);
	assert_int_equal(from(ic, to), SHOT);
	assert_int_equal(bpf_get(map("vrrp_macs"), &k, &has, NULL), -ENOENT);
	/* a announces itself: the frame goes nowhere else here, and is noted */
	assert_int_equal(from(t.a, arp(v, v, 1, "10.0.0.1", "10.0.0.1")), SHOT);
	na = got_by(t.a), nb = got_by(t.b);
	assert_int_equal(from(ic, to), REDIRECT);
	assert_int_equal(from(t.b, ip4(mac_b, "10.0.0.1", "10.0.0.100", 17, 0, "abcdefgh", 8)), SHOT); /* to its own MAC */
	assert_int_equal(got_by(t.a), na + 1);
	assert_int_equal(got_by(t.b), nb);
	/* its own MAC changes nothing, a lie neither; IPv6's is another */
	assert_int_equal(from(t.b, arp(mac_b, mac_b, 1, "10.0.0.1", "10.0.0.1")), SHOT);
	lie = ip4(v, "10.0.0.66", "10.0.0.2", 112, 0, "abcdefgh", 8);
	assert_int_equal(from(t.b, lie), SHOT);
	assert_int_equal(from(ic, to), REDIRECT);
	assert_int_equal(got_by(t.a), na + 2);
	memcpy(to.b, v6, 6);
	assert_int_equal(from(ic, to), SHOT);
	memcpy(to.b, v, 6);
	/* b takes over, and a sends to it; and back */
	assert_int_equal(from(t.b, arp(v, v, 1, "10.0.0.1", "10.0.0.1")), SHOT);
	assert_int_equal(from(ic, to), REDIRECT);
	assert_int_equal(got_by(t.b), nb + 1);
	memcpy(to.b + 6, mac_a, 6);
	assert_int_equal(from(t.a, to), REDIRECT);
	assert_int_equal(got_by(t.b), nb + 2);
	memcpy(to.b + 6, mac_c, 6);
	lie = ip4(v, "10.0.0.1", "10.0.0.100", 17, 0, "abcdefgh", 8);
	memcpy(lie.b, mac_c, 6);
	from(t.a, lie); /* nobody has c's MAC here, and it has passed */
	assert_int_equal(from(ic, to), REDIRECT);
	assert_int_equal(got_by(t.a), na + 3);
	assert_int_equal(got_by(t.b), nb + 2);
	/* what the record no longer says, and who has gone, gets nothing, whatever is noted */
	a.vrrp = 8;
	assert_int_equal(bpf_put(t.ports, &t.a, &a, NULL), 0);
	assert_int_equal(from(ic, to), SHOT);
	a.vrrp = 7, a.sw = 2;
	assert_int_equal(bpf_put(t.ports, &t.a, &a, NULL), 0);
	assert_int_equal(from(ic, to), SHOT);
	assert_int_equal(bpf_del(t.ports, &t.a, NULL), 0);
	assert_int_equal(from(ic, to), SHOT);
	assert_int_equal(bpf_get(map("vrrp_macs"), &k, &has, NULL), 0);
	/* one outside takes over: what is noted goes */
	assert_int_equal(from(t.b, arp(v, v, 1, "10.0.0.1", "10.0.0.1")), SHOT);
	assert_int_equal(from(ic, to), REDIRECT);
	assert_int_equal(bpf_put(t.ports, &t.a, &up, NULL), 0);
	lie = ip4(v, "10.0.0.9", "224.0.0.18", 112, 0, "abcdefgh", 8);
	memcpy(lie.b, "\1\0\136\0\0\22", 6);
	s = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_uplink"));
	assert_int_equal(bpf_try(s, lie.b, lie.n, t.a, 0, NULL, NULL, NULL), SHOT);
	assert_int_equal(bpf_get(map("vrrp_macs"), &k, &has, NULL), -ENOENT);
	assert_int_equal(from(ic, to), SHOT);
	assert_int_equal(bpf_del(t.ports, &t.b, NULL), 0);
	assert_int_equal(bpf_del(t.ports, &ic, NULL), 0);
	free(zero);
	set_port(ALL);
}

/* Who has 10.0.0.77? goes to all others: 4,000 here, which is a fifth of what a second has room for. */
static void storm(void **state)
{
	struct frame f = arp(mac_a, mac_a, 1, "10.0.0.1", "10.0.0.77");
	struct sw_flood_key k = {.sw = 1};
	uint8_t large[3000] = {0};
	uint32_t ports = 4001, none = 0;
	uint64_t was;
	int n = 0;

	NEED;
	set_port(ALL);
	assert_int_equal(bpf_put(map("flood"), &k, &ports, NULL), 0);
	while (n < 100 && drops(DROP_STORM) == 0) {
		assert_int_equal(run(&f), SHOT);
		n++;
	}
	assert_in_range(n, 6, 99);
	/* so large a frame is two */
	ports = 15001;
	assert_int_equal(bpf_put(map("flood"), &k, &ports, NULL), 0);
	assert_int_equal(bpf_del(map("storm"), &t.a, NULL), 0);
	memcpy(large, f.b, f.n);
	was = drops(DROP_STORM);
	assert_int_equal(run(&f), SHOT);
	assert_int_equal(drops(DROP_STORM), was);
	assert_int_equal(bpf_try(t.prog, large, sizeof large, t.a, 0, NULL, NULL, NULL), SHOT);
	assert_int_equal(drops(DROP_STORM), was + 1);
	/* more than a second's worth goes when nothing is owed, and then nothing does until it is paid for */
	ports = 60001;
	assert_int_equal(bpf_put(map("flood"), &k, &ports, NULL), 0);
	assert_int_equal(bpf_del(map("storm"), &t.a, NULL), 0);
	was = drops(DROP_STORM);
	assert_int_equal(bpf_try(t.prog, large, sizeof large, t.a, 0, NULL, NULL, NULL), SHOT);
	assert_int_equal(drops(DROP_STORM), was);
	ports = 2;
	assert_int_equal(bpf_put(map("flood"), &k, &ports, NULL), 0);
	assert_int_equal(run(&f), SHOT);
	assert_int_equal(drops(DROP_STORM), was + 1);
	/* to one goes as ever */
	PASSES(udp("10.0.0.1", "10.0.0.2", 1, 2, "", 0));
	assert_int_equal(bpf_put(map("flood"), &k, &none, NULL), 0);
}

/* For somebody unknown on a fabric without a file: a copy for each end, and so many a second. */
static void unknown_ends(void **state)
{
	struct sw_wire w = {.kind = WIRE_FABRIC, .ifindex = t.b, .flags = WIRE_FLOOD, .nends = SW_ENDS, .family = 4};
	struct frame f = udp("10.0.0.1", "10.0.0.9", 1, 2, "", 0);
	uint64_t before;
	uint32_t tag = 0;
	int n = 0;

	NEED;
	set_port(ALL);
	memcpy(f.b, mac_x, 6);
	bpf_del(map("storm"), &t.a, NULL);
	assert_int_equal(bpf_put(map("tag_wires"), &tag, &w, NULL), 0);
	before = drops(DROP_STORM);
	while (n < 2000 && drops(DROP_STORM) == before) {
		assert_int_equal(run(&f), SHOT);
		n++;
	}
	assert_in_range(n, 90, 1999);
	/* with a single end there is no second copy */
	w.nends = 1;
	assert_int_equal(bpf_put(map("tag_wires"), &tag, &w, NULL), 0);
	before = drops(DROP_STORM);
	assert_int_equal(run(&f), SHOT);
	assert_int_equal(drops(DROP_STORM), before);
	assert_int_equal(bpf_del(map("tag_wires"), &tag, NULL), 0);
	bpf_del(map("storm"), &t.a, NULL);
}

/* A trial run of an announcement leaves by the wire, also where the NIC has a ceiling. */
static void announced(void **state)
{
	struct sw_wire w = {.kind = WIRE_UPLINK, .ifindex = t.b};
	struct frame f = arp(mac_a, mac_a, 1, "10.0.0.1", "10.0.0.1");
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(0x0806)};
	struct timeval limit = {.tv_sec = 10};
	int prog, s = -1, r;
	uint32_t tag = 0;
	uint8_t got[256];

	NEED;
	prog = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_wire_out"));
	set_port(ALL | PORT_SHAPED);
	bpf_del(map("storm"), &t.a, NULL);
	assert_int_equal(bpf_put(map("tag_wires"), &tag, &w, NULL), 0);
	r = rtnl_open(NULL);
	assert_true(r >= 0);
	at.sll_ifindex = rtnl_index(r, "b0", NULL);
	assert_int_equal(rtnl_up(r, (int)t.b, true, NULL), 0);
	assert_int_equal(rtnl_up(r, at.sll_ifindex, true, NULL), 0);
	close(r);
	s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x0806));
	assert_true(s >= 0);
	assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	assert_int_equal(bpf_try(prog, f.b, f.n, t.a, t.a, NULL, NULL, NULL), SHOT);
	assert_in_range(recv(s, got, sizeof got, 0), 42, 60);
	assert_memory_equal(got, f.b, 42);
	close(s);
	assert_int_equal(bpf_del(map("tag_wires"), &tag, NULL), 0);
	set_port(ALL);
}

/* What comes by a cable. (Its tags are taken off by the kernel before our program, which a trial like this has not: tests/system/netuplink.sh.) */
static void uplink(void **state)
{
	struct sw_port up = {.sw = 1, .flags = PORT_L2 | PORT_OUTSIDE}, was = t.port;
	struct sw_mac_key here = {.sw = 1};
	struct sw_dest d = {.ifindex = t.b};
	struct sw_ip_key ip = {.sw = 1, .family = 6};
	struct sw_neigh nb = {0};
	uint8_t nd[32] = {136}, behind[40] = {58};
	int vnic = t.prog;
	struct frame f;

	NEED;
	/* b is here, and so is c, whose address somebody has; a is the cable */
	memcpy(here.mac, mac_b, 6);
	assert_int_equal(bpf_put(t.fdb, &here, &d, NULL), 0);
	t.prog = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_uplink"));
	t.port = up;
	set_port(up.flags);
	PASSES(udp("10.9.9.9", "10.0.0.2", 1, 2, "", 0));
	DROPPED(ip4(mac_b, "10.9.9.9", "10.0.0.2", 17, 0, "abcdefgh", 8), DROP_OURS);
	DROPPED(udp("10.0.0.2", "10.0.0.2", 1, 2, "", 0), DROP_OURS);
	DROPPED(arp(mac_a, mac_a, 1, "10.0.0.2", "10.0.0.77"), DROP_OURS);
	DROPPED(arp(mac_a, mac_a, 2, "10.0.0.2", "10.0.0.77"), DROP_OURS);
	/* nor advertises from an address of its own that another's is here */
	inet_pton(AF_INET6, "fd00::2", ip.ip);
	memcpy(nb.mac, mac_b, 6);
	assert_int_equal(bpf_put(t.neighbours, &ip, &nb, NULL), 0);
	inet_pton(AF_INET6, "fd00::9", nd + 8);
	nd[24] = 2, nd[25] = 1;
	PASSES(ip6("fd00::9", "fd00::3", 58, 255, nd, 32));
	inet_pton(AF_INET6, "fd00::2", nd + 8);
	DROPPED(ip6("fd00::9", "fd00::3", 58, 255, nd, 32), DROP_OURS);
	memcpy(behind + 8, nd, 32);
	DROPPED(ip6("fd00::9", "fd00::3", 60, 255, behind, 40), DROP_OURS);
	inet_pton(AF_INET6, "fd00::9", behind + 16);
	PASSES(ip6("fd00::9", "fd00::3", 60, 255, behind, 40));
	/* fragments are no way for it */
	behind[3] = 1;
	DROPPED(ip6("fd00::9", "fd00::3", 44, 255, behind, 40), DROP_FRAGMENT);
	behind[8] = 128;
	PASSES(ip6("fd00::9", "fd00::3", 44, 255, behind, 40));
	nd[0] = 135;
	PASSES(ip6("fd00::9", "fd00::2", 58, 255, nd, 32));
	assert_int_equal(bpf_del(t.neighbours, &ip, NULL), 0);
	/* a second fragment over TCP's flags */
	DROPPED(ip4(mac_a, "10.9.9.9", "10.0.0.2", 6, 1, "abcdefgh", 8), DROP_FRAGMENT);
	PASSES(ip4(mac_a, "10.9.9.9", "10.0.0.2", 17, 1, "abcdefgh", 8));
	PASSES(ip4(mac_a, "10.9.9.9", "10.0.0.2", 6, 2, "abcdefgh", 8));
	behind[0] = 6, behind[3] = 8;
	DROPPED(ip6("fd00::9", "fd00::3", 44, 255, behind, 40), DROP_FRAGMENT);
	behind[3] = 16;
	PASSES(ip6("fd00::9", "fd00::3", 44, 255, behind, 40));
	DROPPED(eth(mac_b, mac_a, 0x9100), DROP_VLAN);
	PASSES(eth(mac_b, mac_a, 0x88b5));
	/* who asks for one of ours reaches him */
	PASSES(arp(mac_a, mac_a, 1, "10.9.9.9", "10.0.0.2"));
	f = udp("10.9.9.9", "10.0.0.2", 1, 2, "", 0);
	memcpy(f.b, mac_x, 6);
	DROPPED(f, DROP_UNKNOWN);
	f = udp("10.9.9.9", "10.0.0.2", 1, 2, "", 0);
	memcpy(f.b + 6, all_ones, 6);
	DROPPED(f, DROP_OURS);
	f = udp("10.9.9.9", "10.0.0.2", 1, 2, "", 0);
	f.b[12] = 0x88;
	f.b[13] = 0xa8;
	DROPPED(f, DROP_VLAN);
	f = eth(mac_b, mac_a, 0x0806);
	add(&f, "short", 5);
	DROPPED(f, DROP_SHORT);
	t.prog = vnic;
	t.port = was;
	set_port(ALL);
}

static struct sw_traffic traffic_of(uint32_t place)
{
	struct sw_traffic *n = calloc((size_t)bpf_cpus(), sizeof *n), sum = {0};

	assert_int_equal(bpf_get(map("traffic"), &place, n, NULL), 0);
	for (int i = 0; i < bpf_cpus(); i++) {
		sum.opackets += n[i].opackets;
		sum.obytes += n[i].obytes;
		sum.rpackets += n[i].rpackets;
		sum.rbytes += n[i].rbytes;
	}
	free(n);
	return sum;
}

/* By places where ports have them, else beside their drops; one that there is not counts as none. */
static void traffic(void **state)
{
	struct frame f = ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 0, "abcdefgh", 8);
	struct sw_dest d = {.ifindex = t.b, .flags = 9u << SW_PLACE_SHIFT}, was;
	struct sw_mac_key k = {.sw = 1};
	struct sw_traffic n;
	uint64_t sent;

	NEED;
	memcpy(k.mac, mac_b, 6);
	assert_int_equal(bpf_get(t.fdb, &k, &was, NULL), 0);
	assert_int_equal(bpf_put(t.fdb, &k, &d, NULL), 0);
	set_port(ALL | 7u << SW_PLACE_SHIFT);
	sent = sent_by(t.a);
	PASSES(f);
	PASSES(f);
	n = traffic_of(7);
	assert_int_equal(n.opackets, 2);
	assert_int_equal(n.obytes, 2 * f.n);
	assert_int_equal(n.rpackets, 0);
	n = traffic_of(9);
	assert_int_equal(n.rpackets, 2);
	assert_int_equal(n.rbytes, 2 * f.n);
	assert_int_equal(n.opackets, 0);
	assert_int_equal(sent_by(t.a), sent);
	DROPPED(ip4(mac_x, "10.0.0.1", "10.0.0.2", 17, 0, "abcdefgh", 8), DROP_MAC);
	assert_int_equal(traffic_of(7).opackets, 2);
	set_port(ALL);
	PASSES(f);
	assert_int_equal(sent_by(t.a), sent + 1);
	assert_int_equal(traffic_of(7).opackets, 2);
	assert_int_equal(traffic_of(9).rpackets, 3);
	set_port(ALL | (uint32_t)SW_TRAFFIC << SW_PLACE_SHIFT);
	PASSES(f);
	assert_int_equal(sent_by(t.a), sent + 2);
	assert_int_equal(bpf_put(t.fdb, &k, &was, NULL), 0);
	set_port(ALL);
}

static void no_port(void **state)
{
	struct frame f = ip4(mac_a, "10.0.0.1", "10.0.0.2", 17, 0, "abcdefgh", 8);

	NEED;
	assert_int_equal(bpf_del(t.ports, &t.a, NULL), 0);
	assert_int_equal(run(&f), SHOT);
	set_port(ALL);
	assert_int_equal(run(&f), REDIRECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mac), cmocka_unit_test(unknown_mac), cmocka_unit_test(ip_source), cmocka_unit_test(lengths),
		cmocka_unit_test(fragments),
		cmocka_unit_test(fragments_padded), cmocka_unit_test(arp_lies), cmocka_unit_test(arp_answer), cmocka_unit_test(others),
		cmocka_unit_test(dhcp), cmocka_unit_test(client_ids), cmocka_unit_test(client_duids), cmocka_unit_test(blocked_ports), cmocka_unit_test(ip6_source), cmocka_unit_test(neighbour_discovery),
		cmocka_unit_test(ip6_extensions), cmocka_unit_test(vrrp), cmocka_unit_test(vrrp_has), cmocka_unit_test(storm), cmocka_unit_test(unknown_ends), cmocka_unit_test(announced),
		cmocka_unit_test(uplink), cmocka_unit_test(traffic), cmocka_unit_test(no_port),
	};

	return cmocka_run_group_tests_name("bpf_switch", tests, setup, done);
}
