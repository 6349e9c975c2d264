/* SPDX-License-Identifier: MPL-2.0 */
#include "node/rtc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

#define ZONES    "/usr/share/zoneinfo"
#define HERE     "/etc/localtime"
#define ZONE_MAX (1u << 20)
#define HEADER   44 /* of tzfile(5) */

int rtc_rule(const char *p, size_t n, char out[RTC_RULE])
{
	const char *at;
	size_t len;

	if (n < HEADER || memcmp(p, "TZif", 4) || p[4] < '2' || p[n - 1] != '\n')
		return -EBADMSG;
	at = memrchr(p, '\n', n - 1);
	len = at ? (size_t)(p + n - 1 - ++at) : 0;
	if (!len || len >= RTC_RULE || strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789<>+-,./:") != len)
		return -EBADMSG;
	memcpy(out, at, len);
	out[len] = 0;
	return 0;
}

int rtc_zone(const json_t *rec, char out[RTC_RULE], struct err *e)
{
	const char *rtc = vm_str(rec, "rtc");
	_free_ char *path = NULL;
	_buf_ struct buf b = BUF_INIT;
	char rule[RTC_RULE] = "";
	int r;

	if (rtc && !str_eq(rtc, "utc")) {
		path = str_eq(rtc, "localtime") ? xstrdup(HERE) : xprintf(ZONES "/%s", rtc);
		r = file_read(AT_FDCWD, path, ZONE_MAX, &b, NULL);
		/* localtime(5): where it is not there, local time is UTC, and so it is in the monitor's empty root */
		if (r == -ENOENT && str_eq(rtc, "localtime"))
			return out ? (*out = 0) : 0;
		if (r < 0) {
			err_set(e, EINVAL, "rtc \"%s\": %s: %s", rtc, path, strerror(-r));
			return err_hint(e, "utc, localtime or the name of a time zone (`timedatectl list-timezones`; package tzdata).");
		}
		if (rtc_rule(b.p, b.len, rule) < 0)
			return err_set(e, EINVAL, "rtc \"%s\": %s is no time zone that has a rule", rtc, path);
	}
	if (out)
		memcpy(out, rule, sizeof rule);
	return 0;
}
