/* SPDX-License-Identifier: MPL-2.0 */
/* Packets being written: a buffer that says at the end whether all went in. Pure. */
#ifndef CLOISTER_NETD_WIRE_H
#define CLOISTER_NETD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	uint8_t *p;
	size_t cap, n;
	bool full; /* something did not fit, and is not there */
};

void wire_put(struct wire *w, const void *p, size_t n);
void wire_u16(struct wire *w, uint32_t v);
void wire_u32(struct wire *w, uint32_t v);
/* Code, length of one byte, and at most 255 bytes; of DHCPv6 two bytes each. */
void wire_option(struct wire *w, uint8_t code, const void *p, size_t n);
void wire_option6(struct wire *w, uint32_t code, const void *p, size_t n);
/* A dotted name as labels with the root behind them: its length, 0 if it is none. out: strlen(name) + 2 bytes. */
size_t wire_name(const char *name, uint8_t *out);
/* The Internet's checksum (RFC 1071): what is added up so far, and of that and p what goes into a header. */
uint32_t wire_add(uint32_t sum, const void *p, size_t n);
uint16_t wire_sum(uint32_t sum, const void *p, size_t n);

#endif
