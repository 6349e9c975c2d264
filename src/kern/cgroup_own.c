/* SPDX-License-Identifier: MPL-2.0 */
/*
 * v1 hierarchies in which a zone has a cgroup of its own only if it has a limit there: I/O and processors. All other zones
 * share <root>/_zones; its own is _zones/<uuid>. So what nobody asks for costs no boot a cgroup.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/cgroup_io.h"

#define PASSES 100

const char *cgi_own(const char *uuid, char out[64])
{
	snprintf(out, 64, "_zones/%.40s", uuid);
	return out;
}

bool cgi_own_there(const struct cg_host *h, enum cg_ctl ctl, const char *uuid)
{
	char p[CGI_PATH], own[64];

	return h->v1[ctl][0] && access(cgi_path(h, (int)ctl, cgi_own(uuid, own), NULL, p), F_OK) == 0;
}

int cgi_own_make(const struct cg_host *h, enum cg_ctl ctl, const char *uuid, struct err *e)
{
	char p[CGI_PATH], own[64];

	cgi_path(h, (int)ctl, cgi_own(uuid, own), NULL, p);
	return mkdir(p, 0755) < 0 && errno != EEXIST ? err_sys(e, errno, "mkdir %s", p) : 0;
}

struct enter {
	const struct cg_host *h;
	enum cg_ctl ctl;
	char line[320], procs[CGI_PATH];
	unsigned moved;
};

/* Lines "4:blkio:/root/_zones/uuid"; the v2 line, whose end the zone names, has no controller. */
static bool is_in(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *l = text; (l = strstr(l, line)); l += n)
		if (l[n] == '\n' || !l[n])
			return true;
	return false;
}

static int enter_one(pid_t pid, void *arg, struct err *e)
{
	struct enter *m = arg;
	char path[64], text[4096];
	int r;

	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
	if (cgi_read(path, text, sizeof text) < 0 || is_in(text, m->line))
		return 0;
	snprintf(path, sizeof path, "%d", (int)pid);
	r = cgi_write(m->procs, path);
	if (r == -ESRCH)
		return 0;
	m->moved++;
	return r < 0 ? err_sys(e, r, "move process %d to %s", (int)pid, m->procs) : 0;
}

int cgi_own_enter(const struct cg_host *h, enum cg_ctl ctl, const char *uuid, struct err *e)
{
	struct enter m = {.h = h, .ctl = ctl};
	char own[64];

	cgi_own(uuid, own);
	snprintf(m.line, sizeof m.line, ":%s:/%s/%s", cgi_name(ctl), h->root, own);
	cgi_path(h, (int)ctl, own, "cgroup.procs", m.procs);
	/* what forks meanwhile is where its parent was: until a pass finds all in place */
	for (int i = 0; i < PASSES; i++) {
		int r;

		m.moved = 0;
		r = cg_zone_each(h, uuid, enter_one, &m, e);
		if (r < 0 || !m.moved)
			return r;
	}
	return err_set(e, EAGAIN, "the zone forks faster than its processes can be moved to %s", m.procs);
}
