/* SPDX-License-Identifier: MPL-2.0 */
/* All data links, put together from the switch's ports, the tags, the zones that run and the host's own interfaces. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/rtnl.h"
#include "model/vm.h"
#include "net/router.h"
#include "net/vnic.h"
#include "node/links.h"
#include "zone/zone.h"

struct zone_id {
	uint64_t id;
	char uuid[37], name[64];
};

struct walk {
	struct ctx *c;
	struct state *st;
	struct net_switch *s;
	struct state_nictag *tag;
	struct zone_id *zone;
	size_t ntag, nzone;
	json_t *random; /* names of the global zone's with a random MAC */
	int (*each)(const struct link_view *, void *);
	void *arg;
};

static void walk_done(struct walk *w)
{
	free(w->tag);
	free(w->zone);
	json_decref(w->random);
}

static int see_tag(const struct state_nictag *t, void *arg)
{
	struct walk *w = arg;

	w->tag = xrealloc(w->tag, (w->ntag + 1) * sizeof *w->tag);
	w->tag[w->ntag++] = *t;
	return 0;
}

static int see_name(const struct vm_row *row, void *arg)
{
	struct zone_id *z = arg;

	snprintf(z->name, sizeof z->name, "%s", row->zonename ?: row->uuid);
	return 0;
}

static int see_zone(const char *uuid, const struct zone_run *r, void *arg)
{
	struct walk *w = arg;
	struct zone_id *z;

	if (!r->running)
		return 0;
	w->zone = xrealloc(w->zone, (w->nzone + 1) * sizeof *w->zone);
	z = &w->zone[w->nzone++];
	z->id = r->zoneid;
	snprintf(z->uuid, sizeof z->uuid, "%s", uuid);
	snprintf(z->name, sizeof z->name, "%s", uuid);
	if (w->st)
		state_vm_row(w->st, uuid, see_name, z, NULL);
	return 0;
}

static int see_link(const char *name, const json_t *o, void *arg)
{
	struct walk *w = arg;

	return vm_bool(o, "random", false) ? json_object_set_new(w->random, name, json_true()) : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct zone_id *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void owner(const struct walk *w, uint32_t vnic, struct link_view *v)
{
	struct zone_id key = {.id = vnic >> 5}, *z = NULL;

	v->zoneid = vnic >> 5;
	snprintf(v->zone, sizeof v->zone, "%s", vnic == ROUTER_VNIC ? "router" : v->zoneid ? "-" : "global");
	/* numbers of zones are cut to 27 bits in a port's */
	if (v->zoneid && w->nzone)
		z = bsearch(&key, w->zone, w->nzone, sizeof key, by_id);
	if (!z)
		return;
	memcpy(v->uuid, z->uuid, sizeof v->uuid);
	memcpy(v->zone, z->name, sizeof v->zone);
}

static int see_port(uint32_t ifindex, const struct sw_port *p, const struct sw_count *n, void *arg)
{
	struct walk *w = arg;
	struct link_view v = {.class = LINK_CLASS_VNIC, .vid = p->sw & 4095, .ifindex = ifindex, .n = *n};
	struct rtnl_link l;

	snprintf(v.name, sizeof v.name, "%.*s", (int)sizeof p->name, p->name);
	memcpy(v.mac, p->mac, sizeof v.mac);
	for (size_t i = 0; i < w->ntag; i++)
		if (w->tag[i].id == p->sw >> 12)
			snprintf(v.over, sizeof v.over, "%s", w->tag[i].name);
	owner(w, p->vnic, &v);
	v.random = p->vnic == LINK_VNIC && json_object_get(w->random, v.name);
	if (rtnl_get(w->s->rtnl, (int)ifindex, &l, NULL) < 0)
		return 0;
	v.mtu = l.mtu;
	v.up = l.up && l.running;
	return w->each(&v, w->arg);
}

static int number(int dir, const char *name, const char *file)
{
	_free_ char *path = xprintf("%s/%s", name, file);
	_buf_ struct buf b = BUF_INIT;
	uint64_t n = 0;

	if (file_read(dir, path, 64, &b, NULL) == 0 && b.len && b.p[b.len - 1] == '\n')
		b.p[--b.len] = 0;
	return str_to_u64(buf_str(&b), &n) == 0 ? (int)n : 0;
}

/* Interfaces that a device is behind. */
static int physical(const struct walk *w)
{
	_dir_ DIR *d = opendir("/sys/class/net");
	struct dirent *de;
	int r = 0;

	while (d && r >= 0 && (de = readdir(d))) {
		struct link_view v = {.class = LINK_CLASS_PHYS, .zone = "global"};
		_free_ char *dev = xprintf("%s/device", de->d_name);

		if (de->d_name[0] == '.' || faccessat(dirfd(d), dev, F_OK, 0) < 0)
			continue;
		snprintf(v.name, sizeof v.name, "%.31s", de->d_name);
		v.mtu = (uint32_t)number(dirfd(d), de->d_name, "mtu");
		v.up = number(dirfd(d), de->d_name, "carrier") == 1;
		r = w->each(&v, w->arg);
	}
	return r;
}

int links_each(struct ctx *c, struct state *st, int (*each)(const struct link_view *, void *), void *arg, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(walk_done) struct walk w = {.c = c, .st = st, .s = &s, .random = json_object(), .each = each, .arg = arg};
	int r = physical(&w);

	if (r >= 0 && st)
		r = state_nictag_each(st, see_tag, &w, e);
	for (size_t i = 0; r >= 0 && i < w.ntag; i++) {
		struct link_view v = {.class = LINK_CLASS_ETHERSTUB, .mtu = w.tag[i].mtu, .zone = "global", .up = true};

		snprintf(v.name, sizeof v.name, "%s", w.tag[i].name);
		if (w.tag[i].etherstub)
			r = each(&v, arg);
	}
	if (r >= 0 && st)
		r = state_net_each(st, "link", see_link, &w, e);
	if (r >= 0)
		r = zone_each(c, see_zone, &w, e);
	if (r < 0)
		return r;
	if (w.nzone)
		qsort(w.zone, w.nzone, sizeof *w.zone, by_id);
	r = switch_look(c, &s, e);
	return r == -ENOENT ? 0 : r < 0 ? r : vnic_each(&s, see_port, &w, e);
}
