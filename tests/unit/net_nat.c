/* SPDX-License-Identifier: MPL-2.0 */
/* Settings of a switch as text and as data, the rules that they become, and what of a host's own rules is in their way. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/own.h"
#include "net/nat.h"

static void forwards(void **s)
{
	static const char *const good[] = {"tcp:80=10.0.0.1:8080", "udp:192.0.2.1:53=web:53", "tcp:65535=a:1",
					   "tcp:1=0f570678-c007-4610-a2c0-bbfcaab9f4e6:2"};
	static const char *const bad[] = {"", "tcp", "tcp:", "tcp:80", "tcp:80=", "tcp:80=web", "tcp:80=web:", "tcp:80=:80", "sctp:80=web:80", "tcp:0=web:80",
					  "tcp:65536=web:80", "tcp:80=web:0", "tcp:+80=web:80", "tcp:080=web:80", "tcp: 80=web:80", "tcp:x:80=web:80",
					  "tcp:127.0.0.1:80=web:80", "tcp:224.0.0.1:80=web:80", "tcp:0.0.0.0:80=web:80", "tcp:80=web:80=web:80", "tcp:80=we b:80",
					  "tcp:80=\"x\":80", "tcp:80=[::1]:80", "TCP:80=web:80"};
	struct netset_forward f;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(netset_forward(good[i], &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (netset_forward(bad[i], &f) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(netset_forward("udp:192.0.2.1:53=web:54", &f), 0);
	assert_true(f.udp && !f.any && f.named && f.port == 53 && f.to_port == 54 && f.address[0] == 192);
	assert_string_equal(f.to, "web");
}

static void networks(void **s)
{
	struct net_cidr a, b;

	assert_int_equal(netset_cidr("10.0.0.0/8", false, &a), 0);
	assert_int_equal(netset_cidr("10.255.3.0/24", false, &b), 0);
	assert_true(netset_overlap(&a, &b) && netset_overlap(&b, &a) && netset_within(&a, &b));
	assert_int_equal(netset_cidr("11.0.0.0/24", false, &b), 0);
	assert_false(netset_overlap(&a, &b));
	assert_int_equal(netset_cidr("10.128.0.0/9", false, &a), 0);
	assert_int_equal(netset_cidr("10.64.0.0/10", false, &b), 0);
	assert_false(netset_overlap(&a, &b));
	assert_int_equal(netset_cidr("fd00::/8", false, &a), 0);
	assert_false(netset_overlap(&a, &b));
	assert_int_equal(netset_cidr("10.0.0.1", false, &a), -EINVAL);
	assert_int_equal(netset_cidr("10.0.0.1/", true, &a), -EINVAL);
	assert_int_equal(netset_cidr("10.0.0.1/33", true, &a), -EINVAL);
	assert_int_equal(netset_cidr("", true, &a), -EINVAL);
}

/* key=value…; the error, or 0 */
static int made(const char *const *kv, struct netset *out, struct err *e)
{
	json_t *o = json_object();
	int r = 0;

	for (; *kv && r == 0; kv += 2)
		r = netset_put(o, kv[0], kv[1], e);
	netset_defaults(o);
	if (r == 0)
		r = netset_parse(o, out, e);
	json_decref(o);
	return r;
}
#define MADE(...) made((const char *const[]){__VA_ARGS__, NULL}, &set, &e)

static void settings(void **s)
{
	static struct netset set;
	struct err e = ERR_INIT;

	assert_int_equal(MADE("subnet", "10.77.0.0/24", "subnet6", "fd00:77::/64", "ra", "on", "nat", "true", "resolvers", "192.0.2.1,2001:db8::1"), 0);
	assert_int_equal(set.gateway.ip[3], 1);
	assert_int_equal(set.gateway.prefix, 24);
	assert_int_equal(set.gateway6.ip[15], 1);
	assert_int_equal(set.nresolvers, 2);
	assert_int_equal(MADE("subnet", "10.77.0.0/24", "gateway", "10.77.1.1"), -EINVAL);
	assert_int_equal(MADE("subnet", "10.77.0.0/24", "gateway", "10.77.0.0"), -EINVAL);
	assert_int_equal(MADE("subnet", "10.77.0.0/24", "gateway", "10.77.0.255"), -EINVAL);
	assert_int_equal(MADE("gateway", "10.77.1.1"), -EINVAL);
	assert_int_equal(MADE("subnet6", "fd00:77::/60", "ra", "on"), -EINVAL);
	assert_int_equal(MADE("subnet6", "fd00:77::/64", "dhcp", "on"), -EINVAL);
	assert_int_equal(MADE("subnet6", "fd00:77::/64", "mtu", "1000"), -EINVAL);
	assert_int_equal(MADE("subnet", "10.77.0.0/31"), -EINVAL);
	assert_int_equal(MADE("subnet", "10.77.0.0/24", "forwards", "tcp:1=10.77.0.2:1"), -EINVAL);
	assert_int_equal(MADE("subnet", "10.77.0.0/24", "nat", "on", "forwards", "tcp:1=10.77.0.2:1,tcp:1=10.77.0.3:1"), -EINVAL);
	assert_int_equal(MADE("subnet", "10.77.0.0/24", "nat", "on", "forwards", "tcp:1=10.77.0.2:1,udp:1=10.77.0.3:1"), 0);
	assert_int_equal(MADE("subnet", "10.77.0.0/24", "nat", "on", "forwards", "tcp:1=10.78.0.2:1"), -EINVAL);
}

static void rules(void **s)
{
	static struct netset set;
	struct err e = ERR_INIT;
	struct router_port p = {.sw = 5 << 12 | 7, .set = &set};
	_buf_ struct buf router = BUF_INIT, host = BUF_INIT;
	struct nat n;

	assert_int_equal(MADE("subnet", "10.77.0.0/24", "nat", "on", "dns", "on", "forwards", "tcp:80=10.77.0.2:8080,udp:198.51.100.1:53=web:53"), 0);
	nat_init(&n, "default", &p, 1);
	assert_true(nat_wanted(&n));
	nat_router_rules(&n, &router);
	nat_host_rules(&n, &host);
	assert_non_null(strstr(buf_str(&router), "iifname \"r5v7\" oifname \"up0\" ip saddr 10.77.0.0/24 accept"));
	assert_non_null(strstr(buf_str(&router), "iifname \"r5v7\" ip daddr 10.77.0.1 meta l4proto { tcp, udp } th dport 53 accept"));
	assert_non_null(strstr(buf_str(&router), "tcp dport 1024 dnat ip to 10.77.0.2:8080"));
	assert_non_null(strstr(buf_str(&router), "oifname \"up0\" ip daddr 169.254.0.0/16 meta l4proto { tcp, udp } th dport != 53 drop"));
	assert_null(strstr(buf_str(&router), "1025")); /* nobody knows yet who web is */
	assert_non_null(strstr(buf_str(&host), "table inet cloister {\n}\ndelete table inet cloister\n"));
	assert_non_null(strstr(buf_str(&host), "iifname \"cloister0\" drop"));
	assert_non_null(strstr(buf_str(&host), "tcp dport 80 dnat ip to 169.254.77.2:1024"));
	set.nat = false;
	assert_false(nat_wanted(&n));
}

/* Two nodes of one machine are in nobody's way; no name is longer than the kernel's. */
static void names(void **s)
{
	struct nat a, b;

	nat_init(&a, "t1", NULL, 0);
	nat_init(&b, "a-node-of-the-longest-name-there", NULL, 0);
	assert_string_not_equal(a.host_if, b.host_if);
	assert_string_not_equal(a.table, b.table);
	assert_null(strchr(b.table, '-'));
	assert_true(strlen(b.host_if) < 16 && strlen(a.host_if) < 16);
	assert_int_equal(a.host_ip[3] % 4, 1);
	assert_int_equal(a.router_ip[3], a.host_ip[3] + 1);
}

#define CHAIN(table, name, policy)                                                                                                 \
	"{\"chain\":{\"family\":\"ip\",\"table\":\"" table "\",\"name\":\"" name "\",\"hook\":\"forward\",\"policy\":\"" policy "\"}}"
#define OTHER(table, name) "{\"chain\":{\"family\":\"ip\",\"table\":\"" table "\",\"name\":\"" name "\"}}"
#define PASS(table, chain, key)                                                                                                    \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"" table "\",\"chain\":\"" chain "\",\"expr\":[{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"" key   \
	"\"}},\"right\":\"cloister0\"}},{\"counter\":{\"packets\":0,\"bytes\":0}},{\"accept\":null}]}}"

/* firewalld's: the interface's zone is a chain of its own. */
#define GOTO(table, chain, to)                                                                                                     \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"" table "\",\"chain\":\"" chain "\",\"expr\":[{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"iifname\"" \
	"}},\"right\":\"cloister0\"}},{\"goto\":{\"target\":\"" to "\"}}]}}"
#define LAST(table, chain, verdict) "{\"rule\":{\"family\":\"ip\",\"table\":\"" table "\",\"chain\":\"" chain "\",\"expr\":[" verdict "]}}"

static void looks(void **s)
{
	static const struct {
		const char *rules, *says;
	} at[] = {
		{"", NULL},
		{CHAIN("filter", "FORWARD", "accept"), NULL},
		{CHAIN("cloister", "forward", "drop"), NULL},
		{CHAIN("filter", "FORWARD", "drop"), "nft insert rule ip filter FORWARD iifname cloister0 accept"},
		{CHAIN("filter", "FORWARD", "drop") "," OTHER("filter", "DOCKER-USER"), "iptables -I DOCKER-USER -i cloister0 -j ACCEPT"},
		{CHAIN("filter", "FORWARD", "drop") "," OTHER("filter", "ufw-user-forward"), "ufw route allow in on cloister0"},
		{CHAIN("filter", "FORWARD", "drop") "," PASS("filter", "DOCKER-USER", "iifname") "," PASS("filter", "DOCKER-USER", "oifname"), NULL},
		{CHAIN("filter", "FORWARD", "drop") "," PASS("filter", "DOCKER-USER", "iifname"), "drops what it forwards"},
		{CHAIN("filter", "FORWARD", "accept") ",{\"rule\":{\"family\":\"ip\",\"table\":\"filter\",\"chain\":\"FORWARD\",\"expr\":[{\"reject\":{}}]}}",
		 "drops what it forwards"},
		{CHAIN("firewalld", "fwd", "drop") "," PASS("firewalld", "x", "oifname") "," GOTO("firewalld", "zones", "trusted") "," LAST("firewalld", "trusted", "{\"accept\":null}"), NULL},
		{CHAIN("firewalld", "fwd", "drop") "," PASS("firewalld", "x", "oifname") "," GOTO("firewalld", "zones", "public") "," LAST("firewalld", "trusted", "{\"accept\":null}") "," LAST("firewalld", "public", "{\"reject\":{}}"),
		 "firewall-cmd --permanent --zone=trusted --add-interface=cloister0"},
		{"7,null,{\"rule\":7},{\"chain\":[]},{\"rule\":{\"expr\":[7,null]}}", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		_free_ char *json = xprintf("{\"nftables\":[%s]}", at[i].rules);
		_buf_ struct buf b = BUF_INIT;

		nat_look_rules(json, "cloister0", &b);
		if (at[i].says ? !strstr(buf_str(&b), at[i].says) : b.len != 0)
			fail_msg("%s\n%s", at[i].rules, buf_str(&b));
	}
	assert_true(nat_look_table("{\"nftables\":[7,{\"chain\":{\"family\":\"inet\",\"table\":\"cloister\",\"name\":\"input\"}}]}", "cloister"));
	assert_false(nat_look_table("{\"nftables\":[" CHAIN("cloister", "forward", "drop") "]}", "cloister"));
	assert_true(nat_look_table("{\"nftables\":[", "cloister"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(forwards), cmocka_unit_test(networks), cmocka_unit_test(settings), cmocka_unit_test(rules),
					   cmocka_unit_test(names), cmocka_unit_test(looks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
