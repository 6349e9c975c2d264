/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stat/why.h"

/* A zone with all counters, none of which moves, for two seconds on a quiet host of two processors. */
static struct why_facts quiet(void)
{
	struct why_facts f = {.seconds = 2, .cpus = 2, .procs = 5, .share = 1000};

	f.now[CGV_CPU_QUOTA] = f.now[CGV_MEM_CAP] = f.now[CGV_LWPS_CAP] = CGV_NONE;
	return f;
}

static void cause_is(const struct why_facts *f, const char *want)
{
	struct why w[WHY_MAX];
	size_t n = why_find(f, w);

	assert_string_equal(n ? w[0].cause : "nothing", want);
	for (size_t i = 1; i < n; i++)
		assert_true(w[i].weight <= w[i - 1].weight);
}

static void says(const struct why_facts *f, const char *words)
{
	struct why w[WHY_MAX];

	assert_true(why_find(f, w) > 0);
	assert_non_null(strstr(w[0].text, words));
}

static void throttled(struct why_facts *f, uint64_t periods, uint64_t hit)
{
	f->now[CGV_CPU_QUOTA] = 25000;
	f->now[CGV_CPU_PERIOD] = 100000;
	f->now[CGV_PERIODS] = periods;
	f->now[CGV_THROTTLED] = hit;
}

static void processors(void **state)
{
	struct why_facts f = quiet();
	struct why w[WHY_MAX];

	cause_is(&f, "nothing");
	throttled(&f, 20, 19);
	f.now[CGV_PSI_CPU + 3] = 1900000; /* held back counts as waiting too */
	assert_int_equal(why_find(&f, w), 1);
	assert_string_equal(w[0].cause, "cpu_cap");
	assert_non_null(strstr(w[0].text, "cap of 25 %"));
	assert_non_null(strstr(w[0].text, "95 %"));
	throttled(&f, 20, 0);
	f.host_used = 2000;
	f.used = 100;
	f.cpu[0] = (struct why_use){"big", 1700};
	assert_int_equal(why_find(&f, w), 1);
	assert_string_equal(w[0].cause, "cpu");
	assert_non_null(strstr(w[0].text, "others use them: big 1.70"));
	f.used = 1900; /* it is the one that uses them */
	why_find(&f, w);
	assert_non_null(strstr(w[0].text, "wait for each other"));
	f.then[CGV_PERIODS] = 30; /* counters that begin anew are no growth */
	f.now[CGV_PSI_CPU + 3] = 0;
	cause_is(&f, "nothing");
	f.now[CGV_PERIODS] = CGV_UNKNOWN;
	f.now[CGV_THROTTLED] = CGV_UNKNOWN;
	f.now[CGV_PSI_CPU + 3] = CGV_UNKNOWN;
	cause_is(&f, "nothing");
}

static void memory(void **state)
{
	struct why_facts f = quiet();
	struct why w[WHY_MAX];

	f.now[CGV_MEM_CAP] = 64 << 20;
	f.now[CGV_MEM] = 63 << 20;
	cause_is(&f, "nothing");
	f.now[CGV_MEM_OVER] = 4000;
	cause_is(&f, "memory");
	f.now[CGV_REFAULTS] = 40000;
	f.now[CGV_PSI_IO + 3] = 1000000; /* half the time on the disk, for what the cap took out */
	cause_is(&f, "memory");
	f.now[CGV_MEM] = 10 << 20;
	cause_is(&f, "disk");
	f.ooms = 1;
	cause_is(&f, "memory");
	why_find(&f, w);
	assert_non_null(strstr(w[0].text, "used up its max_physical_memory of 64"));
	f.host_ooms = 1; /* it was far below its cap */
	why_find(&f, w);
	assert_non_null(strstr(w[0].text, "for the host was out of memory"));
	assert_null(strstr(w[0].text, "max_physical_memory"));
	f.now[CGV_OOM] = 1;
	f.blocked = 1;
	why_find(&f, w);
	assert_non_null(strstr(w[0].text, "just now, for the host was out of memory"));
	/* no event yet, nothing at the cap */
	f.ooms = f.host_ooms = 0;
	f.now[CGV_MEM_OVER] = 0;
	why_find(&f, w);
	assert_string_equal(w[0].cause, "memory");
	assert_null(strstr(w[0].text, "max_physical_memory"));
	f.ooms = 2; /* long ago: it says nothing about this one */
	why_find(&f, w);
	assert_null(strstr(w[0].text, "max_physical_memory"));
	f.now[CGV_MEM_OVER] = 3;
	why_find(&f, w);
	assert_non_null(strstr(w[0].text, "just now, for it had used up its max_physical_memory of 64"));
}

static void own_ceilings(void **state)
{
	struct why_facts f = quiet();
	struct why w[WHY_MAX];

	f.io_limit[1] = 10 << 20;
	f.io_used[1] = 20 << 20; /* in two seconds */
	cause_is(&f, "nothing"); /* nobody waits */
	f.now[CGV_PSI_IO + 3] = 1900000;
	assert_int_equal(why_find(&f, w), 1);
	assert_string_equal(w[0].cause, "io_write_bps");
	assert_non_null(strstr(w[0].text, "ceiling of 10M bytes a second"));
	assert_null(strstr(w[0].text, "burst"));
	f.io_spent[1] = true;
	why_find(&f, w);
	assert_non_null(strstr(w[0].text, "burst (io_burst_time) is spent"));
	f.io_used[1] = 10 << 20; /* half of it: it waits for something else */
	cause_is(&f, "disk");
	f.io_limit[2] = 100;
	f.io_used[2] = 199;
	cause_is(&f, "io_read_iops");
	why_find(&f, w);
	assert_non_null(strstr(w[0].text, "ceiling of 100 reads a second"));
	f.io_limit[2] = 0; /* none */
	cause_is(&f, "disk");
}

static void what_fails(void **state)
{
	struct why_facts f = quiet();

	throttled(&f, 20, 20);
	strcpy(f.tmpfs, "/tmp");
	cause_is(&f, "cpu_cap");
	f.fd_pid = 7;
	cause_is(&f, "descriptors");
	f.now[CGV_LWPS] = f.now[CGV_LWPS_CAP] = 100;
	cause_is(&f, "max_lwps");
	f.quota = 1 << 30;
	f.quota_used = (1 << 30) - 4096;
	cause_is(&f, "quota");
	says(&f, "quota of 1G is full");
	f.disks = 300 << 20;
	f.disks_used = 100 << 20;
	says(&f, "its disks of 300M, 1G in all, is full");
	says(&f, "disks have 100M of that; the rest is snapshots, files beside them, and what overwritten blocks hold until the disks are defragmented (docs/hvm.md)");
	f.now[CGV_LWPS_OVER] = 5;
	cause_is(&f, "max_lwps");
	f.restarts = 1;
	cause_is(&f, "max_lwps");
	f.restarts = 2;
	cause_is(&f, "restarts");
	f.stopped = 5;
	f.procs = 11;
	cause_is(&f, "restarts");
	f.procs = 10;
	cause_is(&f, "stopped");
	f.frozen = true;
	cause_is(&f, "frozen");
}

static void since(void **state)
{
	struct why_facts f = quiet();

	assert_string_equal(why_since(&f, CGV_PSI_IO), "for some seconds");
	f.now[CGV_PSI_IO] = 9000;
	assert_string_equal(why_since(&f, CGV_PSI_IO), "for some seconds");
	f.now[CGV_PSI_IO + 1] = 5000;
	assert_string_equal(why_since(&f, CGV_PSI_IO), "for about a minute");
	f.now[CGV_PSI_IO + 2] = 5000;
	assert_string_equal(why_since(&f, CGV_PSI_IO), "for five minutes or more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(processors), cmocka_unit_test(memory), cmocka_unit_test(own_ceilings), cmocka_unit_test(what_fails), cmocka_unit_test(since)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
