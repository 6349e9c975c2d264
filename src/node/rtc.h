/* SPDX-License-Identifier: MPL-2.0 */
/* What time a machine's clock shows (rtc): the rule of a time zone, in words that need no file (POSIX's TZ). */
#ifndef CLOISTER_NODE_RTC_H
#define CLOISTER_NODE_RTC_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

#define RTC_RULE 64

/* Of the record's rtc, "" for utc. out may be NULL: whether it can be had. A name that is no time zone here: -EINVAL. */
int rtc_zone(const json_t *rec, char out[RTC_RULE], struct err *e);

/* The rule at the end of a file of tzfile(5), from its second version on; -EBADMSG: it has none. */
int rtc_rule(const char *p, size_t n, char out[RTC_RULE]);

#endif
