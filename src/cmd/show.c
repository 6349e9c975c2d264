/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/show.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

unsigned show_add(struct buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s, *from = p;
	unsigned wide = 0;

	for (; *p; p++) {
		/* C1 controls are two bytes in UTF-8; some terminals obey them */
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) {
			buf_add(out, from, (size_t)(p - from));
			buf_add(out, "?", 1);
			if (*p == 0xc2)
				p++;
			from = p + 1;
			wide++;
		} else {
			wide += (*p & 0xc0) != 0x80;
		}
	}
	buf_add(out, from, (size_t)(p - from));
	return wide;
}

void show_cell(struct buf *out, const char *s, unsigned width)
{
	static const char blanks[] = "                                        ";

	for (unsigned n = show_add(out, s); n < width;) {
		unsigned k = width - n < sizeof blanks - 1 ? width - n : (unsigned)sizeof blanks - 1;

		buf_add(out, blanks, k);
		n += k;
	}
}

void show_trim(struct buf *out)
{
	while (out->len && out->p[out->len - 1] == ' ')
		out->p[--out->len] = 0;
}

/* They stand in strings alone, so what they are replaced by is JSON where they were. */
void show_dump(const json_t *v, size_t flags)
{
	_free_ char *text = json_dumps(v, flags);
	const unsigned char *p = (const unsigned char *)(text ?: ""), *from = p;

	for (; *p; p++) {
		bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		if (*p != 0x7f && !c1)
			continue;
		fwrite(from, 1, (size_t)(p - from), stdout);
		p += c1;
		printf("\\u%04x", *p);
		from = p + 1;
	}
	fwrite(from, 1, (size_t)(p - from), stdout);
}

void show_quoted(struct buf *out, const char *s)
{
	buf_puts(out, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == '"' || c == '\\')
			buf_printf(out, "\\u%04x", c);
		else
			buf_add(out, s, 1);
	}
	buf_puts(out, "\"");
}

void show_real(struct buf *out, double d, int digits)
{
	char t[40];

	snprintf(t, sizeof t, "%.*g", digits, d);
	buf_puts(out, t);
	if (!strpbrk(t, ".en"))
		buf_puts(out, ".0");
}
