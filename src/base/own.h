/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ownership that shows at the declaration.
 *
 *	_fd_ int fd = -1;          closed at the end of the scope
 *	_free_ char *s = NULL;     freed
 *	return take_fd(&fd);       hands it to the caller instead
 */
#ifndef CLOISTER_BASE_OWN_H
#define CLOISTER_BASE_OWN_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void own_fd(int *fd)
{
	int e = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = e;
}
static inline void own_free(void *p)
{
	free(*(void **)p);
}
static inline void own_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}
static inline void own_file(FILE **f)
{
	if (*f)
		fclose(*f);
}
static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#define _fd_   __attribute__((cleanup(own_fd)))
#define _free_ __attribute__((cleanup(own_free)))
#define _dir_  __attribute__((cleanup(own_dir)))
#define _file_ __attribute__((cleanup(own_file)))
/* Any type with a destructor `void f(T **)`: _clean_(buf_done) struct buf b = BUF_INIT; */
#define _clean_(f) __attribute__((cleanup(f)))

#define take(p)                                                                                                \
	({                                                                                                     \
		__auto_type take_ = (p);                                                                       \
		(p) = NULL;                                                                                    \
		take_;                                                                                         \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
