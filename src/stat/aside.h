/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Work that something hostile may hold up, done in a child: whoever waits for it can leave it behind. What has been ended
 * may go on waiting in the kernel for as long as it likes; it has none of our standard descriptors that others wait on.
 */
#ifndef CLOISTER_STAT_ASIDE_H
#define CLOISTER_STAT_ASIDE_H

#include <sys/types.h>

/* As fork; fd: the child's, readable as it ends. In the child 0, 1 and 2 are /dev/null. -errno. */
pid_t aside_clone(int *fd);
/* Ends it, and waits a moment for that. */
void aside_end(pid_t pid, int fd);

#endif
