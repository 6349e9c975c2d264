/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "98:0 /folder", the third and fourth words of a line of mountinfo; NULL = there are none. */
static const char *tree_of(const char *line, size_t *len)
{
	const char *end;

	for (int i = 0; i < 2; i++) {
		line += strcspn(line, " \n");
		if (*line++ != ' ')
			return NULL;
	}
	end = line + strcspn(line, " \n");
	if (*end == ' ')
		end += 1 + strcspn(end + 1, " \n");
	*len = (size_t)(end - line);
	return line;
}

unsigned mountinfo_tree(const char *info, const char *other, int id)
{
	const char *tree = NULL;
	unsigned count = 0;
	size_t n = 0, k;

	for (const char *l = other; *l && !tree; l += strcspn(l, "\n"), l += *l == '\n') {
		int m;

		if (sscanf(l, "%d ", &m) == 1 && m == id)
			tree = tree_of(l, &n);
	}
	for (const char *l = info; *l && tree; l += strcspn(l, "\n"), l += *l == '\n') {
		const char *t = tree_of(l, &k);

		count += t && k == n && !memcmp(t, tree, n);
	}
	return count;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* In a line of mountinfo "36 35 98:0 / /mnt\\040x rw…": the fifth word, with its octal escapes undone. */
static bool point_of(const char *line, char *out, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < 4; i++) {
		line += strcspn(line, " \n");
		if (*line++ != ' ')
			return false;
	}
	for (; *line && *line != ' ' && n + 1 < size; n++) {
		/* three digits, each looked at before the next: the text may end anywhere */
		if (*line == '\\' && is_octal(line[1]) && is_octal(line[2]) && is_octal(line[3])) {
			out[n] = (char)((line[1] - '0') * 64 + (line[2] - '0') * 8 + (line[3] - '0'));
			line += 4;
		} else {
			out[n] = *line++;
		}
	}
	out[n] = 0;
	return *line == ' ' && out[0] == '/';
}

int mountinfo_point(const char *info, int id, char *out, size_t size)
{
	for (const char *l = info; *l; l += strcspn(l, "\n"), l += *l == '\n') {
		int n;

		if (sscanf(l, "%d ", &n) == 1 && n == id)
			return point_of(l, out, size) ? 0 : -EINVAL;
	}
	return -ENOENT;
}
