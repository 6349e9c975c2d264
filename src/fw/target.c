/* SPDX-License-Identifier: MPL-2.0 */
/* One side of a rule: a target, or a list of them in parentheses. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "fw/lex.h"

static void target_done(struct fw_target *t)
{
	free(t->key);
	free(t->value);
	t->key = t->value = NULL;
}

/* Host bits are zero in what comes back; had there been any, -EINVAL and the network in text. */
static bool has_host_bits(const struct fw_addr *a, unsigned prefix, struct fw_addr *net)
{
	*net = *a;
	for (unsigned i = prefix; i < (a->family == 6 ? 128u : 32u); i++)
		net->ip[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return memcmp(net, a, sizeof *net) != 0;
}

static int address(struct fw_lex *l, const char *text, struct fw_addr *out)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (fw_addr_parse(text, out) < 0)
		return fw_bad(l, "\"%.48s\" is no IP address", text);
	if (out->family == 6 && !memcmp(out->ip, mapped, 12)) {
		fw_bad(l, "\"%.48s\" can be read two ways: packets of that address are IPv4", text);
		return err_hint(l->e, "Write ip %u.%u.%u.%u.", out->ip[12], out->ip[13], out->ip[14], out->ip[15]);
	}
	return 0;
}

static int ip(struct fw_lex *l, struct fw_target *t)
{
	int r;

	if (l->tok == FW_TOK_WORD && strchr(l->word, '/')) {
		fw_bad(l, "\"%.64s\" can be read two ways: as an address, or as a subnet", l->word);
		return err_hint(l->e, "Write subnet %.64s, or the address without its length.", l->word);
	}
	r = address(l, l->word, &t->addr);
	return r < 0 ? r : fw_next(l);
}

static int subnet(struct fw_lex *l, struct fw_target *t)
{
	char text[FW_WORD_MAX + 1], *slash;
	struct fw_addr net;
	unsigned prefix;
	int r;

	memcpy(text, l->word, sizeof text);
	slash = strchr(text, '/');
	if (l->tok != FW_TOK_WORD || !slash) {
		char what[48];

		fw_bad(l, "subnet, and then %s", fw_what(l, what));
		return err_hint(l->e, "A subnet is 10.8.0.0/16 or fd22::/64.");
	}
	*slash = 0;
	r = address(l, text, &t->addr);
	if (r == 0)
		r = fw_number(l, slash + 1, t->addr.family == 6 ? 128 : 32, "length of a subnet", &prefix);
	if (r < 0)
		return r;
	if (has_host_bits(&t->addr, prefix, &net)) {
		_buf_ struct buf b = BUF_INIT;

		fw_addr_print(&net, &b);
		fw_bad(l, "\"%.64s\" can be read two ways: as an address, or as its subnet", l->word);
		return err_hint(l->e, "Write subnet %s/%u, or ip %.48s.", buf_str(&b), prefix, text);
	}
	t->prefix = (uint8_t)prefix;
	return fw_next(l);
}

/* What the JSON of a record can have: whole characters of UTF-8, none of them 0. */
static bool utf8_ok(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p;) {
		unsigned n = *p < 0x80 ? 0 : (*p & 0xe0) == 0xc0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : (*p & 0xf8) == 0xf0 ? 3 : 9;
		unsigned c = n == 1 ? *p & 31 : n == 2 ? *p & 15 : *p & 7;

		if (n == 9)
			return false;
		p++;
		for (unsigned i = 0; i < n; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 63);
		}
		if ((n == 1 && c < 0x80) || (n == 2 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) || (n == 3 && (c < 0x10000 || c > 0x10ffff)))
			return false;
	}
	return true;
}

static int tag_word(struct fw_lex *l, const char *what, char **out)
{
	char found[48];

	if (l->tok != FW_TOK_WORD && l->tok != FW_TOK_STRING)
		return fw_bad(l, "the %s of a tag is missing: here is %s", what, fw_what(l, found));
	if (l->tok == FW_TOK_WORD && fw_reserved(l->word)) {
		fw_bad(l, "\"%s\" can be read two ways: as a word of the language, or as the %s of a tag", l->word, what);
		return err_hint(l->e, "If it is the tag's, quote it: \"%s\".", l->word);
	}
	if (!*l->word && !strcmp(what, "name"))
		return fw_bad(l, "the name of a tag is empty");
	if (!utf8_ok(l->word))
		return fw_bad(l, "the %s of a tag is not UTF-8", what);
	*out = xstrdup(l->word);
	return fw_next(l);
}

static int tag(struct fw_lex *l, struct fw_target *t)
{
	int r = tag_word(l, "name", &t->key);

	if (r == 0 && fw_is_mark(l, '=')) {
		r = fw_next(l);
		if (r == 0)
			r = tag_word(l, "value", &t->value);
	}
	if (r == 0 && (l->tok == FW_TOK_STRING || (l->tok == FW_TOK_WORD && !fw_reserved(l->word)))) {
		char what[48];

		fw_bad(l, "%s after a tag", fw_what(l, what));
		return err_hint(l->e, "A name or value with blanks is quoted: tag \"a b\" = \"c d\".");
	}
	return r;
}

static int vm(struct fw_lex *l, struct fw_target *t)
{
	char what[48];

	for (char *c = l->word; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (l->tok != FW_TOK_WORD || !uuid_valid(l->word)) {
		fw_bad(l, "vm, and then %s, which is no uuid", fw_what(l, what));
		return err_hint(l->e, "A rule names a VM by its uuid: `vmadm lookup alias=NAME` prints it.");
	}
	memcpy(t->uuid, l->word, UUID_LEN + 1);
	return fw_next(l);
}

static int target(struct fw_lex *l, const char *name, struct fw_target *t)
{
	static const struct {
		const char *word;
		enum fw_target_kind kind;
		int (*parse)(struct fw_lex *, struct fw_target *);
	} kinds[] = {{"any", FW_ANY, NULL}, {"all", FW_ALL_VMS, NULL}, {"ip", FW_IP, ip}, {"subnet", FW_SUBNET, subnet}, {"tag", FW_TAG, tag}, {"vm", FW_VM, vm}};
	char what[48];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int r;

		if (!fw_is(l, kinds[i].word))
			continue;
		t->kind = kinds[i].kind;
		r = fw_next(l);
		if (r == 0 && t->kind == FW_ALL_VMS) {
			if (!fw_is(l, "vms"))
				return fw_bad(l, "all, and then %s: it is `all vms`", fw_what(l, what));
			r = fw_next(l);
		}
		return r == 0 && kinds[i].parse ? kinds[i].parse(l, t) : r;
	}
	fw_bad(l, "%s, and then %s", name, fw_what(l, what));
	return err_hint(l->e, "A target is: any, all vms, vm UUID, ip ADDRESS, subnet CIDR, tag NAME, tag NAME = VALUE, or (a OR b).");
}

/* In order, each once; takes t. */
static int insert(struct fw_lex *l, const char *name, struct fw_side *s, struct fw_target *t)
{
	size_t i = 0;

	while (i < s->n && fw_target_cmp(&s->t[i], t) < 0)
		i++;
	if (i < s->n && fw_target_cmp(&s->t[i], t) == 0) {
		target_done(t);
		return 0;
	}
	if (s->n == FW_TARGETS_MAX) {
		target_done(t);
		return fw_bad(l, "more than %d targets after %s", FW_TARGETS_MAX, name);
	}
	memmove(&s->t[i + 1], &s->t[i], (s->n - i) * sizeof *t);
	s->t[i] = *t;
	s->n++;
	return 0;
}

static int one(struct fw_lex *l, const char *name, struct fw_side *s)
{
	struct fw_target t = {0};
	int r = target(l, name, &t);

	if (r < 0) {
		target_done(&t);
		return r;
	}
	return insert(l, name, s, &t);
}

static int list(struct fw_lex *l, const char *name, struct fw_side *s)
{
	const char *at = l->at;
	char what[48];
	int r;

	do {
		r = fw_next(l);
		if (r == 0)
			r = one(l, name, s);
	} while (r == 0 && fw_is(l, "or"));
	if (r < 0)
		return r;
	if (!fw_is_mark(l, ')')) {
		fw_bad(l, "%s in a list of targets", fw_what(l, what));
		return err_hint(l->e, "Targets of a list stand between OR: (tag a OR tag b).");
	}
	if (s->n > 1 && s->t[0].kind == FW_ANY) {
		l->at = at;
		fw_bad(l, "a list with any can be read two ways: any has the other targets in it");
		return err_hint(l->e, "Write any alone, or the others alone.");
	}
	return fw_next(l);
}

int fw_parse_side(struct fw_lex *l, const char *name, struct fw_side *s)
{
	int r = fw_is_mark(l, '(') ? list(l, name, s) : one(l, name, s);

	if (r == 0 && (fw_is(l, "or") || fw_is(l, "and") || fw_is_mark(l, ','))) {
		fw_bad(l, "%s outside of parentheses can be read two ways", fw_is(l, "or") ? "OR" : fw_is(l, "and") ? "AND" : "a comma");
		return err_hint(l->e, "Write %s (a OR b).", name);
	}
	return r;
}
