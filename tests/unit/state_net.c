/* SPDX-License-Identifier: MPL-2.0 */
/* Objects of the network in the record store: by kind and name, and what a damaged one says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/own.h"
#include "state/db.h"

struct fix {
	struct ctx c;
	char dir[32];
	struct state *s;
};

static int set_up(void **p)
{
	struct fix *f = xalloc(sizeof *f);
	struct err e = ERR_INIT;

	strcpy(f->dir, "/tmp/cloister-state.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->c.node.state, sizeof f->c.node.state, "%s/db", f->dir);
	strcpy(f->c.node.name, "test");
	f->c.node.id_base = 0x10000000;
	f->c.node.id_count = 12000;
	f->c.oplog = f->c.cancel = -1;
	if (state_open(&f->c, STATE_WRITE, &f->s, &e) < 0)
		fail_msg("%s", e.msg);
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

static void put(struct fix *f, const char *kind, const char *name, int n)
{
	struct err e = ERR_INIT;
	json_t *v = json_pack("{s:i}", "n", n);

	if (state_net_put(f->s, kind, name, v, &e) < 0)
		fail_msg("%s", e.msg);
	json_decref(v);
}

static int get(struct fix *f, const char *kind, const char *name)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;
	int r = state_net_get(f->s, kind, name, &v, &e);

	if (r == 0)
		r = (int)json_integer_value(json_object_get(v, "n"));
	json_decref(v);
	return r;
}

static int collect(const char *name, const json_t *v, void *arg)
{
	char *out = arg;

	sprintf(out + strlen(out), "%s=%d ", name, (int)json_integer_value(json_object_get(v, "n")));
	return strcmp(name, "stop") == 0 ? -ECANCELED : 0;
}

static void kinds(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	char out[200] = "";

	put(f, "rule", "b", 2);
	put(f, "rule", "a", 1);
	put(f, "flow", "a", 7);
	put(f, "rule", "a", 3);
	assert_int_equal(get(f, "rule", "a"), 3);
	assert_int_equal(get(f, "flow", "a"), 7);
	assert_int_equal(get(f, "flow", "b"), -ENOENT);
	assert_int_equal(state_net_each(f->s, "rule", collect, out, &e), 0);
	assert_string_equal(out, "a=3 b=2 ");
	assert_int_equal(state_net_delete(f->s, "rule", "a", &e), 0);
	assert_int_equal(state_net_delete(f->s, "rule", "a", &e), 0);
	assert_int_equal(get(f, "rule", "a"), -ENOENT);
	assert_int_equal(get(f, "flow", "a"), 7);
	put(f, "rule", "stop", 4);
	put(f, "rule", "z", 5);
	*out = 0;
	assert_int_equal(state_net_each(f->s, "rule", collect, out, &e), -ECANCELED);
	assert_string_equal(out, "b=2 stop=4 ");
}

static void not_objects(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *list = json_array(), *v = NULL;
	char out[200] = "";

	assert_int_equal(state_net_put(f->s, "rule", "a", list, &e), -EINVAL);
	json_decref(list);
	assert_int_equal(get(f, "rule", "a"), -ENOENT);
	assert_int_equal(db_exec(f->s, "INSERT INTO netobj VALUES ('rule', 'torn', '{\"n\":')", &e), 0);
	assert_int_equal(state_net_get(f->s, "rule", "torn", &v, &e), -EUCLEAN);
	assert_null(v);
	assert_non_null(strstr(e.msg, "rule torn is not a JSON object"));
	assert_int_equal(state_net_each(f->s, "rule", collect, out, &e), -EUCLEAN);
}

#define T(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {T(kinds), T(not_objects)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
