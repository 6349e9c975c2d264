/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd.h"

void cmd_progress(const struct ctx *c, const char *what, uint64_t done, uint64_t total)
{
	static uint64_t begin, shown; /* of this program: one bar at a time */
	uint64_t now = clock_mono_ns();
	char bar[31];
	unsigned n;

	if (!isatty(2))
		return;
	if (done == 0 || begin == 0)
		begin = now;
	if (now - begin < 1000000000ULL || (now - shown < 100000000ULL && done != total))
		return;
	shown = now;
	if (total == 0) {
		fprintf(stderr, "\r%s: %llu   ", what, (unsigned long long)done);
	} else {
		n = (unsigned)((double)done / (double)total * 30);
		for (unsigned i = 0; i < 30; i++)
			bar[i] = i < n ? '=' : ' ';
		bar[30] = 0;
		fprintf(stderr, "\r%s [%s] %3u%% ", what, bar, (unsigned)((double)done / (double)total * 100));
	}
	if (done == total)
		fputc('\n', stderr);
}
