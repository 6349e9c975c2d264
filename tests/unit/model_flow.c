/* SPDX-License-Identifier: MPL-2.0 */
/* Flows as flowadm names them: what each text means, what is refused, and which of two is looked at first. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/own.h"
#include "model/flow.h"

static int read_flow(const char *name, const char *attrs, struct flow *out, struct err *e)
{
	json_t *f = json_object();
	int r = flow_parse(attrs, FLOW_ATTRS, f, e);

	if (r == 0)
		r = flow_read(name, f, out, e);
	json_decref(f);
	return r;
}

static void rates(void **state)
{
	static const struct {
		const char *text;
		uint64_t kbit;
	} good[] = {{"10", 10000}, {"10M", 10000}, {"1.5m", 1500}, {"100K", 100}, {"1G", 1000000}, {"0.1", 100}, {"1000G", 1000000000}};
	static const char *const bad[] = {"", "0", "99K", "-1", "1T", "1MM", "M", ".5", "1 M", "1001G", "99999999999999999999", "1e3"};
	uint64_t k;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(flow_rate(good[i].text, &k), 0);
		assert_int_equal(k, good[i].kbit);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (flow_rate(bad[i], &k) == 0)
			fail_msg("\"%s\" is taken as %llu", bad[i], (unsigned long long)k);
}

static void refused(void **state)
{
	static const char *const bad[][2] = {
		{"local_port=80", "needs transport"}, {"transport=icmp,local_port=80", "needs transport"}, {"transport=gre", "tcp, udp"},
		{"transport=tcp,local_port=0", "1 to 65535"}, {"transport=tcp,local_port=65536", "1 to 65535"}, {"local_ip=10.0.0.0/33", "address"},
		{"local_ip=10.0.0.1,remote_ip=fd00::1", "two families"}, {"dsfield=256", "0 to 255"}, {"dsfield=3:1", "outside the mask"},
		{"dsfield=0:0", "mask"}, {"maxbw=10", "no attribute"}, {"colour=red", "no attribute"}, {"", "no attribute is given"}, {"transport", "tcp"},
		{"transport=icmpv6,local_ip=10.0.0.1", "icmp is of IPv4"},
	};
	struct flow f;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = ERR_INIT;

		if (read_flow("x", bad[i][0], &f, &e) != -EINVAL || !strstr(e.msg, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], e.msg);
	}
	assert_int_equal(flow_name_check("all", NULL), -EINVAL);
	assert_int_equal(flow_name_check("0a", NULL), -EINVAL);
	assert_int_equal(flow_name_check("a/b", NULL), -EINVAL);
	assert_int_equal(flow_name_check("a.b-c_1", NULL), 0);
}

static void meaning(void **state)
{
	struct flow f;

	assert_int_equal(read_flow("x", "transport=udp,remote_port=53,remote_ip=10.1.2.3/8,dsfield=0xb8:0xfc", &f, NULL), 0);
	assert_int_equal(f.proto, IPPROTO_UDP);
	assert_int_equal(f.rport, 53);
	assert_int_equal(f.lport, 0);
	assert_int_equal(f.ds, 0xb8);
	assert_int_equal(f.dsmask, 0xfc);
	assert_int_equal(f.family, AF_INET);
	assert_int_equal(f.remote.prefix, 8);
	assert_memory_equal(f.remote.ip, "\12\0\0\0", 4); /* what is behind the length is cleared */
	assert_false(f.local.given);
}

static void order(void **state)
{
	struct flow port, proto, net8, net16, b;

	assert_int_equal(read_flow("a", "transport=tcp", &proto, NULL), 0);
	assert_int_equal(read_flow("b", "transport=tcp", &b, NULL), 0);
	assert_int_equal(read_flow("z", "transport=tcp,local_port=80", &port, NULL), 0);
	assert_int_equal(read_flow("m", "remote_ip=10.0.0.0/8", &net8, NULL), 0);
	assert_int_equal(read_flow("n", "remote_ip=10.0.0.0/16", &net16, NULL), 0);
	assert_true(flow_order(&port, &proto) < 0);
	assert_true(flow_order(&net16, &net8) < 0);
	assert_true(flow_order(&proto, &b) < 0);
	assert_true(flow_same(&proto, &b));
	assert_false(flow_same(&net8, &net16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rates), cmocka_unit_test(refused), cmocka_unit_test(meaning), cmocka_unit_test(order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
