/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_KERN_SIG_H
#define CLOISTER_KERN_SIG_H

/*
 * Every signal's default action and an empty mask, for a process that is about to become somebody else's. What is
 * ignored survives exec, and the C library keeps its own two real-time signals out of sigaction(2)'s reach: whoever
 * started us may have ignored those too, so the kernel is asked directly.
 */
void sig_defaults(void);

#endif
