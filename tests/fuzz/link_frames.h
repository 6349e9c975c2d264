/* SPDX-License-Identifier: MPL-2.0 */
/* Frames for fuzz_switch: those of the corpus, and what becomes of them by chance, with an eye to where headers lie. */
#ifndef CLOISTER_FUZZ_LINK_FRAMES_H
#define CLOISTER_FUZZ_LINK_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct frame {
	size_t n; /* 15 at least: the kernel tries no headers alone */
	uint8_t b[400];
};

void rnd_seed(uint64_t seed);
uint32_t rnd(uint32_t below);

/* Reads all files of a folder: bytes in hexadecimal, "#" begins a comment, an empty line ends a frame. How many frames there are. */
unsigned long read_seeds(const char *folder);
unsigned long nseeds(void);
/* One of the corpus as it is, or (-1) one made from it. */
struct frame made_frame(int seed);

#endif
