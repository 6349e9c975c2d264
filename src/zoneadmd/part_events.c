/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Limits that the zone hits, and what other parts have to tell: the worker's way to the event log.
 *
 * The kernel's own notifications wake us: v2's memory.events and pids.events by POLLPRI, v1's memory.oom_control by an
 * eventfd. (v1's pids.events notifies up to Linux 6.10 only; events_sample() looks at it once a sample.) The zone decides how
 * often they come: after each we don't listen for a second, and a kind is told with its number at growing distances, so
 * that a fork bomb's million refused forks are a few lines and little work.
 *
 * What has been told is in <run_dir>/seen: the kernel's counters go on while a worker is dead, so the next one tells the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "zoneadmd/event.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define MS       1000000ULL
#define SECOND   (1000 * MS)
#define SETTLE   (100 * MS) /* from v1's notice of an OOM, which comes before the kill, to a look at the counter */
#define DEAF     SECOND
#define GAP_MIN  (10 * SECOND)
#define GAP_MAX  (300 * SECOND)
#define KINDS    10
#define LOOKS    5 /* at a counter that has not moved yet */

/* A counter of the kernel's. */
struct watch {
	const char *kind, *key;
	int file;      /* -1 = this kernel has none */
	int bell;      /* what is polled: the file itself, or an eventfd */
	uint64_t seen; /* counted and handed to its kind */
	uint64_t look; /* when to read it, 0 = not rung */
	uint64_t deaf; /* until then it is not polled */
	unsigned looks;
};
enum { OOM, LWPS, LWPS_LEAF, WATCHES };
static struct watch watch[WATCHES] = {
	[OOM] = {.kind = "oom", .key = "oom_kill", .file = -1, .bell = -1},
	[LWPS] = {.kind = "lwps-limit", .key = "max", .file = -1, .bell = -1},
	[LWPS_LEAF] = {.kind = "lwps-limit", .key = "max", .file = -1, .bell = -1},
};

static struct kind {
	char name[EVENT_KIND], detail[EVENT_DETAIL];
	const char *(*make)(void); /* the detail, when it is told */
	uint64_t count;     /* since it was told last */
	uint64_t last, gap; /* when that was, and how long it has to wait then */
} kinds[KINDS];

/* The one command that writes to the log. */
static struct {
	int fd;
	pid_t pid;
	struct kind *kind;
	uint64_t count, seen[WATCHES];
	uint64_t look; /* when it is asked for, should there be no fd */
} child = {.fd = -1};

static const char *log_dir = "", *zone_uuid;
static uint64_t told[WATCHES];

/* The kind of that name, counted; NULL: nothing to tell. */
static struct kind *reported(const char *kind, uint64_t times)
{
	struct kind *k = NULL;

	for (int i = 0; i < KINDS && !k; i++)
		if (!strcmp(kinds[i].name, kind) || !kinds[i].name[0])
			k = &kinds[i];
	if (!k || times == 0 || strlen(kind) >= sizeof k->name)
		return NULL;
	strcpy(k->name, kind);
	k->count += times;
	return k;
}

void event_report_n(const char *kind, const char *detail, uint64_t times)
{
	struct kind *k = reported(kind, times);

	if (k)
		snprintf(k->detail, sizeof k->detail, "%s", detail && strlen(detail) < sizeof k->detail ? detail : "");
}

void event_report_made(const char *kind, const char *(*make)(void), uint64_t times)
{
	struct kind *k = reported(kind, times);

	if (k)
		k->make = make;
}

void event_report(const char *kind, const char *detail)
{
	event_report_n(kind, detail, 1);
}

/* ---- the command ---- */

/* Found while the spec is there: the zone's last events are told when a command may be removing its run directory. */
static struct program {
	char path[512], node[64];
} program;

static bool find_program(const char *key, const char *value, void *arg)
{
	struct program *p = arg;

	if (!strcmp(key, "cloister"))
		snprintf(p->path, sizeof p->path, "%s", value);
	else if (!strcmp(key, "node"))
		snprintf(p->node, sizeof p->node, "%s", value);
	return p->path[0] && p->node[0];
}

static void program_find(void)
{
	if (!program.path[0] || !program.node[0])
		spec_scan(FD_RUN, find_program, &program);
}

static void exec_command(const struct kind *k, const char *detail) __attribute__((noreturn));
static void exec_command(const struct kind *k, const char *detail)
{
	char count[24], *argv[] = {program.path, (char *)"--node", program.node, (char *)"zone-event", (char *)zone_uuid,
					      (char *)k->name, count, detail[0] ? (char *)detail : NULL, NULL};
	int out;

	snprintf(count, sizeof count, "%llu", (unsigned long long)k->count);
	out = platform_log(log_dir);
	signal(SIGPIPE, SIG_DFL);
	umask(022);
	dup2(out < 0 ? 0 : out, 1);
	dup2(out < 0 ? 0 : out, 2);
	close_range(3, ~0U, 0);
	execv(program.path, argv);
	_exit(127);
}

static uint64_t due_at(const struct kind *k)
{
	return k->count == 0 ? 0 : k->last ? k->last + k->gap : 1;
}

static const char *detail_of(const struct kind *k)
{
	return k->make ? k->make() : k->detail;
}

static bool tell(struct kind *k, uint64_t now)
{
	const char *detail = detail_of(k);
	pid_t pid;

	program_find();
	pid = fork();
	if (pid == 0)
		exec_command(k, detail);
	if (pid < 0) {
		k->last = now;
		k->gap = GAP_MIN;
		return false;
	}
	child.pid = pid;
	child.fd = pidfd_open(pid, 0);
	child.look = now + SECOND;
	child.kind = k;
	child.count = k->count;
	for (int i = 0; i < WATCHES; i++)
		child.seen[i] = watch[i].seen;
	/* the longer it goes on, the rarer */
	k->gap = !k->make && k->last && now - k->last < 4 * k->gap ? k->gap * 2 : GAP_MIN;
	if (k->gap > GAP_MAX)
		k->gap = GAP_MAX;
	k->last = now;
	k->count = 0;
	return true;
}

static void told_save(void)
{
	char text[WATCHES * 24];
	int n = 0;
	_fd_ int fd = openat(FD_RUN, "seen", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	for (int i = 0; i < WATCHES; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%020llu\n", (unsigned long long)told[i]);
	/* One write of the same length over the old one. Should it fail, the next worker tells once more what was told. */
	if (fd >= 0 && pwrite(fd, text, (size_t)n, 0) < 0)
		return;
}

static void told_load(void)
{
	char text[WATCHES * 24] = "", *p = text;
	_fd_ int fd = openat(FD_RUN, "seen", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || read(fd, text, sizeof text - 1) != WATCHES * 21)
		return;
	for (int i = 0; i < WATCHES; i++, p += *p == '\n')
		watch[i].seen = told[i] = strtoull(p, &p, 10);
}

static void child_ended(void)
{
	int st = 0;

	if (waitpid(child.pid, &st, WNOHANG) == 0)
		return;
	own_fd(&child.fd);
	child.pid = 0;
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 0) {
		child.kind->count += child.count; /* once more, when its time comes */
		return;
	}
	for (int i = 0; i < WATCHES; i++) {
		if (strcmp(watch[i].kind, child.kind->name) || told[i] == child.seen[i])
			continue;
		told[i] = child.seen[i];
		told_save();
	}
}

/* ---- the counters ---- */

static uint64_t keyed(const char *t, const char *key)
{
	size_t n = strlen(key);

	for (; t; t = strchr(t, '\n') ? strchr(t, '\n') + 1 : NULL)
		if (!strncmp(t, key, n) && t[n] == ' ')
			return strtoull(t + n + 1, NULL, 10);
	return 0;
}

/* Whether it has moved. */
static bool counted(struct watch *w)
{
	char text[512];
	ssize_t n = w->file < 0 ? -1 : pread(w->file, text, sizeof text - 1, 0);
	uint64_t v;

	if (n < 0)
		return false;
	text[n] = '\0';
	v = keyed(text, w->key);
	if (v <= w->seen)
		return false;
	event_report_n(w->kind, NULL, v - w->seen);
	w->seen = v;
	return true;
}

static void rung(struct watch *w, uint64_t now)
{
	uint64_t drop;

	if (w->bell != w->file && read(w->bell, &drop, sizeof drop) < 0)
		return;
	w->look = now + SETTLE;
	w->deaf = now + DEAF;
	w->looks = 0;
}

static void look(struct watch *w, uint64_t now)
{
	bool moved = counted(w);

	/* An eventfd rings before the kill, and the kernel may take its time to say all it has to say on a slow console. */
	w->look = !moved && w->bell != w->file && ++w->looks < LOOKS ? now + SECOND : 0;
}

void events_sample(void)
{
	for (int i = 0; i < WATCHES; i++)
		counted(&watch[i]);
}

/* v1: an eventfd that the kernel writes to when the zone is out of memory. */
static void arm_oom_v1(struct watch *w)
{
	_fd_ int control = zone_cgroup_file(FD_RUN, ZONE_V1, "cgroup.event_control", O_WRONLY);
	char text[32];
	int n;

	/* the first hierarchy with that file is the one of memory: no other has it with an oom_control beside it */
	w->file = zone_cgroup_file(FD_RUN, ZONE_V1, "memory.oom_control", O_RDONLY);
	if (w->file < 0)
		return;
	w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n = snprintf(text, sizeof text, "%d %d", w->bell, w->file);
	if (control < 0 || w->bell < 0 || write(control, text, (size_t)n) != n)
		own_fd(&w->bell);
}

static void arm(struct watch *w, enum zone_tree tree, const char *file)
{
	w->bell = w->file = zone_cgroup_file(FD_RUN, tree, file, O_RDONLY);
}

static int events_start(const struct worker *k)
{
	_fd_ int local = zone_cgroup_file(FD_RUN, ZONE_V2, "pids.events.local", O_RDONLY);

	log_dir = k->log_dir;
	zone_uuid = k->uuid;
	program_find();
	told_load();
	arm(&watch[OOM], ZONE_V2, "memory.events");
	if (watch[OOM].file < 0)
		arm_oom_v1(&watch[OOM]);
	arm(&watch[LWPS], ZONE_V2, "pids.events");
	if (watch[LWPS].file < 0)
		arm(&watch[LWPS], ZONE_V1, "pids.events");
	/* Up to Linux 6.10 it is counted where the fork was refused, not where the limit is. */
	else if (local < 0)
		arm(&watch[LWPS_LEAF], ZONE_V2, "zone/pids.events");
	/* A first read, or the files would ring at once; and what came while there was no worker. */
	events_sample();
	return 0;
}

static int events_poll(struct pollfd *p)
{
	uint64_t now = clock_mono_ns();

	for (int i = 0; i < WATCHES; i++)
		p[i] = (struct pollfd){.fd = now < watch[i].deaf ? -1 : watch[i].bell, .events = watch[i].bell == watch[i].file ? POLLPRI : POLLIN};
	p[WATCHES] = (struct pollfd){.fd = child.fd, .events = POLLIN};
	return WATCHES + 1;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !a ? b : !b || a < b ? a : b;
}

static uint64_t events_due(void)
{
	uint64_t t = 0, now = clock_mono_ns();

	for (int i = 0; i < WATCHES; i++) {
		t = sooner(t, watch[i].look);
		if (watch[i].deaf > now) /* only then a bell that rang meanwhile is heard */
			t = sooner(t, watch[i].deaf);
	}
	for (int i = 0; i < KINDS && child.pid == 0; i++)
		t = sooner(t, due_at(&kinds[i]));
	if (child.pid && child.fd < 0)
		t = sooner(t, child.look);
	return t;
}

static void events_ready(const struct pollfd *p, int n, uint64_t now)
{
	for (int i = 0; i < WATCHES && i < n; i++) {
		/* POLLERR comes along with POLLPRI; by itself the cgroup has gone */
		if (p[i].fd >= 0 && p[i].revents)
			rung(&watch[i], now);
		if (watch[i].look && watch[i].look <= now)
			look(&watch[i], now);
	}
	if (child.pid && (child.fd < 0 ? child.look <= now : p[WATCHES].revents && p[WATCHES].fd == child.fd)) {
		child.look = now + SECOND;
		child_ended();
	}
	for (int i = 0; i < KINDS && !child.pid; i++) {
		uint64_t t = due_at(&kinds[i]);

		if (t && t <= now)
			tell(&kinds[i], now);
	}
}

/* The zone's last moment may be the one that counts: init was killed for memory. Nobody is waited for. */
static void events_end(void)
{
	events_sample();
	program_find();
	for (int i = 0; i < KINDS; i++) {
		const char *detail = kinds[i].count > 0 ? detail_of(&kinds[i]) : "";

		if (kinds[i].count > 0 && fork() == 0)
			exec_command(&kinds[i], detail);
	}
}

const struct part part_events = {
	.name = "events", .start = events_start, .poll = events_poll, .ready = events_ready, .due = events_due, .end = events_end,
};
