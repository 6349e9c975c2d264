/* SPDX-License-Identifier: MPL-2.0 */
/* Small strings: comparing, numbers, sizes, uuids. Pure functions, libc only. */
#ifndef CLOISTER_BASE_STR_H
#define CLOISTER_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* The whole of s as a decimal number (no sign for u64, no blanks). 0, -EINVAL or -ERANGE; *out untouched on failure. */
int str_to_u64(const char *s, uint64_t *out);
int str_to_i64(const char *s, int64_t *out);
/* "10G", "512M", "4096", "1.5T" (powers of 1024; k/K m/M g/G t/T, an optional trailing B or iB) as bytes. */
int str_to_bytes(const char *s, uint64_t *out);
/* 1536 → "1.5K"; out gets at most 16 bytes. Returns out. */
char *str_from_bytes(uint64_t n, char out[16]);

#define STR_IP 46 /* room for an address, as INET6_ADDRSTRLEN */
/* The address that s is, or begins with before a "/", as each is written in one way alone (RFC 5952); s itself, cut, if it is none. Returns out. */
char *str_ip(const char *s, char out[STR_IP]);

#define UUID_LEN 36
/* Lower-case hex in 8-4-4-4-12. */
bool uuid_valid(const char *s);
/* Version 4, from getrandom(2). */
void uuid_make(char out[UUID_LEN + 1]);
/* FNV-1a, for tables and for telling files apart; not for secrets. */
uint64_t str_hash(const void *p, size_t n);
/* Edit distance, for "did you mean"; strings over 64 bytes count as far away. */
unsigned str_distance(const char *a, const char *b);

#endif
