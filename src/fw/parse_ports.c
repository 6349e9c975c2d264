/* SPDX-License-Identifier: MPL-2.0 */
/* What follows the protocol: PORT, PORTS, TYPE, one or more of them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "fw/lex.h"

static bool has_types(const struct fw_rule *r)
{
	return r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6;
}

static int expected(struct fw_lex *l, const struct fw_rule *r)
{
	char what[48];

	fw_bad(l, "%s, and then %s", fw_proto_name(r->proto), fw_what(l, what));
	return has_types(r) ? err_hint(l->e, "Behind %s stands TYPE n, TYPE n CODE m, TYPE all or (TYPE n AND TYPE m).", fw_proto_name(r->proto))
			    : err_hint(l->e, "Behind %s stands PORT n, PORT all, (PORT n AND PORT m) or PORTS 80, 443, 8000-8100.", fw_proto_name(r->proto));
}

/* In order, each once. */
static int insert(struct fw_lex *l, struct fw_rule *r, struct fw_range p)
{
	size_t i = 0;

	while (i < r->nports && (r->port[i].lo < p.lo || (r->port[i].lo == p.lo && r->port[i].hi < p.hi)))
		i++;
	if (i < r->nports && r->port[i].lo == p.lo && r->port[i].hi == p.hi)
		return 0;
	if (r->nports == FW_PORTS_MAX)
		return fw_bad(l, "more than %d %s", FW_PORTS_MAX, has_types(r) ? "types" : "ports");
	memmove(&r->port[i + 1], &r->port[i], (r->nports - i) * sizeof p);
	r->port[i] = p;
	r->nports++;
	return 0;
}

static int port(struct fw_lex *l, const char *text, unsigned *out)
{
	int r = fw_number(l, text, 65535, "port", out);

	return r == 0 && *out == 0 ? fw_bad(l, "there is no port 0") : r;
}

/* "80", "8000-8100", also with blanks around the hyphen. */
static int range(struct fw_lex *l, struct fw_rule *r)
{
	char text[32] = "", *dash;
	unsigned lo, hi;
	int n = 0;

	while (l->tok == FW_TOK_WORD && *l->word && strspn(l->word, "0123456789-") == strlen(l->word)) {
		size_t len = strlen(text);

		if (len && text[len - 1] != '-' && l->word[0] != '-')
			break;
		if (len + strlen(l->word) >= sizeof text)
			return fw_bad(l, "\"%.32s\" is no port", l->word);
		strcat(text, l->word);
		n = fw_next(l);
		if (n < 0)
			return n;
	}
	if (!*text)
		return expected(l, r);
	dash = strchr(text, '-');
	if (dash)
		*dash++ = 0;
	n = port(l, text, &lo);
	if (n == 0)
		n = port(l, dash ? dash : text, &hi);
	if (n < 0)
		return n;
	if (hi < lo) {
		fw_bad(l, "%u-%u: the first port of a range is the lower one", lo, hi);
		return err_hint(l->e, "Write %u-%u.", hi, lo);
	}
	return insert(l, r, (struct fw_range){(uint16_t)lo, (uint16_t)hi});
}

static int ports(struct fw_lex *l, struct fw_rule *r)
{
	int n;

	do {
		n = fw_next(l);
		if (n == 0)
			n = range(l, r);
	} while (n == 0 && fw_is_mark(l, ','));
	return n;
}

static int type(struct fw_lex *l, struct fw_rule *r)
{
	unsigned t, code = FW_CODE_ANY;
	int n = l->tok == FW_TOK_WORD ? fw_number(l, l->word, 255, "type", &t) : expected(l, r);

	if (n == 0)
		n = fw_next(l);
	if (n == 0 && fw_is(l, "code")) {
		n = fw_next(l);
		if (n == 0)
			n = l->tok == FW_TOK_WORD ? fw_number(l, l->word, 255, "code", &code) : fw_bad(l, "CODE without a number");
		if (n == 0)
			n = fw_next(l);
	}
	return n < 0 ? n : insert(l, r, (struct fw_range){(uint16_t)t, (uint16_t)code});
}

/* PORT n or TYPE n [CODE m]; all only where it stands alone. 1: all of them. */
static int item(struct fw_lex *l, struct fw_rule *r, bool alone)
{
	unsigned p;
	int n;

	if (!fw_is(l, has_types(r) ? "type" : "port"))
		return expected(l, r);
	n = fw_next(l);
	if (n < 0)
		return n;
	if (fw_is(l, "all")) {
		if (!alone) {
			fw_bad(l, "a list with all can be read two ways: all has the others in it");
			return err_hint(l->e, "Write %s all alone, or the others alone.", has_types(r) ? "TYPE" : "PORT");
		}
		return fw_next(l);
	}
	if (has_types(r))
		return type(l, r);
	n = l->tok == FW_TOK_WORD ? port(l, l->word, &p) : expected(l, r);
	if (n == 0)
		n = insert(l, r, (struct fw_range){(uint16_t)p, (uint16_t)p});
	return n == 0 ? fw_next(l) : n;
}

static int list(struct fw_lex *l, struct fw_rule *r)
{
	char what[48];
	int n;

	do {
		n = fw_next(l);
		if (n == 0)
			n = item(l, r, false);
	} while (n == 0 && fw_is(l, "and"));
	if (n < 0)
		return n;
	if (!fw_is_mark(l, ')')) {
		fw_bad(l, "%s in a list of %s", fw_what(l, what), has_types(r) ? "types" : "ports");
		return err_hint(l->e, has_types(r) ? "They stand between AND: (TYPE 8 AND TYPE 0)." : "They stand between AND: (PORT 80 AND PORT 443).");
	}
	return fw_next(l);
}

int fw_parse_ports(struct fw_lex *l, struct fw_rule *r)
{
	int n;

	if (r->proto == IPPROTO_AH || r->proto == IPPROTO_ESP)
		return 0;
	if (fw_is_mark(l, '('))
		n = list(l, r);
	else if (!has_types(r) && fw_is(l, "ports"))
		n = ports(l, r);
	else
		n = item(l, r, true);
	if (n == 0 && (fw_is(l, "and") || fw_is(l, "or") || fw_is_mark(l, ','))) {
		fw_bad(l, "%s here can be read two ways", fw_is_mark(l, ',') ? "a comma" : fw_is(l, "or") ? "OR" : "AND");
		return has_types(r) ? err_hint(l->e, "Write (TYPE 8 AND TYPE 0).") : err_hint(l->e, "Write (PORT 80 AND PORT 443) or PORTS 80, 443.");
	}
	return n;
}
