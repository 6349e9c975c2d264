/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/passwd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct field {
	const char *p;
	size_t n;
};

/* The next line of [*p, end); false at the end. */
static bool next_line(const char **p, const char *end, struct field *l)
{
	const char *nl;

	if (*p >= end)
		return false;
	nl = memchr(*p, '\n', (size_t)(end - *p));
	l->p = *p;
	l->n = (size_t)((nl ? nl : end) - *p);
	*p = nl ? nl + 1 : end;
	return true;
}

/* Exactly want fields, or false: a line with another number of them is damaged or is not what we think it is. */
static bool split(struct field l, struct field *f, size_t want)
{
	size_t k = 0;

	for (size_t i = 0; i < l.n; i++)
		if ((unsigned char)l.p[i] < ' ' || l.p[i] == 0x7f)
			return false;
	for (;;) {
		const char *colon = memchr(l.p, ':', l.n);
		size_t n = colon ? (size_t)(colon - l.p) : l.n;

		if (k == want)
			return false;
		f[k++] = (struct field){l.p, n};
		if (!colon)
			return k == want;
		l.p += n + 1;
		l.n -= n + 1;
	}
}

static bool number(struct field f, uint32_t *out)
{
	uint32_t v = 0;

	if (f.n == 0 || f.n > 5)
		return false;
	for (size_t i = 0; i < f.n; i++) {
		if (f.p[i] < '0' || f.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(f.p[i] - '0');
	}
	if (v >= PASSWD_ID_END)
		return false;
	*out = v;
	return true;
}

static bool same(struct field f, const char *s)
{
	return f.n == strlen(s) && !memcmp(f.p, s, f.n);
}

static void path_field(struct field f, char *out, size_t cap, const char *otherwise)
{
	if (f.n == 0 || f.n >= cap || f.p[0] != '/') {
		strcpy(out, otherwise);
		return;
	}
	memcpy(out, f.p, f.n);
	out[f.n] = 0;
}

int passwd_user(const char *text, size_t n, const char *name, struct passwd_user *out)
{
	const char *p = text, *end = text + n;
	struct passwd_user by_id = {.name = ""};
	struct field l, f[7];
	uint32_t uid, gid, want = 0;
	bool numeric = number((struct field){name, strlen(name)}, &want);

	if (!*name)
		return -ENOENT;
	while (next_line(&p, end, &l)) {
		struct passwd_user u;

		if (!split(l, f, 7) || f[0].n == 0 || f[0].n >= sizeof u.name || !number(f[2], &uid) || !number(f[3], &gid))
			continue;
		if (!same(f[0], name) && !(numeric && uid == want && !by_id.name[0]))
			continue;
		u.uid = uid;
		u.gid = gid;
		memcpy(u.name, f[0].p, f[0].n);
		u.name[f[0].n] = 0;
		path_field(f[5], u.home, sizeof u.home, "/");
		path_field(f[6], u.shell, sizeof u.shell, "/bin/sh");
		if (same(f[0], name)) {
			*out = u;
			return 0;
		}
		by_id = u;
	}
	if (!by_id.name[0])
		return -ENOENT;
	*out = by_id;
	return 0;
}

static bool has_member(struct field list, const char *name)
{
	while (list.n) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t n = comma ? (size_t)(comma - list.p) : list.n;

		if (same((struct field){list.p, n}, name))
			return true;
		if (!comma)
			return false;
		list.p += n + 1;
		list.n -= n + 1;
	}
	return false;
}

size_t passwd_groups(const char *text, size_t n, const char *name, gid_t primary, gid_t *out, size_t max)
{
	const char *p = text, *end = text + n;
	struct field l, f[4];
	uint32_t gid;
	size_t k = 0;

	if (max)
		out[k++] = primary;
	while (k < max && next_line(&p, end, &l)) {
		bool seen = false;

		if (!split(l, f, 4) || !number(f[2], &gid) || !has_member(f[3], name))
			continue;
		for (size_t i = 0; i < k; i++)
			seen = seen || out[i] == gid;
		if (!seen)
			out[k++] = gid;
	}
	return k;
}

int passwd_group(const char *text, size_t n, const char *name, gid_t *out)
{
	const char *p = text, *end = text + n;
	struct field l, f[4];
	uint32_t gid;

	if (*name) {
		while (next_line(&p, end, &l)) {
			if (!split(l, f, 4) || !number(f[2], &gid) || !same(f[0], name))
				continue;
			*out = gid;
			return 0;
		}
	}
	if (!number((struct field){name, strlen(name)}, &gid))
		return -ENOENT;
	*out = gid;
	return 0;
}

bool passwd_host(const char *text, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (const char *l = text, *end = text + n; l < end;) {
		const char *eol = memchr(l, '\n', (size_t)(end - l)) ?: end;
		const char *stop = memchr(l, '#', (size_t)(eol - l)) ?: eol;
		bool address = true;

		for (const char *w = l; w < stop;) {
			const char *from;

			while (w < stop && (*w == ' ' || *w == '\t' || *w == '\r'))
				w++;
			for (from = w; w < stop && *w != ' ' && *w != '\t' && *w != '\r'; w++)
				;
			if (!address && (size_t)(w - from) == len && !strncasecmp(from, name, len))
				return true;
			address = false;
		}
		l = eol + 1;
	}
	return false;
}
