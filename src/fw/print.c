/* SPDX-License-Identifier: MPL-2.0 */
#include <netinet/in.h>
#include <string.h>

#include "fw/lex.h"

/* As it is, or in quotes where that would be read as something else. */
static void word(const char *s, struct buf *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	if (*s && strspn(s, plain) == strlen(s) && !fw_reserved(s)) {
		buf_puts(out, s);
		return;
	}
	buf_puts(out, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else if (*s == '\n' || *s == '\t')
			buf_puts(out, *s == '\n' ? "\\n" : "\\t");
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			buf_printf(out, "\\u%04x", (unsigned char)*s);
		else
			buf_add(out, s, 1);
	}
	buf_puts(out, "\"");
}

void fw_print_target(const struct fw_target *t, struct buf *out)
{
	switch (t->kind) {
	case FW_ANY:
		buf_puts(out, "any");
		return;
	case FW_ALL_VMS:
		buf_puts(out, "all vms");
		return;
	case FW_IP:
		buf_puts(out, "ip ");
		fw_addr_print(&t->addr, out);
		return;
	case FW_SUBNET:
		buf_puts(out, "subnet ");
		fw_addr_print(&t->addr, out);
		buf_printf(out, "/%u", t->prefix);
		return;
	case FW_TAG:
		buf_puts(out, "tag ");
		word(t->key, out);
		if (t->value) {
			buf_puts(out, " = ");
			word(t->value, out);
		}
		return;
	case FW_VM:
		buf_puts(out, "vm ");
		buf_puts(out, t->uuid);
		return;
	}
}

static void side(const struct fw_side *s, struct buf *out)
{
	if (s->n > 1)
		buf_puts(out, "(");
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_puts(out, " OR ");
		fw_print_target(&s->t[i], out);
	}
	if (s->n > 1)
		buf_puts(out, ")");
}

static void types(const struct fw_rule *r, struct buf *out)
{
	for (size_t i = 0; i < r->nports; i++) {
		buf_printf(out, "%sTYPE %u", i ? " AND " : "", r->port[i].lo);
		if (r->port[i].hi != FW_CODE_ANY)
			buf_printf(out, " CODE %u", r->port[i].hi);
	}
}

static void ports(const struct fw_rule *r, struct buf *out)
{
	bool ranges = false;

	for (size_t i = 0; i < r->nports; i++)
		ranges = ranges || r->port[i].lo != r->port[i].hi;
	for (size_t i = 0; i < r->nports; i++) {
		if (!ranges)
			buf_printf(out, "%sPORT %u", i ? " AND " : "", r->port[i].lo);
		else if (r->port[i].lo == r->port[i].hi)
			buf_printf(out, "%s%u", i ? ", " : "PORTS ", r->port[i].lo);
		else
			buf_printf(out, "%s%u-%u", i ? ", " : "PORTS ", r->port[i].lo, r->port[i].hi);
	}
}

static void what(const struct fw_rule *r, struct buf *out)
{
	bool icmp = r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6;
	_buf_ struct buf b = BUF_INIT;

	if (r->proto == IPPROTO_AH || r->proto == IPPROTO_ESP)
		return;
	if (r->nports == 0) {
		buf_puts(out, icmp ? " TYPE all" : " PORT all");
		return;
	}
	if (icmp)
		types(r, &b);
	else
		ports(r, &b);
	buf_printf(out, strstr(buf_str(&b), " AND ") ? " (%s)" : " %s", buf_str(&b));
}

void fw_print(const struct fw_rule *r, struct buf *out)
{
	buf_puts(out, "FROM ");
	side(&r->from, out);
	buf_puts(out, " TO ");
	side(&r->to, out);
	buf_printf(out, " %s %s", r->action == FW_ALLOW ? "ALLOW" : "BLOCK", fw_proto_name(r->proto));
	what(r, out);
	if (r->priority)
		buf_printf(out, " PRIORITY %u", r->priority);
}
