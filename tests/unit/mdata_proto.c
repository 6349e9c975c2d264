/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/own.h"
#include "mdata/proto.h"

static void base64(void **state)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe?", "//4/"}};
	static const char *const wrong[] = {"Zg", "Zg=", "Z===", "====", "Zm9v\n", "Zm 9", "Zg==Zg==", "Zm9!"};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		_buf_ struct buf b = BUF_INIT;

		base64_add(&b, pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(buf_str(&b), pairs[i][1]);
		assert_int_equal(b.len ? base64_undo(b.p, b.len) : 0, strlen(pairs[i][0]));
		assert_memory_equal(buf_str(&b), pairs[i][0], strlen(pairs[i][0]));
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		char s[16];

		strcpy(s, wrong[i]);
		assert_true(base64_undo(s, strlen(s)) < 0);
	}
}

static void crc(void **state)
{
	assert_int_equal(mdata_crc32("123456789", 9), 0xcbf43926U);
	assert_int_equal(mdata_crc32("", 0), 0);
}

static enum mdata_op op_of(const char *text, struct mdata_request *r, char line[400])
{
	strcpy(line, text);
	mdata_request(line, strlen(line), r);
	return r->op;
}

static void expect(const char *text, enum mdata_op op, bool v2, const char *key, const char *value)
{
	struct mdata_request r;
	char line[400];

	assert_int_equal(op_of(text, &r, line), op);
	assert_int_equal(r.v2, v2);
	if (key) {
		assert_int_equal(r.key_len, strlen(key));
		assert_memory_equal(r.key, key, r.key_len);
	}
	if (value) {
		assert_int_equal(r.value_len, strlen(value));
		assert_memory_equal(r.value, value, r.value_len);
	}
}

static void first_version(void **state)
{
	expect("GET root_pw", MDATA_GET, false, "root_pw", NULL);
	expect("GET a b\r", MDATA_GET, false, "a b", NULL);
	expect("KEYS", MDATA_KEYS, false, NULL, NULL);
	expect("NEGOTIATE V2", MDATA_NEGOTIATE, false, NULL, NULL);
	expect("NEGOTIATE V3", MDATA_REFUSED, false, NULL, NULL);
	expect("GET \x01", MDATA_REFUSED, false, NULL, NULL);
	expect("PUT a b", MDATA_BAD, false, NULL, NULL);
	expect("", MDATA_BAD, false, NULL, NULL);
	expect("root@guest:~# ls", MDATA_BAD, false, NULL, NULL);
	/* a guest that echoes what it hears must not have us talk to ourselves */
	expect("invalid command", MDATA_NONE, false, NULL, NULL);
	expect("FAILURE\r", MDATA_NONE, false, NULL, NULL);
}

static void second_version(void **state)
{
	static const char *const damaged[] = {
		"V2 25 84709d1b 0f00ba12 GET cm9vdF9wdw==", "V2 24 84709d1a 0f00ba12 GET cm9vdF9wdw==", "V2 25 84709D1A 0f00ba12 GET cm9vdF9wdw==",
		"V2 25 84709d1a 0f00ba12 GET cm9vdF9wdw=", "V2 -25 84709d1a 0f00ba12 GET cm9vdF9wdw==", "V2 25", "V2 0 00000000 ",
	};

	expect("V2 25 84709d1a 0f00ba12 GET cm9vdF9wdw==", MDATA_GET, true, "root_pw", NULL);
	expect("V2 6 10f4241c a KEYS\r", MDATA_KEYS, true, NULL, NULL);
	expect("V2 41 a941c560 0f00ba12 PUT YXc9PSBhR1ZzYkc4S2QyOXliR1E9", MDATA_PUT, true, "k", "hello\nworld");
	expect("V2 21 a7259690 0f00ba12 PUT YXc9PSA=", MDATA_PUT, true, "k", "");
	expect("V2 17 b546ea1b 0f00ba12 PUT aw==", MDATA_REFUSED, true, NULL, NULL);
	expect("V2 20 abf2a7e2 0f00ba12 DELETE aw==", MDATA_DELETE, true, "k", NULL);
	expect("V2 13 d72ab19c 0f00ba12 JUMP", MDATA_REFUSED, true, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++)
		expect(damaged[i], MDATA_NONE, false, NULL, NULL);
}

static void say(const char *text, enum mdata_status status, const char *value, const char *want)
{
	_buf_ struct buf out = BUF_INIT;
	struct mdata_request r;
	char line[400];

	op_of(text, &r, line);
	mdata_answer(&r, status, value, strlen(value), &out);
	assert_string_equal(buf_str(&out), want);
}

static void answers(void **state)
{
	say("GET a", MDATA_SUCCESS, "b", "SUCCESS\nb\n.\n");
	say("GET a", MDATA_SUCCESS, ".\n..\nx.\n", "SUCCESS\n..\n...\nx.\n\n.\n");
	say("GET a", MDATA_SUCCESS, "", "SUCCESS\n\n.\n");
	say("GET a", MDATA_NOTFOUND, "", "NOTFOUND\n");
	say("KEYS", MDATA_FAILURE, "why", "FAILURE\n");
	say("NEGOTIATE V2", MDATA_SUCCESS, "", "V2_OK\n");
	say("NEGOTIATE V1", MDATA_SUCCESS, "", "FAILURE\n");
	say("what?", MDATA_SUCCESS, "", "invalid command\n");
	say("V2 6 00000000 a KEYS", MDATA_SUCCESS, "a", "");
	say("V2 25 84709d1a 0f00ba12 GET cm9vdF9wdw==", MDATA_SUCCESS, "hello", "V2 25 961db2a1 0f00ba12 SUCCESS aGVsbG8=\n");
	say("V2 25 84709d1a 0f00ba12 GET cm9vdF9wdw==", MDATA_SUCCESS, "", "V2 16 37521081 0f00ba12 SUCCESS\n");
	say("V2 25 84709d1a 0f00ba12 GET cm9vdF9wdw==", MDATA_NOTFOUND, "", "V2 17 5f442141 0f00ba12 NOTFOUND\n");
}

static void other_end(void **state)
{
	_buf_ struct buf out = BUF_INIT, value = BUF_INIT;
	enum mdata_status status;
	const char *p;
	size_t n;

	mdata_ask_v2(&out, "0f00ba12", MDATA_GET, "root_pw", NULL, 0);
	assert_string_equal(buf_str(&out), "V2 25 84709d1a 0f00ba12 GET cm9vdF9wdw==\n");
	buf_done(&out);
	mdata_ask_v2(&out, "0f00ba12", MDATA_PUT, "k", "hello\nworld", 11);
	assert_string_equal(buf_str(&out), "V2 41 a941c560 0f00ba12 PUT YXc9PSBhR1ZzYkc4S2QyOXliR1E9\n");
	buf_done(&out);
	buf_puts(&out, "V2 25 961db2a1 0f00ba12 SUCCESS aGVsbG8=\r");
	assert_false(mdata_reply_v2(out.p, out.len, "0f00ba13", &status, &p, &n)); /* and decoded: once is enough */
	buf_done(&out);
	buf_puts(&out, "V2 25 961db2a1 0f00ba12 SUCCESS aGVsbG8=\r");
	assert_true(mdata_reply_v2(out.p, out.len, "0f00ba12", &status, &p, &n));
	assert_int_equal(status, MDATA_SUCCESS);
	assert_int_equal(n, 5);
	assert_memory_equal(p, "hello", 5);
	/* an empty line first, dots, and no newline at the end */
	assert_false(mdata_reply_v1("", 0, &value));
	assert_false(mdata_reply_v1("..", 2, &value));
	assert_false(mdata_reply_v1("x", 1, &value));
	assert_true(mdata_reply_v1(".", 1, &value));
	assert_int_equal(value.len, 4);
	assert_memory_equal(value.p, "\n.\nx", 4);
}

static void keys(void **state)
{
	char longest[MDATA_KEY_MAX + 2];

	memset(longest, 'k', sizeof longest);
	assert_true(mdata_key_ok("sdc:nics.0.ip", 13));
	assert_true(mdata_key_ok("\xc3\xbc", 2));
	assert_true(mdata_key_ok(longest, MDATA_KEY_MAX));
	assert_false(mdata_key_ok(longest, MDATA_KEY_MAX + 1));
	assert_false(mdata_key_ok("", 0));
	assert_false(mdata_key_ok(" a", 2));
	assert_false(mdata_key_ok("a\nb", 3));
	assert_false(mdata_key_ok("a\0b", 3));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(base64), cmocka_unit_test(crc), cmocka_unit_test(first_version), cmocka_unit_test(second_version),
		cmocka_unit_test(answers), cmocka_unit_test(other_end), cmocka_unit_test(keys),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
