/* SPDX-License-Identifier: MPL-2.0 */
/* Payloads that a test writes itself must parse. */
#ifndef CLOISTER_TESTS_PAYLOAD_H
#define CLOISTER_TESTS_PAYLOAD_H

#include <string.h>

#include "model/vm.h"

static inline json_t *parse(const char *text)
{
	struct err e = ERR_INIT;
	json_t *j = NULL;

	if (vm_parse(text, strlen(text), &j, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return j;
}

#endif
