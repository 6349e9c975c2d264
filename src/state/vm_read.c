/* SPDX-License-Identifier: MPL-2.0 */
/* VM rows as they are read. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "state/db.h"

int state_vm_none(const char *uuid, struct err *e)
{
	return err_set(e, ENOENT, "%s: No such zone configured", uuid);
}

static int load(const char *uuid, const char *alias, const char *text, json_t **rec, struct err *e)
{
	json_error_t je = {.line = 0};
	const char *own;

	*rec = text ? json_loads(text, JSON_REJECT_DUPLICATES, &je) : NULL;
	own = json_string_value(json_object_get(*rec, "uuid"));
	if (own && !strcmp(own, uuid))
		return 0;
	if (!text)
		strcpy(je.text, "it is not there");
	else if (json_is_object(*rec))
		strcpy(je.text, "it is of another VM");
	else if (*rec)
		strcpy(je.text, "it is not an object");
	json_decref(*rec);
	*rec = NULL;
	err_set(e, EUCLEAN, "the record of VM %s%s%s%s is damaged: %s", uuid, alias ? " (" : "", alias ? alias : "",
		alias ? ")" : "", je.text);
	err_hint(e, "Its copy is config/record.json in the VM's zonepath: `cloister pool import` takes it back from there.");
	return -EUCLEAN;
}

static void fill_row(sqlite3_stmt *st, struct vm_row *row)
{
	*row = (struct vm_row){
		.uuid = db_text(st, 0),
		.alias = db_text(st, 1),
		.brand = db_text(st, 2),
		.owner = db_text(st, 3),
		.type = db_text(st, 4),
		.state = db_text(st, 5),
		.state_ns = sqlite3_column_int64(st, 6),
		.autoboot = sqlite3_column_int(st, 12),
		.id_base = (uint32_t)sqlite3_column_int64(st, 13),
		.create_ns = sqlite3_column_int64(st, 14),
		.zonename = db_text(st, 15),
		.image = db_text(st, 16),
		.record = db_text(st, 17),
	};
	int64_t *const num[] = {&row->ram, &row->quota, &row->cpu_cap, &row->cpu_shares, &row->max_lwps};

	for (int i = 0; i < 5; i++)
		*num[i] = sqlite3_column_type(st, 7 + i) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, 7 + i);
	row->record_len = row->record ? (size_t)sqlite3_column_bytes(st, 17) : 0;
}

int state_vm_row(struct state *s, const char *uuid, int (*each)(const struct vm_row *, void *arg), void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_VM_GET, e);
	struct vm_row row;
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, uuid);
	r = db_step(s, st, e, "read a VM");
	if (r == 0)
		return state_vm_none(uuid, e);
	if (r < 0)
		return r;
	fill_row(st, &row);
	r = each(&row, arg);
	sqlite3_reset(st);
	return r;
}

struct get {
	json_t **rec;
	char **vmstate;
	uint32_t *id_base;
	struct err *e;
};

static int get_one(const struct vm_row *row, void *arg)
{
	struct get *g = arg;
	int r = g->rec ? load(row->uuid, row->alias, row->record, g->rec, g->e) : 0;

	if (r < 0)
		return r;
	if (g->vmstate)
		*g->vmstate = xstrdup(row->state);
	if (g->id_base)
		*g->id_base = row->id_base;
	return 0;
}

int state_vm_get(struct state *s, const char *uuid, json_t **rec, char **vmstate, uint32_t *id_base, struct err *e)
{
	json_t *loaded = NULL;
	struct get g = {rec ? &loaded : NULL, vmstate, id_base, e};
	int r = state_vm_row(s, uuid, get_one, &g, e);

	if (r == 0 && rec)
		*rec = loaded;
	return r;
}

static void fill_slim(sqlite3_stmt *st, struct vm_row *row)
{
	*row = (struct vm_row){
		.uuid = db_text(st, 0),
		.alias = db_text(st, 1),
		.type = db_text(st, 2),
		.state = db_text(st, 3),
		.state_ns = sqlite3_column_int64(st, 4),
		.ram = sqlite3_column_type(st, 5) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, 5),
		.quota = -1,
		.cpu_cap = -1,
		.cpu_shares = -1,
		.max_lwps = -1,
		.autoboot = sqlite3_column_int(st, 6),
		.id_base = (uint32_t)sqlite3_column_int64(st, 7),
	};
}

int state_vm_each(struct state *s, int want, int (*each)(const struct vm_row *, void *arg), void *arg, struct err *e)
{
	bool slim = want == STATE_SLIM;
	sqlite3_stmt *st = db_stmt(s, slim ? SQL_VM_EACH_SLIM : want & STATE_RECORD ? SQL_VM_EACH_RECORD : SQL_VM_EACH, e);
	struct vm_row row;
	int r;

	if (!st)
		return -EIO;
	while ((r = db_step(s, st, e, "read the VMs")) == 1) {
		if (slim)
			fill_slim(st, &row);
		else
			fill_row(st, &row);
		r = each(&row, arg);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}
