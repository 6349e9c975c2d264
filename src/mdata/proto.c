/* SPDX-License-Identifier: MPL-2.0 */
#include "mdata/proto.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"

static const char *const words[] = {[MDATA_SUCCESS] = "SUCCESS", [MDATA_NOTFOUND] = "NOTFOUND", [MDATA_FAILURE] = "FAILURE"};
static const char bad[] = "invalid command";

uint32_t mdata_crc32(const void *p, size_t n)
{
	const uint8_t *in = p;
	uint32_t crc = ~0U;

	for (size_t i = 0; i < n; i++) {
		crc ^= in[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

bool mdata_key_ok(const char *key, size_t n)
{
	if (n == 0 || n > MDATA_KEY_MAX || key[0] == ' ' || key[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)key[i] < ' ' || key[i] == 127)
			return false;
	return true;
}

static bool is(const char *p, size_t n, const char *word)
{
	return n == strlen(word) && !memcmp(p, word, n);
}

static void trim(const char **p, size_t *n)
{
	for (; *n && **p == ' '; (*p)++)
		(*n)--;
	while (*n && (*p)[*n - 1] == ' ')
		(*n)--;
}

/* The next word of a line whose words have one blank between them. */
static bool word(char **at, size_t *left, char **out, size_t *n)
{
	char *blank = memchr(*at, ' ', *left);

	*out = *at;
	*n = blank ? (size_t)(blank - *at) : *left;
	*at += *n + (blank != NULL);
	*left -= *n + (blank != NULL);
	return *n > 0;
}

static bool number(const char *p, size_t n, int base, uint32_t *out)
{
	uint32_t v = 0;

	if (n == 0 || n > 8)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : base == 16 && p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10 : -1;

		if (d < 0)
			return false;
		v = v * (uint32_t)base + (uint32_t)d;
	}
	*out = v;
	return true;
}

static bool id_ok(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f'))
			return false;
	return n > 0 && n <= MDATA_ID_MAX;
}

/* Behind "V2 ": id, code and the rest of it, decoded; false: a frame that is damaged. */
static bool frame(char *p, size_t n, char id[MDATA_ID_MAX + 1], char **code, size_t *code_len, char **body, size_t *len)
{
	uint32_t length, crc;
	size_t k;
	ssize_t r;
	char *w;

	if (!word(&p, &n, &w, &k) || !number(w, k, 10, &length) || !word(&p, &n, &w, &k) || k != 8 || !number(w, k, 16, &crc) ||
	    n != length || mdata_crc32(p, n) != crc)
		return false;
	if (!word(&p, &n, &w, &k) || !id_ok(w, k))
		return false;
	memcpy(id, w, k);
	id[k] = 0;
	if (!word(&p, &n, code, code_len))
		return false;
	r = base64_undo(p, n);
	*body = p;
	*len = r < 0 ? 0 : (size_t)r;
	return r >= 0;
}

static void request_v2(char *p, size_t n, struct mdata_request *r)
{
	size_t code_len, len, k;
	char *code, *body, *w;
	ssize_t a, b;

	if (!frame(p, n, r->id, &code, &code_len, &body, &len))
		return;
	r->v2 = true;
	r->op = MDATA_REFUSED;
	r->key = body;
	r->key_len = len;
	if (is(code, code_len, "GET")) {
		r->op = MDATA_GET;
	} else if (is(code, code_len, "DELETE")) {
		r->op = MDATA_DELETE;
	} else if (is(code, code_len, "KEYS")) {
		r->op = MDATA_KEYS;
	} else if (is(code, code_len, "PUT") && memchr(body, ' ', len) && word(&body, &len, &w, &k)) {
		a = base64_undo(w, k);
		b = base64_undo(body, len);
		if (a >= 0 && b >= 0) {
			r->op = MDATA_PUT;
			r->key = w;
			r->key_len = (size_t)a;
			r->value = body;
			r->value_len = (size_t)b;
		}
	}
	if (r->op == MDATA_GET || r->op == MDATA_PUT || r->op == MDATA_DELETE) {
		trim(&r->key, &r->key_len);
		if (!mdata_key_ok(r->key, r->key_len))
			r->op = MDATA_REFUSED;
	}
}

/* A line with echo on: what we say comes back, and is no question. */
static bool ours(const char *p, size_t n)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is(p, n, words[i]))
			return true;
	return is(p, n, bad) || is(p, n, "V2_OK") || is(p, n, ".");
}

void mdata_request(char *line, size_t n, struct mdata_request *r)
{
	const char *p = line;

	*r = (struct mdata_request){.op = MDATA_NONE};
	if (n && line[n - 1] == '\r')
		n--;
	trim(&p, &n);
	if (n > 3 && !memcmp(p, "V2 ", 3)) {
		request_v2(line + (p - line) + 3, n - 3, r);
	} else if (n > 10 && !memcmp(p, "NEGOTIATE ", 10)) {
		r->op = is(p + 10, n - 10, "V2") ? MDATA_NEGOTIATE : MDATA_REFUSED;
	} else if (is(p, n, "KEYS")) {
		r->op = MDATA_KEYS;
	} else if (n > 4 && !memcmp(p, "GET ", 4)) {
		r->key = p + 4;
		r->key_len = n - 4;
		trim(&r->key, &r->key_len);
		r->op = mdata_key_ok(r->key, r->key_len) ? MDATA_GET : MDATA_REFUSED;
	} else if (!ours(p, n)) {
		r->op = MDATA_BAD;
	}
}

static void put_frame(struct buf *out, const struct buf *body)
{
	buf_printf(out, "V2 %zu %08x ", body->len, mdata_crc32(buf_str(body), body->len));
	buf_add(out, buf_str(body), body->len);
	buf_add(out, "\n", 1);
}

static void answer_v2(const struct mdata_request *r, enum mdata_status status, const void *p, size_t n, struct buf *out)
{
	_buf_ struct buf body = BUF_INIT;

	buf_printf(&body, "%s %s", r->id, words[status]);
	if (n) {
		buf_add(&body, " ", 1);
		base64_add(&body, p, n);
	}
	put_frame(out, &body);
}

static void answer_v1(enum mdata_status status, const char *p, size_t n, struct buf *out)
{
	buf_printf(out, "%s\n", words[status]);
	if (status != MDATA_SUCCESS)
		return;
	while (n) {
		const char *nl = memchr(p, '\n', n);
		size_t k = nl ? (size_t)(nl + 1 - p) : n;

		if (*p == '.')
			buf_add(out, ".", 1);
		buf_add(out, p, k);
		p += k;
		n -= k;
	}
	buf_puts(out, "\n.\n");
}

void mdata_answer(const struct mdata_request *r, enum mdata_status status, const void *p, size_t n, struct buf *out)
{
	switch (r->op) {
	case MDATA_NONE:
		return;
	case MDATA_BAD:
		buf_printf(out, "%s\n", bad);
		return;
	case MDATA_NEGOTIATE:
		buf_puts(out, "V2_OK\n");
		return;
	case MDATA_REFUSED:
		status = MDATA_FAILURE;
		n = 0;
		break;
	default:
		break;
	}
	if (r->v2)
		answer_v2(r, status, p, n, out);
	else
		answer_v1(status, p, n, out);
}

/* ---- the other end ---- */

void mdata_ask_v2(struct buf *out, const char *id, enum mdata_op op, const char *key, const void *value, size_t n)
{
	static const char *const codes[] = {[MDATA_GET] = "GET", [MDATA_KEYS] = "KEYS", [MDATA_PUT] = "PUT", [MDATA_DELETE] = "DELETE"};
	_buf_ struct buf body = BUF_INIT, pair = BUF_INIT;

	buf_printf(&body, "%s %s", id, codes[op]);
	if (op == MDATA_PUT) {
		base64_add(&pair, key, strlen(key));
		buf_add(&pair, " ", 1);
		base64_add(&pair, value, n);
	} else if (op != MDATA_KEYS) {
		buf_puts(&pair, key);
	}
	if (pair.len) {
		buf_add(&body, " ", 1);
		base64_add(&body, pair.p, pair.len);
	}
	put_frame(out, &body);
}

bool mdata_reply_v2(char *line, size_t n, const char *id, enum mdata_status *status, const char **p, size_t *len)
{
	char its[MDATA_ID_MAX + 1], *code, *body;
	size_t code_len;

	if (n && line[n - 1] == '\r')
		n--;
	if (n <= 3 || memcmp(line, "V2 ", 3) != 0 || !frame(line + 3, n - 3, its, &code, &code_len, &body, len) || strcmp(its, id) != 0)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!is(code, code_len, words[i]))
			continue;
		*status = (enum mdata_status)i;
		*p = body;
		return true;
	}
	return false;
}

bool mdata_reply_v1(const char *line, size_t n, struct buf *out)
{
	if (is(line, n, ".")) {
		out->len -= out->len > 0; /* the newline before it is not the value's */
		return true;
	}
	if (n && *line == '.')
		line++, n--;
	buf_add(out, line, n);
	buf_add(out, "\n", 1);
	return false;
}
