/* SPDX-License-Identifier: MPL-2.0 */
/* The commands that the keeper calls: they decide, it only tells. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "zoneadmd/zoneadmd.h"

void keeper_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Not waited for: it takes the VM's lock, whose holder may wait for us. */
void keeper_call_ready(const struct zspec *z)
{
	char *argv[] = {z->cloister, (char *)"--node", z->node, (char *)"zone-ready", z->uuid, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		if (fork())
			_exit(0);
		signal(SIGPIPE, SIG_DFL);
		keeper_signals();
		umask(022);
		close_range(3, ~0U, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int keeper_call_ended(const struct zspec *z)
{
	char *argv[] = {z->cloister, (char *)"--node", z->node, (char *)"zone-ended", z->uuid, NULL};
	_free_ char *log = z->log_dir ? xprintf("%s/platform.log", z->log_dir) : NULL;
	_fd_ int out = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	pid_t pid = fork();
	int st;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		keeper_signals();
		umask(022);
		dup2(out < 0 ? 0 : out, 1);
		dup2(out < 0 ? 0 : out, 2);
		close_range(3, ~0U, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(st) ? -EINTR : 0;
}
