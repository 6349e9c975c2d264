/* SPDX-License-Identifier: MPL-2.0 */
/* What the tests of the responder share: a table with two zones. */
#ifndef CLOISTER_TESTS_NETD_IN_H
#define CLOISTER_TESTS_NETD_IN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netd/table.h"

#define SETTINGS                                                                                                                     \
	"server 10.77.0.1\nserver6 fd77::1\nsubnet 10.77.0.0/24\nsubnet6 fd77::/64\nrouter 10.77.0.1\nmtu 1400\n"                    \
	"domain Zones.Test\ndns 10.77.0.1\ndns fd77::1\nserve dhcp\nserve ra\nserve dns\n"
#define ZONES                                                                                                                        \
	"zone 11111111-1111-1111-1111-111111111111 02:08:20:00:00:0a 10.77.0.10 web,web-host 10.77.0.10,fd77::a\n"                   \
	"zone 22222222-2222-2222-2222-222222222222 02:08:20:00:00:0b - db.one 10.77.0.11\n"

static inline struct table table_of(const char *text)
{
	struct table t;

	assert_int_equal(table_parse(strdup(text), strlen(text), &t), 0);
	return t;
}

#endif
