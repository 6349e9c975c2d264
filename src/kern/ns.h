/* SPDX-License-Identifier: MPL-2.0 */
/* Namespaces of a zone. For single-threaded programs: setns and unshare work on the calling thread. Libc only. */
#ifndef CLOISTER_KERN_NS_H
#define CLOISTER_KERN_NS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Descriptor of /proc/<pid>/ns/<what>; pid 0 = self. */
int ns_open(pid_t pid, const char *what, struct err *e);
/* Back to the network namespace that one came from. There is no going on in another's: a process that can't go back ends. */
void ns_home(int net);
/* 0..65535 in the user namespace of pid become base..base+65535. */
int ns_map_ids(pid_t pid, uint32_t base, struct err *e);
/* Unshares the time namespace so that the next child starts with uptime 0; setns back to the one kept before. */
int ns_time_zero(struct err *e);
/* Loopback up, in the caller's network namespace. */
int ns_lo_up(struct err *e);

#endif
