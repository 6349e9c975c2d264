/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/droplog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "net/drop.h"

#define ETH 14

static unsigned be16(const uint8_t *b)
{
	return (unsigned)b[0] << 8 | b[1];
}

/* ---- read ---- */

/* What of the transport's header is there. */
static void carried(struct droplog *d, const uint8_t *b, size_t n)
{
	if ((d->proto == IPPROTO_TCP || d->proto == IPPROTO_UDP) && n >= 4) {
		d->ports = true;
		d->port[0] = (uint16_t)be16(b);
		d->port[1] = (uint16_t)be16(b + 2);
	} else if (d->proto == (d->what == DROPLOG_IP4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && n >= 2) {
		d->types = true;
		d->type = b[0];
		d->code = b[1];
	}
}

static void read_ip4(struct droplog *d, const uint8_t *b, size_t n)
{
	size_t hl;

	if (n < 20 || b[0] >> 4 != 4)
		return;
	hl = (size_t)(b[0] & 15) * 4;
	d->what = DROPLOG_IP4;
	d->proto = b[9];
	memcpy(d->ip[0], b + 12, 4);
	memcpy(d->ip[1], b + 16, 4);
	if (hl >= 20 && hl <= n && (be16(b + 6) & 0x1fff) == 0)
		carried(d, b + hl, n - hl);
}

/* Behind extension headers nothing is looked for: their number is the protocol then. */
static void read_ip6(struct droplog *d, const uint8_t *b, size_t n)
{
	if (n < 40 || b[0] >> 4 != 6)
		return;
	d->what = DROPLOG_IP6;
	d->proto = b[6];
	memcpy(d->ip[0], b + 8, 16);
	memcpy(d->ip[1], b + 24, 16);
	carried(d, b + 40, n - 40);
}

static void read_arp(struct droplog *d, const uint8_t *b, size_t n)
{
	static const uint8_t ethernet_ip4[] = {0, 1, 8, 0, 6, 4};

	if (n < 28 || memcmp(b, ethernet_ip4, sizeof ethernet_ip4) != 0)
		return;
	d->what = DROPLOG_ARP;
	memcpy(d->ip[0], b + 14, 4);
	memcpy(d->ip[1], b + 24, 4);
}

static void read_frame(struct droplog *d, const uint8_t *b, size_t n)
{
	if (n < ETH)
		return;
	memcpy(d->macs, b, 12);
	d->ethertype = (uint16_t)be16(b + 12);
	if (d->ethertype == 0x0800)
		read_ip4(d, b + ETH, n - ETH);
	else if (d->ethertype == 0x86dd)
		read_ip6(d, b + ETH, n - ETH);
	else if (d->ethertype == 0x0806)
		read_arp(d, b + ETH, n - ETH);
}

int droplog_read(const struct sw_log *l, size_t n, struct droplog *out)
{
	struct droplog d = {.from = l->from, .at = l->at, .reason = l->reason};

	if (n < sizeof *l || !drop_name(l->reason) || l->nhead > SW_LOG_HEAD)
		return -EBADMSG;
	if (l->family == 0) {
		read_frame(&d, l->head, l->nhead);
	} else if (l->family == 4 || l->family == 6) {
		d.what = l->family == 4 ? DROPLOG_IP4 : DROPLOG_IP6;
		d.proto = l->proto;
		d.ports = d.proto == IPPROTO_TCP || d.proto == IPPROTO_UDP;
		d.types = d.proto == (l->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		d.port[0] = ntohs(l->sport);
		d.port[1] = ntohs(l->dport);
		d.type = l->type;
		d.code = l->code;
		memcpy(d.ip[0], l->src, l->family == 4 ? 4 : 16);
		memcpy(d.ip[1], l->dst, l->family == 4 ? 4 : 16);
		memcpy(d.rule, l->rule, 16);
	} else {
		return -EBADMSG;
	}
	*out = d;
	return 0;
}

bool droplog_same(const struct droplog *a, const struct droplog *b)
{
	return a->from == b->from && a->at == b->at && a->reason == b->reason && a->what == b->what && a->proto == b->proto && a->ports == b->ports && a->types == b->types &&
	       memcmp(a->rule, b->rule, 16) == 0 && memcmp(a->macs, b->macs, 12) == 0 && a->ethertype == b->ethertype && memcmp(a->ip, b->ip, 32) == 0 &&
	       (!a->ports || a->port[1] == b->port[1]) && (!a->types || (a->type == b->type && a->code == b->code));
}

/* ---- told ---- */

struct text {
	char *p;
	size_t size, n; /* n may be beyond size */
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *fmt, ...)
{
	size_t left = t->n < t->size ? t->size - t->n : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left ? t->p + t->n : NULL, left, fmt, ap);
	va_end(ap);
	t->n += n > 0 ? (size_t)n : 0;
}

static void say_mac(struct text *t, const char *key, const uint8_t m[6])
{
	say(t, ",\"%s\":\"%02x:%02x:%02x:%02x:%02x:%02x\"", key, m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void say_rule(struct text *t, const uint8_t r[16])
{
	static const uint8_t none[16];

	if (memcmp(r, none, 16) == 0)
		return;
	say(t, ",\"rule\":\"");
	for (int i = 0; i < 16; i++)
		say(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
	say(t, "\"");
}

static void say_protocol(struct text *t, const struct droplog *d)
{
	unsigned p = d->proto;
	const char *name = d->what == DROPLOG_ARP ? "arp" : p == IPPROTO_TCP ? "tcp" : p == IPPROTO_UDP ? "udp" : p == IPPROTO_ICMP ? "icmp" : p == IPPROTO_ICMPV6 ? "icmp6" : NULL;

	if (name)
		say(t, ",\"protocol\":\"%s\"", name);
	else
		say(t, ",\"protocol\":\"%u\"", p);
}

static void say_ends(struct text *t, const struct droplog *d)
{
	static const char *const keys[] = {"from", "to"};
	char ip[INET6_ADDRSTRLEN];

	for (int i = 0; i < 2; i++) {
		inet_ntop(d->what == DROPLOG_IP6 ? AF_INET6 : AF_INET, d->ip[i], ip, sizeof ip);
		say(t, ",\"%s\":\"%s\"", keys[i], ip);
		if (d->ports)
			say(t, ",\"%s_port\":%u", keys[i], d->port[i]);
	}
	if (d->types)
		say(t, ",\"icmp_type\":%u,\"icmp_code\":%u", d->type, d->code);
}

/* A NIC's name is of these alone, or is not told. */
static bool is_plain(const char *s)
{
	return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == 0;
}

int droplog_json(const struct droplog *d, const char *nic, uint64_t count, char *out, size_t size)
{
	char line[DROPLOG_TEXT];
	struct text t = {line, sizeof line, 0};
	static const uint8_t none[6];

	say(&t, "{\"count\":%llu", (unsigned long long)count);
	if (d->reason != DROP_NONE)
		say(&t, ",\"reason\":\"%s\"", drop_name(d->reason));
	if (is_plain(nic))
		say(&t, ",\"nic\":\"%s\"", nic);
	say_rule(&t, d->rule);
	if (d->what == DROPLOG_OTHER)
		say(&t, ",\"ethertype\":\"0x%04x\"", d->ethertype);
	else
		say_protocol(&t, d);
	if (d->what != DROPLOG_OTHER)
		say_ends(&t, d);
	if (memcmp(d->macs[1], none, 6) != 0) {
		say_mac(&t, "from_mac", d->macs[1]);
		say_mac(&t, "to_mac", d->macs[0]);
	}
	say(&t, "}");
	if (t.n >= sizeof line || t.n >= size)
		return -ENOSPC;
	memcpy(out, line, t.n + 1);
	return (int)t.n;
}
