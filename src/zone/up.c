/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/up.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"

#define BOOT_CHARS 8

static void entry(const char *run, const char *uuid, uint64_t zoneid, pid_t pid, uint64_t boot_ns, const char *bootid,
		  char out[256])
{
	snprintf(out, 256, "%s/.up/%.36s.%llu.%d.%llu.%.*s", run, uuid, (unsigned long long)zoneid, (int)pid,
		 (unsigned long long)boot_ns, BOOT_CHARS, bootid);
}

static int touch(int at, const char *run, const char *path, struct err *e)
{
	char dir[128];
	int fd = openat(at, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == ENOENT) {
		snprintf(dir, sizeof dir, "%s/.up", run);
		if (mkdirat(at, dir, 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "mkdir %s", dir);
		fd = openat(at, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	if (fd < 0)
		return err_sys(e, errno, "create %s", path);
	close(fd);
	return 0;
}

static int forget(const char *path, struct err *e)
{
	return unlink(path) < 0 && errno != ENOENT ? err_sys(e, errno, "unlink %s", path) : 0;
}

int zone_up_put(int dir, const char *run, const char *uuid, const struct run_zone *z, struct err *e)
{
	char path[256];

	entry(run, uuid, z->zoneid, z->init.pid, z->boot_ns, z->bootid, path);
	return touch(dir, run, path, e);
}

int zone_up_halting(const char *run, const char *uuid, bool on, struct err *e)
{
	char path[256];

	snprintf(path, sizeof path, "%s/.up/%.36s.halting", run, uuid);
	return on ? touch(AT_FDCWD, run, path, e) : forget(path, e);
}

/* A teardown that was killed half way has left no file that says what the entry is called. */
static int drop_by_uuid(const struct ctx *c, const char *uuid, struct err *e)
{
	char path[128];
	_dir_ DIR *d = NULL;

	snprintf(path, sizeof path, "%s/.up", c->node.run);
	d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	for (struct dirent *de; (de = readdir(d));)
		if (!strncmp(de->d_name, uuid, UUID_LEN) && unlinkat(dirfd(d), de->d_name, 0) < 0 && errno != ENOENT)
			return err_sys(e, errno, "unlink %s/%s", path, de->d_name);
	return 0;
}

int zone_up_drop(const struct ctx *c, const char *uuid, const struct zone_run *r, struct err *e)
{
	char path[256];
	int rc;

	if (r->init_pid <= 0)
		return drop_by_uuid(c, uuid, e);
	entry(c->node.run, uuid, r->zoneid, r->init_pid, r->boot_ns, c->bootid, path);
	rc = forget(path, e);
	return rc < 0 ? rc : zone_up_halting(c->node.run, uuid, false, e);
}

/* ".N": by hand, for sscanf is what costs most in a scan of thousands. NULL when it is none. */
static const char *dot_number(const char *p, uint64_t *n)
{
	const char *start = ++p;

	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + (uint64_t)(*p - '0');
	return p == start || p - start > 19 || *p != '.' ? NULL : p;
}

/* "<uuid>.<zoneid>.<pid>.<ns>.<boot>"; a name of another boot, or one that is none of ours, is passed over. */
static bool parse(const char *name, const char *bootid, struct zone_up *u)
{
	const char *p = name + UUID_LEN;
	uint64_t pid;

	if (strnlen(name, UUID_LEN + 1) <= UUID_LEN || *p != '.')
		return false;
	*u = (struct zone_up){.uuid = name, .halting = !strcmp(p, ".halting")};
	if (u->halting)
		return true;
	p = dot_number(p, &u->zoneid);
	p = p ? dot_number(p, &pid) : NULL;
	p = p ? dot_number(p, &u->boot_ns) : NULL;
	if (!p || pid == 0 || pid > INT32_MAX || strlen(p + 1) != BOOT_CHARS || strncmp(p + 1, bootid, BOOT_CHARS) != 0)
		return false;
	u->pid = (pid_t)pid;
	return true;
}

int zone_up_each(const struct ctx *c, void (*each)(const struct zone_up *, void *arg), void *arg, struct err *e)
{
	char path[128];
	_dir_ DIR *d = NULL;

	snprintf(path, sizeof path, "%s/.up", c->node.run);
	d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	for (struct dirent *de; (de = readdir(d));) {
		struct zone_up u;

		if (parse(de->d_name, c->bootid, &u))
			each(&u, arg);
	}
	return 0;
}

bool zone_up_alive(int proc, const struct zone_up *u, uint32_t id_base)
{
	char pid[16];
	struct stat st;
	char *p = pid + sizeof pid - 1;
	pid_t n = u->pid;

	*p = 0;
	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return fstatat(proc, p, &st, 0) == 0 && st.st_uid >= id_base && st.st_uid - id_base < 65536;
}
