/* SPDX-License-Identifier: MPL-2.0 */
/* Running a query: the walk of the rows, what runs, values, filters, order. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/saved.h"
#include "node/vmlive.h"
#include "node/vmquery_in.h"
#include "node/vmstate.h"

/* Keeps a string until the query is freed. */
static const char *keep(struct vm_query *q, const char *s)
{
	size_t n = s ? strlen(s) + 1 : 0;

	if (!s)
		return NULL;
	if (!q->text || q->text->used + n > q->text->size) {
		size_t size = n > CHUNK ? n : CHUNK;
		struct chunk *k = xrealloc(NULL, sizeof *k + size);

		*k = (struct chunk){.next = q->text, .size = size};
		q->text = k;
	}
	memcpy(q->text->p + q->text->used, s, n);
	q->text->used += n;
	return q->text->p + q->text->used - n;
}

/* ---- what runs ---- */

static int add_up(const char *uuid, const struct zone_run *r, void *arg)
{
	struct vm_query *q = arg;
	struct up *p;

	if (q->nup == q->upcap) {
		q->upcap = q->upcap ? q->upcap * 2 : 256;
		q->up = xrealloc(q->up, q->upcap * sizeof *q->up);
	}
	p = &q->up[q->nup++];
	memcpy(p->uuid, uuid, UUID_LEN);
	p->uuid[UUID_LEN] = 0;
	p->run = *r;
	return 0;
}

static int by_uuid(const void *a, const void *b)
{
	return strcmp(((const struct up *)a)->uuid, ((const struct up *)b)->uuid);
}

/* Rows come in the order of uuids, and q->up is sorted so: what runs is found by going on in both. */
static struct zone_run run_of(struct vm_query *q, const char *uuid)
{
	int cmp = 1;

	while (q->at < q->nup && (cmp = strcmp(q->up[q->at].uuid, uuid)) < 0)
		q->at++;
	return q->at < q->nup && cmp == 0 ? q->up[q->at].run : (struct zone_run){.running = false};
}

/* ---- values ---- */

static void text(struct vm_query *q, struct vm_val *v, const char *s, bool lasts)
{
	if (s)
		*v = (struct vm_val){.kind = VAL_TEXT, .text = lasts ? s : keep(q, s)};
}

static void number(struct vm_val *v, int64_t n)
{
	if (n >= 0)
		*v = (struct vm_val){.kind = VAL_NUM, .num = n};
}

/* Its memory waits on the disk. Asked of machines alone, and of those that don't run. */
static bool suspended(const struct gather *g, const struct vm_row *row, const struct zone_run *run)
{
	return str_eq(row->type, "KVM") && !run->running && saved_there(g->c, row->uuid);
}

static void column(struct gather *g, const struct vm_row *row, const struct zone_run *run, enum vm_col col, struct vm_val *v)
{
	struct vm_query *q = g->q;
	const char *state;
	char t[CLOCK_TEXT];

	switch (col) {
	case COL_UUID: text(q, v, row->uuid, false); break;
	case COL_ALIAS: text(q, v, row->alias, false); break;
	case COL_BRAND: text(q, v, row->brand, false); break;
	case COL_OWNER: text(q, v, row->owner, false); break;
	case COL_TYPE: text(q, v, row->type, false); break;
	case COL_ZONENAME: text(q, v, row->zonename, false); break;
	case COL_IMAGE: text(q, v, row->image, false); break;
	case COL_RAM: number(v, row->ram); break;
	case COL_QUOTA: number(v, row->quota); break;
	case COL_CPU_CAP: number(v, row->cpu_cap); break;
	case COL_CPU_SHARES: number(v, row->cpu_shares); break;
	case COL_MAX_LWPS: number(v, row->max_lwps); break;
	case COL_AUTOBOOT: *v = (struct vm_val){.kind = VAL_BOOL, .num = row->autoboot}; break;
	case COL_HVM:
		*v = (struct vm_val){.kind = VAL_BOOL, .num = str_eq(row->type, "KVM") || str_eq(row->type, "BHYV")};
		break;
	case COL_ZONEPATH: {
		_free_ char *path = xprintf("%s/%s", g->c->node.pool, row->uuid);

		text(q, v, path, false);
		break;
	}
	case COL_SERVER: text(q, v, q->server_uuid, true); break;
	case COL_CREATED:
		if (row->create_ns > 0)
			text(q, v, clock_iso((uint64_t)row->create_ns, t), false);
		break;
	case COL_STATE:
		state = vm_state_name(row->state, row->state_ns, g->now, run, !g->store, suspended(g, row, run));
		text(q, v, state, state != row->state);
		break;
	case COL_ZONE_STATE: text(q, v, vm_zone_state_name(row->state, run), false); break;
	case COL_PID:
		if (run->running)
			number(v, run->init_pid);
		break;
	case COL_ZONEID:
		if (run->running)
			number(v, (int64_t)run->zoneid);
		break;
	case COL_BOOTED:
		if (run->running)
			text(q, v, clock_iso(run->boot_ns, t), false);
		break;
	case COL_NONE: break;
	}
}

static void from_json(const json_t *j, void *arg)
{
	struct vm_val *v = arg;

	switch (json_typeof(j)) {
	case JSON_STRING: *v = (struct vm_val){.kind = VAL_TEXT, .text = json_string_value(j)}; break;
	case JSON_INTEGER: *v = (struct vm_val){.kind = VAL_NUM, .num = json_integer_value(j)}; break;
	case JSON_TRUE:
	case JSON_FALSE: *v = (struct vm_val){.kind = VAL_BOOL, .num = json_is_true(j)}; break;
	case JSON_NULL: break;
	default: *v = (struct vm_val){.kind = VAL_JSON, .json = j};
	}
}

const char *val_text(const struct vm_val *v, char num[24])
{
	switch (v->kind) {
	case VAL_TEXT: return v->text;
	case VAL_NUM: snprintf(num, 24, "%lld", (long long)v->num); return num;
	case VAL_BOOL: return v->num ? "true" : "false";
	default: return "";
	}
}

static bool matches_text(const struct filter *f, const char *s)
{
	return f->regex ? regexec(&f->re, s, 0, NULL, 0) == 0 : !strcmp(s, f->want);
}

struct match {
	const struct filter *f;
	bool any, hit;
};

/* A list matches when one of its items does. */
static void match_json(const json_t *j, void *arg)
{
	struct match *m = arg;
	struct vm_val v = {.kind = VAL_NONE};
	char num[24];
	json_t *item;
	size_t i;

	m->any = true;
	if (json_is_array(j)) {
		json_array_foreach((json_t *)j, i, item)
			match_json(item, arg);
		return;
	}
	from_json(j, &v);
	if (v.kind != VAL_JSON && v.kind != VAL_NONE && matches_text(m->f, val_text(&v, num)))
		m->hit = true;
}

/* `alias=` finds the VMs that have none. */
static bool passes(struct vm_query *q, const struct hit *vm, const struct filter *f)
{
	const struct vm_field *fd = &q->fields[f->field];
	char num[24];

	if (fd->col != COL_NONE)
		return matches_text(f, val_text(&vm->val[f->field], num));

	struct match m = {.f = f};

	vm_field(fd->src == SRC_LIVE ? vm->live : vm->rec, fd->name, match_json, &m);
	return m.any ? m.hit : matches_text(f, "");
}

/* ---- one VM ---- */

static bool stage(struct vm_query *q, const struct hit *vm, enum vm_source src)
{
	for (size_t i = 0; i < q->nfilters; i++)
		if (q->fields[q->filters[i].field].src == src && !passes(q, vm, &q->filters[i]))
			return false;
	return true;
}

static void load(struct gather *g, struct hit *vm, const struct vm_row *row)
{
	json_error_t je = {.line = 0};

	vm->rec = row->record ? json_loadb(row->record, row->record_len, JSON_REJECT_DUPLICATES, &je) : NULL;
	if (json_is_object(vm->rec))
		return;
	ctx_log(g->c, LOG_WARN, "the record of VM %s%s%s%s is damaged%s%s; only its columns are shown", row->uuid,
		row->alias ? " (" : "", row->alias ?: "", row->alias ? ")" : "", *je.text ? ": " : "", je.text);
	json_decref(vm->rec);
	vm->rec = json_pack("{s:s, s:s, s:s*}", "uuid", row->uuid, "brand", row->brand, "alias", row->alias);
	g->damaged++;
}

/* false = filtered out. From cheap to dear, and a filter has its say as soon as it can. */
static bool take_vm(struct gather *g, const struct vm_row *row, struct hit *vm)
{
	struct vm_query *q = g->q;
	struct zone_run run = {.running = false};
	struct vm_facts facts = {row, &run, g->now, g->store, q->server_uuid};

	if (g->need[SRC_RUN])
		run = run_of(q, row->uuid);
	for (size_t i = 0; i < q->nfields; i++)
		column(g, row, &run, q->fields[i].col, &vm->val[i]);
	if (!stage(q, vm, SRC_ROW) || !stage(q, vm, SRC_RUN))
		return false;
	if (g->need[SRC_LIVE]) {
		vm->live = vm_live_of_row(g->c, &facts, g->parts);
		if (!stage(q, vm, SRC_LIVE))
			return false;
	}
	if (g->need[SRC_RECORD]) {
		load(g, vm, row);
		if (!stage(q, vm, SRC_RECORD))
			return false;
	}
	for (size_t i = 0; i < q->nfields; i++)
		if (q->fields[i].col == COL_NONE)
			vm_field(q->fields[i].src == SRC_LIVE ? vm->live : vm->rec, q->fields[i].name, from_json, &vm->val[i]);
	if (q->whole)
		vm->whole = vm_output(vm->rec, vm->live);
	return true;
}

static int each_row(const struct vm_row *row, void *arg)
{
	struct gather *g = arg;
	struct vm_query *q = g->q;
	struct hit *vm = xalloc(sizeof *vm + q->nfields * sizeof vm->val[0]);

	memcpy(vm->uuid, row->uuid, UUID_LEN);
	if (!take_vm(g, row, vm)) {
		json_decref(vm->rec);
		json_decref(vm->live);
		free(vm);
		return 0;
	}
	if (q->nvms == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 256;
		q->vms = xrealloc(q->vms, g->cap * sizeof *q->vms);
	}
	q->vms[q->nvms++] = vm;
	return ctx_check(g->c, g->e);
}

/* ---- order ---- */

static int compare(const struct vm_val *a, const struct vm_val *b)
{
	char na[24], nb[24];

	/* What has no value comes last. */
	if (a->kind == VAL_NONE || b->kind == VAL_NONE)
		return (a->kind == VAL_NONE) - (b->kind == VAL_NONE);
	if (a->kind == b->kind && (a->kind == VAL_NUM || a->kind == VAL_BOOL))
		return (a->num > b->num) - (a->num < b->num);
	return strcmp(val_text(a, na), val_text(b, nb));
}

static int order(const void *x, const void *y, void *arg)
{
	const struct hit *a = *(struct hit *const *)x, *b = *(struct hit *const *)y;
	const struct vm_query *q = arg;

	for (size_t i = 0; i < q->nsorts; i++) {
		int d = compare(&a->val[q->sorts[i].field], &b->val[q->sorts[i].field]);

		if (d)
			return q->sorts[i].down ? -d : d;
	}
	return strcmp(a->uuid, b->uuid);
}

static int gather(struct vm_query *q, struct gather *g, struct state *st, struct err *e)
{
	/* What STATE_SLIM gives, and what is made from it. */
	const unsigned slim = 1u << COL_NONE | 1u << COL_UUID | 1u << COL_ALIAS | 1u << COL_TYPE | 1u << COL_RAM |
			      1u << COL_AUTOBOOT | 1u << COL_HVM | 1u << COL_ZONEPATH | 1u << COL_SERVER | 1u << COL_STATE |
			      1u << COL_ZONE_STATE | 1u << COL_PID | 1u << COL_ZONEID | 1u << COL_BOOTED;
	int r = 0;

	for (size_t i = 0; i < q->nfields; i++) {
		g->need[q->fields[i].src] = true;
		g->parts |= q->fields[i].parts;
		g->server |= q->fields[i].col == COL_SERVER;
		g->wide |= (slim & (1u << q->fields[i].col)) == 0;
	}
	if (q->whole) {
		g->need[SRC_LIVE] = g->need[SRC_RECORD] = true;
		g->parts = LIVE_ALL;
	}
	if (g->need[SRC_LIVE])
		g->need[SRC_RUN] = true;
	if (g->need[SRC_RUN]) {
		r = zone_each(g->c, add_up, q, e);
		if (r < 0)
			return r;
		if (q->nup) /* a null pointer is none to sort by */
			qsort(q->up, q->nup, sizeof *q->up, by_uuid);
		/* Without a pool there is still a list. */
		if (store_open(g->c, &g->store, NULL) < 0)
			g->store = NULL;
	}
	if (g->server || g->need[SRC_LIVE]) {
		r = state_kv_get(st, "server_uuid", &q->server_uuid, e);
		if (r < 0)
			return r;
	}
	r = state_vm_each(st, g->need[SRC_RECORD] ? STATE_RECORD : g->wide ? 0 : STATE_SLIM, each_row, g, e);
	if (r == 0)
		qsort_r(q->vms, q->nvms, sizeof(void *), order, q);
	return r;
}

int vm_query_run(struct vm_query *q, struct ctx *c, struct err *e)
{
	struct gather g = {.q = q, .c = c, .now = clock_wall_ns(), .e = e};
	_clean_(state_close) struct state *st = NULL;
	int r = state_open(c, STATE_READ, &st, e);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = gather(q, &g, st, e);
	store_close(&g.store);
	return r < 0 ? r : (int)g.damaged;
}
