/* SPDX-License-Identifier: MPL-2.0 */
/* What a zone says or has a say in, and its keeper reads: mountinfo, sd_notify messages, /etc/hosts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zone/mountinfo.h"
#include "zone/numbers.h"
#include "zone/passwd.h"
#include "zone/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *exact = malloc(size ? size : 1), out[64];
	struct zone_numbers numbers;
	struct buf b = BUF_INIT;

	if (!text || !exact)
		abort();
	memcpy(text, data, size);
	memcpy(exact, data, size);
	text[size] = 0;
	for (int id = 0; id < 64; id++) {
		if (mountinfo_point(text, id, out, sizeof out) == 0 && (out[0] != '/' || !memchr(out, 0, sizeof out)))
			abort();
		if (mountinfo_tree(text, text, id) > size)
			abort();
	}
	if (run_says_ready(exact, size) && !memmem(exact, size, "READY=1", 7))
		abort();
	if (numbers_parse(exact, size, &numbers) == 0) {
		struct zone_numbers again;

		numbers_write(&numbers, &b);
		if (b.len > NUMBERS_MAX || numbers_parse(b.p, b.len, &again) < 0 || memcmp(again.v, numbers.v, sizeof again.v) != 0)
			abort();
		buf_done(&b);
	}
	passwd_host(exact, size, "web01");
	free(text);
	free(exact);
	return 0;
}
