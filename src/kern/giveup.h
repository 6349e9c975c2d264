/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How a program that reads strangers' bytes gives up its rights, before it looks at the first of them. Needs libseccomp, nothing
 * else of ours. The steps are in this order, and each stands where it does because another one needs it there:
 *
 *	root           a folder becomes the root, while we still may chroot(2)
 *	umask, limits  lowered, never raised. No core: what was read may be a key
 *	bounding set   what is not kept goes for good, while CAP_SETPCAP is still there; ambient capabilities with it
 *	ids            groups first, which need CAP_SETGID; the user id last, as it takes the capabilities with it
 *	capset         to what is kept, of what there is: also the inheritable set, which a change of ids leaves alone
 *	dumpable       off: no core by a pipe either (a limit does not hold there), no reading by who has the same user id.
 *	               A change of ids sets it to what fs.suid_dumpable says, so it comes behind that
 *	pdeathsig      taken back by the kernel when ids change, so it comes behind that
 *	no_new_privs   a filter without CAP_SYS_ADMIN needs it, and Landlock; nothing that is executed gets anything back
 *	filter         last, as it allows none of the above: giveup_filter() below
 */
#ifndef CLOISTER_KERN_GIVEUP_H
#define CLOISTER_KERN_GIVEUP_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define GIVEUP_SAME_UID ((uid_t)-1)

struct giveup_limit {
	int what;     /* RLIMIT_…; RLIMIT_AS is not set under AddressSanitizer, whose shadow is larger */
	rlim_t most;
};
struct giveup {
	int root;     /* a descriptor of the folder that becomes the root, not closed; -1: none does */
	uid_t uid;    /* user and group id, not 0; GIVEUP_SAME_UID: those that it has, and no other group */
	mode_t mask;
	uint64_t caps; /* bit n = capability n: kept, if it is there. With a user id of its own nothing can be */
	bool stays;   /* when its parent ends; else it is killed */
	const struct giveup_limit *limit; /* and of cores 0 */
	size_t nlimits;
};
/* All steps but the filter. NULL, or what could not be given up, with errno. Halfway is no state to go on in: the caller ends. */
const char *giveup(const struct giveup *g);

/*
 * A filter that refuses with EPERM all but what every such program is left with: its descriptors' read, write and close, memory
 * without code, the clock, random bytes, its own end (and what AddressSanitizer asks for). NULL: no memory, and it may be passed on.
 */
scmp_filter_ctx giveup_filter(void);
/* Whether these are allowed too. */
bool giveup_allow(scmp_filter_ctx f, const int *calls, size_t n);
/* mmap(2) has that already; mprotect(2) likewise, without PROT_EXEC. */
bool giveup_allow_data(scmp_filter_ctx f, int call);
/* On with it, if all was allowed that was to be (ok), and frees it. NULL, or what failed, with errno. */
const char *giveup_load(scmp_filter_ctx f, bool ok);

#endif
