/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Errors: one contract for every function that can fail.
 *
 * It returns 0 or a positive result, or a negative errno. The message object is filled on failure only, and a
 * NULL message object is always allowed. Low layers say what failed and why; each layer above puts its noun in
 * front with err_add(); only a program prints.
 */
#ifndef CLOISTER_BASE_ERR_H
#define CLOISTER_BASE_ERR_H

#include <stdarg.h>

struct err {
	int code;       /* positive errno, 0 while nothing has failed */
	char msg[1024]; /* "create VM web01: clone image base: /zones/x: No space left on device (ENOSPC)" */
	char hint[256]; /* what to do about it, a sentence, may be empty */
};

#define ERR_INIT ((struct err){.code = 0})

/* Fills e with the formatted text, ": " and the text and name of errno `code` (positive or negative); returns -|code|. */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same without the errno's text: for failures that are not the kernel's. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts "text: " in front of what e says; returns -e->code, or -EINVAL for a NULL or empty e. */
int err_add(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets the sentence that says what to do; returns -e->code (-EINVAL if none). */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "ENOENT" for 2; "E?" for a number it does not know. */
const char *err_name(int code);

#endif
