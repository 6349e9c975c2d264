/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A way into a zone that has used up its memory or its processes.
 *
 * A zone that filled its memory with a tmpfs has nothing the kernel could reclaim: whoever comes in is killed, or
 * worse, gets one of the zone's own processes killed. So a login that finds no room is accounted in a cgroup of its
 * own beside the zone's, with a small limit of its own, for that controller alone; cpu, and on the v2 tree identity,
 * kill, freeze and devices, stay the zone's. The zone's root may take such a process over: it gains those few
 * megabytes and no more, until the zone is halted.
 *
 *	<cloister>/_rescue/<uuid>      v1 memory, v1 pids; there while a session needs it
 *	<cloister>/<uuid>/rescue       v2, where a process has one place for all controllers: beside the cgroup of the
 *	                               zone and its other logins, which has the limits (CGI_ALL)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/cgroup_io.h"

#define RESCUE_MEMORY  (64u << 20)
#define RESCUE_PIDS    64u
#define RESCUE_SOCKETS (16u << 20)
#define ROOM_MEMORY    (16u << 20) /* less than this, even after dropping clean cache, is "used up" */
#define ROOM_PIDS      8u

static bool memory_full(const struct cg_host *h, const char *uuid)
{
	bool v1 = h->v1[CG_MEMORY][0];
	int tree = v1 ? CG_MEMORY : -1;
	uint64_t limit, used, in = 0, act = 0, room;
	char p[CGI_PATH], dir[64];

	cgi_limited(h, tree, uuid, dir);
	if (cgi_number(cgi_path(h, tree, dir, v1 ? "memory.limit_in_bytes" : "memory.max", p), &limit) < 0 || limit == UINT64_MAX ||
	    cgi_number(cgi_path(h, tree, dir, v1 ? "memory.usage_in_bytes" : "memory.current", p), &used) < 0)
		return false;
	room = limit / 4 < ROOM_MEMORY ? limit / 4 : ROOM_MEMORY;
	if (used + room <= limit)
		return false;
	/* a zone that has run for a while is always full of file cache, which makes room on demand */
	cgi_path(h, tree, dir, "memory.stat", p);
	cgi_keyed(p, v1 ? "total_inactive_file" : "inactive_file", &in);
	cgi_keyed(p, v1 ? "total_active_file" : "active_file", &act);
	return used + room > limit + in + act;
}

static bool pids_full(const struct cg_host *h, const char *uuid)
{
	int tree = h->v1[CG_PIDS][0] ? CG_PIDS : -1;
	uint64_t max, now;
	char p[CGI_PATH], dir[64];

	cgi_limited(h, tree, uuid, dir);
	return cgi_number(cgi_path(h, tree, dir, "pids.max", p), &max) == 0 && max != UINT64_MAX &&
	       cgi_number(cgi_path(h, tree, dir, "pids.current", p), &now) == 0 && now + ROOM_PIDS > max;
}

static int limit_to(const char *p, uint64_t limit, struct err *e)
{
	char text[32];
	uint64_t now;
	int r = cgi_number(p, &now);

	snprintf(text, sizeof text, "%llu", (unsigned long long)limit);
	if (r == 0 && now != limit)
		r = cgi_write(p, text);
	if (r == 0)
		r = cgi_number(p, &now);
	if (r == 0 && now != limit)
		r = -EIO;
	return r < 0 ? err_sys(e, r, "write %s to %s", text, p) : 0;
}

/* Swap and the buffers of sockets are numbers of their own on v1: without a limit this would be the way round the zone's. */
static int bound_memory(const struct cg_host *h, const char *sub, struct err *e)
{
	static const struct {
		const char *file;
		uint64_t limit;
		bool must;
	} to[] = {
		{"memory.limit_in_bytes", RESCUE_MEMORY, true},
		{"memory.memsw.limit_in_bytes", RESCUE_MEMORY, false},
		{"memory.kmem.tcp.limit_in_bytes", RESCUE_SOCKETS, false},
	};
	char p[CGI_PATH];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(to); i++) {
		cgi_path(h, CG_MEMORY, sub, to[i].file, p);
		if (to[i].must || access(p, F_OK) == 0) /* not every kernel counts them */
			r = limit_to(p, to[i].limit, e);
	}
	return r;
}

/* Makes the place, sets its limit, and puts its tasks file where the zone's stood in path[]. */
static int divert(const struct cg_host *h, enum cg_ctl ctl, const char *uuid, char path[CG_JOIN_MAX][256], int n,
		  struct err *e)
{
	char zone[CGI_PATH], p[CGI_PATH];
	_free_ char *sub = xprintf("_rescue/%s", uuid);
	int r;

	cgi_path(h, ctl, uuid, "tasks", zone);
	if ((mkdir(cgi_path(h, ctl, "_rescue", NULL, p), 0755) < 0 && errno != EEXIST) ||
	    (mkdir(cgi_path(h, ctl, sub, NULL, p), 0755) < 0 && errno != EEXIST))
		return err_sys(e, errno, "mkdir %s", p);
	if (ctl == CG_MEMORY)
		r = bound_memory(h, sub, e);
	else
		r = limit_to(cgi_path(h, ctl, sub, "pids.max", p), RESCUE_PIDS, e);
	if (r < 0)
		return r;
	for (int i = 0; i < n; i++)
		if (!strcmp(path[i], zone))
			snprintf(path[i], sizeof path[i], "%s", cgi_path(h, ctl, sub, "tasks", p));
	return 0;
}

/* The v2 path is the last one, and for all controllers: so it is bounded in both, whichever is used up. */
static int divert_v2(const struct cg_host *h, const char *uuid, char path[CG_JOIN_MAX][256], int n, struct err *e)
{
	static const struct {
		enum cg_ctl ctl;
		const char *file;
		uint64_t limit;
		bool must;
	} to[] = {
		{CG_MEMORY, "rescue/memory.max", RESCUE_MEMORY, true},
		{CG_MEMORY, "rescue/memory.swap.max", 0, false},
		{CG_PIDS, "rescue/pids.max", RESCUE_PIDS, true},
	};
	char p[CGI_PATH];
	int r = 0;

	if (mkdir(cgi_path(h, -1, uuid, "rescue", p), 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "mkdir %s", p);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(to); i++) {
		cgi_path(h, -1, uuid, to[i].file, p);
		if (h->in_v2[to[i].ctl] && (to[i].must || access(p, F_OK) == 0))
			r = limit_to(p, to[i].limit, e);
	}
	cgi_path(h, -1, uuid, "rescue/cgroup.procs", p);
	if (r == 0 && strlen(p) >= 256)
		r = err_sys(e, ENAMETOOLONG, "%s", p);
	if (r == 0)
		strcpy(path[n - 1], p);
	return r;
}

int cg_rescue(const struct cg_host *h, const char *uuid, char path[CG_JOIN_MAX][256], int n, struct err *e)
{
	static const struct {
		enum cg_ctl ctl;
		bool (*full)(const struct cg_host *h, const char *uuid);
		int what;
	} of[] = {{CG_MEMORY, memory_full, CG_RESCUE_MEMORY}, {CG_PIDS, pids_full, CG_RESCUE_PIDS}};
	int what = 0;

	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		int r;

		if ((!h->v1[of[i].ctl][0] && !h->in_v2[of[i].ctl]) || !of[i].full(h, uuid))
			continue;
		r = h->v1[of[i].ctl][0] ? divert(h, of[i].ctl, uuid, path, n, e) : divert_v2(h, uuid, path, n, e);
		if (r < 0)
			return r;
		what |= of[i].what;
	}
	return what;
}

void cg_rescue_done(const struct cg_host *h, const char *uuid)
{
	static const enum cg_ctl ctl[] = {CG_MEMORY, CG_PIDS};
	_free_ char *sub = xprintf("_rescue/%s", uuid);
	char p[CGI_PATH];

	for (size_t i = 0; i < ARRAY_LEN(ctl); i++)
		if (h->v1[ctl[i]][0])
			rmdir(cgi_path(h, (int)ctl[i], sub, NULL, p));
	if (cgi_deep(h))
		rmdir(cgi_path(h, -1, uuid, "rescue", p));
}
