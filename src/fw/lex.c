/* SPDX-License-Identifier: MPL-2.0 */
#include "fw/lex.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"

int fw_bad(const struct fw_lex *l, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_set(l->e, EINVAL, "column %zu: %s", (size_t)(l->at - l->text) + 1, text);
}

const char *fw_what(const struct fw_lex *l, char out[48])
{
	if (l->tok == FW_TOK_END)
		return "the end of the rule";
	snprintf(out, 48, "\"%.*s%s\"", (int)(l->p - l->at > 32 ? 32 : l->p - l->at), l->at, l->p - l->at > 32 ? "…" : "");
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return out;
}

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_-.:/", c));
}

static int put(struct fw_lex *l, size_t *n, const char *bytes, size_t len)
{
	if (*n + len > FW_WORD_MAX)
		return fw_bad(l, "a word of more than %d bytes", FW_WORD_MAX);
	memcpy(l->word + *n, bytes, len);
	*n += len;
	return 0;
}

static int hex4(const char *p, unsigned *out)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)p[i]))
			return -EINVAL;
		v = v << 4 | (unsigned)(isdigit((unsigned char)p[i]) ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
	}
	*out = v;
	return 0;
}

static size_t utf8(unsigned c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* Behind "\u": one character, of two halves where it is beyond U+FFFF. */
static int escape_u(struct fw_lex *l, size_t *n)
{
	unsigned c, low;
	char out[4];

	if (hex4(l->p, &c) < 0)
		return fw_bad(l, "\\u has four hexadecimal digits behind it");
	l->p += 4;
	if (c >= 0xd800 && c < 0xdc00 && l->p[0] == '\\' && l->p[1] == 'u' && hex4(l->p + 2, &low) == 0 && low >= 0xdc00 && low < 0xe000) {
		c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
		l->p += 6;
	}
	if (c == 0 || (c >= 0xd800 && c < 0xe000))
		return fw_bad(l, "\\u%04x is no character that a tag can have", c);
	return put(l, n, out, utf8(c, out));
}

static int escape(struct fw_lex *l, size_t *n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *k = *l->p ? strchr(from, *l->p) : NULL;

	if (*l->p == 'u') {
		l->p++;
		return escape_u(l, n);
	}
	if (!k)
		return fw_bad(l, "a backslash in quotes goes before one of \" \\ / b f n r t u");
	l->p++;
	return put(l, n, &to[k - from], 1);
}

static int string(struct fw_lex *l)
{
	size_t n = 0;
	int r = 0;

	for (l->p++; r == 0 && *l->p != '"';) {
		if (!*l->p)
			return fw_bad(l, "these quotes are not closed");
		if ((unsigned char)*l->p < ' ')
			return fw_bad(l, "a control character in quotes is written as \\n, \\t or \\u00XX");
		if (*l->p == '\\') {
			l->p++;
			r = escape(l, &n);
		} else {
			r = put(l, &n, l->p++, 1);
		}
	}
	if (r < 0)
		return r;
	l->p++;
	l->word[n] = 0;
	l->tok = FW_TOK_STRING;
	return 0;
}

int fw_next(struct fw_lex *l)
{
	size_t n = 0;
	int r = 0;

	while (*l->p == ' ' || *l->p == '\t' || *l->p == '\n' || *l->p == '\r')
		l->p++;
	l->at = l->p;
	l->word[0] = 0;
	if (!*l->p) {
		l->tok = FW_TOK_END;
		return 0;
	}
	if (*l->p == '"')
		return string(l);
	if (strchr("()=,", *l->p)) {
		l->tok = FW_TOK_MARK;
		l->mark = *l->p++;
		return 0;
	}
	while (r == 0 && word_char(*l->p))
		r = put(l, &n, l->p++, 1);
	if (r < 0)
		return r;
	if (n == 0) {
		fw_bad(l, "a character that the language does not have outside of quotes");
		return err_hint(l->e, "A tag with other characters than letters, digits, - and _ is quoted: tag \"a b\" = \"c\".");
	}
	l->word[n] = 0;
	l->tok = FW_TOK_WORD;
	return 0;
}

bool fw_is(const struct fw_lex *l, const char *word)
{
	return l->tok == FW_TOK_WORD && !strcasecmp(l->word, word);
}

bool fw_is_mark(const struct fw_lex *l, char c)
{
	return l->tok == FW_TOK_MARK && l->mark == c;
}

bool fw_reserved(const char *word)
{
	static const char *const words[] = {"from", "to", "allow", "block", "any", "all", "vms", "vm", "ip", "subnet", "tag", "or", "and"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcasecmp(word, words[i]))
			return true;
	return false;
}

int fw_number(const struct fw_lex *l, const char *text, unsigned max, const char *what, unsigned *out)
{
	uint64_t n;

	if (text[0] == '0' && text[1]) {
		fw_bad(l, "\"%.16s\": a number with zeros in front can be read two ways", text);
		return err_hint(l->e, "Write it without them.");
	}
	if (str_to_u64(text, &n) < 0 || n > max)
		return fw_bad(l, "\"%.32s\" is no %s: a number up to %u", text, what, max);
	*out = (unsigned)n;
	return 0;
}
