/* SPDX-License-Identifier: MPL-2.0 */
#include "net/netd_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/pidfd.h"
#include "kern/plain.h"
#include "kern/rtnl.h"
#include "kern/sig.h"
#include "net/router.h"

#define UIDS      0xffff4000u /* no zone's: those end below 0xffff0000 (base/ctx.c) */
#define END_MS    5000
#define START_MS  10000 /* with the switch's lock held, which others wait for */
#define LOCK_MS   2000  /* for one that is just ending, or that another command has just begun */

static const char *const programs[] = {[NETD_SERVES] = "cloister-netd", [NETD_ASKS] = "cloister-dhcp"};

void netd_ifname(enum netd_kind kind, uint32_t sw, char out[16])
{
	if (kind == NETD_SERVES)
		router_ifname(sw, out);
	else
		snprintf(out, 16, "u%u", sw >> 12);
}

static uint64_t now_ms(void)
{
	return clock_mono_ns() / 1000000;
}

struct proc {
	int pid, ifindex;
	unsigned long long start;
};

static bool note_read(const char *dir, struct proc *p)
{
	_free_ char *path = xprintf("%s/pid", dir);
	_buf_ struct buf b = BUF_INIT;

	return file_read(AT_FDCWD, path, 200, &b, NULL) == 0 && sscanf(buf_str(&b), "%d %llu %d", &p->pid, &p->start, &p->ifindex) == 3 && p->pid > 1;
}

/* Its pidfd, or -ESRCH. */
static int find(const char *dir, struct proc *p)
{
	return note_read(dir, p) ? pidfd_of(p->pid, p->start, NULL) : -ESRCH;
}

/* Asked first: it tells the zones that it is a router no more. */
int netd_proc_stop(const char *dir, struct err *e)
{
	struct proc p;
	_fd_ int fd = find(dir, &p);

	if (fd < 0)
		return 0;
	pidfd_kill(fd, SIGTERM);
	if (pidfd_wait(fd, END_MS) == 0)
		return 0;
	pidfd_kill(fd, SIGKILL);
	return pidfd_wait(fd, END_MS) < 0 ? err_set(e, ETIME, "process %d does not end, not even by SIGKILL", p.pid) : 0;
}

struct start {
	const char *path, *pid; /* the program, and where it notes who it is */
	char *const *argv, *const *join, *const *env;
	int ifindex, folder, ns, lock, ready;
};

/* Numbers above those that it gets, so that none of them is hit before it is copied. */
static int high(int fd)
{
	return fcntl(fd, F_DUPFD, 64);
}

/* In the child of a child, which nobody waits for. */
static void become(const struct start *a)
{
	int from[] = {high(a->folder), high(a->ns), high(a->lock), high(a->ready)}, null = open("/dev/null", O_RDWR), fd;
	char line[100];
	int n;

	for (char *const *j = a->join; j && *j; j++)
		file_write(AT_FDCWD, *j, "0\n", NULL);
	n = snprintf(line, sizeof line, "%d %llu %d\n", (int)getpid(), (unsigned long long)pid_start(getpid(), NULL), a->ifindex);
	fd = open(a->pid, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		_exit(1);
	close(fd);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	for (int i = 0; i < 4; i++)
		if (from[i] < 0 || dup2(from[i], 3 + i) < 0)
			_exit(1);
	close_range(7, ~0U, 0);
	plain_self();
	sig_defaults();
	execve(a->path, a->argv, a->env);
	_exit(127);
}

/* Its first line. -ETIME. */
static int hear(int fd, char *out, size_t size)
{
	uint64_t end = now_ms() + START_MS, now;
	size_t n = 0;
	ssize_t got = 1;

	while (n < size - 1 && got != 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		now = now_ms();
		if (now >= end || poll(&p, 1, (int)(end - now)) == 0) {
			*out = 0;
			return -ETIME;
		}
		got = read(fd, out + n, size - 1 - n);
		if (got > 0)
			n += (size_t)got;
		else if (got < 0 && errno != EINTR)
			break;
	}
	out[n] = 0;
	out[strcspn(out, "\n")] = 0;
	return 0;
}

static int spawn(const struct start *a, int ready, struct err *e)
{
	char answer[300];
	pid_t pid = fork();
	int r;

	if (pid == 0) {
		close(ready);
		setsid();
		if (chdir("/") < 0 || fork() != 0)
			_exit(0);
		become(a);
	}
	close(a->ready);
	if (pid < 0)
		return err_sys(e, errno, "fork");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	r = hear(ready, answer, sizeof answer);
	if (r == -ETIME)
		return err_set(e, ETIME, "%s did not say within %d s that it is ready", a->path, START_MS / 1000);
	if (str_eq(answer, "ok"))
		return 0;
	return err_set(e, EIO, "%s %s", a->path, answer[0] ? answer : "did not run");
}

/* No two of one switch: the lock is the process's own, for as long as it lives. */
int netd_proc_lock(int fd, const char *path, struct err *e)
{
	uint64_t end = now_ms() + LOCK_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, errno, "lock %s", path);
		if (now_ms() >= end) {
			err_set(e, EBUSY, "a responder that no command knows has this switch: %s is locked", path);
			return err_hint(e, "`fuser %s` says which process that is; end it, and repeat the command.", path);
		}
		poll(NULL, 0, 20);
	}
	return 0;
}

static int start(const struct netd *d, uint32_t sw, const char *dir, struct err *e)
{
	_free_ char *path = xprintf("%s/%s", d->c->libexec, programs[d->kind]), *pid = xprintf("%s/pid", dir), *lock = xprintf("%s/lock", dir);
	_free_ char *libexec = xprintf("CLOISTER_LIBEXEC=%s", d->c->libexec), *self = xprintf("CLOISTER_SELF=%s", d->c->self);
	/* what answers zones starts nothing */
	char *const plain[] = {"PATH=/", NULL}, *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", libexec, self, NULL};
	_fd_ int fold = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), held = -1;
	_fd_ int ns = d->kind == NETD_SERVES ? router_open(d->c, false, e) : fcntl(d->s->ns, F_DUPFD_CLOEXEC, 0);
	_free_ char *key = xprintf("%s %s%u", d->c->node.name, d->kind == NETD_SERVES ? "" : "dhcp ", sw);
	char name[16], uid[16];
	char *const argv[] = {(char *)programs[d->kind], name, uid, d->kind == NETD_SERVES ? NULL : (char *)d->c->self, (char *)d->c->node.name, NULL};
	struct start a = {path, pid, argv, d->join, d->kind == NETD_SERVES ? plain : env, 0, fold, -1, -1, -1};
	int p[2], r;

	netd_ifname(d->kind, sw, name);
	snprintf(uid, sizeof uid, "%u", UIDS + (unsigned)(str_hash(key, strlen(key)) & 0x3fff));
	if (ns < 0)
		return ns;
	held = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fold < 0 || held < 0)
		return err_sys(e, errno, "%s", dir);
	r = netd_proc_lock(held, lock, e);
	if (r < 0)
		return r;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	a.ifindex = rtnl_index(d->s->rtnl, name, NULL);
	a.ns = ns;
	a.lock = held;
	a.ready = p[1];
	r = spawn(&a, p[0], e);
	close(p[0]);
	if (r < 0)
		netd_proc_stop(dir, NULL);
	return r;
}

/* It runs, at the interface that there is now, and has read the table. */
int netd_proc_ensure(const struct netd *d, uint32_t sw, const char *dir, bool changed, struct err *e)
{
	char name[16];
	struct proc p;
	_fd_ int fd = find(dir, &p);
	int r;

	netd_ifname(d->kind, sw, name);
	if (fd >= 0 && p.ifindex == rtnl_index(d->s->rtnl, name, NULL)) {
		if (changed)
			pidfd_kill(fd, SIGHUP);
		return 0;
	}
	r = fd >= 0 ? netd_proc_stop(dir, e) : 0;
	return r < 0 ? r : start(d, sw, dir, e);
}
