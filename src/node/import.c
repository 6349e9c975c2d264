/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Import: the database from a pool alone.
 *
 *	attach → mark → images → rows ("failed") → their quota groups and limits → "installed" → mark gone
 *
 * Until its quota holds, an imported VM is "failed": it can't be started. A kill leaves the mark, and the next import
 * goes on. Ranges of ids are given out anew (what is on disk has none of the host's), and with them the groups; but a
 * VM whose zone runs keeps its own, and what others have is not touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "image/image.h"
#include "model/vm.h"
#include "node/disks.h"
#include "node/lock.h"
#include "node/subid.h"
#include "node/vmops.h"
#include "store/store.h"
#include "zone/usage_now.h"
#include "zone/zone.h"

#define MARK "import"
#define GIB  1073741824ULL

struct import {
	struct ctx *c;
	struct state *st;
	struct store *s;
	uint32_t *skip;
	size_t nskip;
	bool again; /* an import before this one did not finish */
	bool recount;
	struct zone_ids {
		char uuid[37];
		uint32_t base;
	} *running; /* they keep their ids */
	size_t nrunning;
	struct node_import n;
	struct vm_ids {
		char uuid[37], state[16];
		uint32_t id_base;
		uint64_t quota;
	} *vm;
	size_t nvm;
};

struct joins {
	struct store *s;
	const char *uuid;
	uint64_t group;
	bool *recount;
	struct err *e;
};

static int mark_vm(struct state *st, const char *uuid, const char *value, struct err *e)
{
	_free_ char *key = xprintf(MARK ":%s", uuid);

	return state_kv_set(st, key, value, e);
}

static bool marked(struct state *st, const char *uuid)
{
	_free_ char *key = xprintf(MARK ":%s", uuid), *value = NULL;

	return state_kv_get(st, key, &value, NULL) == 0;
}

/* No other VM gets the ids of a zone that runs: they are skipped. */
static int note_running(const char *uuid, const struct zone_run *run, void *arg)
{
	struct import *m = arg;
	_free_ char *path = xprintf("%s/%s/spec", m->c->node.run, uuid);
	_buf_ struct buf b = BUF_INIT;
	struct zspec z = {0};

	if (run->running && file_read(AT_FDCWD, path, 1 << 20, &b, NULL) == 0 && zspec_parse(buf_str(&b), b.len, &z, NULL) == 0) {
		m->running = xrealloc(m->running, (m->nrunning + 1) * sizeof *m->running);
		snprintf(m->running[m->nrunning].uuid, 37, "%.36s", uuid);
		m->running[m->nrunning++].base = z.id_base;
		m->skip = xrealloc(m->skip, (m->nskip + 1) * sizeof *m->skip);
		m->skip[m->nskip++] = z.id_base;
	}
	zspec_done(&z);
	return 0;
}

static int insert(struct import *m, const char *uuid, const json_t *rec, struct err *e)
{
	uint32_t base = 0;

	for (size_t i = 0; i < m->nrunning; i++)
		if (str_eq(m->running[i].uuid, uuid))
			base = m->running[i].base;
	if (base) {
		if (state_vm_insert(m->st, rec, "failed", m->skip, m->nskip, &base, e) == 0)
			return 0;
		ctx_log(m->c, LOG_WARN, "VM %s does not keep its user ids: %s; reboot it", uuid, e->msg);
	}
	return state_vm_insert(m->st, rec, "failed", m->skip, m->nskip, NULL, e);
}

static int leave_snap(const char *name, uint64_t created_ns, void *arg)
{
	struct joins *j = arg;
	_free_ char *full = xprintf("%s/snap/%s", j->uuid, name);
	int r = store_quota_leave(j->s, full, j->group, j->e);

	*j->recount |= r > 0;
	return r < 0 ? r : 0;
}

static int leave_others(struct joins *j)
{
	_free_ char *root = xprintf("%s/root", j->uuid), *snap = xprintf("%s/snap", j->uuid);
	int r = store_exists(j->s, root) ? store_quota_leave(j->s, root, j->group, j->e) : 0;

	*j->recount |= r > 0;
	return r < 0 ? r : store_each(j->s, snap, leave_snap, j, j->e);
}

static int add_record(const char *uuid, const char *text, size_t n, void *arg)
{
	struct import *m = arg;
	struct err e = ERR_INIT;
	_json_ json_t *rec = NULL, *have = NULL;
	int r, damaged = state_vm_get(m->st, uuid, &have, NULL, NULL, NULL);

	if (damaged == 0) {
		m->n.known++;
		return 0;
	}
	r = text ? vm_record_load(text, n, &rec, &e) : err_set(&e, ENOENT, "it has no record: a create that did not finish");
	if (r == 0 && !str_eq(vm_str(rec, "uuid"), uuid))
		r = err_set(&e, EINVAL, "its record is another VM's");
	if (damaged == -EUCLEAN) { /* the rest of its row is as it was */
		if (r == 0)
			r = state_vm_replace(m->st, rec, &e);
		ctx_log(m->c, LOG_WARN, "VM %s: its record in the database is damaged: %s", uuid,
			r < 0 ? e.msg : "the copy on the pool takes its place");
		m->n.known++;
		return 0;
	}
	/* said before the row is there: after a kill it tells ours from what failed for its own reasons */
	if (r == 0)
		r = mark_vm(m->st, uuid, "1", &e);
	if (r == 0)
		r = insert(m, uuid, rec, &e);
	if (r == 0) {
		m->n.vms++;
		state_event(m->st, "imported", uuid, NULL, NULL);
		return 0;
	}
	mark_vm(m->st, uuid, NULL, NULL);
	ctx_log(m->c, LOG_WARN, "VM %s stays out: %s", uuid, e.msg);
	m->n.refused++;
	/* what is none of our VMs must not count as one's */
	if (leave_others(&(struct joins){m->s, uuid, 0, &m->recount, &e}) < 0)
		ctx_log(m->c, LOG_WARN, "VM %s: %s", uuid, e.msg);
	return 0;
}

static int note_vm(const struct vm_row *row, void *arg)
{
	struct import *m = arg;
	struct vm_ids *v;

	m->vm = xrealloc(m->vm, (m->nvm + 1) * sizeof *m->vm);
	v = &m->vm[m->nvm++];
	*v = (struct vm_ids){.id_base = row->id_base, .quota = row->quota > 0 ? (uint64_t)row->quota * GIB : 0};
	snprintf(v->uuid, sizeof v->uuid, "%s", row->uuid);
	snprintf(v->state, sizeof v->state, "%s", row->state);
	return 0;
}

static int join(struct joins *j, const char *name)
{
	int r = store_quota_join(j->s, name, j->group, j->e);

	*j->recount |= r > 0;
	return r < 0 ? r : 0;
}

static int join_snap(const char *name, uint64_t created_ns, void *arg)
{
	struct joins *j = arg;
	_free_ char *full = xprintf("%s/snap/%s", j->uuid, name);

	return join(j, full);
}

static bool is_ours(const struct import *m, const struct vm_ids *v)
{
	return str_eq(v->state, "failed") && marked(m->st, v->uuid);
}

/* First into its own group, then out of what it was in: there is no moment without a limit. */
static int regroup(struct import *m, const struct vm_ids *v, struct err *e)
{
	struct joins j = {m->s, v->uuid, store_quota_id(m->s, v->id_base), &m->recount, e};
	_free_ char *root = xprintf("%s/root", v->uuid), *snap = xprintf("%s/snap", v->uuid);
	_json_ json_t *rec = NULL;
	int r;

	if (!store_exists(m->s, root))
		return 0;
	r = v->quota ? state_vm_get(m->st, v->uuid, &rec, NULL, NULL, e) : 0;
	if (r == 0)
		r = join(&j, root);
	if (r == 0)
		r = store_each(m->s, snap, join_snap, &j, e);
	if (r == 0)
		r = store_quota_set(m->s, j.group, v->quota ? v->quota + DISKS_TIMES * disks_bytes(rec) : 0, e);
	if (r == 0)
		r = leave_others(&j);
	return r < 0 ? err_add(e, "quota of VM %s", v->uuid) : 0;
}

static int groups(struct import *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->nvm; i++)
		if (is_ours(m, &m->vm[i]))
			r = regroup(m, &m->vm[i], e);
	if (r == 0 && m->recount)
		r = store_quota_recount(m->s, e);
	if (r == 0)
		store_recover(m->s, NULL); /* groups that nothing belongs to any more */
	return r;
}

static bool runs(const struct import *m, const char *uuid)
{
	for (size_t i = 0; i < m->nrunning; i++)
		if (str_eq(m->running[i].uuid, uuid))
			return true;
	return false;
}

static int finish(struct import *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->nvm; i++) {
		_free_ char *root = xprintf("%s/root", m->vm[i].uuid);

		if (!is_ours(m, &m->vm[i]))
			continue;
		if (store_exists(m->s, root)) {
			/* what it had before is another host's to bill, or has been billed here; of what runs its worker counts */
			if (!runs(m, m->vm[i].uuid))
				usage_stopped_now(m->c, m->vm[i].uuid, m->vm[i].id_base, 0);
			r = state_vm_set_state(m->st, m->vm[i].uuid, "installed", e);
		} else {
			ctx_log(m->c, LOG_WARN, "VM %s has lost its root: it is failed", m->vm[i].uuid);
		}
		if (r == 0)
			r = mark_vm(m->st, m->vm[i].uuid, NULL, e);
	}
	return r;
}

static int rebuild(struct import *m, struct err *e)
{
	_free_ char *mark = NULL;
	int r;

	m->again = state_kv_get(m->st, MARK, &mark, NULL) == 0;
	r = state_kv_set(m->st, MARK, "running", e);
	if (r == 0)
		r = image_adopt(m->c, m->st, m->s, e);
	if (r < 0)
		return r;
	m->n.images = (unsigned)r;
	r = subid_in_use(&m->skip, &m->nskip, e);
	if (r == 0)
		r = zone_each(m->c, note_running, m, e);
	if (r == 0)
		r = pool_each_record(m->s, add_record, m, e);
	if (r == 0)
		r = failpoint("import-rows", e);
	if (r == 0)
		r = state_vm_each(m->st, 0, note_vm, m, e);
	/* nothing new: the groups are those of this database already */
	if (r == 0 && (m->n.vms || m->again || m->recount)) {
		r = groups(m, e);
		if (r == 0)
			r = failpoint("import-groups", e);
		if (r == 0)
			r = finish(m, e);
	}
	return r < 0 ? r : state_kv_set(m->st, MARK, NULL, e);
}

int node_import(struct ctx *c, const char *const *dev, size_t ndevs, struct node_import *out, struct err *e)
{
	struct import m = {.c = c};
	_fd_ int lock = -1;
	int r = pool_import(c, dev, ndevs, e);

	if (r < 0)
		return r;
	lock = lock_take(c, "import", e); /* one import at a time; VMs are not locked: those it adds can't be started yet */
	if (lock < 0)
		return lock;
	r = state_open(c, STATE_WRITE, &m.st, e);
	if (r == 0)
		r = store_open(c, &m.s, e);
	if (r == 0)
		r = rebuild(&m, e);
	store_close(&m.s);
	state_close(&m.st);
	free(m.vm);
	free(m.skip);
	free(m.running);
	if (r < 0)
		return err_add(e, "import");
	*out = m.n;
	return 0;
}
