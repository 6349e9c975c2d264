/* SPDX-License-Identifier: MPL-2.0 */
/* I/O of a zone: ceilings for each device, and a weight. v1: blkio.throttle.* and bfq; v2: io.max, bfq or iocost. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"

#define WEIGHT_BFQ  1000
#define WEIGHT_COST 10000

static const struct {
	const char *prop, *v1, *v2;
} ceiling[CG_IO_CEILINGS] = {
	{"io_read_bps", "blkio.throttle.read_bps_device", "rbps"},
	{"io_write_bps", "blkio.throttle.write_bps_device", "wbps"},
	{"io_read_iops", "blkio.throttle.read_iops_device", "riops"},
	{"io_write_iops", "blkio.throttle.write_iops_device", "wiops"},
};

/* The line of a device, "" if there is none. */
static void line_of(const char *text, dev_t dev, char *out, size_t size)
{
	char head[32];
	size_t n = (size_t)snprintf(head, sizeof head, "%u:%u ", major(dev), minor(dev));

	*out = 0;
	for (const char *l = text; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL)
		if (!strncmp(l, head, n))
			snprintf(out, size, "%.*s", (int)strcspn(l + n, "\n"), l + n);
}

/* What of a ceiling falls to each device: together they never pass more than it. */
static uint64_t part(uint64_t v, size_t ndevs)
{
	return !v ? 0 : v / ndevs ? v / ndevs : 1;
}

/* "rbps=1 wbps=max …": the value, 0 = max. */
static uint64_t value_of(const char *line, const char *key)
{
	char word[24];
	const char *at;

	snprintf(word, sizeof word, "%s=", key);
	at = strstr(line, word);
	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

static uint64_t held(const char *text, bool v2, unsigned k, dev_t dev)
{
	char line[256];

	line_of(text, dev, line, sizeof line);
	return v2 ? value_of(line, ceiling[k].v2) : strtoull(line, NULL, 10);
}

int cg_io_ceiling(const char *dir, bool v2, unsigned k, uint64_t v, const dev_t *dev, size_t n, struct err *e)
{
	char p[CGI_PATH], t[96], text[4096];
	int r;

	snprintf(p, sizeof p, "%.400s/%s", dir, v2 ? "io.max" : ceiling[k].v1);
	r = cgi_read(p, text, sizeof text);
	for (size_t i = 0; r == 0 && i < n; i++) {
		uint64_t want = part(v, n);

		/* a write, whatever it says, begins a new slice of time, with all of it to use */
		if (held(text, v2, k, dev[i]) == want)
			continue;
		if (v2 && !want)
			snprintf(t, sizeof t, "%u:%u %s=max", major(dev[i]), minor(dev[i]), ceiling[k].v2);
		else
			snprintf(t, sizeof t, "%u:%u %s%s%llu", major(dev[i]), minor(dev[i]), v2 ? ceiling[k].v2 : "", v2 ? "=" : "",
				 (unsigned long long)want);
		r = cgi_write_read(p, t, text, sizeof text);
		if (r < 0)
			return err_sys(e, r, "%s: write %s to %s", ceiling[k].prop, t, p);
		if (held(text, v2, k, dev[i]) != want)
			return err_set(e, EINVAL, "%s: the kernel took %llu instead of %llu in %s", ceiling[k].prop,
				       (unsigned long long)held(text, v2, k, dev[i]), (unsigned long long)want, p);
	}
	return r < 0 ? err_sys(e, r, "%s: %s", ceiling[k].prop, p) : 0;
}

int cg_io_held(const char *dir, bool v2, const dev_t *dev, size_t n, uint64_t out[CG_IO_CEILINGS])
{
	char p[CGI_PATH], text[4096];

	for (unsigned k = 0; k < CG_IO_CEILINGS; k++) {
		int r;

		snprintf(p, sizeof p, "%.400s/%s", dir, v2 ? "io.max" : ceiling[k].v1);
		r = cgi_read(p, text, sizeof text);
		if (r < 0)
			return r;
		out[k] = 0;
		for (size_t i = 0; i < n; i++)
			out[k] += held(text, v2, k, dev[i]);
	}
	return 0;
}

/* "7:0 Read 4096" of v1. */
static uint64_t worded(const char *text, dev_t dev, const char *word)
{
	char head[48];
	size_t n = (size_t)snprintf(head, sizeof head, "%u:%u %s ", major(dev), minor(dev), word);

	for (const char *l = text; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL)
		if (!strncmp(l, head, n))
			return strtoull(l + n, NULL, 10);
	return 0;
}

void cg_text_io_of(const char *text, bool v2, bool ops, const dev_t *dev, size_t n, uint64_t out[2])
{
	out[0] = out[1] = 0;
	for (size_t i = 0; i < n; i++) {
		char line[512];

		line_of(text, dev[i], line, sizeof line);
		out[0] += v2 ? value_of(line, ops ? "rios" : "rbytes") : worded(text, dev[i], "Read");
		out[1] += v2 ? value_of(line, ops ? "wios" : "wbytes") : worded(text, dev[i], "Write");
	}
}

int cg_io_used(const char *dir, bool v2, const dev_t *dev, size_t n, uint64_t out[CG_IO_CEILINGS])
{
	static const char *const files[] = {"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"};
	char p[CGI_PATH], text[16384];

	for (int ops = 0; ops < 2; ops++) {
		int r;

		snprintf(p, sizeof p, "%.400s/%s", dir, v2 ? "io.stat" : files[ops]);
		r = cgi_read(p, text, sizeof text);
		if (r < 0)
			return r;
		cg_text_io_of(text, v2, ops, dev, n, out + 2 * ops);
	}
	return 0;
}

static bool bfq(dev_t d)
{
	char p[96], t[128];

	snprintf(p, sizeof p, "/sys/dev/block/%u:%u/queue/scheduler", major(d), minor(d));
	return cgi_read(p, t, sizeof t) == 0 && strstr(t, "[bfq]");
}

static bool iocost(const struct cg_host *h, dev_t d)
{
	char p[CGI_PATH], t[4096], line[256];

	snprintf(p, sizeof p, "%s/io.cost.qos", h->v2);
	if (cgi_read(p, t, sizeof t) < 0)
		return false;
	line_of(t, d, line, sizeof line);
	return strstr(line, "enable=1") != NULL;
}

static int set_weight(const struct cg_host *h, int tree, const char *group, const char *file, uint64_t v, struct err *e)
{
	char p[CGI_PATH], t[32], back[256];
	uint64_t got = 0;
	int r;

	cgi_path(h, tree, group, file, p);
	snprintf(t, sizeof t, "%s%llu", tree < 0 ? "default " : "", (unsigned long long)v);
	r = cgi_write_read(p, t, back, sizeof back);
	if (r < 0)
		return err_sys(e, r, "zfs_io_priority: write %s to %s", t, p);
	back[strcspn(back, "\n")] = 0;
	if (str_to_u64(str_starts(back, "default ") ? back + 8 : back, &got) < 0 || got != v)
		return err_set(e, EINVAL, "zfs_io_priority: the kernel took \"%s\" instead of %s in %s", back, t, p);
	return 0;
}

/* It may have been set by either, and the device's scheduler changed since: all that there are go back. */
static int no_weight(const struct cg_host *h, int tree, const char *group, struct err *e)
{
	static const char *const files[] = {"io.bfq.weight", "io.weight"};
	char p[CGI_PATH];
	int r = 0;

	if (tree >= 0)
		return access(cgi_path(h, tree, group, "blkio.bfq.weight", p), F_OK) < 0 ? 0
			: set_weight(h, tree, group, "blkio.bfq.weight", 100, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(files); i++)
		if (access(cgi_path(h, tree, group, files[i], p), F_OK) == 0)
			r = set_weight(h, tree, group, files[i], 100, e);
	return r;
}

/* Whether, and by which of the two (*cost), all these devices weigh it. */
static int weighs(const struct cg_host *h, int tree, const struct cg_io *io, const dev_t *dev, size_t n, bool *cost, struct err *e)
{
	*cost = false;
	for (size_t i = 0; i < n && io->weight; i++) {
		bool here = tree < 0 && iocost(h, dev[i]);

		if (here == *cost ? (here || bfq(dev[i])) : i == 0) {
			*cost = here;
			continue;
		}
		err_set(e, ENOTSUP, "zfs_io_priority: nothing weighs the I/O of zones on the pool's device %u:%u", major(dev[i]), minor(dev[i]));
		return err_hint(e, "give it a scheduler that does: echo bfq >/sys/dev/block/%u:%u/queue/scheduler", major(dev[i]), minor(dev[i]));
	}
	if (io->weight > (*cost ? WEIGHT_COST : WEIGHT_BFQ) || (io->weight_given && !io->weight))
		return err_set(e, ERANGE, "zfs_io_priority: %llu is not between 1 and %d, what this host can weigh",
			       (unsigned long long)io->weight, *cost ? WEIGHT_COST : WEIGHT_BFQ);
	return 0;
}

static int weight(const struct cg_host *h, int tree, const char *group, const struct cg_io *io, const dev_t *dev, size_t n,
		  struct err *e)
{
	bool cost;
	int r = weighs(h, tree, io, dev, n, &cost, e);

	if (r < 0)
		return r;
	if (!io->weight)
		return no_weight(h, tree, group, e);
	return set_weight(h, tree, group, tree >= 0 ? "blkio.bfq.weight" : cost ? "io.weight" : "io.bfq.weight", io->weight, e);
}

/* The first ceiling that there is: CG_IO_CEILINGS = none. */
static size_t first(const struct cg_io *io)
{
	size_t k = 0;

	while (k < CG_IO_CEILINGS && !io->ceiling[k])
		k++;
	return k;
}

int cg_can_io(const struct cg_host *h, const struct cg_io *io, const dev_t *dev, size_t n, struct err *e)
{
	char p[CGI_PATH];
	size_t k = first(io);
	bool cost;
	int tree, r;

	if (k == CG_IO_CEILINGS && !io->weight_given)
		return 0;
	r = cgi_where(h, CG_BLKIO, &tree, e);
	if (r < 0)
		return err_add(e, "I/O limits");
	if (k < CG_IO_CEILINGS) {
		if (tree >= 0)
			snprintf(p, sizeof p, "%s/%s", h->v1[CG_BLKIO], ceiling[k].v1);
		if (tree >= 0 ? access(p, F_OK) < 0 : cgi_v2_has(h, CG_BLKIO, "io.max") == 0)
			return err_set(e, ENOTSUP, "%s: this kernel can't limit I/O (CONFIG_BLK_DEV_THROTTLING)", ceiling[k].prop);
	}
	return weighs(h, tree, io, dev, n, &cost, e);
}

int cg_set_io(const struct cg_host *h, const char *uuid, const struct cg_io *io, const dev_t *dev, size_t n, struct err *e)
{
	bool wants = io->weight_given || first(io) < CG_IO_CEILINGS;
	char own[64], dir[CGI_PATH];
	const char *group = uuid;
	int tree, r = cgi_where(h, CG_BLKIO, &tree, e);

	if (r < 0)
		return wants ? err_add(e, "I/O limits") : 0;
	if (tree >= 0) {
		if (!wants && !cgi_own_there(h, CG_BLKIO, uuid))
			return 0;
		r = cgi_own_make(h, CG_BLKIO, uuid, e);
		group = cgi_own(uuid, own);
	}
	cgi_path(h, tree, group, NULL, dir);
	for (unsigned k = 0; r == 0 && k < CG_IO_CEILINGS; k++)
		r = cg_io_ceiling(dir, tree < 0, k, io->ceiling[k], dev, n, e);
	if (r == 0)
		r = weight(h, tree, group, io, dev, n, e);
	return r < 0 || tree < 0 ? r : cgi_own_enter(h, CG_BLKIO, uuid, e);
}

int cg_io_dir(const struct cg_host *h, const char *uuid, char *out, size_t size, bool *v2, struct err *e)
{
	char own[64], dir[CGI_PATH];
	int tree, r = cgi_where(h, CG_BLKIO, &tree, e);

	if (r < 0)
		return err_add(e, "I/O limits");
	*v2 = tree < 0;
	cgi_path(h, tree, tree < 0 ? uuid : cgi_own(uuid, own), NULL, dir);
	return snprintf(out, size, "%s", dir) >= (int)size ? err_set(e, ENAMETOOLONG, "%s", dir) : 0;
}
