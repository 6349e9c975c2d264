/* SPDX-License-Identifier: MPL-2.0 */
#include "node/addr.h"
#include "node/flow.h"
#include "node/nics_in.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "kern/ns.h"
#include "kern/sock.h"
#include "model/vm.h"
#include "net/fw.h"
#include "net/log.h"
#include "node/fw.h"
#include "node/lease.h"
#include "node/netconf.h"
#include "node/router.h"
#include "zone/usage_net.h"

static bool as_it_was(const json_t *old, const json_t *nic)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(old, "nics"), i, o)
		if (json_equal((json_t *)o, (json_t *)nic))
			return true;
	return false;
}

int nics_check(struct ctx *c, struct state *st, const json_t *old, const json_t *rec, struct err *e)
{
	_clean_(state_close) struct state *mine = NULL;
	struct nic *n;
	size_t i;
	json_t *o;
	int r = 0;

	if (json_array_size(json_object_get(rec, "nics")) == 0) {
		r = st ? nic_shape_check(st, rec, e) : 0; /* flows of a NIC that would go */
		return r < 0 ? r : routes_check(rec, e);
	}
	if (!st)
		r = state_open(c, STATE_READ, &mine, e);
	if (r == -ENOENT) /* a node without a database has no tags */
		return err_set(e, ENOENT, "nics: nic tag \"%s\" does not exist", vm_str(json_array_get(json_object_get(rec, "nics"), 0), "nic_tag") ?: "");
	if (r < 0)
		return r;
	n = xalloc(sizeof *n);

	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		r = nic_from_record(st ?: mine, o, n, e);
		if (r == 0 && !as_it_was(old, o))
			r = nic_check(n, e);
		if (r < 0)
			break;
	}
	free(n);
	if (r == 0)
		r = routes_check(rec, e);
	if (r == 0)
		r = nic_shape_check(st ?: mine, rec, e);
	if (r == 0)
		r = state_nics_free(st ?: mine, rec, e);
	return r;
}

char *nics_list(const struct ctx *c, const char *uuid)
{
	return xprintf("%s/net/%s", c->node.run, uuid);
}

int nics_list_add(const struct ctx *c, const char *uuid, const char *port, int ifindex, struct err *e)
{
	_free_ char *path = nics_list(c, uuid);
	_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || dprintf(fd, "%s %d\n", port, ifindex) < 0)
		return err_sys(e, errno, "%s", path);
	return 0;
}

int nic_router(struct vm *v, struct net_switch *s, const json_t *nic, const struct nic *n, struct err *e)
{
	_free_ char *name = addr_switch(nic);

	return router_need(v->c, v->st, s, n->v.sw, name, e);
}

/* A tap's other end is the monitor's alone: the keeper gets it for that one, and nobody keeps a copy. */
static int tap_up(struct net_switch *s, const struct vnic *v, int go, struct err *e)
{
	_fd_ int tap = -1;
	int ifindex = vnic_add_tap(s, v, &tap, e), r = ifindex < 0 ? ifindex : failpoint("nic-tap", e);

	if (r == 0 && (r = sock_send_fd(go, 'f', tap)) < 0)
		err_sys(e, r, "hand VNIC %s to zoneadmd", v->name);
	if (r < 0 && ifindex > 0)
		vnic_remove(s, v->port, (uint32_t)ifindex, NULL);
	return r < 0 ? r : ifindex;
}

static int one_up(struct vm *v, struct net_switch *s, const json_t *nic, size_t i, int ns, int go, struct err *e)
{
	struct nic *n = xalloc(sizeof *n);
	int r = nic_from_record(v->st, nic, n, e), ifindex;

	if (r == 0)
		r = nic_router(v, s, nic, n, e);
	if (r == 0) {
		n->v.number = (uint32_t)v->spec->zoneid << 5 | (uint32_t)i;
		if (vm_bool(v->rec, "firewall_enabled", false))
			n->v.flags |= PORT_FIREWALL;
		if (vm_bool(v->rec, "log_drops", false))
			n->v.flags |= PORT_LOG;
		/* said to have a ceiling and without one it is closed: a command that is killed in between leaves none that is open */
		if (vm_int(nic, "maxbw", 0))
			n->v.flags |= PORT_SHAPED;
		snprintf(n->v.port, sizeof n->v.port, "z%un%u", (unsigned)v->spec->zoneid, (unsigned)(i % NICS_MAX));
		/* before it is made: a command that is killed then leaves a name to look for */
		r = nics_list_add(v->c, v->uuid, n->v.port, 0, e);
	}
	if (r == 0 && (n->v.flags & PORT_LOG))
		r = net_log_on(s, &(uint32_t){(uint32_t)v->spec->zoneid}, 1, e);
	if (r == 0)
		r = brand_hvm(v->brand) ? tap_up(s, &n->v, go, e) : vnic_add(s, &n->v, ns, e);
	ifindex = r;
	if (r > 0)
		r = nics_list_add(v->c, v->uuid, n->v.port, ifindex, e);
	if (r == 0)
		r = nic_shape(v->st, s, v->uuid, nic, (uint32_t)ifindex, e);
	/* it is closed until it has its zone's rules, and down until then */
	if (r == 0 && i == 0)
		r = vmfw_up(v, s, e);
	if (r == 0)
		r = brand_hvm(v->brand) ? lease_put(s, v->rec, nic, n->v.mtu, (uint32_t)ifindex, e) : vnic_start(&n->v, ns, e);
	free(n);
	return r;
}

/* ---- who may take links away can be found out: its namespace is kept until its ports have been looked at ---- */

static char *kept_path(const struct ctx *c, const char *uuid)
{
	return xprintf("%s/net/%s.ns", c->node.run, uuid);
}

static int keep_ns(struct vm *v, pid_t init, struct err *e)
{
	_free_ char *path = kept_path(v->c, v->uuid), *ns = xprintf("/proc/%d/ns/net", (int)init);
	_fd_ int fd = -1;

	if (!(v->spec->caps >> CAP_NET_ADMIN & 1))
		return 0;
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || mount(ns, path, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, errno, "keep the zone's network namespace at %s", path);
	return 0;
}

static void let_go(const struct ctx *c, const char *uuid)
{
	_free_ char *path = kept_path(c, uuid);

	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	unlink(path);
}

static void tell_missed(const struct ctx *c, const char *uuid, struct net_switch *s, uint32_t ifindex)
{
	_clean_(state_close) struct state *st = NULL;
	struct sw_port p;
	char mac[18];
	json_t *d;

	if (ifindex == 0 || vnic_port(s, ifindex, &p) != 0)
		return;
	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", p.mac[0], p.mac[1], p.mac[2], p.mac[3], p.mac[4], p.mac[5]);
	ctx_log(c, LOG_WARN, "VM %s: the zone had taken its interface with %s away", uuid, mac);
	d = json_pack("{s:s}", "mac", mac);
	if (state_open(c, STATE_WRITE, &st, NULL) == 0)
		state_event(st, "nic-gone", uuid, d, NULL);
	json_decref(d);
}

/* Leases, and the switch. One that is replaced is noted before: with the old address nobody may come in by this VM's name, also if we end here. */
static int leased(struct vm *v, struct net_switch *s, struct err *e)
{
	int stale = addr_stale(v->st, v->uuid, v->rec, e), moved = fwaddr_has_moved(v->st, v->rec, e), r = stale < 0 ? stale : moved;

	if (r >= 0 && stale == 0)
		r = addr_take(v->st, v->uuid, v->rec, e);
	if (r >= 0)
		r = switch_open(v->c, true, s, e);
	if (r < 0 || (!stale && !moved))
		return r;
	r = vmfw_doubt(s, e);
	if (r == 0 && moved)
		r = fwaddr_moving(v->st, false, v->rec, NULL, e);
	return r < 0 || !stale ? r : addr_take(v->st, v->uuid, v->rec, e);
}

/*
 * Of a start that was killed: its zone has gone, but the kernel takes its interfaces away in its own time, and until then
 * they are ports with the addresses that are wanted now.
 */
static int former_gone(struct vm *v, struct err *e)
{
	_free_ char *path = nics_list(v->c, v->uuid);

	return access(path, F_OK) < 0 ? 0 : nics_down(v->c, v->uuid, e);
}

int nics_up(struct vm *v, pid_t init, int go, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_fd_ int ns = ns_open(init, "net", e);
	bool low;
	size_t i;
	json_t *o;
	int r = ns < 0 ? ns : former_gone(v, e);

	if (r == 0)
		r = leased(v, &s, e);
	if (r == 0)
		r = keep_ns(v, init, e);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(v->rec, "nics"), i, o)
	{
		r = one_up(v, &s, o, i, ns, go, e);
		if (r < 0)
			break;
	}
	if (r == 0 && !brand_hvm(v->brand))
		r = routes_up(v->rec, ns, e);
	if (r == 0)
		r = addr_tell(v->c, v->st, &s, v->uuid, v->spec->zoneid, v->rec, e);
	low = vm_bool(v->rec, "firewall_enabled", false) && net_fw_low(&s);
	switch_close(&s);
	vmfw_later(v->c, low);
	if (r < 0)
		nics_down(v->c, v->uuid, NULL);
	return r;
}

/* Who made it was killed before it knew the index: once its interface has gone with the zone, nothing leads to the port. */
static bool has_no_index(const char *list, const char *port)
{
	struct nic_line l;

	while (nic_line(&list, &l))
		if (l.ifindex && strcmp(l.port, port) == 0)
			return false;
	return true;
}

int nics_down(const struct ctx *c, const char *uuid, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_free_ char *path = nics_list(c, uuid), *ns = kept_path(c, uuid);
	_buf_ struct buf b = BUF_INIT;
	bool kept, lost = false, low;
	struct err miss = ERR_INIT;
	struct nic_line l;
	unsigned zone = 0;
	int r = file_read(AT_FDCWD, path, 1 << 16, &b, &miss);

	kept = access(ns, F_OK) == 0;
	if (r == -ENOENT) {
		if (kept)
			let_go(c, uuid);
		return 0;
	}
	if (r < 0) {
		if (e)
			*e = miss;
		return r;
	}
	r = switch_open(c, false, &s, &miss);
	if (r == -ENOENT) { /* the switch has gone with all its ports; in another one their indexes may be somebody else's */
		unlink(path);
		let_go(c, uuid);
		return 0;
	}
	for (const char *p = buf_str(&b); kept && r == 0 && nic_line(&p, &l);)
		tell_missed(c, uuid, &s, l.ifindex);
	for (const char *p = buf_str(&b); r == 0 && nic_line(&p, &l);) {
		sscanf(l.port, "z%un", &zone);
		r = l.port[0] ? vnic_leave(&s, l.port, l.ifindex, &miss) : 0;
		lost = lost || (l.port[0] && l.ifindex == 0 && has_no_index(buf_str(&b), l.port));
	}
	if (r == 0 && lost && (r = vnic_sweep(&s, &miss)) > 0)
		r = 0;
	low = r == 0 && zone && net_fw_status(&s, zone, NULL) == 1;
	if (r == 0 && zone)
		r = net_fw_drop(&s, zone, &miss);
	low = low && net_fw_low(&s);
	if (r == 0)
		r = addr_tell(c, NULL, &s, uuid, 0, NULL, &miss);
	if (r < 0 && e)
		*e = miss;
	if (kept)
		let_go(c, uuid);
	if (r == 0)
		unlink(path);
	switch_close(&s);
	vmfw_later(c, low);
	return r;
}
