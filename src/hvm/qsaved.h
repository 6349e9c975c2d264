/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine's state as a file:
 *
 *	"CLOISTER-STATE-1"  u32 bytes of the head, u32 0   head: JSON      the stream       "CLOISTER-WHOLE-1"  u64 bytes, u64 sum64
 *	                                                                  as QEMU wrote it   of all that is before these 32 bytes
 *
 * What has no such end was not written to its end, whatever it is called. Numbers are little-endian.
 */
#ifndef CLOISTER_HVM_QSAVED_H
#define CLOISTER_HVM_QSAVED_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sum64.h"

enum { QSAVED_HEAD_MAX = 1 << 20, QSAVED_BEGIN = 24, QSAVED_END = 32 };

/* What comes before the stream: {"layout": …, "snapshot": NAME or absent, "seed": its NoCloud disk in base64, or absent}. */
void qsaved_begin(const json_t *head, struct buf *out);
void qsaved_end(const struct sum64 *s, unsigned char out[QSAVED_END]);
/* Its first bytes: how long its head is; and the head itself, checked. New reference. -EBADMSG, -ENOTSUP. */
int qsaved_length(const unsigned char begin[QSAVED_BEGIN], uint32_t *n, struct err *e);
int qsaved_head(const char *text, size_t n, json_t **head, struct err *e);
/* Its last bytes, of a file of that many in all; *sum is what the rest has to come to. -EBADMSG: it is not whole. */
int qsaved_whole(const unsigned char end[QSAVED_END], uint64_t size, uint64_t *sum, struct err *e);

#endif
