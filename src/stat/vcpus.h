/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine's processors as the kernel serves them: threads of its monitor, known by the names that QEMU gives them ("CPU 0/KVM"). The
 * monitor is not asked, and may hang. One that a guest has taken over can name its threads as it likes, and lies about itself alone.
 */
#ifndef CLOISTER_STAT_VCPUS_H
#define CLOISTER_STAT_VCPUS_H

#include <stddef.h>
#include <stdint.h>

struct stat_vcpus {
	struct stat_vcpu {
		unsigned id;
		uint64_t ran, waited; /* nanoseconds: in the guest or in the monitor for it; ready, without a processor of the host's */
	} *v; /* by name; allocated, stays from round to round */
	size_t n, cap;
	uint64_t ran, now, before; /* of all: ran; waited, and in the round before. CGV_UNKNOWN: nobody told */
};

/* A round: of the threads in tasks, a monitor's /proc/PID/task; -1 = they can't be had. None without names, or where the kernel does not count. */
void stat_vcpus_read(int tasks, struct stat_vcpus *out);
/* Which processor a thread of that name is; -1 = none. Pure. */
int stat_vcpu_of(const char *comm, size_t n);
/* "vcpu0" */
void stat_vcpu_name(const struct stat_vcpu *v, char out[24]);

#endif
