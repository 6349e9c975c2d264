/* SPDX-License-Identifier: MPL-2.0 */
/* cloister snoop's filter: the expression up to a NUL, then a frame that it looks at. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t n = nul ? (size_t)(nul - data) : size, rest = nul ? size - n - 1 : 0;
	char *text = malloc(n + 1);
	uint8_t *frame = malloc(rest ? rest : 1);
	struct filter f;

	if (!text || !frame)
		abort();
	memcpy(text, data, n);
	text[n] = 0;
	if (rest)
		memcpy(frame, nul + 1, rest);
	if (filter_parse(text, &f, NULL) == 0) {
		if (f.n > FILTER_MAX || f.root >= f.n)
			abort();
		filter_match(&f, frame, rest);
	}
	free(text);
	free(frame);
	return 0;
}
