/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/sig.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SIGSET 8 /* bytes of the kernel's sigset_t; 64 signals */

void sig_defaults(void)
{
	/* struct sigaction as the kernel has it: all of it zero is SIG_DFL without flags */
	static const unsigned long dfl[4];
	unsigned long none = 0;

	for (int s = 1; s <= KERNEL_SIGSET * 8; s++)
		syscall(SYS_rt_sigaction, s, dfl, NULL, KERNEL_SIGSET);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET);
}
