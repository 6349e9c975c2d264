/* SPDX-License-Identifier: MPL-2.0 */
/* One value to the type of its row: what scripts write for a number or a boolean, as SmartOS takes it. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "model/model.h"
#include "model/vm.h"

static int to_bool(const json_t *v, json_t **out)
{
	const char *s = json_string_value(v);
	bool on = json_is_true(v) || (json_is_integer(v) && json_integer_value(v) == 1) || str_eq(s, "true") || str_eq(s, "1");
	bool off = json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) || str_eq(s, "false") ||
		   str_eq(s, "0");

	if (!on && !off)
		return -EINVAL;
	*out = json_boolean(on);
	return 0;
}

static int to_int(const struct prop *p, const json_t *v, json_t **out)
{
	int64_t n;

	if (json_is_integer(v)) {
		n = json_integer_value(v);
	} else if (json_is_string(v)) {
		if (str_to_i64(json_string_value(v), &n) < 0)
			return -EINVAL;
	} else if (json_is_real(v)) {
		double d = json_real_value(v);

		/* 512.0 and 1e3 are whole numbers to whoever writes JSON with a script; above 2^53 they are guesses. */
		if (fabs(d) > 9007199254740992.0 || d != (double)(int64_t)d)
			return -EINVAL;
		n = (int64_t)d;
	} else {
		return -EINVAL;
	}
	if (n < p->min || (p->max && n > p->max))
		return -EINVAL;
	*out = json_integer(n);
	return 0;
}

static int list_item(const struct prop *p, json_t *into, json_t *item)
{
	if (!item || !json_string_length(item) || (p->check && p->check(item) < 0)) {
		json_decref(item);
		return -EINVAL;
	}
	return json_array_append_new(into, item) < 0 ? -EINVAL : 0;
}

/* "a, b" as a shell user writes it. */
static int split(const struct prop *p, const char *s, json_t *into)
{
	for (;;) {
		size_t n = strcspn(s, ","), skip = strspn(s, " ");
		size_t len = n;

		if (skip > len)
			skip = len;
		while (len > skip && s[len - 1] == ' ')
			len--;
		if (list_item(p, into, json_stringn(s + skip, len - skip)) < 0)
			return -EINVAL;
		if (!s[n])
			return 0;
		s += n + 1;
	}
}

static int to_list(const struct prop *p, const json_t *v, json_t **out)
{
	_json_ json_t *a = json_array();
	size_t i;
	json_t *item;

	if (json_is_string(v)) {
		if (split(p, json_string_value(v), a) < 0)
			return -EINVAL;
	} else if (json_is_array(v)) {
		json_array_foreach((json_t *)v, i, item)
		{
			json_t *s = json_is_integer(item) ? json_sprintf("%lld", (long long)json_integer_value(item))
				  : json_is_string(item) ? json_incref(item) : NULL;

			if (list_item(p, a, s) < 0)
				return -EINVAL;
		}
	} else {
		return -EINVAL;
	}
	if (p->max && json_array_size(a) > (size_t)p->max)
		return -EINVAL;
	if (p->flags & PF_COMMA) {
		_buf_ struct buf b = BUF_INIT;

		json_array_foreach(a, i, item)
		{
			buf_puts(&b, i ? "," : "");
			buf_puts(&b, json_string_value(item));
		}
		if (!b.len)
			return 1;
		*out = json_string(buf_str(&b));
		return 0;
	}
	*out = take(a);
	return 0;
}

static int to_flat(const struct prop *p, const json_t *v, json_t **out)
{
	const char *key;
	json_t *val;

	if (!json_is_object(v))
		return -EINVAL;
	json_object_foreach((json_t *)v, key, val)
	{
		if (!json_is_string(val) && !json_is_number(val) && !json_is_boolean(val))
			return -EINVAL;
	}
	*out = json_copy((json_t *)v);
	return 0;
}

int coerce(const struct prop *p, const json_t *v, json_t **out)
{
	_json_ json_t *j = NULL;
	int r = -EINVAL;

	if (json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0))
		return 1;
	switch (p->type) {
	case PROP_BOOL:
		r = to_bool(v, &j);
		break;
	case PROP_INT:
		r = to_int(p, v, &j);
		break;
	case PROP_LIST:
		r = to_list(p, v, &j);
		break;
	case PROP_FLAT:
		r = to_flat(p, v, &j);
		break;
	case PROP_UUID:
		if (json_is_string(v) && uuid_valid(json_string_value(v)))
			r = 0, j = json_incref((json_t *)v);
		break;
	case PROP_STRING:
		if (json_is_string(v))
			r = 0, j = json_incref((json_t *)v);
		else if (json_is_integer(v) && (p->flags & PF_NUMBER))
			r = 0, j = json_sprintf("%lld", (long long)json_integer_value(v));
		break;
	case PROP_OUTPUT:
		if (p->flags & PF_KEEP)
			r = 0, j = json_incref((json_t *)v);
		break;
	case PROP_OBJECTS:
		break;
	}
	if (r == 0 && p->check && p->type != PROP_LIST)
		r = p->check(j);
	if (r == 0)
		*out = take(j);
	return r;
}
