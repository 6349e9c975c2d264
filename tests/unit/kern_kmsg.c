/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kmsg.h"

#define SIZES ") total-vm:78008kB, anon-rss:100kB, file-rss:20kB, shmem-rss:3kB, UID:268435461 pgtables:104kB oom_score_adj:0\n"

static int parse(const char *t, struct oom_kill *k)
{
	return kmsg_oom(t, strlen(t), k);
}

static void kills(void **state)
{
	struct oom_kill k;

	assert_int_equal(parse("3,269382,23485677526,-;Memory cgroup out of memory: Killed process 1666738 (python3" SIZES, &k), 1);
	assert_int_equal(k.pid, 1666738);
	assert_string_equal(k.name, "python3");
	assert_int_equal(k.uid, 268435461);
	assert_int_equal(k.bytes, 123 * 1024);
	assert_false(k.host);
	assert_int_equal(parse("3,1,2,-,caller=T1;Out of memory: Killed process 5 (x" SIZES " KEY=value\n", &k), 1);
	assert_true(k.host);
}

/* The name is the zone's own text. */
static void hostile_names(void **state)
{
	struct oom_kill k;

	assert_int_equal(parse("3,1,2,-;Memory cgroup out of memory: Killed process 5 () total-vm:1kB, UID:0" SIZES, &k), 1);
	assert_string_equal(k.name, ") total-vm:1kB, UID:0");
	assert_int_equal(k.uid, 268435461);
	assert_int_equal(parse("3,1,2,-;Memory cgroup out of memory: Killed process 5 (" SIZES, &k), 1);
	assert_string_equal(k.name, "");
}

#define A "8a7d4c2e-0f3b-4a53-9d3e-6a1b2c3d4e5f"
#define B "11111111-2222-4333-8444-555555555555"
#define OOM "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset="

static const char *where(const char *t)
{
	static char uuid[37];
	pid_t pid = 0;

	memset(uuid, 'x', sizeof uuid);
	return kmsg_oom_where(t, strlen(t), &pid, uuid) && pid == 77 ? uuid : NULL;
}

/* Whose cgroup it was: the kernel's word, in which zones have their names too. */
static void cgroups(void **state)
{
	assert_string_equal(where(OOM "_zones,mems_allowed=0,oom_memcg=/cloister/" A ",task_memcg=/cloister/" A "/zone,task=tail,pid=77,uid=268435456\n"), A);
	assert_string_equal(where(OOM "/,mems_allowed=0,global_oom,task_memcg=/up/cloister/" A "/zone,task=tail,pid=77,uid=5"), A);
	assert_string_equal(where(OOM "/,mems_allowed=0,global_oom,task_memcg=/user.slice,task=tail,pid=77,uid=5"), "");
	/* cgroups, and a program, that a zone has called after another one */
	assert_string_equal(where(OOM "x,oom_memcg=" B ",mems_allowed=0,oom_memcg=/cloister/" A "/zone/" B ",task_memcg=/cloister/" B ",task=t,pid=77,uid=5"), A);
	assert_string_equal(where(OOM "x,mems_allowed=0,oom_memcg=/cloister/" A ",task_memcg=/c,task=,pid=5,uid=0,pid=77,uid=5"), A);
	assert_string_equal(where(OOM "x,mems_allowed=0,oom_memcg=/cloister/" A "-" B ",task_memcg=/c,task=t,pid=77,uid=5"), "");
	assert_null(where("14,1,2,-;oom-kill:constraint=C,oom_memcg=/cloister/" A ",task_memcg=/c,task=t,pid=77,uid=5"));
	assert_null(where(OOM "x,mems_allowed=0,oom_memcg=/cloister/" A ",task_memcg=/c,task=t,pid=77"));
	assert_null(where(OOM "x,mems_allowed=0,task=t,pid=77,uid=5"));
}

static void refused(void **state)
{
	static const char tail[] = "Memory cgroup out of memory: Killed process 5 (x" SIZES;
	char t[512];
	struct oom_kill k = {.pid = 77};
	const char *good = "3,1,2,-;Memory cgroup out of memory: Killed process 5 (x" SIZES;

	/* written to /dev/kmsg by a process, or after another text */
	snprintf(t, sizeof t, "14,1,2,-;%s", tail);
	assert_int_equal(parse(t, &k), 0);
	snprintf(t, sizeof t, "3,1,2,-;name[5]: %s", tail);
	assert_int_equal(parse(t, &k), 0);
	assert_int_equal(parse("3,1,2,-;Memory cgroup out of memory: Killed process 0 (x" SIZES, &k), 0);
	assert_int_equal(parse("3,1,2,-;Memory cgroup out of memory: Killed process 99999999999 (x" SIZES, &k), 0);
	assert_int_equal(parse("", &k), 0);
	assert_int_equal(k.pid, 77);
	/* cut anywhere before the uid's end it is no record */
	for (size_t n = 0; n < (size_t)(strstr(good, "UID:") - good) + 4; n++)
		assert_int_equal(kmsg_oom(good, n, &k), 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(kills), cmocka_unit_test(hostile_names), cmocka_unit_test(cgroups), cmocka_unit_test(refused)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
