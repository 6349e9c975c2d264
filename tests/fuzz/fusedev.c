/* SPDX-License-Identifier: MPL-2.0 */
/* Requests of a zone's view, and the texts of cgroups that it is made from. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kern/cgroup_stat.h"
#include "kern/fusedev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"anon", "file", "", "pgfault", "inactive_file"};
	char *exact = malloc(size ? size : 1), *text = malloc(size + 1);
	struct fusedev_ask a;
	struct cg_stacked stacked;
	uint64_t v[8];

	if (!exact || !text)
		abort();
	memcpy(exact, data, size);
	memcpy(text, data, size);
	text[size] = 0;
	if (fusedev_parse(exact, size, &a) == 0 && a.name && (a.name < exact || a.name + strlen(a.name) >= exact + size))
		abort();
	cg_text_lines(text, keys, 5, v);
	if (v[2])
		abort();
	cg_text_pressure(text, v);
	cg_text_stacked(text, &stacked);
	cg_text_io(text, &stacked, v);
	free(exact);
	free(text);
	return 0;
}
