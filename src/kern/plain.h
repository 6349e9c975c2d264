/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_KERN_PLAIN_H
#define CLOISTER_KERN_PLAIN_H

#include <sys/resource.h>

/* Soft and hard as far as we may: without CAP_SYS_RESOURCE a hard limit can't go up. */
void plain_limit(int which, rlim_t soft, rlim_t hard);
/*
 * What an operator's session, or the unit that started us, has set for itself is not the zone's: a real-time class or a
 * negative nice value would put all of a zone before the host's own programs, a limit of file size would break it.
 */
void plain_self(void);

#endif
