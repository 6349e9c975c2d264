/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stat/use.h"

static void numbers(void **state)
{
	assert_int_equal(cg_text_number("123\n"), 123);
	assert_int_equal(cg_text_number("0"), 0);
	assert_true(cg_text_number("max\n") == CGV_NONE);
	assert_true(cg_text_number("-1\n") == CGV_NONE);
	assert_true(cg_text_number("9223372036854771712\n") == CGV_NONE); /* v1's "no limit" */
	assert_true(cg_text_number("99999999999999999999999") == CGV_NONE);
	assert_true(cg_text_number("") == CGV_UNKNOWN);
	assert_true(cg_text_number("x") == CGV_UNKNOWN);
}

static void keyed(void **state)
{
	static const char t[] = "usage_usec 300\nuser_usec 100\nsystem_usec 200\nuser 7\n";

	assert_int_equal(cg_text_keyed(t, "usage_usec"), 300);
	assert_int_equal(cg_text_keyed(t, "user"), 7);
	assert_true(cg_text_keyed(t, "usec") == CGV_UNKNOWN);
	assert_true(cg_text_keyed("", "a") == CGV_UNKNOWN);
	assert_true(cg_text_keyed("max max\n", "max") == CGV_NONE);
}

static void pressure(void **state)
{
	uint64_t v[8];

	cg_text_pressure("some avg10=12.34 avg60=0.05 avg300=100.00 total=987654321\nfull avg10=1.5 avg60=0.00 avg300=2 total=5\n", v);
	assert_int_equal(v[0], 1234);
	assert_int_equal(v[1], 5);
	assert_int_equal(v[2], 10000);
	assert_int_equal(v[3], 987654321);
	assert_int_equal(v[4], 150);
	assert_int_equal(v[6], 200);
	assert_int_equal(v[7], 5);
	cg_text_pressure("some avg10=1.00\n", v); /* cpu on old kernels has no full */
	assert_int_equal(v[0], 100);
	assert_true(v[1] == CGV_UNKNOWN && v[4] == CGV_UNKNOWN);
	cg_text_pressure("", v);
	assert_true(v[0] == CGV_UNKNOWN);
}

static void io(void **state)
{
	static const char devices[] = "Character devices:\n  9 st\n  8 md\n\nBlock devices:\n  7 loop\n  8 sd\n  9 md\n252 device-mapper\n259 blkext\n999999 zram\ncut";
	struct cg_stacked none, all;
	uint64_t v[4];

	cg_text_stacked("", &none);
	cg_text_stacked(devices, &all);
	cg_text_io("252:0 rbytes=100 wbytes=200 rios=3 wios=4\n8:0 rbytes=50 wbytes=60 rios=1 wios=2\n9:0 rbytes=1\n", &all, v);
	assert_true(v[0] == 50 && v[1] == 60 && v[2] == 1 && v[3] == 2);
	/* the loop's I/O is in the disk's, which it is a file of */
	cg_text_io("8:0 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=9 dios=9\n7:0 rbytes=100 wbytes=200 rios=3 wios=4\n"
		   "259:1 rbytes=1 wbytes=2 rios=3 wios=4\n8:16 \n", &none, v);
	assert_int_equal(v[0], 101);
	assert_int_equal(v[1], 202);
	assert_int_equal(v[2], 6);
	assert_int_equal(v[3], 8);
	cg_text_io("", &none, v);
	assert_int_equal(v[0], 0);
}

static void host(void **state)
{
	struct host_stat h;

	assert_int_equal(host_text_cpu("cpu  10 1 5 100 4 1 2 0 7 0\ncpu0 5 1 2 50 2 1 1 0 0 0\ncpu1 5 0 3 50 2 0 1 0 0 0\nintr 5\nbtime 1700000000\n",
				       100, &h), 0);
	assert_int_equal(h.cpus, 2);
	assert_int_equal(h.cpu_us, 190000);
	assert_int_equal(h.idle_us, 1040000);
	assert_int_equal(h.boot_s, 1700000000);
	assert_true(host_text_cpu("cpu 1 2\n", 100, &h) < 0);
	assert_int_equal(host_text_memory("MemTotal:  1000 kB\nMemFree: 400 kB\nMemAvailable: 500 kB\nSwapTotal: 0 kB\n", &h), 0);
	assert_int_equal(h.mem_free, 400 * 1024);
	assert_true(host_text_memory("", &h) < 0);
	assert_int_equal(host_text_load("1.05 0.40 10.00 3/512 999\n", &h), 0);
	assert_int_equal(h.load[0], 105);
	assert_int_equal(h.load[2], 1000);
	assert_int_equal(h.lwps, 512);
}

static void zone(struct stat_zone *z, const char *uuid, const char *alias, uint64_t shares, uint64_t cpu, uint64_t quota, uint64_t mem)
{
	memset(z, 0, sizeof *z);
	strcpy(z->uuid, uuid);
	z->alias = (char *)(uintptr_t)alias;
	for (int i = 0; i < CGV_COUNT; i++)
		z->now[i] = z->before[i] = CGV_UNKNOWN;
	z->before[CGV_CPU] = 1000;
	z->now[CGV_CPU] = 1000 + cpu;
	z->now[CGV_CPU_SHARES] = shares;
	z->now[CGV_CPU_QUOTA] = quota;
	z->now[CGV_CPU_PERIOD] = 100000;
	z->now[CGV_MEM] = mem;
	z->now[CGV_MEM_CAP] = 1000;
	z->now[CGV_LWPS] = 5;
}

static void lines(void **state)
{
	struct stat_zone a, b, *all[] = {&a, &b};
	struct stat_sample s = {.z = all, .n = 2, .rounds = 2, .before_ns = 5000000000, .now_ns = 6000000000};
	struct use_line *l;

	zone(&a, "a", "web", 100, 250000, 50000, 500);
	zone(&b, "b", NULL, 300, 750000, CGV_NONE, 100);
	s.host = (struct host_stat){.cpus = 2, .cpu_us = 1500000, .mem_total = 10000, .mem_free = 4000, .lwps = 100};
	assert_int_equal(use_lines(&s, &l), 4);
	assert_string_equal(l[0].name, "[total]");
	assert_string_equal(l[1].name, "[system]");
	assert_int_equal(l[0].v[USE_CPU], 1500);
	assert_int_equal(l[0].v[USE_CPU_HOST], 750);
	assert_int_equal(l[1].v[USE_CPU], 500);
	assert_int_equal(l[1].v[USE_MEM], 5400);
	assert_int_equal(l[1].v[USE_LWPS], 90);
	assert_int_equal(l[2].v[USE_CPU], 250);
	assert_int_equal(l[2].v[USE_CPU_HOST], 125);
	assert_int_equal(l[2].v[USE_CPU_CAP], 500);   /* of half a processor */
	assert_int_equal(l[2].v[USE_CPU_SHARE], 500); /* of a quarter of two */
	assert_int_equal(l[2].v[USE_MEM_CAP], 500);
	assert_true(l[3].v[USE_CPU_CAP] == CGV_UNKNOWN);
	assert_true(l[2].v[USE_READ] == CGV_UNKNOWN);
	assert_string_equal(l[3].name, "b");
	use_sort(l, 4, USE_CPU);
	assert_string_equal(l[2].name, "b");
	use_sort(l, 4, USE_MEM);
	assert_string_equal(l[2].name, "web");
	use_sort(l, 4, USE_NAME);
	assert_string_equal(l[2].name, "b");
	assert_string_equal(l[0].name, "[total]");
	free(l);

	/* only a machine has processors that can be stolen from */
	b.vcpus = (struct stat_vcpus){.n = 2, .before = 1500000000, .now = 2000000000};
	assert_int_equal(use_lines(&s, &l), 4);
	assert_int_equal(l[3].v[USE_STEAL], 500);
	assert_true(l[0].v[USE_STEAL] == CGV_UNKNOWN && l[1].v[USE_STEAL] == CGV_UNKNOWN && l[2].v[USE_STEAL] == CGV_UNKNOWN);
	free(l);
	b.vcpus.before = 3000000000; /* one was taken away */
	assert_int_equal(use_lines(&s, &l), 4);
	assert_int_equal(l[3].v[USE_STEAL], 0);
	free(l);
	b.vcpus.before = CGV_UNKNOWN;
	assert_int_equal(use_lines(&s, &l), 4);
	assert_true(l[3].v[USE_STEAL] == CGV_UNKNOWN);
	free(l);

	/* the host's ticks may lag behind the zones' nanoseconds: the sum holds all the same */
	s.host.cpu_us = 900000;
	assert_int_equal(use_lines(&s, &l), 4);
	assert_int_equal(l[0].v[USE_CPU], 1000);
	assert_int_equal(l[1].v[USE_CPU], 0);
	free(l);

	/* one sample has no rates */
	s.rounds = 1;
	assert_int_equal(use_lines(&s, &l), 4);
	assert_true(l[0].v[USE_CPU] == CGV_UNKNOWN && l[2].v[USE_CPU] == CGV_UNKNOWN);
	assert_int_equal(l[2].v[USE_MEM], 500);
	free(l);
}

/* A counter that went back is no giant number. */
static void grown(void **state)
{
	struct stat_sample s = {.rounds = 2};
	struct stat_zone z;

	zone(&z, "a", NULL, 1, 0, 0, 0);
	z.now[CGV_CPU] = 10;
	assert_int_equal(stat_grown(&s, &z, CGV_CPU), 0);
	assert_true(stat_grown(&s, &z, CGV_READ) == CGV_UNKNOWN);
}

static bool no_part(const char *name)
{
	return strcmp(name, "sda1") != 0;
}

static void host_disks(void **state)
{
	uint64_t v[4];

	host_text_disks("   8       0 sda 10 1 100 5 20 2 200 7 0 30 12 0 0 0 0 1 1\n   8       1 sda1 9 1 90 5 20 2 200 7 0 30 12\n"
			"   7       0 loop0 10 1 100 5 20 2 200 7 0 30 12\n 253 0 zram0 10 1 100 5 20 2 200 7 0 30 12\n 254       0 vda 1 0 8 0 2 0 16 0 0 1 1\ncut 1 sdb 7",
			no_part, v);
	assert_true(v[0] == 108 * 512 && v[1] == 216 * 512 && v[2] == 11 && v[3] == 22);
	host_text_disks("", no_part, v);
	assert_true(v[0] == 0 && v[3] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(keyed), cmocka_unit_test(pressure), cmocka_unit_test(io),
					   cmocka_unit_test(host),    cmocka_unit_test(lines), cmocka_unit_test(host_disks), cmocka_unit_test(grown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
