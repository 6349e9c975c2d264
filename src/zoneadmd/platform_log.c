/* SPDX-License-Identifier: MPL-2.0 */
/* What commands that a zone's keeper and worker call have to say about it: platform.log, and one before. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "zoneadmd/zoneadmd.h"

#define LOG_MAX (1 << 20) /* a zone may have its lines come again and again */

static int open_log(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int platform_log(const char *log_dir)
{
	char path[512], old[512];
	struct stat st, at;
	int fd;

	snprintf(path, sizeof path, "%s/platform.log", log_dir);
	snprintf(old, sizeof old, "%s/platform.log.1", log_dir);
	fd = open_log(path);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < LOG_MAX)
		return fd;
	/* of several who find it full, one puts it away */
	if (flock(fd, LOCK_EX) == 0 && lstat(path, &at) == 0 && at.st_ino == st.st_ino && at.st_dev == st.st_dev)
		rename(path, old);
	close(fd);
	return open_log(path);
}
