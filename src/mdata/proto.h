/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The metadata protocol, both ends, pure. Lines end with a newline; what a line says is taken out where it stands.
 *
 *	V1	GET key · KEYS			SUCCESS, the value with a dot more before each line that begins with one, "." by itself
 *						NOTFOUND · FAILURE · invalid command
 *		NEGOTIATE V2			V2_OK
 *	V2	V2 LENGTH CRC ID CODE [BASE64]	the same back; LENGTH (decimal) and CRC-32 (eight of 0-9a-f) are of "ID CODE [BASE64]"
 *		GET, DELETE: the key · PUT: base64 of the key, a blank, base64 of the value · KEYS
 */
#ifndef CLOISTER_MDATA_PROTO_H
#define CLOISTER_MDATA_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MDATA_KEY_MAX   255
#define MDATA_VALUE_MAX (128u << 10) /* that a VM puts */
#define MDATA_ALL_MAX   (256u << 10) /* keys and values of a VM's metadata together, when it puts one */
#define MDATA_KEYS_MAX  512
/* A value twice in base64, and what goes around it. */
#define MDATA_LINE_MAX  (MDATA_VALUE_MAX / 9 * 16 + 2048)

enum mdata_op {
	MDATA_NONE,      /* nothing to say: a frame that is damaged, or our own words come back */
	MDATA_BAD,       /* no command */
	MDATA_REFUSED,   /* a command, but not like this */
	MDATA_NEGOTIATE, /* to V2 */
	MDATA_GET, MDATA_KEYS, MDATA_PUT, MDATA_DELETE,
};
enum mdata_status { MDATA_SUCCESS, MDATA_NOTFOUND, MDATA_FAILURE };

#define MDATA_ID_MAX 16
struct mdata_request {
	enum mdata_op op;
	bool v2;
	char id[MDATA_ID_MAX + 1];
	const char *key, *value; /* in the line; any bytes */
	size_t key_len, value_len;
};

/* A line without its newline, of which there is nothing left afterwards but what r points to. */
void mdata_request(char *line, size_t n, struct mdata_request *r);
/* What there is to say to it, with its newline: nothing for MDATA_NONE. of what op: status and p count for GET and what follows it. */
void mdata_answer(const struct mdata_request *r, enum mdata_status status, const void *p, size_t n, struct buf *out);

/* 1 to 255 printable bytes, none of them a blank at an end. */
bool mdata_key_ok(const char *key, size_t n);
uint32_t mdata_crc32(const void *p, size_t n);

/* The other end: a V2 request; and whether a line is the answer to the one with this id: then *status, and what came with it, in the line. */
void mdata_ask_v2(struct buf *out, const char *id, enum mdata_op op, const char *key, const void *value, size_t n);
bool mdata_reply_v2(char *line, size_t n, const char *id, enum mdata_status *status, const char **p, size_t *len);
/* A line of a V1 value: true = it was the last. Else it is added to out. */
bool mdata_reply_v1(const char *line, size_t n, struct buf *out);

#endif
