/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Limits: one write, one read back. A limit that the kernel does not hold afterwards is an error, whatever the write
 * returned. Numbers are compared as the kernel rounds them (memory: whole pages).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"

#define PERIOD_US  100000ULL
#define SHRINK_MS  4000 /* what the kernel gets to reclaim down to a lower limit */
#define WEIGHT_MAX 10000ULL
#define WEIGHT_MIN 1ULL
#define SHARES_MIN 2ULL /* v1 */

static const char *text(uint64_t v, const char *none, char out[32])
{
	if (v == UINT64_MAX)
		snprintf(out, 32, "%s", none);
	else
		snprintf(out, 32, "%llu", (unsigned long long)v);
	return out;
}

/* Writes v to a one-number file and reads it back. UINT64_MAX is written as `none`. */
static int set(const char *path, uint64_t v, const char *none, const char *what, struct err *e)
{
	char t[32], u[32], back[64];
	uint64_t got = 0;
	int r = cgi_write_read(path, text(v, none, t), back, sizeof back);

	if (r < 0)
		return err_sys(e, r, "%s: write %s to %s", what, t, path);
	r = cgi_number_of(back, &got);
	if (r < 0)
		return err_sys(e, r, "%s: read back %s", what, path);
	if (got != v)
		return err_set(e, EINVAL, "%s: the kernel took %s instead of %s in %s", what, text(got, none, u), t, path);
	return 0;
}

int cg_can(const struct cg_host *h, enum cg_ctl ctl, const char *prop, struct err *e)
{
	int tree, r = cgi_where(h, ctl, &tree, e);

	return r < 0 ? err_add(e, "%s", prop) : 0;
}

int cg_can_shares(const struct cg_host *h, uint64_t shares, struct err *e)
{
	int tree, r = cgi_where(h, CG_CPU, &tree, e);

	if (r < 0)
		return err_add(e, "cpu_shares");
	/* the kernel would take less as that, without a word */
	if (shares < (tree >= 0 ? SHARES_MIN : WEIGHT_MIN)) {
		err_set(e, ERANGE, "cpu_shares: %llu is less than this host can weigh (%llu)", (unsigned long long)shares,
			tree >= 0 ? SHARES_MIN : WEIGHT_MIN);
		return err_hint(e, "set cpu_shares to %llu, the least there is, or more", tree >= 0 ? SHARES_MIN : WEIGHT_MIN);
	}
	if (tree < 0 && shares > WEIGHT_MAX)
		return err_set(e, ENOTSUP, "cpu_shares: %llu is more than a cgroup v2 host can weigh (%llu)",
			       (unsigned long long)shares, WEIGHT_MAX);
	return 0;
}

int cg_set_cpu_shares(const struct cg_host *h, const char *uuid, uint64_t shares, struct err *e)
{
	char p[CGI_PATH];
	int tree, r = cg_can_shares(h, shares, e);

	if (r == 0)
		r = cgi_where(h, CG_CPU, &tree, e);
	if (r < 0)
		return r;
	return set(cgi_path(h, tree, uuid, tree >= 0 ? "cpu.shares" : "cpu.weight", p), shares, "", "cpu_shares", e);
}

static int cap_v2(const char *path, uint64_t percent, struct err *e)
{
	char t[64], got[64];
	int r;

	if (percent)
		snprintf(t, sizeof t, "%llu %llu", (unsigned long long)percent * 1000, PERIOD_US);
	else
		snprintf(t, sizeof t, "max %llu", PERIOD_US);
	if (!percent && cgi_read(path, got, sizeof got) == 0 && !strcmp(got, t))
		return 0; /* see below */
	r = cgi_write(path, t);
	if (r == 0)
		r = cgi_read(path, got, sizeof got);
	if (r < 0)
		return err_sys(e, r, "cpu_cap: write %s to %s", t, path);
	if (strcmp(got, t))
		return err_set(e, EINVAL, "cpu_cap: the kernel took \"%s\" instead of \"%s\" in %s", got, t, path);
	return 0;
}

int cg_set_cpu_cap(const struct cg_host *h, const char *uuid, uint64_t percent, struct err *e)
{
	char p[CGI_PATH];
	uint64_t period, quota;
	int tree, r = cgi_where(h, CG_CPU, &tree, e);

	if (r < 0)
		return err_add(e, "cpu_cap");
	if (percent > UINT32_MAX)
		return err_set(e, ERANGE, "cpu_cap: %llu is out of range", (unsigned long long)percent);
	if (tree < 0)
		return cap_v2(cgi_path(h, -1, uuid, "cpu.max", p), percent, e);
	if (percent) {
		/* the period is the kernel's default, unless someone changed it */
		r = cgi_number(cgi_path(h, tree, uuid, "cpu.cfs_period_us", p), &period);
		if (r < 0)
			return err_sys(e, r, "cpu_cap: %s", p);
		if (period != PERIOD_US)
			r = set(p, PERIOD_US, "", "cpu_cap", e);
		if (r < 0)
			return r;
	}
	cgi_path(h, tree, uuid, "cpu.cfs_quota_us", p);
	/* for each write, whatever it says, the kernel walks the groups of the whole host: 0.2 ms with 400 zones */
	if (!percent && cgi_number(p, &quota) == 0 && quota == UINT64_MAX)
		return 0;
	return set(p, percent ? percent * 1000 : UINT64_MAX, "-1", "cpu_cap", e);
}

int cg_set_pids(const struct cg_host *h, const char *uuid, uint64_t max, struct err *e)
{
	char p[CGI_PATH], dir[64];
	int tree, r = cgi_where(h, CG_PIDS, &tree, e);

	if (r < 0)
		return err_add(e, "max_lwps");
	return set(cgi_path(h, tree, cgi_limited(h, tree, uuid, dir), "pids.max", p), max ? max : UINT64_MAX, "max", "max_lwps", e);
}

/* ---- memory ---- */

static int too_big(int r, const char *dir_usage, uint64_t want, struct err *e)
{
	uint64_t used = 0;
	char a[16], b[16];

	if (r != -EBUSY && r != -ETIME)
		return err_sys(e, r, "max_physical_memory");
	(void)cgi_number(dir_usage, &used);
	err_set(e, EBUSY, "max_physical_memory: the zone uses %s, and the kernel could not reclaim it down to %s",
		str_from_bytes(used, a), str_from_bytes(want, b));
	return err_hint(e, "the old limit stays; stop something in the zone, or stop the zone, and set it again");
}

/*
 * v1 does not count the buffers of TCP and UDP sockets as memory: they are a number of its own, and without a limit on it
 * one zone takes what net.ipv4.tcp_mem and udp_mem let the whole host have. A quarter of the memory, beside it.
 */
static int sockets_v1(const struct cg_host *h, const char *uuid, uint64_t phys, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char p[CGI_PATH];

	cgi_path(h, CG_MEMORY, uuid, "memory.kmem.tcp.limit_in_bytes", p);
	if (access(p, F_OK) < 0)
		return 0; /* a kernel without it: docs/limits.md */
	return set(p, phys == UINT64_MAX ? phys : phys / 4 / page * page, "-1", "max_physical_memory (sockets)", e);
}

/* Writes a limit; one below what is used makes the kernel reclaim. */
static int lower(const char *usage, const char *path, uint64_t limit)
{
	uint64_t used;
	char t[32];

	text(limit, "-1", t);
	if (cgi_number(usage, &used) < 0 || used <= limit)
		return cgi_write(path, t);
	return cgi_write_within(path, t, SHRINK_MS);
}

static int memory_v1(const struct cg_host *h, const char *uuid, uint64_t phys, uint64_t total, struct err *e)
{
	char lim[CGI_PATH], sw[CGI_PATH], use[CGI_PATH], both[CGI_PATH], t[32], u[32];
	uint64_t got, old;
	int r;

	cgi_path(h, CG_MEMORY, uuid, "memory.limit_in_bytes", lim);
	cgi_path(h, CG_MEMORY, uuid, "memory.memsw.limit_in_bytes", sw);
	cgi_path(h, CG_MEMORY, uuid, "memory.usage_in_bytes", use);
	cgi_path(h, CG_MEMORY, uuid, "memory.memsw.usage_in_bytes", both);
	text(phys, "-1", t);
	text(total, "-1", u);
	/* limit <= memsw must hold all the way: raising past the old memsw needs memsw first, lowering needs it last */
	r = cgi_number(lim, &old);
	if (r == 0)
		r = lower(use, lim, phys);
	if (r == -EINVAL && h->swap) {
		r = lower(both, sw, total);
		if (r == 0)
			r = lower(use, lim, phys);
	} else if (r == 0 && h->swap) {
		r = lower(both, sw, total);
		if (r < 0) {
			(void)cgi_write(lim, text(old, "-1", t));
			return err_sys(e, r, "max_swap: write %s to %s", u, sw);
		}
	}
	if (r < 0)
		return too_big(r, use, phys, e);
	r = cgi_number(lim, &got);
	if (r == 0 && got == phys && h->swap) {
		r = cgi_number(sw, &got);
		if (r == 0 && got != total)
			return err_set(e, EINVAL, "max_swap: the kernel took %llu instead of %s", (unsigned long long)got, u);
		return r < 0 ? err_sys(e, r, "%s", sw) : 0;
	}
	if (r < 0)
		return err_sys(e, r, "%s", lim);
	if (got != phys)
		return err_set(e, EINVAL, "max_physical_memory: the kernel took %llu instead of %s", (unsigned long long)got, t);
	return 0;
}

/*
 * v2's memory.max kills where v1's write fails with EBUSY. A limit lowered on a running zone therefore goes through
 * memory.high, which reclaims and kills nobody, and is refused when that did not get there.
 */
static int shrink_v2(const struct cg_host *h, const char *uuid, uint64_t phys, struct err *e)
{
	char high[CGI_PATH], cur[CGI_PATH], t[32];
	uint64_t used;
	int r = cgi_number(cgi_path(h, -1, uuid, "memory.current", cur), &used);

	if (r < 0)
		return err_sys(e, r, "%s", cur);
	if (used <= phys)
		return 0;
	cgi_path(h, -1, uuid, "memory.high", high);
	r = cgi_write_within(high, text(phys, "max", t), SHRINK_MS);
	if (r == 0)
		r = cgi_number(cur, &used);
	if (r < 0 || used > phys) {
		(void)cgi_write(high, "max");
		return too_big(r < 0 ? r : -EBUSY, cur, phys, e);
	}
	return 0;
}

static int memory_v2(const struct cg_host *h, const char *uuid, bool accounted, uint64_t phys, uint64_t total, struct err *e)
{
	char max[CGI_PATH], p[CGI_PATH];
	uint64_t swap = total == UINT64_MAX ? UINT64_MAX : phys == UINT64_MAX ? 0 : total - phys;
	int r = 0;

	/* memory and swap together bound memory alone too; with no other bound on it that is the only way to say it */
	if (phys == UINT64_MAX)
		phys = total;
	cgi_path(h, -1, uuid, "memory.max", max);
	if (phys != UINT64_MAX)
		r = shrink_v2(h, uuid, phys, e);
	if (r == 0 && accounted)
		r = set(cgi_path(h, -1, uuid, "memory.swap.max", p), swap, "max", "max_swap", e);
	if (r == 0)
		r = set(max, phys, "max", "max_physical_memory", e);
	if (phys != UINT64_MAX)
		(void)cgi_write(cgi_path(h, -1, uuid, "memory.high", p), "max");
	return r;
}

/* Not accounted: on a host without swap the bound on memory is the one on both. On one with swap nothing would hold it. */
static int no_swap(struct err *e)
{
	struct sysinfo si;

	if (sysinfo(&si) < 0 || si.totalswap == 0)
		return 0;
	err_set(e, ENOTSUP, "max_swap: this host has swap, but its kernel does not account it per zone");
	return err_hint(e, "boot with swapaccount=1, or switch swap off (swapoff -a)");
}

int cg_can_memory(const struct cg_host *h, bool both, struct err *e)
{
	int tree, r = cgi_where(h, CG_MEMORY, &tree, e);

	if (r < 0)
		return err_add(e, "max_physical_memory");
	return both && (tree < 0 ? cgi_v2_has(h, CG_MEMORY, "memory.swap.max") == 0 : !h->swap) ? no_swap(e) : 0;
}

int cg_set_memory(const struct cg_host *h, const char *uuid, uint64_t phys, uint64_t total, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	bool accounted = h->swap;
	char p[CGI_PATH], dir[64];
	int tree, r = cgi_where(h, CG_MEMORY, &tree, e);

	if (r < 0)
		return err_add(e, "max_physical_memory");
	phys = phys ? phys / page * page : UINT64_MAX;
	total = total ? total / page * page : UINT64_MAX;
	if (total != UINT64_MAX && phys != UINT64_MAX && total < phys)
		return err_set(e, EINVAL, "max_swap: it bounds memory and swap together and can't be under max_physical_memory");
	uuid = cgi_limited(h, tree, uuid, dir);
	if (tree < 0) /* the v2 root does not say; the zone's cgroup does */
		accounted = access(cgi_path(h, -1, uuid, "memory.swap.max", p), F_OK) == 0;
	r = accounted || total == UINT64_MAX ? 0 : no_swap(e);
	if (r < 0)
		return r;
	if (!accounted && phys == UINT64_MAX)
		phys = total;
	if (tree < 0)
		return memory_v2(h, uuid, accounted, phys, total, e);
	r = memory_v1(h, uuid, phys, total, e);
	return r < 0 ? r : sockets_v1(h, uuid, phys, e);
}

/* ---- reading ---- */

static void usage_cpu(const struct cg_host *h, const char *uuid, struct cg_usage *u)
{
	char p[CGI_PATH], t[64];
	unsigned long long quota, period;
	uint64_t v;
	int tree;

	/* time used is kept by the v2 tree on every host, whichever holds the controller */
	if (cgi_keyed(cgi_path(h, -1, uuid, "cpu.stat", p), "usage_usec", &v) == 0)
		u->cpu_ns = v * 1000;
	if (cgi_where(h, CG_CPU, &tree, NULL) < 0)
		return;
	(void)cgi_number(cgi_path(h, tree, uuid, tree < 0 ? "cpu.weight" : "cpu.shares", p), &u->cpu_shares);
	if (tree < 0) {
		if (cgi_read(cgi_path(h, -1, uuid, "cpu.max", p), t, sizeof t) == 0 &&
		    sscanf(t, "%llu %llu", &quota, &period) == 2 && period)
			u->cpu_cap = quota * 100 / period;
	} else if (cgi_number(cgi_path(h, tree, uuid, "cpu.cfs_quota_us", p), &v) == 0 && v != UINT64_MAX) {
		uint64_t per;

		if (cgi_number(cgi_path(h, tree, uuid, "cpu.cfs_period_us", p), &per) == 0 && per)
			u->cpu_cap = v * 100 / per;
	}
}

static void usage_memory(const struct cg_host *h, const char *uuid, struct cg_usage *u)
{
	char p[CGI_PATH], dir[64];
	uint64_t v;
	int tree;

	if (cgi_where(h, CG_MEMORY, &tree, NULL) < 0)
		return;
	uuid = cgi_limited(h, tree, uuid, dir);
	if (tree >= 0) {
		(void)cgi_number(cgi_path(h, tree, uuid, "memory.usage_in_bytes", p), &u->mem_bytes);
		(void)cgi_number(cgi_path(h, tree, uuid, "memory.limit_in_bytes", p), &u->mem_limit);
		(void)cgi_number(cgi_path(h, tree, uuid, "memory.max_usage_in_bytes", p), &u->mem_peak);
		(void)cgi_keyed(cgi_path(h, tree, uuid, "memory.oom_control", p), "oom_kill", &u->oom_kills);
		u->mem_swap_bytes = u->mem_bytes;
		if (h->swap) {
			(void)cgi_number(cgi_path(h, tree, uuid, "memory.memsw.limit_in_bytes", p), &u->swap_limit);
			(void)cgi_number(cgi_path(h, tree, uuid, "memory.memsw.usage_in_bytes", p), &u->mem_swap_bytes);
		}
		return;
	}
	(void)cgi_number(cgi_path(h, tree, uuid, "memory.current", p), &u->mem_bytes);
	(void)cgi_number(cgi_path(h, tree, uuid, "memory.max", p), &u->mem_limit);
	(void)cgi_number(cgi_path(h, tree, uuid, "memory.peak", p), &u->mem_peak); /* 5.19 */
	(void)cgi_keyed(cgi_path(h, tree, uuid, "memory.events", p), "oom_kill", &u->oom_kills);
	u->mem_swap_bytes = u->mem_bytes;
	if (cgi_number(cgi_path(h, tree, uuid, "memory.swap.max", p), &v) == 0 && v != UINT64_MAX &&
	    u->mem_limit != UINT64_MAX)
		u->swap_limit = u->mem_limit + v;
	if (cgi_number(cgi_path(h, tree, uuid, "memory.swap.current", p), &v) == 0)
		u->mem_swap_bytes += v;
}

int cg_usage(const struct cg_host *h, const char *uuid, struct cg_usage *out, struct err *e)
{
	struct cg_usage u = {.mem_limit = UINT64_MAX, .pids_limit = UINT64_MAX, .swap_limit = UINT64_MAX};
	char p[CGI_PATH], dir[64];
	int tree;

	if (access(cgi_path(h, -1, uuid, NULL, p), F_OK) < 0)
		return err_sys(e, errno, "%s", p);
	usage_cpu(h, uuid, &u);
	usage_memory(h, uuid, &u);
	if (cgi_where(h, CG_PIDS, &tree, NULL) == 0) {
		uuid = cgi_limited(h, tree, uuid, dir);
		(void)cgi_number(cgi_path(h, tree, uuid, "pids.current", p), &u.pids);
		(void)cgi_number(cgi_path(h, tree, uuid, "pids.max", p), &u.pids_limit);
	}
	*out = u;
	return 0;
}
