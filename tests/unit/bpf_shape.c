/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which class the switch's program gives a frame of a port with a ceiling and flows. The kernel runs it (BPF_PROG_TEST_RUN) in a network
 * namespace of the test's own. Needs root.
 */
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
#include <unistd.h>

#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"

#define SHOT     2
#define REDIRECT 7
#define OWN      1  /* the VNIC's class; its leaves are 2 and 3 */
#define FLOW     40 /* of the first flow, 43 of the second, … */

static const uint8_t mac_a[6] = {2, 8, 32, 0, 0, 1}, mac_b[6] = {2, 8, 32, 0, 0, 2};

static struct {
	struct bpf_object *obj;
	int out, in, wire_out, wire_in; /* programs: of who sends; far ends */
	int ports, shapes, flows;
	uint32_t a, b;
	struct sw_shape sh;
} t = {.out = -1};

static int quiet(enum libbpf_print_level l, const char *fmt, va_list ap)
{
	return l == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static int map(const char *name)
{
	return bpf_object__find_map_fd_by_name(t.obj, name);
}

static int prog(const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(t.obj, name));
}

static void put_dest(uint32_t ifindex, const uint8_t *mac, uint32_t flags)
{
	struct sw_mac_key k = {.sw = 1};
	struct sw_dest d = {.ifindex = ifindex, .flags = flags};

	memcpy(k.mac, mac, 6);
	assert_int_equal(bpf_put(map("fdb"), &k, &d, NULL), 0);
}

static int setup(void **state)
{
	struct rtnl_veth va = {.name = "a", .peer = "a0", .peer_ns = -1}, vb = {.name = "b", .peer = "b0", .peer_ns = -1};
	struct sw_port p = {.sw = 1, .flags = PORT_SHAPED};
	struct err e = ERR_INIT;
	int s;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return 0; /* every test says that it was skipped */
	libbpf_set_print(quiet);
	t.obj = bpf_object__open_file(getenv("SWITCH_OBJECT"), NULL);
	assert_non_null(t.obj);
	assert_int_equal(bpf_object__load(t.obj), 0);
	t.out = prog("from_vnic");
	t.wire_out = prog("from_wire_out");
	t.wire_in = prog("from_wire_in");
	t.ports = map("ports");
	t.shapes = map("shapes");
	t.flows = map("shape_flows");
	s = rtnl_open(&e);
	assert_true(s >= 0);
	assert_int_equal(rtnl_veth(s, &va, &e), 0);
	assert_int_equal(rtnl_veth(s, &vb, &e), 0);
	t.a = (uint32_t)rtnl_index(s, "a", &e);
	t.b = (uint32_t)rtnl_index(s, "b", &e);
	close(s);
	memcpy(p.mac, mac_a, 6);
	assert_int_equal(bpf_put(t.ports, &t.a, &p, NULL), 0);
	memcpy(p.mac, mac_b, 6);
	p.flags = 0;
	assert_int_equal(bpf_put(t.ports, &t.b, &p, NULL), 0);
	put_dest(t.a, mac_a, PORT_SHAPED);
	put_dest(t.b, mac_b, 0);
	return 0;
}

static int done(void **state)
{
	bpf_object__close(t.obj);
	return 0;
}

static void set(uint32_t capped, const struct sw_shape_flow *f, uint32_t n)
{
	struct sw_shape_flows all = {0};

	t.sh = (struct sw_shape){.wire_out = t.b, .wire_in = t.b, .class_ = OWN, .capped = capped, .nflows = n};
	for (uint32_t i = 0; i < n; i++) {
		all.f[i] = f[i];
		all.f[i].class_ = FLOW + 3 * i;
	}
	assert_int_equal(bpf_put(t.shapes, &t.a, &t.sh, NULL), 0);
	assert_int_equal(bpf_put(t.flows, &t.a, &all, NULL), 0);
}

struct frame {
	uint8_t b[600];
	size_t n;
};

/* IPv4: 10.0.0.1 → 10.0.0.2 of mac_a to mac_b, or back. */
static struct frame ip4(int in, unsigned proto, unsigned sport, unsigned dport, unsigned frag, size_t n)
{
	struct frame f = {.n = 14 + 20 + n};
	uint8_t *h = f.b + 14, *l4 = h + 20;

	memcpy(f.b, in ? mac_a : mac_b, 6);
	memcpy(f.b + 6, in ? mac_b : mac_a, 6);
	f.b[12] = 8;
	h[0] = 0x45;
	h[2] = (uint8_t)((20 + n) >> 8);
	h[3] = (uint8_t)(20 + n);
	h[6] = (uint8_t)(frag >> 8);
	h[7] = (uint8_t)frag;
	h[8] = 64;
	h[9] = (uint8_t)proto;
	inet_pton(AF_INET, in ? "10.0.0.2" : "10.0.0.1", h + 12);
	inet_pton(AF_INET, in ? "10.0.0.1" : "10.0.0.2", h + 16);
	l4[0] = (uint8_t)(sport >> 8);
	l4[1] = (uint8_t)sport;
	l4[2] = (uint8_t)(dport >> 8);
	l4[3] = (uint8_t)dport;
	l4[12] = 0x50;
	return f;
}

/* IPv6 with so many hop-by-hop or destination headers before UDP to this port. */
static struct frame ip6(unsigned extensions, unsigned dport)
{
	struct frame f = {.n = 54 + extensions * 8 + 40};
	uint8_t *h = f.b + 14, *at = h + 40;

	memcpy(f.b, mac_b, 6);
	memcpy(f.b + 6, mac_a, 6);
	f.b[12] = 0x86;
	f.b[13] = 0xdd;
	h[0] = 0x60;
	h[5] = (uint8_t)(extensions * 8 + 40);
	h[6] = extensions ? 60 : 17;
	h[7] = 64;
	inet_pton(AF_INET6, "fd00::1", h + 8);
	inet_pton(AF_INET6, "fd00::2", h + 24);
	for (unsigned i = 0; i < extensions; i++, at += 8)
		at[0] = i + 1 < extensions ? 60 : 17;
	at[2] = (uint8_t)(dport >> 8);
	at[3] = (uint8_t)dport;
	at[5] = 40;
	return f;
}

/* What the program does with it; *out: the frame as it leaves. */
static int run(int program, const struct frame *f, uint32_t ifindex, uint32_t mark, struct __sk_buff *out)
{
	struct __sk_buff in = {.ifindex = ifindex, .mark = mark};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->n, .ctx_in = &in, .ctx_size_in = sizeof in, .ctx_out = out,
		    .ctx_size_out = sizeof *out);

	memset(out, 0, sizeof *out);
	assert_int_equal(bpf_prog_test_run_opts(program, &o), 0);
	return (int)o.retval;
}

/* The class it goes to; 0: it goes to no wire. */
static uint32_t class_of(struct frame f, int in)
{
	struct __sk_buff out;

	assert_int_equal(run(t.out, &f, in ? t.b : t.a, 0, &out), REDIRECT);
	if (out.priority == 0)
		return 0;
	assert_int_equal(out.mark, t.a);
	assert_int_equal(out.priority >> 16, SHAPE_MAJOR);
	return out.priority & 0xffff;
}

#define NEED \
	if (t.out < 0) \
	skip()

static void sizes(void **state)
{
	NEED;
	set(1, NULL, 0);
	assert_int_equal(class_of(ip4(0, 17, 1, 2, 0, 40), 0), OWN + 1);
	assert_int_equal(class_of(ip4(0, 17, 1, 2, 0, SHAPE_SMALL - 34), 0), OWN + 1);
	assert_int_equal(class_of(ip4(0, 17, 1, 2, 0, SHAPE_SMALL - 33), 0), OWN + 2);
	assert_int_equal(class_of(ip4(1, 17, 1, 2, 0, 400), 1), OWN + 2);
	/* without a ceiling nothing goes over a wire */
	set(0, NULL, 0);
	assert_int_equal(class_of(ip4(0, 17, 1, 2, 0, 40), 0), 0);
}

static void flow(void **state)
{
	struct sw_shape_flow f[2] = {{.proto = 6, .lport = htons(80)}, {.proto = 17, .rport = htons(53)}};

	NEED;
	set(1, f, 2);
	assert_int_equal(class_of(ip4(0, 6, 80, 5000, 0, 40), 0), FLOW + 1);
	assert_int_equal(class_of(ip4(0, 6, 5000, 80, 0, 40), 0), OWN + 1);
	/* local is the VNIC's side, whatever the direction */
	assert_int_equal(class_of(ip4(1, 6, 5000, 80, 0, 40), 1), FLOW + 1);
	assert_int_equal(class_of(ip4(1, 6, 80, 5000, 0, 40), 1), OWN + 1);
	assert_int_equal(class_of(ip4(0, 17, 999, 53, 0, 400), 0), FLOW + 3 + 2);
	assert_int_equal(class_of(ip4(1, 17, 53, 999, 0, 400), 1), FLOW + 3 + 2);
	/* a part without its ports is in a flow of its protocol */
	assert_int_equal(class_of(ip4(0, 17, 0, 0, 185, 400), 0), FLOW + 3 + 2);
	assert_int_equal(class_of(ip4(0, 6, 0, 0, 185, 400), 0), FLOW + 2);
	assert_int_equal(class_of(ip4(0, 1, 0, 0, 185, 400), 0), OWN + 2);
	/* and where the VNIC has no ceiling it alone goes over the wire */
	set(0, f, 2);
	assert_int_equal(class_of(ip4(0, 17, 999, 53, 0, 400), 0), FLOW + 3 + 2);
	assert_int_equal(class_of(ip4(0, 17, 999, 54, 0, 400), 0), 0);
}

static void addresses(void **state)
{
	struct sw_shape_flow f = {.family = 4, .rmask = {htonl(0xffffff00)}, .rip = {htonl(0x0a000000)}};

	NEED;
	set(1, &f, 1);
	assert_int_equal(class_of(ip4(0, 17, 1, 2, 0, 40), 0), FLOW + 1);
	f.rip[0] = htonl(0x0a000100);
	set(1, &f, 1);
	assert_int_equal(class_of(ip4(0, 17, 1, 2, 0, 40), 0), OWN + 1);
	f = (struct sw_shape_flow){.ds = 0xb8, .dsmask = 0xfc};
	set(1, &f, 1);
	assert_int_equal(class_of(ip4(0, 17, 1, 2, 0, 40), 0), OWN + 1);
}

static void extensions(void **state)
{
	struct sw_shape_flow f = {.proto = 17, .rport = htons(53)};

	NEED;
	set(1, &f, 1);
	assert_int_equal(class_of(ip6(0, 53), 0), FLOW + 1);
	assert_int_equal(class_of(ip6(0, 54), 0), OWN + 1);
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(class_of(ip6(i, 53), 0), FLOW + 1);
}

/* The far ends: what has a port's number is that port's, and anything else goes nowhere. */
static void far_ends(void **state)
{
	struct frame f = ip4(0, 17, 1, 2, 0, 40), back = ip4(1, 17, 1, 2, 0, 40);
	struct __sk_buff out;

	NEED;
	set(1, NULL, 0);
	assert_int_equal(run(t.wire_out, &f, t.b, t.a, &out), REDIRECT);
	assert_int_equal(out.mark, 0);
	assert_int_equal(out.priority, 0);
	assert_int_equal(run(t.wire_out, &f, t.b, 0, &out), SHOT);
	assert_int_equal(run(t.wire_out, &f, t.b, 77777, &out), SHOT);
	assert_int_equal(run(t.wire_in, &back, t.b, t.a, &out), REDIRECT);
	assert_int_equal(out.mark, 0);
	assert_int_equal(out.priority, 0);
	assert_int_equal(run(t.wire_in, &back, t.b, 77777, &out), SHOT);
	/* a port that is just being changed sends nothing */
	assert_int_equal(bpf_del(t.shapes, &t.a, NULL), 0);
	assert_int_equal(run(t.out, &f, t.a, 0, &out), SHOT);
	assert_int_equal(run(t.out, &back, t.b, 0, &out), SHOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(flow), cmocka_unit_test(addresses), cmocka_unit_test(extensions),
					   cmocka_unit_test(far_ends)};

	return cmocka_run_group_tests(tests, setup, done);
}
