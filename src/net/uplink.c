/* SPDX-License-Identifier: MPL-2.0 */
#include "net/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/wireless.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "net/netd.h"
#include "net/port.h"
#include "net/wire.h"

#define IPS_MAX 32

void uplink_done(struct uplink *u)
{
	buf_done(&u->saved);
}

/* ---- which device ---- */

struct look {
	const char *name;
	uint8_t mac[6];
	bool by_mac;
	struct netdev found, upper;
	unsigned n;
};

/* What is built on another has its MAC too: a physical device or a veth is meant. */
static bool may_be(const struct netdev *d)
{
	return !d->kind[0] || str_eq(d->kind, "veth");
}

static int look_one(const struct netdev *d, void *arg)
{
	struct look *l = arg;

	if (l->by_mac ? memcmp(d->mac, l->mac, 6) == 0 && may_be(d) && d->type == ARPHRD_ETHER : strcmp(d->name, l->name) == 0) {
		l->found = *d;
		l->n++;
	}
	return 0;
}

static int look_upper(const struct netdev *d, void *arg)
{
	struct look *l = arg;

	if (d->below == l->found.index && d->index != l->found.index && !str_eq(d->kind, "veth"))
		l->upper = *d;
	return 0;
}

static bool wireless(const char *name)
{
	_free_ char *path = xprintf("/sys/class/net/%s/phy80211", name);
	_fd_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct iwreq q = {0};

	snprintf(q.ifr_name, sizeof q.ifr_name, "%s", name);
	return access(path, F_OK) == 0 || (s >= 0 && ioctl(s, SIOCGIWNAME, &q) == 0);
}

static int check(const struct look *l, struct err *e)
{
	const struct netdev *d = &l->found;

	if ((d->flags & IFF_LOOPBACK) || d->type != ARPHRD_ETHER)
		return err_set(e, ENOTSUP, "%s is no Ethernet device", d->name);
	if (!may_be(d))
		return err_set(e, ENOTSUP, "%s is a %s: an uplink is a physical device or a veth", d->name, d->kind);
	if (d->master)
		return err_set(e, EBUSY, "%s is a member of a bridge or bond", d->name);
	if (l->upper.index)
		return err_set(e, EBUSY, "%s is built on %s", l->upper.name, d->name);
	if (wireless(d->name))
		return err_set(e, ENOTSUP, "%s is wireless: an access point takes frames of its own stations alone", d->name);
	return 0;
}

int uplink_find(int rtnl, const char *what, struct netdev *out, struct err *e)
{
	struct look l = {.name = what};
	char more;
	int r;

	l.by_mac = sscanf(what, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &l.mac[0], &l.mac[1], &l.mac[2], &l.mac[3], &l.mac[4], &l.mac[5], &more) == 6;
	r = netdev_each(rtnl, look_one, &l, e);
	if (r == 0 && l.n == 0) {
		err_set(e, ENODEV, "there is no device %s in this network namespace", what);
		return err_hint(e, "What is in another one belongs to whom that is: `ip link` shows what is here.");
	}
	if (r == 0 && l.n > 1)
		return err_set(e, EINVAL, "%u devices have the link address %s: say which by its name", l.n, what);
	if (r == 0)
		r = netdev_each(rtnl, look_upper, &l, e);
	if (r == 0)
		r = check(&l, e);
	if (r == 0)
		*out = l.found;
	return r;
}

/* ---- up ---- */

static void names(const struct uplink *u, char up[16], char host[16])
{
	snprintf(up, 16, "u%u", u->id);
	snprintf(host, 16, "h%u", u->id);
}

/* Of the host into the switch namespace. What it has there is kept before it goes. */
static int fetch(struct net_switch *s, int rtnl, struct uplink *u, const char *up, struct err *e)
{
	_buf_ struct buf now = BUF_INIT;
	struct netdev d;
	bool def;
	int r = netdev_get(rtnl, u->device, &d, e);

	if (r < 0)
		return r;
	if (memcmp(d.mac, u->mac, 6) != 0)
		return err_set(e, ENODEV, "%s has another link address than the uplink", u->device);
	r = netdev_save(rtnl, d.index, &now, &def, e);
	if (r < 0)
		return r;
	if (now.len) {
		buf_done(&u->saved);
		u->saved = now;
		now = BUF_INIT;
	}
	return netdev_move(rtnl, d.index, s->ns, up, e);
}

struct ips {
	struct net_ip ip[IPS_MAX];
	size_t n;
};

static int ip_one(int family, const uint8_t *ip, unsigned prefix, void *arg)
{
	struct ips *l = arg;

	if (l->n < IPS_MAX) {
		struct net_ip *a = &l->ip[l->n++];

		*a = (struct net_ip){.family = family, .prefix = prefix};
		memcpy(a->ip, ip, family == AF_INET ? 4 : 16);
	}
	return 0;
}

/* Is there while the host's VNIC has not all of its addresses and routes yet. */
static char *unfinished(const struct net_switch *s, const char *port)
{
	return xprintf("%s/unfinished-%s", s->dir, port);
}

/* The host's own end, with the name, MAC and addresses of the device that it had. It is no guest: nothing it sends is held against a list. */
static int host_up(struct net_switch *s, int rtnl, int ns, const struct uplink *u, const char *port, struct err *e)
{
	struct vnic v = {.sw = u->id << 12, .number = HOST_VNIC, .mtu = u->mtu};
	struct ips l = {.n = 0};
	unsigned failed = 0;
	struct sw_port p;
	_free_ char *note = unfinished(s, port);
	int r = rtnl_index(s->rtnl, port, NULL);

	if (r > 0 && vnic_port(s, (uint32_t)r, &p) == 1 && access(note, F_OK) < 0)
		return 0;
	/* who made it was killed before the switch knew it, or before it had all that it is to have */
	r = r > 0 ? vnic_remove(s, port, (uint32_t)r, e) : 0;
	if (r == 0)
		r = file_replace(note, "", 0, 0600, 0, e);
	if (r < 0)
		return r;
	netdev_addresses(u->saved.p, u->saved.len, ip_one, &l);
	snprintf(v.port, sizeof v.port, "%s", port);
	snprintf(v.name, sizeof v.name, "%s", u->device);
	memcpy(v.mac, u->mac, 6);
	v.ips = l.ip;
	v.nips = l.n;
	r = vnic_add(s, &v, ns, e);
	if (r >= 0)
		r = failpoint("uplink-host", e);
	if (r >= 0)
		r = rtnl_index(rtnl, v.name, e);
	if (r >= 0)
		r = netdev_restore(rtnl, r, u->saved.p, u->saved.len, &failed, e);
	if (r >= 0 && failed)
		r = err_set(e, EIO, "%u addresses or routes of the host could not be moved to its own VNIC", failed);
	if (r >= 0 && unlink(note) < 0)
		r = err_sys(e, errno, "%s", note);
	return r < 0 ? r : 0;
}

int uplink_up(struct net_switch *s, int rtnl, int ns, struct uplink *u, struct err *e)
{
	struct wire w = {.id = u->id, .kind = WIRE_UPLINK, .number = UPLINK_VNIC, .program = "from_uplink"};
	char host[16];
	int r, index;

	names(u, w.port, host);
	memcpy(w.mac, u->mac, 6);
	index = rtnl_index(s->rtnl, w.port, NULL);
	r = index > 0 ? 0 : fetch(s, rtnl, u, w.port, e);
	if (r == 0) {
		index = rtnl_index(s->rtnl, w.port, e);
		r = index < 0 ? index : 0;
	}
	if (r == 0)
		r = netdev_mtu(s->rtnl, index, u->mtu, e);
	if (r == 0)
		r = wire_port(s, &w, index, e);
	if (r == 0)
		r = netdev_promisc(s->rtnl, index, e);
	if (r == 0)
		r = rtnl_up(s->rtnl, index, true, e);
	if (r == 0)
		r = wire_join(s, &w, index, e);
	if (r == 0 && u->host)
		r = host_up(s, rtnl, ns, u, host, e);
	return r < 0 ? err_add(e, "uplink %s", u->device) : 0;
}

/* ---- down ---- */

/* What the host's VNIC has now goes back to the device, not what it had once; unless it never had all of that. */
static int host_down(struct net_switch *s, int rtnl, struct uplink *u, const char *port, struct err *e)
{
	_free_ char *note = unfinished(s, port);
	_buf_ struct buf now = BUF_INIT;
	struct netdev d;
	bool def;

	if (rtnl_index(s->rtnl, port, NULL) < 0)
		return 0;
	if (unlink(note) < 0 && netdev_get(rtnl, u->device, &d, NULL) == 0 && netdev_save(rtnl, d.index, &now, &def, NULL) == 0 && now.len) {
		buf_done(&u->saved);
		u->saved = now;
		now = BUF_INIT;
	}
	return vnic_remove(s, port, 0, e);
}

int uplink_down(struct net_switch *s, int rtnl, int ns, struct uplink *u, unsigned *lost, struct err *e)
{
	char up[16], host[16];
	int r, index;

	*lost = 0;
	names(u, up, host);
	r = netd_end(s, NETD_ASKS, u->id << 12, e);
	if (r == 0)
		r = host_down(s, rtnl, u, host, e);
	index = rtnl_index(s->rtnl, up, NULL);
	if (r == 0)
		r = wire_leave(s, u->id, up, index, e);
	if (r == 0 && index > 0)
		r = netdev_move(s->rtnl, index, ns, u->device, e);
	if (r < 0)
		return err_add(e, "uplink %s", u->device);
	index = rtnl_index(rtnl, u->device, NULL);
	if (index < 0)
		return 0;
	r = netdev_restore(rtnl, index, u->saved.p, u->saved.len, lost, e);
	return r < 0 ? err_add(e, "uplink %s", u->device) : 0;
}
