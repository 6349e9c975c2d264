/* SPDX-License-Identifier: MPL-2.0 */
/* Text from outside to a payload. Everything that could exhaust us is bounded before jansson sees it. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "model/prop.h"
#include "model/vm.h"

void vm_json_done(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}

/* The depth of brackets outside strings. Jansson has a bound of its own, but its stack use up to there is ours to pay. */
static int depth_check(const char *text, size_t n, struct err *e)
{
	unsigned depth = 0, line = 1;
	size_t start = 0;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c == '\n') {
			line++;
			start = i + 1;
		}
		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > VM_DEPTH_MAX)
				return err_set(e, EINVAL, "line %u column %zu: nested deeper than %d levels", line,
					       i - start + 1, VM_DEPTH_MAX);
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return 0;
}

/* json_loadb with our bounds; text is copied nowhere, so an error's text is jansson's own and short. */
static int load(const char *text, size_t n, size_t flags, json_t **out, struct err *e)
{
	json_error_t je;
	int r;

	if (n > VM_PAYLOAD_MAX)
		return err_set(e, E2BIG, "%zu bytes of JSON are more than the %u MiB that are taken", n,
			       VM_PAYLOAD_MAX >> 20);
	r = depth_check(text, n, e);
	if (r < 0)
		return r;
	*out = json_loadb(text, n, JSON_REJECT_DUPLICATES | flags, &je);
	if (*out)
		return 0;
	/* Jansson quotes the input in its message: let no control character of it reach a terminal. */
	for (char *p = je.text; *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	}
	return err_set(e, EINVAL, "line %d column %d: %s", je.line, je.column, je.text);
}

int vm_parse(const char *text, size_t n, json_t **out, struct err *e)
{
	_json_ json_t *j = NULL;
	size_t i;
	json_t *v;
	int r = load(text, n, 0, &j, e);

	if (r < 0)
		return r;
	if (json_is_array(j)) {
		if (json_array_size(j) == 0)
			return err_set(e, EINVAL, "an empty array: there is no VM in it");
		json_array_foreach(j, i, v)
		{
			if (!json_is_object(v))
				return err_set(e, EINVAL, "element %zu of the array is not an object", i);
		}
	}
	*out = take(j);
	return 0;
}

int vm_parse_pair(const char *pair, json_t *into, struct err *e)
{
	const char *eq = strchr(pair, '=');
	_free_ char *key = NULL;
	_json_ json_t *v = NULL;
	const struct prop *p;
	struct err ignored;

	if (!eq || eq == pair)
		return err_set(e, EINVAL, "'%.64s': not of the form property=value", pair);
	key = xalloc((size_t)(eq - pair) + 1);
	memcpy(key, pair, (size_t)(eq - pair));
	if (json_object_get(into, key))
		return err_set(e, EINVAL, "%.64s is given twice", key);
	/* alias=123 names a VM "123": text properties stay text, whatever the value looks like. */
	p = prop_find(key);
	if (!p || (p->type != PROP_STRING && p->type != PROP_UUID))
		(void)load(eq + 1, strlen(eq + 1), JSON_DECODE_ANY, &v, &ignored);
	if (!v)
		v = json_string(eq + 1);
	if (!v || json_object_set(into, key, v) < 0)
		return err_set(e, EINVAL, "%.64s: not valid UTF-8", key);
	return 0;
}
