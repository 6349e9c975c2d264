/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "image/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Any bytes as any of the documents: an answer that keeps its promises, or an error that says why. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *t = (const char *)p;
	struct oci_manifest m;
	struct oci_desc d;
	struct err e = ERR_INIT;
	char diff[3][65];
	json_t *run = NULL;

	if (oci_layout_check(t, n, &e) < 0)
		assert(e.code && *e.msg);
	if (oci_index_pick(t, n, "amd64", NULL, &d, &e) == 0)
		assert(strlen(d.hex) == 64 && strspn(d.hex, "0123456789abcdef") == 64);
	if (oci_manifest_parse(t, n, &m, &e) == 0) {
		assert(m.nlayers >= 1 && m.nlayers <= OCI_LAYERS_MAX);
		for (size_t i = 0; i < m.nlayers; i++)
			assert(strlen(m.layer[i].hex) == 64 && !strchr(m.layer[i].hex, '/'));
		oci_manifest_done(&m);
	}
	for (size_t layers = 0; layers < 3; layers++)
		if (oci_config_parse(t, n, "amd64", layers, diff, &run, &e) == 0) {
			assert(json_is_array(json_object_get(run, "argv")) && json_is_string(json_object_get(run, "user")));
			assert(*json_string_value(json_object_get(run, "cwd")) == '/');
			json_decref(run);
		}
	return 0;
}
