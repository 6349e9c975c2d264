/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vmadm list, lookup and get over 1,000 and 10,000 VM records, 1,000 of the VMs running: whole process, median of 20.
 *
 *	bench_list /path/to/cloister          as root; makes and removes a node of its own, "bench-list"
 *
 * The VMs are records without data; a running one is a process with the file and the slot of the index of a keeper.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/file.h"
#include "base/own.h"
#include "model/vm.h"
#include "state/state.h"
#include "zone/index.h"

#define RUNS    20
#define RUNNING 1000

extern char **environ;

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "bench_list: %s: %s\n", what, e && e->code ? e->msg : strerror(errno));
	exit(1);
}

/* A record as create makes it, so that its size is true. */
static json_t *record(unsigned n)
{
	json_t *payload = json_pack("{s:s, s:o, s:i, s:i, s:i, s:{s:s, s:i}, s:{s:s}, s:[s,s], s:s}", "brand", "joyent-minimal",
				    "alias", json_sprintf("vm%05u", n), "ram", 128 << (n % 5), "cpu_cap", 100, "quota", 5, "tags",
				    "role", n % 3 ? "web" : "db", "rack", (int)(n % 40), "customer_metadata", "user-script",
				    "#!/bin/sh\nexec /usr/local/bin/app --listen 0.0.0.0:8080\n", "resolvers", "192.0.2.1",
				    "192.0.2.2", "hostname", "app");
	json_t *rec = NULL;
	struct err e = ERR_INIT;

	if (vm_record_create(payload, "2026-01-02T03:04:05.678Z", &rec, NULL, &e) < 0)
		die("record", &e);
	json_decref(payload);
	return rec;
}

static void seed(struct ctx *c, unsigned from, unsigned to)
{
	struct state *s = NULL;
	struct err e = ERR_INIT;

	if (state_open(c, STATE_WRITE, &s, &e) < 0 || state_begin(s, &e) < 0)
		die("open", &e);
	for (unsigned i = from; i < to; i++) {
		json_t *rec = record(i);

		if (state_vm_insert(s, rec, "installed", NULL, 0, NULL, &e) < 0)
			die("insert", &e);
		json_decref(rec);
	}
	if (state_end(s, 0, &e) < 0)
		die("commit", &e);
	state_close(&s);
}

struct start {
	struct ctx *c;
	unsigned n;
	char uuid[RUNNING][37];
};

static int collect(const struct vm_row *row, void *arg)
{
	struct start *st = arg;

	if (st->n < RUNNING)
		strcpy(st->uuid[st->n++], row->uuid);
	return 0;
}

/* Never comes back. */
static void be_zone(const struct ctx *c, int run, const char *uuid, unsigned n, int ready)
{
	struct run_zone z = {.zoneid = n + 1, .boot_ns = clock_wall_ns()};
	_free_ char *path = xprintf("%s/%s/zone", c->node.run, uuid);
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	strcpy(z.bootid, c->bootid);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || run_proc_of(getpid(), &z.init) < 0)
		die("process", NULL);
	z.keeper = z.init;
	run_zone_write(&z, NULL, &b);
	if (mkdirat(run, uuid, 0700) < 0 || file_replace(path, b.p, b.len, 0600, 0, &e) < 0 ||
	    !index_claim(run, uuid, &z, &e))
		die("run directory", &e);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	for (;;)
		pause();
}

static void start_one(const struct start *st, unsigned n)
{
	_fd_ int run = open(st->c->node.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ready[2];
	pid_t pid;
	char byte;

	if (run < 0 || pipe(ready) < 0)
		die("pipe", NULL);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		be_zone(st->c, run, st->uuid[n], n, ready[1]);
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		die("fork", NULL);
	close(ready[0]);
}

/*
 * In a process of its own, which lives until the pipe's other end is closed: with a thousand children of ours each
 * wait would be slow, and it is the command that is measured.
 */
static pid_t start_all(struct ctx *c, int *end)
{
	static struct start st;
	struct state *s = NULL;
	struct err e = ERR_INIT;
	int hold[2], ready[2];
	char byte;
	pid_t pid;

	if (pipe2(hold, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		die("pipe", NULL);
	pid = fork();
	if (pid < 0)
		die("fork", NULL);
	if (pid == 0) {
		close(hold[1]);
		st.c = c;
		if (state_open(c, STATE_READ, &s, &e) < 0 || state_vm_each(s, 0, collect, &st, &e) < 0)
			die("start", &e);
		/* first: a thousand children with a mapping of the index file would make every open slow */
		state_close(&s);
		if (dir_make(c->node.run, 0700, &e) < 0)
			die("run directory", &e);
		for (unsigned i = 0; i < st.n; i++)
			start_one(&st, i);
		if (write(ready[1], "", 1) != 1 || read(hold[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(hold[0]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("the running zones did not come up", NULL);
	close(ready[0]);
	*end = hold[1];
	return pid;
}

static double once(const char *const *argv)
{
	posix_spawn_file_actions_t fa;
	uint64_t begin;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	begin = clock_mono_ns();
	if (posix_spawn(&pid, argv[0], &fa, NULL, (char *const *)argv, environ) != 0)
		die(argv[0], NULL);
	if (waitpid(pid, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "bench_list: %s %s: status %d\n", argv[0], argv[1], status);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&fa);
	return (double)(clock_mono_ns() - begin) / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* bar in ms, 0 = none */
static void measure(json_t *all, unsigned vms, const char *name, double bar, const char *const *argv)
{
	double ms[RUNS];

	once(argv);
	for (int i = 0; i < RUNS; i++)
		ms[i] = once(argv);
	qsort(ms, RUNS, sizeof ms[0], by_value);
	printf("%6u  %-44s  %7.2f  %7.2f  %7.2f  ", vms, name, ms[0], ms[RUNS / 2], ms[RUNS - 2]);
	if (bar > 0)
		printf("%5.0f  %s", bar, ms[RUNS / 2] <= bar ? "met" : "MISSED");
	printf("\n");
	json_array_append_new(all, json_pack("{s:i, s:s, s:f, s:f, s:f, s:f}", "vms", (int)vms, "what", name, "min_ms", ms[0],
					     "p50_ms", ms[RUNS / 2], "p95_ms", ms[RUNS - 2], "bar_ms", bar));
}

static void round_of(json_t *all, unsigned vms, double bar, const char *self)
{
	measure(all, vms, "cloister version (the process alone)", 0, (const char *[]){self, "version", NULL});
	measure(all, vms, "vmadm list", bar, (const char *[]){self, "vmadm", "list", NULL});
	measure(all, vms, "vmadm list -p -o uuid,alias", 0,
		(const char *[]){self, "vmadm", "list", "-p", "-o", "uuid,alias", NULL});
	measure(all, vms, "vmadm list -o uuid,tags.role,hostname", 0,
		(const char *[]){self, "vmadm", "list", "-o", "uuid,tags.role,hostname", NULL});
	measure(all, vms, "vmadm lookup alias=vm00500", 0, (const char *[]){self, "vmadm", "lookup", "alias=vm00500", NULL});
	measure(all, vms, "vmadm lookup -j state=running", 0,
		(const char *[]){self, "vmadm", "lookup", "-j", "state=running", NULL});
}

static void wipe(const struct ctx *c)
{
	dir_remove(AT_FDCWD, c->node.state, NULL);
	dir_remove(AT_FDCWD, c->node.run, NULL);
	dir_remove(AT_FDCWD, c->node.log, NULL);
}

int main(int argc, char **argv)
{
	struct ctx c;
	struct err e = ERR_INIT;
	_free_ char *text = NULL;
	json_t *all = json_array(), *doc;
	pid_t zones;
	int end;

	if (argc != 2 || geteuid() != 0) {
		fprintf(stderr, "usage: bench_list /path/to/cloister      (as root)\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setenv("CLOISTER_NODE", "bench-list", 1);
	if (ctx_init(&c, NULL, &e) < 0)
		die("node", &e);
	c.node.id_base = 0x10000000; /* room for 10,000, whatever the name */
	c.node.id_count = 16384;
	wipe(&c);
	seed(&c, 0, 1000);
	zones = start_all(&c, &end);
	printf("%6s  %-44s  %7s  %7s  %7s  %5s\n", "VMs", "1,000 of them running; ms", "min", "p50", "p95", "bar");
	round_of(all, 1000, 5, argv[1]);
	seed(&c, 1000, 10000);
	round_of(all, 10000, 30, argv[1]);
	doc = json_pack("{s:s, s:O}", "bench", "list", "results", all);
	text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(4));
	printf("%s\n", text);
	close(end);
	waitpid(zones, NULL, 0);
	wipe(&c);
	json_decref(doc);
	json_decref(all);
	return 0;
}
