/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine's own numbers, which its monitor tells: its disks, as its guest uses them, and memory, in the words of its guest's balloon
 * driver. Both may be a guest's inventions: they are numbers here and no more.
 */
#ifndef CLOISTER_STAT_GUEST_H
#define CLOISTER_STAT_GUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_NONE UINT64_MAX /* it is not told */

/* By name, as kstat has them; 10ms_ops are those of 10 ms to 100 ms, and so on. */
enum guest_disk { GD_100MS, GD_10MS, GD_10S, GD_1S, GD_FLUSH_TIME, GD_FLUSHES, GD_NREAD, GD_NWRITTEN, GD_READ_TIME, GD_READS, GD_WRITE_TIME, GD_WRITES, GD_COUNT };
enum guest_mem { GM_ACTUAL, GM_AVAILABLE, GM_CACHES, GM_FREE, GM_MAJFAULT, GM_MINFAULT, GM_SWAPIN, GM_SWAPOUT, GM_TOTAL, GM_COUNT };

struct stat_guest {
	bool on;
	struct stat_disk {
		char name[32];
		uint64_t v[GD_COUNT];
	} d[32]; /* by name */
	size_t n;
	uint64_t mem[GM_COUNT];
};

/*
 * From the control socket of a machine's monitor, within ms; what it does not say in time is not told. 1 = it is a machine, and *out filled;
 * 0 = it is none, or does not answer.
 */
int stat_guest_ask(const char *path, int ms, struct stat_guest *out);
/* Of its answers, for that and for tests: query-blockstats, query-balloon, the balloon's guest-stats; NULL = none. */
void stat_guest_read(const json_t *disks, const json_t *balloon, const json_t *memory, struct stat_guest *out);

#endif
