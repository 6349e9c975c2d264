/* SPDX-License-Identifier: MPL-2.0 */
/* cloister ptree: the processes of zones as trees, or the branch that one of them is on, from the global zone. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/safe.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/zone_pick.h"
#include "stat/procs.h"

#define DEPTH_MAX 64 /* deeper ones are shown no further to the right */

struct tree {
	const struct procs *ps;
	const struct zone_pick *zones;
	size_t *parent;     /* place in ps; itself for a root */
	size_t *child, *next; /* first child and next of the same parent; SIZE_MAX = none */
	struct buf out;
};

static int by_pid(const void *x, const void *y, void *arg)
{
	const struct procs_one *p = arg, *a = &p[*(const size_t *)x], *b = &p[*(const size_t *)y];

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static size_t find(const struct procs *ps, const size_t *sorted, pid_t pid)
{
	size_t lo = 0, hi = ps->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		pid_t at = ps->p[sorted[mid]].pid;

		if (at == pid)
			return sorted[mid];
		if (at < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return SIZE_MAX;
}

/* Who is whose child. A parent in another zone, or in none, makes a root. */
static void grow(struct tree *t)
{
	size_t n = t->ps->n;
	_free_ size_t *sorted = xalloc((n + 1) * sizeof *sorted);

	t->parent = xalloc((n + 1) * sizeof *t->parent);
	t->child = xalloc((n + 1) * sizeof *t->child);
	t->next = xalloc((n + 1) * sizeof *t->next);
	for (size_t i = 0; i < n; i++) {
		sorted[i] = i;
		t->child[i] = t->next[i] = SIZE_MAX;
	}
	qsort_r(sorted, n, sizeof *sorted, by_pid, t->ps->p);
	for (size_t i = n; i-- > 0;) {
		const struct procs_one *p = &t->ps->p[i];
		size_t up = find(t->ps, sorted, p->stat.ppid);

		t->parent[i] = i;
		/* pids may have been reused while we looked: a parent that is younger is none, so there are no rings */
		if (up == SIZE_MAX || up == i || t->ps->p[up].zone != p->zone || t->ps->p[up].stat.start > p->stat.start ||
		    (t->ps->p[up].stat.start == p->stat.start && t->ps->p[up].pid > p->pid))
			continue;
		t->parent[i] = up;
		t->next[i] = t->child[up];
		t->child[up] = i;
	}
}

static void line(struct tree *t, size_t i, unsigned depth)
{
	const struct procs_one *p = &t->ps->p[i];
	char zone[16] = "-";

	if (p->ids.zone_pid)
		snprintf(zone, sizeof zone, "%d", (int)p->ids.zone_pid);
	buf_printf(&t->out, "%*s%-7d %-7s ", 2 * (int)(depth < DEPTH_MAX ? depth : DEPTH_MAX), "", (int)p->pid, zone);
	if (p->args_len) {
		safe_add_args(&t->out, p->args, p->args_len);
	} else {
		buf_puts(&t->out, p->stat.state == 'Z' ? "" : "[");
		safe_add(&t->out, p->stat.comm, p->stat.comm_len);
		buf_puts(&t->out, p->stat.state == 'Z' ? " <defunct>" : "]");
	}
	buf_puts(&t->out, "\n");
}

/* Walks without recursion: a zone may have made a chain as long as its max_lwps. */
static void branch(struct tree *t, size_t root, unsigned depth)
{
	size_t at = root;

	for (;;) {
		line(t, at, depth);
		if (t->child[at] != SIZE_MAX) {
			at = t->child[at];
			depth++;
			continue;
		}
		while (at != root && t->next[at] == SIZE_MAX) {
			at = t->parent[at];
			depth--;
		}
		if (at == root)
			return;
		at = t->next[at];
	}
}

static void head(struct tree *t, unsigned zone)
{
	buf_printf(&t->out, "%s\n", t->zones->z[zone].name);
}

static void all(struct tree *t)
{
	unsigned zone = UINT32_MAX;

	for (size_t i = 0; i < t->ps->n; i++) {
		if (t->ps->p[i].zone != zone)
			head(t, zone = t->ps->p[i].zone);
		if (t->parent[i] == i)
			branch(t, i, 1);
	}
}

/* Its ancestors in the zone, then it and what comes of it. */
static int one(struct tree *t, pid_t pid, struct err *e)
{
	_free_ size_t *up = NULL;
	size_t n = 0, at = SIZE_MAX;

	for (size_t i = 0; i < t->ps->n; i++)
		if (t->ps->p[i].pid == pid)
			at = i;
	if (at == SIZE_MAX)
		return err_set(e, ESRCH, "process %d is in none of these zones", (int)pid);
	head(t, t->ps->p[at].zone);
	for (size_t i = at; t->parent[i] != i; i = t->parent[i]) {
		up = xrealloc(up, (n + 1) * sizeof *up);
		up[n++] = t->parent[i];
	}
	for (size_t i = n; i-- > 0;)
		line(t, up[i], (unsigned)(n - i));
	branch(t, at, (unsigned)n + 1);
	return 0;
}

static int show(struct ctx *c, struct zone_pick *zones, uint64_t pid, struct err *e)
{
	_clean_(procs_done) struct procs ps = {.p = NULL};
	struct tree t = {.ps = &ps, .zones = zones};
	int r = zone_pick_procs(c, zones, &ps, PROCS_IDS | PROCS_ARGS, e);

	if (r < 0)
		return r;
	grow(&t);
	if (pid)
		r = one(&t, (pid_t)pid, e);
	else
		all(&t);
	if (r == 0)
		fputs(buf_str(&t.out), stdout);
	buf_done(&t.out);
	free(t.parent);
	free(t.child);
	free(t.next);
	return r;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct zone_pick zones = {.z = NULL};
	struct err e = ERR_INIT;
	uint64_t pid = 0;
	int opt, r = 0;

	optind = 1;
	while (r == 0 && (opt = getopt(argc, argv, "+z:")) != -1) {
		if (opt != 'z')
			r = cmd_usage("cloister", "ptree", NULL);
		else if (zone_pick_add(c, &zones, optarg, &e) < 0)
			r = cmd_fail(c, &e);
	}
	if (r == 0 && (argc - optind > 1 || (argc > optind && (str_to_u64(argv[optind], &pid) < 0 || pid == 0 || pid > INT32_MAX))))
		r = cmd_usage("cloister", "ptree", "one process, by its pid");
	if (r == 0 && show(c, &zones, pid, &e) < 0)
		r = cmd_fail(c, &e);
	zone_pick_done(&zones);
	return r;
}

CMD(cloister_ptree, "cloister", "ptree", "[-z zone]... [pid]", "show the processes of zones as trees", CMD_NONE, run);
