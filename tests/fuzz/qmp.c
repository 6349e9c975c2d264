/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hvm/qmp.h"
#include "hvm/qtune.h"
#include "stat/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The same as an answer about disks and memory: names that a terminal shows, each once, and numbers that are told or not. */
static void numbers(const json_t *value)
{
	static struct stat_guest g;
	json_t *words = qtune_latency(json_object_get(json_array_get(value, 0), "stats"));
	uint64_t more = qtune_longer(json_object_get(json_array_get(value, 0), "stats"), 1);

	assert(!words == (more == UINT64_MAX));
	json_decref(words);
	stat_guest_read(value, value, value, &g);
	assert(g.n <= sizeof g.d / sizeof *g.d);
	for (size_t i = 0; i < g.n; i++) {
		assert(g.d[i].name[0] && strlen(g.d[i].name) < sizeof g.d[i].name);
		for (const char *c = g.d[i].name; *c; c++)
			assert(*c > ' ' && *c < 127);
		assert(i == 0 || strcmp(g.d[i - 1].name, g.d[i].name) < 0);
	}
}

/* What a monitor says that a guest has taken over: never more than a value, and never a byte that a terminal would obey. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char why[256];
	json_int_t id = -7;
	json_t *value;
	enum qmp_kind k = qmp_line((const char *)p, n, &value, why);

	assert((k == QMP_RETURN || k == QMP_EVENT) == (value != NULL));
	assert(strlen(why) < sizeof why && (k == QMP_ERROR) == (*why != 0));
	for (const char *c = why; *c; c++)
		assert(*c >= ' ' && *c < 127);
	if (k == QMP_RETURN)
		numbers(value);
	json_decref(value);
	/* an agent's answer is what stands behind the last byte that no text has */
	if (qmp_sync((const char *)p, n, &id))
		assert(n > 2 && memrchr(p, 0xff, n));
	else
		assert(id == -7 || memrchr(p, 0xff, n));
	return 0;
}
