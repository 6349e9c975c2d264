/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/stat_zones.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu.h"
#include "kern/proc.h"
#include "net/router.h"
#include "net/vnic.h"
#include "state/state.h"
#include "zone/burst.h"
#include "zone/ioburst.h"
#include "zone/limits.h"
#include "zone/self.h"
#include "zone/zone.h"

#define SPARE_FDS 64
#define GUEST_MS  500  /* for a machine to tell of itself, half of it after each that does not … */
#define GUEST_MIN 50
#define GUESTS_MS 3000 /* … and for all of them: later ones are left out */
#define VCPUS_MS  1000 /* for threads of all machines, however many those have that were taken over */

int stat_zones_init(const struct ctx *c, unsigned groups, struct stat_sample *s, struct err *e)
{
	struct rlimit l = {.rlim_cur = 1024};
	struct cg_host h;
	unsigned room;
	int r;

	if (zone_inside())
		return err_set(e, ENOTSUP, "this command works in the global zone only");
	r = cg_host_find(c, &h, e);
	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
		(void)getrlimit(RLIMIT_NOFILE, &l);
	}
	room = l.rlim_cur > 1 << 20 ? 1 << 20 : (unsigned)l.rlim_cur;
	stat_init(s, &h, groups, room > SPARE_FDS ? room - SPARE_FDS : 0);
	return 0;
}

struct round {
	const struct ctx *c;
	struct stat_sample *s;
	struct err *e;
	bool nameless;
	uint64_t until; /* for asking machines, however many hang */
	int guest_ms;
	uint64_t vcpus_ns; /* spent on their threads */
};

/* The threads that are its processors: known to the kernel, its monitor is not asked. */
static void vcpus(struct round *r, bool on, const struct zone_run *run, struct stat_zone *z)
{
	_fd_ int proc = -1, tasks = -1, init = -1;
	uint64_t now = clock_mono_ns();

	if (on && r->vcpus_ns < VCPUS_MS * 1000000ULL) {
		proc = proc_open(run->init_pid);
		tasks = proc < 0 ? -1 : openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		init = tasks < 0 ? -1 : zone_pidfd(run, NULL); /* alive with the folder open: it is this one's, not its successor's by number */
	}
	stat_vcpus_read(init < 0 ? -1 : tasks, &z->vcpus);
	r->vcpus_ns += clock_mono_ns() - now;
}

/* Its monitor. */
static void guest(struct round *r, bool on, const char *path, struct stat_zone *z)
{
	uint64_t now = clock_mono_ns();
	struct stat_guest g;

	free(z->guest);
	z->guest = NULL;
	if (!on || now >= r->until)
		return;
	if (stat_guest_ask(path, r->guest_ms, &g) <= 0) {
		if (clock_mono_ns() - now >= (uint64_t)r->guest_ms * 1000000 && r->guest_ms / 2 >= GUEST_MIN)
			r->guest_ms /= 2;
		return;
	}
	z->guest = xalloc(sizeof g);
	*z->guest = g;
}

/* Of a zone that has a monitor, whose socket is there before it runs; others are looked at once. */
static void machine(struct round *r, const struct zone_run *run, struct stat_zone *z)
{
	_free_ char *path = z->plain ? NULL : xprintf("%s/%s/" QEMU_SOCK, r->c->node.run, z->uuid);

	z->plain = !path || access(path, F_OK) < 0;
	if (r->s->groups & STAT_VCPU)
		vcpus(r, !z->plain, run, z);
	if (r->s->groups & STAT_GUEST)
		guest(r, !z->plain, path, z);
}

static void ioburst(const struct ctx *c, const char *uuid, struct stat_ioburst *out)
{
	struct ioburst b;

	*out = (struct stat_ioburst){.limit_s = 0};
	if (ioburst_read(c->node.run, uuid, &b) < 0)
		return;
	out->limit_s = b.conf.limit_ns / 1000000000;
	for (unsigned k = 0; k < IOBURST_N; k++) {
		out->base[k] = b.conf.base[k];
		out->max[k] = b.conf.max[k];
		out->now[k] = ioburst_ceiling(&b, k);
		out->spent_s[k] = b.spent_ns[k] / 1000000000;
	}
}

static int each_zone(const char *uuid, const struct zone_run *run, void *arg)
{
	struct round *r = arg;
	struct stat_zone *z;
	struct burst b;
	int rc = run->running ? stat_take(r->s, uuid, run->zoneid, &z, r->e) : 0;

	if (rc <= 0)
		return rc;
	z->init = run->init_pid;
	z->burst = (struct stat_burst){.on = false};
	if (r->s->groups & STAT_BURST && burst_read(r->c->node.run, uuid, &b) == 0)
		z->burst = (struct stat_burst){true, b.conf.cap, b.conf.baseline, burst_effective(&b), b.conf.limit_ns, b.spent_ns,
					       b.above_ns, b.below_ns};
	if (r->s->groups & STAT_BURST)
		ioburst(r->c, uuid, &z->ioburst);
	z->boot_ns = run->boot_ns;
	if (r->s->groups & (STAT_GUEST | STAT_VCPU))
		machine(r, run, z);
	r->nameless |= !z->name;
	return 0;
}

static int names(const struct vm_row *row, void *arg)
{
	struct stat_sample *s = arg;
	struct stat_zone *z = NULL;
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int d = strcmp(s->z[mid]->uuid, row->uuid);

		if (d == 0) {
			z = s->z[mid];
			break;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (z && !z->name) {
		z->name = xstrdup(row->zonename ?: row->uuid);
		z->alias = row->alias ? xstrdup(row->alias) : NULL;
	}
	return 0;
}

static int each_port(uint32_t ifindex, const struct sw_port *p, const struct sw_count *n, void *arg)
{
	if (p->vnic != ROUTER_VNIC)
		stat_link(arg, p->vnic >> 5, p->name, n);
	return 0;
}

/* Without a switch nothing was carried. */
static int links(const struct ctx *c, struct stat_sample *s, struct err *e)
{
	_clean_(switch_close) struct net_switch sw = NET_SWITCH_INIT;
	int r;

	stat_links_begin(s);
	r = switch_look(c, &sw, e);
	return r == -ENOENT ? 0 : r < 0 ? r : vnic_each(&sw, each_port, s, e);
}

int stat_zones_take(const struct ctx *c, struct stat_sample *s, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	struct round round = {.c = c, .s = s, .e = e, .until = clock_mono_ns() + GUESTS_MS * 1000000ULL, .guest_ms = GUEST_MS};
	int r = stat_begin(s, limits_generation(c), e);

	if (r == 0)
		r = zone_each(c, each_zone, &round, e);
	if (r == 0)
		r = stat_end(s, e);
	if (r == 0 && s->groups & STAT_NET)
		r = links(c, s, e);
	if (r < 0 || !round.nameless)
		return r;
	r = state_open(c, STATE_READ, &st, e);
	if (r == 0)
		r = state_vm_each(st, 0, names, s, e);
	/* a zone that runs and has no record is damaged, but its numbers are not */
	for (size_t i = 0; i < s->n; i++)
		if (!s->z[i]->name)
			s->z[i]->name = xstrdup(s->z[i]->uuid);
	return r == -ENOENT ? 0 : r;
}
