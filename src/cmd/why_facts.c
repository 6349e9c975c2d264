/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/why_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/safe.h"
#include "base/str.h"
#include "cmd/stat_zones.h"
#include "kern/cgroup_io.h"
#include "kern/mountmap.h"
#include "kern/owner.h"
#include "kern/path.h"
#include "node/disks.h"
#include "node/io.h"
#include "node/vm.h"
#include "stat/use.h"
#include "zone/ioburst.h"
#include "zone/limits.h"

#define RECENT_NS  (600 * 1000000000ULL)
#define EVENTS_MAX 20000 /* so far back in the log */
#define DISKSTATS_MAX  (4 << 20)

/* ---- what has happened ---- */

struct recent {
	struct why_facts *f;
	uint64_t now;
};

static int event(uint64_t seq, uint64_t wall_ns, const char *kind, const char *uuid, const char *detail, void *arg)
{
	const struct recent *r = arg;
	json_t *d, *victims, *one;
	unsigned n, of_host = 0;
	size_t i;

	if (wall_ns + RECENT_NS < r->now)
		return 0;
	if (!strcmp(kind, "restart-init"))
		r->f->restarts++;
	if (strcmp(kind, "oom") != 0)
		return 0;
	d = detail ? json_loads(detail, 0, NULL) : NULL;
	n = json_integer_value(json_object_get(d, "count")) > 1 ? (unsigned)json_integer_value(json_object_get(d, "count")) : 1;
	victims = json_object_get(d, "victims");
	json_array_foreach(victims, i, one)
		of_host += json_is_true(json_object_get(one, "host_out_of_memory"));
	r->f->ooms += n;
	/* not all victims are listed */
	r->f->host_ooms += of_host && of_host == json_array_size(victims) ? n : of_host < n ? of_host : n;
	r->f->oom_ago = r->now > wall_ns ? (double)(r->now - wall_ns) / 1e9 : 0;
	json_decref(d);
	return 0;
}

void why_events(const struct ctx *c, const char *uuid, struct why_facts *f)
{
	_clean_(state_close) struct state *st = NULL;
	struct recent r = {f, clock_wall_ns()};
	uint64_t last = 0;

	if (state_open(c, STATE_READ, &st, NULL) == 0 && state_event_last(st, &last, NULL) == 0)
		(void)state_event_each(st, last > EVENTS_MAX ? last - EVENTS_MAX : 0, uuid, event, &r, NULL);
}

/* ---- the host's disks ---- */

static bool disk_line(const char *l, char name[64], unsigned long long *ticks)
{
	return sscanf(l, " %*u %*u %63s %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", name, ticks) == 2;
}

bool why_disk(const char *then, const char *now, double ms, char name[64], unsigned *percent)
{
	double most = 0;

	for (const char *l = now; *l; l += strcspn(l, "\n"), l += *l == '\n') {
		char disk[64], key[70];
		unsigned long long a, b;
		const char *was;

		/* a loop's I/O is that of the disk which its file is on */
		if (!disk_line(l, disk, &b) || str_starts(disk, "loop") || str_starts(disk, "ram"))
			continue;
		snprintf(key, sizeof key, " %s ", disk);
		was = strstr(then, key);
		while (was && was > then && was[-1] != '\n')
			was--;
		if (!was || !disk_line(was, key, &a) || b <= a || (double)(b - a) <= most)
			continue;
		most = (double)(b - a);
		memcpy(name, disk, sizeof disk);
	}
	if (most <= 0 || ms <= 0)
		return false;
	*percent = most >= ms ? 100 : (unsigned)(most * 100 / ms);
	return true;
}

static void disks(struct why_gather *g)
{
	_buf_ struct buf now = BUF_INIT;

	if (g->disk_then.len && file_read(AT_FDCWD, "/proc/diskstats", DISKSTATS_MAX, &now, NULL) == 0)
		(void)why_disk(buf_str(&g->disk_then), buf_str(&now), g->f.seconds * 1000, g->f.disk, &g->f.disk_busy);
}

static void disks_begin(struct why_gather *g)
{
	if (file_read(AT_FDCWD, "/proc/diskstats", DISKSTATS_MAX, &g->disk_then, NULL) < 0)
		buf_done(&g->disk_then);
}

/* ---- its processes ---- */

static const char *uuid_of(unsigned zone, void *arg)
{
	return ((const struct why_gather *)arg)->z->uuid;
}

static int list(struct why_gather *g, struct procs *ps, struct err *e)
{
	int r = procs_list(ps, &g->h, g->z->uuid, 0, e);

	return r < 0 ? r : procs_read(ps, &g->h, uuid_of, g, 0, e);
}

static void name_of(const struct procs_one *p, char out[260])
{
	safe_text(out, 260, p->stat.comm, p->stat.comm_len);
}

/* How many descriptors it has: a kernel before 6.2 does not say without being asked for each. */
static uint64_t descriptors(int dir)
{
	_dir_ DIR *d = NULL;
	struct stat st;
	uint64_t n = 0;

	if (fstatat(dir, "fd", &st, 0) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	d = dir_of(openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (struct dirent *de; d && (de = readdir(d));)
		n += de->d_name[0] != '.';
	return n;
}

static void processes(struct why_gather *g)
{
	struct why_facts *f = &g->f;

	f->procs = (unsigned)g->after.n;
	for (size_t i = 0; i < g->after.n; i++) {
		const struct procs_one *p = &g->after.p[i], *was = procs_find(&g->before, p->pid);
		_fd_ int dir = -1;
		struct rlimit l;

		f->stopped += p->stat.state == 'T';
		if (p->stat.state == 'D' && was && was->stat.state == 'D' && was->stat.start == p->stat.start && was->stat.sys == p->stat.sys &&
		    was->stat.user == p->stat.user && f->blocked++ == 0)
			name_of(p, f->blocked_name);
		dir = f->fd_pid ? -1 : proc_open(p->pid);
		if (dir >= 0 && owner_prlimit(p->pid, RLIMIT_NOFILE, NULL, &l) == 0 && l.rlim_cur >= 8 && descriptors(dir) >= l.rlim_cur) {
			f->fd_pid = (int)p->pid;
			f->fd_limit = l.rlim_cur;
			name_of(p, f->fd_name);
		}
	}
}

/* ---- its file systems ---- */

/* Those where its own processes write: what we make for devices is as large as those need. */
static bool ours(const char *point)
{
	return !strcmp(point, "/dev") || str_starts(point, "/.zonecontrol") || str_starts(point, "/native/.zonecontrol");
}

static void tmpfs(struct why_gather *g)
{
	_fd_ int dir = proc_open(g->z->run.init_pid), root = -1;
	_buf_ struct buf b = BUF_INIT;

	root = dir < 0 ? -1 : openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || file_read(dir, "mountinfo", 16 << 20, &b, NULL) < 0)
		return;
	mountmap_parse(buf_str(&b), b.len, &g->mounts);
	for (size_t i = 0; i < g->mounts.n && !*g->f.tmpfs; i++) {
		const struct mount_one *m = &g->mounts.m[i];
		_fd_ int fd = -1;
		struct statfs st;

		/* nothing else is opened: another file system may make us wait */
		if (strcmp(m->fstype, "tmpfs") != 0 || ours(m->point))
			continue;
		fd = path_open_nolink(root, m->point, O_PATH, 0, NULL);
		if (fd < 0 || fstatfs(fd, &st) < 0 || st.f_type != TMPFS_MAGIC || (st.f_flags & ST_RDONLY) || st.f_blocks == 0)
			continue;
		if (st.f_bavail * 50 <= st.f_blocks || (st.f_files && st.f_ffree == 0)) {
			safe_text(g->f.tmpfs, sizeof g->f.tmpfs, m->point, strlen(m->point));
			g->f.tmpfs_size = (uint64_t)st.f_blocks * (uint64_t)st.f_bsize;
		}
	}
}

static void quota(struct why_gather *g)
{
	_vm_ struct vm v = VM_INIT;
	struct pool_status *ps = xalloc(sizeof *ps);
	uint64_t limit = 0, used = 0;

	if (vm_open(g->c, g->z->uuid, VM_LOOK, &v, NULL) == 0 && vm_need_store(&v, NULL) == 0 &&
	    store_quota_get(v.store, store_quota_id(v.store, v.id_base), &limit, &used, NULL) == 0 && limit != UINT64_MAX) {
		g->f.quota = limit;
		g->f.quota_used = used;
		g->f.disks = disks_bytes(v.rec);
		g->f.disks_used = disks_used(&v);
	}
	if (pool_status(g->c, ps, NULL) == 0) {
		g->f.pool = ps->size;
		g->f.pool_used = !strcmp(ps->state, "FULL") ? ps->size : ps->used;
	}
	free(ps);
}

/* Before the window and after it. A zone whose I/O nobody limits has no such cgroup on v1. */
static void ceilings(struct why_gather *g, bool after)
{
	uint64_t limit[CG_IO_CEILINGS], used[CG_IO_CEILINGS];
	struct ioburst b;
	bool bursts;

	if (io_now(g->c, &g->h, g->z->uuid, limit, used) < 0)
		return;
	bursts = after && ioburst_read(g->c->node.run, g->z->uuid, &b) == 0;
	for (unsigned k = 0; k < CG_IO_CEILINGS; k++) {
		g->f.io_used[k] = after && used[k] > g->io_then[k] ? used[k] - g->io_then[k] : 0;
		g->f.io_limit[k] = g->io_known ? limit[k] : 0;
		g->f.io_spent[k] = bursts && (b.clamped >> k & 1);
		g->io_then[k] = used[k];
	}
	g->io_known = true;
}

static bool is_frozen(const struct why_gather *g, const char *below)
{
	char p[CGI_PATH], name[80];
	uint64_t v;

	snprintf(name, sizeof name, "%s%s", below, "cgroup.events");
	return cgi_keyed(cgi_path(&g->h, -1, g->z->uuid, name, p), "frozen", &v) == 0 && v == 1;
}

/* ---- the numbers ---- */

static int take_one(struct why_gather *g, struct err *e)
{
	struct stat_zone *z;
	int r = stat_begin(&g->one, limits_generation(g->c), e);

	if (r == 0)
		r = stat_take(&g->one, g->z->uuid, g->z->run.zoneid, &z, e);
	if (r == 0)
		return err_set(e, ESRCH, "the zone has ended meanwhile");
	return r < 0 ? r : stat_end(&g->one, e);
}

static void rank(struct why_use u[WHY_OTHERS], const char *name, uint64_t v)
{
	if (v >= CGV_NONE || v == 0)
		return;
	for (int i = 0; i < WHY_OTHERS; i++) {
		if (v > u[i].v) {
			memmove(&u[i + 1], &u[i], (size_t)(WHY_OTHERS - 1 - i) * sizeof *u);
			u[i] = (struct why_use){name, v};
			return;
		}
	}
}

static void numbers(struct why_gather *g)
{
	_free_ struct use_line *l = NULL;
	const struct stat_zone *z = g->one.z[0];
	size_t n = use_lines(&g->all, &l);
	struct why_facts *f = &g->f;
	uint64_t shares = 0;

	memcpy(f->then, z->before, sizeof f->then);
	memcpy(f->now, z->now, sizeof f->now);
	f->seconds = (double)(g->one.now_ns - g->one.before_ns) / 1e9;
	f->cpus = g->all.host.cpus;
	f->host_used = l[0].v[USE_CPU] < CGV_NONE ? l[0].v[USE_CPU] : 0;
	for (size_t i = 1; i < n; i++) {
		uint64_t io = l[i].v[USE_READ] < CGV_NONE ? l[i].v[USE_READ] + l[i].v[USE_WRITTEN] : 0;

		if (l[i].z && l[i].z->now[CGV_CPU_SHARES] < CGV_NONE)
			shares += l[i].z->now[CGV_CPU_SHARES];
		if (l[i].z && !strcmp(l[i].z->uuid, g->z->uuid)) {
			f->used = l[i].v[USE_CPU] < CGV_NONE ? l[i].v[USE_CPU] : 0;
		} else {
			/* names of zones are the sample's, which lives as long as the facts do */
			rank(f->cpu, l[i].z ? l[i].name : "[system]", l[i].v[USE_CPU] < 20 ? 0 : l[i].v[USE_CPU]);
			rank(f->io, l[i].z ? l[i].name : "[system]", io < 100000 ? 0 : io);
		}
	}
	if (shares && f->now[CGV_CPU_SHARES] < CGV_NONE)
		f->share = f->now[CGV_CPU_SHARES] * 1000 * f->cpus / shares;
}

int why_gather(struct why_gather *g, uint64_t ns, struct err *e)
{
	int r = stat_zones_init(g->c, CGS_CPU | CGS_IO, &g->all, e);

	if (r < 0)
		return r;
	g->h = g->all.cg;
	stat_init(&g->one, &g->h, CGS_ALL, 64);
	r = stat_zones_take(g->c, &g->all, e);
	if (r == 0)
		r = take_one(g, e);
	if (r == 0)
		r = list(g, &g->before, e);
	if (r < 0)
		return r;
	disks_begin(g);
	ceilings(g, false);
	r = stat_sleep(clock_mono_ns(), ns, 1);
	if (r < 0)
		return err_sys(e, r, "wait");
	r = take_one(g, e);
	if (r == 0)
		r = stat_zones_take(g->c, &g->all, e);
	if (r == 0)
		r = list(g, &g->after, e);
	if (r < 0)
		return r;
	numbers(g);
	disks(g);
	ceilings(g, true);
	processes(g);
	tmpfs(g);
	quota(g);
	why_events(g->c, g->z->uuid, &g->f);
	g->f.frozen = is_frozen(g, "") || is_frozen(g, "zone/") || is_frozen(g, CGI_ALL "/zone/");
	return 0;
}

void why_gather_done(struct why_gather *g)
{
	stat_done(&g->all);
	stat_done(&g->one);
	procs_done(&g->before);
	procs_done(&g->after);
	mountmap_done(&g->mounts);
	buf_done(&g->disk_then);
}
