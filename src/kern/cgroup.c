/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Making cgroups and joining them. On the way to a zone's init this has a budget of well under a millisecond: paths are
 * put together from what cg_host_find() saw once, nothing is scanned again.
 */
#include "kern/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"

/*
 * All zones together weigh as much as eight processes (v1) or slices (v2) of the host, and the host keeps a ninth:
 * with the kernel's default the zones of a busy node would have to share what one process gets.
 */
#define NODE_SHARES "8192"
#define NODE_WEIGHT "800"
/* Cgroups that a zone can make in what is delegated to it: a systemd inside uses some 200, at depth 5. */
#define ZONE_DESCENDANTS "4096"
#define ZONE_DEPTH       "32"

const enum cg_ctl cgi_limits[3] = {CG_CPU, CG_MEMORY, CG_PIDS};

bool cgi_deep(const struct cg_host *h)
{
	return h->in_v2[CG_MEMORY] || h->in_v2[CG_PIDS];
}

const char *cgi_limited(const struct cg_host *h, int tree, const char *uuid, char out[64])
{
	snprintf(out, 64, "%.40s%s", uuid, tree < 0 && cgi_deep(h) ? "/" CGI_ALL : "");
	return out;
}

const char *cg_zone_below(const struct cg_host *h)
{
	return cgi_deep(h) ? CGI_ALL "/zone" : "zone";
}

/* ---- making ---- */

static int make(const char *path, struct err *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "mkdir %s", path);
	return 0;
}

/* mkdir -p of <mount>/<root>: with a delegated unit on a hybrid host its parents may be missing in a v1 hierarchy. */
static int make_root(const struct cg_host *h, int ctl, struct err *e)
{
	char p[CGI_PATH];

	return dir_make(cgi_path(h, ctl, NULL, NULL, p), 0755, e);
}

/* Writes "+cpu +memory …" to the cgroup.subtree_control of dir, only what is missing there and can be had. */
static int enable(const struct cg_host *h, const char *dir, struct err *e)
{
	char p[CGI_PATH], have[256], want[128] = "";
	int r;

	snprintf(p, sizeof p, "%.480s/cgroup.subtree_control", dir);
	r = cgi_read(p, have, sizeof have);
	if (r < 0)
		return err_sys(e, r, "%s", p);
	for (int i = 0; i < CG_CTLS; i++) {
		if (!cgi_v2_name(i) || !h->in_v2[i] || cgi_word_in(have, ' ', cgi_v2_name(i)))
			continue;
		snprintf(want + strlen(want), sizeof want - strlen(want), "%s+%s", *want ? " " : "", cgi_v2_name(i));
	}
	if (!*want)
		return 0;
	r = cgi_write(p, want);
	if (r == -EBUSY) {
		err_set(e, EBUSY, "%s: processes are in this cgroup, so its controllers can't be enabled", dir);
		return err_hint(e, "the service that owns it must keep its own processes in a cgroup below");
	}
	return r < 0 ? err_sys(e, r, "write \"%s\" to %s", want, p) : 0;
}

/* `cloister boot` runs as the delegated unit's own process: it must leave before controllers can go down from there. */
static int leave_unit(const struct cg_host *h, struct err *e)
{
	char text[4096], unit[256], p[CGI_PATH], *l;
	int r = cgi_read("/proc/self/cgroup", text, sizeof text);

	if (r < 0)
		return err_sys(e, r, "/proc/self/cgroup");
	snprintf(unit, sizeof unit, "0::/%s", h->deleg);
	l = strstr(text, "0::/");
	if (!l || strncmp(l, unit, strlen(unit)) || (l[strlen(unit)] && l[strlen(unit)] != '\n'))
		return 0;
	snprintf(p, sizeof p, "%s/%s/_unit", h->v2, h->deleg);
	r = make(p, e);
	if (r < 0)
		return r;
	snprintf(p, sizeof p, "%s/%s/_unit/cgroup.procs", h->v2, h->deleg);
	r = cgi_write(p, "0");
	return r < 0 ? err_sys(e, r, "%s", p) : 0;
}

static int make_v2(const struct cg_host *h, struct err *e)
{
	char p[CGI_PATH];
	int r = make_root(h, -1, e);

	if (r == 0 && h->deleg[0])
		r = leave_unit(h, e);
	/* from where we own the tree down to the node's root; systemd has enabled what is above its unit */
	if (r == 0) {
		snprintf(p, sizeof p, "%s%s%s", h->v2, h->deleg[0] ? "/" : "", h->deleg);
		r = enable(h, p, e);
	}
	if (r == 0)
		r = enable(h, cgi_path(h, -1, NULL, NULL, p), e);
	if (r < 0)
		return r;
	if (!h->v1[CG_CPU][0] && h->in_v2[CG_CPU]) {
		r = cgi_write(cgi_path(h, -1, NULL, "cpu.weight", p), NODE_WEIGHT);
		if (r < 0)
			return err_sys(e, r, "%s", p);
	}
	return make(cgi_path(h, -1, "_sup", NULL, p), e);
}

/*
 * A hierarchy that limits nothing of ours shows its mounter's cgroup as its root: for a zone that has to be one of
 * ours, or it would read the names of the host's. One for all zones does: they own nothing in it.
 */
static int make_with_cpus(const char *dir, struct err *e)
{
	static const char *const inherit[] = {"cpuset.cpus", "cpuset.mems"};
	char p[CGI_PATH + 16], up[CGI_PATH + 32], value[256];
	int r = make(dir, e);

	/* a cpuset takes no process before it has processors and memory */
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(inherit); i++) {
		snprintf(p, sizeof p, "%s/%s", dir, inherit[i]);
		snprintf(up, sizeof up, "%s/../%s", dir, inherit[i]);
		if (access(p, F_OK) < 0)
			continue;
		r = cgi_read(up, value, sizeof value);
		if (r >= 0)
			r = cgi_write(p, value);
		if (r < 0)
			return err_sys(e, r, "%s", p);
	}
	return r;
}

static int make_other(const struct cg_host *h, const char *mount, struct err *e)
{
	char dir[CGI_PATH];
	int r;

	snprintf(dir, sizeof dir, "%s/%s/_zones", mount, h->root);
	if (access(dir, F_OK) == 0)
		return 0;
	for (char *s = dir + strlen(mount) + 1;; s++) {
		char at = *s;

		if (at && at != '/')
			continue;
		*s = 0;
		r = make_with_cpus(dir, e);
		*s = at;
		if (r < 0 || !at)
			return r;
	}
}

int cg_node_make(const struct cg_host *h, struct err *e)
{
	char p[CGI_PATH];
	int r;

	for (unsigned i = 0; i < h->nother; i++) {
		r = make_other(h, h->other[i], e);
		if (r < 0)
			return r;
	}

	/* _sup is the last thing made in each hierarchy: where it is, all is */
	for (size_t i = 0; i < ARRAY_LEN(cgi_limits); i++) {
		enum cg_ctl ctl = cgi_limits[i];

		if (!h->v1[ctl][0] || access(cgi_path(h, (int)ctl, "_sup", NULL, p), F_OK) == 0)
			continue;
		r = make_root(h, (int)ctl, e);
		if (r < 0)
			return r;
		if (ctl == CG_CPU) {
			r = cgi_write(cgi_path(h, (int)ctl, NULL, "cpu.shares", p), NODE_SHARES);
			if (r < 0)
				return err_sys(e, r, "%s", p);
		}
		r = make(cgi_path(h, (int)ctl, "_sup", NULL, p), e);
		if (r < 0)
			return r;
	}
	if (access(cgi_path(h, -1, "_sup", NULL, p), F_OK) == 0)
		return 0;
	return make_v2(h, e);
}

bool cg_node_made(const struct cg_host *h)
{
	char p[CGI_PATH];

	return access(cgi_path(h, -1, "_sup", NULL, p), F_OK) == 0;
}

/* What a cgroup namespace root must own to run its own tree; limits above it stay root's. */
static int delegate(const char *dir, uint32_t id, struct err *e)
{
	static const char *const files[] = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"};
	_fd_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_sys(e, errno, "%s", dir);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (fchownat(fd, files[i], id, id, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, errno, "chown %s/%s", dir, files[i]);
	if (fchownat(fd, "", id, id, AT_EMPTY_PATH) < 0)
		return err_sys(e, errno, "chown %s", dir);
	return 0;
}

/* On the zone's own tree alone: there is always room for a place beside it, which a login makes when it needs one. */
static int bound(const char *dir, struct err *e)
{
	static const char *const limit[][2] = {{"cgroup.max.descendants", ZONE_DESCENDANTS}, {"cgroup.max.depth", ZONE_DEPTH}};
	char p[CGI_PATH + 32];

	for (size_t i = 0; i < ARRAY_LEN(limit); i++) {
		snprintf(p, sizeof p, "%s/%s", dir, limit[i][0]);
		int r = cgi_write(p, limit[i][1]);

		if (r < 0)
			return err_sys(e, r, "write %s to %s", limit[i][1], p);
	}
	return 0;
}

int cg_zone_make(const struct cg_host *h, const char *uuid, struct err *e)
{
	char p[CGI_PATH];
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(cgi_limits) && r == 0; i++)
		if (h->v1[cgi_limits[i]][0])
			r = make(cgi_path(h, (int)cgi_limits[i], uuid, NULL, p), e);
	if (r == 0)
		r = make(cgi_path(h, -1, uuid, NULL, p), e);
	if (r < 0)
		return r;
	for (int i = 0; i < CG_CTLS; i++) {
		if (cgi_v2_name(i) && h->in_v2[i]) {
			r = enable(h, p, e);
			break;
		}
	}
	if (r < 0)
		return r;
	if (cgi_deep(h)) {
		r = make(cgi_path(h, -1, uuid, CGI_ALL, p), e);
		if (r < 0)
			return r;
	}
	r = make(cgi_path(h, -1, uuid, cg_zone_below(h), p), e);
	return r < 0 ? r : bound(p, e);
}

int cg_zone_delegate(const struct cg_host *h, const char *uuid, uint32_t id_base, bool controllers, struct err *e)
{
	char p[CGI_PATH];
	int r = 0;

	if (controllers && cgi_deep(h))
		r = enable(h, cgi_path(h, -1, uuid, CGI_ALL, p), e);
	return r < 0 ? r : delegate(cgi_path(h, -1, uuid, cg_zone_below(h), p), id_base, e);
}

/* ---- joining ---- */

static int join_path(char out[256], const struct cg_host *h, int ctl, const char *uuid, const char *file)
{
	char p[CGI_PATH];

	cgi_path(h, ctl, uuid, file, p);
	if (strlen(p) >= 256 - sizeof "cgroup.procs" + sizeof "tasks")
		return 0;
	strcpy(out, p);
	return 1;
}

/* Of a zone with limits in a hierarchy where most have none. */
static bool own_of(const struct cg_host *h, const char *mount, const char *uuid, char out[256])
{
	static const enum cg_ctl ctls[] = {CG_BLKIO, CG_CPUSET};
	char own[64];

	for (size_t i = 0; i < ARRAY_LEN(ctls); i++)
		if (!strcmp(h->v1[ctls[i]], mount) && cgi_own_there(h, ctls[i], uuid))
			return join_path(out, h, (int)ctls[i], cgi_own(uuid, own), "tasks");
	return false;
}

int cg_join_paths(const struct cg_host *h, enum cg_place p, const char *uuid, char out[CG_JOIN_MAX][256])
{
	const char *sub = p == CG_PLACE_SUP ? "_sup" : uuid;
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(cgi_limits); i++) {
		enum cg_ctl ctl = cgi_limits[i];
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen |= !strcmp(h->v1[cgi_limits[j]], h->v1[ctl]);
		if (h->v1[ctl][0] && !seen)
			n += join_path(out[n], h, (int)ctl, sub, "tasks");
	}
	/*
	 * The supervisor leaves its caller's session in the other hierarchies too (a session manager kills or freezes
	 * by them); it goes to their roots; zones go to a cgroup of ours, so that their cgroup namespaces begin there.
	 */
	for (unsigned i = 0; i < h->nother; i++) {
		if (p == CG_PLACE_SUP)
			snprintf(out[n++], 256, "%s/tasks", h->other[i]);
		else if (own_of(h, h->other[i], uuid, out[n]))
			n++;
		else if (strlen(h->other[i]) + strlen(h->root) + sizeof "//_zones/tasks" <= 256)
			snprintf(out[n++], 256, "%.64s/%.170s/_zones/tasks", h->other[i], h->root);
	}
	if (p == CG_PLACE_LOGIN)
		n += join_path(out[n], h, -1, uuid, cgi_deep(h) ? CGI_ALL "/login/cgroup.procs" : "login/cgroup.procs");
	else if (p == CG_PLACE_SUP)
		n += join_path(out[n], h, -1, "_sup", "cgroup.procs");
	return n;
}

int cg_join(const struct cg_host *h, enum cg_place p, const char *uuid, pid_t pid, struct err *e)
{
	char path[CG_JOIN_MAX][256], login[CGI_PATH], text[16];
	int n = cg_join_paths(h, p, uuid, path), r;

	if (p == CG_PLACE_LOGIN) {
		r = make(cgi_path(h, -1, uuid, cgi_deep(h) ? CGI_ALL "/login" : "login", login), e);
		if (r < 0)
			return r;
	}
	if (p == CG_PLACE_ZONE)
		n += join_path(path[n], h, -1, uuid, cgi_deep(h) ? CGI_ALL "/zone/cgroup.procs" : "zone/cgroup.procs");
	snprintf(text, sizeof text, "%d", (int)pid);
	for (int i = 0; i < n; i++) {
		/* another process goes with all its threads */
		if (pid && str_ends(path[i], "/tasks"))
			strcpy(path[i] + strlen(path[i]) - strlen("tasks"), "cgroup.procs");
		r = cgi_write(path[i], text);
		if (r < 0)
			return err_sys(e, r, "join %s", path[i]);
	}
	return 0;
}
