/* SPDX-License-Identifier: MPL-2.0 */
#include "node/later.h"

#include <fcntl.h>
#include <spawn.h>

extern char **environ;

int later(const struct ctx *c, const char *verb, const char *a, const char *b, pid_t *pid)
{
	char *argv[] = {(char *)c->self, (char *)"--node", (char *)c->node.name, (char *)verb, (char *)a, (char *)b, NULL};
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	int r;

	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSID);
	/* the caller may wait for the end of a pipe that is our output */
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
	r = posix_spawn(pid, c->self, &fa, &at, argv, environ);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	return -r;
}
