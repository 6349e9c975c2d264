/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The zone's metadata service while nobody asks anything, which is nearly always: a listening socket in /.zonecontrol, or, for a
 * machine, the connection to its second serial port. When something comes, `cloister zone-mdata` is started with a copy of it and
 * does all that there is to do; it ends when nothing has come for a while. We read nothing of it here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "zone/mdata.h"
#include "zoneadmd/part.h"
#include "zoneadmd/zoneadmd.h"

#define SECOND   1000000000ULL
#define GOOD_RUN SECOND /* one that lived as long was no failure */
#define WAIT_MAX 60     /* seconds */
#define COPY     3      /* its number there */

static struct {
	const char *uuid, *log_dir;
	bool serial;
	int line;  /* of a machine: connected, -1 = not */
	pid_t pid; /* who serves; 0 = nobody */
	int pidfd;
	uint64_t began, next; /* next: not before that; 0 = at once */
	unsigned fails;
	char path[512], node[64];
} mdata = {.line = -1, .pidfd = -1};

static bool find_program(const char *key, const char *value, void *arg)
{
	if (!strcmp(key, "cloister"))
		snprintf(mdata.path, sizeof mdata.path, "%s", value);
	else if (!strcmp(key, "node"))
		snprintf(mdata.node, sizeof mdata.node, "%s", value);
	return mdata.path[0] && mdata.node[0];
}

static int source(void)
{
	return mdata.serial ? mdata.line : FD_MDATA;
}

static void later(uint64_t now)
{
	uint64_t wait = 1ULL << (mdata.fails < 6 ? mdata.fails : 6);

	mdata.fails++;
	mdata.next = now + (wait < WAIT_MAX ? wait : WAIT_MAX) * SECOND;
}

static void connect_line(uint64_t now)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_fd_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/" MDATA_SOCK, FD_RUN);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof a) < 0)
		later(now);
	else
		mdata.line = take_fd(&s);
}

static void exec_command(pid_t worker) __attribute__((noreturn));
static void exec_command(pid_t worker)
{
	char *argv[] = {mdata.path, (char *)"--node", mdata.node, (char *)"zone-mdata", (char *)mdata.uuid,
				   (char *)(mdata.serial ? "serial" : "socket"), NULL};
	int from = fcntl(source(), F_DUPFD, FD_FREE), out;

	out = platform_log(mdata.log_dir);
	/* the next worker starts its own */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker || from < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	umask(022);
	dup2(out < 0 ? 0 : out, 1);
	dup2(out < 0 ? 0 : out, 2);
	dup2(from, COPY);
	close_range(COPY + 1, ~0U, 0);
	execv(mdata.path, argv);
	_exit(127);
}

static void start(uint64_t now)
{
	pid_t me = getpid();

	if (!mdata.path[0] || !mdata.node[0])
		spec_scan(FD_RUN, find_program, NULL);
	mdata.pid = fork();
	if (mdata.pid == 0)
		exec_command(me);
	if (mdata.pid < 0) {
		mdata.pid = 0;
		later(now);
		return;
	}
	mdata.began = now;
	mdata.pidfd = pidfd_open(mdata.pid, 0);
	if (mdata.pidfd < 0) { /* no way to hear of its end */
		kill(mdata.pid, SIGKILL);
		waitpid(mdata.pid, NULL, 0);
		mdata.pid = 0;
		later(now);
	}
}

static void ended(uint64_t now)
{
	int st = 0;
	bool good;

	waitpid(mdata.pid, &st, 0);
	own_fd(&mdata.pidfd);
	mdata.pid = 0;
	/* one that was ended for what it did would do it again */
	good = now - mdata.began >= GOOD_RUN && WIFEXITED(st) && WEXITSTATUS(st) == 0;
	if (!good)
		later(now);
	else
		mdata.fails = 0;
}

/* Its end can be read as well as bytes can: whether there are any is asked, and they stay. */
static bool line_over(const struct pollfd *p)
{
	char c;

	return p->revents & (POLLHUP | POLLERR) && recv(mdata.line, &c, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static int mdata_poll(struct pollfd *p)
{
	bool wait = !mdata.pid && !mdata.next;

	p[0] = (struct pollfd){.fd = wait ? source() : -1, .events = POLLIN};
	p[1] = (struct pollfd){.fd = mdata.pidfd, .events = POLLIN};
	return 2;
}

static uint64_t mdata_due(void)
{
	return mdata.pid ? 0 : mdata.next ?: mdata.serial && mdata.line < 0 ? 1 : 0;
}

static void mdata_ready(const struct pollfd *p, int n, uint64_t now)
{
	if (n < 2)
		return;
	if (mdata.pid && p[1].revents)
		ended(now);
	if (mdata.next && mdata.next <= now)
		mdata.next = 0;
	if (mdata.pid || mdata.next)
		return;
	if (mdata.serial && mdata.line < 0) {
		connect_line(now);
	} else if (mdata.serial && line_over(p)) {
		own_fd(&mdata.line); /* its monitor has gone, or behaves as if */
		later(now);
	} else if (p[0].revents & POLLIN) {
		start(now);
	}
}

static int mdata_start(const struct worker *w)
{
	struct stat st;

	mdata.uuid = w->uuid;
	mdata.log_dir = w->log_dir;
	mdata.serial = faccessat(FD_RUN, MDATA_SOCK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (mdata.serial)
		return 0;
	/* of a zone that an older keeper started there is none */
	return fstat(FD_MDATA, &st) == 0 && S_ISSOCK(st.st_mode) ? 0 : -ENOENT;
}

static void mdata_end(void)
{
	if (mdata.pid)
		kill(mdata.pid, SIGKILL);
}

const struct part part_mdata = {
	.name = "mdata", .start = mdata_start, .poll = mdata_poll, .ready = mdata_ready, .due = mdata_due, .end = mdata_end,
};
