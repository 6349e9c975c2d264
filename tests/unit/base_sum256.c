/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/sum256.h"

static void is(const char *text, size_t piece, const char *want)
{
	struct sum256 s = SUM256_INIT;
	char hex[SUM256_HEX + 1];
	size_t n = strlen(text);

	for (size_t at = 0; at < n; at += piece)
		sum256_add(&s, text + at, n - at < piece ? n - at : piece);
	sum256_hex(&s, hex);
	assert_string_equal(hex, want);
}

/* FIPS 180-4's examples, in pieces of any size; a million times a. */
static void examples(void **state)
{
	static char a[1000001];

	for (size_t piece = 1; piece < 130; piece++) {
		is("", piece, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
		is("abc", piece, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
		is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", piece, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
		is("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", piece,
		   "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
	}
	memset(a, 'a', sizeof a - 1);
	is(a, 4096, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(examples)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
