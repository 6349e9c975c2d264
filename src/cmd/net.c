/* SPDX-License-Identifier: MPL-2.0 */
/* cloister net: what the node's switch is, whose its ports are, and what was dropped there and why. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "cmd/cmd.h"
#include "cmd/net_fabric.h"
#include "cmd/net_set.h"
#include "net/attach.h"
#include "net/drop.h"
#include "net/router.h"
#include "net/uplink.h"
#include "net/vnic.h"
#include "node/router.h"
#include "node/fabric.h"
#include "node/fw.h"
#include "node/uplink.h"
#include "zone/zone.h"

struct owner {
	uint64_t zoneid;
	char uuid[37];
};

struct list {
	struct owner *zone;
	size_t nzone;
	bool parse;
	unsigned ports;
	struct buf out;
};

static int zone_seen(const char *uuid, const struct zone_run *r, void *arg)
{
	struct list *l = arg;

	l->zone = xrealloc(l->zone, (l->nzone + 1) * sizeof *l->zone);
	l->zone[l->nzone].zoneid = r->zoneid;
	snprintf(l->zone[l->nzone++].uuid, sizeof l->zone->uuid, "%s", uuid);
	return 0;
}

/* The number of a VNIC is its zone's id and which of its NICs it is (node/nics.c). */
static const char *owner_of(const struct list *l, uint32_t vnic)
{
	static const char *const ours[] = {[ROUTER_VNIC] = "router", [UPLINK_VNIC] = "uplink", [HOST_VNIC] = "host", [FABRIC_VNIC] = "fabrics"};

	if (vnic < ARRAY_LEN(ours) && ours[vnic])
		return ours[vnic];
	for (size_t i = 0; i < l->nzone; i++)
		if ((uint32_t)l->zone[i].zoneid << 5 == (vnic & ~31u))
			return l->zone[i].uuid;
	return vnic == ROUTER_VNIC ? "router" : "-";
}

static void drops_text(const struct sw_count *n, struct buf *out)
{
	for (unsigned i = 1; i < DROP_REASONS; i++)
		if (n->drops[i])
			buf_printf(out, "%s%s=%" PRIu64, out->len ? "," : "", drop_name(i), (uint64_t)n->drops[i]);
}

static int show_port(uint32_t ifindex, const struct sw_port *p, const struct sw_count *n, void *arg)
{
	struct list *l = arg;
	_buf_ struct buf drops = BUF_INIT;
	char mac[18];

	l->ports++;
	drops_text(n, &drops);
	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5]);
	if (l->parse)
		buf_printf(&l->out, "%s\t%u\t%s\t%u\t%u\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\n", owner_of(l, p->vnic), p->vnic & 31, mac, p->sw >> 12,
		       p->sw & 4095, (uint64_t)n->opackets, (uint64_t)n->obytes, (uint64_t)n->rpackets, (uint64_t)n->rbytes, buf_str(&drops));
	else
		buf_printf(&l->out, "%-36s %3u  %s %10" PRIu64 " %12" PRIu64 " %10" PRIu64 " %12" PRIu64 "  %s\n", owner_of(l, p->vnic), p->vnic & 31, mac,
		       (uint64_t)n->opackets, (uint64_t)n->obytes, (uint64_t)n->rpackets, (uint64_t)n->rbytes, drops.len ? buf_str(&drops) : "-");
	return 0;
}

static int upgrade(struct ctx *c, int argc)
{
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;
	int r;

	if (argc != 2)
		return cmd_usage("cloister", "net", NULL);
	r = switch_upgrade(c, true, &e);
	if (r == -ENOENT)
		printf("no switch: the first NIC that boots makes it, with the installed program\n");
	else if (r < 0)
		return cmd_fail(c, &e);
	if (r <= 0)
		return 0;
	cmd_audit(c, "net upgrade", NULL, NULL, NULL, 0);
	r = state_open(c, STATE_WRITE, &st, &e);
	if (r == 0)
		r = fwaddr_moved(c, st, &e);
	if (r == 0 || r == -ENOENT) /* a node without a database has no rules */
		return 0;
	err_add(&e, "the program is replaced, but the firewall was not filled anew");
	return cmd_fail(c, &e);
}

/* Of NAT: by which interface of the host, and what is in its way. Also when there is no switch yet. */
static void show_nat(struct ctx *c)
{
	_clean_(state_close) struct state *st = NULL;
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	char host_if[16], *save = NULL;
	int r;

	if (state_open(c, STATE_READ, &st, NULL) < 0)
		return;
	r = router_look(c, st, host_if, &b, &e);
	if (r < 0)
		printf("nat: %s\n", e.msg);
	if (r > 0)
		printf("nat: by %s%s\n", host_if, b.len ? "" : "; nothing of this host is known to be in its way");
	for (char *line = r > 0 && b.p ? strtok_r(b.p, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		printf("nat: %s\n", line);
}

static int show_lease(const char *mac, const json_t *v, void *arg)
{
	const json_t *said = json_object_get(v, "outside");
	char when[CLOCK_TEXT];

	if (said && json_is_true(json_object_get(v, "bound")))
		printf("dhcp: %s %s has %s/%lld from %s until %s\n", json_string_value(json_object_get(v, "vm")) ?: "?", mac, json_string_value(json_object_get(v, "ip")) ?: "?",
		       (long long)json_integer_value(json_object_get(said, "bits")), json_string_value(json_object_get(said, "server")) ?: "?",
		       clock_iso((uint64_t)json_integer_value(json_object_get(said, "until")) * 1000000000, when));
	return 0;
}

/* What servers outside have given. */
static void show_leases(struct ctx *c)
{
	_clean_(state_close) struct state *st = NULL;

	if (state_open(c, STATE_READ, &st, NULL) == 0)
		state_net_each(st, "lease", show_lease, NULL, NULL);
}

static int up(struct ctx *c, int argc)
{
	struct err e = ERR_INIT;
	int r;

	if (argc != 2)
		return cmd_usage("cloister", "net", NULL);
	r = uplinks_up(c, &e);
	if (r >= 0) {
		int more = fabrics_up(c, &e);

		r = more < 0 ? more : r + more;
	}
	if (r > 0)
		err_set(&e, EIO, "%d uplinks or fabrics are not up: the messages above say why", r);
	return r ? cmd_fail(c, &e) : 0;
}

static int status(struct ctx *c, int argc, char **argv)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct err e = ERR_INIT;
	struct list l = {0};
	int r;

	l.parse = argc == 3 && strcmp(argv[2], "-p") == 0;
	if (argc > 2 && !l.parse)
		return cmd_usage("cloister", "net", NULL);
	r = switch_look(c, &s, &e);
	if (r == -ENOENT) {
		if (!l.parse)
			printf("no switch: the first NIC that boots makes it\n");
		return 0;
	}
	if (r == 0)
		r = zone_each(c, zone_seen, &l, &e);
	if (r >= 0 && !l.parse)
		buf_printf(&l.out, "switch: eBPF by %s\n%-36s NIC  %-17s %10s %12s %10s %12s  DROPPED\n", attach_name(s.attach), "VM", "MAC", "SENT", "BYTES", "RECEIVED", "BYTES");
	if (r >= 0)
		r = vnic_each(&s, show_port, &l, &e);
	if (l.out.len)
		fputs(buf_str(&l.out), stdout);
	if (r >= 0 && !l.parse) {
		show_nat(c);
		show_leases(c);
	}
	buf_done(&l.out);
	free(l.zone);
	return r < 0 ? cmd_fail(c, &e) : 0;
}

/* called: what getopt's messages begin with */
static const struct {
	const char *name, *called;
	int (*run)(struct ctx *c, int argc, char **argv);
} verbs[] = {
	{"set", "cloister net set", net_set},
	{"get", "cloister net get", net_get},
	{"unset", "cloister net unset", net_unset},
};

static int run(struct ctx *c, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "status") == 0)
		return status(c, argc, argv);
	if (argc > 1 && strcmp(argv[1], "upgrade") == 0)
		return upgrade(c, argc);
	if (argc > 1 && strcmp(argv[1], "fabric") == 0)
		return net_fabric(c, argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "up") == 0)
		return up(c, argc);
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name))
			continue;
		argv[1] = (char *)verbs[i].called;
		return verbs[i].run(c, argc - 1, argv + 1);
	}
	return cmd_usage("cloister", "net", argc < 2 ? NULL : "unknown verb \"%s\"", argv[1]);
}
CMD(cloister_net, "cloister", "net", "status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]",
    "the switch, its ports, what was dropped and why; settings of a nic tag's switch", CMD_NONE, run);
