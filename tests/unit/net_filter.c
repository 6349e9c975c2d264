/* SPDX-License-Identifier: MPL-2.0 */
/* cloister snoop's filters against frames, and the blocks of its files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/filter.h"
#include "net/pcap.h"

#define ETH "\x02\x08\x20\0\0\2\x02\x08\x20\0\0\1"
/* 10.9.0.1:53 to 10.9.0.2:9, UDP; fd00::1 to fd00::2 with a hop-by-hop head before TCP; ARP; a later fragment of the first */
static const char udp[] = ETH "\x08\0\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\x0a\x09\0\1\x0a\x09\0\2\0\x35\0\x09\0\x08\0";
static const char tcp6[] = ETH "\x86\xdd\x60\0\0\0\0\x10\0\x40\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
			       "\6\0\0\0\0\0\0\0\x1f\x90\0\x16\0\0\0";
static const char arp[] = ETH "\x08\x06\0\1\x08\0\6\4\0\1\x02\x08\x20\0\0\1\x0a\x09\0\1\0\0\0\0\0\0\x0a\x09\0\x07";
static const char later[] = ETH "\x08\0\x45\0\0\x1c\0\0\0\x05\x40\x11\0\0\x0a\x09\0\1\x0a\x09\0\2\0\x35\0\x09\0\x08\0";

static bool is(const char *filter, const char *frame, size_t n)
{
	struct err e = ERR_INIT;
	struct filter f;

	if (filter_parse(filter, &f, &e) < 0)
		fail_msg("%s", e.msg);
	return filter_match(&f, (const uint8_t *)frame, n);
}

#define YES(filter, frame) assert_true(is(filter, frame, sizeof frame))
#define NO(filter, frame)  assert_false(is(filter, frame, sizeof frame))

static void matches(void **state)
{
	YES("", udp);
	YES("udp", udp);
	NO("tcp", udp);
	YES("ip", udp);
	NO("ip6", udp);
	YES("tcp", tcp6);
	YES("arp", arp);
	NO("ip", arp);
	NO("udp", arp);
	YES("host 10.9.0.1", udp);
}

static void directions(void **state)
{
	/* as tcpdump has it */
	YES("udp port 53", udp);
	YES("ip src host 10.9.0.1 and udp dst port 9", udp);
	NO("tcp port 53", udp);
	NO("udp src port 9", udp);
	YES("not tcp port 53", udp);
	YES("tcp or udp port 53", udp);
	NO("not udp port 53", udp);
	YES("arp host 10.9.0.7", arp);
	YES("src host 10.9.0.1", udp);
	NO("dst host 10.9.0.1", udp);
	YES("dst 10.9.0.2", udp);
	YES("host 10.9.0.7", arp);
	YES("net 10.0.0.0/8", udp);
	NO("src net 10.9.0.2/31", udp);
	YES("dst net fd00::/16", tcp6);
	NO("net 0.0.0.0/0", tcp6);
	YES("port 53", udp);
	NO("dst port 53", udp);
	YES("dst port 22 and src port 8080", tcp6);
	YES("ether src 02:08:20:00:00:01", arp);
	NO("ether src host 02:08:20:00:00:02", arp);
	/* its ports were in the first */
	YES("udp", later);
	NO("port 53", later);
}

static void together(void **state)
{
	YES("udp and (port 9 or port 10)", udp);
	NO("not udp", udp);
	YES("! tcp && host 10.9.0.2", udp);
	/* and before or */
	YES("udp or tcp and port 1", udp);
	NO("(udp or tcp) and port 1", udp);
	YES("not not udp", udp);
}

static void cut_short(void **state)
{
	for (size_t n = 0; n < sizeof tcp6; n++) {
		is("tcp and port 22 and host fd00::2", tcp6, n);
		is("udp and port 9 and ether dst 02:08:20:00:00:02", udp, n < sizeof udp ? n : sizeof udp);
	}
}

static void refused(void **state)
{
	static const char *const bad[] = {"port", "port 65536", "host", "host 10.9.0", "net 10.0.0.0", "net 10.0.0.0/33", "host 10.0.0.0/8", "foo", "udp udp", "(udp",
					  "udp)", "not", "udp and", "or udp", "src", "ether port 9", "ether 1:2:3", "()"};
	struct err e = ERR_INIT;
	struct filter f;
	char deep[80];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (filter_parse(bad[i], &f, &e) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
	memset(deep, '(', sizeof deep);
	deep[sizeof deep - 1] = 0;
	assert_true(filter_parse(deep, &f, &e) < 0);
}

static void blocks(void **state)
{
	_buf_ struct buf b = BUF_INIT;
	uint32_t type, n, again, types[8];
	size_t k = 0;

	pcap_begin(&b, "a/net0", "udp", 100);
	pcap_frame(&b, 1700000000123456789ULL, true, "abcde", 5, 9);
	pcap_end(&b, 1700000000123456789ULL, 1, 0);
	for (size_t at = 0; at < b.len; at += n) {
		memcpy(&type, b.p + at, 4);
		memcpy(&n, b.p + at + 4, 4);
		assert_true(n % 4 == 0 && at + n <= b.len && k < 8);
		memcpy(&again, b.p + at + n - 4, 4);
		assert_int_equal(again, n);
		types[k++] = type;
	}
	assert_int_equal(k, 4);
	assert_int_equal(types[0], 0x0a0d0d0a);
	assert_int_equal(types[1], 1);
	assert_int_equal(types[2], 6);
	assert_int_equal(types[3], 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(matches), cmocka_unit_test(directions), cmocka_unit_test(together),
					   cmocka_unit_test(cut_short), cmocka_unit_test(refused), cmocka_unit_test(blocks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
