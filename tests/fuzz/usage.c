/* SPDX-License-Identifier: MPL-2.0 */
/* Records of usage as a disk may give them back, and the texts of counters, in which zones have a say. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zone/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct usage_devs d = {2, {{7, 3}, {259, 0}}};
	struct usage_rec last = {0}, out[USAGE_GAP];
	struct usage_sample s = {0};
	char *text = malloc(size + 1);
	uint8_t uuid[16];
	unsigned n;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	usage_text_cpu(text, &s);
	usage_text_io(text, &d, &s);
	usage_uuid(text, uuid);
	memcpy(&last, data, size < sizeof last ? size : sizeof last);
	usage_valid(&last);
	/* the rest of the input is the sample */
	if (size > sizeof last)
		memcpy(&s, data + sizeof last, size - sizeof last < offsetof(struct usage_sample, from_now) ? size - sizeof last : offsetof(struct usage_sample, from_now));
	last.known = 0;
	s.stopped = size & 2;
	n = usage_advance(size & 1 ? &last : NULL, uuid, &s, out, USAGE_GAP);
	if (n < 1 || n > USAGE_GAP)
		abort();
	for (unsigned i = 0; i < n; i++)
		if (!usage_valid(&out[i]))
			abort();
	free(text);
	return 0;
}
