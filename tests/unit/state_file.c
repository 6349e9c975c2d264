/* SPDX-License-Identifier: MPL-2.0 */
/* The database as a file: migrations and their backups, newer ones, damaged ones, full disks. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "state/db.h"

struct fix {
	struct ctx c;
	char dir[32];
};

static int set_up(void **p)
{
	struct fix *f = xalloc(sizeof *f);

	strcpy(f->dir, "/tmp/cloister-state.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->c.node.state, sizeof f->c.node.state, "%s", f->dir);
	strcpy(f->c.node.name, "test");
	f->c.node.id_base = 0x10000000;
	f->c.node.id_count = 100;
	f->c.oplog = f->c.cancel = -1;
	*p = f;
	return 0;
}

static int tear_down(void **p)
{
	struct fix *f = *p;

	dir_remove(AT_FDCWD, f->dir, NULL);
	free(f);
	return 0;
}

static struct state *open_db(struct fix *f)
{
	struct err e = ERR_INIT;
	struct state *s = NULL;

	if (state_open(&f->c, STATE_WRITE, &s, &e) < 0)
		fail_msg("%s", e.msg);
	return s;
}

static void newer(void **p)
{
	struct fix *f = *p;
	struct state *s = open_db(f);
	struct err e = ERR_INIT;

	assert_int_equal(db_exec(s, "PRAGMA user_version=99", &e), 0);
	state_close(&s);
	for (int m = 0; m < 2; m++) {
		assert_int_equal(state_open(&f->c, m ? STATE_WRITE : STATE_READ, &s, &e), -EPROTO);
		assert_non_null(strstr(e.msg, "schema version 99"));
		assert_non_null(strstr(e.hint, "newer cloister"));
		assert_null(s);
	}
}

/* Two steps on top of the released schema; the second can be made to fail. */
static void migrate(void **p)
{
	struct fix *f = *p;
	struct state *s = open_db(f), *old = NULL;
	struct err e = ERR_INIT;
	struct migration m[8];
	_free_ char *backup = xprintf("%s/node.db.v%d", f->dir, schema_version);
	_free_ char *db = xprintf("%s/node.db", f->dir);
	json_t *rec = NULL, *vm = json_pack("{s:s,s:s,s:s}", "uuid", "aaaaaaaa-0000-4000-8000-000000000001", "brand", "lx", "alias", "old");
	struct stat st;
	char *v = NULL;

	assert_int_equal(state_kv_set(s, "kept", "yes", &e), 0);
	assert_int_equal(state_vm_insert(s, vm, "installed", NULL, 0, NULL, &e), 0);
	memcpy(m, schema, sizeof *m * (size_t)schema_version);
	m[schema_version].sql = "ALTER TABLE vm ADD COLUMN extra TEXT";
	m[schema_version + 1].sql = "CREATE TABLE broken (";
	assert_true(schema_apply(s, m, schema_version + 2, true, &e) < 0);
	assert_non_null(strstr(e.msg, "migrate from version"));
	/* nothing of the first step stayed */
	assert_int_equal(db_exec(s, "INSERT INTO vm (extra) VALUES ('x')", NULL), -EIO);
	m[schema_version + 1].sql = "CREATE TABLE fine (x)";
	assert_int_equal(schema_apply(s, m, schema_version + 2, true, &e), 0);
	assert_int_equal(db_exec(s, "INSERT INTO fine VALUES (1)", &e), 0);
	/* the VM is there, with what it had; a second command finds nothing left to do */
	assert_int_equal(state_vm_get(s, json_string_value(json_object_get(vm, "uuid")), &rec, &v, NULL, &e), 0);
	assert_true(json_equal(rec, vm));
	assert_string_equal(v, "installed");
	free(v);
	v = NULL;
	json_decref(rec);
	json_decref(vm);
	assert_int_equal(schema_apply(s, m, schema_version + 2, true, &e), 0);
	assert_int_equal(stat(backup, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	state_close(&s);
	/* this program is now the older one; the backup is what it can use */
	assert_int_equal(state_open(&f->c, STATE_WRITE, &s, &e), -EPROTO);
	assert_int_equal(rename(backup, db), 0);
	for (int i = 0; i < 2; i++) {
		_free_ char *side = xprintf("%s%s", db, i ? "-wal" : "-shm");

		unlink(side);
	}
	assert_int_equal(state_open(&f->c, STATE_WRITE, &old, &e), 0);
	assert_int_equal(state_kv_get(old, "kept", &v, &e), 0);
	assert_string_equal(v, "yes");
	free(v);
	state_close(&old);
}

static void put(struct fix *f, const char *name, size_t at, const char *text, size_t n)
{
	_free_ char *path = xprintf("%s/%s", f->dir, name);
	_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && pwrite(fd, text, n, (off_t)at) == (ssize_t)n);
}

static void damaged(void **p)
{
	struct fix *f = *p;
	struct state *s = NULL;
	struct err e = ERR_INIT;
	char junk[8192];

	memset(junk, 'x', sizeof junk);
	put(f, "node.db", 0, junk, sizeof junk);
	for (int m = 0; m < 2; m++) {
		assert_int_equal(state_open(&f->c, m ? STATE_WRITE : STATE_READ, &s, &e), -EUCLEAN);
		assert_non_null(strstr(e.msg, "node.db is damaged"));
		assert_non_null(strstr(e.hint, "cloister pool import"));
	}
}

static void empty_or_cut(void **p)
{
	struct fix *f = *p;
	struct state *s = NULL;
	struct err e = ERR_INIT;
	_free_ char *db = xprintf("%s/node.db", f->dir);

	put(f, "node.db", 0, "", 0);
	assert_int_equal(state_open(&f->c, STATE_READ, &s, &e), -ENOENT);
	s = open_db(f);
	assert_int_equal(state_begin(s, &e), 0);
	for (int i = 0; i < 3000; i++) {
		_free_ char *key = xprintf("key%d", i);

		assert_int_equal(state_kv_set(s, key, "some text to fill pages", &e), 0);
	}
	assert_int_equal(state_end(s, 0, &e), 0);
	assert_int_equal(db_exec(s, "PRAGMA wal_checkpoint(TRUNCATE)", &e), 0);
	state_close(&s);
	assert_int_equal(truncate(db, 20480), 0);
	int r = state_open(&f->c, STATE_READ, &s, &e);
	if (r == 0) {
		char *v = NULL;

		r = state_kv_get(s, "key2999", &v, &e);
		free(v);
		state_close(&s);
	}
	assert_int_equal(r, -EUCLEAN);
}

/* A record that is no JSON, or another VM's, fails get by name; its neighbours and the list are there. */
static int count(const struct vm_row *r, void *arg)
{
	++*(int *)arg;
	return 0;
}

static void bad_record(void **p)
{
	struct fix *f = *p;
	struct state *s = open_db(f);
	struct err e = ERR_INIT;
	json_t *a = json_pack("{s:s,s:s,s:s}", "uuid", "aaaaaaaa-0000-4000-8000-000000000001", "brand", "lx", "alias", "bad");
	json_t *b = json_pack("{s:s,s:s}", "uuid", "bbbbbbbb-0000-4000-8000-000000000001", "brand", "lx"), *rec = NULL;
	int n = 0;

	assert_int_equal(state_vm_insert(s, a, "installed", NULL, 0, NULL, &e), 0);
	assert_int_equal(state_vm_insert(s, b, "installed", NULL, 0, NULL, &e), 0);
	assert_int_equal(db_exec(s, "UPDATE record SET text='{\"a\":' WHERE uuid LIKE 'aaaa%'", &e), 0);
	assert_int_equal(state_vm_get(s, "aaaaaaaa-0000-4000-8000-000000000001", &rec, NULL, NULL, &e), -EUCLEAN);
	assert_non_null(strstr(e.msg, "(bad) is damaged"));
	assert_null(rec);
	/* whole, but another VM's: what is read by a uuid must be of that uuid */
	assert_int_equal(db_exec(s, "UPDATE record SET text='{\"uuid\":\"bbbbbbbb-0000-4000-8000-000000000001\"}' WHERE uuid LIKE 'aaaa%'", &e), 0);
	assert_int_equal(state_vm_get(s, "aaaaaaaa-0000-4000-8000-000000000001", &rec, NULL, NULL, &e), -EUCLEAN);
	assert_non_null(strstr(e.msg, "of another VM"));
	assert_null(rec);
	assert_int_equal(db_exec(s, "DELETE FROM record WHERE uuid LIKE 'aaaa%'", &e), 0);
	assert_int_equal(state_vm_get(s, "aaaaaaaa-0000-4000-8000-000000000001", &rec, NULL, NULL, &e), -EUCLEAN);
	assert_int_equal(state_vm_get(s, "bbbbbbbb-0000-4000-8000-000000000001", &rec, NULL, NULL, &e), 0);
	assert_int_equal(state_vm_each(s, STATE_RECORD, count, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(state_vm_delete(s, "aaaaaaaa-0000-4000-8000-000000000001", &e), 0);
	json_decref(a);
	json_decref(b);
	json_decref(rec);
	state_close(&s);
}

/* Exit status of the child: 0 good, else the line that failed. */
#define CHECK(x)                                                                                                     \
	do {                                                                                                         \
		if (!(x)) {                                                                                          \
			fprintf(stderr, "# line %d: %s (%s)\n", __LINE__, #x, e.msg);                                \
			_exit(1);                                                                                    \
		}                                                                                                    \
	} while (0)

static void full_in_child(struct fix *f)
{
	struct err e = ERR_INIT;
	struct state *s = NULL;
	char *v = NULL, big[65536];
	_free_ char *fill = xprintf("%s/fill", f->dir);
	int fd, r = 0, n = 0;

	CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("tmpfs", f->dir, "tmpfs", 0, "size=1M") == 0);
	fd = open(fill, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && posix_fallocate(fd, 0, 400 << 10) == 0);
	CHECK(state_open(&f->c, STATE_WRITE, &s, &e) == 0);
	CHECK(state_kv_set(s, "kept", "yes", &e) == 0);
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = 0;
	for (; r == 0 && n < 100; n++) {
		_free_ char *key = xprintf("k%d", n);

		r = state_kv_set(s, key, big, &e);
	}
	CHECK(r == -ENOSPC && e.hint[0]);
	CHECK(state_kv_get(s, "kept", &v, &e) == 0 && !strcmp(v, "yes"));
	state_close(&s);
	/* to the last byte, and from the start */
	lseek(fd, 0, SEEK_END);
	while (write(fd, big, sizeof big) > 0 || write(fd, big, 1) > 0)
		;
	close(fd);
	CHECK(state_open(&f->c, STATE_READ, &s, &e) == 0);
	CHECK(state_kv_get(s, "kept", &v, &e) == 0 && !strcmp(v, "yes"));
	state_close(&s);
	CHECK(state_open(&f->c, STATE_WRITE, &s, &e) == 0);
	/* what was written before can be written over: the log is emptied without new room */
	r = state_kv_set(s, "more", big, &e);
	CHECK(r == 0 || r == -ENOSPC);
	state_close(&s);
	unlink(fill);
	CHECK(state_open(&f->c, STATE_WRITE, &s, &e) == 0);
	CHECK(state_kv_set(s, "kept", "still", &e) == 0);
	state_close(&s);
	_exit(0);
}

static void full(void **p)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		full_in_child(*p);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

int main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)
	const struct CMUnitTest t[] = {T(newer), T(migrate), T(damaged), T(empty_or_cut), T(bad_record), T(full)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
