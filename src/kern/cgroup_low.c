/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Memory that is not reclaimed while the zone uses no more: memory.low. It protects a cgroup only as far as each above it
 * is protected too, and what is in it only if cgroup2 is mounted with memory_recursiveprot: so the node's cgroup has the
 * sum of its zones', and the rest is checked. v1 has only soft limits, by which those who set one are reclaimed first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"

#define LOW "memory.low"

static int set_low(const char *path, uint64_t bytes, struct err *e)
{
	char t[32], back[64];
	uint64_t got = 0;
	int r;

	snprintf(t, sizeof t, "%" PRIu64, bytes);
	r = cgi_write_read(path, t, back, sizeof back);
	if (r < 0)
		return err_sys(e, r, "memory_reservation: write %s to %s", t, path);
	if (cgi_number_of(back, &got) < 0 || got != bytes)
		return err_set(e, EINVAL, "memory_reservation: the kernel took %s instead of %s in %s", back, t, path);
	return 0;
}

static bool recursive(const struct cg_host *h)
{
	_buf_ struct buf b = BUF_INIT;
	char at[160];

	if (file_read(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &b, NULL) < 0)
		return false;
	snprintf(at, sizeof at, " %s ", h->v2);
	for (char *save = NULL, *l = strtok_r(b.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (strstr(l, at) && strstr(l, " - cgroup2 "))
			return strstr(l, "memory_recursiveprot") != NULL;
	return false;
}

static uint64_t all_of(const char *dir)
{
	_dir_ DIR *d = dir_of(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	uint64_t sum = 0, v;

	for (struct dirent *de; d && (de = readdir(d));) {
		char p[CGI_PATH];

		if (de->d_type != DT_DIR || de->d_name[0] == '.' ||
		    snprintf(p, sizeof p, "%.200s/%.200s/" LOW, dir, de->d_name) >= (int)sizeof p || cgi_number(p, &v) < 0)
			continue;
		sum = v > UINT64_MAX - sum ? UINT64_MAX : sum + v;
	}
	return sum;
}

/* Whoever owns what is above the node's cgroup must have protected as much. */
static int above_has(const struct cg_host *h, uint64_t bytes, struct err *e)
{
	char dir[CGI_PATH], p[CGI_PATH + 16];
	uint64_t has;

	cgi_path(h, -1, NULL, NULL, dir);
	for (*strrchr(dir, '/') = 0; strlen(dir) > strlen(h->v2); *strrchr(dir, '/') = 0) {
		snprintf(p, sizeof p, "%s/" LOW, dir);
		if (cgi_number(p, &has) < 0 || has >= bytes)
			continue;
		err_set(e, ENOTSUP, "memory_reservation: %s, above the zones, is not protected itself", dir);
		return err_hint(e, "systemctl set-property %s MemoryLow=infinity", strrchr(dir, '/') + 1);
	}
	return 0;
}

/* The node's cgroup has what its zones have. */
static int above(const struct cg_host *h, struct err *e)
{
	char dir[CGI_PATH], p[CGI_PATH + 16];
	uint64_t sum = all_of(cgi_path(h, -1, NULL, NULL, dir));
	int r = set_low(cgi_path(h, -1, NULL, LOW, p), sum, e);

	return r < 0 || !sum ? r : above_has(h, sum, e);
}

/* What is so whichever zone asks. */
static int able(const struct cg_host *h, uint64_t bytes, struct err *e)
{
	char want[16], all[16];
	struct sysinfo si;

	if (!h->in_v2[CG_MEMORY] || h->v1[CG_MEMORY][0]) {
		err_set(e, ENOTSUP, "memory_reservation: this host's kernel can't reserve memory for a zone");
		return err_hint(e, "its memory controller is on cgroup v1; v2 can");
	}
	if (!recursive(h)) {
		err_set(e, ENOTSUP, "memory_reservation: %s is mounted without memory_recursiveprot", h->v2);
		return err_hint(e, "mount -o remount,memory_recursiveprot %s", h->v2);
	}
	if (sysinfo(&si) == 0 && bytes > (uint64_t)si.totalram * si.mem_unit)
		return err_set(e, ERANGE, "memory_reservation: %s is more than this host's memory, %s", str_from_bytes(bytes, want),
			       str_from_bytes((uint64_t)si.totalram * si.mem_unit, all));
	return 0;
}

int cg_can_reserve(const struct cg_host *h, uint64_t bytes, struct err *e)
{
	int r = bytes ? able(h, bytes, e) : 0;

	return r < 0 || !bytes ? r : above_has(h, bytes, e);
}

int cg_set_reservation(const struct cg_host *h, const char *uuid, uint64_t bytes, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), was = 0;
	char p[CGI_PATH], q[CGI_PATH], dir[64];
	_fd_ int lock = -1;
	int r;

	if (!bytes && (!h->in_v2[CG_MEMORY] || h->v1[CG_MEMORY][0]))
		return 0;
	bytes = bytes / page * page;
	cgi_path(h, -1, uuid, LOW, p);
	cgi_path(h, -1, cgi_limited(h, -1, uuid, dir), LOW, q);
	if (!bytes && cgi_number(p, &was) == 0 && !was)
		return 0;
	r = bytes ? able(h, bytes, e) : 0;
	if (r < 0)
		return r;
	lock = open(cgi_path(h, -1, NULL, NULL, q), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", q);
	cgi_path(h, -1, cgi_limited(h, -1, uuid, dir), LOW, q);
	(void)cgi_number(p, &was);
	r = set_low(p, bytes, e);
	if (r == 0)
		r = set_low(q, bytes, e);
	if (r == 0)
		r = above(h, e);
	if (r < 0) {
		(void)set_low(p, was, NULL);
		(void)set_low(q, was, NULL);
		(void)above(h, NULL);
	}
	return r;
}
