/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Behind "name ". */
static const char *find(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *l = text; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL)
		if (!strncmp(l, name, n) && l[n] == ' ')
			return l + n + 1;
	return NULL;
}

uint64_t settings_u64(const char *text, const char *name, uint64_t dflt)
{
	const char *v = find(text, name);
	uint64_t n;
	char *end;

	if (!v || *v < '0' || *v > '9')
		return dflt;
	n = strtoull(v, &end, 10);
	return *end == '\n' || !*end ? n : dflt;
}

int settings_text(const char *text, const char *name, char *out, size_t size)
{
	const char *v = find(text, name);
	size_t n = v ? strcspn(v, "\n") : 0;

	if (!v)
		return -ENOENT;
	if (n >= size)
		return -E2BIG;
	memcpy(out, v, n);
	out[n] = '\0';
	return 0;
}
