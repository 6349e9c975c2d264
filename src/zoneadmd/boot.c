/* SPDX-License-Identifier: MPL-2.0 */
/* From the command's request to a keeper that keeps: boot a zone, or adopt one whose keeper has died. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/pidfd.h"
#include "kern/plain.h"
#include "kern/sock.h"
#include "zone/claim.h"
#include "zone/console.h"
#include "zone/run.h"
#include "zoneadmd/zoneadmd.h"

/*
 * Away from the caller: its terminal, its session and its death are not ours. The caller waits for the parent only.
 * Born where supervisors belong: to be moved there later takes the kernel a lock that waits for RCU, four milliseconds
 * and more. True = it was.
 */
static bool detach(const char *sup)
{
	_fd_ int cg = sup ? open(sup, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	pid_t pid = cg < 0 ? -ENOENT : pidfd_clone(0, cg, NULL);
	bool there = pid >= 0;

	if (pid < 0)
		pid = fork();
	if (pid)
		_exit(pid < 0 ? 1 : 0);
	if (chdir("/") < 0)
		_exit(1);
	umask(0);
	plain_self(); /* here, where a limit may still be raised */
	signal(SIGPIPE, SIG_IGN);
	return there;
}

/* As far as it may: lowering takes a capability that not every root has. */
static void oom_score(const char *value)
{
	file_write(AT_FDCWD, "/proc/self/oom_score_adj", value, NULL);
}

static void join_sup(const struct zspec *z, bool in_v2)
{
	for (char **j = z->sup_join; j && *j; j++)
		if (!in_v2 || !str_ends(*j, "/cgroup.procs"))
			file_write(AT_FDCWD, *j, "0\n", NULL);
}

static int open_run_dir(const struct zspec *z, struct err *e)
{
	_fd_ int fd = open(z->run_dir ?: "", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "%s", z->run_dir ?: "(no run_dir)") : take_fd(&fd);
}

int boot_claim(int run_dir, struct err *e)
{
	return flock(run_dir, LOCK_EX | LOCK_NB) < 0 ? err_set(e, EEXIST, "the zone has a keeper") : 0;
}

static int write_zone(const struct zspec *z, int run_dir, const struct run_proc *init, uint64_t boot_ns, struct err *e)
{
	struct run_zone rz = {.zoneid = z->zoneid, .boot_ns = boot_ns, .init = *init};
	_buf_ struct buf b = BUF_INIT;

	snprintf(rz.bootid, sizeof rz.bootid, "%s", z->bootid ?: "-");
	if (run_proc_of(getpid(), &rz.keeper) < 0)
		return err_sys(e, ESRCH, "own start time");
	run_zone_write(&rz, z->cg_v2_zone, &b);
	return put_file(run_dir, "zone", &b, e);
}

/* Of system calls: where logins send theirs, and those that there are. */
struct listeners {
	int sock, *fd, n;
};

/*
 * The rest of life in a fresh image: what building took (spec, filter, stack) is given back with the old one. The
 * process is the same: pid, children, start time. Should the exec fail, this image does it.
 */
static int keep(const struct zspec *z, int run_dir, int init_fd, pid_t init, bool child, int build_ns, int master, int listener,
		int notify, int view, int mdata, const struct listeners *l, uint64_t boot_ns)
{
	char pid[16], ns[24], *argv[] = {(char *)"zoneadmd", (char *)"--keep", z->uuid, pid, (char *)(child ? "1" : "0"), ns, NULL};

	snprintf(pid, sizeof pid, "%d", (int)init);
	snprintf(ns, sizeof ns, "%llu", (unsigned long long)boot_ns);
	fd_fix(mdata, FD_MDATA);
	fd_fix(build_ns, FD_BUILD_NS);
	fd_fix(master, FD_MASTER);
	fd_fix(listener, FD_LISTEN);
	fd_fix(-1, FD_CONTROL);
	fd_fix(init_fd, FD_INIT);
	fd_fix(run_dir, FD_RUN);
	fd_fix(notify, FD_NOTIFY);
	fd_fix(view, FD_VIEW);
	fd_fix(l->sock, FD_CALLS);
	/* in the order of their numbers, none of which is less than what it gets */
	for (int i = 0; i < l->n; i++)
		fd_fix(l->fd[i], FD_LISTENERS + i);
	close(FD_STATUS);
	close_range(FD_STATUS + 1, FD_MDATA - 1, 0);
	close_range((unsigned)(FD_LISTENERS + l->n), ~0U, 0);
	unsetenv("CLOISTER_FAIL");
	execv("/proc/self/exe", argv);
	return keeper_main(z->uuid, init, child, boot_ns);
}

/*
 * While the zone is made the VM's lock is ours too, and says who we are, so that whoever wants the VM after our command was
 * killed can end us. Not any more once this command may hear that the zone runs; but nobody shall begin while we may
 * still have to take it down, because there is no command.
 */
static void lock_named(void)
{
	claim_take(FD_LOCK, CLAIM_BOOTING, false);
}

static void lock_unnamed(void)
{
	claim_yield(FD_LOCK, CLAIM_BOOTING);
}

static int answer_ok(int fd, struct buf *steps, const struct run_proc *init)
{
	buf_printf(steps, "ok %d %d\n", (int)init->pid, (int)getpid());
	return write(fd, steps->p, steps->len) == (ssize_t)steps->len ? 0 : -EPIPE;
}

static int boot(struct boot *b, struct err *e)
{
	uint64_t boot_ns = clock_wall_ns();
	struct run_proc init;
	_fd_ int listener = -1;
	struct listeners calls = {.fd = &b->listener};
	int r = spec_read(&b->z, e);

	if (r < 0)
		return r;
	b->run_dir = open_run_dir(&b->z, e);
	if (b->run_dir < 0)
		return b->run_dir;
	oom_score("0\n");
	r = build_zone(b, e);
	if (r < 0)
		return r;
	if (run_proc_of(b->init, &init) < 0)
		r = err_set(e, ECHILD, "init ended at once");
	if (r == 0 && b->master >= 0)
		r = listener = sock_listen(b->run_dir, "console.sock", e);
	if (r >= 0)
		r = calls.sock = listeners_socket(b->run_dir, e);
	if (r >= 0)
		r = write_zone(&b->z, b->run_dir, &init, boot_ns, e);
	/* A command may want it as soon as it has the answer. */
	if (r == 0 && (fd_fix(b->build_ns, FD_BUILD_NS) < 0 || fd_fix(b->run_dir, FD_RUN) < 0))
		r = err_sys(e, errno, "build namespace");
	if (r == 0) {
		lock_unnamed();
		if (answer_ok(b->status, &b->steps, &init) < 0)
			r = err_set(e, EPIPE, "the command has gone");
	}
	if (r < 0) {
		unlinkat(b->run_dir, "zone", 0);
		pidfd_kill(b->init_fd, SIGKILL);
		while (waitpid(b->init, NULL, __WALL) < 0 && errno == EINTR)
			;
		return r;
	}
	close(FD_LOCK);
	join_sup(&b->z, b->in_sup);
	oom_score("-900\n");
	calls.n = b->listener >= 0;
	return keep(&b->z, b->run_dir, b->init_fd, b->init, true, b->build_ns, b->master, listener, b->notify, b->view_dev, b->mdata, &calls, boot_ns);
}

static int program_folder(char *out, size_t n)
{
	const char *env = getenv("CLOISTER_LIBEXEC");
	ssize_t len;
	char *slash;

	if (env) {
		snprintf(out, n, "%s", env);
		return 0;
	}
	len = readlink("/proc/self/exe", out, n - 1);
	if (len < 0)
		return -errno;
	out[len] = 0;
	slash = strrchr(out, '/');
	if (slash)
		*slash = 0;
	return 0;
}

/* The command has started us ahead of its own work, and does not always get as far as a spec. */
static int await_spec(struct boot *b, const char *spec, struct err *e)
{
	_fd_ int fd = -1;
	ssize_t n;
	char c;

	do
		n = read(FD_SPEC, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(0);
	b->go = fcntl(FD_SPEC, F_DUPFD_CLOEXEC, FD_FREE);
	fd = open(spec, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || b->go < 0)
		return err_sys(e, errno, "%s", spec);
	return dup2(fd, FD_SPEC) < 0 ? err_sys(e, errno, "%s", spec) : 0;
}

int boot_main(const char *uuid, const char *spec, const char *sup)
{
	struct boot b = {
		.status = FD_STATUS, .run_dir = -1, .go = -1, .host = -1, .init_fd = -1, .sock = -1, .userns = -1, .root = -1, .dev = -1, .pts = -1, .proc = -1, .sys = -1,
		.null = -1, .empty = -1, .own = -1, .all = -1, .master = -1, .build_ns = -1, .notify = -1, .mdata = -1, .view = -1, .view_dev = -1, .view_pidfd = -1, .listener = -1,
	};
	struct err e = ERR_INIT;
	char libexec[4096];

	/* the one whose child's child we are about to be: it stays where it is until it has our answer, or there is none */
	if (fds_reserve() < 0 || (b.host = pidfd_open(getppid(), 0)) < 0)
		err_set(&e, EIO, "descriptors of zoneadmd");
	b.in_sup = detach(sup);
	lock_named();
	if (!e.code && (fd_cloexec(FD_STATUS, 1) < 0 || program_folder(libexec, sizeof libexec) < 0))
		err_set(&e, EIO, "descriptors of zoneadmd");
	b.libexec = libexec;
	if (!e.code && build_ahead(&b, &e) == 0 && await_spec(&b, spec, &e) == 0)
		boot(&b, &e);
	/* nothing is left: the command hears it, and goes on alone */
	close(FD_LOCK);
	steps_tell(&b);
	say_err(FD_STATUS, &e);
	return 1;
}

struct taken {
	int worker;
	struct listeners *l;
};

static void take_listener(int number, void *arg)
{
	struct taken *t = arg;
	int fd = pidfd_getfd(t->worker, number, 0);

	if (fd < 0)
		return;
	t->l->fd = xrealloc(t->l->fd, ((size_t)t->l->n + 1) * sizeof *t->l->fd);
	t->l->fd[t->l->n++] = fd;
}

/* What a worker that has outlived its keeper still holds. */
static int from_worker(int run_dir, int *build_ns, int *master, int *listener, int *view, int *mdata, struct listeners *l)
{
	_buf_ struct buf text = BUF_INIT;
	unsigned long long start;
	_fd_ int fd = -1;
	int pid;

	if (file_read(run_dir, "worker", 256, &text, NULL) < 0 || sscanf(buf_str(&text), "%d %llu", &pid, &start) != 2)
		return -ENOENT;
	fd = pidfd_of(pid, start, NULL);
	if (fd < 0)
		return fd;
	*build_ns = pidfd_getfd(fd, FD_BUILD_NS, 0);
	*master = pidfd_getfd(fd, FD_MASTER, 0);
	*listener = pidfd_getfd(fd, FD_LISTEN, 0);
	*view = pidfd_getfd(fd, FD_VIEW, 0);
	*mdata = pidfd_getfd(fd, FD_MDATA, 0);
	l->sock = pidfd_getfd(fd, FD_CALLS, 0);
	listeners_each(pid, take_listener, &(struct taken){fd, l});
	pidfd_kill(fd, SIGKILL);
	return pidfd_wait(fd, 5000);
}

static int adopt(int status, struct err *e)
{
	struct zspec z = {0};
	struct run_zone rz;
	_buf_ struct buf text = BUF_INIT, none = BUF_INIT;
	_fd_ int run_dir = -1, init_fd = -1;
	int build_ns = -1, master = -1, listener = -1, view = -1, mdata = -1;
	struct listeners calls = {.sock = -1};
	int r = spec_read(&z, e);

	if (r == 0)
		r = run_dir = open_run_dir(&z, e);
	if (r >= 0)
		r = boot_claim(run_dir, e);
	if (r >= 0)
		r = file_read(run_dir, "zone", 4096, &text, e);
	if (r < 0)
		return r;
	if (run_zone_parse(buf_str(&text), &rz) < 0 || strcmp(rz.bootid, z.bootid ?: ""))
		return err_set(e, ESTALE, "the zone's run file is of another boot");
	init_fd = pidfd_of(rz.init.pid, rz.init.start, NULL);
	if (init_fd < 0)
		return err_set(e, ESRCH, "the zone is not running");
	from_worker(run_dir, &build_ns, &master, &listener, &view, &mdata, &calls);
	/* The worker died too, and the console with it. But a worker has other work: it gets a line that leads nowhere. */
	if (master < 0)
		master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (listener < 0)
		listener = sock_listen(run_dir, CONSOLE_SOCK, NULL);
	if (calls.sock < 0)
		calls.sock = listeners_socket(run_dir, NULL);
	if (mdata < 0)
		mdata = adopt_mdata(&z, run_dir, init_fd);
	r = write_zone(&z, run_dir, &rz.init, rz.boot_ns, e);
	/* What init had to say was lost with the keeper: nobody shall wait for it. */
	if (r == 0 && z.notify)
		r = put_file(run_dir, "ready", &none, e);
	if (r < 0)
		return r;
	if (build_ns >= 0)
		fd_fix(build_ns, FD_BUILD_NS);
	fd_fix(run_dir, FD_RUN);
	join_sup(&z, false);
	oom_score("-900\n");
	answer_ok(status, &none, &rz.init);
	return keep(&z, run_dir, init_fd, rz.init.pid, false, build_ns, master, listener, -1, view, mdata, &calls, rz.boot_ns);
}

int adopt_main(const char *uuid)
{
	struct err e = ERR_INIT;

	detach(NULL);
	if (fds_reserve() < 0 || fd_cloexec(FD_STATUS, 1) < 0)
		err_set(&e, EIO, "descriptors of zoneadmd");
	else
		adopt(FD_STATUS, &e);
	say_err(FD_STATUS, &e);
	return 1;
}
