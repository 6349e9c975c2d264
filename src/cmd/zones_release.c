/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What cloister-zones.service runs when it stops. That is when the host goes down (it refuses to be stopped by hand), or
 * when its process was killed, which is no business of the zones'. The zones of all nodes end in order then: also of
 * those that no unit knows, which process 1 would else send a SIGTERM that means something else to a zone's systemd,
 * and wait 90 seconds for.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "image/child.h"

/* 1: the host goes down. */
static int going_down(struct err *e)
{
	const char *argv[] = {"systemctl", "is-system-running", NULL};
	struct child child = CHILD_INIT;
	_fd_ int rd = -1;
	_fd_ int wr = -1;
	char text[32] = "";
	ssize_t n;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	rd = p[0], wr = p[1];
	r = child_start(&child, argv, NULL, (const int[]){-1, wr, -1}, 3, e);
	if (r < 0)
		return err_add(e, "ask systemd whether the host goes down");
	n = read(rd, text, sizeof text - 1);
	child_wait(&child);
	return n > 0 && str_starts(text, "stopping");
}

static int release(struct ctx *c, const char *run)
{
	const char *dash = strchr(strrchr(run, '/'), '-');
	const char *argv[] = {c->self, "--node", dash ? dash + 1 : "default", "shutdown", NULL};
	struct child child = CHILD_INIT;
	struct err e = ERR_INIT;

	if (child_start(&child, argv, NULL, (const int[]){-1, 1, 2}, 3, &e) < 0)
		return cmd_fail(c, &e);
	return child_wait(&child);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	glob_t g = {0};
	int r, failed = 0;

	if (argc != 1)
		return cmd_usage("cloister", "zones-release", NULL);
	r = going_down(&e);
	if (r <= 0)
		return r < 0 ? cmd_fail(c, &e) : 0;
	/* the default node's first: most of the time there is no other */
	if (glob("/run/cloister", 0, NULL, &g) != 0)
		g = (glob_t){0};
	glob("/run/cloister-*", g.gl_pathc ? GLOB_APPEND : 0, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc; i++)
		failed |= release(c, g.gl_pathv[i]) != 0;
	globfree(&g);
	return failed;
}

CMD_INTERNAL(cloister_zones_release, "cloister", "zones-release", "", "for cloister-zones.service: the host goes down", CMD_NONE, run);
