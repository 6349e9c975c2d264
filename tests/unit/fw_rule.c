/* SPDX-License-Identifier: MPL-2.0 */
/* The rule language: what each text means, its one canonical text, and what is refused, where and with which way out. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/own.h"
#include "fw/rule.h"

#define A "163dcedb-828d-43c9-b076-625423250ee2"
#define B "0f570678-c007-4610-a2c0-bbfcaab9f4e6"

/* The second is the canonical text, which stays what it is; NULL: the first is. */
static void canonical(void **s)
{
	static const char *const pairs[][2] = {
		{"FROM any TO all vms ALLOW tcp PORT 22"},
		{"from ANY to ALL VMS allow TCP port 22", "FROM any TO all vms ALLOW tcp PORT 22"},
		{" FROM\tany\nTO all  vms ALLOW tcp PORT 22 ", "FROM any TO all vms ALLOW tcp PORT 22"},
		{"FROM all vms TO ip 10.2.0.1 BLOCK tcp PORT 25"},
		{"FROM all vms TO ip FD22:0::1234 BLOCK tcp PORT 25", "FROM all vms TO ip fd22::1234 BLOCK tcp PORT 25"},
		{"FROM subnet 10.8.0.0/16 TO vm " A " ALLOW tcp PORT 443"},
		{"FROM subnet fd22::/64 TO vm " A " ALLOW udp PORT all"},
		{"FROM subnet 0.0.0.0/0 TO all vms ALLOW udp PORT 1"},
		{"FROM any TO vm 163DCEDB-828D-43C9-B076-625423250EE2 ALLOW tcp PORT 80", "FROM any TO vm " A " ALLOW tcp PORT 80"},
		{"FROM tag role = db TO tag role=www ALLOW tcp PORT 5432", "FROM tag role = db TO tag role = www ALLOW tcp PORT 5432"},
		{"FROM all vms TO tag \"VM type\" = \"LDAP server\" ALLOW tcp PORT 389"},
		{"FROM tag \"plain\" TO any BLOCK tcp PORT 1", "FROM tag plain TO any BLOCK tcp PORT 1"},
		{"FROM tag \"to\" = \"OR\" TO any BLOCK tcp PORT 1"},
		{"FROM tag \"\\\"q\\\" \\\\ \\u00e9\\n\" TO any BLOCK tcp PORT 1", "FROM tag \"\\\"q\\\" \\\\ é\\n\" TO any BLOCK tcp PORT 1"},
		{"FROM tag \"\\ud83d\\ude00\" TO any BLOCK tcp PORT 1", "FROM tag \"😀\" TO any BLOCK tcp PORT 1"},
		{"FROM tag a = \"\" TO any BLOCK tcp PORT 1"},
		{"FROM tag a = 10.0.0.1 TO any BLOCK tcp PORT 1", "FROM tag a = \"10.0.0.1\" TO any BLOCK tcp PORT 1"},
		{"FROM tag port = type TO any BLOCK tcp PORT 1"},
		{"FROM (vm " A " OR tag db) TO (subnet 10.2.2.0/24 OR ip 10.3.0.1) BLOCK tcp PORT 443",
		 "FROM (tag db OR vm " A ") TO (ip 10.3.0.1 OR subnet 10.2.2.0/24) BLOCK tcp PORT 443"},
		{"FROM (tag a OR tag a = b OR tag a) TO any BLOCK tcp PORT 1", "FROM (tag a OR tag a = b) TO any BLOCK tcp PORT 1"},
		{"FROM (tag a) TO any BLOCK tcp PORT 1", "FROM tag a TO any BLOCK tcp PORT 1"},
		{"FROM (all vms OR ip 10.0.0.1) TO tag a ALLOW tcp PORT 1", "FROM (all vms OR ip 10.0.0.1) TO tag a ALLOW tcp PORT 1"},
		{"FROM any TO tag www ALLOW tcp (PORT 443 AND PORT 80)", "FROM any TO tag www ALLOW tcp (PORT 80 AND PORT 443)"},
		{"FROM any TO tag www ALLOW tcp (port 80 and port 80)", "FROM any TO tag www ALLOW tcp PORT 80"},
		{"FROM any TO tag www ALLOW tcp PORTS 80, 443, 8000-8100"},
		{"FROM any TO tag www ALLOW tcp PORTS 8000 - 8100,443 , 80", "FROM any TO tag www ALLOW tcp PORTS 80, 443, 8000-8100"},
		{"FROM any TO tag www ALLOW tcp PORTS 8000 -8100", "FROM any TO tag www ALLOW tcp PORTS 8000-8100"},
		{"FROM any TO tag www ALLOW tcp PORTS 80, 443", "FROM any TO tag www ALLOW tcp (PORT 80 AND PORT 443)"},
		{"FROM any TO tag www ALLOW tcp PORTS 80-80", "FROM any TO tag www ALLOW tcp PORT 80"},
		{"FROM any TO all vms ALLOW icmp TYPE 8 CODE 0"},
		{"FROM any TO all vms ALLOW icmp6 TYPE 128"},
		{"FROM any TO all vms ALLOW icmp TYPE all"},
		{"FROM any TO all vms ALLOW icmp (TYPE 8 AND TYPE 0 CODE 0)", "FROM any TO all vms ALLOW icmp (TYPE 0 CODE 0 AND TYPE 8)"},
		{"FROM any TO all vms ALLOW ah"},
		{"FROM any TO all vms ALLOW esp PRIORITY 1"},
		{"FROM any TO all vms ALLOW tcp PORT 22 PRIORITY 100"},
		{"FROM any TO all vms ALLOW tcp PORT 22 PRIORITY 0", "FROM any TO all vms ALLOW tcp PORT 22"},
		{"FROM any TO all vms ALLOW tcp PORTS 1, 2-3 PRIORITY 5"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const char *want = pairs[i][1] ?: pairs[i][0];
		struct err e = ERR_INIT;

		for (int k = 0; k < 2; k++) {
			_fw_rule_ struct fw_rule r = {0};
			_buf_ struct buf b = BUF_INIT;

			if (fw_parse(k ? want : pairs[i][0], &r, &e) < 0)
				fail_msg("%s: %s", pairs[i][0], e.msg);
			fw_print(&r, &b);
			assert_string_equal(buf_str(&b), want);
		}
	}
}

static void refused(void **s)
{
	static const struct {
		const char *text, *msg, *hint;
	} bad[] = {
		{"", "rule: column 1: FROM is expected here, not the end of the rule", "A rule is"},
		{"FROM any TO any ALLOW tcp PORT 22", "rule: it does not affect VMs", "tag, vm or all vms"},
		{"FROM ip 192.168.1.3 TO subnet 192.168.1.0/24 ALLOW tcp PORT 22", "does not affect VMs", ""},
		{"FROM any all vms ALLOW tcp PORT 22", "column 10: TO is expected here, not \"all\"", "A rule is"},
		{"FROM any TO all ALLOW tcp PORT 22", "column 17: all, and then \"ALLOW\"", ""},
		{"FROM any TO web ALLOW tcp PORT 22", "column 13: TO, and then \"web\"", "A target is"},
		{"FROM any TO all vms PASS tcp PORT 22", "column 21: ALLOW or BLOCK", ""},
		{"FROM any TO all vms ALLOW sctp PORT 22", "column 27: a protocol", "tcp, udp, icmp"},
		{"FROM any TO all vms ALLOW tcp", "column 30: tcp, and then the end of the rule", "PORT n"},
		{"FROM any TO all vms ALLOW tcp TYPE 8", "tcp, and then \"TYPE\"", "PORT n"},
		{"FROM any TO all vms ALLOW icmp PORT 8", "icmp, and then \"PORT\"", "TYPE n"},
		{"FROM any TO all vms ALLOW icmp TYPE 256", "no type", ""},
		{"FROM any TO all vms ALLOW icmp TYPE 8 CODE 256", "no code", ""},
		{"FROM any TO all vms ALLOW icmp TYPE 8 CODE", "CODE without a number", ""},
		{"FROM any TO all vms ALLOW ah PORT 1", "column 30: \"PORT\" behind the end", ""},
		{"FROM any TO all vms ALLOW tcp PORT 0", "no port 0", ""},
		{"FROM any TO all vms ALLOW tcp PORT 65536", "no port", ""},
		{"FROM any TO all vms ALLOW tcp PORT 80-90", "no port", ""},
		{"FROM any TO all vms ALLOW tcp PORT 22 PRIORITY 101", "no priority", ""},
		{"FROM any TO all vms ALLOW tcp PORT 22 PRIORITY", "PRIORITY without a number", ""},
		{"FROM any TO all vms ALLOW tcp PORT 22 PRIORITY 1 PRIORITY 2", "behind the end", ""},
		{"FROM any TO all vms ALLOW tcp PORT 22 # x", "a character that the language does not have", ""},
		{"FROM any TO vm web01 ALLOW tcp PORT 22", "column 16: vm, and then \"web01\", which is no uuid", "lookup"},
		{"FROM any TO vm \"" A "\" ALLOW tcp PORT 22", "no uuid", ""},
		{"FROM ip 10.0.0 TO all vms ALLOW tcp PORT 22", "\"10.0.0\" is no IP address", ""},
		{"FROM ip 10.0.0.01 TO all vms ALLOW tcp PORT 22", "no IP address", ""},
		{"FROM subnet 10.0.0.0 TO all vms ALLOW tcp PORT 22", "subnet, and then", "10.8.0.0/16"},
		{"FROM subnet 10.0.0.0/33 TO all vms ALLOW tcp PORT 22", "no length", ""},
		{"FROM subnet 10.0.0.0/ TO all vms ALLOW tcp PORT 22", "no length", ""},
		{"FROM tag TO all vms ALLOW tcp PORT 22", "column 10: \"TO\" can be read two ways", "quote it: \"TO\""},
		{"FROM tag \"\" TO all vms ALLOW tcp PORT 22", "empty", ""},
		{"FROM tag a b TO all vms ALLOW tcp PORT 22", "column 12: \"b\" after a tag", "quoted"},
		{"FROM tag \"a TO all vms", "column 10: these quotes are not closed", ""},
		{"FROM tag \"\\x\" TO all vms", "a backslash in quotes", ""},
		{"FROM tag \"\\u0000\" TO all vms", "no character", ""},
		{"FROM tag \"\\ud800\" TO all vms", "no character", ""},
		{"FROM tag \"\xc3\" TO all vms", "not UTF-8", ""},
		{"FROM tag \"\xed\xa0\x80\" TO all vms", "not UTF-8", ""},
		{"FROM (tag a OR tag b TO all vms ALLOW tcp PORT 22", "column 22: \"TO\" in a list", "between OR"},
		{"FROM (tag a, tag b) TO all vms ALLOW tcp PORT 22", "\",\" in a list", "between OR"},
		{"FROM ((tag a)) TO all vms ALLOW tcp PORT 22", "FROM, and then \"(\"", ""},
		{"FROM () TO all vms ALLOW tcp PORT 22", "FROM, and then \")\"", ""},
		/* what could be read two ways */
		{"FROM tag a OR tag b TO all vms ALLOW tcp PORT 22", "column 12: OR outside of parentheses can be read two ways", "FROM (a OR b)"},
		{"FROM tag a = all TO any ALLOW tcp PORT 22", "\"all\" can be read two ways", "quote"},
		{"FROM ip 10.0.0.1/24 TO all vms ALLOW tcp PORT 22", "two ways", "subnet 10.0.0.1/24"},
		{"FROM subnet 10.0.0.1/24 TO all vms ALLOW tcp PORT 22", "two ways", "subnet 10.0.0.0/24, or ip 10.0.0.1"},
		{"FROM ip ::ffff:1.2.3.4 TO all vms ALLOW tcp PORT 22", "two ways", "ip 1.2.3.4"},
		{"FROM (any OR tag a) TO all vms ALLOW tcp PORT 22", "column 6: a list with any can be read two ways", "alone"},
		{"FROM any TO all vms ALLOW tcp PORT 022", "two ways", "without them"},
		{"FROM any TO all vms ALLOW tcp PORT 80, 443", "column 38: a comma here can be read two ways", "PORTS 80, 443"},
		{"FROM any TO all vms ALLOW tcp PORT 80 AND PORT 443", "AND here can be read two ways", "(PORT 80 AND PORT 443)"},
		{"FROM any TO all vms ALLOW tcp (PORT 80 AND PORT all)", "two ways", "alone"},
		{"FROM any TO all vms ALLOW tcp (PORT 80 OR PORT 443)", "\"OR\" in a list of ports", "AND"},
		{"FROM any TO all vms ALLOW tcp PORTS 443-80", "443-80", "Write 80-443"},
		{"FROM any TO all vms ALLOW tcp PORTS 80 90", "\"90\" behind the end", ""},
		{"FROM any TO all vms ALLOW tcp PORTS", "tcp, and then the end", ""},
		{"FROM any TO all vms ALLOW tcp PORTS 1--2", "no port", ""},
		{"FROM any TO all vms ALLOW tcp PORTS 1,2,3,4,5,6,7,8,9", "more than 8 ports", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fw_rule r = {.priority = 77};
		struct err e = ERR_INIT;

		if (fw_parse(bad[i].text, &r, &e) != -EINVAL || !strstr(e.msg, bad[i].msg) || !strstr(e.hint, bad[i].hint))
			fail_msg("%s: %s (%s)", bad[i].text, e.msg, e.hint);
		assert_int_equal(r.priority, 77);
		assert_int_equal(fw_parse(bad[i].text, &r, NULL), -EINVAL);
	}
}

static void limits(void **s)
{
	for (int n = 24; n <= 25; n++) {
		_buf_ struct buf b = BUF_INIT;
		_fw_rule_ struct fw_rule r = {0};
		struct err e = ERR_INIT;

		for (int i = 0; i < n; i++)
			buf_printf(&b, "%sip 10.0.0.%d", i ? " OR " : "FROM (", i);
		buf_puts(&b, " OR ip 10.0.0.3) TO all vms ALLOW tcp PORTS 1,2,3,4,5,6,7,8-9");
		assert_int_equal(fw_parse(buf_str(&b), &r, &e), n == 24 ? 0 : -EINVAL);
		if (n == 25)
			assert_non_null(strstr(e.msg, "more than 24 targets after FROM"));
	}
	_buf_ struct buf b = BUF_INIT;
	struct fw_rule r;
	for (int i = 0; i < FW_TEXT_MAX; i++)
		buf_puts(&b, "FROM ");
	assert_int_equal(fw_parse(buf_str(&b), &r, NULL), -EINVAL);
}

static void meaning(void **s)
{
	_fw_rule_ struct fw_rule r = {0};

	assert_int_equal(fw_parse("FROM (tag a = \"x y\" OR subnet fd00::/8) TO vm " B " BLOCK icmp6 (TYPE 128 CODE 0 AND TYPE 1) PRIORITY 9", &r, NULL), 0);
	assert_int_equal(r.from.n, 2);
	assert_int_equal(r.from.t[0].kind, FW_SUBNET);
	assert_int_equal(r.from.t[0].addr.family, 6);
	assert_int_equal(r.from.t[0].addr.ip[0], 0xfd);
	assert_int_equal(r.from.t[0].prefix, 8);
	assert_string_equal(r.from.t[1].key, "a");
	assert_string_equal(r.from.t[1].value, "x y");
	assert_string_equal(r.to.t[0].uuid, B);
	assert_int_equal(r.action, FW_BLOCK);
	assert_int_equal(r.proto, IPPROTO_ICMPV6);
	assert_int_equal(r.priority, 9);
	assert_int_equal(r.nports, 2);
	assert_int_equal(r.port[0].lo, 1);
	assert_int_equal(r.port[0].hi, FW_CODE_ANY);
	assert_int_equal(r.port[1].lo, 128);
	assert_int_equal(r.port[1].hi, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(canonical), cmocka_unit_test(refused), cmocka_unit_test(limits), cmocka_unit_test(meaning)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
