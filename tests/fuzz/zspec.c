/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "zone/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What parses is written back, parses again, and is written the same: a spec means one thing. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct zspec a = {0}, b = {0};
	struct buf one = BUF_INIT, two = BUF_INIT;
	struct err e = ERR_INIT;

	if (zspec_parse((const char *)p, n, &a, &e) < 0) {
		assert(e.code && *e.msg);
		return 0;
	}
	zspec_write(&a, &one);
	assert(zspec_parse(buf_str(&one), one.len, &b, &e) == 0);
	zspec_write(&b, &two);
	assert(one.len == two.len && !memcmp(buf_str(&one), buf_str(&two), one.len));
	zspec_done(&a);
	zspec_done(&b);
	buf_done(&one);
	buf_done(&two);
	return 0;
}
