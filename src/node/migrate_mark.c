/* SPDX-License-Identifier: MPL-2.0 */
/* What is stored of a migration, so that no kill and no power cut makes two machines of one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/migrate_in.h"

#define TAKEN_S (30 * 86400ULL) /* a machine's that is no more here: who has not asked by then gets "not" */
#define WHERE (MIGMSG_SESSION + 1 + PEER_PRINT + 1) /* where in the text it says where to */

static int change(struct vm *v, const char *key, const char *value, const char *state, struct err *e)
{
	_free_ char *name = xprintf("%s:%s", key, v->uuid);
	int r = state_begin(v->st, e);

	if (r < 0)
		return r;
	r = state_kv_set(v->st, name, value, e);
	if (r == 0 && state)
		r = state_vm_set_state(v->st, v->uuid, state, e);
	r = state_end(v->st, r, e);
	if (r == 0 && state) {
		free(v->vmstate);
		v->vmstate = xstrdup(state);
	}
	return r < 0 ? err_add(e, "store who has VM %s", v->uuid) : 0;
}

int mark_set(struct vm *v, const struct migrate_mark *m, struct err *e)
{
	_free_ char *text = xprintf("%s %s %s", m->session, m->print, m->where);

	return change(v, "migrate", text, MIGRATE_STATE, e);
}

int mark_where(struct migrate_mark *m, const char *where, struct err *e)
{
	return snprintf(m->where, sizeof m->where, "%s", where) < (int)sizeof m->where ? 0 : err_set(e, EINVAL, "\"%.80s…\" is no address", where);
}

int mark_drop(struct vm *v, const char *state, struct err *e)
{
	return change(v, "migrate", NULL, state, e);
}

int mark_get(struct vm *v, struct migrate_mark *m, struct err *e)
{
	_free_ char *name = xprintf("migrate:%s", v->uuid), *value = NULL;
	int r = state_kv_get(v->st, name, &value, e);

	if (r < 0)
		return r;
	if (strlen(value) <= WHERE || value[MIGMSG_SESSION] != ' ' || value[WHERE - 1] != ' ')
		return err_set(e, EUCLEAN, "VM %s: what is stored of its migration is damaged", v->uuid);
	snprintf(m->session, sizeof m->session, "%.*s", MIGMSG_SESSION, value);
	snprintf(m->print, sizeof m->print, "%.*s", PEER_PRINT, value + MIGMSG_SESSION + 1);
	snprintf(m->where, sizeof m->where, "%s", value + WHERE);
	return 0;
}

int mark_taken(struct vm *v, const char *session, struct err *e)
{
	_free_ char *text = xprintf("%s %llu", session, (unsigned long long)(clock_wall_ns() / 1000000000));

	return change(v, "taken", text, "installed", e);
}

int mark_not_taken(struct vm *v, struct err *e)
{
	return change(v, "taken", NULL, RECEIVE_STATE, e);
}

int mark_is_taken(struct state *st, const char *uuid, const char *session, struct err *e)
{
	_free_ char *name = xprintf("taken:%s", uuid), *value = NULL;
	int r = state_kv_get(st, name, &value, e);

	if (r == -ENOENT)
		return 0;
	/* behind it, when that was */
	return r < 0 ? r : str_starts(value, session) && (!value[MIGMSG_SESSION] || value[MIGMSG_SESSION] == ' ');
}

int mark_trim(struct state *st, struct err *e)
{
	uint64_t now = clock_wall_ns() / 1000000000;

	return state_kv_trim(st, "taken", MIGMSG_SESSION + 2, now > TAKEN_S ? now - TAKEN_S : 0, e);
}
