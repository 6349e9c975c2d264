/* SPDX-License-Identifier: MPL-2.0 */
#include "base/safe.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"

/* Length of the UTF-8 sequence at p, 0 if it is none: no surrogates, no overlong ones. */
static size_t sequence(const unsigned char *p, size_t n, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	*c = len == 1 ? *p : *p & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	return *c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : len;
}

static bool shows(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* soft hyphen, marks and overrides of direction, joiners, line ends, tags, byte order mark */
	return c != 0xad && c != 0x061c && !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) &&
	       c != 0xfeff && !(c >= 0xfff9 && c <= 0xfffb) && !(c >= 0xe0000 && c <= 0xe007f);
}

static void octal(struct buf *out, unsigned char b)
{
	char t[4] = {'\\', (char)('0' + (b >> 6)), (char)('0' + (b >> 3 & 7)), (char)('0' + (b & 7))};

	buf_add(out, t, sizeof t);
}

void safe_add(struct buf *out, const void *p, size_t n)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < n;) {
		size_t plain = i, len;
		uint32_t c;

		while (plain < n && s[plain] >= 0x20 && s[plain] < 0x7f && s[plain] != '\\')
			plain++;
		if (plain > i)
			buf_add(out, s + i, plain - i);
		i = plain;
		if (i == n)
			break;
		len = sequence(s + i, n - i, &c);
		if (s[i] == '\\')
			buf_add(out, "\\\\", 2);
		else if (len && shows(c))
			buf_add(out, s + i, len);
		else
			for (size_t k = 0; k < (len ? len : 1); k++)
				octal(out, s[i + k]);
		i += len ? len : 1;
	}
}

void safe_text(char *out, size_t size, const void *p, size_t n)
{
	_buf_ struct buf b = BUF_INIT;
	size_t len;

	safe_add(&b, p, n);
	len = b.len < size ? b.len : size - 1;
	/* not within a character */
	while (len && len < b.len && ((unsigned char)b.p[len] & 0xc0) == 0x80)
		len--;
	memcpy(out, buf_str(&b), len);
	out[len] = 0;
}

void safe_add_args(struct buf *out, const char *p, size_t n)
{
	while (n && !p[n - 1])
		n--;
	for (size_t i = 0; i < n;) {
		size_t len = strnlen(p + i, n - i);

		if (i)
			buf_add(out, " ", 1);
		safe_add(out, p + i, len);
		i += len + 1;
	}
}
