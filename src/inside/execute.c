/* SPDX-License-Identifier: MPL-2.0 */
/*
 * mdata-execute: what a VM's metadata asks of it at each boot. It runs in the zone, as its root, so whatever stands in its way there is the
 * zone's own affair. In this order, each only if the key is there:
 *
 *	root_authorized_keys   /root/.ssh/authorized_keys, which it replaces
 *	user-data              /var/db/mdata-user-data
 *	sdc:operator-script    /var/svc/mdata-operator-script, run
 *	user-script            /var/svc/mdata-user-script, run; at the first boot for mdata_exec_timeout seconds at most
 *
 * What a script says goes to /var/log/mdata-operator-script.log, /var/log/mdata-user-script.log.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "inside/mdata.h"

#define SVC       "/var/svc"
#define BOOTED    SVC "/mdata-booted" /* there from the end of the first boot on */
#define TIMEOUT_S 300

static int say(const struct err *e)
{
	fprintf(stderr, "mdata-execute: %s\n", e->msg);
	return -1;
}

/* 1 = there is such a key. */
static int fetch(const char *key, struct buf *out)
{
	enum mdata_status status;
	struct err e = ERR_INIT;

	if (mdata_call(MDATA_GET, key, NULL, 0, &status, out, &e) < 0)
		return say(&e);
	if (status == MDATA_FAILURE) {
		err_set(&e, EIO, "%s: %s", key, buf_str(out));
		return say(&e);
	}
	return status == MDATA_SUCCESS;
}

static int put(const char *dir, mode_t dir_mode, const char *name, mode_t mode, const struct buf *text)
{
	_free_ char *path = xprintf("%s/%s", dir, name);
	struct err e = ERR_INIT;

	if (dir_make(dir, dir_mode, &e) < 0 || file_replace(path, buf_str(text), text->len, mode, 0, &e) < 0)
		return say(&e);
	return 0;
}

/* A key's value as a file. 1 = done, 0 = there is no such key. */
static int install(const char *key, const char *dir, mode_t dir_mode, const char *name, mode_t mode)
{
	_buf_ struct buf text = BUF_INIT;
	int r = fetch(key, &text);

	if (r == 1 && text.len && text.p[text.len - 1] != '\n')
		buf_puts(&text, "\n");
	return r <= 0 ? r : put(dir, dir_mode, name, mode, &text) < 0 ? -1 : 1;
}

static void become(const char *path, const char *log) __attribute__((noreturn));
static void become(const char *path, const char *log)
{
	char *argv[] = {(char *)path, NULL}, *sh[] = {(char *)"/bin/sh", (char *)path, NULL};
	int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	setsid();
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir("/") < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	execv(path, argv);
	if (errno == ENOEXEC) /* without #! it is the shell's */
		execv(sh[0], sh);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* seconds: 0 = as long as it likes. */
static int run(const char *name, unsigned seconds)
{
	_free_ char *path = xprintf(SVC "/%s", name), *log = xprintf("/var/log/%s.log", name);
	struct err e = ERR_INIT;
	_fd_ int fd = -1;
	pid_t pid;
	int st = 0;

	if (dir_make("/var/log", 0755, &e) < 0)
		return say(&e);
	pid = fork();

	if (pid == 0)
		become(path, log);
	fd = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (fd >= 0 && seconds) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int r;

		while ((r = poll(&p, 1, (int)seconds * 1000)) < 0 && errno == EINTR)
			;
		if (r == 0) {
			printf("%s: not done within %u seconds: killed\n", name, seconds);
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
	}
	if (pid < 0 || waitpid(pid, &st, 0) < 0) {
		fprintf(stderr, "mdata-execute: %s: %s\n", name, strerror(errno));
		return -1;
	}
	if (WIFEXITED(st))
		printf("%s: exit status %d\n", name, WEXITSTATUS(st));
	else
		printf("%s: ended by signal %d\n", name, WTERMSIG(st));
	fflush(stdout);
	return WIFEXITED(st) && WEXITSTATUS(st) == 0 ? 0 : 1;
}

static unsigned first_boot_seconds(void)
{
	_buf_ struct buf b = BUF_INIT;
	uint64_t n;

	if (access(BOOTED, F_OK) == 0)
		return 0;
	if (fetch("sdc:mdata_exec_timeout", &b) == 1 && str_to_u64(buf_str(&b), &n) == 0 && n <= 86400)
		return (unsigned)n;
	return TIMEOUT_S;
}

int mdata_execute(int argc, char **argv)
{
	static const struct buf nothing = {.p = NULL};
	unsigned seconds = first_boot_seconds();
	int r = 0, status = 0;

	if (argc != 1) {
		fprintf(stderr, "usage: mdata-execute\n");
		return 3;
	}
	if (install("root_authorized_keys", "/root/.ssh", 0700, "authorized_keys", 0600) < 0)
		status = 2;
	if (install("user-data", "/var/db", 0755, "mdata-user-data", 0600) < 0)
		status = 2;
	/* the operator's: its failure is no reason not to go on */
	r = install("sdc:operator-script", SVC, 0700, "mdata-operator-script", 0700);
	if (r == 1)
		run("mdata-operator-script", 0);
	status = r < 0 ? 2 : status;
	r = install("user-script", SVC, 0700, "mdata-user-script", 0700);
	if (r == 1)
		r = -run("mdata-user-script", seconds);
	status = r < 0 ? 2 : status;
	put(SVC, 0700, "mdata-booted", 0600, &nothing);
	return status;
}
