/* SPDX-License-Identifier: MPL-2.0 */
/* DHCP at a machine's port: what the switch's program answers, byte by byte, from the frame that net/lease.c wrote. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"
#include "net/lease.h"

#define SHOT     2
#define REDIRECT 7
#define FLAGS    (PORT_MAC_NOSPOOF | PORT_IP_NOSPOOF | PORT_DHCP_NOSPOOF | PORT_RESTRICTED | PORT_L2)

static const uint8_t mac[6] = {2, 8, 32, 0, 0, 1}, all_ones[6] = {255, 255, 255, 255, 255, 255};

static struct {
	struct bpf_object *obj;
	int prog;
	uint32_t a;
	struct sw_lease lease;
	uint8_t out[2048];
	size_t n;
} t = {.prog = -1};

static int map(const char *name)
{
	return bpf_object__find_map_fd_by_name(t.obj, name);
}

static void port(uint32_t flags)
{
	struct sw_port p = {.sw = 1, .flags = flags, .n4 = 1, .lists = t.a};

	memcpy(p.mac, mac, 6);
	inet_pton(AF_INET, "10.0.0.5", &p.ip4[0]);
	assert_int_equal(bpf_put(map("ports"), &t.a, &p, NULL), 0);
}

static struct net_lease a_lease(void)
{
	return (struct net_lease){.ip = {10, 0, 0, 5}, .prefix = 24, .router = {10, 0, 0, 1}, .dns = {{9, 9, 9, 9}, {8, 8, 8, 8}}, .ndns = 2, .mtu = 1400, .host = "web"};
}

static int setup(void **state)
{
	struct rtnl_veth v = {.name = "a", .peer = "a0", .peer_ns = -1};
	struct net_lease l = a_lease();
	struct err e = ERR_INIT;
	int s;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return 0;
	t.obj = bpf_object__open_file(getenv("SWITCH_OBJECT"), NULL);
	assert_non_null(t.obj);
	assert_int_equal(bpf_object__load(t.obj), 0);
	t.prog = bpf_program__fd(bpf_object__find_program_by_name(t.obj, "from_vnic"));
	s = rtnl_open(&e);
	assert_true(s >= 0);
	assert_int_equal(rtnl_veth(s, &v, &e), 0);
	t.a = (uint32_t)rtnl_index(s, "a", &e);
	close(s);
	net_lease_frame(&l, &t.lease);
	assert_int_equal(bpf_put(map("leases"), &t.a, &t.lease, NULL), 0);
	port(FLAGS | PORT_LEASE);
	return 0;
}

static int done(void **state)
{
	bpf_object__close(t.obj);
	return 0;
}

/* ---- questions ---- */

struct question {
	const char *from, *ciaddr;
	const uint8_t *src; /* link address; NULL: its own */
	const void *options;
	size_t n;
	uint16_t flags;
	bool partial; /* its sum is left to the last device */
	uint8_t bytes[1500];
	size_t len;
};

static uint16_t sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	if (n & 1)
		s += (uint32_t)p[n - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static int ask(struct question q)
{
	struct err e = ERR_INIT;
	uint8_t *f = q.bytes, *ip = f + 14, *udp = ip + 20, *b = udp + 8;
	size_t len = 240 + q.n;
	uint16_t pseudo;

	memcpy(f, all_ones, 6);
	memcpy(f + 6, q.src ?: mac, 6);
	f[12] = 8;
	ip[0] = 0x45;
	ip[2] = (uint8_t)((28 + len) >> 8), ip[3] = (uint8_t)(28 + len);
	ip[8] = 64, ip[9] = 17;
	inet_pton(AF_INET, q.from ?: "0.0.0.0", ip + 12);
	memset(ip + 16, 255, 4);
	udp[1] = 68, udp[3] = 67;
	udp[4] = (uint8_t)((8 + len) >> 8), udp[5] = (uint8_t)(8 + len);
	b[0] = 1, b[1] = 1, b[2] = 6;
	memcpy(b + 4, "\xde\xad\xbe\xef", 4);
	b[10] = (uint8_t)(q.flags >> 8);
	if (q.ciaddr)
		inet_pton(AF_INET, q.ciaddr, b + 12);
	memcpy(b + 28, mac, 6);
	memcpy(b + 236, "\x63\x82\x53\x63", 4);
	memcpy(b + 240, q.options, q.n);
	pseudo = sum(ip + 12, 8, 17 + 8 + (uint32_t)len);
	if (!q.partial)
		pseudo = (uint16_t)~sum(udp, 8 + len, pseudo);
	udp[6] = (uint8_t)(pseudo >> 8), udp[7] = (uint8_t)pseudo;
	t.n = sizeof t.out;
	return bpf_try(t.prog, f, q.len ?: 14 + 28 + len, t.a, 0, t.out, &t.n, &e);
}
#define Q(opts) .options = (opts), .n = sizeof(opts) - 1

/* ---- answers ---- */

static const uint8_t *option(unsigned code)
{
	const uint8_t *p = t.out + 282, *end = t.out + t.n;

	while (p < end && *p != 255) {
		if (*p == 0) {
			p++;
			continue;
		}
		if (*p == code)
			return p + 1;
		p += 2 + p[1];
	}
	return NULL;
}

static void answered(uint8_t type)
{
	assert_int_equal(t.n, SW_LEASE_FRAME);
	assert_memory_equal(t.out, mac, 6);
	assert_int_equal(sum(t.out + 14, 20, 0), 0xffff);
	assert_int_equal(t.out[37], 68);
	assert_int_equal(t.out[42], 2);
	assert_memory_equal(t.out + 46, "\xde\xad\xbe\xef", 4);
	assert_memory_equal(t.out + 70, mac, 6);
	assert_non_null(option(53));
	assert_int_equal(option(53)[1], type);
	assert_memory_equal(option(54), "\x04\x0a\0\0\x01", 5);
}

#define NEED \
	if (t.prog < 0) \
	skip()

static void offer_and_ack(void **state)
{
	NEED;
	assert_int_equal(ask((struct question){Q("\x35\x01\x01\xff"), .flags = 0x8000}), REDIRECT);
	answered(2);
	assert_int_equal(t.out[52], 0x80);
	assert_memory_equal(t.out + 58, "\x0a\0\0\x05", 4);
	assert_memory_equal(option(1), "\x04\xff\xff\xff\0", 5);
	assert_memory_equal(option(3), "\x04\x0a\0\0\x01", 5);
	assert_memory_equal(option(6), "\x08\x09\x09\x09\x09\x08\x08\x08\x08", 9);
	assert_memory_equal(option(12), "\x03web", 4);
	assert_memory_equal(option(26), "\x02\x05\x78", 3);
	assert_memory_equal(option(28), "\x04\x0a\0\0\xff", 5);
	assert_memory_equal(option(51), "\x04\0\x01\x51\x80", 5);
	assert_int_equal(t.out[40] | t.out[41], 0); /* no sum of UDP's */
	assert_int_equal(ask((struct question){Q("\x35\x01\x03\x32\x04\x0a\0\0\x05\x36\x04\x0a\0\0\x01\xff")}), REDIRECT);
	answered(5);
	assert_int_equal(t.out[52], 0);
	/* renewed from its address, not summed up: neither is the answer, so that whoever does it later is right */
	assert_int_equal(ask((struct question){Q("\x35\x01\x03\xff"), .from = "10.0.0.5", .ciaddr = "10.0.0.5", .partial = true}), REDIRECT);
	answered(5);
	assert_memory_equal(t.out + 54, "\x0a\0\0\x05", 4);
	assert_int_equal(t.out[40] << 8 | t.out[41], sum(t.out + 26, 8, 17 + SW_LEASE_FRAME - 34));
}

static void refused(void **state)
{
	NEED;
	/* another's address: told so, and nothing else */
	assert_int_equal(ask((struct question){Q("\x35\x01\x03\x32\x04\x0a\0\0\x06\xff")}), REDIRECT);
	answered(6);
	assert_memory_equal(t.out + 58, "\0\0\0\0", 4);
	assert_null(option(51));
	assert_null(option(1));
	/* another server's */
	assert_int_equal(ask((struct question){Q("\x35\x01\x03\x32\x04\x0a\0\0\x05\x36\x04\x0a\0\0\x09\xff")}), SHOT);
	/* declined, released: it stays its own */
	assert_int_equal(ask((struct question){Q("\x35\x01\x04\x32\x04\x0a\0\0\x05\xff")}), SHOT);
	assert_int_equal(ask((struct question){Q("\x35\x01\x07\xff"), .from = "10.0.0.5", .ciaddr = "10.0.0.5"}), SHOT);
	/* an answer, no type, no end, a length that can't be */
	assert_int_equal(ask((struct question){Q("\x35\x01\x02\xff")}), SHOT);
	assert_int_equal(ask((struct question){Q("\xff")}), SHOT);
	assert_int_equal(ask((struct question){Q("\x35\x01\x01")}), SHOT);
	assert_int_equal(ask((struct question){Q("\x35\x02\x01\x01\xff")}), SHOT);
	assert_int_equal(ask((struct question){Q("\x35\x01\x03\x32\x05\x0a\0\0\x05\0\xff")}), SHOT);
}

static void inform(void **state)
{
	NEED;
	assert_int_equal(ask((struct question){Q("\x35\x01\x08\xff"), .from = "10.0.0.5", .ciaddr = "10.0.0.5"}), REDIRECT);
	answered(5);
	assert_memory_equal(t.out + 58, "\0\0\0\0", 4);
	assert_null(option(51));
	assert_null(option(58));
	assert_non_null(option(1));
}

static void others(void **state)
{
	NEED;
	/* what is of no question goes its way: here, to nobody */
	port(FLAGS);
	assert_int_equal(ask((struct question){Q("\x35\x01\x01\xff")}), SHOT);
	port(FLAGS | PORT_LEASE);
	assert_int_equal(ask((struct question){Q("\x35\x01\x01\xff"), .from = "10.0.0.9"}), SHOT);
	assert_int_equal(ask((struct question){Q("\x35\x01\x01\xff")}), REDIRECT);
	/* a guest of the guest's: it may have an address of its own, and not this one */
	port(PORT_LEASE | PORT_L2);
	assert_int_equal(ask((struct question){Q("\x35\x01\x01\xff"), .src = (const uint8_t[]){2, 8, 32, 0, 0, 9}}), SHOT);
	assert_int_equal(ask((struct question){Q("\x35\x01\x01\xff")}), REDIRECT);
	port(FLAGS | PORT_LEASE);
	/* cut off */
	assert_int_equal(ask((struct question){Q("\x35\x01\x01\xff"), .len = 280}), SHOT);
}

static void servers(void **state)
{
	struct net_lease l = a_lease();
	struct sw_lease v;

	memset(l.router, 0, 4);
	net_lease_frame(&l, &v);
	assert_int_equal(ntohl(v.server), 0x0a000001);
	l.ip[3] = 1;
	net_lease_frame(&l, &v);
	assert_int_equal(ntohl(v.server), 0x0a000002);
	l.host = "a-name-of-sixty-three-bytes-which-is-as-long-as-a-label-can-ever";
	l.ndns = 4;
	net_lease_frame(&l, &v);
	assert_int_equal(v.frame[SW_LEASE_FRAME - 1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offer_and_ack), cmocka_unit_test(refused), cmocka_unit_test(inform), cmocka_unit_test(others), cmocka_unit_test(servers),
	};

	return cmocka_run_group_tests(tests, setup, done);
}
