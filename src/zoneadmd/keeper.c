/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The keeper's life: init runs, the worker is kept alive, init ends, somebody is told. It waits in one poll(2), makes
 * nothing by path (its run directory is a descriptor: the zone may have been booted again meanwhile, with another
 * keeper and another directory of the same name) and removes nothing at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/pidfd.h"
#include "zone/index.h"
#include "zone/run.h"
#include "zoneadmd/zoneadmd.h"

#define SECOND      1000000000ULL
#define BACKOFF_MAX 60
#define GOOD_RUN    60 /* seconds after which a restart is not held back */
#define WORKER_RUN  1  /* the same for the worker: what the zone reads of itself waits for it */
#define REBOOT_S    2  /* a zone that does nothing but reboot(2) makes the host no more work than this */
#define DRAIN_MS    1000
#define STILL_S     10   /* a worker that is stopped holds up who waits for its answer: somebody with a debugger may, for a moment */
#define READY_S     300  /* what a distribution's init gets to come up */
#define HEAR_MAX    4096 /* messages: one that says much and never that it is up has no claim on our time */

struct keeper {
	struct zspec z;
	bool child; /* init is ours to reap */
	pid_t init;
	uint64_t boot_ns;
	bool console;
	pid_t worker;
	int worker_fd, control;
	unsigned worker_fails;
	uint64_t worker_start, worker_next; /* CLOCK_MONOTONIC ns */
	uint64_t still_since;               /* it is stopped; 0 = it is not */
	uint64_t ready_by;                  /* 0 = nobody waits for that */
	unsigned heard;
	bool rests; /* it has waited before */
};

/* 0, 1, 2, 4, … 60 seconds. */
static unsigned backoff(uint64_t n)
{
	return n == 0 ? 0 : n > 6 ? BACKOFF_MAX : 1u << (n - 1);
}

/* Only what stays fits is kept: the spec of a Debian zone is 10 KiB, and there are a thousand keepers. */
static void trim_spec(struct zspec *z)
{
	struct zspec keep = {
		.uuid = take(z->uuid), .log_dir = take(z->log_dir), .cloister = take(z->cloister), .node = take(z->node),
		.log_max = z->log_max, .restart_init = z->restart_init, .init_restarts = z->init_restarts,
	};

	zspec_done(z);
	*z = keep;
	malloc_trim(0);
}

/* Of children: only while we wait, so that none is missed. What we start hears them as usual: keeper_signals(). */
static void on_child(int sig)
{
	(void)sig;
}

static void children_start(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGCHLD, on_child);
}

/* vfork: the child has our memory until it execs, so it touches descriptors and nothing else. */
static pid_t worker_exec(char *const argv[], int control, int run)
{
	pid_t pid = vfork();

	if (pid == 0) {
		keeper_signals();
		if (dup2(control, FD_CONTROL) >= 0 && dup2(run, FD_RUN) >= 0)
			execv("/proc/self/exe", argv);
		_exit(127);
	}
	return pid;
}

static void worker_spawn(struct keeper *k)
{
	char max[24], *argv[] = {(char *)"zoneadmd", (char *)"--worker", k->z.uuid, k->z.log_dir ?: (char *)"", max, NULL};
	_buf_ struct buf text = BUF_INIT;
	/* Opened anew: the keeper's has the lock that says that there is a keeper. */
	_fd_ int run = openat(FD_RUN, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int sv[2];

	snprintf(max, sizeof max, "%llu", (unsigned long long)k->z.log_max);
	k->worker_start = clock_mono_ns();
	if (run < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		goto later;
	k->worker = worker_exec(argv, sv[1], run);
	close(sv[1]);
	if (k->worker > 0) {
		struct run_proc p = {0};

		k->control = sv[0];
		fcntl(sv[0], F_SETFL, O_NONBLOCK);
		run_proc_of(k->worker, &p);
		k->worker_fd = pidfd_of(k->worker, p.start, NULL);
		buf_printf(&text, "%d %llu\n", (int)k->worker, (unsigned long long)p.start);
		put_file(FD_RUN, "worker", &text, NULL);
		return;
	}
	close(sv[0]);
later:
	k->worker_next = clock_mono_ns() + ++k->worker_fails * SECOND;
}

static void worker_gone(struct keeper *k)
{
	uint64_t now = clock_mono_ns();

	own_fd(&k->control);
	own_fd(&k->worker_fd);
	waitpid(k->worker, NULL, WNOHANG);
	k->worker = 0;
	k->still_since = 0;
	k->worker_fails = now - k->worker_start > WORKER_RUN * SECOND ? 0 : k->worker_fails + 1;
	/* The first restart is at once, so that a killed worker is not missed. */
	k->worker_next = now + backoff(k->worker_fails - (k->worker_fails > 0)) * SECOND;
}

/*
 * A stopped worker is as good as a dead one to those in the zone who wait for what it answers, and says nothing on any descriptor:
 * its parent is told by a signal. Another takes its place, as after its death. The time until then, -1 = it runs.
 */
static int worker_still(struct keeper *k)
{
	siginfo_t si = {0};
	uint64_t now = clock_mono_ns();

	if (k->worker <= 0 || waitid(P_PID, (id_t)k->worker, &si, WSTOPPED | WNOHANG | WNOWAIT) < 0 || !si.si_pid) {
		k->still_since = 0;
		return -1;
	}
	if (!k->still_since)
		k->still_since = now;
	if (now - k->still_since < STILL_S * SECOND)
		return (int)((k->still_since + STILL_S * SECOND - now) / 1000000) + 1;
	pidfd_kill(k->worker_fd, SIGKILL);
	return -1; /* its end is heard of as any */
}

/*
 * Provisioning is over: init has said so, or its time is up. The command finds out which by the file. The socket is shut,
 * not closed: descriptors in its queue would be closed with it (see hear_text).
 */
static void provisioned(struct keeper *k, bool ready)
{
	if (ready)
		put_file(FD_RUN, "ready", &(struct buf){.p = NULL}, NULL);
	shutdown(FD_NOTIFY, SHUT_RD);
	k->ready_by = 0;
	if (k->z.cloister && k->z.node)
		keeper_call_ready(&k->z);
}

/*
 * A zone may send descriptors along. Who closes the last one of a socket that lingers waits for as long as the zone likes, and
 * they would be closed if they were not taken: so they are taken, and stay open until the keeper ends, which waits for
 * nothing. Then *fds is true, and nothing more shall be heard.
 */
static ssize_t hear_text(char *m, size_t size, bool *fds)
{
	union {
		char b[CMSG_SPACE(253 * sizeof(int))]; /* the most that a message brings: SCM_MAX_FD */
		struct cmsghdr align;
	} u;
	struct iovec v = {m, size};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
	ssize_t n = recvmsg(FD_NOTIFY, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fds = n >= 0 && h.msg_controllen > 0;
	return n;
}

static void hear_init(struct keeper *k)
{
	char m[1024];
	bool fds = false;
	ssize_t n = hear_text(m, sizeof m, &fds);

	if (!fds && n > 0 && run_says_ready(m, (size_t)n))
		provisioned(k, true);
	else if (fds || ++k->heard == HEAR_MAX)
		provisioned(k, false);
}

static void keep_init(struct keeper *k)
{
	sigset_t all;

	sigemptyset(&all);
	for (;;) {
		struct pollfd p[3 + KEPT_FDS] = {{.fd = FD_INIT, .events = POLLIN},
						 {.fd = k->worker_fd, .events = POLLIN},
						 {.fd = k->ready_by ? FD_NOTIFY : -1, .events = POLLIN}};
		int ms = -1, still;

		if (k->ready_by) {
			int64_t left = (int64_t)(k->ready_by - clock_mono_ns());

			if (left <= 0) {
				provisioned(k, false);
				continue;
			}
			ms = (int)(left / 1000000) + 1;
		}

		if (k->console && !k->worker) {
			int64_t left = (int64_t)(k->worker_next - clock_mono_ns());

			if (left <= 0) {
				worker_spawn(k);
				continue;
			}
			if (ms < 0 || left / 1000000 < ms)
				ms = (int)(left / 1000000) + 1;
		}
		still = worker_still(k);
		if (still >= 0 && (ms < 0 || still < ms))
			ms = still;
		kept_poll(p + 3, k->control);
		if (!k->rests)
			text_back();
		k->rests = true;
		if (ppoll(p, 3 + KEPT_FDS, ms < 0 ? NULL : &(struct timespec){ms / 1000, ms % 1000 * 1000000L}, &all) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		if (p[0].revents)
			return;
		if (p[2].revents)
			hear_init(k);
		kept_ready(p + 3, k->control);
		if (k->worker_fd >= 0 && p[1].revents)
			worker_gone(k);
		else if (k->worker && k->worker_fd < 0)
			worker_gone(k); /* dead before its pidfd could be had */
	}
}

static struct run_ended end_of_init(struct keeper *k)
{
	struct run_ended d = {.reason = ZONE_END_UNKNOWN, .ns = clock_wall_ns()};
	int st = 0;

	if (k->child) {
		pid_t r;

		do
			r = waitpid(k->init, &st, __WALL);
		while (r < 0 && errno == EINTR);
		if (r < 0)
			return d;
	} else if (pidfd_exit_status(FD_INIT, &st) < 0) {
		return d;
	}
	/* reboot(2) in a pid namespace kills its init by one of these two; no one else can, for init ignores them. */
	if (WIFEXITED(st)) {
		d.reason = ZONE_END_EXIT;
		d.status = WEXITSTATUS(st);
	} else if (WTERMSIG(st) == SIGHUP || WTERMSIG(st) == SIGINT) {
		d.reason = WTERMSIG(st) == SIGHUP ? ZONE_END_REBOOT : ZONE_END_HALT;
	} else {
		d.reason = ZONE_END_SIGNAL;
		d.status = WTERMSIG(st);
	}
	return d;
}

/* The worker reads what is left of the console, writes it out and ends; it does not get forever. */
static void worker_drain(struct keeper *k)
{
	own_fd(&k->control);
	if (k->worker_fd >= 0 && pidfd_wait(k->worker_fd, DRAIN_MS) < 0)
		pidfd_kill(k->worker_fd, SIGKILL);
	if (k->worker > 0)
		waitpid(k->worker, NULL, 0);
	own_fd(&k->worker_fd);
	k->worker = 0;
}

/* Nobody has asked for this end: the command decides (boot again, stay down). Killed, it is called again. */
static void tell_command(struct keeper *k, const struct run_ended *d)
{
	uint64_t ran = d->ns > k->boot_ns ? (d->ns - k->boot_ns) / SECOND : 0;
	unsigned wait = 0;

	if (d->reason != ZONE_END_REBOOT && d->reason != ZONE_END_HALT && k->z.restart_init && ran < GOOD_RUN)
		wait = backoff(k->z.init_restarts);
	else if (d->reason == ZONE_END_REBOOT && ran < REBOOT_S)
		wait = REBOOT_S - (unsigned)ran;
	for (unsigned n = 0; !run_halting(); n++) {
		if (wait && poll(NULL, 0, (int)wait * 1000) < 0 && errno != EINTR)
			return;
		if (run_halting() || keeper_call_ended(&k->z) == 0)
			return;
		wait = backoff(n + 1);
	}
}

/* Beside the run directory; without it a list reads this zone's files, which is slower and no less right. */
static struct index_slot *claim(const char *uuid)
{
	_fd_ int run = openat(FD_RUN, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_buf_ struct buf text = BUF_INIT;
	struct run_zone z;

	if (run < 0 || file_read(FD_RUN, "zone", 4096, &text, NULL) < 0 || run_zone_parse(buf_str(&text), &z) < 0)
		return NULL;
	return index_claim(run, uuid, &z, NULL);
}

int keeper_main(const char *uuid, pid_t init, bool child, uint64_t boot_ns)
{
	struct keeper k = {.child = child, .init = init, .boot_ns = boot_ns, .worker_fd = -1, .control = -1};
	_buf_ struct buf text = BUF_INIT;
	struct index_slot *slot;
	struct run_ended d;
	bool scripts;

	signal(SIGPIPE, SIG_IGN);
	fd_cloexec(FD_SPEC, 1);
	fd_cloexec(FD_RUN, 1);
	if (fd_cloexec(FD_NOTIFY, 1) == 0)
		k.ready_by = clock_mono_ns() + READY_S * SECOND;
	if (spec_read(&k.z, NULL) < 0)
		return 1;
	scripts = child && k.z.scripts;
	trim_spec(&k.z);
	k.console = fcntl(FD_MASTER, F_GETFD) >= 0 && fcntl(FD_LISTEN, F_GETFD) >= 0;
	slot = claim(uuid);
	kept_start();
	children_start();
	if (scripts && k.z.cloister && k.z.node)
		keeper_call_scripts(&k.z);
	keep_init(&k);
	if (slot)
		index_ended(slot);
	d = end_of_init(&k);
	run_ended_write(&d, &text);
	put_file(FD_RUN, "ended", &text, NULL);
	/* The zone is gone: so is what it was made of, before anybody takes the next step. Meanwhile the worker drains. */
	own_fd(&k.control);
	close(FD_BUILD_NS);
	worker_drain(&k);
	close(FD_MASTER);
	close(FD_LISTEN);
	if (k.z.cloister && k.z.node)
		tell_command(&k, &d);
	return 0;
}
