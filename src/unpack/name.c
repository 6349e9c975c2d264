/* SPDX-License-Identifier: MPL-2.0 */
#include "unpack/name.h"

#include <string.h>

const char *name_clean(const char *in, char out[PATH_MAX])
{
	size_t n = 0, depth = 0;

	out[0] = 0;
	if (!*in)
		return "empty name";
	if (*in == '/')
		return "absolute name";
	while (*in) {
		size_t len = strcspn(in, "/");

		if (len == 2 && in[0] == '.' && in[1] == '.')
			return "\"..\" in a name";
		if (len > NAME_MAX)
			return "part of a name over 255 bytes";
		if (len && !(len == 1 && in[0] == '.')) {
			if (n + len + 2 > PATH_MAX)
				return "name over 4095 bytes";
			if (++depth > NAME_DEPTH_MAX)
				return "more than 256 folders deep";
			if (n)
				out[n++] = '/';
			memcpy(out + n, in, len);
			n += len;
			out[n] = 0;
		}
		in += len;
		in += strspn(in, "/");
	}
	return NULL;
}

bool name_link_leaves(const char *path, const char *target)
{
	long depth = 0;

	if (*target != '/')
		for (const char *s = path; (s = strchr(s, '/')); s++)
			depth++;
	while (*target) {
		size_t len = strcspn(target, "/");

		if (len == 2 && target[0] == '.' && target[1] == '.') {
			if (--depth < 0)
				return true;
		} else if (len && !(len == 1 && *target == '.')) {
			depth++;
		}
		target += len;
		target += strspn(target, "/");
	}
	return false;
}

const char *name_whiteout(const char *name, bool *opaque, bool *bad)
{
	const char *of;

	*opaque = *bad = false;
	if (strncmp(name, ".wh.", 4))
		return NULL;
	of = name + 4;
	if (!strcmp(of, ".wh..opq"))
		*opaque = true;
	else if (!*of || !strcmp(of, ".") || !strcmp(of, ".."))
		*bad = true;
	return of;
}
