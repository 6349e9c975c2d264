/* SPDX-License-Identifier: MPL-2.0 */
#include "net/router.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/netns.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "net/netd.h"
#include "net/vnic.h"

/*
 * Before any interface is there. A zone on one switch asks for the gateway of its own alone (arp_ignore); nobody there tells
 * the router where to go (redirects, advertisements), and its own addresses need no looking for (accept_dad).
 */
static int settle(void)
{
	static const char *const sysctl[][2] = {
		{"ipv4/conf/default/arp_ignore", "1"},	      {"ipv4/conf/default/arp_announce", "2"},	 {"ipv4/conf/default/accept_redirects", "0"},
		{"ipv4/conf/all/accept_redirects", "0"},      {"ipv4/conf/default/send_redirects", "0"}, {"ipv4/conf/all/send_redirects", "0"},
		{"ipv4/conf/default/rp_filter", "1"},	      {"ipv4/conf/all/rp_filter", "1"},		 {"ipv6/conf/default/accept_ra", "0"},
		{"ipv6/conf/default/accept_redirects", "0"},  {"ipv6/conf/default/accept_dad", "0"},
	};

	for (size_t i = 0; i < ARRAY_LEN(sysctl); i++) {
		_free_ char *path = xprintf("/proc/sys/net/%s", sysctl[i][0]);
		int r = file_write(AT_FDCWD, path, sysctl[i][1], NULL);

		if (r < 0 && r != -ENOENT) /* a host without IPv6 */
			return r;
	}
	return ns_lo_up(NULL);
}

int router_open(const struct ctx *c, bool make, struct err *e)
{
	_free_ char *path = xprintf("%s/net/router", c->node.run);
	int r = 0, fd;

	if (!netns_pinned(path))
		r = make ? netns_pin(path, settle, e) : err_set(e, ENOENT, "this node has no router");
	if (r < 0)
		return err_add(e, "router");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "%s", path) : fd;
}

void router_ifname(uint32_t sw, char out[16])
{
	snprintf(out, 16, "r%xv%u", sw >> 12, sw & 4095);
}

/* ---- one interface ---- */

/* What an interface was made from stands in a file: <run>/net/ports/<name>. */
static char *note_path(const struct net_switch *s, const char *name)
{
	return xprintf("%s/ports/%s", s->dir, name);
}

static char *note_of(const struct router_port *p)
{
	char g4[64] = "-", g6[64] = "-";

	if (p->set->gateway.family)
		inet_ntop(AF_INET, p->set->gateway.ip, g4, sizeof g4);
	if (p->set->gateway6.family)
		inet_ntop(AF_INET6, p->set->gateway6.ip, g6, sizeof g6);
	return xprintf("%u %s/%u %s/%u %u %02x%02x%02x%02x%02x%02x\n", p->sw, g4, p->set->gateway.prefix, g6, p->set->gateway6.prefix, p->mtu, p->mac[0],
		       p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5]);
}

int router_has_port(struct net_switch *s, uint32_t sw, struct err *e)
{
	char name[16];
	int r;

	router_ifname(sw, name);
	r = rtnl_index(s->rtnl, name, e);
	return r == -ENODEV ? 0 : r < 0 ? r : 1;
}

static bool as_it_should_be(struct net_switch *s, const struct router_port *p, const char *name, const char *note)
{
	_free_ char *path = note_path(s, name);
	_buf_ struct buf b = BUF_INIT;

	return rtnl_index(s->rtnl, name, NULL) > 0 && file_read(AT_FDCWD, path, 4096, &b, NULL) == 0 && strcmp(buf_str(&b), note) == 0;
}

static int port_away(struct net_switch *s, const char *name, struct err *e)
{
	_free_ char *path = note_path(s, name);
	int r = vnic_remove(s, name, 0, e);

	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = err_sys(e, errno, "%s", path);
	return r;
}

static int port_make(struct net_switch *s, int ns, const struct router_port *p, struct err *e)
{
	/* what it routes bears other hosts' addresses, and it may lease, advertise and resolve */
	struct vnic v = {.sw = p->sw, .flags = PORT_MAC_NOSPOOF | PORT_RESTRICTED, .number = ROUTER_VNIC, .mtu = p->mtu};
	const struct net_cidr *from[] = {&p->set->gateway, &p->set->gateway6};
	struct net_ip ip[2];
	int r;

	for (int i = 0; i < 2; i++) {
		if (!from[i]->family)
			continue;
		ip[v.nips] = (struct net_ip){.family = from[i]->family, .prefix = from[i]->prefix};
		memcpy(ip[v.nips++].ip, from[i]->ip, 16);
	}
	v.ips = ip;
	memcpy(v.mac, p->mac, 6);
	router_ifname(p->sw, v.port);
	router_ifname(p->sw, v.name);
	r = vnic_add(s, &v, ns, e);
	if (r < 0)
		return r;
	r = vnic_start(&v, ns, e);
	if (r < 0)
		vnic_remove(s, v.port, 0, NULL);
	return r;
}

int router_port(struct net_switch *s, int ns, const struct router_port *p, struct err *e)
{
	_free_ char *note = note_of(p), *dir = xprintf("%s/ports", s->dir), *path = NULL;
	char name[16];
	int r;

	router_ifname(p->sw, name);
	path = note_path(s, name);
	if (as_it_should_be(s, p, name, note))
		return 0;
	r = dir_make(dir, 0700, e);
	/* the note first, and empty: a command that is killed leaves a name to look for */
	if (r == 0)
		r = file_replace(path, "", 0, 0600, 0, e);
	if (r == 0)
		r = vnic_remove(s, name, 0, e);
	if (r == 0)
		r = port_make(s, ns, p, e);
	if (r == 0)
		r = file_replace(path, note, strlen(note), 0600, 0, e);
	return r < 0 ? err_add(e, "router") : 0;
}

int router_sweep(struct net_switch *s, const struct router_port *p, size_t n, struct err *e)
{
	_free_ char *path = xprintf("%s/ports", s->dir);
	_dir_ DIR *d = opendir(path);
	struct dirent *o;
	int r = 0;

	while (d && r == 0 && (o = readdir(d))) {
		bool wanted = o->d_name[0] == '.' || strlen(o->d_name) > 15;

		for (size_t i = 0; i < n && !wanted; i++) {
			char name[16];

			router_ifname(p[i].sw, name);
			wanted = strcmp(name, o->d_name) == 0;
		}
		if (!wanted)
			r = port_away(s, o->d_name, e);
	}
	return r < 0 ? err_add(e, "router") : 0;
}

int router_remove(struct net_switch *s, struct err *e)
{
	_free_ char *path = xprintf("%s/router", s->dir);
	int r = netd_sweep(s, NETD_SERVES, NULL, 0, e);

	if (r == 0)
		r = router_sweep(s, NULL, 0, e);
	return r < 0 ? r : netns_unpin(path, e);
}
