/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "zone/claim.h"
#include "zone/settings.h"
#include "zone/zone.h"
#include "zone/zoneadmd.h"

#define GIVE_UP_MS 5000
#define DIE_MS     30000

static void remove_stale(const char *run_dir)
{
	static const char *const names[] = {"zone", "ended", "halting", "ready", "mounts", "worker", "console.sock", "settings", "seen", "burst", "view"};
	_fd_ int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; dir >= 0 && i < ARRAY_LEN(names); i++)
		unlinkat(dir, names[i], 0);
}

/*
 * The one who spawns stands still until the program has been exec'd, a quarter of a millisecond that a command has better
 * use for; and to read the host's mounts and make cgroups takes as long as to open the database.
 */
struct spawn {
	const struct ctx *c;
	pthread_t thread;
	bool running, find, found, cgroups, made;
	atomic_bool known, taken; /* h; the making of cgroups */
	struct cg_host h;
	char *uuid, *spec;
	int in, lock;
	pid_t pid;
	int reply, r;
	struct err e;
};

static void *spawn_run(void *arg)
{
	struct spawn *s = arg;
	const char *argv[] = {"zoneadmd", "--boot", s->uuid, s->spec, NULL, NULL};
	_free_ char *sup = NULL;

	if (s->find)
		s->found = cg_host_find(s->c, &s->h, NULL) == 0;
	if (s->found)
		argv[4] = sup = xprintf("%s/%s/_sup", s->h.v2, s->h.root);
	/* what the node has of its own is made by one that says what fails */
	atomic_store(&s->known, s->find && s->found);
	s->r = zoneadmd_spawn(s->c, argv, s->in, s->lock, &s->pid, &s->reply, &s->e);
	/* the command does not wait for what it can begin itself */
	s->cgroups = s->find && s->found && cg_node_made(&s->h) && !atomic_exchange(&s->taken, true);
	if (s->cgroups)
		s->made = cg_node_make(&s->h, NULL) == 0 && cg_zone_make(&s->h, s->uuid, NULL) == 0;
	return NULL;
}

void zone_start_ahead(const struct ctx *c, const struct cg_host *h, const char *uuid, int lock, bool cgroups, struct zone_ahead *a)
{
	struct spawn *s;
	int p[2];

	*a = ZONE_AHEAD_INIT;
	a->lock = lock;
	/* a socket, which descriptors can be sent over */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		return;
	s = xalloc(sizeof *s);
	*s = (struct spawn){.c = c, .find = !h && cgroups, .found = h, .uuid = xstrdup(uuid), .in = p[0], .lock = lock, .reply = -1, .e = ERR_INIT};
	s->spec = xprintf("%s/%s/spec", c->node.run, uuid);
	if (h)
		s->h = *h;
	a->go = p[1];
	a->spawn = s;
	s->running = pthread_create(&s->thread, NULL, spawn_run, s) == 0;
	if (!s->running)
		spawn_run(s);
}

/* What has become of the spawning. -ENOENT: nobody has tried. */
static int spawned(struct zone_ahead *a, struct err *e)
{
	struct spawn *s = a->spawn;
	int r;

	if (!s)
		return a->go < 0 ? -ENOENT : 0;
	if (s->running)
		pthread_join(s->thread, NULL);
	r = s->r;
	if (r < 0 && e)
		*e = s->e;
	if (r < 0)
		own_fd(&a->go);
	a->h = s->h;
	a->found = s->find && s->found;
	a->cgroups = s->cgroups;
	a->made = s->made;
	a->pid = r < 0 ? 0 : s->pid;
	a->reply = s->reply;
	a->spawn = NULL;
	close(s->in);
	free(s->uuid);
	free(s->spec);
	free(s);
	return r;
}

bool zone_ahead_cgroups(struct zone_ahead *a)
{
	struct spawn *s = a->spawn;

	if (s && !atomic_exchange(&s->taken, true)) {
		a->found = atomic_load(&s->known);
		if (a->found)
			a->h = s->h;
		return false;
	}
	spawned(a, NULL);
	a->cgroups = false;
	return a->made;
}

/* It gives up what it has begun when it hears that there will be no more: nothing of it shall outlive its command's undo. */
static void await_end(int reply, int lock)
{
	struct pollfd p = {.fd = reply, .events = POLLIN};
	char text[512];

	while (poll(&p, 1, GIVE_UP_MS) != 0) {
		ssize_t n = read(reply, text, sizeof text);

		if (n == 0 || (n < 0 && errno != EINTR))
			return;
	}
	if (lock >= 0)
		claim_end_booting(lock, DIE_MS);
}

void zone_ahead_done(struct zone_ahead *a)
{
	spawned(a, NULL);
	own_fd(&a->go);
	if (a->reply >= 0)
		await_end(a->reply, a->lock);
	a->begun = false;
	own_fd(&a->reply);
	/* what was spawned has ended long since; who waits for the spec is its child, and hears that none will come */
	if (a->pid > 0)
		while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
			;
	a->pid = 0;
}

int zone_begin(struct ctx *c, const struct zspec *z, struct zone_ahead *a, struct err *e)
{
	_free_ char *path = xprintf("%s/spec", z->run_dir);
	_buf_ struct buf text = BUF_INIT;
	bool fresh = mkdir(z->run_dir, 0700) == 0;
	int rc = fresh ? 0 : dir_make(z->run_dir, 0700, e);

	if (rc < 0)
		return rc;
	if (!fresh)
		remove_stale(z->run_dir);
	zspec_write(z, &text);
	rc = file_replace(path, buf_str(&text), text.len, 0600, 0, e);
	if (rc == 0 && z->settings)
		rc = settings_put(c, z->uuid, z->settings, e);
	if (rc == 0 && spawned(a, NULL) < 0) {
		zone_start_ahead(c, NULL, z->uuid, a->lock, false, a);
		rc = spawned(a, e);
		if (rc == -ENOENT)
			rc = err_sys(e, errno, "socket to zoneadmd");
	}
	if (rc < 0)
		return rc;
	/* one that has ended has said why: zone_boot() hears it */
	a->begun = write(a->go, "i", 1) == 1 || errno == EPIPE;
	return a->begun ? 0 : err_sys(e, errno, "tell zoneadmd");
}

int zone_boot(struct ctx *c, const struct zspec *z, struct zone_ahead *a, const struct zone_net *net, struct zone_run *r, struct err *e)
{
	char answer[128] = "";
	int rc = a->begun ? 0 : zone_begin(c, z, a, e);

	/* not before: outside of /run, it would outlive a machine that goes down while the zone's root is being made */
	if (rc == 0 && z->log_dir)
		rc = dir_make(z->log_dir, 0700, e);
	if (rc == 0 && write(a->go, "g", 1) != 1 && errno != EPIPE)
		rc = err_sys(e, errno, "tell zoneadmd");
	if (rc == 0) {
		pid_t pid = a->pid;

		a->pid = 0;
		rc = zoneadmd_hear(c, pid, &a->reply, &a->go, net, answer, sizeof answer, e);
	}
	zone_ahead_done(a);
	if (rc == 0)
		rc = zone_status(c, z->uuid, r, e);
	/* Nothing of it runs now: zoneadmd has seen to that before it answered. */
	if (rc < 0)
		dir_remove(AT_FDCWD, z->run_dir, NULL);
	return rc;
}

static int spec_change(const struct ctx *c, const char *uuid, size_t field, uint64_t value, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/spec", c->node.run, uuid);
	_buf_ struct buf old = BUF_INIT, text = BUF_INIT;
	struct zspec z = {0};
	int r = file_read(AT_FDCWD, path, 1 << 20, &old, e);

	if (r == 0)
		r = zspec_parse(buf_str(&old), old.len, &z, e);
	if (r == 0 && *(uint64_t *)(void *)((char *)&z + field) != value) {
		*(uint64_t *)(void *)((char *)&z + field) = value;
		zspec_write(&z, &text);
		r = file_replace(path, buf_str(&text), text.len, 0600, 0, e);
	}
	zspec_done(&z);
	return r;
}

int zone_spec_memlock(const struct ctx *c, const char *uuid, uint64_t bytes, struct err *e)
{
	return spec_change(c, uuid, offsetof(struct zspec, memlock), bytes ?: 1 /* 0 would be "as the host has it" */, e);
}

int zone_spec_slice(const struct ctx *c, const char *uuid, uint64_t ns, struct err *e)
{
	return spec_change(c, uuid, offsetof(struct zspec, slice), ns, e);
}

int zone_adopt(struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *dir = xprintf("%s/%s", c->node.run, uuid), *path = xprintf("%s/spec", dir);
	const char *argv[] = {"zoneadmd", "--adopt", uuid, NULL};
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char answer[128];

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	return zoneadmd_run(c, argv, fd, answer, sizeof answer, e);
}
