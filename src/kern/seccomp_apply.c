/* SPDX-License-Identifier: MPL-2.0 */
/* Apart from seccomp.c because zoneadmd needs this and nothing of libseccomp. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kern/seccomp.h"

int seccomp_apply(const void *prog, size_t bytes, struct err *e)
{
	struct sock_fprog f = {.len = (unsigned short)(bytes / sizeof(struct sock_filter)), .filter = (void *)prog};

	if (bytes == 0 || bytes % sizeof(struct sock_filter) || bytes / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_set(e, EINVAL, "system call filter: %zu bytes are not a program", bytes);
	/* No SPEC_ALLOW flag: a host that is booted to mitigate for filtered programs means zones too. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f) < 0)
		return err_sys(e, errno, "system call filter");
	return 0;
}
