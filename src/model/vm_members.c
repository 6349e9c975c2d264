/* SPDX-License-Identifier: MPL-2.0 */
/* Some members of a record, for who goes through a thousand of them: what is not asked for is passed over and not parsed. */
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "model/vm.h"

/* Behind a string that p is in; NULL: it has no end. */
static const char *past_string(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

static const char *past_value(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p && p < end) {
		if (*p == '"') {
			p = past_string(p + 1, end);
			if (depth == 0)
				return p;
			continue;
		}
		if (depth == 0 && (*p == ',' || *p == '}'))
			return p;
		if (*p == '{' || *p == '[')
			depth++;
		if (*p == '}' || *p == ']') {
			depth--;
			if (depth == 0)
				return p + 1;
		}
		p++;
	}
	return NULL;
}

static bool is_asked(const char *const *names, const char *name, size_t n)
{
	for (; *names; names++)
		if (strlen(*names) == n && memcmp(*names, name, n) == 0)
			return true;
	return false;
}

/* As json_dumps(JSON_COMPACT) writes an object; anything else is not for us. */
static bool pick(const char *p, const char *end, const char *const *names, struct buf *out)
{
	if (p == end || *p++ != '{')
		return false;
	for (buf_puts(out, "{"); p < end && *p == '"';) {
		const char *name = p, *value = past_string(p + 1, end);

		if (!value || value == end || *value != ':')
			return false;
		p = past_value(value + 1, end);
		if (!p || p == end)
			return false;
		if (is_asked(names, name + 1, (size_t)(value - name) - 2)) {
			buf_puts(out, out->len > 1 ? "," : "");
			buf_add(out, name, (size_t)(p - name));
		}
		if (*p != ',')
			break;
		p++;
	}
	buf_puts(out, "}");
	return p + 1 == end && *p == '}';
}

json_t *vm_members(const char *text, size_t len, const char *const *names)
{
	_buf_ struct buf b = BUF_INIT;

	return pick(text, text + len, names, &b) ? json_loadb(b.p, b.len, 0, NULL) : json_loadb(text, len, 0, NULL);
}
