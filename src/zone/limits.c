/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "kern/owner.h"
#include "kern/slice.h"
#include "model/prop.h"
#include "model/vm.h"
#include "zone/burst.h"

#define MIB (1ULL << 20)

static uint64_t number(const json_t *rec, const char *key, int64_t otherwise)
{
	int64_t v = vm_int(rec, key, otherwise);

	return v < 0 ? 0 : (uint64_t)v;
}

/* Not a file's time: two changes may be within one tick. */
static void changed(const struct ctx *c)
{
	_free_ char *path = xprintf("%s/limits", c->node.run);
	_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint64_t now = clock_mono_ns();

	if (fd < 0 || pwrite(fd, &now, sizeof now, 0) != sizeof now)
		ctx_log(c, LOG_DEBUG, "%s: limits show in reports when those read all of them", path);
}

uint64_t limits_generation(const struct ctx *c)
{
	_free_ char *path = xprintf("%s/limits", c->node.run);
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t n = 0;

	return fd >= 0 && pread(fd, &n, sizeof n, 0) == sizeof n ? n : 0;
}

int limits_can_reserve(const struct cg_host *h, const json_t *rec, struct err *e)
{
	uint64_t bytes = number(rec, "memory_reservation", 0) * MIB;
	struct sysinfo si;
	int r;

	if (!bytes || !(prop_brand(vm_str(rec, "brand")) & B_HVM) || (h->in_v2[CG_MEMORY] && !h->v1[CG_MEMORY][0]))
		return cg_can_reserve(h, bytes, e);
	if (sysinfo(&si) == 0 && !si.totalswap)
		return 1;
	r = cg_can_reserve(h, bytes, e);
	return r < 0 ? err_hint(e, "its memory controller is on cgroup v1; v2 can, and so can a host without swap, for machines: swapoff -a") : r;
}

int limits_apply(struct ctx *c, const struct cg_host *h, const json_t *rec, struct err *e)
{
	const char *uuid = vm_str(rec, "uuid");
	int r;

	if (!uuid)
		return err_set(e, EINVAL, "limits: the record has no uuid");
	/* memory first: it is the one that the state of the zone can refuse, and then nothing has been changed yet */
	r = cg_set_memory(h, uuid, number(rec, "max_physical_memory", 0) * MIB, number(rec, "max_swap", 0) * MIB, e);
	if (r == 0)
		r = cg_set_cpu_shares(h, uuid, number(rec, "cpu_shares", 100), e);
	if (r == 0)
		r = cg_set_cpu_cap(h, uuid, number(rec, "cpu_cap", 0), e);
	if (r == 0)
		r = limits_can_reserve(h, rec, e);
	if (r >= 0)
		r = cg_set_reservation(h, uuid, r == 1 ? 0 : number(rec, "memory_reservation", 0) * MIB, e);
	if (r == 0)
		r = cg_set_pids(h, uuid, number(rec, "max_lwps", 2000), e);
	changed(c);
	return r;
}

int limits_get(const struct cg_host *h, const char *uuid, pid_t init, struct limits *out, struct err *e)
{
	struct limits l = {.locked = UINT64_MAX, .cpu_baseline = UINT64_MAX, .cpu_burst_time = UINT64_MAX};
	struct rlimit rl;
	int r = cg_usage(h, uuid, &l.usage, e);

	if (r < 0)
		return r;
	l.cpu_shares = l.usage.cpu_shares;
	l.cpu_cap = l.usage.cpu_cap ? l.usage.cpu_cap : UINT64_MAX;
	l.memory = l.usage.mem_limit;
	l.memory_and_swap = l.usage.swap_limit;
	l.lwps = l.usage.pids_limit;
	if (init > 0) {
		if (owner_prlimit(init, RLIMIT_MEMLOCK, NULL, &rl) < 0)
			return err_sys(e, errno, "locked memory of init %d", (int)init);
		if (rl.rlim_max != RLIM_INFINITY)
			l.locked = rl.rlim_max;
	}
	*out = l;
	return 0;
}

void limits_burst(const char *run, const char *uuid, struct limits *l)
{
	struct burst b;

	if (burst_read(run, uuid, &b) < 0)
		return;
	l->cpu_cap = b.conf.cap ? b.conf.cap : UINT64_MAX;
	l->cpu_baseline = b.conf.baseline;
	l->cpu_burst_time = b.conf.limit_ns / 1000000000;
	l->bursting = b.spent_ns / 1000000000;
}

struct lock {
	const struct cg_host *h;
	const char *uuid;
	struct rlimit want;
	unsigned changed;
};

/*
 * prlimit(2) takes a number, not a descriptor. The pidfd is opened first and membership checked after it: when it is
 * still alive behind the call, the number was that process's all the while.
 */
static int lock_one(pid_t pid, void *arg, struct err *e)
{
	struct lock *l = arg;
	struct rlimit old;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r = 0;

	if (fd < 0)
		return 0; /* gone, or a thread */
	if (cg_zone_has(l->h, l->uuid, pid) && owner_prlimit(pid, RLIMIT_MEMLOCK, NULL, &old) == 0 &&
	    (old.rlim_cur != l->want.rlim_cur || old.rlim_max != l->want.rlim_max)) {
		if (owner_prlimit(pid, RLIMIT_MEMLOCK, &l->want, NULL) == 0)
			l->changed++;
		else if (errno != ESRCH)
			r = -errno;
	}
	close(fd);
	if (r == -EPERM) {
		err_set(e, EPERM, "max_locked_memory: this kernel does not let us raise it on running processes");
		return err_hint(e, "it holds from the zone's next boot on: vmadm reboot %s", l->uuid);
	}
	return r < 0 ? err_sys(e, r, "max_locked_memory: process %d", (int)pid) : 0;
}

struct slice {
	const struct cg_host *h;
	const char *uuid;
	uint64_t ns;
	int r; /* first that failed */
};

static int slice_one(pid_t pid, void *arg, struct err *e)
{
	struct slice *s = arg;
	int r = cg_zone_has(s->h, s->uuid, pid) ? slice_set_all(pid, s->ns) : 0;

	s->r = s->r ?: r;
	return 0;
}

int limits_slice_live(const struct ctx *c, const struct cg_host *h, const char *uuid, uint64_t shares, struct err *e)
{
	struct slice s = {h, uuid, slice_of_shares(shares), 0};
	int r = 0;

	/* twice: what was forked meanwhile has its parent's old one */
	for (int pass = 0; pass < 2 && r == 0 && s.r == 0; pass++)
		r = cg_zone_each(h, uuid, slice_one, &s, e);
	if (s.r < 0)
		ctx_log(c, s.r == -EOPNOTSUPP ? LOG_DEBUG : LOG_WARN, "%s: time slice for its cpu_shares: %s", uuid, strerror(-s.r));
	return r;
}

int limits_locked_live(const struct cg_host *h, const char *uuid, uint64_t bytes, struct err *e)
{
	struct lock l = {h, uuid, {bytes, bytes}, 0};

	/* A process that forks meanwhile hands on the old limit: again, until a pass finds all as they should be. */
	for (int pass = 0; pass < 100; pass++) {
		int r;

		l.changed = 0;
		r = cg_zone_each(h, uuid, lock_one, &l, e);
		if (r < 0 || l.changed == 0)
			return r;
	}
	return err_set(e, EAGAIN, "max_locked_memory: the zone forks faster than its processes can be reached");
}
