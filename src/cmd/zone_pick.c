/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/zone_pick.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "cmd/zone_arg.h"
#include "state/state.h"
#include "zone/self.h"

int zone_pick_add(const struct ctx *c, struct zone_pick *p, const char *word, struct err *e)
{
	int r;

	p->want = xrealloc(p->want, (p->nwant + 1) * sizeof *p->want);
	p->word = xrealloc(p->word, (p->nwant + 1) * sizeof *p->word);
	r = zone_arg(c, word, p->want[p->nwant], e);
	if (r == 0)
		p->word[p->nwant++] = xstrdup(word);
	return r;
}

static void put(struct zone_pick *p, const char *uuid, const struct zone_run *run)
{
	struct zone_picked *z;

	p->z = xrealloc(p->z, (p->n + 1) * sizeof *p->z);
	z = &p->z[p->n++];
	*z = (struct zone_picked){.run = *run};
	memcpy(z->uuid, uuid, strnlen(uuid, sizeof z->uuid - 1));
}

static int each_zone(const char *uuid, const struct zone_run *run, void *arg)
{
	if (run->running)
		put(arg, uuid, run);
	return 0;
}

static int by_uuid(const void *a, const void *b)
{
	return strcmp(((const struct zone_picked *)a)->uuid, ((const struct zone_picked *)b)->uuid);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct zone_picked *)a)->name, ((const struct zone_picked *)b)->name) ?: by_uuid(a, b);
}

static int take_row(const struct vm_row *row, void *arg)
{
	struct zone_pick *p = arg;
	struct zone_picked key, *z;

	memset(&key, 0, sizeof key);
	memcpy(key.uuid, row->uuid, strnlen(row->uuid, sizeof key.uuid - 1));
	z = p->n ? bsearch(&key, p->z, p->n, sizeof key, by_uuid) : NULL;
	if (z && !z->name) {
		z->name = xstrdup(row->alias ? row->alias : row->zonename ? row->zonename : row->uuid);
		z->id_base = row->id_base;
	}
	return 0;
}

static int named(const struct ctx *c, struct zone_pick *p, struct err *e)
{
	for (size_t i = 0; i < p->nwant; i++) {
		struct zone_run run;
		bool again = false;
		int r = zone_status(c, p->want[i], &run, e);

		for (size_t k = 0; k < p->n; k++)
			again |= !strcmp(p->z[k].uuid, p->want[i]);
		if (r == 0 && !run.running)
			r = err_set(e, ESRCH, "zone '%s' does not run", p->word[i]);
		if (r < 0)
			return r;
		if (!again)
			put(p, p->want[i], &run);
	}
	return 0;
}

int zone_pick_find(const struct ctx *c, struct zone_pick *p, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	int r;

	if (zone_inside())
		return err_set(e, ENOTSUP, "this command works in the global zone only");
	r = p->nwant ? named(c, p, e) : zone_each(c, each_zone, p, e);
	if (r < 0 || p->n == 0)
		return r;
	qsort(p->z, p->n, sizeof *p->z, by_uuid);
	r = state_open(c, STATE_READ, &st, e);
	if (r == 0 && p->n < 4)
		for (size_t i = 0; i < p->n; i++)
			(void)state_vm_row(st, p->z[i].uuid, take_row, p, NULL);
	else if (r == 0)
		r = state_vm_each(st, STATE_SLIM, take_row, p, e);
	if (r < 0 && r != -ENOENT)
		return r;
	/* one that runs and has no record is damaged, but its processes are not */
	for (size_t i = 0; i < p->n; i++)
		if (!p->z[i].name)
			p->z[i].name = xstrdup(p->z[i].uuid);
	qsort(p->z, p->n, sizeof *p->z, by_name);
	return 0;
}

void zone_pick_done(struct zone_pick *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->z[i].name);
	for (size_t i = 0; i < p->nwant; i++)
		free(p->word[i]);
	free(p->z);
	free(p->want);
	free(p->word);
	*p = (struct zone_pick){.z = NULL};
}

const char *zone_pick_uuid(unsigned zone, void *pick)
{
	return ((struct zone_pick *)pick)->z[zone].uuid;
}

int zone_pick_procs(const struct ctx *c, struct zone_pick *p, struct procs *ps, unsigned needs, struct err *e)
{
	struct cg_host h;
	int r = zone_pick_find(c, p, e);

	if (r == 0)
		r = cg_host_find(c, &h, e);
	for (size_t i = 0; r == 0 && i < p->n; i++)
		r = procs_list(ps, &h, p->z[i].uuid, (unsigned)i, e);
	return r < 0 ? r : procs_read(ps, &h, zone_pick_uuid, p, needs, e);
}
