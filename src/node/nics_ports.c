/* SPDX-License-Identifier: MPL-2.0 */
#include "node/nics_live_in.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/ns.h"
#include "kern/pidfd.h"
#include "kern/rtnl.h"
#include "model/vm.h"
#include "zone/usage_net.h"

void live_close(struct live *l)
{
	own_fd(&l->ns);
	own_fd(&l->rtnl);
	switch_close(&l->s);
	plug_done(&l->plug);
}

struct live_port *live_port(struct live *l, const uint8_t mac[6])
{
	for (size_t i = 0; i < l->n; i++)
		if (memcmp(l->port[i].p.mac, mac, 6) == 0)
			return &l->port[i];
	return NULL;
}

static struct live_port *port_named(struct live *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->port[i].name, name))
			return &l->port[i];
	return NULL;
}

int live_save(struct live *l, struct err *e)
{
	_free_ char *path = nics_list(l->v->c, l->v->uuid);
	_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < l->n; i++)
		buf_printf(&b, "%s %u%s\n", l->port[i].name, l->port[i].ifindex, l->port[i].counted ? " -" : "");
	/* without one its number is nowhere else: by it the end of the zone finds its flows, its list and its log */
	if (l->n == 0)
		buf_printf(&b, "z%un0 0\n", (unsigned)l->v->run.zoneid);
	if (l->gone[0] || l->gone[1])
		buf_printf(&b, "#gone %" PRIu64 " %" PRIu64 "\n", l->gone[0], l->gone[1]);
	return file_replace(path, buf_str(&b), b.len, 0600, 0, e);
}

/* One that a killed command had begun is taken away, or is whole: then it only lacked its number in the list. */
static int unfinished(struct live *l, const char *name, struct err *e)
{
	int index = rtnl_index(l->s.rtnl, name, NULL);
	struct live_port p = {.ifindex = (uint32_t)index};

	if (index < 0 || vnic_port(&l->s, (uint32_t)index, &p.p) != 1)
		return vnic_remove(&l->s, name, 0, e);
	snprintf(p.name, sizeof p.name, "%s", name);
	p.there = true;
	l->port[l->n++] = p;
	return 0;
}

static int load(struct live *l, struct err *e)
{
	_free_ char *path = nics_list(l->v->c, l->v->uuid);
	_buf_ struct buf b = BUF_INIT;
	struct nic_line line;
	int r = file_read(AT_FDCWD, path, 1 << 16, &b, NULL);
	const char *t;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(e, r, "%s", path);
	for (t = buf_str(&b); nic_line(&t, &line);) {
		struct live_port p = {.ifindex = line.ifindex, .counted = line.counted};
		int there = line.ifindex ? vnic_port(&l->s, line.ifindex, &p.p) : -ENOENT;

		if (!line.port[0]) {
			l->gone[0] += line.received;
			l->gone[1] += line.sent;
		}
		if (there < 0 || l->n == NICS_MAX || port_named(l, line.port))
			continue;
		memcpy(p.name, line.port, sizeof p.name);
		p.there = there == 1;
		l->port[l->n++] = p;
	}
	for (t = buf_str(&b); r >= 0 && nic_line(&t, &line);)
		if (line.port[0] && l->n < NICS_MAX && !port_named(l, line.port))
			r = unfinished(l, line.port, e);
	return r < 0 ? r : live_save(l, e);
}

int live_open(struct vm *v, struct live *l, struct err *e)
{
	_fd_ int init = zone_pidfd(&v->run, e);
	int r;

	if (init < 0)
		return init;
	l->ns = ns_open(v->run.init_pid, "net", e);
	if (l->ns < 0)
		return l->ns;
	/* it lived when its namespace was opened, so that was its own and not of a process that has its number now */
	if (pidfd_wait(init, 0) == 0)
		return err_set(e, ESRCH, "the zone has ended");
	l->rtnl = rtnl_open_in(l->ns, e);
	r = l->rtnl < 0 ? l->rtnl : switch_open(v->c, true, &l->s, e);
	return r < 0 ? r : load(l, e);
}

/* ---- where they are ---- */

struct tag_of {
	uint32_t id;
	char name[STATE_TAG_NAME];
};

static int tag_is(const struct state_nictag *t, void *arg)
{
	struct tag_of *o = arg;

	if (t->id == o->id)
		snprintf(o->name, sizeof o->name, "%s", t->name);
	return 0;
}

/* The NIC on the switch that its port is on; NULL: the record says so already, or that nic tag is no more. */
static json_t *stays(struct live *l, const json_t *nic)
{
	uint8_t mac[6];
	const struct live_port *p = nic_mac(nic, mac) < 0 ? NULL : live_port(l, mac);
	struct tag_of was = {.id = p ? p->p.sw >> 12 : 0};
	struct state_nictag t;
	json_t *o;

	if (!p || state_nictag_get(l->v->st, vm_str(nic, "nic_tag") ?: "", &t, NULL) < 0 || (t.id << 12 | (uint32_t)vm_int(nic, "vlan_id", 0)) == p->p.sw ||
	    state_nictag_each(l->v->st, tag_is, &was, NULL) < 0 || !was.name[0])
		return NULL;
	o = json_copy((json_t *)nic);
	json_object_set_new(o, "nic_tag", json_string(was.name));
	json_object_set_new(o, "vlan_id", json_integer(p->p.sw & 4095));
	json_object_del(o, "mtu"); /* which may be too much for that one */
	return o;
}

json_t *live_record(struct live *l, const json_t *rec)
{
	json_t *out = json_copy((json_t *)rec), *nics = json_array();
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		json_t *mine = stays(l, o);

		json_array_append_new(nics, mine ?: json_incref((json_t *)o));
	}
	json_object_set_new(out, "nics", nics);
	return out;
}
