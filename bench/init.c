/* SPDX-License-Identifier: MPL-2.0 */
/* The init of the zones that are measured: writes when it was exec'd (CLOCK_REALTIME, ns) to /stamp, then only waits. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	struct timespec t;
	char b[32];
	int fd, n;

	clock_gettime(CLOCK_REALTIME, &t);
	n = snprintf(b, sizeof b, "%lld\n", (long long)t.tv_sec * 1000000000LL + t.tv_nsec);
	fd = open("/stamp", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd >= 0) {
		if (write(fd, b, (size_t)n) != n)
			return 1;
		close(fd);
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;)
		pause();
}
