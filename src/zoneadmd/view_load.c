/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Load averages without a sample when nobody looks. Between two looks the average number of tasks that ran is exact: it is
 * processor time by time. Of those that waited for a processor or for I/O the kernel keeps for how long there was any
 * (pressure); how many they were is taken to be what it is now, and one at least.
 */
#include <string.h>

#include "kern/cgroup_stat.h"
#include "zoneadmd/view.h"

#define STEP 5000000000ULL
#define ONE  (1ULL << VIEW_LOAD_SHIFT)

static struct {
	uint64_t up, used_us, cpu_us, io_us; /* when it was last brought up to date */
	struct view_load l;
} load;

/* a^n, as the kernel has it. */
static uint64_t power(uint64_t a, uint64_t n)
{
	uint64_t r = ONE;

	for (; n; n >>= 1) {
		if (n & 1)
			r = (r * a + ONE / 2) >> VIEW_LOAD_SHIFT;
		a = (a * a + ONE / 2) >> VIEW_LOAD_SHIFT;
	}
	return r;
}

static uint64_t waited_us(const char *file)
{
	char t[256];
	uint64_t p[8];

	if (view_v2(file, t, sizeof t) < 0)
		return 0;
	cg_text_pressure(t, p);
	return p[3] < CGV_NONE ? p[3] : 0;
}

static uint64_t gone(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

void view_load(const struct view_cpu *c, struct view_load *l)
{
	static const uint64_t decay[3] = {1884, 2014, 2037}; /* 5 seconds of 1, 5 and 15 minutes */
	uint64_t steps = gone(c->up_ns, load.up) / STEP;

	if (steps) {
		uint64_t used = c->user_us + c->sys_us, cpu = waited_us("cpu.pressure"), io = waited_us("io.pressure");
		uint64_t dt = gone(c->up_ns, load.up) / 1000, ran = gone(used, load.used_us), w = gone(cpu, load.cpu_us), b = gone(io, load.io_us);
		uint64_t n, wait;

		view_busy(&load.l.running, &load.l.blocked);
		wait = load.l.running > ran / dt ? load.l.running - ran / dt : 0;
		n = (ran + w * (wait ? wait : 1) + b * (load.l.blocked ? load.l.blocked : 1)) * ONE / dt;
		for (int i = 0; i < 3; i++) {
			uint64_t d = power(decay[i], steps);

			load.l.avg[i] = (load.l.avg[i] * d + n * (ONE - d) + (n >= load.l.avg[i] ? ONE - 1 : 0)) >> VIEW_LOAD_SHIFT;
		}
		load.up = c->up_ns;
		load.used_us = used;
		load.cpu_us = cpu;
		load.io_us = io;
	}
	*l = load.l;
}
