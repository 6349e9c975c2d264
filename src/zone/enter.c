/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Running a program in a zone, the side that stays outside.
 *
 *	person ── in/out/err ── relay ── pipes or pty of the zone's ── program
 *	                          │
 *	              pidfd, signalfd, report pipe
 *
 * No descriptor of the global zone goes in: not the person's terminal (they would share its settings and, through
 * /dev/tty, its input), no file (a log opened for appending could be rewritten), no socket (it belongs to the host's
 * network), no pipe (an unmapped owner's pipe can't be opened as /dev/stdout). The program gets pipes, or a pty,
 * made for it and owned by it.
 *
 * The child is born in the zone's namespaces, by a go-between that joins them first; the user namespace it joins itself.
 */
#include "zone/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/pidfd.h"
#include "kern/sock.h"
#include "kern/tty.h"
#include "zone/enter_in.h"
#include "zone/relay.h"

#define FILTER_MAX (64u << 10) /* BPF_MAXINSNS × 8, and room */
#define CALLS_MS   2000

struct outer {
	struct enter_in in;
	struct relay rl;
	struct tty_saved tty;
	struct buf filter;
	int report, null, cgroup;
	int rescue; /* accounted outside the zone: see cg_rescue() */
	char tty_name[32];
};

static void outer_done(struct outer *o)
{
	tty_restore(&o->tty);
	for (int i = 0; i < 3; i++)
		own_fd(&o->in.std[i]);
	for (int i = 0; i < o->in.njoin; i++)
		own_fd(&o->in.join[i]);
	relay_done(&o->rl);
	own_fd(&o->rl.master);
	own_fd(&o->rl.pidfd);
	own_fd(&o->rl.sigfd);
	own_fd(&o->in.pidfd);
	own_fd(&o->in.report);
	own_fd(&o->report);
	own_fd(&o->null);
	own_fd(&o->cgroup);
	own_fd(&o->in.join_v2);
	own_fd(&o->in.calls);
	buf_done(&o->filter);
}

/* Out of the way of 0, 1 and 2, which the child fills one after the other. */
static int high(int fd)
{
	int up;

	if (fd < 0 || fd > 2)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return up;
}

static void add_way(struct outer *o, int from, int to, bool inward)
{
	struct relay_way *w = &o->rl.way[o->rl.nways++];

	fcntl(inward ? to : from, F_SETFL, O_NONBLOCK);
	w->from = from;
	w->to = to;
	w->inward = inward;
	w->at = w->len = 0;
}

static bool is_null(int fd)
{
	struct stat st;

	return fd < 0 || (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static int make_pipes(struct outer *o, const int fd[3], uid_t owner, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		int p[2];

		if (is_null(fd[i]))
			continue;
		if (pipe2(p, O_CLOEXEC) < 0)
			return err_sys(e, errno, "pipe");
		for (int k = 0; k < 2; k++)
			p[k] = high(p[k]);
		o->in.std[i] = p[i != 0];
		if (i == 0)
			add_way(o, fd[0], p[1], true);
		else
			add_way(o, p[0], fd[i], false);
		if (p[0] < 0 || p[1] < 0 || fchown(p[0], owner, owner) < 0)
			return err_sys(e, errno, "pipe");
	}
	return 0;
}

static int make_pty(struct outer *o, const struct zone_run *r, const int fd[3], uid_t owner, struct err *e)
{
	char root[40];
	_fd_ int rootfd = -1;
	int slave, k;

	snprintf(root, sizeof root, "/proc/%d/root", (int)r->init_pid);
	rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return err_sys(e, errno, "%s", root);
	/* the number could have passed to another process before the open, but not while init lives */
	if (pidfd_send_signal(o->in.pidfd, 0, NULL, 0) < 0)
		return err_sys(e, errno, "the zone has just ended");
	if (tty_pair_in(rootfd, owner, owner, &o->rl.master, &slave, o->tty_name, e) < 0)
		return err_hint(e, "zlogin -S without a terminal still works: zlogin -S ZONE COMMAND </dev/null");
	o->in.pty = true;
	for (k = 0; k < 3; k++)
		o->in.std[k] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	close(slave);
	if (o->in.std[0] < 0 || o->in.std[1] < 0 || o->in.std[2] < 0)
		return err_sys(e, errno, "pseudo terminal");
	if (fd[0] >= 0) {
		tty_copy_size(fd[0], o->rl.master);
		if (tty_raw(fd[0], &o->tty, e) < 0)
			return -e->code;
		tty_copy_settings(&o->tty, o->rl.master);
		add_way(o, fd[0], o->rl.master, true);
	}
	if (fd[1] >= 0)
		add_way(o, o->rl.master, fd[1], false);
	return 0;
}

static int open_cgroups(const struct ctx *c, struct outer *o, const struct cg_host *h, const char *uuid, struct err *e)
{
	char path[CG_JOIN_MAX][256];
	int n = cg_join_paths(h, CG_PLACE_LOGIN, uuid, path);

	o->rescue = cg_rescue(h, uuid, path, n, e);
	if (o->rescue < 0)
		return err_add(e, "room for a login into a full zone");
	if (o->rescue)
		ctx_log(c, LOG_WARN, "the zone has used up its %s: this session runs on a little of its own",
			!(o->rescue & CG_RESCUE_MEMORY) ? "processes" : o->rescue & CG_RESCUE_PIDS ? "memory and processes" : "memory");
	/* the last one is v2's: its directory, to be born in */
	for (int i = 0; i < n - 1; i++) {
		o->in.join[i] = open(path[i], O_WRONLY | O_CLOEXEC);
		if (o->in.join[i] < 0)
			return err_sys(e, errno, "%s", path[i]);
		o->in.njoin = i + 1;
	}
	*strrchr(path[n - 1], '/') = 0;
	o->cgroup = open(path[n - 1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* systemd takes away what is empty below a unit whose process has ended; the zone's own cgroup is not */
	if (o->cgroup < 0 && errno == ENOENT && (mkdir(path[n - 1], 0755) == 0 || errno == EEXIST))
		o->cgroup = open(path[n - 1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	return o->cgroup < 0 ? err_sys(e, errno, "%s", path[n - 1]) : 0;
}

/*
 * What the program is told of processors and memory is the zone's, by the zone's worker. Not where there is no keeper to take
 * its listener on, or nothing of the zone is to be relied on: then it is told of the host's.
 */
static void listened(struct outer *o, const struct zspec *z, const struct enter *en)
{
	_free_ char *path = xprintf("%s/calls.sock", z->run_dir ?: "");

	o->in.calls = en->safe ? -1 : high(sock_tell(path, CALLS_MS, NULL));
}

static int prepare(const struct ctx *c, struct outer *o, const struct cg_host *h, const struct zone_run *r,
		   const struct zspec *z, const struct enter *en, struct err *e)
{
	const int fd[3] = {en->in, en->out, en->err};
	int p[2], n;

	o->in.pidfd = zone_pidfd(r, e);
	if (o->in.pidfd < 0)
		return o->in.pidfd;
	n = open_cgroups(c, o, h, z->uuid, e);
	if (n < 0)
		return n;
	if (z->seccomp && *z->seccomp) {
		n = file_read(AT_FDCWD, z->seccomp, FILTER_MAX, &o->filter, e);
		if (n < 0)
			return err_add(e, "system call filter");
		o->in.filter = buf_str(&o->filter);
		o->in.filter_len = o->filter.len;
	}
	listened(o, z, en);
	o->null = o->in.null = high(open("/dev/null", O_RDWR | O_CLOEXEC));
	if (o->null < 0)
		return err_sys(e, errno, "/dev/null");
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "pipe");
	o->report = high(p[0]);
	o->in.report = high(p[1]);
	if (o->report < 0 || o->in.report < 0)
		return err_sys(e, errno, "pipe");
	return en->pty ? make_pty(o, r, fd, z->id_base, e) : make_pipes(o, fd, z->id_base, e);
}

/*
 * Who started us may be hard to kill (sshd and systemd units stand at -1000): such a process inside could never be chosen
 * when memory runs out. Here, while "/proc" is still the host's.
 */
static void killable(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char adj[16] = "";

	if (fd < 0)
		return;
	if (read(fd, adj, sizeof adj - 1) > 0 && atoi(adj) != 0 && write(fd, "0", 1) < 0)
		adj[0] = 0; /* going down needs a privilege that we may lack; then it stays easier to kill */
	close(fd);
}

/* In the go-between, which has our memory but not our descriptors. Returns in it alone; 0 or errno. */
static int beget(struct outer *o, volatile pid_t *child)
{
	pid_t pid;

	killable();
	if (setns(o->in.pidfd, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) < 0)
		return errno;
	pid = pidfd_clone(CLONE_PARENT, o->cgroup, NULL);
	if (pid == -EAGAIN) {
		/* the zone's processes are used up: born outside, a process may still move in */
		o->in.join_v2 = openat(o->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
		if (o->in.join_v2 >= 0)
			pid = pidfd_clone(CLONE_PARENT, -1, NULL);
	}
	if (pid == 0)
		enter_child(&o->in);
	*child = pid;
	return pid < 0 ? -pid : 0;
}

/*
 * The child is ours, but born in the zone's namespaces: the moment it can be seen there, its /proc/<pid>/mountinfo and
 * net, which the kernel shows to anybody, are the zone's and no longer the host's. So a go-between joins first. This
 * process stays where it is all the while.
 */
static pid_t fork_inside(struct outer *o, struct err *e)
{
	volatile pid_t child = 0;
	volatile int code = 0;
	pid_t between = vfork();

	if (between == 0) {
		code = beget(o, &child);
		_exit(0);
	}
	o->in.join_v2 = -1; /* was a number of the go-between's */
	if (between < 0)
		return err_sys(e, errno, "fork");
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	if (code)
		return err_sys(e, code, code == ESRCH || code == ENOMEM ? "the zone has just ended, or no memory" : "fork into the zone");
	if (child <= 0)
		return err_set(e, EINTR, "killed on the way into the zone");
	o->rl.pidfd = pidfd_open(child, 0);
	if (o->rl.pidfd < 0) {
		err_sys(e, errno, "pidfd_open");
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		return -e->code;
	}
	return child;
}

/* How it ended, once it has. */
static int result(struct outer *o, struct err *e)
{
	struct enter_report rep;
	int status = 0, r = relay_reap(&o->rl, &status);
	ssize_t n;

	if (r)
		return r < 0 ? err_sys(e, r, "wait for the program") : r;
	n = read(o->report, &rep, sizeof rep);
	if (n == (ssize_t)sizeof rep && rep.code) {
		rep.msg[sizeof rep.msg - 1] = 0;
		return err_set(e, rep.code, "%s", rep.msg);
	}
	if (n != (ssize_t)sizeof rep && WIFSIGNALED(status))
		return err_set(e, ENOMEM, "killed by signal %d on its way in: the zone has ended, or has no memory left",
			       WTERMSIG(status));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* On the person's own terminal, as zlogin has always said it. */
static void announce(const struct outer *o, const struct enter *en, const char *fmt)
{
	_free_ char *text = NULL;

	if (!en->announce || !en->pty)
		return;
	text = xprintf(fmt, en->announce, o->tty_name + strlen("/dev/"));
	fd_write_all(en->out, text, strlen(text));
}

static int enter(struct outer *o, const struct enter *en, struct err *e)
{
	bool left = false;
	pid_t pid;
	int r;

	o->rl.sigfd = relay_signals(&o->in.mask, e);
	if (o->rl.sigfd < 0)
		return o->rl.sigfd;
	pid = fork_inside(o, e);
	if (pid > 0) {
		for (int i = 0; i < 3; i++)
			own_fd(&o->in.std[i]);
		own_fd(&o->in.report);
		o->rl.pid = pid;
		o->rl.tty = &o->tty;
		o->rl.tty_in = en->in;
		o->rl.esc.c = en->pty ? en->escape : 0;
		announce(o, en, "[Connected to zone '%s' %s]\r\n");
		r = relay_run(&o->rl, &left, e);
		if (r == 0 && !left)
			r = result(o, e);
		/* else: closing the pty hangs up on its session; the program itself is the zone's from now on */
	} else {
		r = pid;
	}
	tty_restore(&o->tty);
	if (pid > 0 && r >= 0)
		announce(o, en, "\n[Connection to zone '%s' %s closed]\n");
	sigprocmask(SIG_SETMASK, &o->in.mask, NULL);
	return r;
}

int zone_enter(struct ctx *c, const struct cg_host *h, const struct zone_run *r, const struct zspec *z,
	       const struct enter *en, struct err *e)
{
	struct outer o = {.report = -1, .null = -1, .cgroup = -1, .tty = TTY_SAVED_INIT};
	int n;

	if (!r->running)
		return err_set(e, ESRCH, "the zone is not running");
	o.in.en = en;
	o.in.z = z;
	o.in.pidfd = o.in.null = o.in.report = o.in.join_v2 = o.in.calls = -1;
	o.in.std[0] = o.in.std[1] = o.in.std[2] = -1;
	o.rl.pidfd = o.rl.sigfd = o.rl.master = -1;
	n = prepare(c, &o, h, r, z, en, e);
	if (n == 0)
		n = enter(&o, en, e);
	if (o.rescue > 0)
		cg_rescue_done(h, z->uuid);
	outer_done(&o);
	return n;
}
