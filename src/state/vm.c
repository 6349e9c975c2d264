/* SPDX-License-Identifier: MPL-2.0 */
/* VM rows as they are written. The columns are taken from the record at each write and never set apart from it. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "state/db.h"

static const char *type_of(const char *brand)
{
	if (!strcmp(brand, "lx"))
		return "LX";
	if (!strcmp(brand, "kvm"))
		return "KVM";
	if (!strcmp(brand, "bhyve"))
		return "BHYV";
	return "OS";
}

static const char *text_of(const json_t *rec, const char *key)
{
	const char *t = json_string_value(json_object_get(rec, key));

	return t && *t ? t : NULL;
}

/* Binds an integer property; -1 stands for "absent" in struct vm_row, NULL in the table. */
static void bind_num(sqlite3_stmt *st, int n, const json_t *rec, const char *key)
{
	const json_t *v = json_object_get(rec, key);

	if (json_is_integer(v))
		sqlite3_bind_int64(st, n, json_integer_value(v));
	else
		sqlite3_bind_null(st, n);
}

/* The columns that insert and replace have in common: same numbers in both statements. */
static int bind_record(sqlite3_stmt *st, const json_t *rec, struct err *e)
{
	const char *uuid = text_of(rec, "uuid"), *brand = text_of(rec, "brand"), *made = text_of(rec, "create_timestamp");
	uint64_t ns = 0;

	if (!uuid || !uuid_valid(uuid))
		return err_set(e, EINVAL, "the record has no valid uuid");
	if (!brand)
		return err_set(e, EINVAL, "the record of VM %s has no brand", uuid);
	if (made)
		clock_parse_iso(made, &ns);
	db_bind_text(st, 1, uuid);
	db_bind_text(st, 2, text_of(rec, "alias"));
	db_bind_text(st, 3, brand);
	db_bind_text(st, 4, text_of(rec, "owner_uuid"));
	db_bind_text(st, 5, type_of(brand));
	bind_num(st, 8, rec, json_object_get(rec, "ram") ? "ram" : "max_physical_memory");
	bind_num(st, 9, rec, "quota");
	bind_num(st, 10, rec, "cpu_cap");
	bind_num(st, 11, rec, "cpu_shares");
	bind_num(st, 12, rec, "max_lwps");
	sqlite3_bind_int(st, 13, json_is_true(json_object_get(rec, "autoboot")));
	sqlite3_bind_int64(st, 14, (int64_t)ns);
	db_bind_text(st, 15, text_of(rec, "zonename") ?: uuid);
	db_bind_text(st, 16, text_of(rec, "image_uuid"));
	return 0;
}

static int put_record(struct state *s, const json_t *rec, struct err *e)
{
	_free_ char *text = json_dumps(rec, JSON_COMPACT | JSON_SORT_KEYS);
	sqlite3_stmt *st = db_stmt(s, SQL_RECORD_PUT, e);
	int r;

	if (!st)
		return -EIO;
	if (!text)
		return err_set(e, EINVAL, "the record of VM %s is not JSON that can be written", text_of(rec, "uuid"));
	db_bind_text(st, 1, text_of(rec, "uuid"));
	db_bind_text(st, 2, text);
	r = db_run(s, st, e, "write a VM record");
	sqlite3_clear_bindings(st);
	return r;
}

/* What of the record is another VM's already: said by name, before the constraint would say it in SQL. */
static int check_taken(struct state *s, const json_t *rec, bool insert, struct err *e)
{
	const char *uuid = text_of(rec, "uuid"), *zn = text_of(rec, "zonename") ?: uuid;
	sqlite3_stmt *st;
	int r;

	if (insert) {
		r = state_vm_has(s, uuid, e);
		if (r < 0)
			return r;
		if (r == 1)
			return err_set(e, EEXIST, "VM %s already exists", uuid);
	}
	st = db_stmt(s, SQL_VM_ZONENAME, e);
	if (!st)
		return -EIO;
	db_bind_text(st, 1, zn);
	db_bind_text(st, 2, uuid);
	r = db_step(s, st, e, "look up a zonename");
	if (r == 1)
		r = err_set(e, EEXIST, "zonename \"%s\" is taken by VM %s", zn, db_text(st, 0));
	sqlite3_reset(st);
	return r;
}

static int insert(struct state *s, const json_t *rec, const char *vmstate, const uint32_t *skip, size_t nskip,
		  uint32_t *base, struct err *e)
{
	sqlite3_stmt *st;
	int r;

	if (!text_of(rec, "uuid"))
		return err_set(e, EINVAL, "the record has no uuid");
	r = check_taken(s, rec, true, e);
	if (r == 0)
		r = taken_change(s, text_of(rec, "uuid"), rec, e);
	if (r == 0)
		r = idrange_take(s, skip, nskip, base, e);
	if (r < 0)
		return r;
	st = db_stmt(s, SQL_VM_INSERT, e);
	if (!st)
		return -EIO;
	r = bind_record(st, rec, e);
	if (r < 0)
		return r;
	db_bind_text(st, 6, vmstate);
	sqlite3_bind_int64(st, 7, (int64_t)clock_wall_ns());
	sqlite3_bind_int64(st, 17, *base);
	r = db_run(s, st, e, "add a VM");
	return r < 0 ? r : put_record(s, rec, e);
}

int state_vm_insert(struct state *s, const json_t *rec, const char *vmstate, const uint32_t *skip, size_t nskip,
		    uint32_t *id_base, struct err *e)
{
	uint32_t base = id_base ? *id_base : 0;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	r = db_end(s, insert(s, rec, vmstate, skip, nskip, &base, e), e);
	if (r == 0 && id_base)
		*id_base = base;
	return r;
}

static int replace(struct state *s, const json_t *rec, struct err *e)
{
	sqlite3_stmt *st;
	int r;

	if (!text_of(rec, "uuid"))
		return err_set(e, EINVAL, "the record has no uuid");
	r = check_taken(s, rec, false, e);
	if (r == 0)
		r = taken_change(s, text_of(rec, "uuid"), rec, e);
	if (r < 0)
		return r;
	st = db_stmt(s, SQL_VM_REPLACE, e);
	if (!st)
		return -EIO;
	r = bind_record(st, rec, e);
	if (r == 0)
		r = db_run(s, st, e, "update a VM");
	if (r < 0)
		return r;
	if (sqlite3_changes(s->db) == 0)
		return state_vm_none(text_of(rec, "uuid"), e);
	return put_record(s, rec, e);
}

int state_vm_replace(struct state *s, const json_t *rec, struct err *e)
{
	int r = db_begin(s, false, e);

	return r < 0 ? r : db_end(s, replace(s, rec, e), e);
}

int state_vm_set_state(struct state *s, const char *uuid, const char *vmstate, struct err *e)
{
	sqlite3_stmt *st;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	st = db_stmt(s, SQL_VM_STATE, e);
	if (st) {
		db_bind_text(st, 1, uuid);
		db_bind_text(st, 2, vmstate);
		sqlite3_bind_int64(st, 3, (int64_t)clock_wall_ns());
	}
	r = db_run(s, st, e, "set a VM's state");
	if (r == 0 && sqlite3_changes(s->db) == 0)
		r = state_vm_none(uuid, e);
	return db_end(s, r, e);
}

static int set_autoboot(struct state *s, const char *uuid, int on, struct err *e)
{
	json_t *rec = NULL;
	sqlite3_stmt *st;
	int r = state_vm_get(s, uuid, &rec, NULL, NULL, e);

	if (r < 0)
		return r;
	if (json_is_true(json_object_get(rec, "autoboot")) == !!on) {
		json_decref(rec);
		return 0;
	}
	json_object_set_new(rec, "autoboot", json_boolean(on));
	r = put_record(s, rec, e);
	json_decref(rec);
	st = r < 0 ? NULL : db_stmt(s, SQL_VM_AUTOBOOT, e);
	if (r < 0)
		return r;
	if (st) {
		db_bind_text(st, 1, uuid);
		sqlite3_bind_int(st, 2, !!on);
	}
	r = db_run(s, st, e, "set autoboot");
	return r < 0 ? r : 1;
}

int state_vm_set_autoboot(struct state *s, const char *uuid, int on, struct err *e)
{
	json_t *rec = NULL;
	int was, r = state_vm_get(s, uuid, &rec, NULL, NULL, e);

	/* Looked at without the write lock first: most starts change nothing, and must not queue behind others. */
	if (r < 0)
		return r;
	was = json_is_true(json_object_get(rec, "autoboot"));
	json_decref(rec);
	if (was == !!on)
		return 0;
	r = db_begin(s, false, e);
	return r < 0 ? r : db_end(s, set_autoboot(s, uuid, on, e), e);
}

static int drop(struct state *s, const char *uuid, struct err *e)
{
	/* what is stored of a migration to another node goes with the VM, what says that it came here does not: it may be asked for still */
	_free_ char *exit = xprintf("exit:%s", uuid), *migrate = xprintf("migrate:%s", uuid), *taken = xprintf("taken:%s", uuid);
	static const enum sql q[] = {SQL_RECORD_DELETE, SQL_VM_DELETE};
	uint32_t base;
	int r = state_vm_get(s, uuid, NULL, NULL, &base, e);

	if (r == 0)
		r = taken_change(s, uuid, NULL, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(q); i++) {
		sqlite3_stmt *st = db_stmt(s, q[i], e);

		if (st)
			db_bind_text(st, 1, uuid);
		r = db_run(s, st, e, "delete a VM");
	}
	if (r == 0)
		r = state_kv_set(s, exit, NULL, e);
	if (r == 0)
		r = state_kv_set(s, migrate, NULL, e);
	/* who asks may have been cut off for as long as it was here: it is forgotten so long after now */
	if (r == 0)
		r = state_kv_stamp(s, taken, 64, clock_wall_ns() / 1000000000, e);
	return r < 0 ? r : idrange_free(s, base, e);
}

int state_vm_delete(struct state *s, const char *uuid, struct err *e)
{
	int r = db_begin(s, false, e);

	return r < 0 ? r : db_end(s, drop(s, uuid, e), e);
}
