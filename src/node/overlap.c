/* SPDX-License-Identifier: MPL-2.0 */
/* What else has the addresses and ports that a switch is to have: another switch, or the host itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/netdiag.h"
#include "node/router.h"

static void net_text(const struct net_cidr *n, char out[64])
{
	char a[INET6_ADDRSTRLEN] = "";

	inet_ntop(n->family, n->ip, a, sizeof a);
	snprintf(out, 64, "%s/%u", a, n->prefix);
}

/* A line of /proc/net/route: "eth0 0000A8C0 00000000 0001 0 0 0 00FFFFFF …", in the host's byte order. */
static bool route4(const char *line, struct net_cidr *out, char dev[16])
{
	uint32_t to, mask;

	if (sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", dev, &to, &mask) != 3)
		return false;
	*out = (struct net_cidr){.family = AF_INET, .prefix = (unsigned)__builtin_popcount(mask)};
	memcpy(out->ip, &to, 4);
	return true;
}

/* A line of /proc/net/ipv6_route: "fd00…32 digits 40 … eth0", the length in hex. */
static bool route6(const char *line, struct net_cidr *out, char dev[16])
{
	*out = (struct net_cidr){.family = AF_INET6};
	for (int i = 0; i < 16; i++)
		if (sscanf(line + 2 * i, "%2hhx", &out->ip[i]) != 1)
			return false;
	return sscanf(line + 32, "%x %*s %*s %*s %*s %*s %*s %*s %15s", &out->prefix, dev) == 2;
}

/* Routes of all and of the host's own addresses (128 bits, lo) are no network that would be hidden. */
static int host_has(const char *path, bool (*parse)(const char *, struct net_cidr *, char *), const struct net_cidr *net, const char *what, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	char *save = NULL, dev[16], text[64];
	struct net_cidr c;

	if (!net->family || file_read(AT_FDCWD, path, 4 << 20, &b, NULL) < 0)
		return 0;
	for (char *line = b.p ? strtok_r(b.p, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		if (!parse(line, &c, dev) || c.prefix == 0 || str_eq(dev, "lo") || (c.family == AF_INET6 && c.prefix < 8) || !netset_overlap(net, &c))
			continue;
		net_text(&c, text);
		err_set(e, EEXIST, "%s: this host has a route to %s (%s)", what, text, dev);
		return err_hint(e, "Take another network, or -f: that one can't be reached from zones on this switch then.");
	}
	return 0;
}

struct others {
	const struct switch_name *name;
	const struct netset *set;
	struct err *e;
};

static int other(const char *name, const json_t *value, void *arg)
{
	const struct others *o = arg;
	struct netset *s;
	char text[64];
	int r = 0;

	if (str_eq(name, o->name->name))
		return 0;
	s = xalloc(sizeof *s);
	if (netset_parse(value, s, NULL) == 0) {
		bool four = netset_overlap(&s->subnet, &o->set->subnet);

		net_text(four ? &s->subnet : &s->subnet6, text);
		if (four || netset_overlap(&s->subnet6, &o->set->subnet6))
			r = err_set(o->e, EEXIST, "%s: switch %s has %s", four ? "subnet" : "subnet6", name, text);
		for (unsigned i = 0; r == 0 && i < s->nforwards; i++)
			for (unsigned k = 0; r == 0 && k < o->set->nforwards; k++)
				if (netset_same_port(&s->forwards[i], &o->set->forwards[k]))
					r = err_set(o->e, EEXIST, "forwards: switch %s has %s:%u", name, s->forwards[i].udp ? "udp" : "tcp", s->forwards[i].port);
	}
	free(s);
	return r;
}

/* A forward takes the packets that a program of the host's own waits for, as the one that its administrator came in by. */
static int listens(const struct net_item *i, void *arg)
{
	const struct netset_forward *f = arg;
	static const uint8_t none[16];
	bool four = i->family == AF_INET, all = memcmp(i->addr, none, four ? 4 : 16) == 0;

	if (four && i->addr[0] == 127)
		return 0;
	return all || (four && (f->any || memcmp(i->addr, f->address, 4) == 0)) ? -EADDRINUSE : 0;
}

static int host_listens(const struct netset *s, struct err *e)
{
	for (unsigned i = 0; i < s->nforwards; i++) {
		const struct netset_forward *f = &s->forwards[i];

		if (net_each(f->udp ? NET_UDP : NET_TCP, f->port, listens, (void *)f, NULL) != -EADDRINUSE)
			continue;
		err_set(e, EADDRINUSE, "forwards: a program of this host waits at %s:%u", f->udp ? "udp" : "tcp", f->port);
		return err_hint(e, "Take another port, or -f: nobody reaches that program from outside then.");
	}
	return 0;
}

int netset_free(struct state *st, const struct switch_name *n, const struct netset *s, struct err *e)
{
	struct others o = {n, s, e};
	int r = state_net_each(st, "switch", other, &o, e);

	if (r == 0)
		r = host_listens(s, e);
	if (r == 0)
		r = host_has("/proc/self/net/route", route4, &s->subnet, "subnet", e);
	return r < 0 ? r : host_has("/proc/self/net/ipv6_route", route6, &s->subnet6, "subnet6", e);
}
