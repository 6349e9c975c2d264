/* SPDX-License-Identifier: MPL-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void no_memory(void)
{
	static const char m[] = "cloister: out of memory\n";

	if (write(2, m, sizeof m - 1) < 0)
		abort();
	abort();
}

void *xalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		no_memory();
	return p;
}

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		no_memory();
	return p;
}

char *xstrdup(const char *s)
{
	char *r = strdup(s);

	if (!r)
		no_memory();
	return r;
}

char *xprintf(const char *fmt, ...)
{
	va_list ap;
	char *r;

	va_start(ap, fmt);
	if (vasprintf(&r, fmt, ap) < 0)
		no_memory();
	va_end(ap);
	return r;
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT;
}

static void room(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 64;

	if (n + 1 <= b->cap - b->len && b->cap)
		return;
	while (cap - b->len < n + 1) {
		if (cap > (size_t)-1 / 2)
			no_memory();
		cap *= 2;
	}
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	room(b, n);
	if (n)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = 0;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, aq;
	int n;

	va_start(ap, fmt);
	va_copy(aq, ap);
	n = vsnprintf(NULL, 0, fmt, aq);
	va_end(aq);
	if (n > 0) {
		room(b, (size_t)n);
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
		b->len += (size_t)n;
	}
	va_end(ap);
}

const char *buf_str(const struct buf *b)
{
	return b->p ? b->p : "";
}

char *buf_take(struct buf *b)
{
	char *r = b->p ? b->p : xstrdup("");

	*b = BUF_INIT;
	return r;
}
