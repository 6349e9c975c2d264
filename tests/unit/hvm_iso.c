/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "hvm/iso.h"

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* As a reader finds them: by the volume its folder, by the folder its files. */
static void files(void **state)
{
	char big[5000];
	const struct iso_file in[] = {{"META-DATA", "{}\n", 3}, {"NETWORK-CONFIG", big, sizeof big}, {"USER-DATA", "", 0}};
	_buf_ struct buf b = BUF_INIT;
	const uint8_t *p, *v, *d;
	size_t n = 0;

	memset(big, 'x', sizeof big);
	iso_make("CIDATA", in, 3, &b);
	p = (const uint8_t *)b.p;
	v = p + 16 * 2048;
	assert_int_equal(b.len % 2048, 0);
	assert_memory_equal(v, "\1CD001\1", 7);
	assert_memory_equal(v + 40, "CIDATA  ", 8);
	assert_int_equal(le32(v + 80) * 2048, b.len);
	assert_memory_equal(p + 17 * 2048, "\377CD001", 6);
	assert_int_equal(v[156], 34);
	for (d = p + le32(v + 158) * 2048; *d; d += *d) {
		const uint8_t *data = p + (size_t)le32(d + 2) * 2048;

		if (n >= 2) {
			const struct iso_file *f = &in[n - 2];

			assert_int_equal(d[32], strlen(f->name) + 3);
			assert_memory_equal(d + 33, f->name, strlen(f->name));
			assert_memory_equal(d + 33 + strlen(f->name), ".;1", 3);
			assert_int_equal(le32(d + 10), f->len);
			assert_true((const char *)data + f->len <= b.p + b.len);
			assert_memory_equal(data, f->data, f->len);
		}
		n++;
	}
	assert_int_equal(n, 5);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(files)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
