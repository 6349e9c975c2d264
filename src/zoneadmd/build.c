/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Building a zone, stage by stage. The order matters:
 *
 *	keeper                                   init (blocked on the socket in between)
 *	new mount namespace, time namespace: before the spec is there
 *	clone3 ────────────────────────────────▶ user, pid, net, ipc, uts namespaces; in its v2 cgroup
 *	maps ids                                 joins its v1 cgroups
 *	'g' ───────────────────────────────────▶ becomes root of its user namespace, new cgroup namespace
 *	the command's second letter: up to here it was still making root and limits
 *	root, /dev                          ◀── done
 *	proc, sys, cgroup2, mqueue inside init's namespaces; masks; mounts of the spec
 *	the zone's root takes the host's place
 *	'm' ───────────────────────────────────▶ its own mount namespace: a copy with less rights, so all is locked
 *	mounts that may be taken away live  ◀── done
 *	'x' ───────────────────────────────────▶ files, console, limits, filter, exec: the socket closes
 *	back to the host's mounts
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "kern/mount.h"
#include "kern/ns.h"
#include "kern/owner.h"
#include "kern/pidfd.h"
#include "kern/sock.h"
#include "zoneadmd/zoneadmd.h"

/* Each report wakes the command up: while all goes well it gets them together, with the verdict. */
#define TELL_NS 20000000ULL

void steps_tell(struct boot *b)
{
	if (b->steps.len && b->status >= 0 && write(b->status, b->steps.p, b->steps.len) < 0)
		return;
	b->steps.len = 0;
}

void step_done(struct boot *b, const char *name)
{
	uint64_t now = clock_mono_ns();

	buf_printf(&b->steps, "step %s %llu\n", name, (unsigned long long)(now - b->step_ns) / 1000);
	b->step_ns = now;
	if (now - b->told_ns < TELL_NS)
		return;
	b->told_ns = now;
	steps_tell(b);
}

static int say(struct boot *b, char c, struct err *e)
{
	return send(b->sock, &c, 1, MSG_NOSIGNAL) < 0 ? err_sys(e, errno, "init of the zone ended while it was being made") : 0;
}

/*
 * What init has to say. 0 = the stage is done, 1 = the socket is closed: it has been exec'd, or is dead. On its way there
 * it sends the listener of its calls.
 */
static int hear(struct boot *b, struct err *e)
{
	struct err m;
	ssize_t n;
	int fd;

	n = sock_recv(b->sock, &m, sizeof m, &fd);
	if (n == 1 && fd >= 0 && b->listener < 0) {
		b->listener = fd;
		n = sock_recv(b->sock, &m, sizeof m, &fd);
	}
	own_fd(&fd);
	if (n == 0)
		return 1;
	if (n != (ssize_t)sizeof m)
		return err_sys(e, n < 0 ? errno : EPROTO, "message from init");
	if (!m.code)
		return 0;
	m.msg[sizeof m.msg - 1] = m.hint[sizeof m.hint - 1] = 0;
	err_set(e, m.code, "%s", m.msg);
	if (*m.hint)
		err_hint(e, "%s", m.hint);
	return -m.code;
}

static int expect_done(struct boot *b, struct err *e)
{
	int r = hear(b, e);

	return r == 1 ? err_set(e, ECHILD, "init of the zone was killed while it was being made") : r;
}

static int stage_namespaces(struct boot *b, struct err *e)
{
	int r;

	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, errno, "new mount namespace");
	r = mnt_propagation("/", MS_PRIVATE, e);
	if (r == 0)
		r = ns_time_zero(e);
	b->build_ns = r == 0 ? ns_open(0, "mnt", e) : -1;
	return b->build_ns < 0 ? -e->code : 0;
}

static int stage_init(struct boot *b, struct err *e)
{
	_fd_ int cg = b->z.cg_v2_zone ? open(b->z.cg_v2_zone, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	int sv[2];

	if (b->z.cg_v2_zone && cg < 0)
		return err_sys(e, errno, "%s", b->z.cg_v2_zone);
	if (b->z.seccomp && file_read(AT_FDCWD, b->z.seccomp, 1 << 20, &b->filter, e) < 0)
		return err_add(e, "system call filter");
	/*
	 * Opened here, with the rights to, and written by init with "0": a task that moves itself alone ("tasks") spares the
	 * kernel a lock whose first taking is an RCU grace period, ten milliseconds.
	 */
	for (char **j = b->z.join; j && *j; j++) {
		if (b->njoin == JOIN_MAX)
			return err_set(e, E2BIG, "more than %d cgroups to join", JOIN_MAX);
		b->join[b->njoin] = open(*j, O_WRONLY | O_CLOEXEC);
		if (b->join[b->njoin++] < 0)
			return err_sys(e, errno, "%s", *j);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, errno, "socketpair");
	b->sock = sv[0];
	if (owner_become(b->z.id_base) < 0)
		return err_sys(e, errno, "become the owner of the zone's user namespace");
	b->init = pidfd_clone(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, cg, &b->init_fd);
	if (b->init == 0)
		init_child(b, sv[1]);
	close(sv[1]);
	if (owner_become(0) < 0)
		return err_sys(e, errno, "become root again");
	for (int i = 0; i < b->njoin; i++)
		own_fd(&b->join[i]);
	if (b->init < 0) {
		int code = (int)-b->init;

		b->init = 0;
		return err_sys(e, code, "make the zone's namespaces");
	}
	return 0;
}

/* In the host's mounts for a moment: the kernel looks where it is made, see build_pts(). */
static int make_pts(struct boot *b, struct err *e)
{
	int r;

	if (setns(b->host, CLONE_NEWNS) < 0)
		return err_sys(e, errno, "back to the host's mounts");
	r = build_pts(b, e);
	if (setns(b->build_ns, CLONE_NEWNS) < 0 && r == 0)
		r = err_sys(e, errno, "the zone's mounts");
	return r;
}

static int stage_ids(struct boot *b, struct err *e)
{
	int r = ns_map_ids(b->init, b->z.id_base, e);

	if (r < 0)
		return r;
	b->userns = ns_open(b->init, "user", e);
	if (b->userns < 0)
		return b->userns;
	if (setns(b->host, CLONE_NEWTIME) < 0)
		return err_sys(e, errno, "leave the time namespace");
	r = build_proc(b, e);
	if (r < 0)
		return r;
	if (sock_send_fd(b->sock, 'g', b->proc) < 0)
		return err_sys(e, errno, "init of the zone ended while it was being made");
	return make_pts(b, e);
}

/* What is made up to here needs the spec and the cgroup in v2 alone, and so is made beside what the command makes. */
static int stage_go(struct boot *b, struct err *e)
{
	ssize_t n;
	char c;

	do
		n = read(b->go, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return err_set(e, ECANCELED, "the command has given up");
	if (!b->z.nics)
		own_fd(&b->go);
	if (b->z.nics) {
		buf_printf(&b->steps, "net %d\n", (int)b->init);
		steps_tell(b);
	}
	/* not before: one whose command was killed may still be giving up */
	return boot_claim(b->run_dir, e);
}

static int stage_root(struct boot *b, struct err *e)
{
	int r = build_own(b, e);

	if (r == 0)
		r = build_view(b, e);
	return r < 0 ? r : build_root(b, e);
}

static int stage_kernel(struct boot *b, struct err *e)
{
	int r = expect_done(b, e);

	step_done(b, "zone-cgroups"); /* what init took until it stood in all of them */
	return r < 0 ? r : build_kernel(b, e);
}

/* Nothing can be made in it afterwards: also not what is mounted once the zone has its copy. */
static int shut_root(struct boot *b, struct err *e)
{
	for (unsigned i = 0; i < b->z.nmounts; i++) {
		const struct zmount *m = &b->z.mounts[i];
		_fd_ int at = -1;

		if (!(m->flags & ZM_LIVE))
			continue;
		at = zmount_target(b->root, m->target, m->flags & ZM_FILE, b->z.id_base, e);
		if (at < 0)
			return at;
	}
	return mnt_attr(b->root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, 0, -1, e);
}

static int stage_mounts(struct boot *b, struct err *e)
{
	int r = build_mounts(b, e);

	if (r == 0)
		r = build_control(b, e);
	return r;
}

/* A machine's disks, and what else its monitor is given. */
static int stage_fds(struct boot *b, struct err *e)
{
	int r = build_fds(b, e);

	if (r == 0 && b->z.root_empty)
		r = shut_root(b, e);
	return r;
}

/* The command puts links into the network namespace while we were at the root; what runs in the zone finds them there. */
static int stage_net(struct boot *b, struct err *e)
{
	ssize_t n;
	char c;

	if (!b->z.nics)
		return 0;
	if (build_fds_sent(b, e) < 0)
		return -e->code;
	do
		n = read(b->go, &c, 1);
	while (n < 0 && errno == EINTR);
	own_fd(&b->go);
	return n == 1 ? 0 : err_set(e, ECANCELED, "the command has given up");
}

static bool has_live(const struct boot *b)
{
	for (unsigned i = 0; i < b->z.nmounts; i++)
		if (b->live[i] >= 0)
			return true;
	return false;
}

static int stage_pivot(struct boot *b, struct err *e)
{
	int r = build_enter(b, e);

	if (r == 0)
		r = mnt_propagation("/", MS_SHARED, e);
	if (r == 0 && sock_send_fd(b->sock, has_live(b) ? 'l' : 'm', b->root) < 0)
		r = err_sys(e, errno, "init of the zone ended while it was being made");
	if (r == 0 && has_live(b)) {
		r = expect_done(b, e);
		if (r == 0)
			r = build_live(b, e);
		if (r == 0)
			r = say(b, 'x', e);
	}
	for (unsigned i = 0; r == 0 && i < b->z.nfds; i++)
		if (sock_send_fd(b->sock, 'f', b->fds[i]) < 0)
			r = err_sys(e, errno, "init of the zone ended while it was being made");
	if (setns(b->host, CLONE_NEWNS) < 0)
		return r < 0 ? r : err_sys(e, errno, "back to the host's mounts");
	return r;
}

static int stage_exec(struct boot *b, struct err *e)
{
	struct pollfd p = {.fd = b->init_fd, .events = POLLIN};
	int r = hear(b, e);

	if (r == 0)
		return err_set(e, EPROTO, "init said more than it was asked");
	if (r < 0)
		return r;
	/* Closed by exec, or by death before it. A zombie of a program that has run and ended is fine: the keeper tells. */
	if (poll(&p, 1, 0) == 1) {
		siginfo_t si = {0};

		if (waitid(P_PIDFD, (id_t)b->init_fd, &si, WEXITED | WNOWAIT) == 0 && si.si_code != CLD_EXITED && si.si_status == SIGKILL)
			return err_set(e, ECHILD, "init was killed while it was being started");
	}
	return 0;
}

static const struct {
	const char *name, *noun;
	int (*run)(struct boot *, struct err *);
} stages[] = {
	{"zone-namespaces", "namespaces", stage_namespaces},
	{"zone-init", "namespaces", stage_init},
	{"zone-ids", "user ids", stage_ids},
	{"zone-go", "wait for the command", stage_go},
	{"zone-root", "root", stage_root},
	{"zone-dev", "/dev", build_dev},
	{"zone-kernel", "kernel filesystems", stage_kernel},
	{"zone-mounts", "filesystems", stage_mounts},
	{"zone-fds", "disks and sockets", stage_fds},
	{"zone-net", "network", stage_net},
	{"zone-pivot", "enter root", stage_pivot},
	{"zone-exec", "start init", stage_exec},
};

static void undo(struct boot *b)
{
	build_view_undo(b);
	own_fd(&b->sock);
	own_fd(&b->listener);
	if (b->init > 0) {
		pidfd_kill(b->init_fd, SIGKILL);
		while (waitpid(b->init, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	if (setns(b->host, CLONE_NEWNS) < 0)
		return;
}

static bool unwanted(const struct boot *b)
{
	struct pollfd p = {.fd = b->status};

	return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

/* A command that was killed gets no zone: what is being made for it ends here, not when it could be told. */
static int stage(struct boot *b, size_t i, struct err *e)
{
	int r = failpoint(stages[i].name, e);

	if (r == 0 && unwanted(b))
		r = err_set(e, ECANCELED, "the command has gone");
	if (r == 0)
		r = stages[i].run(b, e);
	if (r < 0) {
		err_add(e, "%s", stages[i].noun);
		undo(b);
		return r;
	}
	if (b->view_pid > 0)
		build_view_serve(b);
	step_done(b, stages[i].name);
	return 0;
}

int build_ahead(struct boot *b, struct err *e)
{
	b->step_ns = b->told_ns = clock_mono_ns();
	return stage(b, 0, e);
}

int build_zone(struct boot *b, struct err *e)
{
	int r = 0;

	b->step_ns = clock_mono_ns();
	for (size_t i = 1; r == 0 && i < ARRAY_LEN(stages); i++)
		r = stage(b, i, e);
	if (r == 0)
		own_fd(&b->sock);
	return r;
}
