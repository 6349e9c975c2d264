/* SPDX-License-Identifier: MPL-2.0 */
/* Whole files and directories of the global zone. For paths inside a zone see kern/path.h. */
#ifndef CLOISTER_BASE_FILE_H
#define CLOISTER_BASE_FILE_H

#include <dirent.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the file's content to out; -EFBIG past max bytes. dirfd as for openat(2). */
int file_read(int dirfd, const char *path, size_t max, struct buf *out, struct err *e);
/* Replaces the file in one rename; durable != 0 adds fsync of the file and its directory. */
int file_replace(const char *path, const void *p, size_t n, mode_t mode, int durable, struct err *e);
/* One write(2) to an existing file (proc, sysfs, cgroup); the text goes out whole or it is an error. */
int file_write(int dirfd, const char *path, const char *text, struct err *e);
/* mkdir -p; existing directories are left as they are. */
int dir_make(const char *path, mode_t mode, struct err *e);
/* Removes a tree below dirfd without following links or crossing mounts' names; a missing one is fine. */
int dir_remove(int dirfd, const char *name, struct err *e);
/* Takes fd over, also when it fails: NULL with errno. fd < 0: NULL. */
DIR *dir_of(int fd);
/* All of p to fd, in spite of EINTR and short writes. */
int fd_write_all(int fd, const void *p, size_t n);
int fd_cloexec(int fd, int on);

#endif
