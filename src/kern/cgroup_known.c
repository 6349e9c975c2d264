/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What cg_host_find() saw when a zone was booted last, kept in /run: reading all mounts of the host over and over was a
 * tenth of a login and of a stop. It is good for as long as each of those mounts is still the same one in its place,
 * which its unique id (Linux 6.8) says; anything else is looked up anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"
#include "kern/mount.h"

#define MAGIC 0x31676343u /* "Ccg1" */

struct known {
	uint32_t magic, bytes;
	char bootid[40];
	struct cg_host h;
	uint64_t v2, v1[CG_CTLS], other[CG_OTHER_MAX];
};

/* 0 = nothing is there, or this kernel has no such ids. */
static uint64_t id_of(const char *dir)
{
	return *dir ? mnt_unique_at(dir) : 0;
}

/* False if one of its mounts has no id. */
static bool fill(const struct ctx *c, const struct cg_host *h, struct known *k)
{
	memset(k, 0, sizeof *k);
	k->magic = MAGIC;
	k->bytes = sizeof *k;
	snprintf(k->bootid, sizeof k->bootid, "%s", c->bootid);
	k->h = *h;
	k->v2 = id_of(h->v2);
	for (int i = 0; i < CG_CTLS; i++) {
		k->v1[i] = id_of(h->v1[i]);
		if (h->v1[i][0] && !k->v1[i])
			return false;
	}
	for (unsigned i = 0; i < h->nother; i++) {
		k->other[i] = id_of(h->other[i]);
		if (!k->other[i])
			return false;
	}
	return k->v2 != 0;
}

static bool load(const struct ctx *c, struct known *k)
{
	_free_ char *path = xprintf("%s/cgroups", c->node.run);
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && read(fd, k, sizeof *k) == (ssize_t)sizeof *k && k->magic == MAGIC && k->bytes == sizeof *k &&
	       str_eq(k->bootid, c->bootid) && k->h.nother <= CG_OTHER_MAX;
}

int cg_host_known(const struct ctx *c, struct cg_host *h, struct err *e)
{
	struct known k, now;

	if (!load(c, &k) || !fill(c, &k.h, &now) || k.v2 != now.v2 || memcmp(k.v1, now.v1, sizeof k.v1) ||
	    memcmp(k.other, now.other, sizeof k.other))
		return cg_host_find(c, h, e);
	*h = k.h;
	return 0;
}

void cg_host_keep(const struct ctx *c, const struct cg_host *h)
{
	_free_ char *path = xprintf("%s/cgroups", c->node.run);
	struct known was, k;

	if (!fill(c, h, &k) || (load(c, &was) && !memcmp(&was, &k, sizeof k)))
		return;
	file_replace(path, &k, sizeof k, 0600, 0, NULL);
}
