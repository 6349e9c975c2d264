/* SPDX-License-Identifier: MPL-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "image/bootstrap.h"

bool apt_word_ok(const char *s, const char *extra)
{
	if (!isalnum((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(extra, *s))
			return false;
	return true;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = list; (s = strstr(s, word)); s += n)
		if ((s == list || isspace((unsigned char)s[-1])) && (!s[n] || isspace((unsigned char)s[n])))
			return true;
	return false;
}

static bool serves(const char *uri, const char *suites, const char *comps, const char *suite, char *out, size_t n)
{
	char first[512];

	if (sscanf(uri, " %511s", first) != 1 || strlen(first) >= n || !has_word(suites, suite) || !has_word(comps, "main"))
		return false;
	if (!str_starts(first, "http://") && !str_starts(first, "https://") && !str_starts(first, "file:/"))
		return false;
	strcpy(out, first);
	return true;
}

static int one_line(char *text, const char *suite, char *out, size_t n)
{
	for (char *save = NULL, *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char uri[512], st[128];
		int at = 0;

		l += strspn(l, " \t");
		if (strncmp(l, "deb", 3) || !isspace((unsigned char)l[3]))
			continue;
		l += 3 + strspn(l + 3, " \t");
		if (*l == '[') { /* options */
			l += strcspn(l, "]");
			l += *l == ']';
		}
		if (sscanf(l, " %511s %127s %n", uri, st, &at) == 2 && at && serves(uri, st, l + at, suite, out, n))
			return 0;
	}
	return -ENOENT;
}

struct stanza {
	char uris[512], suites[512], comps[512], types[64];
	bool off;
};

static void field(struct stanza *z, const char *l)
{
	static const struct {
		const char *name;
		size_t at, n;
	} f[] = {
		{"URIs:", offsetof(struct stanza, uris), 512}, {"Suites:", offsetof(struct stanza, suites), 512},
		{"Components:", offsetof(struct stanza, comps), 512}, {"Types:", offsetof(struct stanza, types), 64},
	};

	for (size_t i = 0; i < ARRAY_LEN(f); i++)
		if (!strncasecmp(l, f[i].name, strlen(f[i].name)))
			snprintf((char *)z + f[i].at, f[i].n, "%s", l + strlen(f[i].name));
	if (!strncasecmp(l, "Enabled:", 8) && strstr(l, "no"))
		z->off = true;
}

static int deb822_list(char *text, const char *suite, char *out, size_t n)
{
	struct stanza z = {.off = false};

	for (char *l = text; l;) {
		char *next = strchr(l, '\n');

		if (next)
			*next++ = 0;
		if (*l != '#')
			field(&z, l);
		if (!*l || !next) {
			if (!z.off && has_word(z.types, "deb") && serves(z.uris, z.suites, z.comps, suite, out, n))
				return 0;
			z = (struct stanza){.off = false};
		}
		l = next;
	}
	return -ENOENT;
}

int apt_mirror(const char *text, bool deb822, const char *suite, char *out, size_t n)
{
	_free_ char *copy = xstrdup(text);

	return deb822 ? deb822_list(copy, suite, out, n) : one_line(copy, suite, out, n);
}
