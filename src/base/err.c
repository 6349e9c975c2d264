/* SPDX-License-Identifier: MPL-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *err_name(int code)
{
	const char *n = strerrorname_np(abs(code));

	return n ? n : "E?";
}

static int fill(struct err *e, int code, int sys, const char *fmt, va_list ap)
{
	size_t n;

	code = abs(code);
	if (code == 0)
		code = EINVAL;
	if (!e)
		return -code;
	e->code = code;
	e->hint[0] = 0;
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	n = strlen(e->msg);
	/* parts of it may be names from outside: nothing in them steers a terminal */
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)e->msg[i], next = (unsigned char)e->msg[i + 1];

		if ((c < 32 && c != '\n' && c != '\t') || c == 127)
			e->msg[i] = '?';
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* U+009B is ESC [ to some terminals */
			e->msg[i] = e->msg[i + 1] = '?';
	}
	if (sys && n < sizeof e->msg)
		snprintf(e->msg + n, sizeof e->msg - n, ": %s (%s)", strerrordesc_np(code) ?: "error", err_name(code));
	return -code;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = fill(e, code, 1, fmt, ap);
	va_end(ap);
	return code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = fill(e, code, 0, fmt, ap);
	va_end(ap);
	return code;
}

int err_add(struct err *e, const char *fmt, ...)
{
	char old[sizeof e->msg];
	va_list ap;
	size_t n;

	if (!e || e->code == 0)
		return -EINVAL;
	memcpy(old, e->msg, sizeof old);
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", old);
	return -e->code;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e || e->code == 0)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(e->hint, sizeof e->hint, fmt, ap);
	va_end(ap);
	return -e->code;
}
