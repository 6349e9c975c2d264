/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"

int ns_open(pid_t pid, const char *what, struct err *e)
{
	char path[64];
	int fd;

	if (pid)
		snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, what);
	else
		snprintf(path, sizeof path, "/proc/self/ns/%s", what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "%s", path) : fd;
}

void ns_home(int net)
{
	if (setns(net, CLONE_NEWNET) == 0)
		return;
	dprintf(STDERR_FILENO, "cloister: can't go back to the host's network namespace: %s\n", strerror(errno));
	abort();
}

int ns_map_ids(pid_t pid, uint32_t base, struct err *e)
{
	char path[40], text[40];
	int r;

	snprintf(text, sizeof text, "0 %u 65536\n", base);
	snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
	r = file_write(AT_FDCWD, path, text, e);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	return file_write(AT_FDCWD, path, text, e);
}

int ns_time_zero(struct err *e)
{
	struct timespec mono, boot;
	char text[96];

	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(e, errno, "new time namespace");
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	/* Offsets of the nanoseconds stay 0: the kernel wants 0 ≤ ns, and a fraction of a second does not matter. */
	snprintf(text, sizeof text, "monotonic -%lld 0\nboottime -%lld 0\n", (long long)mono.tv_sec, (long long)boot.tv_sec);
	return file_write(AT_FDCWD, "/proc/self/timens_offsets", text, e);
}

int ns_lo_up(struct err *e)
{
	_fd_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r) < 0)
		return err_sys(e, errno, "bring up lo");
	return 0;
}
