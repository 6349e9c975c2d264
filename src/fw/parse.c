/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rule language, top to bottom, one token ahead. Each text has one meaning or none: where SmartOS's grammar would take
 * one of two, the place and the way out are said instead.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "fw/lex.h"

static int keyword(struct fw_lex *l, const char *word, const char *before)
{
	char what[48];

	if (fw_is(l, word))
		return fw_next(l);
	fw_bad(l, "%s%s here, not %s", word, before, fw_what(l, what));
	return err_hint(l->e, "A rule is: FROM targets TO targets ALLOW|BLOCK protocol ports or types [PRIORITY n].");
}

static int action(struct fw_lex *l, struct fw_rule *r)
{
	char what[48];

	if (!fw_is(l, "allow") && !fw_is(l, "block")) {
		fw_bad(l, "ALLOW or BLOCK is expected here, not %s", fw_what(l, what));
		return err_hint(l->e, "A rule is: FROM targets TO targets ALLOW|BLOCK protocol ports or types [PRIORITY n].");
	}
	r->action = fw_is(l, "allow") ? FW_ALLOW : FW_BLOCK;
	return fw_next(l);
}

static int protocol(struct fw_lex *l, struct fw_rule *r)
{
	static const uint8_t all[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_AH, IPPROTO_ESP};
	char what[48];

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (fw_is(l, fw_proto_name(all[i]))) {
			r->proto = all[i];
			return fw_next(l);
		}
	fw_bad(l, "a protocol is expected here, not %s", fw_what(l, what));
	return err_hint(l->e, "Protocols are tcp, udp, icmp, icmp6, ah and esp.");
}

static int priority(struct fw_lex *l, struct fw_rule *r)
{
	unsigned n;
	int k;

	if (!fw_is(l, "priority"))
		return 0;
	k = fw_next(l);
	if (k == 0)
		k = l->tok == FW_TOK_WORD ? fw_number(l, l->word, FW_PRIORITY_MAX, "priority", &n) : fw_bad(l, "PRIORITY without a number");
	if (k < 0)
		return k;
	r->priority = (uint8_t)n;
	return fw_next(l);
}

static bool names_vm(const struct fw_side *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (fw_target_vms(&s->t[i]))
			return true;
	return false;
}

static int whole(struct fw_lex *l, struct fw_rule *r)
{
	char what[48];
	int n = fw_next(l);

	if (n == 0)
		n = keyword(l, "FROM", " is expected");
	if (n == 0)
		n = fw_parse_side(l, "FROM", &r->from);
	if (n == 0)
		n = keyword(l, "TO", " is expected");
	if (n == 0)
		n = fw_parse_side(l, "TO", &r->to);
	if (n == 0)
		n = action(l, r);
	if (n == 0)
		n = protocol(l, r);
	if (n == 0)
		n = fw_parse_ports(l, r);
	if (n == 0)
		n = priority(l, r);
	if (n < 0)
		return n;
	if (l->tok != FW_TOK_END) {
		fw_bad(l, "%s behind the end of the rule", fw_what(l, what));
		return err_hint(l->e, "One rule is one text; only PRIORITY n may follow its ports.");
	}
	if (names_vm(&r->from) || names_vm(&r->to))
		return 0;
	err_set(l->e, EINVAL, "it does not affect VMs: neither side names any");
	return err_hint(l->e, "One side has to be of tag, vm or all vms.");
}

int fw_parse(const char *text, struct fw_rule *r, struct err *e)
{
	struct fw_lex *l;
	struct fw_rule *made;
	int n;

	if (strlen(text) > FW_TEXT_MAX)
		return err_set(e, EINVAL, "rule: more than %d bytes", FW_TEXT_MAX);
	l = xalloc(sizeof *l);
	made = xalloc(sizeof *made);
	*l = (struct fw_lex){.text = text, .p = text, .at = text, .e = e};
	n = whole(l, made);
	if (n == 0)
		*r = *made;
	else
		fw_rule_done(made);
	free(made);
	free(l);
	return n < 0 ? err_add(e, "rule") ?: n : 0;
}
