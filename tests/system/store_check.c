/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Store operations as a program, for tests/system/pool.sh and the measurements. Node: CLOISTER_NODE.
 *   store_check OP ARG…   prints what it found; exit 0, or 1 with "ERRNO: message" on standard error
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "store/store.h"

static struct ctx c;
static struct store *s;
static struct err e;

static uint64_t num(const char *t)
{
	uint64_t v;

	if (str_to_bytes(t, &v) < 0) {
		fprintf(stderr, "\"%s\" is not a number\n", t);
		exit(2);
	}
	return v;
}

static uint64_t group(const char *t)
{
	uint64_t v = num(t);

	return v ? store_quota_id(s, 0x10000000u + ((uint32_t)v << 16)) : 0;
}

static int show(const char *name, uint64_t t, void *arg)
{
	char when[CLOCK_TEXT];

	printf("%s %s\n", name, clock_iso(t, when));
	return 0;
}

static int record(const char *uuid, const char *json, size_t n, void *arg)
{
	printf("%s %.*s\n", uuid, (int)n, json);
	return 0;
}

static int by_ms(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* p50 of n times each: create, snapshot of dataset src, quota set, snapshot destroy */
static int bench(const char *src, unsigned n)
{
	static const char *const what[] = {"open", "create", "snapshot", "quota-set", "quota-get", "rollback", "destroy"};
	enum { N = ARRAY_LEN(what) };
	double *ms[N];
	int r = 0;

	for (unsigned k = 0; k < N; k++)
		ms[k] = xalloc(n * sizeof(double));
	for (unsigned i = 0; i < n && r >= 0; i++) {
		_free_ char *a = xprintf("bench/%u/empty", i), *b = xprintf("bench/%u/root", i);
		uint64_t g = store_quota_id(s, 0x10000000u + ((i + 1000) << 16)), l, u;
		struct store *t = NULL;

		for (unsigned k = 0; k < N && r >= 0; k++) {
			uint64_t t0 = clock_mono_ns();

			switch (k) {
			case 0: r = store_open(&c, &t, &e); break;
			case 1: r = store_create(s, a, g, &e); break;
			case 2: r = store_snapshot(s, src, b, false, g, &e); break;
			case 3: r = store_quota_set(s, g, 1 << 30, &e); break;
			case 4: r = store_quota_get(s, g, &l, &u, &e); break;
			case 5: r = store_rollback(s, src, b, g, &e); break;
			case 6: r = store_destroy(s, b, &e); break;
			}
			ms[k][i] = (double)(clock_mono_ns() - t0) / 1e6;
		}
		store_close(&t);
		store_destroy(s, a, NULL);
		store_quota_drop(s, g, NULL);
	}
	for (unsigned k = 0; k < N; k++) {
		qsort(ms[k], n, sizeof(double), by_ms);
		if (r >= 0)
			printf("%-10s p50 %8.3f ms   p95 %8.3f ms\n", what[k], ms[k][n / 2], ms[k][n * 95 / 100]);
		free(ms[k]);
	}
	return r;
}

static int run(int n, char **a)
{
	uint64_t l, u;
	int r = -EINVAL;

	if (!strcmp(a[0], "open"))
		return 0;
	if (!strcmp(a[0], "create") && n == 3)
		return store_create(s, a[1], group(a[2]), &e);
	if (!strcmp(a[0], "snapshot") && n == 5)
		return store_snapshot(s, a[1], a[2], !strcmp(a[3], "ro"), group(a[4]), &e);
	if (!strcmp(a[0], "destroy") && n == 2)
		return store_destroy(s, a[1], &e);
	if (!strcmp(a[0], "rollback") && n == 4)
		return store_rollback(s, a[1], a[2], group(a[3]), &e);
	if (!strcmp(a[0], "rename") && n == 3)
		return store_rename(s, a[1], a[2], &e);
	if (!strcmp(a[0], "readonly") && n == 3)
		return store_readonly(s, a[1], !strcmp(a[2], "on"), &e);
	if (!strcmp(a[0], "exists") && n == 2)
		return store_exists(s, a[1]) ? 0 : err_set(&e, ENOENT, "%s", a[1]);
	if (!strcmp(a[0], "each") && n == 2)
		return store_each(s, a[1], show, NULL, &e);
	if (!strcmp(a[0], "quota") && n == 3)
		return store_quota_set(s, group(a[1]), num(a[2]), &e);
	if (!strcmp(a[0], "join") && n == 3)
		return store_quota_join(s, a[1], group(a[2]), &e);
	if (!strcmp(a[0], "drop") && n == 2)
		return store_quota_drop(s, group(a[1]), &e);
	if (!strcmp(a[0], "usage") && n == 2) {
		r = store_quota_get(s, group(a[1]), &l, &u, &e);
		if (r == 0)
			printf("%llu %llu\n", (unsigned long long)l, (unsigned long long)u);
		return r;
	}
	if (!strcmp(a[0], "sync"))
		return store_sync(s, &e);
	if (!strcmp(a[0], "tmp") && n == 2) {
		char name[STORE_TMP_NAME];

		r = store_create(s, store_tmp_name(s, a[1], name), 0, &e);
		if (r == 0)
			puts(name);
		return r;
	}
	if (!strcmp(a[0], "room"))
		return store_make_room(s, &e);
	if (!strcmp(a[0], "recover"))
		return store_recover(s, &e);
	if (!strcmp(a[0], "warn")) {
		printf("%u\n", store_warn(&c, s));
		return 0;
	}
	if (!strcmp(a[0], "records"))
		return pool_each_record(s, record, NULL, &e);
	if (!strcmp(a[0], "bench") && n == 3)
		return bench(a[1], (unsigned)num(a[2]));
	return err_set(&e, EINVAL, "unknown operation %s with %d arguments", a[0], n - 1);
}

static void say(const struct ctx *x, enum log_level l, const char *text)
{
	if (l == LOG_WARN)
		fprintf(stderr, "warning: %s\n", text);
}

int main(int argc, char **argv)
{
	int r = ctx_init(&c, NULL, &e);

	c.log = say;
	if (argc < 2)
		return 2;
	if (r == 0 && !strcmp(argv[1], "attach"))
		r = pool_attach(&c, &e);
	else if (r == 0 && !strcmp(argv[1], "detach"))
		r = pool_detach(&c, &e);
	else if (r == 0) {
		r = store_open(&c, &s, &e);
		if (r == 0)
			r = run(argc - 1, argv + 1);
	}
	store_close(&s);
	if (r < 0)
		fprintf(stderr, "%s: %s\n%s%s", err_name(-r), e.msg, e.hint, *e.hint ? "\n" : "");
	return r < 0 ? 1 : 0;
}
