/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hvm/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What a monitor says that a guest has taken over: never more than a value, and never a byte that a terminal would obey. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char why[256];
	json_t *value;
	enum qmp_kind k = qmp_line((const char *)p, n, &value, why);

	assert((k == QMP_RETURN) == (value != NULL));
	assert(strlen(why) < sizeof why && (k == QMP_ERROR) == (*why != 0));
	for (const char *c = why; *c; c++)
		assert(*c >= ' ' && *c < 127);
	json_decref(value);
	return 0;
}
