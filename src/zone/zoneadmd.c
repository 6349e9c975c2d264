/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/zoneadmd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "zone/zone.h"

#define REPLY_MAX 8192
#define FD_LOCK   5

/* Only what the keeper hands on to the command that it calls when the zone has ended; nothing of a user's session. */
static char **environment(void)
{
	static const char *const keep[] = {"CLOISTER_LIBEXEC", "CLOISTER_SELF", "CLOISTER_FAIL"};
	char **env = xalloc((ARRAY_LEN(keep) + 2) * sizeof *env);
	size_t n = 0;

	env[n++] = xstrdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_LEN(keep); i++)
		if (secure_getenv(keep[i]))
			env[n++] = xprintf("%s=%s", keep[i], secure_getenv(keep[i]));
	return env;
}

static void unescape(char *s)
{
	char *w = s;

	for (; *s; s++)
		*w++ = *s == '\\' && s[1] ? (*++s == 't' ? '\t' : *s == 'n' ? '\n' : *s) : *s;
	*w = 0;
}

/* One line of the reply. 1 = more to come, 0 = ok, negative = it failed. */
/* What a boot still has to be told while it is heard. */
struct hear {
	int *go;
	const struct zone_net *net;
	struct err e; /* why its links can't be made: what zoneadmd says of a closed pipe is no reason */
};

static void reply_net(struct hear *h, const char *pid)
{
	int r = h && h->net ? h->net->up(h->net->arg, (pid_t)atoi(pid), h->go ? *h->go : -1, &h->e) : 0;

	if (!h || !h->go)
		return;
	if (r == 0 && write(*h->go, "n", 1) != 1)
		r = -EPIPE;
	if (r < 0)
		own_fd(h->go);
}

static int reply_line(const struct ctx *c, struct hear *h, char *line, char *answer, size_t n, struct err *e)
{
	char *msg, *hint;
	int code;

	if (str_starts(line, "step ")) {
		ctx_log(c, LOG_DEBUG, "zoneadmd: %s us", line + 5);
		return 1;
	}
	if (str_starts(line, "net ")) {
		reply_net(h, line + 4);
		return 1;
	}
	if (str_starts(line, "ok")) {
		snprintf(answer, n, "%s", line[2] ? line + 3 : "");
		return 0;
	}
	code = str_starts(line, "err ") ? atoi(line + 4) : 0;
	msg = strchr(line, '\t');
	hint = msg ? strchr(msg + 1, '\t') : NULL;
	if (code <= 0 || !hint)
		return err_set(e, EPROTO, "zoneadmd said \"%.80s\"", line);
	*msg++ = 0;
	*hint++ = 0;
	unescape(msg);
	unescape(hint);
	err_set(e, code, "%s", msg);
	if (*hint)
		err_hint(e, "%s", hint);
	return -code;
}

static int read_reply(const struct ctx *c, int fd, struct hear *h, char *answer, size_t n, struct err *e)
{
	char text[REPLY_MAX];
	size_t len = 0;

	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->cancel, .events = POLLIN}};
		int64_t left = c->deadline ? (int64_t)(c->deadline - clock_mono_ns()) : 0;
		ssize_t got;
		char *end;

		if (c->deadline && left <= 0)
			return err_set(e, ETIME, "the time limit of this operation has passed");
		if (poll(p, 2, c->deadline ? (int)(left / 1000000) + 1 : -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "wait for zoneadmd");
		if (p[1].revents)
			return err_set(e, ECANCELED, "interrupted");
		if (!p[0].revents)
			continue;
		got = read(fd, text + len, sizeof text - 1 - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set(e, EPIPE, "zoneadmd ended without an answer");
		len += (size_t)got;
		text[len] = 0;
		while ((end = strchr(text, '\n'))) {
			int r;

			*end++ = 0;
			r = reply_line(c, h, text, answer, n, e);
			if (r <= 0)
				return r;
			len -= (size_t)(end - text);
			memmove(text, end, len + 1);
		}
		if (len == sizeof text - 1)
			return err_set(e, EPROTO, "zoneadmd's answer is too long");
	}
}

int zoneadmd_spawn(const struct ctx *c, const char *const *argv, int in, int lock, pid_t *pid, int *reply, struct err *e)
{
	_free_ char *path = xprintf("%s/zoneadmd", c->libexec);
	_fd_ int rd = -1, wr = -1;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none;
	char **env;
	int p[2], r;

	/* Above 10, so that none of the dup2 below can hit a descriptor that is still to be copied. */
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	rd = fcntl(p[0], F_DUPFD_CLOEXEC, 10);
	wr = fcntl(p[1], F_DUPFD_CLOEXEC, 10);
	close(p[0]);
	close(p[1]);
	_fd_ int src = in < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fcntl(in, F_DUPFD_CLOEXEC, 10);

	if (rd < 0 || wr < 0 || src < 0)
		return err_sys(e, errno, "descriptors for zoneadmd");
	posix_spawn_file_actions_init(&fa);
	/* no copy of it is made and closed here: claim.h */
	if (lock >= 0)
		posix_spawn_file_actions_adddup2(&fa, lock, FD_LOCK);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&fa, 0, 1);
	posix_spawn_file_actions_adddup2(&fa, 0, 2);
	posix_spawn_file_actions_adddup2(&fa, src, 3);
	posix_spawn_file_actions_adddup2(&fa, wr, 4);
	posix_spawnattr_init(&at);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	env = environment();
	r = posix_spawn(pid, path, &fa, &at, (char *const *)argv, env);
	for (char **v = env; *v; v++)
		free(*v);
	free(env);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	own_fd(&wr);
	if (r)
		return err_sys(e, r, "%s", path);
	*reply = take_fd(&rd);
	return 0;
}

int zoneadmd_hear(const struct ctx *c, pid_t pid, int *reply, int *go, const struct zone_net *net, char *answer, size_t n, struct err *e)
{
	struct hear h = {.go = go, .net = net, .e = ERR_INIT};
	int r = read_reply(c, *reply, &h, answer, n, e);

	if (h.e.code) {
		*e = h.e;
		r = -e->code;
	}
	/* The process spawned here ends at once; what stays is its child, not ours. A closed pipe tells that one to give up. */
	own_fd(reply);
	/* what hangs in the kernel doesn't hear that either: it is let lie */
	if (r == -ETIME) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
		return r;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int zoneadmd_run(const struct ctx *c, const char *const *argv, int in, char *answer, size_t n, struct err *e)
{
	int reply = -1, r;
	pid_t pid;

	r = zoneadmd_spawn(c, argv, in, -1, &pid, &reply, e);
	return r < 0 ? r : zoneadmd_hear(c, pid, &reply, NULL, NULL, answer, n, e);
}
