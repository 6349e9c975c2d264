/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is accepted has a uuid and a type, and is accepted again when it is written out. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	json_t *m = NULL, *again = NULL;
	struct err e = ERR_INIT;
	char *text, v[64];

	text = malloc(n + 1);
	memcpy(text, p, n);
	text[n] = 0;
	os_release_value(text, "ID", v, sizeof v);
	free(text);
	if (manifest_parse((const char *)p, n, &m, &e) < 0) {
		assert(e.code && *e.msg);
		return 0;
	}
	assert(uuid_valid(manifest_str(m, "uuid")) && manifest_type_ok(manifest_str(m, "type")));
	text = json_dumps(m, JSON_COMPACT);
	assert(manifest_parse(text, strlen(text), &again, &e) == 0);
	json_decref(m);
	json_decref(again);
	free(text);
	return 0;
}
