/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Processors of a zone's own: its v2 cgroup becomes a cpuset partition, which takes them from everybody else, the host's
 * processes too. The kernel (6.7) wants them named in cpuset.cpus.exclusive of each cgroup above as well; what stands
 * there and no zone has is taken away with the next change.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"
#include "kern/cpulist.h"

#define EXCLUSIVE "cpuset.cpus.exclusive"

static int read_cpus(const char *path, struct cpus *out, struct err *e)
{
	char t[CPUS_TEXT];
	int r = cgi_read(path, t, sizeof t);

	if (r == 0)
		r = cpus_parse(t, out);
	return r < 0 ? err_sys(e, r, "%s", path) : 0;
}

static int write_cpus(const char *path, const struct cpus *c, struct err *e)
{
	char t[CPUS_TEXT];
	int r;

	cpus_text(c, t);
	r = cgi_write(path, *t ? t : "\n");
	return r < 0 ? err_sys(e, r, "write \"%s\" to %s", t, path) : 0;
}

/* What the cgroups in dir have for themselves; except: not that one. who: of which one has any of `of`. */
static struct cpus taken_in(const char *dir, const char *except, const struct cpus *of, char who[64])
{
	struct cpus all = {{0}};
	_dir_ DIR *d = dir_of(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	for (struct dirent *de; d && (de = readdir(d));) {
		char p[CGI_PATH];
		struct cpus c, both;

		if (de->d_type != DT_DIR || de->d_name[0] == '.' || (except && !strcmp(de->d_name, except)))
			continue;
		if (snprintf(p, sizeof p, "%.200s/%.200s/" EXCLUSIVE, dir, de->d_name) >= (int)sizeof p || read_cpus(p, &c, NULL) < 0)
			continue;
		all = cpus_or(&all, &c);
		both = cpus_and(&c, of);
		if (who && cpus_count(&both))
			snprintf(who, 64, "%.63s", de->d_name);
	}
	return all;
}

/* Each cgroup from below the mount to the node's root has what those in it have, and `more`. */
static int above(const struct cg_host *h, const struct cpus *more, struct err *e)
{
	char dir[CGI_PATH], file[CGI_PATH + 32];
	size_t start = strlen(h->v2) + 1, end;
	int r = 0;

	cgi_path(h, -1, NULL, NULL, dir);
	end = strlen(dir);
	/* down, adding; then up, leaving out what nobody has any more */
	for (size_t i = start; i <= end && r == 0; i++) {
		struct cpus c;
		char at = dir[i];

		if (at && at != '/')
			continue;
		dir[i] = 0;
		snprintf(file, sizeof file, "%s/" EXCLUSIVE, dir);
		r = read_cpus(file, &c, e);
		if (r == 0) {
			struct cpus want = cpus_or(&c, more);

			r = cpus_equal(&c, &want) ? 0 : write_cpus(file, &want, e);
		}
		dir[i] = at;
	}
	return r;
}

static void prune(const struct cg_host *h)
{
	char dir[CGI_PATH], file[CGI_PATH + 32];

	cgi_path(h, -1, NULL, NULL, dir);
	while (strlen(dir) > strlen(h->v2)) {
		static const struct cpus none;
		struct cpus c, want = taken_in(dir, NULL, &none, NULL);

		snprintf(file, sizeof file, "%s/" EXCLUSIVE, dir);
		if (read_cpus(file, &c, NULL) == 0 && !cpus_equal(&c, &want))
			(void)write_cpus(file, &want, NULL);
		*strrchr(dir, '/') = 0;
	}
}

static int give_back(const struct cg_host *h, const char *uuid, struct err *e)
{
	static const struct cpus none;
	char p[CGI_PATH];
	int r = cgi_write(cgi_path(h, -1, uuid, "cpuset.cpus.partition", p), "member");

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(e, r, "%s", p);
	r = write_cpus(cgi_path(h, -1, uuid, EXCLUSIVE, p), &none, e);
	if (r == 0)
		r = cgi_mems(h, uuid, &none, e);
	prune(h);
	return r;
}

static int unable(const struct cg_host *h, struct err *e)
{
	err_set(e, ENOTSUP, "dedicated_cpus: this host's kernel can't give a zone processors of its own");
	return err_hint(e, h->v1[CG_CPUSET][0] ? "its cpuset controller is on cgroup v1; on v2, kernels from 6.7 on can" :
						 "kernels from 6.7 on can (cpuset.cpus.exclusive)");
}

/* What is wanted: *n of them, or, with *n 0, those in list; of processors that the host has and does not need itself. */
static int wanted(const char *want, uint64_t *n, struct cpus *list, struct err *e)
{
	struct cpus online, not;
	char t[CPUS_TEXT];
	int r = read_cpus("/sys/devices/system/cpu/online", &online, e);

	*n = 0;
	if (r < 0)
		return r;
	if (str_to_u64(want, n) == 0)
		return *n && *n < cpus_count(&online) ? 0
			: err_set(e, *n ? EBUSY : EINVAL, "dedicated_cpus: %llu of this host's %u processors, of which the global zone "
				  "keeps one", (unsigned long long)*n, cpus_count(&online));
	r = cpus_parse(want, list);
	if (r < 0 || !cpus_count(list))
		return err_set(e, EINVAL, "dedicated_cpus: \"%s\" is no list of processors", want);
	not = cpus_less(list, &online);
	if (cpus_count(&not))
		return err_set(e, ENXIO, "dedicated_cpus: this host has no processor %s that is online", cpus_text(&not, t));
	if (cpus_count(list) >= cpus_count(&online))
		return err_set(e, EBUSY, "dedicated_cpus: %s would leave no processor to the global zone", want);
	return 0;
}

int cg_can_cpus(const struct cg_host *h, const char *want, struct err *e)
{
	struct cpus list;
	uint64_t n;

	if (!want)
		return 0;
	if (!h->in_v2[CG_CPUSET] || cgi_v2_has(h, CG_CPUSET, EXCLUSIVE) == 0)
		return unable(h, e);
	return wanted(want, &n, &list, e);
}

/* Which ones: a number picks from what nobody has. */
static int choose(const struct cg_host *h, const char *uuid, const char *want, struct cpus *out, struct err *e)
{
	char p[CGI_PATH], who[64] = "", t[CPUS_TEXT], dir[CGI_PATH];
	struct cpus nobodys, c, not;
	uint64_t n;
	int r = wanted(want, &n, &c, e);

	snprintf(p, sizeof p, "%s/cpuset.cpus.effective", h->v2);
	if (r == 0)
		r = read_cpus(p, &nobodys, e);
	if (r < 0)
		return r;
	if (n) {
		if (n >= cpus_count(&nobodys))
			return err_set(e, EBUSY, "dedicated_cpus: %llu are wanted; %u are not dedicated to others, and the global zone keeps one",
				       (unsigned long long)n, cpus_count(&nobodys));
		*out = cpus_last(&nobodys, (unsigned)n);
		return 0;
	}
	not = cpus_less(&c, &nobodys);
	if (cpus_count(&not)) {
		taken_in(cgi_path(h, -1, NULL, NULL, dir), uuid, &not, who);
		return err_set(e, EBUSY, "dedicated_cpus: processor %s is another's already%s%s", cpus_text(&not, t),
			       *who ? ": of zone " : "", who);
	}
	if (cpus_count(&c) >= cpus_count(&nobodys))
		return err_set(e, EBUSY, "dedicated_cpus: %s would leave no processor to the global zone", want);
	*out = c;
	return 0;
}

static int take_them(const struct cg_host *h, const char *uuid, const struct cpus *c, struct err *e)
{
	char p[CGI_PATH], t[256], text[CPUS_TEXT];
	struct cpus got;
	int r = above(h, c, e);

	/* cpuset.cpus stays empty: while tasks are in it, what is set there could never be taken away again */
	if (r == 0)
		r = write_cpus(cgi_path(h, -1, uuid, EXCLUSIVE, p), c, e);
	if (r < 0)
		return r;
	r = cgi_write_read(cgi_path(h, -1, uuid, "cpuset.cpus.partition", p), "root", t, sizeof t);
	if (r < 0)
		return err_sys(e, r, "%s", p);
	if (strcmp(t, "root"))
		return err_set(e, EBUSY, "the kernel says \"%s\" of processors %s", t, cpus_text(c, text));
	r = read_cpus(cgi_path(h, -1, uuid, "cpuset.cpus.effective", p), &got, e);
	if (r == 0 && !cpus_equal(&got, c))
		return err_set(e, EBUSY, "the kernel gave processors %s", cpus_text(&got, text));
	return r < 0 ? r : cgi_mems(h, uuid, c, e);
}

int cg_set_cpus(const struct cg_host *h, const char *uuid, const char *want, struct err *e)
{
	char p[CGI_PATH], old[CPUS_TEXT];
	struct cpus c, was = {{0}};
	_fd_ int lock = -1;
	int r;

	if (!h->in_v2[CG_CPUSET] || access(cgi_path(h, -1, uuid, EXCLUSIVE, p), F_OK) < 0)
		return want ? unable(h, e) : 0;
	lock = open(cgi_path(h, -1, NULL, NULL, p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", p);
	(void)read_cpus(cgi_path(h, -1, uuid, EXCLUSIVE, p), &was, NULL);
	r = give_back(h, uuid, e);
	if (r < 0 || !want)
		return r;
	r = choose(h, uuid, want, &c, e);
	if (r == 0) {
		r = take_them(h, uuid, &c, e);
		if (r < 0)
			err_add(e, "dedicated_cpus");
	}
	if (r < 0) {
		struct err be = ERR_INIT;

		/* as it was; nobody else can have taken them meanwhile */
		(void)give_back(h, uuid, NULL);
		if (cpus_count(&was) && take_them(h, uuid, &was, &be) < 0)
			err_hint(e, "and the zone has lost %s: %s", cpus_text(&was, old), be.msg);
	}
	return r;
}
