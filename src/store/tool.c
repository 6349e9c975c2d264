/* SPDX-License-Identifier: MPL-2.0 */
/* Running mkfs and blkid: only where devices are changed, never on the way of a zone. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "store/btrfs.h"

extern char **environ;

int tool_run(const char *const *argv, struct buf *out, struct err *e)
{
	posix_spawn_file_actions_t fa;
	_fd_ int in = -1;
	char chunk[512];
	int p[2], r, st;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	in = p[0];
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, p[1], 1);
	posix_spawn_file_actions_adddup2(&fa, p[1], 2);
	r = posix_spawn(&pid, argv[0], &fa, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(p[1]);
	if (r)
		return err_sys(e, r, "run %s", argv[0]);
	while ((n = read(in, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && out->len < 4096)
			buf_add(out, chunk, (size_t)n);
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for %s", argv[0]);
	for (char *q = out->p; q && *q; q++)
		if (*q == '\n')
			*q = q[1] ? ';' : 0;
	return WIFEXITED(st) ? WEXITSTATUS(st) : err_set(e, EIO, "%s was killed", argv[0]);
}
