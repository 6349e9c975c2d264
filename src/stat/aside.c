/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kern/pidfd.h"

#define END_MS 300

pid_t aside_clone(int *fd)
{
	pid_t pid = pidfd_clone(0, -1, fd);

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int i = 0; i < 3; i++)
			if (null < 0 || dup2(null, i) < 0)
				_exit(1);
	}
	return pid;
}

void aside_end(pid_t pid, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;

	(void)pidfd_kill(fd, SIGKILL);
	do
		n = poll(&p, 1, END_MS);
	while (n < 0 && errno == EINTR);
	/* should even that have to wait, it is init's to reap */
	if (n > 0)
		(void)waitpid(pid, NULL, 0);
}
