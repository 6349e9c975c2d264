/* SPDX-License-Identifier: MPL-2.0 */
/* SHA-256 (FIPS 180-4): of a file that somebody else may have, or may have meant to be taken for another. */
#ifndef CLOISTER_BASE_SUM256_H
#define CLOISTER_BASE_SUM256_H

#include <stddef.h>
#include <stdint.h>

struct sum256 {
	uint32_t h[8];
	uint64_t n;
	unsigned char part[64]; /* n % 64 bytes of it */
};
#define SUM256_INIT \
	((struct sum256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}})
enum { SUM256_HEX = 64 };

void sum256_add(struct sum256 *s, const void *p, size_t n);
/* In lower case. Nothing is added after it. */
void sum256_hex(struct sum256 *s, char hex[SUM256_HEX + 1]);

#endif
