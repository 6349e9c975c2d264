/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ending and freezing a zone's processes through the v2 tree, and removing its cgroups. Nothing here sleeps: the
 * kernel says on cgroup.events (POLLPRI) when the last member has gone, and a pidfd when one process has.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"

#define FREEZE_MS 5000
#define DEPTH_MAX 64 /* cgroup.max.depth of a zone is 32 */

static int left_ms(uint64_t end_ns)
{
	uint64_t now = clock_mono_ns();

	return now >= end_ns ? 0 : (int)((end_ns - now + 999999) / 1000000);
}

int cgi_wait(const char *path, const char *key, uint64_t value, int ms)
{
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t end = clock_mono_ns() + (uint64_t)(ms > 0 ? ms : 0) * 1000000;
	char want[48];

	if (fd < 0)
		return -errno;
	snprintf(want, sizeof want, "%s %llu\n", key, (unsigned long long)value);
	for (;;) {
		struct pollfd pf = {.fd = fd, .events = POLLPRI};
		char t[256];
		ssize_t n = pread(fd, t, sizeof t - 1, 0);
		int wait;

		if (n < 0)
			return -errno;
		t[n] = 0;
		if (strstr(t, want))
			return 0;
		wait = left_ms(end);
		if (wait == 0)
			return -ETIME;
		if (poll(&pf, 1, wait) < 0 && errno != EINTR)
			return -errno;
	}
}

int cg_zone_populated(const struct cg_host *h, const char *uuid)
{
	char p[CGI_PATH];
	uint64_t v;

	return cgi_keyed(cgi_path(h, -1, uuid, "cgroup.events", p), "populated", &v) == 0 && v == 1;
}

int cg_sup_wait(const struct cg_host *h, int ms)
{
	char p[CGI_PATH];
	int r = cgi_wait(cgi_path(h, -1, "_sup", "cgroup.events", p), "populated", 0, ms);

	return r == -ENOENT ? 0 : r;
}

/*
 * Only what is between the second colon of a line and the uuid's end counts: what comes below is named by the zone,
 * which may write ":/cloister/<another's uuid>" there, but no newline.
 */
bool cg_text_has(const char *text, const char *root, const char *uuid)
{
	char path[256];
	int n = snprintf(path, sizeof path, "/%s/%s", root, uuid);

	if (n < 0 || (size_t)n >= sizeof path)
		return false;
	/* lines "4:memory:/cloister/<uuid>", "0::/cloister/<uuid>/zone/…" */
	for (const char *l = text, *end; *l; l = *end ? end + 1 : end) {
		const char *at;

		end = strchrnul(l, '\n');
		at = memchr(l, ':', (size_t)(end - l));
		at = at ? memchr(at + 1, ':', (size_t)(end - at - 1)) : NULL;
		if (at && end - at > n && !memcmp(at + 1, path, (size_t)n) && (at + 1 + n == end || at[1 + n] == '/'))
			return true;
	}
	return false;
}

bool cg_text_zone(const char *text, const char *root, char uuid[37])
{
	char path[256];
	int n = snprintf(path, sizeof path, "0::/%s/", root);

	if (n < 0 || (size_t)n >= sizeof path)
		return false;
	for (const char *l = text, *end; *l; l = *end ? end + 1 : end) {
		end = strchrnul(l, '\n');
		if (end - l < n + UUID_LEN || memcmp(l, path, (size_t)n) != 0 || (l + n + UUID_LEN != end && l[n + UUID_LEN] != '/'))
			continue;
		memcpy(uuid, l + n, UUID_LEN);
		uuid[UUID_LEN] = 0;
		return uuid_valid(uuid);
	}
	return false;
}

bool cg_zone_has(const struct cg_host *h, const char *uuid, pid_t pid)
{
	char p[64], text[4096];

	snprintf(p, sizeof p, "/proc/%d/cgroup", (int)pid);
	return cgi_read(p, text, sizeof text) >= 0 && cg_text_has(text, h->root, uuid);
}

static int each_in(int dfd, const char *name, int depth, int (*each)(pid_t, void *, struct err *), void *arg, struct err *e)
{
	int fd = openat(dfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	_buf_ struct buf b = BUF_INIT;
	_dir_ DIR *d = NULL;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", name);
	d = dir_of(fd);
	if (!d)
		return err_sys(e, errno, "%s", name);
	/* ENOTSUP: threaded, its processes are listed above it */
	r = file_read(fd, "cgroup.procs", 64 << 20, &b, NULL);
	if (r == -ENOTSUP || r == -ENODEV || r == -ENOENT)
		r = 0;
	if (r < 0)
		return err_sys(e, r, "%s/cgroup.procs", name);
	for (char *save = NULL, *l = b.p ? strtok_r(b.p, "\n", &save) : NULL; l && r >= 0; l = strtok_r(NULL, "\n", &save))
		if (atoi(l) > 0)
			r = each((pid_t)atoi(l), arg, e);
	for (struct dirent *de; r >= 0 && depth < DEPTH_MAX && (de = readdir(d));)
		if (de->d_type == DT_DIR && strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			r = each_in(fd, de->d_name, depth + 1, each, arg, e);
	return r < 0 ? r : 0;
}

int cg_zone_each(const struct cg_host *h, const char *uuid, int (*each)(pid_t, void *, struct err *), void *arg, struct err *e)
{
	char p[CGI_PATH];

	return each_in(AT_FDCWD, cgi_path(h, -1, uuid, NULL, p), 0, each, arg, e);
}

int cg_zone_kill(const struct cg_host *h, const char *uuid, struct err *e)
{
	char p[CGI_PATH];
	int r = cgi_write(cgi_path(h, -1, uuid, "cgroup.kill", p), "1");

	return r < 0 && r != -ENOENT ? err_sys(e, r, "%s", p) : 0;
}

int cg_zone_freeze(const struct cg_host *h, const char *uuid, bool on, struct err *e)
{
	char p[CGI_PATH];
	int r = cgi_write(cgi_path(h, -1, uuid, "cgroup.freeze", p), on ? "1" : "0");

	if (r < 0)
		return err_sys(e, r, "%s", p);
	r = cgi_wait(cgi_path(h, -1, uuid, "cgroup.events", p), "frozen", on, FREEZE_MS);
	return r < 0 ? err_sys(e, r, "wait until %s says frozen %d", p, on) : 0;
}

/* ---- removing ---- */

/* Removes name below dfd with all cgroups in it, deepest first. The names are the zone's, so no links and no "..". */
static int remove_tree(int dfd, const char *name, int depth)
{
	_dir_ DIR *d = NULL;
	int fd, r;

	if (unlinkat(dfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	r = -errno;
	if ((r != -EBUSY && r != -ENOTEMPTY) || depth > DEPTH_MAX)
		return r;
	fd = openat(dfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	d = dir_of(fd);
	if (!d)
		return -errno;
	for (struct dirent *de; (de = readdir(d));) {
		if (de->d_type != DT_DIR || !strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		r = remove_tree(fd, de->d_name, depth + 1);
		if (r < 0)
			return r;
	}
	return unlinkat(dfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

/*
 * A process that a killed command had moved into the zone's v1 cgroups, but not yet into the v2 one, is not reached by
 * cgroup.kill. Returns how many were there.
 */
static int kill_strays(const struct cg_host *h, const char *uuid, const char *dir, uint64_t end)
{
	char p[CGI_PATH], t[16384];
	int n = 0;

	snprintf(p, sizeof p, "%.480s/cgroup.procs", dir);
	if (cgi_read(p, t, sizeof t) < 0)
		return 0;
	/* a pid read a moment ago may be another's by now: hold it by a descriptor, then look again */
	for (char *save = NULL, *l = strtok_r(t, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		long pid = strtol(l, NULL, 10);
		_fd_ int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
		struct pollfd pf = {.fd = fd, .events = POLLIN};

		if (fd < 0 || !cg_zone_has(h, uuid, (pid_t)pid))
			continue;
		n++;
		if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
			(void)poll(&pf, 1, left_ms(end));
	}
	return n;
}

/* Somebody has come in since all were killed: a login, into a place below. 1 = they have gone. */
static int kill_again(const struct cg_host *h, const char *uuid, uint64_t end)
{
	char p[CGI_PATH];

	return cg_zone_populated(h, uuid) && cg_zone_kill(h, uuid, NULL) == 0 &&
	       cgi_wait(cgi_path(h, -1, uuid, "cgroup.events", p), "populated", 0, left_ms(end)) == 0;
}

static int remove_in(const struct cg_host *h, int ctl, const char *uuid, uint64_t end, struct err *e)
{
	char p[CGI_PATH];
	int r, n;

	for (;;) {
		r = remove_tree(AT_FDCWD, cgi_path(h, ctl, uuid, NULL, p), 0);
		if (r == 0)
			return 0;
		if (r != -EBUSY)
			return err_sys(e, r, "rmdir %s", p);
		/* each round ends the processes it found, so it ends too: at the latest at the deadline */
		n = ctl < 0 ? kill_again(h, uuid, end) : kill_strays(h, uuid, p, end);
		if (n == 0 || left_ms(end) == 0) {
			r = remove_tree(AT_FDCWD, p, 0);
			return r < 0 ? err_sys(e, r, "rmdir %s", p) : 0;
		}
	}
}

int cg_zone_destroy(const struct cg_host *h, const char *uuid, int deadline_ms, struct err *e)
{
	uint64_t end = clock_mono_ns() + (uint64_t)(deadline_ms > 0 ? deadline_ms : 0) * 1000000;
	_free_ char *rescue = xprintf("_rescue/%s", uuid);
	char p[CGI_PATH];
	static const enum cg_ctl owns[] = {CG_BLKIO, CG_CPUSET};
	char own[64];
	struct err first = ERR_INIT;
	int r = 0, rr;

	/* empty as a rule: it has been killed before. Who has come in since is killed here. */
	if (cg_zone_populated(h, uuid)) {
		r = cg_zone_kill(h, uuid, e);
		if (r < 0)
			return r;
		r = cgi_wait(cgi_path(h, -1, uuid, "cgroup.events", p), "populated", 0, left_ms(end));
	}
	if (r == -ETIME) {
		err_sys(e, r, "processes of zone %s are still there %d ms after SIGKILL", uuid, deadline_ms);
		return err_hint(e, "they are in an uninterruptible wait in the kernel: see /proc/PID/stack of those in %s", p);
	}
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		return err_sys(e, r, "%s", p);
	/* v1 first: while the v2 one exists, so does the zone's identity */
	r = 0;
	for (size_t i = 0; i < ARRAY_LEN(cgi_limits); i++) {
		if (!h->v1[cgi_limits[i]][0])
			continue;
		rr = remove_in(h, (int)cgi_limits[i], uuid, end, r == 0 ? &first : NULL);
		r = r == 0 ? rr : r;
		rr = remove_in(h, (int)cgi_limits[i], rescue, end, r == 0 ? &first : NULL);
		r = r == 0 ? rr : r;
	}
	cgi_own(uuid, own);
	for (size_t i = 0; i < ARRAY_LEN(owns); i++) {
		if (!h->v1[owns[i]][0])
			continue;
		rr = remove_in(h, (int)owns[i], own, end, r == 0 ? &first : NULL);
		r = r == 0 ? rr : r;
	}
	if (r == 0)
		r = remove_in(h, -1, uuid, end, &first);
	if (r < 0 && e)
		*e = first;
	return r;
}
