/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/bootp.h"

#include <string.h>

#define ETHERNET 1
#define MAC      6

const uint8_t bootp_cookie[4] = {99, 130, 83, 99};

bool bootp_is(const uint8_t *m, size_t n, enum bootp_op op)
{
	return n >= AT_OPTIONS && m[0] == op && m[1] == ETHERNET && m[2] == MAC && memcmp(m + AT_COOKIE, bootp_cookie, sizeof bootp_cookie) == 0;
}

struct walk {
	bool (*each)(void *arg, unsigned code, const uint8_t *v, size_t len);
	void *arg;
	bool said; /* OPT_OVERLOAD has come */
	unsigned overload;
};

static bool field(struct walk *w, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		unsigned code = p[at++], len;

		if (code == OPT_PAD)
			continue;
		if (code == OPT_END)
			return true;
		if (at == n || p[at] > n - at - 1)
			return false;
		len = p[at++];
		if (code == OPT_OVERLOAD && !w->said) {
			w->said = true;
			w->overload = len == 1 ? p[at] : 0;
		}
		if (!w->each(w->arg, code, p + at, len))
			return false;
		at += len;
	}
	return true;
}

bool bootp_options(const uint8_t *m, size_t n, bool (*each)(void *arg, unsigned code, const uint8_t *v, size_t len), void *arg)
{
	struct walk w = {.each = each, .arg = arg};

	if (!field(&w, m + AT_OPTIONS, n - AT_OPTIONS))
		return false;
	if ((w.overload & 1) && !field(&w, m + AT_FILE, AT_COOKIE - AT_FILE))
		return false;
	return !(w.overload & 2) || field(&w, m + AT_SNAME, AT_FILE - AT_SNAME);
}
