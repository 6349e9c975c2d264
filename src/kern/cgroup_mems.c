/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Memory next to a zone's own processors: on a machine with several memory nodes what the zone gets comes from the nodes of
 * these processors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kern/cgroup_io.h"
#include "kern/cpulist.h"

#define NODES "/sys/devices/system/node"

static int read_set(const char *path, struct cpus *out)
{
	char t[CPUS_TEXT];
	int r = cgi_read(path, t, sizeof t);

	return r < 0 ? r : cpus_parse(t, out);
}

/* The nodes with memory, and of these the ones that the processors are on; nothing near where nothing is far. */
static void nodes_of(const struct cpus *c, struct cpus *all, struct cpus *near)
{
	struct cpus far;

	*all = *near = (struct cpus){{0}};
	if (read_set(NODES "/has_memory", all) < 0)
		return; /* a kernel without NUMA */
	for (unsigned n = 0; n < CPUS_MAX; n++) {
		struct cpus there, one;
		char p[64], text[16];

		snprintf(p, sizeof p, NODES "/node%u/cpulist", n);
		snprintf(text, sizeof text, "%u", n);
		if (!cpus_has(all, n) || read_set(p, &there) < 0 || cpus_parse(text, &one) < 0)
			continue;
		there = cpus_and(&there, c);
		if (cpus_count(&there))
			*near = cpus_or(near, &one);
	}
	far = cpus_less(all, near);
	if (!cpus_count(&far))
		*near = (struct cpus){{0}};
}

int cgi_mems(const struct cg_host *h, const char *uuid, const struct cpus *c, struct err *e)
{
	struct cpus all, want, got;
	char p[CGI_PATH], text[CPUS_TEXT], back[CPUS_TEXT];
	int r = cgi_read(cgi_path(h, -1, uuid, "cpuset.mems", p), back, sizeof back);

	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(e, r, "%s", p);
	nodes_of(c, &all, &want);
	if (!cpus_count(&want)) {
		if (!*back)
			return 0;
		/* who has tasks can't be told nothing again */
		want = all;
	}
	r = cgi_write_read(p, cpus_text(&want, text), back, sizeof back);
	if (r < 0)
		return err_sys(e, r, "write %s to %s", text, p);
	if (cpus_parse(back, &got) < 0 || !cpus_equal(&got, &want))
		return err_set(e, EINVAL, "the kernel took memory nodes \"%s\" instead of %s in %s", back, text, p);
	return 0;
}
