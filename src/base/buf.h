/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A growing byte buffer that is always NUL-terminated behind its last byte. Out of memory ends the program:
 * nothing sensible can be done about it in a command, and the kernel's state is made of steps with undos.
 */
#ifndef CLOISTER_BASE_BUF_H
#define CLOISTER_BASE_BUF_H

#include <stddef.h>

struct buf {
	char *p;    /* owned; NULL while empty: use buf_str() */
	size_t len; /* bytes used, without the NUL */
	size_t cap;
};

#define BUF_INIT ((struct buf){.p = NULL})
#define _buf_    __attribute__((cleanup(buf_done)))

void buf_done(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text, "" when empty; owned by b, valid until the next change. */
const char *buf_str(const struct buf *b);
/* Hands the text to the caller (free()); b is empty afterwards. */
char *buf_take(struct buf *b);

/* malloc, strdup and asprintf that do not return NULL. */
void *xalloc(size_t n); /* zeroed */
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
