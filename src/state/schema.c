/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The schema, one entry per version. An entry that has been released is never changed: a new one is added below it.
 *
 * A VM is two rows: vm has the columns that list shows and that must be unique, record its JSON. So a list of 10,000
 * VMs reads 3 MB and not 40.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "state/db.h"

const struct migration schema[] = {
	{"CREATE TABLE vm (uuid TEXT PRIMARY KEY, alias TEXT, brand TEXT NOT NULL, owner TEXT, type TEXT NOT NULL,"
	 " state TEXT NOT NULL, state_ns INTEGER NOT NULL, ram INTEGER, quota INTEGER, cpu_cap INTEGER,"
	 " cpu_shares INTEGER, max_lwps INTEGER, autoboot INTEGER NOT NULL, id_base INTEGER NOT NULL UNIQUE,"
	 " create_ns INTEGER NOT NULL, zonename TEXT NOT NULL UNIQUE, image TEXT) WITHOUT ROWID;"
	 "CREATE INDEX vm_alias ON vm (alias) WHERE alias IS NOT NULL;"
	 "CREATE INDEX vm_image ON vm (image) WHERE image IS NOT NULL;"
	 "CREATE TABLE record (uuid TEXT NOT NULL UNIQUE, text TEXT NOT NULL);"
	 "CREATE TABLE id_free (base INTEGER PRIMARY KEY);"
	 "CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;"
	 "CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	 "CREATE TABLE image (uuid TEXT PRIMARY KEY, state TEXT NOT NULL, origin TEXT, manifest TEXT NOT NULL);"
	 "CREATE INDEX image_origin ON image (origin) WHERE origin IS NOT NULL;"
	 "CREATE TABLE event (seq INTEGER PRIMARY KEY, ns INTEGER NOT NULL, kind TEXT NOT NULL, uuid TEXT,"
	 " detail TEXT);"},
	/* id: part of the number of a switch; never that of another tag again, for the switch may still know frames by it */
	{"CREATE TABLE nictag (name TEXT PRIMARY KEY, id INTEGER NOT NULL UNIQUE, kind TEXT NOT NULL, mtu INTEGER NOT NULL) WITHOUT ROWID;"
	 /* who has most events, and its oldest: asked while all other writers wait */
	 "CREATE INDEX event_uuid ON event (uuid, seq) WHERE uuid IS NOT NULL;"},
	/* what the network has beside VMs and tags (switches' settings, rules, flows, links): each a JSON object with a name of its kind */
	{"CREATE TABLE netobj (kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;"},
};
const int schema_version = ARRAY_LEN(schema);

/* A header that SQLite cannot have written there: user_version is the whole file's, so read it once, cheaply. */
static int version_get(struct state *s, int *v, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*v = sqlite3_column_int(st, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_OK ? 0 : db_err(s, rc, e, "open");
}

/* A copy as <path>.v<old>, complete or not there. Called with the write lock held, so nothing is missed. */
static int backup(struct state *s, int old, struct err *e)
{
	_free_ char *to = xprintf("%s.v%d", s->path, old);
	_free_ char *tmp = xprintf("%s~", to);
	_fd_ int fd = -1;
	sqlite3 *src = NULL, *dst = NULL;
	sqlite3_backup *b = NULL;
	int rc, r = 0;

	unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "backup %s", tmp);
	rc = sqlite3_open_v2(s->path, &src, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_open_v2(tmp, &dst, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_db_config(src, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		b = sqlite3_backup_init(dst, "main", src, "main");
		rc = b ? sqlite3_backup_step(b, -1) : sqlite3_errcode(dst);
		if (rc == SQLITE_DONE)
			rc = SQLITE_OK;
		if (b)
			sqlite3_backup_finish(b);
	}
	if (rc != SQLITE_OK)
		r = rc == SQLITE_FULL ? err_sys(e, ENOSPC, "backup to %s", to)
				      : err_set(e, EIO, "backup to %s: %s", to, sqlite3_errstr(rc));
	sqlite3_close(dst);
	sqlite3_close(src);
	if (r == 0 && (fsync(fd) < 0 || rename(tmp, to) < 0))
		r = err_sys(e, errno, "backup to %s", to);
	if (r < 0)
		unlink(tmp);
	return r;
}

/* Under the write lock: look again (another command may have been first), copy, change. */
static int migrate(struct state *s, const struct migration *m, int n, struct err *e)
{
	char pragma[48];
	int v = 0, r = version_get(s, &v, e);

	if (r < 0 || v >= n)
		return r;
	if (v > 0)
		r = backup(s, v, e);
	for (int i = v; r == 0 && i < n; i++) {
		r = db_exec(s, m[i].sql, e);
		if (r < 0)
			return err_add(e, "migrate from version %d to %d", i, i + 1);
	}
	if (r == 0 && v == 0) {
		char uuid[UUID_LEN + 1];

		uuid_make(uuid);
		r = state_kv_set(s, "server_uuid", uuid, e);
	}
	if (r == 0) {
		snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", n);
		r = db_exec(s, pragma, e);
	}
	if (r == 0 && v > 0)
		ctx_log(s->c, LOG_INFO, "%s: schema %d is now %d; the old file is %s.v%d", s->path, v, n, s->path, v);
	return r;
}

int schema_apply(struct state *s, const struct migration *m, int n, bool create, struct err *e)
{
	_free_ char *lock = xprintf("%s.lock", s->path);
	_fd_ int fd = -1;
	int v = 0, r = version_get(s, &v, e);

	if (r < 0 || v == n)
		return r;
	if (v > n) {
		err_set(e, EPROTO, "%s has schema version %d, this program knows up to %d", s->path, v, n);
		err_hint(e, "It was written by a newer cloister: use that one. Nothing was changed.");
		return -EPROTO;
	}
	if (v == 0 && !create)
		return err_set(e, ENOENT, "%s is empty: this node has no VMs yet", s->path);
	/* Two commands that meet a new node: the change of journal mode cannot be waited for, so they queue here. */
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", lock);
	if (v == 0) {
		r = db_exec(s, "PRAGMA journal_mode=WAL", e);
		if (r < 0)
			return r;
	}
	r = db_begin(s, false, e);
	if (r < 0)
		return r;
	r = db_end(s, migrate(s, m, n, e), e);
	/* So that the file by itself, without its log, is a database from the beginning. Others may be reading: no matter. */
	if (r == 0)
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return r;
}
