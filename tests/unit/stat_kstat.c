/* SPDX-License-Identifier: MPL-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stat/kstat.h"

static struct stat_zone one, two;
static struct stat_zone *both[] = {&one, &two};

static struct stat_guest *theirs; /* the second's */
static struct stat_vcpus served;

static struct stat_sample sample(void)
{
	struct stat_zone *z[] = {&one, &two};

	for (int i = 0; i < 2; i++) {
		*z[i] = (struct stat_zone){.zoneid = 7 - (unsigned)i, .init = 100 + i, .name = i ? "second" : "0a5f0000-1111-4222-8333-444455556666"};
		for (int k = 0; k < CGV_COUNT; k++)
			z[i]->now[k] = z[i]->before[k] = CGV_UNKNOWN;
		strcpy(z[i]->uuid, i ? "b" : "a");
		z[i]->now[CGV_CPU_QUOTA] = i ? CGV_NONE : 50000;
		z[i]->now[CGV_CPU_PERIOD] = 100000;
		z[i]->before[CGV_CPU] = 0;
		z[i]->now[CGV_CPU] = 250000;
		z[i]->now[CGV_PERIODS] = 100;
		z[i]->now[CGV_THROTTLED] = 30;
		z[i]->now[CGV_MEM_CAP] = i ? CGV_NONE : 1 << 20;
		z[i]->now[CGV_PSI_CPU] = 1234;
	}
	two.guest = theirs;
	two.vcpus = served;
	return (struct stat_sample){.z = both, .n = 2, .rounds = 2, .before_ns = 1000000000, .now_ns = 2000000000, .host = {.cpus = 2}};
}

struct seen {
	unsigned n, wrong;
	char last[512], text[512];
	uint64_t number;
};

static int see(const struct kstat_item *it, void *arg)
{
	struct seen *s = arg;
	char key[512];

	snprintf(key, sizeof key, "%s:%06u:%s:%s", it->module, (unsigned)it->instance, it->name, it->stat);
	s->wrong += s->n > 0 && strcmp(s->last, key) >= 0;
	strcpy(s->last, key);
	s->number = it->number;
	snprintf(s->text, sizeof s->text, "%s", it->kind == KV_TEXT ? it->text : "");
	s->n++;
	return 0;
}

static struct seen ask(const char *pattern)
{
	struct stat_sample s = sample();
	struct kstat_pattern p = {.glob = {NULL}};
	struct seen seen = {.n = 0};

	assert_int_equal(kstat_pattern_parse(pattern, &p, NULL), 0);
	assert_int_equal(kstat_each(&s, &p, 1, see, &seen), 0);
	kstat_pattern_done(&p);
	return seen;
}

static void order(void **state)
{
	struct seen s = ask("");

	assert_true(s.n > 50);
	assert_int_equal(s.wrong, 0); /* by module, instance, name, statistic */
}

static void patterns(void **state)
{
	assert_int_equal(ask("caps:7:cpucaps_zone_7:value").number, 50);
	assert_int_equal(ask("caps:7:cpucaps_zone_7:usage").number, 25);
	assert_int_equal(ask("caps:::above_sec").number, 3);
	assert_int_equal(ask("caps:::below_sec").number, 7);
	assert_int_equal(ask("caps:6:cpucaps*").n, 0); /* no cap, no kstat */
	assert_true(ask("memory_cap:6::physcap").number == UINT64_MAX);
	assert_int_equal(ask("memory_cap:::physcap").n, 2);
	assert_int_equal(ask("memory_cap:::rss").n, 0); /* not counted: absent */
	assert_int_equal(ask("zones::0a5f0000-1111-4222-8333-444455556666:init_pid").number, 100);
	assert_int_equal(ask("zones::0a5f0000-1111-4222-8333-44445:init_pid").n, 0);
	assert_int_equal(ask("zones::0a5f0000-1111-4222-8333-4*:init_pid").n, 1);
	assert_int_equal(ask("zones::/^sec/:/^(init_pid|boot_time)$/").n, 2);
	assert_string_equal(ask("zones:6::zonename").text, "second");
	assert_int_equal(ask("zone_pressure:6::cpu_some_avg10").number, 1234);
	assert_int_equal(ask("unix:0:system_misc:ncpus").number, 2);
	assert_int_equal(ask("nope").n, 0);
}

/* Illumos cuts names to 30 characters: scripts have patterns that are. */
static void cut(void **state)
{
	char text[128];

	snprintf(text, sizeof text, "zones::%.30s:init_pid", "0a5f0000-1111-4222-8333-444455556666");
	assert_int_equal(ask(text).n, 1);
}

static void wrong(void **state)
{
	struct kstat_pattern p = {.glob = {NULL}};
	struct err e = ERR_INIT;

	assert_true(kstat_pattern_parse("a:b:c:d:e", &p, &e) < 0);
	kstat_pattern_done(&p);
	assert_true(kstat_pattern_parse("/(/", &p, &e) < 0);
	kstat_pattern_done(&p);
}

static void needs(void **state)
{
	struct kstat_pattern p = {.glob = {NULL}};
	bool rate;

	assert_int_equal(kstat_pattern_parse("memory_cap:::rss", &p, NULL), 0);
	assert_int_equal(kstat_needs(&p, 1, &rate), CGS_MEMORY);
	assert_false(rate);
	kstat_pattern_done(&p);
	assert_int_equal(kstat_pattern_parse("disk", &p, NULL), 0);
	assert_int_equal(kstat_needs(&p, 1, &rate), STAT_GUEST);
	kstat_pattern_done(&p);
	assert_int_equal(kstat_pattern_parse("caps:::usage", &p, NULL), 0);
	assert_true(kstat_needs(&p, 1, &rate) & CGS_CPU);
	assert_true(rate);
	kstat_pattern_done(&p);
}

static json_t *load(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(o);
	return o;
}

/* A machine's, as its monitor tells them; names come in whatever order, and in the order of names they go out. */
static void guests(void **state)
{
	json_t *disks = load("[{\"qdev\":\"b\",\"node-name\":\"disk1\",\"stats\":{\"rd_bytes\":7}},"
			     "{\"qdev\":\"a\",\"node-name\":\"disk0\",\"stats\":{\"rd_bytes\":4096,\"rd_operations\":3,\"rd_latency_histogram\":"
			     "{\"boundaries\":[1000000,10000000,100000000],\"bins\":[1,0,2,5]}}}]"),
	       *balloon = load("{\"actual\":1048576}"), *memory = load("{\"stats\":{\"stat-free-memory\":5,\"stat-total-memory\":-1,\"stat-swap-in\":1.8446744073709552e19}}");
	static struct stat_guest g;

	stat_guest_read(disks, balloon, memory, &g);
	json_decref(disks);
	json_decref(balloon);
	json_decref(memory);
	theirs = &g;
	assert_int_equal(g.n, 2);
	assert_int_equal(ask("disk:6:second_disk0:nread").number, 4096);
	assert_int_equal(ask("disk:6:second_disk0:10ms_ops").number, 2);
	assert_int_equal(ask("disk:6:second_disk0:100ms_ops").number, 5);
	assert_int_equal(ask("disk:6:second_disk1:nread").number, 7);
	assert_int_equal(ask("disk:6:second_disk1:10ms_ops").n, 0);
	assert_int_equal(ask("disk:7::").n, 0);
	assert_string_equal(ask("disk:6:second_disk1:zonename").text, "second");
	assert_int_equal(ask("guest_mem:6:second:actual").number, 1048576);
	assert_int_equal(ask("guest_mem:6:second:free").number, 5);
	/* not known is not told */
	assert_int_equal(ask("guest_mem:6:second:total").n, 0);
	assert_int_equal(ask("guest_mem:6:second:swapin").n, 0);
	assert_int_equal(ask("guest_mem:7::").n, 0);
	assert_int_equal(ask("").wrong, 0);
	theirs = NULL;
}

static void names(void **state)
{
	static const struct {
		const char *comm;
		int is;
	} t[] = {{"CPU 0/KVM\n", 0}, {"CPU 1023/TCG", 1023}, {"CPU 1024/KVM", -1}, {"CPU 99999999/KVM", -1}, {"CPU /KVM", -1}, {"CPU -1/KVM", -1},
		 {"CPU 0/KV", -1}, {"CPU 0/KVMx", -1}, {"ALL CPUs/TCG", -1}, {"qemu-system-x86\n", -1}, {"CPU", -1}, {"\n", -1}, {"", -1}};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		assert_int_equal(stat_vcpu_of(t[i].comm, strlen(t[i].comm)), t[i].is);
}

static int ready[2], go[2];

static void *spin(void *arg)
{
	static volatile unsigned turns;
	char c = 'r';

	pthread_setname_np(pthread_self(), arg);
	for (int i = 0; i < 100000; i++)
		turns++;
	return write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) == 0 ? arg : NULL;
}

/* Threads of this process, under names of a monitor's; two of them claim to be the same one. */
static void vcpus(void **state)
{
	static char *const called[] = {"CPU 10/KVM", "CPU 2/KVM", "CPU 2/TCG", "worker"};
	int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pthread_t t[4];
	char c;

	if (access("/proc/self/schedstat", F_OK) < 0)
		skip();
	assert_int_equal(ask("vmm").n, 0);
	assert_true(pipe(ready) == 0 && pipe(go) == 0 && tasks >= 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, spin, called[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(read(ready[0], &c, 1), 1);
	/* what the kernel says of one that has not been switched yet is nothing */
	for (int i = 0; i < 1000 && (i == 0 || served.n < 2); i++, usleep(1000))
		stat_vcpus_read(tasks, &served);
	assert_int_equal(served.n, 2);
	assert_true(served.ran > 0 && served.ran == served.v[0].ran + served.v[1].ran && served.now == served.v[0].waited + served.v[1].waited);
	assert_int_equal(ask("vmm:6:vcpu10:vcpu").number, 10);
	assert_int_equal(ask("vmm:6:vcpu2:time_run").number, served.v[1].ran);
	assert_int_equal(ask("vmm:6:vm:time_sched").number, served.now);
	assert_int_equal(ask("vmm:6:vm:vcpus").number, 2);
	assert_string_equal(ask("vmm:6:vm:vm_name").text, "second");
	assert_string_equal(ask("vmm:::class").text, "misc");
	assert_int_equal(ask("vmm:7::").n, 0);
	assert_int_equal(ask("").wrong, 0);
	close(go[1]);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	/* they have gone: what was told before is not told again */
	stat_vcpus_read(tasks, &served);
	assert_int_equal(ask("vmm").n, 0);
	stat_vcpus_read(-1, &served);
	assert_true(served.before == CGV_UNKNOWN && served.now == CGV_UNKNOWN);
	close(tasks);
	free(served.v);
	served = (struct stat_vcpus){.n = 0};
}

/* As a monitor's that is a guest's by now. */
static void lies(void **state)
{
	static const char *const texts[] = {
		"7", "{}", "[7,null,[]]", "[{\"qdev\":\"x\",\"node-name\":\"a\\u001b[2J\"}]", "[{\"qdev\":\"x\",\"node-name\":\"\"}]",
		"[{\"qdev\":\"x\",\"node-name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}]", "[{\"node-name\":\"disk0\"}]",
	};
	static struct stat_guest g;
	json_t *many = json_array(), *lie;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		lie = load(texts[i]);
		stat_guest_read(lie, lie, lie, &g);
		assert_int_equal(g.n, 0);
		assert_true(g.mem[GM_ACTUAL] == GUEST_NONE);
		json_decref(lie);
	}
	for (int i = 0; i < 100; i++)
		json_array_append_new(many, json_pack("{s:s, s:o}", "qdev", "x", "node-name", json_sprintf("disk%d", i / 2)));
	stat_guest_read(many, NULL, NULL, &g);
	assert_int_equal(g.n, 32);
	assert_true(g.d[0].v[GD_READS] == GUEST_NONE);
	json_decref(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(patterns), cmocka_unit_test(cut), cmocka_unit_test(wrong),
					   cmocka_unit_test(needs), cmocka_unit_test(guests), cmocka_unit_test(names),
					   cmocka_unit_test(vcpus), cmocka_unit_test(lies)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
