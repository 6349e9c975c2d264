/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/cgroup_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"

#define V2        (-1)
#define NOT_THERE (-2) /* a file that this zone does not have */
#define CLOSED    (-1)
#define SOURCES   24
#define LIMIT_AGE 16 /* samples after which a limit is read again, though nobody has said that it changed */

enum kind { NUMBER, KEYED, PRESSURE, IO, CPU_MAX };

struct key {
	const char *key;
	enum cg_value value;
	unsigned divide;
};

/*
 * One file. tree: where its controller has to be for the file to be asked: a v1 hierarchy, the v2 tree, or the v2 tree
 * wherever the controller is. The first one also says whether the zone is still there.
 */
static const struct source {
	unsigned group;
	enum cg_ctl ctl;
	enum { ON_V1, ON_V2, ALWAYS_V2 } tree;
	const char *file;
	enum kind kind;
	struct key key[6];
	bool limit; /* a NUMBER that only changes when somebody sets it */
} sources[] = {
	{CGS_CPU, CG_CPU, ALWAYS_V2, "cpu.stat", KEYED,
	 {{"usage_usec", CGV_CPU, 1}, {"user_usec", CGV_CPU_USER, 1}, {"system_usec", CGV_CPU_SYS, 1}}},
	{CGS_CPU, CG_CPU, ON_V1, "cpu.shares", NUMBER, {{"", CGV_CPU_SHARES, 1}}, true},
	{CGS_CPU, CG_CPU, ON_V1, "cpu.cfs_quota_us", NUMBER, {{"", CGV_CPU_QUOTA, 1}}},
	{CGS_CPU, CG_CPU, ON_V1, "cpu.cfs_period_us", NUMBER, {{"", CGV_CPU_PERIOD, 1}}, true},
	{CGS_CPU, CG_CPU, ON_V2, "cpu.weight", NUMBER, {{"", CGV_CPU_SHARES, 1}}, true},
	{CGS_CPU, CG_CPU, ON_V2, "cpu.max", CPU_MAX, {{NULL}}},
	{CGS_THROTTLE, CG_CPU, ON_V1, "cpu.stat", KEYED,
	 {{"nr_periods", CGV_PERIODS, 1}, {"nr_throttled", CGV_THROTTLED, 1}, {"throttled_time", CGV_THROTTLED_US, 1000}}},
	{CGS_THROTTLE, CG_CPU, ON_V2, "cpu.stat", KEYED,
	 {{"nr_periods", CGV_PERIODS, 1}, {"nr_throttled", CGV_THROTTLED, 1}, {"throttled_usec", CGV_THROTTLED_US, 1}}},
	{CGS_MEMORY, CG_MEMORY, ON_V1, "memory.usage_in_bytes", NUMBER, {{"", CGV_MEM, 1}}},
	{CGS_MEMORY, CG_MEMORY, ON_V1, "memory.limit_in_bytes", NUMBER, {{"", CGV_MEM_CAP, 1}}, true},
	{CGS_MEMORY, CG_MEMORY, ON_V1, "memory.memsw.usage_in_bytes", NUMBER, {{"", CGV_BOTH, 1}}},
	{CGS_MEMORY, CG_MEMORY, ON_V1, "memory.memsw.limit_in_bytes", NUMBER, {{"", CGV_BOTH_CAP, 1}}, true},
	{CGS_EVENTS, CG_MEMORY, ON_V1, "memory.failcnt", NUMBER, {{"", CGV_MEM_OVER, 1}}},
	{CGS_EVENTS, CG_MEMORY, ON_V1, "memory.oom_control", KEYED, {{"oom_kill", CGV_OOM, 1}}},
	{CGS_MEMORY, CG_MEMORY, ON_V2, "memory.current", NUMBER, {{"", CGV_MEM, 1}}},
	{CGS_MEMORY, CG_MEMORY, ON_V2, CGI_ALL "/memory.max", NUMBER, {{"", CGV_MEM_CAP, 1}}, true},
	{CGS_MEMORY, CG_MEMORY, ON_V2, "memory.swap.current", NUMBER, {{"", CGV_SWAP, 1}}},
	{CGS_MEMORY, CG_MEMORY, ON_V2, CGI_ALL "/memory.swap.max", NUMBER, {{"", CGV_BOTH_CAP, 1}}, true},
	{CGS_EVENTS, CG_MEMORY, ON_V2, "memory.events", KEYED, {{"max", CGV_MEM_OVER, 1}, {"oom_kill", CGV_OOM, 1}}},
	{CGS_MEMSTAT, CG_MEMORY, ON_V1, "memory.stat", KEYED,
	 {{"total_rss", CGV_ANON, 1}, {"total_cache", CGV_FILE, 1}, {"total_pgfault", CGV_FAULTS, 1},
	  {"total_pgmajfault", CGV_MAJFAULTS, 1}, {"total_pswpout", CGV_PAGEDOUT, 1}, {"total_workingset_refault_file", CGV_REFAULTS, 1}}},
	{CGS_MEMSTAT, CG_MEMORY, ON_V2, "memory.stat", KEYED,
	 {{"anon", CGV_ANON, 1}, {"file", CGV_FILE, 1}, {"pgfault", CGV_FAULTS, 1}, {"pgmajfault", CGV_MAJFAULTS, 1},
	  {"pswpout", CGV_PAGEDOUT, 1}, {"workingset_refault_file", CGV_REFAULTS, 1}}},
	{CGS_LWPS, CG_PIDS, ON_V1, "pids.current", NUMBER, {{"", CGV_LWPS, 1}}},
	{CGS_LWPS, CG_PIDS, ON_V1, "pids.max", NUMBER, {{"", CGV_LWPS_CAP, 1}}, true},
	{CGS_EVENTS, CG_PIDS, ON_V1, "pids.events", KEYED, {{"max", CGV_LWPS_OVER, 1}}},
	{CGS_LWPS, CG_PIDS, ON_V2, "pids.current", NUMBER, {{"", CGV_LWPS, 1}}},
	{CGS_LWPS, CG_PIDS, ON_V2, CGI_ALL "/pids.max", NUMBER, {{"", CGV_LWPS_CAP, 1}}, true},
	{CGS_EVENTS, CG_PIDS, ON_V2, "pids.events", KEYED, {{"max", CGV_LWPS_OVER, 1}}},
	{CGS_IO, CG_BLKIO, ON_V2, "io.stat", IO, {{"", CGV_READ, 1}}},
	{CGS_PRESSURE, CG_CPU, ALWAYS_V2, "cpu.pressure", PRESSURE, {{"", CGV_PSI_CPU, 1}}},
	{CGS_PRESSURE, CG_MEMORY, ALWAYS_V2, "memory.pressure", PRESSURE, {{"", CGV_PSI_MEM, 1}}},
	{CGS_PRESSURE, CG_BLKIO, ALWAYS_V2, "io.pressure", PRESSURE, {{"", CGV_PSI_IO, 1}}},
};

struct cg_reader {
	unsigned n, room;
	const struct source *src[SOURCES];
	int dir[SOURCES]; /* <mount>/<node's root>; several may be the same descriptor */
	int open[CG_CTLS + 1], nopen;
	uint64_t generation; /* of the limits */
	struct cg_stacked stacked;
};

struct cg_files {
	bool held;
	int fd[SOURCES];
	uint64_t generation, limit[SOURCES]; /* what the limits were, and when */
	unsigned age;
};

static int dir_of_tree(struct cg_reader *r, const struct cg_host *h, int tree, int slot[CG_CTLS + 1])
{
	char p[CGI_PATH];
	int i = tree == V2 ? CG_CTLS : tree;

	if (slot[i] == CLOSED) {
		slot[i] = open(cgi_path(h, tree, NULL, NULL, p), O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (slot[i] < 0)
			return -errno;
		r->open[r->nopen++] = slot[i];
	}
	return slot[i];
}

int cg_reader_new(const struct cg_host *h, unsigned groups, unsigned room, struct cg_reader **out, struct err *e)
{
	struct cg_reader *r = xalloc(sizeof *r);
	_buf_ struct buf devices = BUF_INIT;
	int slot[CG_CTLS + 1];

	for (int i = 0; i <= CG_CTLS; i++)
		slot[i] = CLOSED;
	(void)file_read(AT_FDCWD, "/proc/devices", 1 << 20, &devices, NULL);
	cg_text_stacked(buf_str(&devices), &r->stacked);
	r->room = room;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct source *s = &sources[i];
		bool v1 = h->v1[s->ctl][0] != 0;
		int d;

		if (!(groups & s->group) && i != 0)
			continue;
		if (s->tree == ON_V1 ? !v1 : s->tree == ON_V2 && (v1 || !h->in_v2[s->ctl]))
			continue;
		d = dir_of_tree(r, h, s->tree == ON_V1 ? (int)s->ctl : V2, slot);
		if (d == -ENOENT)
			continue; /* no zone has run on this node yet */
		if (d < 0 || r->n == SOURCES) {
			cg_reader_free(&r);
			return d < 0 ? err_sys(e, d, "cgroups of %s", h->root) : err_set(e, E2BIG, "too many files of a cgroup");
		}
		r->dir[r->n] = d;
		r->src[r->n++] = s;
	}
	*out = r;
	return 0;
}

void cg_reader_free(struct cg_reader **rp)
{
	struct cg_reader *r = *rp;

	for (int i = 0; r && i < r->nopen; i++)
		close(r->open[i]);
	free(r);
	*rp = NULL;
}

void cg_files_free(struct cg_reader *r, struct cg_files **fp)
{
	struct cg_files *f = *fp;

	if (!f)
		return;
	for (unsigned i = 0; i < r->n; i++)
		if (f->fd[i] >= 0)
			close(f->fd[i]);
	if (f->held)
		r->room += r->n;
	free(f);
	*fp = NULL;
}

void cg_reader_limits(struct cg_reader *r, uint64_t generation)
{
	r->generation = generation;
}

static void take_text(const struct cg_reader *r, const struct source *s, const char *t, uint64_t v[CGV_COUNT])
{
	switch (s->kind) {
	case NUMBER: v[s->key[0].value] = cg_text_number(t); break;
	case PRESSURE: cg_text_pressure(t, v + s->key[0].value); break;
	case IO: cg_text_io(t, &r->stacked, v + CGV_READ); break;
	case CPU_MAX:
		v[CGV_CPU_QUOTA] = cg_text_number(t);
		v[CGV_CPU_PERIOD] = cg_text_number(strchr(t, ' ') ? strchr(t, ' ') + 1 : "");
		break;
	case KEYED:
		for (size_t i = 0; i < ARRAY_LEN(s->key) && s->key[i].key; i++) {
			uint64_t n = cg_text_keyed(t, s->key[i].key);

			v[s->key[i].value] = n >= CGV_NONE ? n : n / s->key[i].divide;
		}
	}
}

/* One file: 0, or -errno. */
static int read_one(struct cg_reader *r, unsigned i, const char *uuid, struct cg_files *f, uint64_t v[CGV_COUNT])
{
	char path[80], t[8192];
	int fd = f->fd[i];
	ssize_t n;

	if (fd == NOT_THERE)
		return 0;
	if (fd == CLOSED) {
		snprintf(path, sizeof path, "%.36s/%s", uuid, r->src[i]->file);
		fd = openat(r->dir[i], path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			return -errno;
		if (f->held)
			f->fd[i] = fd;
	}
	do
		n = pread(fd, t, sizeof t - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n >= 0) {
		t[n] = 0;
		take_text(r, r->src[i], t, v);
		if (r->src[i]->limit)
			f->limit[i] = v[r->src[i]->key[0].value];
	} else {
		n = -errno;
	}
	if (!f->held)
		close(fd);
	return n < 0 ? (int)n : 0;
}

/* What is counted apart on one kind of host, and together on the other. */
static void complete(uint64_t v[CGV_COUNT])
{
	if (v[CGV_PAGEDOUT] < CGV_NONE)
		v[CGV_PAGEDOUT] *= (uint64_t)sysconf(_SC_PAGESIZE);
	if (v[CGV_SWAP] < CGV_NONE && v[CGV_MEM] < CGV_NONE) { /* v2: swap alone */
		v[CGV_BOTH] = v[CGV_MEM] + v[CGV_SWAP];
		if (v[CGV_BOTH_CAP] < CGV_NONE)
			v[CGV_BOTH_CAP] = v[CGV_MEM_CAP] < CGV_NONE ? v[CGV_MEM_CAP] + v[CGV_BOTH_CAP] : CGV_NONE;
	} else if (v[CGV_BOTH] < CGV_NONE && v[CGV_MEM] < CGV_NONE) { /* read one after the other: may be less by a page */
		v[CGV_SWAP] = v[CGV_BOTH] > v[CGV_MEM] ? v[CGV_BOTH] - v[CGV_MEM] : 0;
	}
}

int cg_reader_read(struct cg_reader *r, const char *uuid, struct cg_files **fp, uint64_t v[CGV_COUNT])
{
	struct cg_files *f = *fp;
	bool again = f != NULL;
	int rc;

	for (;;) {
		bool limits = !f || f->generation != r->generation || f->age >= LIMIT_AGE;

		if (!f) {
			f = *fp = xalloc(sizeof *f);
			/* not all zones in the same sample */
			f->age = (unsigned)str_hash(uuid, strnlen(uuid, UUID_LEN)) % LIMIT_AGE;
			for (unsigned i = 0; i < SOURCES; i++)
				f->fd[i] = CLOSED;
			f->held = r->room >= r->n;
			r->room -= f->held ? r->n : 0;
		}
		for (int i = 0; i < CGV_COUNT; i++)
			v[i] = CGV_UNKNOWN;
		rc = r->n == 0 ? -ENOENT : 0;
		f->generation = r->generation;
		f->age = limits && again ? 0 : f->age + 1;
		for (unsigned i = 0; i < r->n && rc == 0; i++) {
			int one = 0;

			if (limits || !r->src[i]->limit)
				one = read_one(r, i, uuid, f, v);
			else if (f->fd[i] != NOT_THERE)
				v[r->src[i]->key[0].value] = f->limit[i];
			if (one == 0)
				continue;
			if (i == 0 || one == -ENODEV) {
				rc = one == -ENODEV ? -ENOENT : one;
			} else if (f->fd[i] == CLOSED && (one == -EMFILE || one == -ENFILE)) {
				rc = one;
			} else {
				if (f->fd[i] >= 0)
					close(f->fd[i]);
				f->fd[i] = NOT_THERE;
			}
		}
		if (rc == 0) {
			complete(v);
			return 0;
		}
		cg_files_free(r, fp);
		f = NULL;
		/* files of a cgroup that is gone: the zone may have been booted again */
		if (!again || rc != -ENOENT)
			return rc;
		again = false;
	}
}
