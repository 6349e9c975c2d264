/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

uint64_t settings_u64(const char *text, const char *name, uint64_t dflt)
{
	size_t n = strlen(name);

	for (const char *l = text; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL) {
		char *end;
		uint64_t v;

		if (strncmp(l, name, n) || l[n] != ' ' || l[n + 1] < '0' || l[n + 1] > '9')
			continue;
		v = strtoull(l + n + 1, &end, 10);
		return *end == '\n' || !*end ? v : dflt;
	}
	return dflt;
}
