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

/* Not waited for: it takes the VM's lock, whose holder may wait for us; or as long as a zone's script likes. */
static void call(const struct zspec *z, const char *verb)
{
	char *argv[] = {z->cloister, (char *)"--node", z->node, (char *)verb, z->uuid, NULL};
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

void keeper_call_ready(const struct zspec *z)
{
	call(z, "zone-ready");
}

void keeper_call_scripts(const struct zspec *z)
{
	call(z, "zone-scripts");
}

int keeper_call_ended(const struct zspec *z)
{
	char *argv[] = {z->cloister, (char *)"--node", z->node, (char *)"zone-ended", z->uuid, NULL};
	_fd_ int out = z->log_dir ? platform_log(z->log_dir) : -1;
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
