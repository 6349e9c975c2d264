/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/usage.h"
#include "zone/usage.h"

#define S    1000000000ULL
#define HOUR (3600 * S)
#define T0   (500000 * HOUR) /* an hour begins */

static const uint8_t id[16] = {1, 2, 3};

static struct usage_sample at(uint64_t ns, uint64_t cpu, uint64_t mem)
{
	struct usage_sample s = {.life = {1, 1}, .wall_ns = T0 + ns, .up_ns = ns + 77 * S};

	for (int i = 0; i < UC_COUNT; i++)
		s.counter[i] = USAGE_UNKNOWN;
	s.counter[UC_CPU_US] = cpu;
	s.gauge[UG_MEMORY] = mem;
	s.gauge[UG_DATA] = USAGE_UNKNOWN;
	return s;
}

static void rows(void **state)
{
	struct usage_rec r[USAGE_GAP], last;
	struct usage_sample s = at(10 * S, 500, 4096);

	s.age_ms = 5000;
	assert_int_equal(usage_advance(NULL, id, &s, r, USAGE_GAP), 1);
	assert_int_equal(r[0].used[UC_CPU_US], 500); /* from 0: its counters are no older than it */
	assert_int_equal(r[0].area[UG_MEMORY], 4 * 5000);
	assert_int_equal(r[0].ms, 5000);
	assert_int_equal(r[0].known, 1u << UC_CPU_US | 1u << (16 + UG_MEMORY));
	last = r[0];
	/* the same sample again adds nothing */
	assert_int_equal(usage_advance(&last, id, &s, r, USAGE_GAP), 1);
	assert_int_equal(r[0].used[UC_CPU_US], 500);
	assert_int_equal(r[0].ms, 5000);
	assert_int_equal(r[0].first, last.first);
	assert_int_equal(r[0].seq, last.seq + 1);
	/* the difference, and memory between what it was and what it is */
	s = at(20 * S, 700, 8192);
	usage_advance(&last, id, &s, r, USAGE_GAP);
	assert_int_equal(r[0].used[UC_CPU_US], 700);
	assert_int_equal(r[0].area[UG_MEMORY], 4 * 5000 + 6 * 10000);
	/* another life counts from 0 */
	last = r[0];
	s = at(30 * S, 50, 4096);
	s.life[1] = 2;
	s.age_ms = 1000;
	usage_advance(&last, id, &s, r, USAGE_GAP);
	assert_int_equal(r[0].used[UC_CPU_US], 750);
	assert_int_equal(r[0].ms, 16000);
	/* a counter that has gone back adds nothing */
	last = r[0];
	s = at(31 * S, 10, 4096);
	s.life[1] = 2;
	usage_advance(&last, id, &s, r, USAGE_GAP);
	assert_int_equal(r[0].used[UC_CPU_US], 750);
	/* nor does it when it comes again, and what could not be read once is not read from 0 later */
	last = r[0];
	s = at(32 * S, USAGE_UNKNOWN, 4096);
	s.life[1] = 2;
	usage_advance(&last, id, &s, r, USAGE_GAP);
	last = r[0];
	s = at(33 * S, 60, 4096);
	s.life[1] = 2;
	usage_advance(&last, id, &s, r, USAGE_GAP);
	assert_int_equal(r[0].used[UC_CPU_US], 760);
}

/* Two samplers: who read first may come to the lock last. */
static void overtaken(void **state)
{
	char dir[] = "/tmp/usage-test-XXXXXX";
	struct usage_sample early = at(10 * S, 1000, 4096), late = at(20 * S, 2000, 4096), next = at(30 * S, 2500, 4096), other = early;
	struct usage_rec all[4];
	struct usage_table t = {0};
	ssize_t n;
	int d, fd;

	assert_non_null(mkdtemp(dir));
	d = open(dir, O_RDONLY | O_DIRECTORY);
	early.age_ms = late.age_ms = 1000;
	other.life[1] = 7; /* of the cgroup before it */
	assert_int_equal(usage_add(d, "z", id, &late, false), 0);
	assert_int_equal(usage_add(d, "z", id, &early, false), 0);
	assert_int_equal(usage_add(d, "z", id, &other, false), 0);
	assert_int_equal(usage_add(d, "z", id, &late, false), 0);
	assert_int_equal(usage_add(d, "z", id, &next, false), 0);
	fd = openat(d, "z", O_RDONLY);
	n = read(fd, all, sizeof all);
	assert_int_equal(n, 2 * sizeof *all);
	usage_rows(all, 2, 0, UINT64_MAX, &t);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.row[0].used[UC_CPU_US], 2500);
	assert_int_equal(t.row[0].ms, 11000);
	usage_table_done(&t);
	close(fd);
	unlinkat(d, "z", 0);
	close(d);
	rmdir(dir);
}

/* Who samples zones that are not its own: makes no file, and begins no life. */
static void going_on(void **state)
{
	char dir[] = "/tmp/usage-test-XXXXXX";
	struct usage_sample first = at(10 * S, 1000, 4096), next = at(20 * S, 2000, 4096), other = at(30 * S, 9000, 4096), third = at(40 * S, 9500, 4096);
	struct usage_file f = USAGE_FILE_INIT;
	struct usage_rec all[4];
	struct usage_table t = {0};
	ssize_t n;
	int d, fd;

	assert_non_null(mkdtemp(dir));
	d = open(dir, O_RDONLY | O_DIRECTORY);
	f.go_on = true;
	other.life[1] = third.life[1] = 7;
	assert_int_equal(usage_add_to(&f, d, "z", id, &first, false), 0);
	assert_int_equal(faccessat(d, "z", F_OK, 0), -1);
	assert_int_equal(usage_add(d, "z", id, &first, false), 0);
	assert_int_equal(usage_add_to(&f, d, "z", id, &next, false), 0);
	assert_int_equal(usage_add_to(&f, d, "z", id, &other, false), 0); /* a life that nobody has begun */
	fd = openat(d, "z", O_RDONLY);
	n = read(fd, all, sizeof all);
	assert_int_equal(n, 2 * sizeof *all);
	usage_rows(all, 2, 0, UINT64_MAX, &t);
	assert_int_equal(t.row[0].used[UC_CPU_US], 2000);
	usage_table_done(&t);
	close(fd);
	assert_int_equal(usage_add(d, "z", id, &other, false), 0);
	assert_int_equal(usage_add_to(&f, d, "z", id, &third, false), 0);
	fd = openat(d, "z", O_RDONLY);
	n = read(fd, all, sizeof all);
	usage_rows(all, (size_t)n / sizeof *all, 0, UINT64_MAX, &t);
	assert_int_equal(t.row[0].used[UC_CPU_US], 2000 + 9500);
	usage_table_done(&t);
	close(fd);
	/* folded away: it does not come back */
	unlinkat(d, "z", 0);
	third.up_ns += S;
	third.wall_ns += S;
	assert_int_equal(usage_add_to(&f, d, "z", id, &third, false), 0);
	assert_int_equal(faccessat(d, "z", F_OK, 0), -1);
	close(f.fd);
	close(d);
	rmdir(dir);
}

static void hours(void **state)
{
	struct usage_rec r[USAGE_GAP], last;
	struct usage_sample s = at(HOUR - 10 * S, 0, 4096);
	uint64_t cpu = 0, ms = 0, area = 0;
	unsigned n;

	usage_advance(NULL, id, &s, r, USAGE_GAP);
	last = r[0];
	/* a stroke: what went before it is the hour's that ends, and there is no row of nothing */
	s = at(HOUR, 100, 4096);
	assert_int_equal(usage_advance(&last, id, &s, r, USAGE_GAP), 1);
	assert_int_equal(r[0].hour, last.hour);
	/* over it: in proportion, and not a microsecond lost */
	s = at(HOUR + 20 * S, 1000, 4096);
	assert_int_equal(usage_advance(&last, id, &s, r, USAGE_GAP), 2);
	assert_int_equal(r[0].hour, last.hour);
	assert_int_equal(r[1].hour, last.hour + USAGE_HOUR);
	assert_int_equal(r[0].used[UC_CPU_US], 333);
	assert_int_equal(r[1].used[UC_CPU_US], 667);
	assert_int_equal(r[0].first, last.first);
	assert_int_equal(r[1].first, r[1].seq);
	/* many hours, and more than fit: the sum is the same */
	for (uint64_t h = 1; h < 200; h += 7) {
		cpu = ms = area = 0;
		s = at(HOUR * h + 12345 * S, 1234567, 8192);
		n = usage_advance(&last, id, &s, r, USAGE_GAP);
		assert_true(n >= 1 && n <= USAGE_GAP);
		for (unsigned i = 0; i < n; i++) {
			assert_true(usage_valid(&r[i]));
			cpu += r[i].used[UC_CPU_US];
			ms += r[i].ms;
			area += r[i].area[UG_MEMORY];
		}
		assert_int_equal(cpu, 1234567);
		assert_int_equal(ms, (HOUR * h + 12345 * S - (HOUR - 10 * S)) / 1000000);
		assert_int_equal(area, ms * 6);
	}
	/* a host that has been up before there was a node */
	s.from_now = true;
	s.age_ms = 99999;
	usage_advance(NULL, id, &s, r, USAGE_GAP);
	assert_int_equal(r[0].used[UC_CPU_US], 0);
	assert_int_equal(r[0].ms, 0);
}

static void clock_set_back(void **state)
{
	struct usage_rec r[USAGE_GAP], last;
	struct usage_sample s = at(HOUR + 10 * S, 100, 4096);
	struct usage_table t = {0};

	usage_advance(NULL, id, &s, r, USAGE_GAP);
	last = r[0];
	s = at(HOUR + 20 * S, 300, 4096);
	s.wall_ns -= HOUR; /* the host's clock is put right */
	assert_int_equal(usage_advance(&last, id, &s, r, USAGE_GAP), 1);
	assert_int_equal(r[0].used[UC_CPU_US], 200);
	assert_true(r[0].first != last.first);
	r[1] = last;
	usage_rows(r, 2, 0, UINT64_MAX, &t);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.row[0].used[UC_CPU_US] + t.row[1].used[UC_CPU_US], 300);
	usage_table_done(&t);
}

/* The uuid of a VM that was deleted is used again: both are to be paid for. */
static void used_again(void **state)
{
	struct usage_rec r[4];
	struct usage_sample s = at(10 * S, 100, 4096);
	struct usage_table own = {0}, gone = {0};

	usage_advance(NULL, id, &s, &r[0], 1);
	s = at(2 * HOUR + 10 * S, 30, 4096);
	s.life[1] = 2;
	usage_advance(NULL, id, &s, &r[1], 1);
	assert_true(r[0].first != r[1].first);
	s = at(2 * HOUR + 20 * S, 50, 4096);
	s.life[1] = 2;
	usage_advance(&r[1], id, &s, &r[2], 1);
	/* both are gone */
	usage_rows(r, 3, 0, UINT64_MAX, &gone);
	assert_int_equal(gone.n, 2);
	assert_int_equal(gone.row[0].used[UC_CPU_US] + gone.row[1].used[UC_CPU_US], 150);
	/* one is there, and a fold of it was cut off */
	usage_rows(&r[1], 2, 0, UINT64_MAX, &own);
	assert_int_equal(own.n, 1);
	usage_rows_add(&own, &gone);
	assert_int_equal(own.n, 2);
	assert_int_equal(own.row[0].used[UC_CPU_US] + own.row[1].used[UC_CPU_US], 150);
	usage_table_done(&own);
	usage_rows_add(&own, &gone);
	assert_int_equal(own.n, 2);
	usage_table_done(&own);
	usage_table_done(&gone);
}

/* … within the hour: the rows of both are there, and add up. */
static void used_again_soon(void **state)
{
	struct usage_rec r[2];
	struct usage_sample s = at(10 * S, 100, 4096);
	struct usage_table own = {0}, gone = {0};

	usage_advance(NULL, id, &s, &r[0], 1);
	s = at(60 * S, 30, 4096);
	s.life[1] = 2;
	usage_advance(NULL, id, &s, &r[1], 1);
	assert_int_equal(r[0].hour, r[1].hour);
	usage_rows(r, 2, 0, UINT64_MAX, &gone);
	assert_int_equal(gone.n, 2);
	usage_rows(&r[1], 1, 0, UINT64_MAX, &own);
	usage_rows_add(&own, &gone);
	assert_int_equal(own.n, 2);
	assert_int_equal(own.row[0].used[UC_CPU_US] + own.row[1].used[UC_CPU_US], 130);
	usage_table_done(&own);
	usage_table_done(&gone);
}

static struct usage_sample stopped_at(uint64_t ns, uint64_t data)
{
	struct usage_sample s = at(ns, USAGE_UNKNOWN, USAGE_UNKNOWN);

	s.life[1] = 0;
	s.stopped = true;
	s.gauge[UG_DATA] = data;
	return s;
}

#define DATA_KNOWN (1u << (16 + UG_DATA))

/* The dataset is there while the zone is not; and whoever comes late counts nothing twice. */
static void stopped(void **state)
{
	struct usage_rec r[USAGE_GAP], last;
	struct usage_sample s = at(10 * S, 500, 4096);
	uint64_t area = 0, ms = 0;
	unsigned n;

	s.age_ms = 10000;
	s.gauge[UG_DATA] = 1 << 20;
	usage_advance(NULL, id, &s, &last, 1);
	assert_int_equal(last.area[UG_DATA], 1024 * 10000);
	/* as it stops its data is not known: what it was stays */
	s = at(20 * S, 600, 4096);
	usage_advance(&last, id, &s, &last, 1);
	assert_int_equal(last.area[UG_DATA], 1024 * 20000);
	assert_int_equal(last.gauge[UG_DATA], 1 << 20);
	/* half an hour later: as large as it is then, all the time */
	s = stopped_at(1820 * S, 2 << 20);
	assert_int_equal(usage_advance(&last, id, &s, &last, 1), 1);
	assert_int_equal(last.area[UG_DATA], 1024 * 20000 + 2048 * 1800000ULL);
	assert_int_equal(last.ms, 20000);
	assert_int_equal(last.used[UC_CPU_US], 600);
	/* its last sample comes after that: only what the one before it did not see */
	s = at(1821 * S, 650, 4096);
	usage_advance(&last, id, &s, &last, 1);
	assert_int_equal(last.used[UC_CPU_US], 650);
	/* it starts: a life from 0, and the dataset from where it was */
	s = stopped_at(1900 * S, 2 << 20);
	usage_advance(&last, id, &s, &last, 1);
	area = last.area[UG_DATA];
	ms = last.ms;
	s = stopped_at(1900 * S + S / 2, 2 << 20);
	usage_advance(&last, id, &s, &last, 1);
	assert_int_equal(last.ms, ms);
	area = last.area[UG_DATA];
	s = at(1910 * S, 70, 4096);
	s.life[1] = 2;
	s.age_ms = 9000;
	s.gauge[UG_DATA] = 2 << 20;
	usage_advance(&last, id, &s, &last, 1);
	assert_int_equal(last.used[UC_CPU_US], 720);
	assert_int_equal(last.area[UG_DATA] - area, 2048 * 9500);
	assert_int_equal(last.ms - ms, 9000);
	/* the host is off for a day and a half */
	s = stopped_at(1910 * S + 36 * HOUR, 2 << 20);
	s.life[0] = 9;
	s.up_ns = 5 * S;
	n = usage_advance(&last, id, &s, r, USAGE_GAP);
	assert_int_equal(n, 37);
	area = last.area[UG_DATA], ms = 0;
	for (unsigned i = 0; i < n; i++)
		ms += r[i].area[UG_DATA];
	assert_true(ms - area >= 2048 * 36 * 3600000ULL - n && ms - area <= 2048 * 36 * 3600000ULL);
	assert_int_equal(r[1].ms, 0);
	assert_int_equal(r[1].used[UC_CPU_US], 0);
	assert_int_equal(r[1].area[UG_DATA] / 1000, 2048 * 3600);
	assert_true((r[1].known & DATA_KNOWN) && (r[1].known & 1u << UC_CPU_US));
	/* killed between two of its rows: the next goes on from the last that was written, though that was before the boot */
	last = r[20];
	s = stopped_at(1915 * S + 36 * HOUR, 2 << 20);
	s.life[0] = 9;
	s.up_ns = 10 * S;
	n = usage_advance(&last, id, &s, r, USAGE_GAP);
	assert_int_equal(n, 16);
	/* a clock that was years ahead */
	last = r[n - 1];
	s = stopped_at(300000 * HOUR + S, 1 << 20);
	s.life[0] = 10;
	n = usage_advance(&last, id, &s, r, USAGE_GAP);
	assert_int_equal(n, USAGE_GAP);
	area = 0;
	for (unsigned i = 0; i < n; i++)
		area += r[i].area[UG_DATA];
	assert_true(area <= 1024 * USAGE_GAP_MAX * 3600000ULL + r[0].area[UG_DATA]);
	/* never started: since it was made */
	s = stopped_at(100 * S, 1 << 20);
	s.age_ms = 60000;
	usage_advance(NULL, id, &s, &last, 1);
	assert_int_equal(last.area[UG_DATA], 1024 * 60000);
	assert_int_equal(last.ms, 0);
}

/* Months later all hours have their row, in the file. */
static void stopped_long(void **state)
{
	char dir[] = "/tmp/usage-test-XXXXXX";
	struct usage_table t = {0};
	struct usage_sample s = stopped_at(10 * S, 1 << 20);
	static struct usage_rec all[2200];
	ssize_t n;
	int d, fd;

	assert_non_null(mkdtemp(dir));
	d = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(usage_add(d, "z", id, &s, false), 0);
	s = stopped_at(10 * S + 2000 * HOUR, 1 << 20);
	assert_int_equal(usage_add(d, "z", id, &s, false), 0);
	assert_int_equal(usage_add(d, "z", id, &s, false), 0);
	fd = openat(d, "z", O_RDONLY);
	n = read(fd, all, sizeof all);
	usage_rows(all, (size_t)n / sizeof *all, 0, UINT64_MAX, &t);
	assert_int_equal(t.n, 2001);
	assert_true(t.row[1000].area[UG_DATA] > 1048576.0 * 3599.9 && t.row[1000].area[UG_DATA] < 1048576.0 * 3600.1);
	usage_table_done(&t);
	close(fd);
	unlinkat(d, "z", 0);
	close(d);
	rmdir(dir);
}

/* As often as the file is opened, whatever is torn at its end: what is read of it is the last whole record of each row. */
static void files(void **state)
{
	char dir[] = "/tmp/usage-test-XXXXXX", path[64];
	struct usage_rec all[64];
	struct usage_table t = {0};
	struct stat st;
	uint64_t sum = 0;
	ssize_t n;
	int d, fd;

	assert_non_null(mkdtemp(dir));
	d = open(dir, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i <= 240; i++) { /* four hours, a sample a minute */
		struct usage_sample s = at((uint64_t)i * 60 * S, (uint64_t)i * 1000, 4096);

		assert_int_equal(usage_add(d, "z", id, &s, false), 0);
	}
	fd = openat(d, "z", O_RDWR);
	fstat(fd, &st);
	assert_int_equal(st.st_size % 256, 0);
	assert_true(st.st_size / 256 >= 4 && st.st_size / 256 <= 10);
	n = read(fd, all, sizeof all);
	usage_rows(all, (size_t)n / sizeof *all, 0, UINT64_MAX, &t);
	assert_int_equal(t.n, 4);
	for (size_t i = 0; i < t.n; i++)
		sum += t.row[i].used[UC_CPU_US];
	assert_int_equal(sum, 240000);
	usage_table_done(&t);
	/* somebody is at it */
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK}), 0);
	struct usage_sample s = at(240 * 60 * S + S, 240500, 4096);
	assert_int_equal(usage_add(d, "z", id, &s, false), -EAGAIN);
	close(fd);
	/* torn at the end, in every way: the sum never shrinks by more than what the torn one added, and comes back */
	for (int cut = 1; cut < 512; cut += 37) {
		fd = openat(d, "z", O_RDWR);
		fstat(fd, &st);
		assert_int_equal(ftruncate(fd, st.st_size - cut % 256), 0);
		s = at(240 * 60 * S + (uint64_t)cut * S, 240000 + (uint64_t)cut, 4096);
		assert_int_equal(usage_add(d, "z", id, &s, true), 0);
		n = pread(fd, all, sizeof all, 0);
		usage_rows(all, (size_t)n / sizeof *all, 0, UINT64_MAX, &t);
		sum = 0;
		for (size_t i = 0; i < t.n; i++)
			sum += t.row[i].used[UC_CPU_US];
		assert_int_equal(sum, 240000 + (uint64_t)cut);
		usage_table_done(&t);
		close(fd);
	}
	unlinkat(d, "z", 0);
	close(d);
	snprintf(path, sizeof path, "%s", dir);
	rmdir(path);
}

static void age(void **state)
{
	assert_int_equal(usage_age(100 * S, 9000, 100), 10000);
	assert_int_equal(usage_age(100 * S, 10000, 100), 0);
	assert_int_equal(usage_age(100 * S, 10001, 100), 0);
	assert_int_equal(usage_age(100 * S, 0, 100), 0); /* not known */
}

static void texts(void **state)
{
	struct usage_sample s = at(0, 0, 0);
	struct usage_devs d = {2, {{7, 3}, {259, 1}}};

	usage_text_cpu("usage_usec 12\nuser_usec 5\nthrottled_usec 9\n", &s);
	assert_int_equal(s.counter[UC_CPU_US], 12);
	assert_int_equal(s.counter[UC_THROTTLED_US], 9);
	usage_text_cpu("usage_usecs 12\n", &s);
	assert_true(s.counter[UC_CPU_US] == USAGE_UNKNOWN);
	usage_text_io("8:0 rbytes=1 wbytes=1 rios=1 wios=1\n7:3 rbytes=10 wbytes=20 rios=3 wios=4 dbytes=0\n259:1 rbytes=5\n7:31 rbytes=999\n", &d, &s);
	assert_int_equal(s.counter[UC_READ], 15);
	assert_int_equal(s.counter[UC_WRITTEN], 20);
	assert_int_equal(s.counter[UC_READS], 3);
	assert_int_equal(s.counter[UC_WRITES], 4);
	usage_text_io("", &d, &s);
	assert_int_equal(s.counter[UC_READ], 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(rows), cmocka_unit_test(hours), cmocka_unit_test(clock_set_back),
				       cmocka_unit_test(overtaken), cmocka_unit_test(going_on), cmocka_unit_test(used_again), cmocka_unit_test(used_again_soon),
				       cmocka_unit_test(stopped), cmocka_unit_test(stopped_long), cmocka_unit_test(files), cmocka_unit_test(texts), cmocka_unit_test(age)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
