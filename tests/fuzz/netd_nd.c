/* SPDX-License-Identifier: MPL-2.0 */
/* Router solicitations; and, from the same bytes as text, the table and the advertisement that it makes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/ra.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[16], from[16] = {0xfe, 0x80, [15] = 1}, mac[6] = {2, 8, 0x20, 0, 0, 1};
	uint8_t *p = malloc(size + 1), *out = malloc(RA_MAX);
	char *text = calloc(1, size + 1);
	struct table t;

	if (!p || !out || !text)
		abort();
	memcpy(p, data, size);
	memcpy(text, data, size);
	if (rs_valid(p, size, 255, none) && !rs_valid(p, size, 255, from))
		abort();
	if (table_parse(text, size, &t) == 0) {
		size_t n = ra_build(&t, mac, false, out);

		if (n > RA_MAX || n % 8)
			abort();
		table_free(&t);
	}
	free(p);
	free(out);
	return 0;
}
