/* SPDX-License-Identifier: MPL-2.0 */
/* Rules as text. Names of interfaces are ours, addresses are printed from bytes: nothing of a user's text gets into a rule. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "net/nat.h"

void nat_init(struct nat *n, const char *node, const struct router_port *port, size_t nport)
{
	uint32_t h = (uint32_t)str_hash(node, strlen(node));
	bool plain = str_eq(node, "default");

	*n = (struct nat){.port = port, .nport = nport};
	if (plain)
		strcpy(n->host_if, "cloister0");
	else
		snprintf(n->host_if, sizeof n->host_if, "cloister%06x", h & 0xffffff);
	snprintf(n->table, sizeof n->table, plain ? "cloister" : "cloister_%s", node);
	for (char *p = n->table; *p; p++)
		if (*p == '-')
			*p = '_';
	/* link-local (RFC 3927): nobody routes it, so that a pair is in no network's way; .169 is where clouds have their metadata */
	n->host_ip[0] = 169;
	n->host_ip[1] = 254;
	n->host_ip[2] = plain ? 77 : (uint8_t)(1 + (h >> 24) % 254);
	if (n->host_ip[2] == 169)
		n->host_ip[2] = 168;
	n->host_ip[3] = plain ? 1 : (uint8_t)((h >> 8 & 0xfc) + 1);
	memcpy(n->router_ip, n->host_ip, 4);
	n->router_ip[3]++;
}

bool nat_wanted(const struct nat *n)
{
	for (size_t i = 0; i < n->nport; i++)
		if (n->port[i].set->nat)
			return true;
	return false;
}

static const char *ip_text(int family, const uint8_t *ip, char out[INET6_ADDRSTRLEN])
{
	inet_ntop(family, ip, out, INET6_ADDRSTRLEN);
	return out;
}

/* An empty one first, so that there is one to delete: the whole text is one transaction. */
static void table_begin(struct buf *out, const char *name)
{
	buf_printf(out, "table inet %s {\n}\ndelete table inet %s\ntable inet %s {\n", name, name, name);
}

/* ---- the router's ---- */

static void input_port(const struct router_port *p, struct buf *out)
{
	char ifn[16], a[INET6_ADDRSTRLEN];
	const struct net_cidr *gw[] = {&p->set->gateway, &p->set->gateway6};

	router_ifname(p->sw, ifn);
	for (int i = 0; i < 2; i++) {
		const char *v = i ? "ip6" : "ip";

		if (!gw[i]->family)
			continue;
		ip_text(gw[i]->family, gw[i]->ip, a);
		buf_printf(out, "\t\tiifname \"%s\" %s daddr %s %s type echo-request accept\n", ifn, v, a, i ? "icmpv6" : "icmp");
		if (p->set->dns)
			buf_printf(out, "\t\tiifname \"%s\" %s daddr %s meta l4proto { tcp, udp } th dport 53 accept\n", ifn, v, a);
	}
	if (p->set->dhcp)
		buf_printf(out, "\t\tiifname \"%s\" udp dport 67 accept\n", ifn);
	if (p->set->ra)
		buf_printf(out, "\t\tiifname \"%s\" udp dport 547 accept\n", ifn);
	if (p->set->ra) /* resolvers in advertisements may be link-local, and so are who asks */
		buf_printf(out, "\t\tiifname \"%s\" ip6 daddr { fe80::/10, ff02::/16 } icmpv6 type echo-request accept\n", ifn);
}

/* What the responder answers makes no entry of connection tracking: with a question from each port a zone could fill the table of all. */
static void untracked(const struct nat *n, struct buf *out)
{
	static const char *const hook[][3] = {{"prerouting", "iifname", "dport"}, {"output", "oifname", "sport"}};

	for (int i = 0; i < 2; i++) {
		buf_printf(out, "\tchain raw_%s {\n\t\ttype filter hook %s priority raw; policy accept;\n", hook[i][0], hook[i][0]);
		buf_printf(out, "\t\t%s != { \"lo\", \"" NAT_UPLINK "\" } udp %s { 53, 67, 547 } fib %s type local notrack\n", hook[i][1], hook[i][2], i ? "saddr" : "daddr");
		buf_puts(out, "\t}\n");
	}
}

static void forward_port(const struct router_port *p, struct buf *out)
{
	char ifn[16], a[INET6_ADDRSTRLEN];

	if (!p->set->nat)
		return;
	router_ifname(p->sw, ifn);
	/* a zone that opens connections without end uses up its own share of the tables that all have in common */
	buf_printf(out, "\t\tiifname \"%s\" oifname \"" NAT_UPLINK "\" ct state new add @conns { ip saddr ct count over %d } drop\n", ifn, NAT_CONNS);
	buf_printf(out, "\t\tiifname \"%s\" oifname \"" NAT_UPLINK "\" ip saddr %s/%u accept\n", ifn, ip_text(AF_INET, p->set->subnet.ip, a),
		   p->set->subnet.prefix);
	buf_printf(out, "\t\tiifname \"" NAT_UPLINK "\" oifname \"%s\" ct status dnat accept\n", ifn);
}

/* Each forward of each switch, with the port of the router that stands for it between the two sides. */
static void each_forward(const struct nat *n, void (*one)(const struct nat *, const struct netset_forward *, unsigned port, struct buf *), struct buf *out)
{
	unsigned port = NAT_FIRST_PORT;

	for (size_t i = 0; i < n->nport; i++) {
		const struct netset *s = n->port[i].set;

		for (unsigned k = 0; k < s->nforwards; k++, port++)
			if (s->nat && s->forwards[k].ip[0])
				one(n, &s->forwards[k], port, out);
	}
}

static void dnat_router(const struct nat *n, const struct netset_forward *f, unsigned port, struct buf *out)
{
	char a[INET6_ADDRSTRLEN];

	buf_printf(out, "\t\tiifname \"" NAT_UPLINK "\" meta nfproto ipv4 %s dport %u dnat ip to %s:%u\n", f->udp ? "udp" : "tcp", port,
		   ip_text(AF_INET, f->ip, a), f->to_port);
}

void nat_router_rules(const struct nat *n, struct buf *out)
{
	table_begin(out, "cloister");
	buf_puts(out, "\tset conns {\n\t\ttype ipv4_addr\n\t\tsize 65535\n\t\tflags dynamic\n\t}\n");
	untracked(n, out);
	/* what is for the router itself: from zones what it answers, from the host the answers to its own questions */
	buf_puts(out, "\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tiifname \"lo\" accept\n"
		      "\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } iifname != \"" NAT_UPLINK "\" accept\n"
		      "\t\tct state established,related accept\n\t\tiifname \"" NAT_UPLINK "\" drop\n");
	for (size_t i = 0; i < n->nport; i++)
		input_port(&n->port[i], out);
	/* between switches nothing */
	buf_puts(out, "\t}\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t\tct state established,related accept\n"
		      "\t\tct state invalid drop\n");
	/*
	 * No router passes on what is for a link-local address (RFC 3927, 7), and there clouds tell who asks their host's own keys. Names are
	 * excepted: some clouds' resolver is there.
	 */
	buf_puts(out, "\t\toifname \"" NAT_UPLINK "\" ip daddr 169.254.0.0/16 meta l4proto != { tcp, udp } drop\n"
		      "\t\toifname \"" NAT_UPLINK "\" ip daddr 169.254.0.0/16 meta l4proto { tcp, udp } th dport != 53 drop\n");
	for (size_t i = 0; i < n->nport; i++)
		forward_port(&n->port[i], out);
	buf_puts(out, "\t}\n\tchain pre {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n");
	each_forward(n, dnat_router, out);
	buf_puts(out, "\t}\n\tchain post {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
		      "\t\toifname \"" NAT_UPLINK "\" meta nfproto ipv4 masquerade\n\t}\n}\n");
}

/* ---- the host's ---- */

static void match_host(const struct netset_forward *f, struct buf *out)
{
	char a[INET6_ADDRSTRLEN];

	if (f->any)
		buf_puts(out, "fib daddr type local ");
	else
		buf_printf(out, "ip daddr %s ", ip_text(AF_INET, f->address, a));
}

static void dnat_host(const struct nat *n, const struct netset_forward *f, unsigned port, struct buf *out)
{
	char a[INET6_ADDRSTRLEN];

	buf_printf(out, "\t\tmeta nfproto ipv4 iifname != \"%s\" ", n->host_if);
	match_host(f, out);
	buf_printf(out, "%s dport %u dnat ip to %s:%u\n", f->udp ? "udp" : "tcp", f->port, ip_text(AF_INET, n->router_ip, a), port);
}

/* The host's own programs: not by 127.0.0.1, whose packets never leave lo. */
static void dnat_own(const struct nat *n, const struct netset_forward *f, unsigned port, struct buf *out)
{
	char a[INET6_ADDRSTRLEN];

	buf_puts(out, "\t\tmeta nfproto ipv4 ip daddr != 127.0.0.0/8 ");
	match_host(f, out);
	buf_printf(out, "%s dport %u dnat ip to %s:%u\n", f->udp ? "udp" : "tcp", f->port, ip_text(AF_INET, n->router_ip, a), port);
}

void nat_host_rules(const struct nat *n, struct buf *out)
{
	char router[INET6_ADDRSTRLEN];

	ip_text(AF_INET, n->router_ip, router);
	table_begin(out, n->table);
	/* zones reach nothing of the host's own */
	buf_printf(out, "\tchain input {\n\t\ttype filter hook input priority filter - 5; policy accept;\n"
			"\t\tiifname \"%s\" ct state established,related accept\n\t\tiifname \"%s\" drop\n\t}\n",
		   n->host_if, n->host_if);
	buf_printf(out, "\tchain forward {\n\t\ttype filter hook forward priority filter - 5; policy accept;\n"
			"\t\tiifname \"%s\" meta nfproto ipv4 ip saddr %s accept\n\t\tiifname \"%s\" drop\n"
			"\t\toifname \"%s\" ct state established,related accept\n\t\toifname \"%s\" ct status dnat accept\n\t\toifname \"%s\" drop\n\t}\n",
		   n->host_if, router, n->host_if, n->host_if, n->host_if, n->host_if);
	buf_puts(out, "\tchain pre {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n");
	each_forward(n, dnat_host, out);
	buf_puts(out, "\t}\n\tchain own {\n\t\ttype nat hook output priority -100; policy accept;\n");
	each_forward(n, dnat_own, out);
	buf_printf(out, "\t}\n\tchain post {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
			"\t\tip saddr %s oifname != \"%s\" masquerade\n\t}\n}\n",
		   router, n->host_if);
}
