/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/procs.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/pidfd.h"
#include "stat/aside.h"

#define STUCK_MS  300 /* a process whose arguments take longer is shown without */
#define ZONE_US   1000000 /* so long for all arguments of a zone, and nobody waits for its others */

static uint64_t ticks_now(void)
{
	long hz = sysconf(_SC_CLK_TCK);
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	if (hz <= 0)
		hz = 100;
	return (uint64_t)t.tv_sec * (uint64_t)hz + (uint64_t)t.tv_nsec / (1000000000ULL / (uint64_t)hz);
}

struct listing {
	struct procs *ps;
	unsigned zone;
};

static int list_one(pid_t pid, void *arg, struct err *e)
{
	struct listing *l = arg;
	struct procs *ps = l->ps;

	if (ps->n == ps->cap) {
		ps->cap = ps->cap ? ps->cap * 2 : 64;
		ps->p = xrealloc(ps->p, ps->cap * sizeof *ps->p);
	}
	ps->p[ps->n++] = (struct procs_one){.pid = pid, .zone = l->zone};
	return 0;
}

int procs_list(struct procs *ps, const struct cg_host *h, const char *uuid, unsigned zone, struct err *e)
{
	struct listing l = {ps, zone};

	if (ps->n == 0)
		ps->since = ticks_now();
	return cg_zone_each(h, uuid, list_one, &l, e);
}

struct reading {
	struct procs *ps;
	const struct cg_host *h;
	const char *(*uuid)(unsigned zone, void *arg);
	void *arg;
	unsigned what;
};

/*
 * A pid was in the zone's list a moment ago. A process that began before that is the one of the list: only a younger one
 * has to be asked for its cgroup.
 */
static bool is_in(const struct reading *r, const struct procs_one *p, int dir, const struct proc_stat *st)
{
	char text[4096];
	ssize_t n;

	if (st->start < r->ps->since)
		return true;
	n = proc_read(dir, "cgroup", text, sizeof text - 1);
	if (n < 0)
		return false;
	text[n] = 0;
	return cg_text_has(text, r->h->root, r->uuid(p->zone, r->arg));
}

/* args: room of PROCS_ARGS_MAX, NULL = not those. */
static bool read_one(const struct reading *r, struct procs_one *p, char *args)
{
	_fd_ int dir = proc_open(p->pid);
	char text[4096];
	ssize_t n;

	p->args = NULL;
	p->args_len = 0;
	n = dir < 0 ? dir : proc_read(dir, "stat", text, 1024);
	if (n < 0 || proc_text_stat(text, (size_t)n, &p->stat) < 0 || p->stat.state == 'X' || !is_in(r, p, dir, &p->stat))
		return false;
	if (r->what & PROCS_IDS) {
		n = proc_read(dir, "status", text, sizeof text);
		if (n < 0 || proc_text_status(text, (size_t)n, &p->ids) < 0)
			return false;
	}
	if (args) {
		n = proc_read(dir, "cmdline", args, PROCS_ARGS_MAX);
		if (n == -ESRCH)
			n = 0; /* a zombie's memory is gone */
		if (n >= 0) {
			p->args = args;
			p->args_len = (size_t)n;
		}
	}
	return true;
}

static uint64_t us_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* What the child and we share: how far it is, the processes as it read them, their arguments. */
struct arena {
	_Atomic size_t done, used;
	size_t zones;
	struct procs_one p[]; /* then what each zone has taken in us, then the texts */
};

static uint64_t *arena_spent(struct arena *a, const struct procs *ps, size_t i)
{
	return (uint64_t *)&a->p[ps->n] + ps->p[i].zone;
}

static char *arena_text(struct arena *a, size_t n)
{
	return (char *)&a->p[n] + a->zones * sizeof(uint64_t);
}

__attribute__((noreturn)) static void child(const struct reading *r, struct arena *a)
{
	struct procs *ps = r->ps;

	for (size_t i = a->done; i < ps->n; i++) {
		char *at = arena_text(a, ps->n) + a->used;
		uint64_t *its = arena_spent(a, ps, i), since = us_now();

		a->p[i] = ps->p[i];
		a->p[i].there = read_one(r, &a->p[i], *its >= ZONE_US ? NULL : at);
		*its += us_now() - since;
		a->used += a->p[i].args_len;
		a->done = i + 1;
	}
	_exit(0);
}

/* Until the child has ended, or has not come further for a while: then it is ended. */
static void watch(struct arena *a, pid_t pid, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		size_t before = a->done;
		int n = poll(&p, 1, STUCK_MS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != 0 || a->done == before)
			break;
	}
	aside_end(pid, fd);
}

static int read_aside(const struct reading *r, struct err *e)
{
	struct procs *ps = r->ps;
	struct arena *a;
	unsigned zones = 0;

	for (size_t i = 0; i < ps->n; i++)
		zones = ps->p[i].zone > zones ? ps->p[i].zone : zones;
	ps->arena_len = sizeof *a + ps->n * sizeof a->p[0] + (zones + 1) * sizeof(uint64_t) + (ps->n + 1) * PROCS_ARGS_MAX;
	a = mmap(NULL, ps->arena_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a == MAP_FAILED)
		return err_sys(e, errno, "%zu bytes for arguments", ps->arena_len);
	ps->arena = a;
	a->zones = zones + 1;
	while (a->done < ps->n) {
		_fd_ int fd = -1;
		pid_t pid = aside_clone(&fd);

		if (pid < 0)
			return err_sys(e, (int)pid, "fork");
		if (pid == 0)
			child(r, a);
		watch(a, pid, fd);
		if (a->done < ps->n) {
			size_t i = a->done;

			*arena_spent(a, ps, i) += STUCK_MS * 1000;
			a->p[i] = ps->p[i];
			a->p[i].there = read_one(r, &a->p[i], NULL);
			a->done = i + 1;
		}
	}
	memcpy(ps->p, a->p, ps->n * sizeof ps->p[0]);
	return 0;
}

static int order(const void *x, const void *y)
{
	const struct procs_one *a = x, *b = y;

	if (a->zone != b->zone)
		return a->zone < b->zone ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

int procs_read(struct procs *ps, const struct cg_host *h, const char *(*uuid)(unsigned zone, void *arg), void *arg, unsigned what,
	       struct err *e)
{
	const struct reading r = {ps, h, uuid, arg, what};
	size_t kept = 0;

	if (ps->n && (what & PROCS_ARGS)) {
		int rc = read_aside(&r, e);

		if (rc < 0)
			return rc;
	} else {
		for (size_t i = 0; i < ps->n; i++)
			ps->p[i].there = read_one(&r, &ps->p[i], NULL);
	}
	for (size_t i = 0; i < ps->n; i++)
		if (ps->p[i].there)
			ps->p[kept++] = ps->p[i];
	ps->n = kept;
	if (kept)
		qsort(ps->p, kept, sizeof ps->p[0], order);
	/* one that moved between two cgroups of its zone while we listed them was seen twice */
	kept = 0;
	for (size_t i = 0; i < ps->n; i++)
		if (i == 0 || order(&ps->p[i], &ps->p[kept - 1]) != 0)
			ps->p[kept++] = ps->p[i];
	ps->n = kept;
	return 0;
}

void procs_done(struct procs *ps)
{
	if (ps->arena)
		munmap(ps->arena, ps->arena_len);
	free(ps->p);
	*ps = (struct procs){.p = NULL};
}

struct procs_one *procs_find(const struct procs *ps, pid_t pid)
{
	for (size_t i = 0; i < ps->n; i++)
		if (ps->p[i].pid == pid)
			return &ps->p[i];
	return NULL;
}

int procs_hold(const struct cg_host *h, const char *uuid, const struct procs_one *p, struct err *e)
{
	_fd_ int fd = pidfd_of(p->pid, p->stat.start, e);

	if (fd < 0)
		return fd;
	/*
	 * While the descriptor's process lives, the pid is its. Should it be another's below, ours has ended, and a signal
	 * to the descriptor goes nowhere.
	 */
	if (!cg_zone_has(h, uuid, p->pid))
		return err_sys(e, ESRCH, "process %d", (int)p->pid);
	return take_fd(&fd);
}
