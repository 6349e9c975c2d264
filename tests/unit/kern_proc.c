/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/safe.h"
#include "kern/proc.h"

static void stat_text(void **state)
{
	static const char t[] = "7 (a) R 1 (\n)) S 1 8 9 34816 7 4194304 100 0 0 0 3 4 0 0 20 -5 2 0 12345 1000000 250 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 "
				"17 1 0 0 99 0 0\n";
	struct proc_stat s;

	assert_int_equal(proc_text_stat(t, sizeof t - 1, &s), 0);
	assert_int_equal(s.comm_len, 10);
	assert_memory_equal(s.comm, "a) R 1 (\n)", 10);
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.ppid, 1);
	assert_int_equal(s.pgrp, 8);
	assert_int_equal(s.session, 9);
	assert_int_equal(s.tty, 34816);
	assert_int_equal(s.user, 3);
	assert_int_equal(s.sys, 4);
	assert_int_equal(s.priority, 20);
	assert_int_equal(s.nice, -5);
	assert_int_equal(s.threads, 2);
	assert_int_equal(s.start, 12345);
	assert_int_equal(s.vsize, 1000000);
	assert_int_equal(s.rss, 250);
	assert_int_equal(s.io_wait, 99);
	for (size_t n = 0; n < 60; n++)
		assert_true(proc_text_stat(t, n, &s) < 0);
	assert_true(proc_text_stat("1 a S 2", 7, &s) < 0);
	assert_true(proc_text_stat(")(", 2, &s) < 0);
}

static void status_text(void **state)
{
	static const char t[] = "Name:\ta\\nNSpid:\\t9\nUid:\t0\t1\t2\t3\nGid:\t0\t5\t6\t7\nNSpid:\t4000\t7\t1\n";
	static const char host[] = "Name:\tx\nUid:\t0\t1\t2\t3\nGid:\t0\t5\t6\t7\nNSpid:\t4000\nNSsid:\t5\n";
	struct proc_ids i;

	assert_int_equal(proc_text_status(t, sizeof t - 1, &i), 0);
	assert_int_equal(i.uid, 1);
	assert_int_equal(i.gid, 5);
	assert_int_equal(i.zone_pid, 7);
	assert_int_equal(proc_text_status(host, sizeof host - 1, &i), 0);
	assert_int_equal(i.zone_pid, 0);
	assert_true(proc_text_status("Name:\tx\n", 8, &i) < 0);
	assert_true(proc_text_status("", 0, &i) < 0);
}

static void schedstat_text(void **state)
{
	static const char t[] = "18446744073709551614 7 3\n", none[] = "0 0 0\n";
	uint64_t ran = 0, waited = 0;

	assert_int_equal(proc_text_schedstat(t, sizeof t - 1, &ran, &waited), 0);
	assert_true(ran == UINT64_MAX - 1);
	assert_int_equal(waited, 7);
	assert_int_equal(proc_text_schedstat(none, sizeof none - 1, &ran, &waited), -ENODATA); /* a kernel that could count, and does not */
	assert_int_equal(proc_text_schedstat(t, 22, &ran, &waited), -EINVAL);
	assert_int_equal(proc_text_schedstat("1 x 2", 5, &ran, &waited), -EINVAL);
	assert_int_equal(proc_text_schedstat("", 0, &ran, &waited), -EINVAL);
	assert_int_equal(waited, 7);
}

static void safe_is(const char *in, size_t n, const char *want)
{
	struct buf b = BUF_INIT;

	safe_add(&b, in, n);
	assert_string_equal(buf_str(&b), want);
	buf_done(&b);
}

static void safe_cut(void **state)
{
	char t[8];

	safe_text(t, sizeof t, "abc", 3);
	assert_string_equal(t, "abc");
	safe_text(t, sizeof t, "abcdef\xc3\xa4", 8); /* the last character is not whole */
	assert_string_equal(t, "abcdef");
	safe_text(t, sizeof t, "abcde\xc3\xa4z", 8);
	assert_string_equal(t, "abcde\xc3\xa4");
	safe_text(t, 1, "\xc3\xa4", 2);
	assert_string_equal(t, "");
}

static void safe(void **state)
{
	struct buf b = BUF_INIT;

	safe_is("plain text: it's", 16, "plain text: it's");
	safe_is("a\\033\033", 6, "a\\\\033\\033");
	safe_is("\n\t\x7f\0", 4, "\\012\\011\\177\\000");
	safe_is("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7", 11, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7");
	safe_is("\xc2\x9b", 2, "\\302\\233");                     /* C1: a terminal's CSI */
	safe_is("\xe2\x80\xae", 3, "\\342\\200\\256");             /* right to left */
	safe_is("\xc0\xaf\xed\xa0\x80\xe2\x82", 7, "\\300\\257\\355\\240\\200\\342\\202"); /* overlong, surrogate, cut */
	safe_is("", 0, "");
	safe_add_args(&b, "sh\0-c\0\0a b\0\0", 12);
	assert_string_equal(buf_str(&b), "sh -c  a b");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(stat_text), cmocka_unit_test(status_text), cmocka_unit_test(schedstat_text),
					   cmocka_unit_test(safe), cmocka_unit_test(safe_cut)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
