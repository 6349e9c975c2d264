/* SPDX-License-Identifier: MPL-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/sock.h"
#include "zoneadmd/zoneadmd.h"

/* As the kernel names them. */
static const char link_text[] = "anon_inode:seccomp notify";

void listeners_each(pid_t pid, void (*each)(int number, void *arg), void *arg)
{
	char path[32];
	_dir_ DIR *d = NULL;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)(pid ? pid : getpid()));
	d = opendir(path);
	for (struct dirent *ent; d && (ent = readdir(d));) {
		char to[sizeof link_text + 1];
		ssize_t n = readlinkat(dirfd(d), ent->d_name, to, sizeof to);

		if (n == (ssize_t)sizeof link_text - 1 && !memcmp(to, link_text, (size_t)n))
			each(atoi(ent->d_name), arg);
	}
}

int listeners_socket(int run_dir, struct err *e)
{
	if (unlinkat(run_dir, CALLS_SOCK, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s", CALLS_SOCK);
	return sock_hear(run_dir, CALLS_SOCK, 0, e);
}
