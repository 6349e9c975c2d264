/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From the store into the switch, whose lock the caller holds. Two folders in the switch's own file system say how they
 * agree: "firewall", the sets are filled; "firewall-changing", a command was at it and has ended before it was done.
 * With the switch they go, so that a new one is filled.
 */
#include "node/fwset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

#define SCOPES 8

struct walk {
	struct state *st;
	bool (*want)(const char *uuid, void *arg); /* NULL: all */
	int (*each)(const struct fw_vm *vm, bool enabled, bool remote, void *arg);
	void *arg;
	struct err *e;
	bool walled;                /* those alone that have a firewall */
	char scope[SCOPES][UUID_LEN + 1]; /* and of these owners; none: of all */
	size_t nscopes;
};

static int walk_json(const json_t *o, bool remote, const struct walk *w)
{
	struct fw_vm vm;
	int r = fwaddr_vm(w->st, o, &vm, w->e);

	if (r < 0)
		return r;
	r = w->each(&vm, !remote && vm_bool(o, "firewall_enabled", false), remote, w->arg);
	fw_vm_done(&vm);
	return r;
}

/* Before it is parsed: a thousand are not for the three that it is about. */
static bool may_be(const struct walk *w, const char *record)
{
	if (w->walled && !strstr(record, "\"firewall_enabled\":true"))
		return false;
	for (size_t i = 0; i < w->nscopes; i++)
		if (strstr(record, w->scope[i]))
			return true;
	return w->nscopes == 0 || !strstr(record, "\"owner_uuid\":\"");
}

static int walk_row(const struct vm_row *row, void *arg)
{
	static const char *const members[] = {"firewall_enabled", "nics", "owner_uuid", "tags", "uuid", NULL};
	const struct walk *w = arg;
	_json_ json_t *rec = NULL;

	/* its addresses may be another's by now */
	if (!row->record || str_eq(row->state, "failed") || (w->want && !w->want(row->uuid, w->arg)) || !may_be(w, row->record))
		return 0;
	rec = vm_members(row->record, row->record_len, members);
	return rec ? walk_json(rec, false, arg) : 0;
}

/* Whom these sets can be about: a set's name begins with whose it is. */
static void walk_for(struct walk *w, const json_t *names)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)names, name, v)
	{
		size_t n = strcspn(name, " "), i = 0;

		while (i < w->nscopes && strncmp(w->scope[i], name, UUID_LEN))
			i++;
		if (n != UUID_LEN || i == SCOPES) {
			w->nscopes = 0; /* everybody's */
			return;
		}
		if (i == w->nscopes)
			snprintf(w->scope[w->nscopes++], sizeof *w->scope, "%.*s", UUID_LEN, name);
	}
}

static int walk_rvm(const char *uuid, const json_t *value, void *arg)
{
	return walk_json(value, true, arg);
}

int fwvm_each(struct state *st, int (*each)(const struct fw_vm *vm, bool enabled, bool remote, void *arg), void *arg, struct err *e)
{
	struct walk w = {.st = st, .each = each, .arg = arg, .e = e};
	int r = state_vm_each(st, STATE_RECORD, walk_row, &w, e);

	return r < 0 ? r : state_net_each(st, "rvm", walk_rvm, &w, e);
}

int fwvm_walled(struct state *st, const json_t *names, int (*each)(const struct fw_vm *vm, bool enabled, bool remote, void *arg), void *arg, struct err *e)
{
	struct walk w = {.st = st, .each = each, .arg = arg, .e = e, .walled = true};

	walk_for(&w, names);
	return state_vm_each(st, STATE_RECORD, walk_row, &w, e);
}

/* ---- whether they agree ---- */

static char *mark(const struct net_switch *s, const char *name)
{
	return xprintf("%s/bpf/%s", s->dir, name);
}

int fwsync_begin(const struct net_switch *s, struct err *e)
{
	_free_ char *changing = mark(s, "firewall-changing"), *done = mark(s, "firewall");

	if (mkdir(changing, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "%s", changing);
	rmdir(done);
	return 0;
}

void fwsync_end(const struct net_switch *s)
{
	_free_ char *changing = mark(s, "firewall-changing"), *done = mark(s, "firewall");

	if (mkdir(done, 0700) == 0 || errno == EEXIST)
		rmdir(changing);
}

/* ---- sets ---- */

struct filling {
	struct state *st;
	const struct fwsets *sets;
	struct fw_member *m;
	size_t n, cap;
	struct err *e;
};

static int fill_one(const struct fw_vm *vm, bool enabled, bool remote, void *arg)
{
	struct filling *f = arg;
	struct fwsets in = {NULL, 0};
	int r = fwsets_of(f->st, f->sets, vm, &in, f->e);

	for (size_t i = 0; r == 0 && i < in.n; i++)
		for (size_t k = 0; k < vm->naddrs; k++) {
			if (f->n == f->cap) {
				f->cap = f->cap * 2 + 64;
				f->m = xrealloc(f->m, f->cap * sizeof *f->m);
			}
			f->m[f->n++] = (struct fw_member){in.set[i].id, vm->addr[k]};
		}
	fwsets_done(&in);
	return r;
}

static int set_order(const void *a, const void *b)
{
	return strcmp(((const struct fwset *)a)->name, ((const struct fwset *)b)->name);
}

int fwsync_fill(struct state *st, struct net_switch *s, const struct fwsets *sets, struct err *e)
{
	struct filling f = {.st = st, .sets = sets, .e = e};
	int r;

	if (sets->n)
		qsort(sets->set, sets->n, sizeof *sets->set, set_order); /* as they are looked up */
	r = sets->n ? fwvm_each(st, fill_one, &f, e) : 0;
	if (r == 0)
		r = net_fw_members(s, f.m, f.n, e);
	free(f.m);
	return r;
}

/* ---- lists ---- */

struct zones {
	struct one_zone {
		char uuid[UUID_LEN + 1];
		uint32_t zone;
	} *z;
	size_t n, cap;
};

static int note_zone(const char *uuid, const struct zone_run *run, void *arg)
{
	struct zones *z = arg;

	if (!run->running)
		return 0;
	if (z->n == z->cap) {
		z->cap = z->cap * 2 + 64;
		z->z = xrealloc(z->z, z->cap * sizeof *z->z);
	}
	snprintf(z->z[z->n].uuid, sizeof z->z->uuid, "%s", uuid);
	z->z[z->n++].zone = (uint32_t)run->zoneid;
	return 0;
}

static int by_uuid(const void *a, const void *b)
{
	return strcmp(((const struct one_zone *)a)->uuid, ((const struct one_zone *)b)->uuid);
}

struct loading {
	struct filling fill; /* of all sets, where half is true */
	const struct ctx *c;
	struct net_switch *s;
	const json_t *names; /* NULL: all */
	struct zones zones;
	struct fwlists lists;
	json_t *log; /* whose rules log: uuid → zone */
	bool half;
};

static const struct one_zone *zone_of(const struct loading *l, const char *uuid)
{
	struct one_zone key;

	snprintf(key.uuid, sizeof key.uuid, "%s", uuid);
	return l->zones.n ? bsearch(&key, l->zones.z, l->zones.n, sizeof key, by_uuid) : NULL;
}

static bool runs(const char *uuid, void *arg)
{
	return zone_of(arg, uuid) != NULL;
}

static int concerned(const char *set, void *arg)
{
	return json_object_get(arg, set) ? 1 : 0;
}

static int load_vm(const struct fw_vm *vm, bool enabled, bool remote, void *arg)
{
	struct loading *l = arg;
	const struct one_zone *z = enabled && !remote ? zone_of(l, vm->uuid) : NULL;
	int r = l->half ? fill_one(vm, enabled, remote, &l->fill) : 0;

	if (r < 0 || !z)
		return r;
	r = l->names ? fw_vm_sets(vm, concerned, (void *)l->names) : 1;
	/* one that was stopped stays so */
	if (r == 1)
		r = net_fw_status(l->s, z->zone, l->fill.e);
	if (r == 1) {
		r = fwlists_add(&l->lists, vm, z->zone, l->fill.e);
		/* others don't wait for what concerns this one: it goes on with the list that it has */
		if (r == -EUCLEAN && l->half) {
			ctx_log(l->c, LOG_WARN, "VM %s keeps the firewall rules that it had: %s. %s", vm->uuid, l->fill.e->msg, l->fill.e->hint);
			return 0;
		}
	}
	if (r == 0 && l->lists.n && l->lists.list[l->lists.n - 1].zone == z->zone && net_fw_logs(&l->lists.list[l->lists.n - 1]))
		json_object_set_new(l->log, vm->uuid, json_integer(z->zone));
	return r < 0 ? r : 0;
}

static int load_begin(struct loading *l, const struct ctx *c, struct err *e)
{
	int r;

	l->log = json_object();
	fwlists_init(&l->lists, l->fill.st);
	/* a few rules are found by the sets that they name */
	r = l->names && json_object_size(l->names) < 64 ? fwlists_sets(&l->lists, e) : fwlists_all(&l->lists, e);
	if (r == 0)
		r = zone_each(c, note_zone, &l->zones, e);
	if (l->zones.n)
		qsort(l->zones.z, l->zones.n, sizeof *l->zones.z, by_uuid);
	l->fill.sets = &l->lists.sets;
	return r;
}

static int load_lists(struct loading *l, const struct ctx *c, struct err *e)
{
	const char *uuid;
	json_t *zone;
	int r = l->lists.n ? net_fw_load(l->s, l->lists.list, l->lists.n, e) : 0;

	json_object_foreach(l->log, uuid, zone)
		if (r == 0)
			r = vmfw_log(c, l->s, uuid, (uint32_t)json_integer_value(zone), e);
	return r;
}

static void load_done(struct loading *l)
{
	json_decref(l->log);
	fwlists_done(&l->lists);
	free(l->zones.z);
	free(l->fill.m);
}

int fwsync_lists(const struct ctx *c, struct state *st, struct net_switch *s, const json_t *names, struct err *e)
{
	struct loading l = {.fill = {.st = st, .e = e}, .c = c, .s = s, .names = names};
	struct walk w = {.st = st, .want = runs, .each = load_vm, .arg = &l, .e = e, .walled = true};
	int r = load_begin(&l, c, e);

	if (names)
		walk_for(&w, names);
	if (r == 0)
		r = state_vm_each(st, STATE_RECORD, walk_row, &w, e);
	if (r == 0)
		r = load_lists(&l, c, e);
	load_done(&l);
	return r;
}

/* Each record and each rule is read once. These are all sets that there are, and nothing else is to be in any. */
static int bring_all(const struct ctx *c, struct state *st, struct net_switch *s, struct err *e)
{
	struct loading l = {.fill = {.st = st, .e = e}, .c = c, .s = s, .half = true};
	int r = load_begin(&l, c, e);

	if (r == 0)
		r = fwvm_each(st, load_vm, &l, e);
	if (r == 0)
		r = net_fw_sets(s, NULL, 0, l.fill.m, l.fill.n, e);
	if (r == 0)
		r = load_lists(&l, c, e);
	load_done(&l);
	return r;
}

int fwsync(const struct ctx *c, struct state *st, struct net_switch *s, struct err *e)
{
	_free_ char *changing = mark(s, "firewall-changing"), *done = mark(s, "firewall");
	bool half = access(changing, F_OK) == 0;
	struct fwsets all = {NULL, 0};
	int r = 0;

	if (!half && access(done, F_OK) == 0)
		return 0;
	if (half) {
		r = bring_all(c, st, s, e);
	} else {
		r = fwsets_load(st, &all, e);
		if (r == 0)
			r = fwsync_fill(st, s, &all, e);
		fwsets_done(&all);
	}
	if (r == 0)
		fwsync_end(s);
	return r < 0 ? err_add(e, "firewall") : 0;
}
