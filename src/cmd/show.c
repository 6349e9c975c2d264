/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/show.h"

#include <string.h>

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
