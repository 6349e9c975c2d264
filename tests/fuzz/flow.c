/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "model/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Both kinds of list; what one takes is read back the same from the object, and is the same as itself. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct flow a, b;
	json_t *f = json_object();
	struct err e = ERR_INIT;
	char *text = xalloc(n + 1);
	int attrs, props;

	memcpy(text, p, n);
	text[n] = 0;
	attrs = flow_parse(text, FLOW_ATTRS, f, &e);
	assert(attrs == 0 || (e.code && *e.msg));
	props = flow_parse(text, FLOW_PROPS, f, NULL);
	assert(attrs < 0 || props < 0);
	if (flow_read("x", f, &a, NULL) == 0) {
		assert(flow_read("x", f, &b, NULL) == 0);
		assert(flow_same(&a, &b) && flow_order(&a, &b) == 0);
	}
	json_decref(f);
	free(text);
	return 0;
}
