/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Opening the store, transactions and errors.
 *
 * The write-ahead log is never checkpointed at close (that costs two flushes) but when it has grown to WAL_PAGES;
 * that is also the most that the first command after a pause has to read over: without it, `get` would pay for
 * what others wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "state/db.h"

#define WAL_PAGES 128

static int damaged(struct state *s, struct err *e, const char *why)
{
	err_set(e, EUCLEAN, "%s is damaged: %s", s->path, why);
	return err_hint(e, "Move it (with -wal and -shm) out of the way and run `cloister pool import`, which makes it "
			   "anew from the records in the pool. Running zones are not touched.");
}

int db_err(struct state *s, int rc, struct err *e, const char *what)
{
	struct err unseen = ERR_INIT;
	int sys = s->db ? sqlite3_system_errno(s->db) : 0;
	int ext = s->db ? sqlite3_extended_errcode(s->db) : rc;

	e = e ?: &unseen;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		err_sys(e, ENOSPC, "%s: %s", s->path, what);
		return err_hint(e, "Nothing was changed. Make room on the file system of %s.", s->c->node.state);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return damaged(s, e, sqlite3_errmsg(s->db));
	case SQLITE_BUSY:
		if (ctx_check(s->c, e) < 0)
			return err_add(e, "%s: %s", s->path, what);
		return err_set(e, EBUSY, "%s: %s: another command has held the database for too long", s->path, what);
	case SQLITE_NOMEM:
		return err_sys(e, ENOMEM, "%s: %s", s->path, what);
	case SQLITE_READONLY:
		return err_sys(e, EROFS, "%s: %s", s->path, what);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (sys) {
			err_sys(e, sys, "%s: %s", s->path, what);
			if (sys == ENOSPC || sys == EDQUOT)
				err_hint(e, "Nothing was changed. Make room on the file system of %s.", s->c->node.state);
			return -e->code;
		}
		return err_set(e, EIO, "%s: %s: %s (%d)", s->path, what, sqlite3_errmsg(s->db), ext);
	default:
		return err_set(e, EIO, "%s: %s: %s (%d)", s->path, what, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc),
			       ext);
	}
}

/* A handle that two threads use loses writes without a word, or memory: so it is a command's error, said at once. */
static _Thread_local struct state *borrowed;

void state_lend(struct state *s, bool on)
{
	s->lent = on;
}

void state_borrow(struct state *s)
{
	borrowed = s;
}

static bool elsewhere(struct state *s, struct err *e)
{
	if (!s->lent || borrowed == s)
		return false;
	err_set(e, EDEADLK, "%s is with another thread of this command, which is a defect of ours", s->path);
	return true;
}

sqlite3_stmt *db_stmt(struct state *s, enum sql q, struct err *e)
{
	int rc;

	if (elsewhere(s, e))
		return NULL;
	if (!s->st[q]) {
		rc = sqlite3_prepare_v3(s->db, sql_text[q], -1, SQLITE_PREPARE_PERSISTENT, &s->st[q], NULL);
		if (rc != SQLITE_OK) {
			db_err(s, rc, e, "prepare");
			return NULL;
		}
	}
	sqlite3_reset(s->st[q]);
	return s->st[q];
}

int db_step(struct state *s, sqlite3_stmt *st, struct err *e, const char *what)
{
	int rc = sqlite3_step(st), r = 0;

	s->busy_since = 0;
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		r = db_err(s, rc, e, what);
	sqlite3_reset(st);
	return r;
}

int db_run(struct state *s, sqlite3_stmt *st, struct err *e, const char *what)
{
	int r;

	if (!st)
		return e ? -e->code : -EIO;
	r = db_step(s, st, e, what);
	if (r == 1)
		sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int db_exec(struct state *s, const char *sql, struct err *e)
{
	int rc;

	if (elsewhere(s, e))
		return -EDEADLK;
	rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	s->busy_since = 0;
	return rc == SQLITE_OK ? 0 : db_err(s, rc, e, "change");
}

void db_bind_text(sqlite3_stmt *st, int n, const char *text)
{
	if (text)
		sqlite3_bind_text(st, n, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(st, n);
}

const char *db_text(sqlite3_stmt *st, int col)
{
	return (const char *)sqlite3_column_text(st, col);
}

int db_begin(struct state *s, bool relaxed, struct err *e)
{
	int r = 0;

	if (elsewhere(s, e))
		return -EDEADLK;
	if (s->depth == 0) {
		s->relaxed = relaxed;
		s->told = false;
		if (relaxed)
			r = db_exec(s, "PRAGMA synchronous=NORMAL", e);
		if (r == 0)
			r = db_run(s, db_stmt(s, SQL_BEGIN, e), e, "begin");
		if (r < 0 && relaxed)
			db_exec(s, "PRAGMA synchronous=FULL", NULL);
	} else {
		r = db_run(s, db_stmt(s, SQL_SAVE, e), e, "savepoint");
	}
	if (r == 0)
		s->depth++;
	return r;
}

/* Followers of the event feed wait on this file's times (inotify): a commit is visible before we touch it. */
static void tell(struct state *s)
{
	_free_ char *path = xprintf("%s/events", s->c->node.state);
	_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd >= 0)
		futimens(fd, NULL);
}

int db_end(struct state *s, int r, struct err *e)
{
	int c;

	if (--s->depth > 0) {
		if (r < 0 && !sqlite3_get_autocommit(s->db))
			db_run(s, db_stmt(s, SQL_BACK, NULL), NULL, "");
		if (!sqlite3_get_autocommit(s->db))
			db_run(s, db_stmt(s, SQL_RELEASE, NULL), NULL, "");
		return r;
	}
	if (r >= 0) {
		c = db_run(s, db_stmt(s, SQL_COMMIT, e), e, "commit");
		if (c < 0)
			r = c;
	}
	/* A full disk may have rolled back by itself. */
	if (r < 0 && !sqlite3_get_autocommit(s->db))
		db_run(s, db_stmt(s, SQL_ROLLBACK, NULL), NULL, "");
	if (s->relaxed)
		db_exec(s, "PRAGMA synchronous=FULL", NULL);
	if (r >= 0 && s->told)
		tell(s);
	return r;
}

int state_begin(struct state *s, struct err *e)
{
	return db_begin(s, false, e);
}

int state_end(struct state *s, int r, struct err *e)
{
	return db_end(s, r, e);
}

/* Waits on the caller's cancel descriptor, so that an interrupted command does not sit out the time. */
static int busy(void *arg, int count)
{
	static const int ms[] = {1, 1, 2, 4, 8, 15, 25};
	struct state *s = arg;
	struct pollfd p = {.fd = s->c->cancel, .events = POLLIN};
	uint64_t now = clock_mono_ns();

	if (s->busy_since == 0 || count == 0)
		s->busy_since = now;
	if (now - s->busy_since > BUSY_LIMIT_NS || ctx_check(s->c, NULL) < 0)
		return 0;
	poll(&p, 1, ms[count < (int)ARRAY_LEN(ms) ? count : (int)ARRAY_LEN(ms) - 1]);
	return 1;
}

/* SQLite would make the file 0644 less the umask; the log and index files take this one's mode. */
static int make_file(struct state *s, struct err *e)
{
	struct stat st;
	int fd, r;

	if (stat(s->path, &st) == 0)
		return 0;
	r = dir_make(s->c->node.state, 0700, e);
	if (r < 0)
		return r;
	fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* Closing is safe only because nobody can have it open yet: it would drop this process's POSIX locks. */
	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return err_sys(e, errno, "create %s", s->path);
	return 0;
}

static int configure(struct state *s, enum state_mode m, struct err *e)
{
	char pragma[64];
	int r;

	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_handler(s->db, busy, s);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	r = schema_apply(s, schema, schema_version, m == STATE_WRITE, e);
	if (r < 0 || m == STATE_READ)
		return r;
	s->writer = true;
	snprintf(pragma, sizeof pragma, "PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=%d", WAL_PAGES);
	return db_exec(s, pragma, e);
}

/*
 * Where no index file can be made (full disk), a reader can still do without: alone, and with the index in memory.
 */
static int reopen_alone(struct state *s, struct err *e)
{
	struct err first = *e;
	int rc;

	sqlite3_close(s->db);
	s->db = NULL;
	rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK || sqlite3_exec(s->db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK ||
	    configure(s, STATE_READ, e) < 0) {
		*e = first;
		return -e->code;
	}
	return 0;
}

/*
 * With a connection's first commit SQLite makes the log's name durable too, which on many file systems costs more than
 * the commit. One that has been started over after a checkpoint (a sequence number above 0) was made durable then.
 */
static int open_directory(const char *log, int *fd)
{
	_fd_ int f = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_free_ char *dir = NULL;
	unsigned char head[32];

	if (f >= 0 && str_ends(log, "-wal") && pread(f, head, sizeof head, 0) == (ssize_t)sizeof head &&
	    (head[12] | head[13] | head[14] | head[15]))
		return SQLITE_CANTOPEN; /* taken as: there is nothing to sync */
	dir = xstrdup(log);
	if (strrchr(dir, '/'))
		*strrchr(dir, '/') = 0;
	*fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? SQLITE_CANTOPEN : SQLITE_OK;
}

static void tune(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	if (vfs && vfs->iVersion >= 3 && vfs->xSetSystemCall)
		vfs->xSetSystemCall(vfs, "openDirectory", (sqlite3_syscall_ptr)open_directory);
}

int state_open(const struct ctx *c, enum state_mode m, struct state **out, struct err *e)
{
	_clean_(state_close) struct state *s = xalloc(sizeof *s);
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct err le = ERR_INIT;
	int rc, r;

	pthread_once(&once, tune);
	s->c = c;
	snprintf(s->path, sizeof s->path, "%s/node.db", c->node.state);
	if (m == STATE_WRITE) {
		r = make_file(s, e);
		if (r < 0)
			return r;
	}
	/* Readers too open it for writing: reading a write-ahead log needs its index file, which they may have to make. */
	rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_CANTOPEN && access(s->path, R_OK) < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "this node has no VMs yet (%s does not exist)", s->path);
	r = rc == SQLITE_OK ? configure(s, m, &le) : db_err(s, rc, &le, "open");
	if (r < 0 && m == STATE_READ && (le.code == ENOSPC || le.code == EDQUOT))
		r = reopen_alone(s, &le);
	if (r < 0) {
		if (le.code == EACCES || le.code == EROFS)
			err_hint(&le, "Only root may read and change the node's records.");
		if (e)
			*e = le;
		return r;
	}
	*out = take(s);
	return 0;
}

/*
 * One large change (pool import) leaves a log that stays long until somebody writes again, and that every command would
 * read over at its start. Whoever made it long makes it short; if others read at this moment, the next one does.
 */
static void shorten_log(struct state *s)
{
	_free_ char *wal = xprintf("%s-wal", s->path);
	struct stat st;

	if (stat(wal, &st) == 0 && st.st_size > 2 * WAL_PAGES * 4096) {
		sqlite3_busy_handler(s->db, NULL, NULL);
		sqlite3_exec(s->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	}
}

void state_close(struct state **s)
{
	if (!*s)
		return;
	if ((*s)->db && (*s)->writer)
		shorten_log(*s);
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize((*s)->st[i]);
	sqlite3_close((*s)->db);
	free(*s);
	*s = NULL;
}
