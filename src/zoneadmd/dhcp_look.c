/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether what asks a DHCP server outside for this zone's addresses still lives (cloister-dhcp): each holds a lock as long as it does. The event
 * tells of one that does not, and the command that writes it starts it again (node/event.c).
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/own.h"
#include "zoneadmd/event.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define CHUNK 16384

/* A line of its table begins with "zone UUID ". */
static bool asks_for(int dir, const char *uuid)
{
	_fd_ int fd = openat(dir, "table", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[CHUNK + 1];
	size_t keep = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + keep, CHUNK - keep)) > 0) {
		size_t all = keep + (size_t)n;

		text[all] = 0;
		if (strstr(text, uuid))
			return true;
		/* one may lie across the end */
		keep = all < 36 ? all : 36;
		memmove(text, text + all - keep, keep);
	}
	return false;
}

static bool is_dead(int dir)
{
	_fd_ int fd = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0;
}

void dhcp_look(const char *uuid)
{
	_fd_ int all = openat(FD_RUN, "../net/dhcp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_dir_ DIR *d = all < 0 ? NULL : fdopendir(dup(all));

	for (struct dirent *o; d && (o = readdir(d));) {
		_fd_ int dir = o->d_name[0] == 'u' ? openat(all, o->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;

		if (dir >= 0 && is_dead(dir) && asks_for(dir, uuid)) {
			event_report("dhcp-stopped", NULL);
			return;
		}
	}
}
