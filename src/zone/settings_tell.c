/* SPDX-License-Identifier: MPL-2.0 */
/* The command's side of a zone's settings; the worker's is zoneadmd/worker.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/pidfd.h"
#include "kern/sock.h"
#include "zone/console.h"
#include "zone/settings.h"

#define TELL_NS 5000000000ULL

int settings_put(const struct ctx *c, const char *uuid, const char *text, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" SETTINGS_FILE, c->node.run, uuid);

	return file_replace(path, text, strlen(text), 0600, 0, e);
}

/* 1 = its answer is in *r; -EAGAIN: it has hung up. */
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
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -EAGAIN;
	/* What the zone's console says comes over the same line. */
	if (m[0] != CONSOLE_SETTINGS || n != 2)
		return 0;
	*r = m[1];
	return 1;
}

/* One call of the worker: 1 = its answer is in *r, 0 = none in time, -EAGAIN: it has hung up; another errno is in e. */
static int ask(const char *path, uint64_t by, int *r, struct err *e)
{
	_fd_ int s = sock_connect(path, e);
	char m = CONSOLE_SETTINGS;
	uint64_t now;
	int got = 0;

	if (s == -ENOENT || s == -ECONNREFUSED)
		return err_set(e, ESRCH, "the zone has no worker now");
	if (s < 0)
		return s;
	if (send(s, &m, 1, MSG_NOSIGNAL) < 0)
		return errno == EPIPE || errno == ECONNRESET ? -EAGAIN : err_sys(e, errno, "tell the zone's worker");
	while (got == 0 && (now = clock_mono_ns()) < by)
		got = answer(s, (int)((by - now) / 1000000) + 1, r);
	return got < 0 && got != -EAGAIN ? err_sys(e, got, "wait for the zone's worker") : got;
}

static bool has_worker(const struct ctx *c, const char *uuid)
{
	_free_ char *path = xprintf("%s/%s/worker", c->node.run, uuid);
	_buf_ struct buf text = BUF_INIT;
	unsigned long long start;
	_fd_ int fd = -1;
	int pid;

	if (file_read(AT_FDCWD, path, 256, &text, NULL) < 0 || sscanf(buf_str(&text), "%d %llu", &pid, &start) != 2)
		return false;
	fd = pidfd_of(pid, start, NULL);
	return fd >= 0;
}

int settings_tell(const struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" CONSOLE_SOCK, c->node.run, uuid);
	uint64_t by = clock_mono_ns() + TELL_NS;
	bool full = false;
	int r = 0, got;

	/* One that lives hangs up when it has no room for another client, or when a client before us has gone just now. */
	while ((got = ask(path, by, &r, e)) == -EAGAIN && has_worker(c, uuid) && clock_mono_ns() < by) {
		full = true;
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	if (got == -EAGAIN && !has_worker(c, uuid))
		return err_set(e, ESRCH, "the zone's worker has ended");
	/* of the last call there may have been no time left to see it hang up */
	if (got == -EAGAIN || (got == 0 && full))
		return err_set(e, EBUSY, "the zone's worker has no room for another client: close some of its consoles");
	if (got < 0)
		return got;
	if (got == 0)
		return err_set(e, ETIMEDOUT, "the zone's worker did not answer");
	return r == 0 ? 0 : err_sys(e, r, "the zone's worker could not take its settings");
}

void settings_nudge(const struct ctx *c, const char *uuid)
{
	_free_ char *path = xprintf("%s/%s/" CONSOLE_SOCK, c->node.run, uuid);
	_fd_ int s = sock_connect(path, NULL);
	char m = CONSOLE_SETTINGS;

	if (s >= 0 && send(s, &m, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* it has no room for us just now */
}
