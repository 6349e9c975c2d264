/* SPDX-License-Identifier: MPL-2.0 */
#include "link_frames.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 512
#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct frame seeds[SEEDS];
static unsigned long have;
static uint64_t state = 1;

void rnd_seed(uint64_t seed)
{
	state = seed * 2862933555777941757ull + 3037000493ull;
	if (!state)
		state = 1;
}

uint32_t rnd(uint32_t below)
{
	/* xorshift64* (Vigna) */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ull) >> 32) % below;
}

/* ---- the corpus ---- */

static void end_of_frame(struct frame *f)
{
	if (f->n > 14 && have < SEEDS)
		seeds[have++] = *f;
	f->n = 0;
}

static void read_file(FILE *in)
{
	char line[1024];
	struct frame f = {0};

	while (fgets(line, sizeof line, in)) {
		char *p = line, *comment = strchr(line, '#');
		unsigned byte;
		int used;

		if (line[strspn(line, " \t\n")] == 0)
			end_of_frame(&f);
		if (comment)
			*comment = 0;
		for (; f.n < sizeof f.b && sscanf(p, " %2x%n", &byte, &used) == 1; p += used)
			f.b[f.n++] = (uint8_t)byte;
	}
	end_of_frame(&f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* for one seed the same frames everywhere */
}

unsigned long read_seeds(const char *folder)
{
	struct dirent **list;
	int n = scandir(folder, &list, NULL, by_name);

	for (int i = 0; i < n; free(list[i++])) {
		char path[4096];
		FILE *in;

		snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
		in = list[i]->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (in) {
			read_file(in);
			fclose(in);
		}
	}
	if (n >= 0)
		free(list);
	return have;
}

unsigned long nseeds(void)
{
	return have;
}

/* ---- made from it ---- */

static const uint8_t macs[][6] = {
	{2, 8, 32, 0, 0, 1}, {2, 8, 32, 0, 0, 2}, {2, 8, 32, 0, 0, 9}, {0, 0, 0x5e, 0, 1, 7}, {0, 0, 0x5e, 0, 2, 7}, {0, 0, 0x5e, 0, 1, 8},
	{255, 255, 255, 255, 255, 255}, {0x33, 0x33, 0, 0, 0, 1}, {0},
};
static const uint8_t v4s[][4] = {
	{10, 0, 0, 1}, {10, 0, 0, 2}, {10, 0, 0, 3}, {10, 0, 0, 101}, {10, 1, 0, 77}, {10, 2, 0, 77}, {10, 3, 3, 255}, {10, 3, 4, 0}, {192, 168, 1, 1},
	{255, 255, 255, 255}, {0},
};
static const uint8_t v6s[][16] = {
	{0xfd, [15] = 1}, {0xfd, [15] = 2}, {0xfd, [15] = 0x65}, {0xfd, 1, [15] = 9}, {0xfd, 3, [7] = 0x7f}, {0xfd, 3, [7] = 0x80},
	{0xfe, 0x80, [8] = 0, 8, 32, 0xff, 0xfe, 0, 0, 1}, {0xfe, 0xbf, [8] = 0, 8, 32, 0xff, 0xfe, 0, 0, 1},
	{0xfe, 0x80, [15] = 1}, {0x20, 1, [8] = 0, 8, 32, 0xff, 0xfe, 0, 0, 1}, {0xff, 2, [15] = 1}, {0},
};
static const uint8_t telling[] = {0, 1, 2, 4, 5, 6, 17, 43, 44, 51, 58, 60, 64, 112, 128, 131, 133, 134, 135, 136, 137, 143, 255, 0x45, 0x46, 0x60};
static const uint16_t telling16[] = {0, 1, 2, 8, 25, 67, 68, 546, 547, 5001, 5002, 0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x2000, 0x2001, 0x1fff, 0xffff};

static unsigned type_of(const struct frame *f)
{
	return (unsigned)(f->b[12] << 8 | f->b[13]);
}

static void copy_to(struct frame *f, size_t at, const void *p, size_t n)
{
	if (at + n <= f->n)
		memcpy(f->b + at, p, n);
}

static bool insert(struct frame *f, size_t at, const void *p, size_t n)
{
	if (at > f->n || f->n + n > sizeof f->b)
		return false;
	memmove(f->b + at + n, f->b + at, f->n - at);
	memcpy(f->b + at, p, n);
	f->n += n;
	return true;
}

/* The start of what an IPv6 packet carries, after a few of its extension headers. */
static size_t behind_headers(const struct frame *f, size_t *next, unsigned headers)
{
	size_t at = 54;

	*next = 20;
	while (headers-- && at + 8 <= f->n) {
		unsigned h = f->b[*next];

		if (h != 0 && h != 43 && h != 44 && h != 51 && h != 60)
			break;
		*next = at;
		at += h == 44 ? 8u : h == 51 ? (f->b[at + 1] + 2u) * 4 : (f->b[at + 1] + 1u) * 8;
	}
	return at;
}

static void another_header(struct frame *f)
{
	static const uint8_t kinds[] = {0, 43, 44, 44, 51, 60, 60};
	uint8_t x[32] = {0}, kind = kinds[rnd(COUNT(kinds))];
	size_t next, at = behind_headers(f, &next, rnd(4)), n = kind == 44 ? 8 : 8 * (1 + rnd(4));

	if (type_of(f) != 0x86dd || f->n < 54 || at > f->n)
		return;
	x[0] = f->b[next];
	if (kind == 44) {
		x[2] = rnd(4) ? 0 : (uint8_t)rnd(256);
		x[3] = rnd(2) ? 1 : (uint8_t)rnd(256);
		x[7] = 9;
	} else {
		x[1] = (uint8_t)(kind == 51 ? n / 4 - 2 : n / 8 - 1);
		x[2] = 1;
		x[3] = (uint8_t)(n - 4);
	}
	if (insert(f, at, x, n))
		f->b[next] = kind;
}

static void ip_options(struct frame *f)
{
	uint8_t x[40] = {0};
	size_t n = 4 * (1 + rnd(10));

	memset(x, 1, n - 1);
	if (type_of(f) == 0x0800 && (f->b[14] & 15) + n / 4 <= 15 && insert(f, 34, x, n))
		f->b[14] = (uint8_t)(f->b[14] + n / 4);
}

static void nd_option(struct frame *f)
{
	uint8_t x[16] = {(uint8_t)(1 + rnd(4)), (uint8_t)(rnd(8) ? 1 : rnd(4))};

	memcpy(x + 2, macs[rnd(COUNT(macs))], 6);
	if (rnd(2))
		insert(f, f->n, x, 8 * (1 + rnd(2)));
	else
		insert(f, f->n < 78 ? f->n : 78 + 8 * rnd(2), x, 8);
}

static void splice(struct frame *f)
{
	const struct frame *o = &seeds[rnd((uint32_t)have)];
	size_t at = 14 + rnd((uint32_t)(o->n - 14)), n = o->n - at;

	if (at <= f->n && at + n <= sizeof f->b) {
		memcpy(f->b + at, o->b + at, n);
		f->n = at + n;
	}
}

static void change(struct frame *f)
{
	static const size_t mac_at[] = {0, 6, 6, 22, 28, 64, 70, 80}, v4_at[] = {26, 26, 28, 30, 38}, v6_at[] = {22, 22, 38, 62, 70};
	static const uint8_t tag[][4] = {{0x81, 0, 0, 5}, {0x88, 0xa8, 0, 5}, {0x91, 0, 0, 5}};
	size_t at = rnd((uint32_t)f->n), v;
	uint8_t noise[8];

	switch (rnd(16)) {
	case 0: f->b[at] ^= (uint8_t)(1u << rnd(8)); break;
	case 1: f->b[at] = telling[rnd(COUNT(telling))]; break;
	case 2:
		v = telling16[rnd(COUNT(telling16))];
		copy_to(f, at & ~1u, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
		break;
	case 3: copy_to(f, mac_at[rnd(COUNT(mac_at))], macs[rnd(COUNT(macs))], 6); break;
	case 4: copy_to(f, v4_at[rnd(COUNT(v4_at))], v4s[rnd(COUNT(v4s))], 4); break;
	case 5: copy_to(f, v6_at[rnd(COUNT(v6_at))], v6s[rnd(COUNT(v6s))], 16); break;
	case 6: f->n = at < 15 ? 15 : at; break;
	case 7:
	case 8: another_header(f); break;
	case 9: ip_options(f); break;
	case 10: nd_option(f); break;
	case 11: splice(f); break;
	case 12: insert(f, 12, tag[rnd(3)], 4); break;
	case 13:
		for (size_t i = 0; i < 8; i++)
			noise[i] = (uint8_t)rnd(256);
		insert(f, rnd(2) ? f->n : at, noise, 1 + rnd(8));
		break;
	case 14:
		if (type_of(f) == 0x0800) { /* fragments, early ones mostly */
			f->b[20] = rnd(2) ? 0x20 : (uint8_t)rnd(64);
			f->b[21] = rnd(2) ? 0 : (uint8_t)rnd(8);
		}
		break;
	case 15: /* another type of ICMPv6, as if from the link */
		v = behind_headers(f, &at, 8);
		if (type_of(f) == 0x86dd && v < f->n) {
			f->b[v] = (uint8_t)(rnd(2) ? 133 + rnd(5) : telling[rnd(COUNT(telling))]);
			f->b[21] = 255;
		}
		break;
	}
}

/* The lengths that the packet gives are those it has, but for a few bytes now and then. */
static void lengths(struct frame *f)
{
	size_t n = f->n - 14;

	if (!rnd(8))
		n -= rnd(12) < n ? rnd(12) % (n + 1) : 0;
	if (type_of(f) == 0x0800)
		copy_to(f, 16, (uint8_t[]){(uint8_t)(n >> 8), (uint8_t)n}, 2);
	if (type_of(f) == 0x86dd && n >= 40)
		copy_to(f, 18, (uint8_t[]){(uint8_t)((n - 40) >> 8), (uint8_t)(n - 40)}, 2);
}

struct frame made_frame(int seed)
{
	struct frame f;

	if (seed >= 0)
		return seeds[seed];
	f = seeds[rnd((uint32_t)have)];
	for (uint32_t i = rnd(5); i > 0; i--)
		change(&f);
	if (rnd(5))
		lengths(&f);
	return f;
}
