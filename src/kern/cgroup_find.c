/* SPDX-License-Identifier: MPL-2.0 */
/* Where cgroups are on this machine: which controller is in which hierarchy, and what systemd leaves to us. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/cgroup_io.h"

#define SYSTEMD_UNIT "cloister.slice/cloister-zones.service"

static const char *const ctl_name[CG_CTLS] = {"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio"};

const char *cgi_name(enum cg_ctl ctl)
{
	return ctl_name[ctl];
}

const char *cgi_v2_name(enum cg_ctl ctl)
{
	return ctl == CG_BLKIO ? "io" : ctl == CG_CPUACCT ? NULL : ctl_name[ctl];
}

/* mountinfo writes blanks and backslashes in paths as \ooo. */
static void unescape(char *s)
{
	char *o = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*o++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*o++ = *s;
		}
	}
	*o = 0;
}

bool cgi_word_in(const char *list, char sep, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, sep) ? strchr(p, sep) + 1 : NULL)
		if (!strncmp(p, word, n) && (p[n] == sep || p[n] == 0))
			return true;
	return false;
}

static void v1_mount(struct cg_host *h, const char *dir, const char *options)
{
	bool ours = false;

	for (int i = 0; i < CG_CTLS; i++) {
		if (!cgi_word_in(options, ',', ctl_name[i]) || h->v1[i][0] || strlen(dir) >= sizeof h->v1[i])
			continue;
		strcpy(h->v1[i], dir);
		if (i == CG_CPU || i == CG_MEMORY || i == CG_PIDS)
			ours = true;
	}
	if (ours || h->nother == CG_OTHER_MAX || strlen(dir) >= sizeof h->other[0])
		return;
	for (int i = 0; i < CG_CTLS; i++)
		if (cgi_word_in(options, ',', ctl_name[i]) && strcmp(h->v1[i], dir))
			return; /* a second mount of one we have */
	strcpy(h->other[h->nother++], dir);
}

int cg_host_parse(const char *mountinfo, struct cg_host *h, struct err *e)
{
	const char *p = mountinfo;

	memset(h, 0, sizeof *h);
	while (*p) {
		size_t n = strcspn(p, "\n");
		char line[1024], dir[512], type[64], options[512], *sep;

		if (n < sizeof line) {
			memcpy(line, p, n);
			line[n] = 0;
			sep = strstr(line, " - ");
			if (sep && sscanf(line, "%*u %*u %*s %*s %511s", dir) == 1 &&
			    sscanf(sep + 3, "%63s %*s %511s", type, options) == 2) {
				unescape(dir);
				if (!strcmp(type, "cgroup2") && !h->v2[0] && strlen(dir) < sizeof h->v2)
					strcpy(h->v2, dir);
				else if (!strcmp(type, "cgroup"))
					v1_mount(h, dir, options);
			}
		}
		p += n + (p[n] == '\n');
	}
	if (!h->v2[0]) {
		err_set(e, ENOTSUP, "no cgroup2 filesystem is mounted on this host");
		return err_hint(e, "mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified");
	}
	return 0;
}

/* With systemd as process 1 there is a single writer: we stay below the unit that it delegates to us. */
static bool delegated(struct cg_host *h)
{
	char p[CGI_PATH], v[8];
	struct stat st;

	if (stat("/run/systemd/system", &st) < 0)
		return false;
	snprintf(p, sizeof p, "%s/%s", h->v2, SYSTEMD_UNIT);
	return getxattr(p, "trusted.delegate", v, sizeof v) > 0 || getxattr(p, "user.delegate", v, sizeof v) > 0;
}

int cg_host_find(const struct ctx *c, struct cg_host *h, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	char p[CGI_PATH], text[256];
	int r = file_read(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &b, e);

	if (r == 0)
		r = cg_host_parse(buf_str(&b), h, e);
	if (r < 0)
		return r;
	snprintf(p, sizeof p, "%s/cgroup.controllers", h->v2);
	r = cgi_read(p, text, sizeof text);
	if (r < 0)
		return err_sys(e, r, "%s", p);
	for (int i = 0; i < CG_CTLS; i++)
		h->in_v2[i] = cgi_v2_name(i) ? cgi_word_in(text, ' ', cgi_v2_name(i)) : !h->v1[i][0];
	/* A node stays where its cgroup was made: what runs there is known by it. */
	snprintf(h->root, sizeof h->root, "%s", c->node.cgroup);
	if (delegated(h) && !cg_node_made(h)) {
		snprintf(h->deleg, sizeof h->deleg, "%s", SYSTEMD_UNIT);
		snprintf(h->root, sizeof h->root, "%s/%s", SYSTEMD_UNIT, c->node.cgroup);
	}
	if (h->v1[CG_MEMORY][0]) {
		snprintf(p, sizeof p, "%s/memory.memsw.usage_in_bytes", h->v1[CG_MEMORY]);
		h->swap = access(p, F_OK) == 0;
	} else if (h->in_v2[CG_MEMORY]) {
		/* The v2 root has no memory.swap.*; without accounting memory.stat has no swap counters either. */
		snprintf(p, sizeof p, "%s/%s/memory.swap.max", h->v2, h->root);
		h->swap = access(p, F_OK) == 0;
		if (!h->swap) {
			uint64_t v;

			snprintf(p, sizeof p, "%s/memory.stat", h->v2);
			h->swap = cgi_keyed(p, "swapcached", &v) == 0;
		}
	}
	return 0;
}
