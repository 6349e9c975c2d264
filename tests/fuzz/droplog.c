/* SPDX-License-Identifier: MPL-2.0 */
/* Records of the switch's log: the beginning of a frame that a zone or the wire has sent. What is told of it is JSON, whatever it is. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zone/droplog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame by itself, or a whole record where it is that long. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw_log l = {.reason = 1};
	char text[DROPLOG_TEXT], nic[16] = "";
	struct droplog d;
	json_t *j;
	int n;

	if (size >= sizeof l) {
		memcpy(&l, data, sizeof l);
	} else {
		l.nhead = (uint8_t)(size < SW_LOG_HEAD ? size : SW_LOG_HEAD);
		memcpy(l.head, data, l.nhead);
	}
	memcpy(nic, data, size < 15 ? size : 15);
	if (droplog_read(&l, sizeof l, &d) < 0)
		return 0;
	if (!droplog_same(&d, &d))
		abort();
	n = droplog_json(&d, nic, INT64_MAX, text, sizeof text);
	if (n < 0 || (size_t)n != strlen(text))
		abort();
	j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(j))
		abort();
	json_decref(j);
	return 0;
}
