/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zinit: process 1 of a joyent-minimal zone. It reaps, runs what it was told to, starts again what dies, and ends the
 * zone in order: SIGTERM, SIGPWR or SIGRTMIN+4 power off, SIGINT or SIGRTMIN+5 reboot.
 *
 *	zinit                 the zone's services: every executable in /etc/zinit.d, in order of name
 *	zinit -- PROGRAM …    that program instead (vmadm's init_name)
 *	zinit --once -- …     the same, and the zone ends with it, with its status (restart_init false)
 *	zinit --first P …     P too, once, beside the rest: what the zone's metadata asks for
 *
 * The distribution's reboot, poweroff, halt and shutdown reach it by sysvinit's fifo, to which they fall back where no
 * systemd answers.
 *
 * A service that ends is started again after 1, 2, 4 … 60 seconds; ten minutes of good life reset that. One that exits
 * with 0 within a second has done its work and is not. An init_name that can't be executed at all ends the zone with the
 * shell's 127 or 126: what comes then is the keeper's to decide. Static and small: a thousand run on one machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVICES_MAX 64
#define DIR_SERVICES "/etc/zinit.d"
#define RC_LOCAL     "/etc/rc.local"
#define INITCTL      "/run/initctl"
#define GRACE_MS     5000
#define BACKOFF_MAX  60
#define GOOD_S       600

struct service {
	char path[256];
	char **argv; /* NULL: the path alone */
	pid_t pid;
	unsigned failures;
	time_t started, due; /* CLOCK_MONOTONIC seconds; due 0 = not waiting */
	bool once;
};

static struct service services[SERVICES_MAX]; /* of process 1: there is one of each */
static int nservices;
static bool with_program; /* --once */
static int end_status = -1; /* of the zone, once it has to end */

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void say(const char *what, const char *name, int code)
{
	char line[400];
	int n = snprintf(line, sizeof line, "zinit: %s%s%s%s%s\n", name, *name ? ": " : "", what, code ? ": " : "",
			 code ? strerror(code) : "");

	if (n > 0 && write(2, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
		return;
}

/* vfork: the child's memory is ours until it execs, so we know why it could not. */
static void start(struct service *s)
{
	char *plain[] = {s->path, NULL};
	volatile int bad = 0;
	sigset_t none;
	pid_t p;

	sigemptyset(&none);
	s->started = now();
	s->due = 0;
	p = vfork();
	if (p == 0) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		execv(s->path, s->argv ? s->argv : plain);
		bad = errno;
		_exit(bad == ENOENT ? 127 : 126);
	}
	if (p < 0) {
		say("can't start", s->path, errno);
		s->due = now() + 1;
		return;
	}
	s->pid = p;
	if (bad)
		say("can't be executed", s->path, bad);
	if (bad && s->argv)
		end_status = bad == ENOENT ? 127 : 126;
}

static struct service *add(const char *path, char **argv)
{
	struct service *s;

	if (nservices == SERVICES_MAX || strlen(path) >= sizeof s->path)
		return NULL;
	s = &services[nservices++];
	strcpy(s->path, path);
	s->argv = argv;
	return s;
}

static bool executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static void find_services(void)
{
	struct dirent **list = NULL;
	int n = scandir(DIR_SERVICES, &list, NULL, alphasort);

	if (executable(RC_LOCAL)) {
		struct service *s = add(RC_LOCAL, NULL);

		if (s)
			s->once = true;
	}
	for (int i = 0; i < n; i++) {
		char path[300];

		snprintf(path, sizeof path, DIR_SERVICES "/%s", list[i]->d_name);
		if (list[i]->d_name[0] != '.' && executable(path) && !add(path, NULL))
			say("too many services, or too long a name", path, 0);
		free(list[i]);
	}
	free(list);
}

static void ended(struct service *s, int status)
{
	time_t lived = now() - s->started;
	unsigned wait = 1;

	s->pid = 0;
	if (with_program)
		end_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (s->once || (WIFEXITED(status) && WEXITSTATUS(status) == 0 && lived <= 1 && !s->argv))
		return;
	s->failures = lived >= GOOD_S ? 0 : s->failures;
	for (unsigned i = 0; i < s->failures && wait < BACKOFF_MAX; i++)
		wait *= 2;
	s->failures++;
	s->due = now() + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
}

/* What sysvinit's tools, and systemctl where there is no systemd, write to the fifo: initreq.h. */
struct init_request {
	int magic, cmd, runlevel, sleeptime;
	char data[368];
};
enum { INIT_MAGIC = 0x03091969, INIT_CMD_RUNLVL = 1 };

/* Read and write, so that it never reads as closed. -1: the zone has to do without. */
static int initctl_open(void)
{
	unlink(INITCTL);
	if (mkfifo(INITCTL, 0600) < 0)
		return -1;
	return open(INITCTL, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

/* The runlevel that is asked for, 0 = none. Only root can write there, but a torn request is still no request. */
static int initctl_read(int fd)
{
	struct init_request q;
	ssize_t n = read(fd, &q, sizeof q);

	return n == sizeof q && q.magic == INIT_MAGIC && q.cmd == INIT_CMD_RUNLVL ? q.runlevel : 0;
}

static void reap(void)
{
	int status;
	pid_t p;

	while ((p = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < nservices; i++)
			if (services[i].pid == p)
				ended(&services[i], status);
}

/* Milliseconds until the next service is due, -1 if none is. */
static int start_due(void)
{
	int wait = -1;

	for (int i = 0; i < nservices; i++) {
		struct service *s = &services[i];

		if (s->due && s->due <= now())
			start(s);
		if (s->due) {
			int ms = (int)(s->due - now()) * 1000;

			wait = wait < 0 || ms < wait ? ms : wait;
		}
	}
	return wait;
}

/* how: what reboot(2) takes; -1: as a program that exits with end_status. */
static _Noreturn void finish(int sfd, int how)
{
	struct pollfd p = {.fd = sfd, .events = POLLIN};
	struct signalfd_siginfo si;
	struct timespec t0, t;
	int left = GRACE_MS;

	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	while (left > 0) {
		/* one SIGCHLD may stand for several */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		/* -1 with ECHILD: all gone, orphans included, for every process of the zone is ours in the end */
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			break;
		if (poll(&p, 1, left) > 0 && read(sfd, &si, sizeof si) < 0)
			break;
		clock_gettime(CLOCK_MONOTONIC, &t);
		left = GRACE_MS - (int)((t.tv_sec - t0.tv_sec) * 1000 + (t.tv_nsec - t0.tv_nsec) / 1000000);
	}
	kill(-1, SIGKILL);
	sync();
	if (how < 0)
		_exit(end_status);
	reboot(how);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct signalfd_siginfo si;
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};
	sigset_t all;

	if (getpid() != 1) {
		fprintf(stderr, "zinit: only of use as process 1 of a zone\n");
		return 1;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	p[0].fd = signalfd(-1, &all, SFD_CLOEXEC);
	if (p[0].fd < 0) {
		say("signalfd", "", errno);
		return 1;
	}
	p[1].fd = initctl_open();
	if (argc > 2 && !strcmp(argv[1], "--first")) {
		struct service *s = add(argv[2], NULL);

		if (s)
			s->once = true;
		argc -= 2, argv += 2;
	}
	if (argc > 1 && !strcmp(argv[1], "--once")) {
		with_program = true;
		argc--, argv++;
	}
	if (argc > 2 && !strcmp(argv[1], "--"))
		add(argv[2], argv + 2);
	else
		find_services();
	for (int i = 0; i < nservices; i++)
		start(&services[i]);
	for (;;) {
		int ms = start_due(), level;

		if (end_status >= 0)
			finish(p[0].fd, -1);
		if (poll(p, 2, ms) < 0 && errno != EINTR)
			return 1;
		if (p[1].revents & POLLIN) {
			level = initctl_read(p[1].fd);
			if (level == '0' || level == '6')
				finish(p[0].fd, level == '0' ? RB_POWER_OFF : RB_AUTOBOOT);
		}
		if (!(p[0].revents & POLLIN) || read(p[0].fd, &si, sizeof si) != sizeof si)
			continue;
		if (si.ssi_signo == SIGCHLD)
			reap();
		else if (si.ssi_signo == SIGINT || si.ssi_signo == (unsigned)SIGRTMIN + 5)
			finish(p[0].fd, RB_AUTOBOOT);
		else if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGPWR || si.ssi_signo == (unsigned)SIGRTMIN + 4 ||
			 si.ssi_signo == (unsigned)SIGRTMIN + 3)
			finish(p[0].fd, RB_POWER_OFF);
	}
}
