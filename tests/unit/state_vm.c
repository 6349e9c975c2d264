/* SPDX-License-Identifier: MPL-2.0 */
/* The record store over a database of its own in a temporary folder. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "state/state.h"

#define BASE 0x10000000u

struct fix {
	struct ctx c;
	char dir[32];
	struct state *s;
};

static int set_up(void **p)
{
	struct fix *f = xalloc(sizeof *f);

	strcpy(f->dir, "/tmp/cloister-state.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->c.node.state, sizeof f->c.node.state, "%s/db", f->dir);
	strcpy(f->c.node.name, "test");
	f->c.node.id_base = BASE;
	f->c.node.id_count = 12000;
	f->c.oplog = f->c.cancel = -1;
	*p = f;
	return 0;
}

static int tear_down(void **p)
{
	struct fix *f = *p;

	state_close(&f->s);
	dir_remove(AT_FDCWD, f->dir, NULL);
	free(f);
	return 0;
}

static struct state *db(struct fix *f)
{
	struct err e = ERR_INIT;

	if (!f->s && state_open(&f->c, STATE_WRITE, &f->s, &e) < 0)
		fail_msg("%s", e.msg);
	return f->s;
}

static json_t *record(unsigned n, const char *alias)
{
	char uuid[37], zn[40];

	snprintf(uuid, sizeof uuid, "%08x-1111-4111-8111-%012x", n * 7919u, n);
	snprintf(zn, sizeof zn, "%s", uuid);
	json_t *r = json_pack("{s:s,s:s,s:s,s:i,s:i,s:b,s:s,s:s,s:s}", "uuid", uuid, "brand", n % 2 ? "lx" : "joyent", "owner_uuid",
			      "00000000-0000-0000-0000-000000000000", "ram", (int)(256 + n % 4), "quota", 10, "autoboot", 1,
			      "zonename", zn, "create_timestamp", "2026-01-02T03:04:05.678Z", "image_uuid",
			      "11111111-1111-4111-8111-111111111111");

	if (alias)
		json_object_set_new(r, "alias", json_string(alias));
	return r;
}

static const char *uuid_of(const json_t *r)
{
	return json_string_value(json_object_get(r, "uuid"));
}

static uint32_t insert(struct fix *f, json_t *r, const uint32_t *skip, size_t n)
{
	struct err e = ERR_INIT;
	uint32_t b = 0;

	if (state_vm_insert(db(f), r, "provisioning", skip, n, &b, &e) < 0)
		fail_msg("%s", e.msg);
	return b;
}

static void nothing_yet(void **p)
{
	struct fix *f = *p;
	struct state *s = NULL;
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(state_open(&f->c, STATE_READ, &s, &e), -ENOENT);
	assert_null(s);
	assert_true(stat(f->c.node.state, &st) < 0);
	db(f);
	assert_int_equal(stat(f->c.node.state, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (int i = 0; i < 3; i++) {
		_free_ char *path = xprintf("%s/node.db%s", f->c.node.state, i == 0 ? "" : i == 1 ? "-wal" : "-shm");

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void round_trip(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *r = record(3, "web"), *got = NULL;
	_free_ char *state = NULL;
	uint32_t base = 0;

	assert_int_equal(insert(f, r, NULL, 0), BASE);
	state_close(&f->s);
	assert_int_equal(state_open(&f->c, STATE_READ, &f->s, &e), 0);
	assert_int_equal(state_vm_get(f->s, uuid_of(r), &got, &state, &base, &e), 0);
	assert_true(json_equal(r, got));
	assert_string_equal(state, "provisioning");
	assert_int_equal(base, BASE);
	json_decref(got);
	state_close(&f->s);
	assert_int_equal(state_vm_set_state(db(f), uuid_of(r), "installed", &e), 0);
	assert_int_equal(state_vm_set_autoboot(f->s, uuid_of(r), 1, &e), 0);
	assert_int_equal(state_vm_set_autoboot(f->s, uuid_of(r), 0, &e), 1);
	assert_int_equal(state_vm_get(f->s, uuid_of(r), &got, NULL, NULL, &e), 0);
	assert_true(json_is_false(json_object_get(got, "autoboot")));
	json_object_set_new(got, "alias", json_string("other"));
	assert_int_equal(state_vm_replace(f->s, got, &e), 0);
	json_decref(got);
	char u[37];
	assert_int_equal(state_vm_find(f->s, "other", u, &e), 0);
	assert_int_equal(state_vm_find(f->s, "web", u, &e), -ENOENT);
	assert_string_equal(e.msg, "web: No such zone configured");
	assert_int_equal(state_vm_delete(f->s, uuid_of(r), &e), 0);
	assert_int_equal(state_vm_delete(f->s, uuid_of(r), &e), -ENOENT);
	assert_int_equal(state_vm_replace(f->s, r, &e), -ENOENT);
	assert_int_equal(state_vm_set_state(f->s, uuid_of(r), "failed", &e), -ENOENT);
	json_decref(r);
}

static void taken(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *a = record(1, NULL), *b = record(2, NULL);
	uint32_t base = 0;

	insert(f, a, NULL, 0);
	assert_int_equal(state_vm_insert(db(f), a, "provisioning", NULL, 0, &base, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "already exists"));
	json_object_set_new(b, "zonename", json_string(uuid_of(a)));
	assert_int_equal(state_vm_insert(db(f), b, "provisioning", NULL, 0, &base, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "zonename"));
	assert_int_equal(base, 0);
	json_object_del(b, "uuid");
	assert_int_equal(state_vm_insert(db(f), b, "provisioning", NULL, 0, &base, &e), -EINVAL);
	json_decref(a);
	json_decref(b);
}

static void ranges(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	const uint32_t skip[] = {BASE, BASE + 0x20000};
	json_t *r[5];

	for (unsigned i = 0; i < 5; i++)
		r[i] = record(i, NULL);
	assert_int_equal(insert(f, r[0], skip, 2), BASE + 0x10000);
	assert_int_equal(insert(f, r[1], skip, 2), BASE + 0x30000);
	/* what the host no longer uses comes first, lowest first */
	assert_int_equal(insert(f, r[2], NULL, 0), BASE);
	assert_int_equal(state_vm_delete(f->s, uuid_of(r[0]), &e), 0);
	assert_int_equal(insert(f, r[3], NULL, 0), BASE + 0x10000);
	f->c.node.id_count = 4;
	assert_int_equal(insert(f, r[0], NULL, 0), BASE + 0x20000);
	uint32_t b = 0;
	assert_int_equal(state_vm_insert(f->s, r[4], "provisioning", NULL, 0, &b, &e), -EUSERS);
	assert_non_null(strstr(e.hint, "id_count"));
	/* the very range that a running zone has: only if it is the node's, and no other VM's */
	const uint32_t bad[] = {BASE + 0x10001, BASE + 0x40000, BASE - 0x10000, BASE + 0x10000};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		b = bad[i];
		assert_true(state_vm_insert(f->s, r[4], "provisioning", NULL, 0, &b, &e) < 0);
	}
	assert_int_equal(state_vm_delete(f->s, uuid_of(r[3]), &e), 0);
	b = BASE + 0x10000;
	assert_int_equal(state_vm_insert(f->s, r[4], "provisioning", NULL, 0, &b, &e), 0);
	assert_int_equal(b, BASE + 0x10000);
	assert_int_equal(state_vm_delete(f->s, uuid_of(r[2]), &e), 0);
	assert_int_equal(insert(f, r[3], NULL, 0), BASE);
	for (unsigned i = 0; i < 5; i++)
		json_decref(r[i]);
}

/* Two of an alias, and uuids that begin alike. */
static void find(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *a = record(1, "twin"), *b = record(2, "twin"), *c = record(3, NULL), *d = record(4, NULL);
	char u[37] = "untouched";

	json_object_set_new(c, "uuid", json_string("abcdef01-0000-4000-8000-000000000001"));
	json_object_set_new(d, "uuid", json_string("abcdef01-0000-4000-8000-000000000002"));
	json_object_set_new(d, "alias", json_string("abcdef01"));
	insert(f, a, NULL, 0);
	insert(f, b, NULL, 0);
	insert(f, c, NULL, 0);
	insert(f, d, NULL, 0);
	assert_int_equal(state_vm_find(f->s, "twin", u, &e), -ENOTUNIQ);
	assert_string_equal(u, "untouched");
	assert_non_null(strstr(e.msg, uuid_of(a)));
	assert_non_null(strstr(e.msg, uuid_of(b)));
	assert_int_equal(state_vm_find(f->s, "abcdef01", u, &e), -ENOTUNIQ);
	assert_int_equal(state_vm_find(f->s, "abcdef01-0000-4000-8000-000000000001", u, &e), 0);
	assert_int_equal(state_vm_find(f->s, "abcdef01-0000-4000-8000-00000000000", u, &e), -ENOTUNIQ);
	assert_int_equal(state_vm_find(f->s, "0000000", u, &e), -ENOENT);
	assert_int_equal(state_vm_find(f->s, "", u, &e), -ENOENT);
	assert_int_equal(state_vm_find(f->s, "00001eef", u, &e), 0);
	assert_string_equal(u, uuid_of(a));
	json_decref(a);
	json_decref(b);
	json_decref(c);
	json_decref(d);
}

static void small_things(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	uint64_t n = 0;
	char *v = NULL;

	assert_int_equal(state_next(db(f), "zoneid", &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(state_next(f->s, "zoneid", &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(state_kv_get(f->s, "server_uuid", &v, &e), 0);
	assert_true(uuid_valid(v));
	free(v);
	assert_int_equal(state_kv_get(f->s, "x", &v, &e), -ENOENT);
	assert_int_equal(state_kv_set(f->s, "x", "one", &e), 0);
	assert_int_equal(state_kv_set(f->s, "x", "two", &e), 0);
	assert_int_equal(state_kv_get(f->s, "x", &v, &e), 0);
	assert_string_equal(v, "two");
	free(v);
	assert_int_equal(state_kv_set(f->s, "x", NULL, &e), 0);
	assert_int_equal(state_kv_get(f->s, "x", &v, &e), -ENOENT);
}

/* What is between begin and a failed end did not happen; what failed inside undoes only itself. */
static void together(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *a = record(1, NULL), *b = record(2, NULL);
	char *v = NULL;

	assert_int_equal(state_begin(db(f), &e), 0);
	insert(f, a, NULL, 0);
	assert_int_equal(state_vm_insert(f->s, a, "provisioning", NULL, 0, NULL, &e), -EEXIST);
	assert_int_equal(state_kv_set(f->s, "k", "v", &e), 0);
	assert_int_equal(state_end(f->s, 0, &e), 0);
	assert_int_equal(state_vm_get(f->s, uuid_of(a), NULL, NULL, NULL, &e), 0);
	assert_int_equal(state_begin(f->s, &e), 0);
	insert(f, b, NULL, 0);
	assert_int_equal(state_kv_set(f->s, "k", "w", &e), 0);
	assert_int_equal(state_event(f->s, "create", uuid_of(b), NULL, &e), 0);
	assert_int_equal(state_end(f->s, -EIO, &e), -EIO);
	assert_int_equal(state_vm_get(f->s, uuid_of(b), NULL, NULL, NULL, &e), -ENOENT);
	assert_int_equal(state_kv_get(f->s, "k", &v, &e), 0);
	assert_string_equal(v, "v");
	free(v);
	json_decref(a);
	json_decref(b);
}

static void images(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	const char *img = "11111111-1111-4111-8111-111111111111", *kid = "22222222-2222-4222-8222-222222222222";
	json_t *vm = record(1, "user");
	_free_ char *m = NULL;

	assert_int_equal(state_image_put(db(f), img, "installing", "{", &e), -EINVAL);
	assert_int_equal(state_image_put(f->s, img, "installing", "{\"v\":2}", &e), 0);
	assert_int_equal(state_image_put(f->s, img, "active", "{\"v\":2,\"name\":\"x\"}", &e), 0);
	assert_int_equal(state_image_get(f->s, img, NULL, &m, &e), 0);
	assert_string_equal(m, "{\"v\":2,\"name\":\"x\"}");
	insert(f, vm, NULL, 0);
	assert_int_equal(state_image_delete(f->s, img, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "(user)"));
	assert_int_equal(state_vm_delete(f->s, uuid_of(vm), &e), 0);
	assert_int_equal(state_image_put(f->s, kid, "active", "{\"origin\":\"11111111-1111-4111-8111-111111111111\"}", &e), 0);
	assert_int_equal(state_image_delete(f->s, img, &e), -EBUSY);
	assert_non_null(strstr(e.msg, kid));
	assert_int_equal(state_image_delete(f->s, kid, &e), 0);
	assert_int_equal(state_image_delete(f->s, img, &e), 0);
	assert_int_equal(state_image_delete(f->s, img, &e), -ENOENT);
	json_decref(vm);
}

struct seen {
	unsigned n;
	uint64_t first, last;
	char prev[37];
};

static int see_event(uint64_t seq, uint64_t ns, const char *kind, const char *uuid, const char *detail, void *arg)
{
	struct seen *s = arg;

	if (s->n++ == 0)
		s->first = seq;
	assert_true(seq > s->last && ns > 0 && kind);
	s->last = seq;
	return 0;
}

static void add_events(struct fix *f, const char *uuid, int n)
{
	struct err e = ERR_INIT;

	assert_int_equal(state_begin(f->s, &e), 0);
	for (int i = 0; i < n; i++)
		if (state_event(f->s, "stop", uuid, NULL, &e) < 0)
			fail_msg("%s", e.msg);
	assert_int_equal(state_end(f->s, 0, &e), 0);
}

static struct seen events_of(struct fix *f, const char *uuid)
{
	struct seen seen = {0};
	struct err e = ERR_INIT;

	assert_int_equal(state_event_each(f->s, 0, uuid, see_event, &seen, &e), 0);
	return seen;
}

static void events(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	struct seen seen = {0};
	json_t *d = json_pack("{s:i}", "n", 1);
	uint64_t last, cut;
	struct stat st;
	_free_ char *path = xprintf("%s/events", f->c.node.state), *text = NULL;

	assert_int_equal(state_event_last(db(f), &last, &e), 0);
	assert_int_equal(last, 0);
	assert_true(stat(path, &st) < 0);
	assert_int_equal(state_event(f->s, "start", "a", d, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	json_decref(d);
	/* one that has too many pushes out its own */
	add_events(f, "quiet", 900);
	add_events(f, NULL, 300);
	add_events(f, "loud", 101500);
	assert_int_equal(events_of(f, "a").n, 1);
	assert_int_equal(events_of(f, "quiet").n, 900);
	seen = events_of(f, NULL);
	assert_true(seen.n >= 100000 && seen.n < 101024);
	assert_int_equal(seen.first, 1);
	assert_int_equal(seen.last, 102701);
	assert_int_equal(state_event_cut(f->s, "loud", &cut, &e), 0);
	assert_int_equal(events_of(f, "loud").first, cut + 1);
	assert_int_equal(state_event_cut(f->s, "quiet", &cut, &e), 0);
	assert_int_equal(cut, 0);
	memset(&seen, 0, sizeof seen);
	assert_int_equal(state_event_each(f->s, 102691, "loud", see_event, &seen, &e), 0);
	assert_int_equal(seen.n, 10);
	/* another one: the one with most pays, not the new one */
	add_events(f, "loud2", 20000);
	assert_int_equal(events_of(f, "quiet").n, 900);
	assert_int_equal(events_of(f, "loud2").n, 20000);
	assert_true(events_of(f, NULL).n < 101024);
	/* nobody has more than others: the oldest of all go */
	for (int i = 0; i < 110; i++) {
		char uuid[16];

		snprintf(uuid, sizeof uuid, "vm-%d", i);
		add_events(f, uuid, 1000);
	}
	seen = events_of(f, NULL);
	assert_true(seen.n >= 100000 && seen.n < 101024);
	assert_int_equal(events_of(f, "a").n, 0);
	assert_int_equal(events_of(f, "vm-109").n, 1000);
	/* and with theirs what was remembered of those who had too many */
	assert_int_equal(events_of(f, "loud").n + events_of(f, "loud2").n, 0);
	assert_int_equal(state_kv_get(f->s, "events_cut:loud", &text, &e), -ENOENT);
	assert_int_equal(state_kv_get(f->s, "events_cut:loud2", &text, &e), -ENOENT);
}

static int see_row(const struct vm_row *r, void *arg)
{
	struct seen *s = arg;

	s->n++;
	assert_true(strcmp(s->prev, r->uuid) < 0);
	strcpy(s->prev, r->uuid);
	assert_true(r->ram >= 256 && r->quota == 10 && r->cpu_cap == -1 && r->autoboot == 1);
	assert_true(r->create_ns == 1767323045678000000LL);
	return s->first ? (r->record != NULL && r->record[0] == '{') - 1 : 0;
}

static void ten_thousand(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	struct seen seen = {0};

	assert_int_equal(state_begin(db(f), &e), 0);
	for (unsigned i = 0; i < 10000; i++) {
		json_t *r = record(i, NULL);

		assert_int_equal(insert(f, r, NULL, 0), BASE + i * 65536u);
		json_decref(r);
	}
	assert_int_equal(state_end(f->s, 0, &e), 0);
	assert_int_equal(state_vm_each(f->s, 0, see_row, &seen, &e), 0);
	assert_int_equal(seen.n, 10000);
	seen = (struct seen){.first = 1};
	assert_int_equal(state_vm_each(f->s, 1, see_row, &seen, &e), 0);
	assert_int_equal(seen.n, 10000);
}

/* Eight processes open a node that is not there yet and add VMs to it at the same time. */
static void at_once(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	struct seen seen = {0};
	pid_t pid[8];

	for (unsigned k = 0; k < 8; k++) {
		pid[k] = fork();
		assert_true(pid[k] >= 0);
		if (pid[k] == 0) {
			struct state *s = NULL;
			int bad = state_open(&f->c, STATE_WRITE, &s, &e) < 0;

			for (unsigned i = 0; !bad && i < 10; i++)
				bad = state_vm_insert(s, record(k * 10 + i, NULL), "installed", NULL, 0, NULL, &e) < 0;
			if (bad)
				fprintf(stderr, "# %s\n", e.msg);
			state_close(&s);
			_exit(bad);
		}
	}
	for (unsigned k = 0; k < 8; k++) {
		int status = -1;

		waitpid(pid[k], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(state_vm_each(db(f), 0, see_row, &seen, &e), 0);
	assert_int_equal(seen.n, 80);
}

/* What says that a machine came here outlives it for a time; what says where it was to go does not. */
static void old_values(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *here = record(1, NULL), *gone = record(2, NULL);
	_free_ char *a = xprintf("taken:%s", uuid_of(here)), *b = xprintf("taken:%s", uuid_of(gone)), *to = xprintf("migrate:%s", uuid_of(gone));
	uint64_t now = clock_wall_ns() / 1000000000;
	char session[65], *v = NULL;

	memset(session, 'a', 64);
	session[64] = 0;
	_free_ char *old = xprintf("%s 1700000100", session), *later = xprintf("%s 1700000200", session), *unset = xprintf("%s 100", session);
	insert(f, here, NULL, 0);
	insert(f, gone, NULL, 0);
	assert_int_equal(state_kv_set(f->s, a, old, &e), 0);
	assert_int_equal(state_kv_set(f->s, b, old, &e), 0);
	assert_int_equal(state_kv_set(f->s, to, "somewhere", &e), 0);
	assert_int_equal(state_kv_set(f->s, "takenx", "abcd 100", &e), 0);
	assert_int_equal(state_vm_delete(f->s, uuid_of(gone), &e), 0);
	assert_int_equal(state_kv_get(f->s, to, &v, &e), -ENOENT);
	/* its time begins when the VM goes */
	assert_int_equal(state_kv_get(f->s, b, &v, &e), 0);
	assert_memory_equal(v, session, 64);
	assert_true(v[64] == ' ' && strtoull(v + 65, NULL, 10) >= now);
	free(v);
	/* no number, or one of a clock that was not set, is no time */
	assert_int_equal(state_kv_set(f->s, b, session, &e), 0);
	assert_int_equal(state_kv_trim(f->s, "taken", 66, 1700000201, &e), 0);
	assert_int_equal(state_kv_set(f->s, b, unset, &e), 0);
	assert_int_equal(state_kv_trim(f->s, "taken", 66, 1700000201, &e), 0);
	assert_int_equal(state_kv_get(f->s, b, &v, &e), 0);
	free(v);
	assert_int_equal(state_kv_set(f->s, b, later, &e), 0);
	assert_int_equal(state_kv_trim(f->s, "taken", 66, 1700000200, &e), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(state_kv_get(f->s, i ? b : a, &v, &e), 0);
		free(v);
	}
	assert_int_equal(state_kv_trim(f->s, "taken", 66, 1700000201, &e), 0);
	assert_int_equal(state_kv_get(f->s, b, &v, &e), -ENOENT);
	assert_int_equal(state_kv_get(f->s, a, &v, &e), 0);
	free(v);
	assert_int_equal(state_kv_get(f->s, "takenx", &v, &e), 0);
	free(v);
	json_decref(here);
	json_decref(gone);
}

int main(void)
{
#define T(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)
	const struct CMUnitTest t[] = {T(nothing_yet), T(round_trip), T(taken), T(ranges), T(find), T(small_things),
				       T(old_values), T(together), T(images), T(events), T(ten_thousand), T(at_once)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
