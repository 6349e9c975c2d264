/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fw/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A rule that parses is printed to a text that parses to the same rule; one that doesn't says where. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fw_rule a = {0}, b = {0};
	struct buf one = BUF_INIT, two = BUF_INIT;
	struct err e = ERR_INIT;
	char *text = xalloc(n + 1);

	memcpy(text, p, n);
	if (fw_parse(text, &a, &e) < 0) {
		assert(e.code && *e.msg);
	} else {
		fw_print(&a, &one);
		assert(fw_parse(buf_str(&one), &b, &e) == 0);
		fw_print(&b, &two);
		assert(!strcmp(buf_str(&one), buf_str(&two)));
		assert(a.from.n == b.from.n && a.to.n == b.to.n && a.nports == b.nports && a.proto == b.proto && a.priority == b.priority);
		for (size_t i = 0; i < a.from.n; i++)
			assert(fw_target_cmp(&a.from.t[i], &b.from.t[i]) == 0);
		for (size_t i = 0; i < a.to.n; i++)
			assert(fw_target_cmp(&a.to.t[i], &b.to.t[i]) == 0);
	}
	fw_rule_done(&a);
	fw_rule_done(&b);
	buf_done(&one);
	buf_done(&two);
	free(text);
	return 0;
}
