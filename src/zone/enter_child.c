/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The way into a zone, from a process of the global zone to a program of the zone's.
 *
 * The hard constraint: from the fork on, this process stands in the zone's pid namespace, in sight of its hostile root.
 *
 *   - It is born in the zone's mount namespace: until it has joined the user namespace it opens nothing by path.
 *   - Until then it has the global root's credentials: nobody inside may signal or trace it.
 *   - After that it is one of theirs, so it must be closed: PR_SET_DUMPABLE 0 and an mm that belongs to the global
 *     zone's user namespace, so ptrace, /proc/<pid>/{exe,fd,mem,environ,cwd,root} and pidfd_getfd want a capability
 *     outside the zone. exec gives it a new mm, and by then it holds nothing of the host.
 *   - Descriptors: all but the zone's own pipes or pty are closed before the namespaces are joined, except the pidfd
 *     (closed right after) and the report pipe (close-on-exec).
 *   - /proc/self/exe (CVE-2019-5736): until exec it is our own program, and a zone whose shell is "#!/proc/self/exe"
 *     even makes the kernel run that. Nothing is lost: the file is owned by the global root, whom the zone's ids do
 *     not map, on a mount that is not in its namespace; it can be executed and read (as the package can) and never written.
 *   - The session and its terminal are left before anything else: a zone must not get at the operator's /dev/tty.
 *   - The zone's files (passwd, group) are only read here, as the zone's root, inside.
 */
#include "zone/enter_in.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/caps.h"
#include "kern/notify.h"
#include "kern/plain.h"
#include "kern/seccomp.h"
#include "kern/sig.h"
#include "kern/slice.h"
#include "kern/sock.h"
#include "zone/passwd.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define FD_REPORT  3
#define FD_PIDFD   4
#define FD_CALLS   5
#define GROUPS_MAX 256

static void report(int fd, int code, const char *msg)
{
	struct enter_report r = {.code = code};

	snprintf(r.msg, sizeof r.msg, "%s", msg);
	/* smaller than PIPE_BUF: whole or not at all */
	if (write(fd, &r, sizeof r) < 0)
		_exit(126);
}

static void __attribute__((noreturn)) fail(int fd, const struct err *e)
{
	report(fd, e->code ?: EINVAL, e->msg);
	_exit(126);
}

static void __attribute__((noreturn, format(printf, 3, 4))) fail_sys(int fd, int code, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	err_sys(&e, code, "%s", what);
	fail(fd, &e);
}

/* What an operator's session may have set for itself is not the zone's: limits, signals, umask. */
static void plain_process(const struct enter_in *in)
{
	plain_self();
	if (in->z->memlock)
		plain_limit(RLIMIT_MEMLOCK, in->z->memlock, in->z->memlock);
	if (in->z->nofile)
		plain_limit(RLIMIT_NOFILE, 1024 < in->z->nofile ? 1024 : in->z->nofile, in->z->nofile);
	if (in->z->slice)
		slice_set(0, in->z->slice); /* a kernel without slices: as everyone */
	sig_defaults();
	umask(022);
	personality(PER_LINUX);
}

static void own_session(const struct enter_in *in)
{
	int null = in->null;

	setsid();
	for (int i = 0; i < 3; i++)
		if (dup2(in->std[i] >= 0 ? in->std[i] : null, i) < 0)
			fail_sys(in->report, errno, "standard descriptors");
	if (in->pty && ioctl(0, TIOCSCTTY, 0) < 0)
		fail_sys(in->report, errno, "controlling terminal");
}

/* Only 0, 1, 2, FD_REPORT, FD_PIDFD and, if there is one, FD_CALLS are left. */
static void shed_descriptors(const struct enter_in *in)
{
	int rep = fcntl(in->report, F_DUPFD_CLOEXEC, 10), pid = fcntl(in->pidfd, F_DUPFD_CLOEXEC, 10);
	int calls = in->calls < 0 ? -1 : fcntl(in->calls, F_DUPFD_CLOEXEC, 10), last = calls < 0 ? FD_PIDFD : FD_CALLS;

	if (rep < 0 || pid < 0 || dup3(rep, FD_REPORT, O_CLOEXEC) < 0 || dup3(pid, FD_PIDFD, O_CLOEXEC) < 0)
		fail_sys(in->report, errno, "descriptors");
	if (calls >= 0 && dup3(calls, FD_CALLS, O_CLOEXEC) < 0)
		fail_sys(FD_REPORT, errno, "descriptors");
	if (close_range((unsigned)last + 1, ~0u, 0) < 0)
		fail_sys(FD_REPORT, errno, "close_range");
}

/* Each change of ids makes it what fs.suid_dumpable says, which an operator may have set to 1. */
static void closed(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/*
 * By the rights over the zone's user namespace, but still as the global root: how many descriptors may be under way is
 * counted by user, and the zone's root could have used up what is his. Where the kernel can't, the host's numbers it is.
 */
static bool own_numbers(const struct enter_in *in)
{
	int listener = notify_install(in->filter, in->filter_len);

	if (listener >= 0) {
		if (sock_send_fd(FD_CALLS, 'n', listener) < 0)
			fail_sys(FD_REPORT, errno, "the zone's keeper does not answer (zlogin -S does without it)");
		close(listener);
	}
	close(FD_CALLS);
	return listener >= 0;
}

/* Whether the filter is on already. */
static bool join_namespaces(const struct enter_in *in)
{
	bool filtered = false;

	/* the rest it was born in; the cgroup namespace only now, for from inside one nobody is put into a cgroup above it */
	if (setns(FD_PIDFD, CLONE_NEWUSER | CLONE_NEWCGROUP | CLONE_NEWTIME) < 0) {
		if (errno == ESRCH)
			fail_sys(FD_REPORT, ESRCH, "the zone has just ended");
		fail_sys(FD_REPORT, errno, "join the zone's namespaces");
	}
	close(FD_PIDFD);
	/* keys are owned by these: again, now the zone's root's; if its keys are used up, the empty one from outside stays */
	setfsgid(0);
	setfsuid(0);
	closed();
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (in->calls >= 0)
		filtered = own_numbers(in);
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		fail_sys(FD_REPORT, errno, "become the zone's root");
	closed();
	return filtered;
}

/* Where we were given none: the zone's own /dev/null, if it is one. */
static void null_inside(const struct enter_in *in)
{
	struct stat st;
	int fd = -1;

	for (int i = 0; i < 3; i++) {
		if (in->std[i] >= 0)
			continue;
		if (fd < 0) {
			/* O_PATH first: a FIFO in its place must not block, a device must not be opened */
			char self[32];
			int p = open("/dev/null", O_PATH | O_CLOEXEC);

			if (p < 0)
				return;
			if (fstat(p, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
				snprintf(self, sizeof self, "/proc/self/fd/%d", p);
				fd = open(self, O_RDWR | O_CLOEXEC);
			}
			close(p);
			if (fd < 0)
				return;
		}
		dup2(fd, i);
	}
	if (fd > FD_REPORT)
		close(fd);
}

/* The zone's file as text; missing, strange or too big counts as empty. */
static void read_inside(const char *path, struct buf *b)
{
	_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	char chunk[8192];
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)PASSWD_MAX)
		return;
	while (b->len < PASSWD_MAX && (n = read(fd, chunk, sizeof chunk)) > 0)
		buf_add(b, chunk, (size_t)n);
}

static void find_user(const struct enter *en, struct passwd_user *u, gid_t *groups, size_t *ngroups)
{
	_buf_ struct buf pw = BUF_INIT, gr = BUF_INIT;

	*u = (struct passwd_user){.name = "root", .home = "/root", .shell = "/bin/sh"};
	*ngroups = 1;
	groups[0] = 0;
	if (en->safe && !en->user)
		return;
	read_inside("/etc/passwd", &pw);
	if (passwd_user(buf_str(&pw), pw.len, en->user ?: "root", u) < 0) {
		if (!en->user || !strcmp(en->user, "root"))
			return; /* root needs no line */
		fail_sys(FD_REPORT, ENOENT, "user \"%s\" in the zone's /etc/passwd", en->user);
	}
	read_inside("/etc/group", &gr);
	*ngroups = passwd_groups(buf_str(&gr), gr.len, u->name, u->gid, groups, GROUPS_MAX);
}

static void become(const struct passwd_user *u, const gid_t *groups, size_t ngroups)
{
	if (setgroups(ngroups, groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 || setresuid(u->uid, u->uid, u->uid) < 0)
		fail_sys(FD_REPORT, errno, "become user \"%s\"", u->name);
	closed();
}

struct environ {
	char *v[256];
	size_t n;
};

static void env_set(struct environ *x, const char *pair)
{
	size_t name = strcspn(pair, "=");

	for (size_t i = 0; i < x->n; i++) {
		if (!strncmp(x->v[i], pair, name + 1)) {
			x->v[i] = xstrdup(pair);
			return;
		}
	}
	if (x->n + 1 < ARRAY_LEN(x->v))
		x->v[x->n++] = xstrdup(pair);
}

static void env_make(struct environ *x, const struct enter_in *in, const struct passwd_user *u, const char *shell)
{
	env_set(x, u->uid ? "PATH=/usr/local/bin:/usr/bin:/bin"
			  : "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	/* an image's own variables belong to whatever runs in it */
	if (in->z->docker && !in->en->safe)
		for (char **v = in->z->env; v && *v; v++)
			env_set(x, *v);
	env_set(x, xprintf("HOME=%s", u->home));
	env_set(x, xprintf("USER=%s", u->name));
	env_set(x, xprintf("LOGNAME=%s", u->name));
	env_set(x, xprintf("SHELL=%s", shell));
	for (const char *const *v = in->en->env; v && *v; v++)
		env_set(x, *v);
	x->v[x->n] = NULL;
}

/* "a b c": zlogin hands its words to the user's shell as one line, as ssh does. */
static char *joined(const char *const *argv)
{
	struct buf b = BUF_INIT;

	for (; *argv; argv++) {
		if (b.len)
			buf_puts(&b, " ");
		buf_puts(&b, *argv);
	}
	return b.p ? buf_take(&b) : xstrdup("");
}

/* Never returns: 127 not found, 126 not executable, said on the program's own standard error. */
static void __attribute__((noreturn)) run(const char *path, char *const *argv, struct environ *x)
{
	int code;

	report(FD_REPORT, 0, "");
	execve(path, argv, x->v);
	code = errno;
	dprintf(2, "zlogin: %s: %s\n", path, strerror(code));
	_exit(code == ENOENT || code == ENOTDIR ? 127 : 126);
}

static void __attribute__((noreturn)) run_program(const struct enter_in *in)
{
	const struct enter *en = in->en;
	struct environ x = {.n = 0};
	struct passwd_user u;
	gid_t groups[GROUPS_MAX];
	size_t ngroups;
	const char *shell;

	find_user(en, &u, groups, &ngroups);
	shell = en->safe ? "/bin/sh" : u.shell;
	env_make(&x, in, &u, shell);
	if (!en->argv && !en->safe && in->pty && access("/bin/login", X_OK) == 0) {
		/* the zone's own session: PAM, motd, utmp. It needs root to become the user */
		char *av[] = {"login", "-p", "-f", u.name, NULL};

		if (chdir("/") < 0)
			fail_sys(FD_REPORT, errno, "/");
		run("/bin/login", av, &x);
	}
	/* so that "> /dev/stderr" works: the pipes, and the terminal, belong to who logs in */
	for (int i = 0; i < 3; i++)
		if (in->std[i] >= 0 && u.uid && fchown(i, u.uid, (gid_t)-1) < 0)
			break;
	become(&u, groups, ngroups);
	if (chdir(u.home) < 0 && chdir("/") < 0)
		fail_sys(FD_REPORT, errno, "/");
	if (en->argv) {
		char *av[] = {(char *)shell, "-c", joined(en->argv), NULL};

		run(shell, av, &x);
	} else {
		const char *base = strrchr(shell, '/') + 1;
		/* "-" makes it a login shell, which reads profiles: not when nothing of the zone's is trusted */
		char *av[] = {xprintf("%s%s", en->safe ? "" : "-", base), NULL};

		run(shell, av, &x);
	}
}

void enter_child(const struct enter_in *in)
{
	struct err e = ERR_INIT;
	bool filtered;

	closed();
	plain_process(in); /* a cgroup of v1 takes no real-time process in */
	/* Moved after the fork: a full pids cgroup refuses a fork, but takes in a process that is there already. */
	for (int i = 0; i < in->njoin; i++)
		if (write(in->join[i], "0", 1) < 0)
			fail_sys(in->report, errno, "join the zone's cgroup");
	if (in->join_v2 >= 0 && write(in->join_v2, "0", 1) < 0)
		fail_sys(in->report, errno, "join the zone's cgroup");
	/* Not the operator's: made here once more because outside it can't fail for want of the zone's key quota. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		fail_sys(in->report, errno, "new session keyring");
	own_session(in);
	shed_descriptors(in);
	filtered = join_namespaces(in);
	null_inside(in);
	/* first the filter: it needs a capability that the zone may not have */
	if (!filtered && in->filter_len && seccomp_apply(in->filter, in->filter_len, &e) < 0)
		fail(FD_REPORT, &e);
	if (caps_limit(in->z->caps, &e) < 0)
		fail(FD_REPORT, &e);
	run_program(in);
}
