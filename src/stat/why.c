/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/why.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

#define FULL(used, all) ((all) > 0 && (used) >= (all) - (all) / 50) /* to 98 % */

struct finding {
	const struct why_facts *f;
	struct why *out;
	size_t n;
};

static bool known(uint64_t v)
{
	return v < CGV_NONE;
}

static uint64_t grown(const struct why_facts *f, enum cg_value v)
{
	return known(f->now[v]) && known(f->then[v]) && f->now[v] > f->then[v] ? f->now[v] - f->then[v] : 0;
}

static double rate(const struct why_facts *f, enum cg_value v)
{
	return f->seconds > 0 ? (double)grown(f, v) / f->seconds : 0;
}

unsigned why_waited(const struct why_facts *f, enum cg_value psi)
{
	double p = rate(f, psi + 3) / 1e4;

	return p > 100 ? 100 : (unsigned)(p + 0.5);
}

const char *why_since(const struct why_facts *f, enum cg_value psi)
{
	uint64_t now = f->now[psi], minute = f->now[psi + 1], five = f->now[psi + 2];

	if (known(now) && known(five) && five * 2 >= now && now > 0)
		return "for five minutes or more";
	return known(now) && known(minute) && minute * 2 >= now && now > 0 ? "for about a minute" : "for some seconds";
}

__attribute__((format(printf, 4, 5))) static void add(struct finding *w, const char *cause, double weight, const char *fmt, ...)
{
	struct why *y = &w->out[w->n];
	va_list ap;

	if (w->n == WHY_MAX || weight < 1)
		return;
	y->cause = cause;
	y->weight = weight > 1000 ? 1000 : (unsigned)weight;
	va_start(ap, fmt);
	vsnprintf(y->text, sizeof y->text, fmt, ap);
	va_end(ap);
	w->n++;
}

/* "blue 0.80, [system] 0.15" */
static const char *others(const struct why_use u[WHY_OTHERS], bool bytes, char out[200])
{
	size_t n = 0;
	char t[16];

	out[0] = 0;
	for (int i = 0; i < WHY_OTHERS && u[i].v > 0 && n < 150; i++) {
		if (bytes)
			n += (size_t)snprintf(out + n, 200 - n, "%s%.40s %s/s", i ? ", " : "", u[i].name, str_from_bytes(u[i].v, t));
		else
			n += (size_t)snprintf(out + n, 200 - n, "%s%.40s %.2f", i ? ", " : "", u[i].name, (double)u[i].v / 1000);
	}
	return out;
}

static void halted(struct finding *w)
{
	const struct why_facts *f = w->f;

	if (f->frozen)
		add(w, "frozen", 1000, "its cgroup is frozen, so that none of its %u processes runs", f->procs);
	if (f->stopped && f->stopped * 2 >= f->procs) /* fewer are somebody's job in the background */
		add(w, "stopped", 500, "%u of its %u processes are stopped by a signal (SIGSTOP or a terminal's)", f->stopped,
		    f->procs);
	if (f->restarts >= 2)
		add(w, "restarts", 400 + f->restarts, "its init has ended and been started again %u times in the last ten minutes", f->restarts);
}

static void processors(struct finding *w)
{
	const struct why_facts *f = w->f;
	uint64_t periods = grown(f, CGV_PERIODS), hit = grown(f, CGV_THROTTLED);
	unsigned held = periods ? (unsigned)(hit * 100 / periods) : 0, waited = why_waited(f, CGV_PSI_CPU);
	double cap = known(f->now[CGV_CPU_QUOTA]) && known(f->now[CGV_CPU_PERIOD]) && f->now[CGV_CPU_PERIOD]
			     ? (double)f->now[CGV_CPU_QUOTA] * 100 / (double)f->now[CGV_CPU_PERIOD] : 0;
	uint64_t rest = f->host_used > f->used ? f->host_used - f->used : 0;
	char t[200];

	held = held > 100 ? 100 : held;
	if (held >= 5)
		add(w, "cpu_cap", held > 90 ? 90 : held, "held back by its cap of %.0f %% of a processor in %u %% of the time slices; it used %.2f processors",
		    cap, held, (double)f->used / 1000);
	/* the kernel counts what the cap holds back as waiting for a processor too */
	if (held >= 5 || waited < 10)
		return;
	if (f->host_used * 100 < (uint64_t)f->cpus * 1000 * 85 || f->used * 4 > rest * 5)
		add(w, "cpu", waited * 0.5, "its own processes wait for each other: some waited for a processor in %u %% of the time, %s; it used %.2f of %u", waited,
		    why_since(f, CGV_PSI_CPU), (double)f->used / 1000, f->cpus);
	else
		add(w, "cpu", waited * 0.8, "waits for a processor in %u %% of the time, %s, while others use them: %s; it used %.2f, its shares are worth %.2f",
		    waited, why_since(f, CGV_PSI_CPU), others(f->cpu, false, t), (double)f->used / 1000, (double)f->share / 1000);
}

static void memory(struct finding *w)
{
	const struct why_facts *f = w->f;
	uint64_t cap = f->now[CGV_MEM_CAP], used = f->now[CGV_MEM];
	unsigned waited = why_waited(f, CGV_PSI_MEM);
	double over = rate(f, CGV_MEM_OVER), faults = rate(f, CGV_MAJFAULTS) + rate(f, CGV_REFAULTS);
	bool at_cap = known(cap) && known(used) && used >= cap - cap / 20;
	char c[16] = "-", u[16] = "-", why[120] = "memory had run out";

	if (known(cap))
		str_from_bytes(cap, c);
	if (known(used))
		str_from_bytes(used, u);
	/* whose memory had come to an end: the event says, of a kill just now what the cap has counted */
	if (f->host_ooms && f->host_ooms == f->ooms)
		snprintf(why, sizeof why, "the host was out of memory");
	else if (known(cap) && (grown(f, CGV_OOM) ? at_cap || grown(f, CGV_MEM_OVER) : f->ooms > 0))
		snprintf(why, sizeof why, "it had used up its max_physical_memory of %s%s", c, f->host_ooms ? ", or the host was out of memory" : "");
	if (grown(f, CGV_OOM))
		add(w, "memory", 300, "%" PRIu64 " of its processes were killed just now, for %s", grown(f, CGV_OOM), why);
	else if (f->ooms + f->host_ooms)
		add(w, "memory", f->oom_ago < 60 ? 95 : 70, "%u of its processes were killed in the last ten minutes, %.0f seconds ago the last one, for %s",
		    f->ooms, f->oom_ago, why);
	if (at_cap && over >= 1 && (waited >= 5 || faults >= 20))
		add(w, "memory", 60 + waited * 0.4, "has %s of its max_physical_memory of %s and needs more: what it still uses is taken out %.0f times a second and read back %.0f times; some process waited for memory in %u %% of the time, %s",
		    u, c, over, faults, waited, why_since(f, CGV_PSI_MEM));
	else if (waited >= 10)
		add(w, "memory", 40 + waited * 0.5, "waits for memory in %u %% of the time, %s, with %s of %s in use%s", waited, why_since(f, CGV_PSI_MEM), u, c,
		    at_cap ? "" : ": it is the host that is short of it");
	else if (at_cap && over >= 1)
		add(w, "memory", 8, "its file cache fills its max_physical_memory of %s; that costs it little", c);
}

/* At a ceiling of its own: the device is not to blame. True if so. */
static bool ceilings(struct finding *w, unsigned waited)
{
	static const struct {
		const char *prop, *what;
		bool bytes;
	} k[] = {{"io_read_bps", "reads", true}, {"io_write_bps", "writes", true}, {"io_read_iops", "reads", false}, {"io_write_iops", "writes", false}};
	const struct why_facts *f = w->f;
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		double used = f->seconds > 0 ? (double)f->io_used[i] / f->seconds : 0;
		char t[24];

		/* a lump more or less in the window; what only comes near it by chance waits for nothing */
		if (!f->io_limit[i] || used < (double)f->io_limit[i] * 0.8 || waited < 10)
			continue;
		if (k[i].bytes)
			str_from_bytes(f->io_limit[i], t);
		else
			snprintf(t, sizeof t, "%" PRIu64, f->io_limit[i]);
		add(w, k[i].prop, 5 + waited * 0.85, "held back by its ceiling of %s %s a second; it waited for that in %u %% of the time, %s%s", t, k[i].bytes ? "bytes" : k[i].what,
		    waited, why_since(f, CGV_PSI_IO), f->io_spent[i] ? "; its burst (io_burst_time) is spent" : "");
		found = true;
	}
	return found;
}

static void disks(struct finding *w)
{
	const struct why_facts *f = w->f;
	unsigned waited = why_waited(f, CGV_PSI_IO);
	char busy[100] = "", t[200], used[16], all[16], size[16], lie[16];

	if (f->quota && f->disks && FULL(f->quota_used, f->quota))
		add(w, "quota", 250, "its quota with room for its disks of %s, %s in all, is full: its guest stops (io-error). %s are in use and its disks have %s of that; the rest is snapshots, files beside them, and what overwritten blocks hold until the disks are defragmented (docs/hvm.md)",
		    str_from_bytes(f->disks, size), str_from_bytes(f->quota, all), str_from_bytes(f->quota_used, used), str_from_bytes(f->disks_used, lie));
	else if (f->quota && FULL(f->quota_used, f->quota))
		add(w, "quota", 250, "its quota of %s is full (%s in use): writes fail with EDQUOT", str_from_bytes(f->quota, all), str_from_bytes(f->quota_used, used));
	if (f->pool && FULL(f->pool_used, f->pool))
		add(w, "pool", 260, "the pool is full (%s of %s): writes of all zones fail", str_from_bytes(f->pool_used, used), str_from_bytes(f->pool, all));
	if (*f->tmpfs)
		add(w, "tmpfs", 62, "%s is full (%s): writes there fail with ENOSPC", f->tmpfs, str_from_bytes(f->tmpfs_size, all));
	if (f->disk_busy >= 50)
		snprintf(busy, sizeof busy, "; the host's %.40s was busy in %u %% of it", f->disk, f->disk_busy);
	others(f->io, true, t);
	if (ceilings(w, waited))
		return;
	if (f->blocked)
		add(w, "disk", 87, "%u of its processes (%.64s) waited for a disk or a file system all the %.1f seconds and could not be interrupted%s%s%s", f->blocked,
		    f->blocked_name, f->seconds, busy, *t ? "; others did most of the I/O: " : "", t);
	else if (waited >= 10)
		add(w, "disk", waited * 0.85, "waits for a disk in %u %% of the time, %s%s%s%s", waited, why_since(f, CGV_PSI_IO), busy, *t ? "; others did I/O: " : "", t);
}

static void counts(struct finding *w)
{
	const struct why_facts *f = w->f;
	uint64_t lwps = f->now[CGV_LWPS], cap = f->now[CGV_LWPS_CAP];
	uint64_t refused = grown(f, CGV_LWPS_OVER);

	if (refused)
		add(w, "max_lwps", 280, "%" PRIu64 " forks were refused in %.1f seconds: it has %" PRIu64 " of its max_lwps of %" PRIu64 " threads", refused, f->seconds,
		    known(lwps) ? lwps : 0, known(cap) ? cap : 0);
	else if (known(cap) && known(lwps) && lwps >= cap)
		add(w, "max_lwps", 93, "it has all threads that its max_lwps of %" PRIu64 " allows: the next fork fails", cap);
	if (f->fd_pid)
		add(w, "descriptors", 91, "process %d (%.64s) has all %" PRIu64 " descriptors open that it may (RLIMIT_NOFILE): open fails with EMFILE", f->fd_pid, f->fd_name,
		    f->fd_limit);
}

static int by_weight(const void *x, const void *y)
{
	const struct why *a = x, *b = y;

	return (a->weight < b->weight) - (a->weight > b->weight);
}

size_t why_find(const struct why_facts *f, struct why out[WHY_MAX])
{
	struct finding w = {f, out, 0};

	halted(&w);
	counts(&w);
	disks(&w);
	memory(&w);
	processors(&w);
	qsort(out, w.n, sizeof *out, by_weight);
	return w.n;
}
