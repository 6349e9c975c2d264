/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The owner of a user namespace is the user who made it. The kernel charges what the namespace holds (inotify instances and
 * watches, pending signals, message queues, nested namespaces) to that user as well: made by the global zone's root, all
 * zones would share root's one account, and one zone would use it up for the others and the host. So a zone's namespace
 * belongs to the zone's own first id. No process of a zone gains by it: an owner's rights are those of his processes in
 * the namespace above, and there he has none.
 */
#ifndef CLOISTER_KERN_OWNER_H
#define CLOISTER_KERN_OWNER_H

#include <sys/resource.h>
#include <sys/types.h>

/*
 * The calling thread's effective user, with uid 0's capabilities kept: it owns what it makes from here on. 0 goes back.
 * 0 or -1 with errno.
 */
int owner_become(uid_t uid);
/*
 * prlimit(2) on a process of a zone: without CAP_SYS_RESOURCE (a host that is a container itself) it takes the owner's
 * rights over the namespace, which the call borrows. 0 or -1 with errno.
 */
int owner_prlimit(pid_t pid, int resource, const struct rlimit *set, struct rlimit *old);

#endif
