/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/mountmap.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static bool octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* Undoes "\040" in place. */
static void plain(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && octal(s + 1)) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

/* "36 35 98:0 /root /point rw,… optional… - fstype source options" */
static bool line(char *l, struct mount_one *m)
{
	char *word[6], *save = NULL, *w;
	int end = 0;

	for (int i = 0; i < 6; i++) {
		word[i] = strtok_r(i ? NULL : l, " ", &save);
		if (!word[i])
			return false;
	}
	while ((w = strtok_r(NULL, " ", &save)) && strcmp(w, "-") != 0)
		;
	w = w ? strtok_r(NULL, " ", &save) : NULL;
	if (!w || sscanf(word[0], "%d%n", &m->id, &end) != 1 || word[0][end] || sscanf(word[2], "%u:%u%n", &m->major, &m->minor, &end) != 2 ||
	    word[2][end])
		return false;
	m->root = word[3];
	m->point = word[4];
	m->fstype = w;
	plain(m->root);
	plain(m->point);
	return *m->root == '/' && *m->point == '/';
}

static int by_id(const void *x, const void *y)
{
	const struct mount_one *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

void mountmap_parse(const char *text, size_t n, struct mountmap *out)
{
	size_t cap = 0;

	*out = (struct mountmap){.text = xalloc(n + 1)};
	memcpy(out->text, text, n);
	for (char *l = out->text, *nl; (nl = memchr(l, '\n', n - (size_t)(l - out->text))); l = nl + 1) {
		struct mount_one m;

		*nl = 0;
		if (!line(l, &m))
			continue;
		if (out->n == cap) {
			cap = cap ? cap * 2 : 64;
			out->m = xrealloc(out->m, cap * sizeof *out->m);
		}
		out->m[out->n++] = m;
	}
	if (out->n)
		qsort(out->m, out->n, sizeof *out->m, by_id);
}

void mountmap_done(struct mountmap *m)
{
	free(m->text);
	free(m->m);
	*m = (struct mountmap){.text = NULL};
}

const struct mount_one *mountmap_find(const struct mountmap *m, int id)
{
	const struct mount_one key = {.id = id};

	return m->n ? bsearch(&key, m->m, m->n, sizeof *m->m, by_id) : NULL;
}

static const char *below(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n && top[n - 1] == '/')
		n--;
	return !strncmp(path, top, n) && (!path[n] || path[n] == '/') ? path + n : NULL;
}

const char *mountmap_below(const struct mount_one *m, const char *path)
{
	return below(path, m->point);
}

char *mountmap_host(const struct mountmap *host, const struct mount_one *m, const char *rest)
{
	char *path = xprintf("%s%s", strcmp(m->root, "/") ? m->root : "", rest), *out = NULL;
	size_t best = 0;

	for (size_t i = 0; i < host->n; i++) {
		const struct mount_one *h = &host->m[i];
		const char *left = h->major == m->major && h->minor == m->minor ? below(path, h->root) : NULL;

		/* the mount that shows least besides */
		if (!left || (out && strlen(h->root) < best))
			continue;
		best = strlen(h->root);
		free(out);
		out = xprintf("%s%s", strcmp(h->point, "/") || !*left ? h->point : "", left);
	}
	free(path);
	return out;
}
