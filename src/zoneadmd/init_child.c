/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The zone's init before it is one: from clone3 to exec, as the zone's own root, inside. It trusts nothing in the
 * zone's files, and has nothing that they could take: one socket, which exec closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "kern/notify.h"
#include "kern/path.h"
#include "kern/ns.h"
#include "kern/seccomp.h"
#include "kern/sock.h"
#include "kern/sig.h"
#include "kern/slice.h"
#include "zoneadmd/zoneadmd.h"

#define SOCK 3

static void tell(const struct err *e)
{
	if (send(SOCK, e, sizeof *e, MSG_NOSIGNAL) < 0)
		_exit(125);
}

static void done(void)
{
	tell(&(struct err){.code = 0});
}

static void fail(struct err *e)
{
	if (!e->code)
		e->code = EIO;
	tell(e);
	_exit(125);
}

/* The keeper's next word; its death ends us too. */
static char hear(void)
{
	char c = 0;
	ssize_t n;

	do
		n = recv(SOCK, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(125);
	return c;
}

/* Before anything of the zone is mounted: no descriptor but the socket, default signals. */
static int settle(const struct boot *b, int sock, struct err *e)
{
	for (int i = 0; i < b->njoin; i++)
		if (write(b->join[i], "0", 1) < 0)
			return err_sys(e, errno, "join %s", b->z.join[i]);
	if (dup2(sock, SOCK) < 0 || close_range(SOCK + 1, ~0U, 0) < 0 || fcntl(SOCK, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, errno, "close descriptors");
	sig_defaults();
	umask(022);
	personality(PER_LINUX);
	return 0;
}

/*
 * What is asked of the namespaces themselves is done here, while the keeper makes the mounts. Limits of the user namespace
 * can be set by its root with CAP_SYS_RESOURCE, which is about to go for good; the sysctls of an IPC namespace, by euid
 * and not by capability, by the root of the user namespace that owns it.
 */
static int become_root(const struct zspec *z, int proc, struct err *e)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, errno, "become the zone's root");
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, errno, "new cgroup namespace");
	return sysctls_set(z, proc, e) < 0 || ns_lo_up(e) < 0 ? -e->code : 0;
}

static int names(const struct zspec *z, struct err *e)
{
	const char *host = z->hostname ?: z->uuid, *dom = z->domain;

	if (sethostname(host, strlen(host)) < 0)
		return err_sys(e, errno, "host name %s", host);
	if (dom && setdomainname(dom, strlen(dom)) < 0)
		return err_sys(e, errno, "domain name %s", dom);
	/* What the caller's session keyring holds is none of the zone's business. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return err_sys(e, errno, "new session keyring");
	return 0;
}

static int stdio(const struct zspec *z, struct err *e)
{
	const char *path = z->no_console ? "/dev/null" : "/dev/console";
	_fd_ int fd = -1;

	if (setsid() < 0)
		return err_sys(e, errno, "new session");
	fd = open(path, O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	/*
	 * An entrypoint gets its terminal as a session leader wants it. An init does not: it starts gettys, each the leader
	 * of a session that has to be able to take the console.
	 */
	if (z->docker && !z->no_console && ioctl(fd, TIOCSCTTY, 0) < 0)
		return err_sys(e, errno, "controlling terminal");
	for (int i = 0; i < 3; i++)
		if (dup2(fd, i) < 0)
			return err_sys(e, errno, "console");
	return 0;
}

/*
 * Limits are ceilings, so where this process may not raise its own (the hard one is lower and CAP_SYS_RESOURCE is
 * missing) the lower one stands and the promise holds.
 */
static int limit(int what, uint64_t value, const char *name, struct err *e)
{
	struct rlimit r;

	if (!value)
		return 0;
	if (getrlimit((__rlimit_resource_t)what, &r) < 0)
		return err_sys(e, errno, "%s", name);
	if (value > r.rlim_max)
		value = r.rlim_max;
	r.rlim_cur = r.rlim_max = value;
	if (what == RLIMIT_NOFILE && r.rlim_cur > 1024)
		r.rlim_cur = 1024; /* programs with select(2); those that need more raise it to the hard limit */
	return setrlimit((__rlimit_resource_t)what, &r) < 0 ? err_sys(e, errno, "%s", name) : 0;
}

/*
 * The table, and before it what the zone would be told of the host by two system calls; without these, and without a word, where
 * the kernel can't: docs/limits.md.
 */
static int filter(const struct buf *table, struct err *e)
{
	_fd_ int listener = notify_install(table->p, table->len);

	if (listener >= 0)
		return sock_send_fd(SOCK, 'n', listener) < 0 ? err_sys(e, errno, "listener of system calls") : 0;
	return table->len ? seccomp_apply(table->p, table->len, e) : 0;
}

static int restrict_self(const struct boot *b, struct err *e)
{
	for (int c = 0; c < 64; c++) {
		if (b->z.caps >> c & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
			return err_sys(e, errno, "drop capability %d", c);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return filter(&b->filter, e);
}

/* The image names it: through no link of /proc, which could be a folder of whoever's descriptor it is. */
static int work_in(const char *cwd, struct err *e)
{
	_fd_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	fd = root < 0 ? -errno : path_open_in(root, cwd, O_PATH | O_DIRECTORY, 0, NULL);
	if (fd >= 0 && fchdir(fd) == 0)
		return 0;
	return err_sys(e, fd < 0 ? fd : errno, "working directory %s", cwd);
}

static int identity(const struct zspec *z, const struct init_ids *ids, struct err *e)
{
	if (ids && (setgroups(ids->ngroups, ids->groups) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
		    setresuid(ids->uid, ids->uid, ids->uid) < 0))
		return err_sys(e, errno, "become user %s", z->user);
	if (z->cwd)
		return work_in(z->cwd, e);
	return chdir("/") < 0 ? err_sys(e, errno, "working directory /") : 0;
}

/* An image's program expects HOME; the image seldom says it. */
static void add_home(struct zspec *z, const char *home)
{
	size_t n = 0;

	for (; z->env && z->env[n]; n++)
		if (!strncmp(z->env[n], "HOME=", 5))
			return;
	z->env = xrealloc(z->env, (n + 2) * sizeof *z->env);
	z->env[n] = xprintf("HOME=%s", *home ? home : "/");
	z->env[n + 1] = NULL;
}

static void cannot_run(const char *path, int code, struct err *e)
{
	err_sys(e, code, "exec %s", path);
	if (code == ENOENT && access(path, F_OK) == 0)
		err_hint(e, "it is there, but the interpreter or loader that it names is not in the zone's root");
	else if (code == ENOENT)
		err_hint(e, "the zone's root has no such file: see init_name, or the image");
	else if (code == EACCES)
		err_hint(e, "it has to be an executable file, on a filesystem that is not noexec");
	else if (code == ENOEXEC)
		err_hint(e, "it is a program of another machine, or a script without #!");
}

/* The program that our own init is given; NULL if there is none. */
static const char *given(const struct zspec *z)
{
	if (strcmp(z->argv[0], "/.zonecontrol/native/zinit") != 0)
		return NULL;
	for (char **a = z->argv + 1; *a; a++)
		if (!strcmp(*a, "--"))
			return a[1];
	return NULL;
}

static void run(const struct zspec *z, struct err *e)
{
	char *const none[] = {NULL};
	const char *program;
	struct stat st;

	if (!z->argv || !z->argv[0]) {
		err_set(e, EINVAL, "the zone has no init");
		return;
	}
	program = given(z);
	/* zinit would find out too, but nobody who boots the zone would hear of it */
	if (program && (stat(program, &st) < 0 || access(program, X_OK) < 0)) {
		cannot_run(program, errno, e);
		return;
	}
	if (program && !S_ISREG(st.st_mode)) {
		cannot_run(program, EACCES, e);
		return;
	}
	execve(z->argv[0], z->argv, z->env ?: (char **)none);
	cannot_run(z->argv[0], errno, e);
}

static int inside(struct boot *b, struct err *e)
{
	struct init_ids ids, *as = NULL;
	int r;

	if (b->z.user && strcmp(b->z.user, "0:0")) {
		r = init_user(b->z.user, &ids, e);
		if (r < 0)
			return r;
		as = &ids;
	}
	if (b->z.docker)
		add_home(&b->z, as ? as->home : "/root");
	r = init_fds(&b->z, SOCK, e);
	if (r == 0 && !b->z.root_empty)
		r = init_files(&b->z, e);
	if (r == 0)
		r = stdio(&b->z, e);
	if (r == 0)
		r = limit(RLIMIT_MEMLOCK, b->z.memlock, "max_locked_memory", e);
	if (r == 0)
		r = limit(RLIMIT_NOFILE, b->z.nofile, "open files", e);
	if (r == 0 && b->z.slice && (r = slice_set(0, b->z.slice)) < 0)
		r = r == -EOPNOTSUPP ? 0 : err_sys(e, r, "time slice for its cpu_shares");
	if (r == 0)
		r = restrict_self(b, e);
	if (r == 0)
		r = identity(&b->z, as, e);
	return r;
}

void init_child(struct boot *b, int sock)
{
	struct err e = ERR_INIT;
	int proc = -1, root = -1, go;

	if (settle(b, sock, &e) < 0 || sock_recv_fd(SOCK, &proc) != 'g' || become_root(&b->z, proc, &e) < 0)
		fail(&e);
	own_fd(&proc);
	if (names(&b->z, &e) < 0)
		fail(&e);
	done();
	go = sock_recv_fd(SOCK, &root);
	if (go != 'm' && go != 'l')
		_exit(125);
	/* the zone's root: our own is still what was the host's */
	if (fchdir(root) < 0 || chroot(".") < 0 || close(root) < 0 || unshare(CLONE_NEWNS) < 0) {
		err_sys(&e, errno, "new mount namespace");
		fail(&e);
	}
	if (go == 'l') {
		done();
		if (hear() != 'x')
			_exit(125);
	}
	if (inside(b, &e) == 0)
		run(&b->z, &e);
	fail(&e);
	_exit(125);
}
