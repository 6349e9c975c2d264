/* SPDX-License-Identifier: MPL-2.0 */
/* Inside of the record store: what its files share. Nobody else includes this but the tests. */
#ifndef CLOISTER_STATE_DB_H
#define CLOISTER_STATE_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "state/state.h"

#define EVENTS_KEPT  100000
#define EVENTS_SHARE 1000 /* a VM's, that others' never push out, as long as there are no more than 100 that go beyond it */
#define EVENTS_EVERY 1024 /* how many more there may be until they are counted again */
#define BUSY_LIMIT_NS (20 * 1000000000ULL)

/* Statements are prepared at first use and kept: sql_text[] in sql.c has their text. */
enum sql {
	SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_SAVE, SQL_RELEASE, SQL_BACK,
	SQL_VM_INSERT, SQL_VM_REPLACE, SQL_RECORD_PUT, SQL_RECORD_DELETE, SQL_VM_STATE, SQL_VM_AUTOBOOT, SQL_VM_GET,
	SQL_VM_DELETE, SQL_VM_BASE, SQL_VM_EACH, SQL_VM_EACH_SLIM, SQL_VM_EACH_RECORD, SQL_VM_HAS, SQL_VM_ALIAS, SQL_VM_PREFIX,
	SQL_VM_ZONENAME,
	SQL_ID_FREE_EACH, SQL_ID_FREE_PUT, SQL_ID_FREE_DROP, SQL_ID_TOP, SQL_ID_EACH,
	SQL_NEXT, SQL_KV_PUT, SQL_KV_DROP, SQL_KV_TRIM, SQL_KV_STAMP, SQL_KV_GET,
	SQL_IMAGE_PUT, SQL_IMAGE_GET, SQL_IMAGE_EACH, SQL_IMAGE_DROP, SQL_IMAGE_VMS, SQL_IMAGE_CHILDREN,
	SQL_EVENT_PUT, SQL_EVENT_COUNT, SQL_EVENT_MOST, SQL_EVENT_NTH, SQL_EVENT_TRIM_VM, SQL_EVENT_TRIM, SQL_EVENT_CUTS, SQL_EVENT_EACH, SQL_EVENT_FIRST, SQL_EVENT_LAST,
	SQL_NICTAG_PUT, SQL_NICTAG_GET, SQL_NICTAG_EACH, SQL_NICTAG_DROP,
	SQL_NETOBJ_PUT, SQL_NETOBJ_GET, SQL_NETOBJ_EACH, SQL_NETOBJ_DROP,
	SQL_COUNT
};

struct state {
	const struct ctx *c;
	sqlite3 *db;
	char path[80];
	sqlite3_stmt *st[SQL_COUNT];
	unsigned depth;      /* of transactions: 0 = none open */
	bool writer;         /* opened with STATE_WRITE */
	bool relaxed;        /* the open transaction is not flushed */
	bool told;           /* an event was added in it */
	uint64_t busy_since; /* when the present wait began */
	_Atomic bool lent;   /* to a thread, which has said state_borrow() */
};

/* Turns an SQLite result into an error that names the file and, where we know, what to do. */
int db_err(struct state *s, int rc, struct err *e, const char *what);
/* The statement, reset and ready for binding; NULL with e filled. */
sqlite3_stmt *db_stmt(struct state *s, enum sql q, struct err *e);
/* Runs it once for its effect. */
int db_run(struct state *s, sqlite3_stmt *st, struct err *e, const char *what);
/* 1 = a row, 0 = the end, negative = error. After 0 or an error the statement is reset. */
int db_step(struct state *s, sqlite3_stmt *st, struct err *e, const char *what);
int db_exec(struct state *s, const char *sql, struct err *e);
void db_bind_text(sqlite3_stmt *st, int n, const char *text); /* NULL binds NULL; the text must outlive the step */
const char *db_text(sqlite3_stmt *st, int col);               /* NULL for NULL */

/* A transaction, or a savepoint inside one. relaxed: its commit is not flushed to the disk (outermost only). */
int db_begin(struct state *s, bool relaxed, struct err *e);
/* Ends it: r >= 0 commits, r < 0 rolls back. Returns r, or why the commit failed. */
int db_end(struct state *s, int r, struct err *e);

/* ---- schema.c ---- */
struct migration {
	const char *sql; /* from version [index] to [index + 1] */
};
extern const struct migration schema[];
extern const int schema_version;
/*
 * Brings the database to version n (= entries of m): nothing to do, made from nothing, or migrated after a backup
 * as node.db.v<old>. create=false leaves an empty file alone (-ENOENT).
 */
int schema_apply(struct state *s, const struct migration *m, int n, bool create, struct err *e);

/* ---- vm_read.c ---- */
/* -ENOENT, in the words that SmartOS has for it. */
int state_vm_none(const char *uuid, struct err *e);

/* ---- idrange.c: inside a transaction ---- */
/* *base: the range that it has to be, 0 = the lowest free one; then the one that it is. */
int idrange_take(struct state *s, const uint32_t *skip, size_t nskip, uint32_t *base, struct err *e);
int idrange_free(struct state *s, uint32_t base, struct err *e);

/* ---- taken.c: inside a transaction ---- */
/* What its NICs have from now on, in place of what those of its stored record have; rec NULL: nothing. -EEXIST says whose it is. Before the record is written. */
int taken_change(struct state *s, const char *uuid, const json_t *rec, struct err *e);

extern const char *const sql_text[SQL_COUNT];

#endif
