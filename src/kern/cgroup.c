/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where cgroups are on this machine, and making them. On the way to a zone's init this has a budget of well under a
 * millisecond: paths are put together from what cg_host_find() saw once, nothing is scanned again.
 */
#include "kern/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/clock.h"
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

#define SYSTEMD_UNIT "cloister.slice/cloister-zones.service"

const enum cg_ctl cgi_limits[3] = {CG_CPU, CG_MEMORY, CG_PIDS};

static const char *const ctl_name[CG_CTLS] = {"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio"};

const char *cgi_name(enum cg_ctl ctl)
{
	return ctl_name[ctl];
}

/* What the controller is called on v2, NULL if it is always there. */
static const char *v2_name(enum cg_ctl ctl)
{
	return ctl == CG_BLKIO ? "io" : ctl == CG_CPUACCT ? NULL : ctl_name[ctl];
}

/* ---- finding ---- */

/* mountinfo writes blanks and backslashes in paths as \ooo. */
static void unescape(char *s)
{
	char *o = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*o++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*o++ = *s;
		}
	}
	*o = 0;
}

static bool word_in(const char *list, char sep, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, sep) ? strchr(p, sep) + 1 : NULL)
		if (!strncmp(p, word, n) && (p[n] == sep || p[n] == 0))
			return true;
	return false;
}

static void v1_mount(struct cg_host *h, const char *dir, const char *options)
{
	bool ours = false;

	for (int i = 0; i < CG_CTLS; i++) {
		if (!word_in(options, ',', ctl_name[i]) || h->v1[i][0] || strlen(dir) >= sizeof h->v1[i])
			continue;
		strcpy(h->v1[i], dir);
		if (i == CG_CPU || i == CG_MEMORY || i == CG_PIDS)
			ours = true;
	}
	if (ours || h->nother == CG_OTHER_MAX || strlen(dir) >= sizeof h->other[0])
		return;
	for (int i = 0; i < CG_CTLS; i++)
		if (word_in(options, ',', ctl_name[i]) && strcmp(h->v1[i], dir))
			return; /* a second mount of one we have */
	strcpy(h->other[h->nother++], dir);
}

int cg_host_parse(const char *mountinfo, struct cg_host *h, struct err *e)
{
	const char *p = mountinfo;

	memset(h, 0, sizeof *h);
	while (*p) {
		size_t n = strcspn(p, "\n");
		char line[1024], dir[512], type[64], options[512], *sep;

		if (n < sizeof line) {
			memcpy(line, p, n);
			line[n] = 0;
			sep = strstr(line, " - ");
			if (sep && sscanf(line, "%*u %*u %*s %*s %511s", dir) == 1 &&
			    sscanf(sep + 3, "%63s %*s %511s", type, options) == 2) {
				unescape(dir);
				if (!strcmp(type, "cgroup2") && !h->v2[0] && strlen(dir) < sizeof h->v2)
					strcpy(h->v2, dir);
				else if (!strcmp(type, "cgroup"))
					v1_mount(h, dir, options);
			}
		}
		p += n + (p[n] == '\n');
	}
	if (!h->v2[0]) {
		err_set(e, ENOTSUP, "no cgroup2 filesystem is mounted on this host");
		return err_hint(e, "mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified");
	}
	return 0;
}

/* With systemd as process 1 there is a single writer: we stay below the unit that it delegates to us. */
static bool delegated(struct cg_host *h)
{
	char p[CGI_PATH], v[8];
	struct stat st;

	if (stat("/run/systemd/system", &st) < 0)
		return false;
	snprintf(p, sizeof p, "%s/%s", h->v2, SYSTEMD_UNIT);
	return getxattr(p, "trusted.delegate", v, sizeof v) > 0 || getxattr(p, "user.delegate", v, sizeof v) > 0;
}

int cg_host_find(const struct ctx *c, struct cg_host *h, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	char p[CGI_PATH], text[256];
	int r = file_read(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &b, e);

	if (r == 0)
		r = cg_host_parse(buf_str(&b), h, e);
	if (r < 0)
		return r;
	snprintf(p, sizeof p, "%s/cgroup.controllers", h->v2);
	r = cgi_read(p, text, sizeof text);
	if (r < 0)
		return err_sys(e, r, "%s", p);
	for (int i = 0; i < CG_CTLS; i++)
		h->in_v2[i] = v2_name(i) ? word_in(text, ' ', v2_name(i)) : !h->v1[i][0];
	if (delegated(h)) {
		snprintf(h->deleg, sizeof h->deleg, "%s", SYSTEMD_UNIT);
		snprintf(h->root, sizeof h->root, "%s/%s", SYSTEMD_UNIT, c->node.cgroup);
	} else {
		snprintf(h->root, sizeof h->root, "%s", c->node.cgroup);
	}
	if (h->v1[CG_MEMORY][0]) {
		snprintf(p, sizeof p, "%s/memory.memsw.usage_in_bytes", h->v1[CG_MEMORY]);
		h->swap = access(p, F_OK) == 0;
	} else if (h->in_v2[CG_MEMORY]) {
		/* The v2 root has no memory.swap.*; without accounting memory.stat has no swap counters either. */
		snprintf(p, sizeof p, "%s/%s/memory.swap.max", h->v2, h->root);
		h->swap = access(p, F_OK) == 0;
		if (!h->swap) {
			uint64_t v;

			snprintf(p, sizeof p, "%s/memory.stat", h->v2);
			h->swap = cgi_keyed(p, "swapcached", &v) == 0;
		}
	}
	return 0;
}

/* ---- paths and values ---- */

const char *cgi_path(const struct cg_host *h, int ctl, const char *uuid, const char *file, char out[CGI_PATH])
{
	snprintf(out, CGI_PATH, "%s/%s%s%s%s%s", ctl < 0 ? h->v2 : h->v1[ctl], h->root, uuid ? "/" : "", uuid ? uuid : "",
		 file ? "/" : "", file ? file : "");
	return out;
}

int cgi_where(const struct cg_host *h, enum cg_ctl ctl, int *tree, struct err *e)
{
	if (h->v1[ctl][0])
		*tree = (int)ctl;
	else if (h->in_v2[ctl])
		*tree = -1;
	else
		return err_set(e, ENOTSUP, "the cgroup controller \"%s\" is not available on this host", ctl_name[ctl]);
	return 0;
}

int cgi_write(const char *path, const char *text)
{
	_fd_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
	ssize_t w;

	if (fd < 0)
		return -errno;
	do
		w = write(fd, text, strlen(text));
	while (w < 0 && errno == EINTR);
	return w < 0 ? -errno : 0;
}

int cgi_read(const char *path, char *out, size_t n)
{
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t r;

	if (fd < 0)
		return -errno;
	do
		r = read(fd, out, n - 1);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (r > 0 && out[r - 1] == '\n')
		r--;
	out[r] = 0;
	return 0;
}

int cgi_number(const char *path, uint64_t *out)
{
	char t[64];
	int r = cgi_read(path, t, sizeof t);

	if (r < 0)
		return r;
	if (!strcmp(t, "max") || !strcmp(t, "-1")) {
		*out = UINT64_MAX;
		return 0;
	}
	r = str_to_u64(t, out);
	/* v1's "no limit" is the largest multiple of the page size below 2^63 */
	if (r == 0 && *out >= 0x7fffffffffff0000ULL)
		*out = UINT64_MAX;
	return r;
}

int cgi_keyed(const char *path, const char *key, uint64_t *out)
{
	char t[8192];
	size_t n = strlen(key);
	int r = cgi_read(path, t, sizeof t);

	if (r < 0)
		return r;
	for (char *save = NULL, *l = strtok_r(t, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (!strncmp(l, key, n) && l[n] == ' ')
			return str_to_u64(l + n + 1, out);
	return -ENOENT;
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
		if (!v2_name(i) || !h->in_v2[i] || word_in(have, ' ', v2_name(i)))
			continue;
		snprintf(want + strlen(want), sizeof want - strlen(want), "%s+%s", *want ? " " : "", v2_name(i));
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

int cg_zone_make(const struct cg_host *h, const char *uuid, uint32_t id_base, struct err *e)
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
		if (v2_name(i) && h->in_v2[i]) {
			r = enable(h, p, e);
			break;
		}
	}
	if (r == 0)
		r = cgi_write(cgi_path(h, -1, uuid, "cgroup.max.descendants", p), ZONE_DESCENDANTS);
	if (r == 0)
		r = cgi_write(cgi_path(h, -1, uuid, "cgroup.max.depth", p), ZONE_DEPTH);
	if (r < 0)
		return e && e->code ? r : err_sys(e, r, "%s", p);
	r = make(cgi_path(h, -1, uuid, "login", p), e);
	if (r == 0)
		r = make(cgi_path(h, -1, uuid, "zone", p), e);
	if (r == 0)
		r = delegate(p, id_base, e);
	return r;
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
		else if (strlen(h->other[i]) + strlen(h->root) + sizeof "//_zones/tasks" <= 256)
			snprintf(out[n++], 256, "%.64s/%.170s/_zones/tasks", h->other[i], h->root);
	}
	if (p == CG_PLACE_LOGIN)
		n += join_path(out[n], h, -1, uuid, "login/cgroup.procs");
	else if (p == CG_PLACE_SUP)
		n += join_path(out[n], h, -1, "_sup", "cgroup.procs");
	return n;
}

int cg_join(const struct cg_host *h, enum cg_place p, const char *uuid, pid_t pid, struct err *e)
{
	char path[CG_JOIN_MAX][256], text[16];
	int n = cg_join_paths(h, p, uuid, path), r;

	if (p == CG_PLACE_ZONE)
		n += join_path(path[n], h, -1, uuid, "zone/cgroup.procs");
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
