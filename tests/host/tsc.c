/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Prints how many thousand ticks a second this machine's time stamp counter makes. QEMU hands it to an emulated machine as it
 * is, and a kernel that measures it while others have the processors can be wrong by a factor: its clock then runs fast.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Both clocks at one moment: of many attempts the one that nothing came between. */
static void both(uint64_t *tsc, uint64_t *when)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 2000; i++) {
		uint64_t a = ns(), t = __rdtsc(), b = ns();

		if (b - a < least) {
			least = b - a;
			*tsc = t;
			*when = a + (b - a) / 2;
		}
	}
}

int main(void)
{
	uint64_t t0 = 0, n0 = 0, t1 = 0, n1 = 0;

	both(&t0, &n0);
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	both(&t1, &n1);
	printf("%.0f\n", (double)(t1 - t0) * 1e6 / (double)(n1 - n0));
	return 0;
}
