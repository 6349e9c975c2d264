/* SPDX-License-Identifier: MPL-2.0 */
/* The command's side of a zone's settings; the worker's is zoneadmd/worker.c. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/sock.h"
#include "zone/console.h"
#include "zone/settings.h"

#define TELL_NS 5000000000ULL

int settings_put(const struct ctx *c, const char *uuid, const char *text, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" SETTINGS_FILE, c->node.run, uuid);

	return file_replace(path, text, strlen(text), 0600, 0, e);
}

/* 1 = its answer is in *r. */
static int answer(int s, int ms, int *r)
{
	struct pollfd p = {.fd = s, .events = POLLIN};
	char m[CONSOLE_PACKET];
	ssize_t n;

	if (poll(&p, 1, ms) < 0)
		return errno == EINTR ? 0 : -errno;
	if (!p.revents)
		return 0;
	n = recv(s, m, sizeof m, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -ESRCH;
	/* What the zone's console says comes over the same line. */
	if (m[0] != CONSOLE_SETTINGS || n != 2)
		return 0;
	*r = m[1];
	return 1;
}

int settings_tell(const struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" CONSOLE_SOCK, c->node.run, uuid);
	_fd_ int s = sock_connect(path, e);
	uint64_t by = clock_mono_ns() + TELL_NS, now;
	char m = CONSOLE_SETTINGS;
	int r = 0, got = 0;

	if (s == -ENOENT || s == -ECONNREFUSED)
		return err_set(e, ESRCH, "the zone has no worker now");
	if (s < 0)
		return s;
	if (send(s, &m, 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, errno, "tell the zone's worker");
	while (got == 0 && (now = clock_mono_ns()) < by)
		got = answer(s, (int)((by - now) / 1000000) + 1, &r);
	if (got < 0)
		return err_set(e, -got, "the zone's worker has ended");
	if (got == 0)
		return err_set(e, ETIMEDOUT, "the zone's worker did not answer");
	return r == 0 ? 0 : err_sys(e, r, "the zone's worker could not take its settings");
}
