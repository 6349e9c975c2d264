/* SPDX-License-Identifier: MPL-2.0 */
#include "net/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

#define DEPTH   16
#define WORD    64
#define P_IP4   0x0800
#define P_ARP   0x0806
#define P_IP6   0x86dd

/* ---- the expression: or, and, not, primitive; words are apart by blanks, parentheses stand for themselves ---- */

struct parse {
	const char *at;
	char word[WORD]; /* the one that is looked at; "" at the end */
	struct filter *f;
	unsigned depth;
	struct err *e;
};

static int next(struct parse *p)
{
	size_t n;

	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')
		p->at++;
	n = *p->at == '(' || *p->at == ')' || *p->at == '!' ? 1 : strcspn(p->at, " \t\n()");
	if (n >= sizeof p->word)
		return err_set(p->e, EINVAL, "filter: a word of more than %d bytes", WORD - 1);
	memcpy(p->word, p->at, n);
	p->word[n] = 0;
	p->at += n;
	return 0;
}

static bool is(const struct parse *p, const char *a, const char *b)
{
	return str_eq(p->word, a) || (b && str_eq(p->word, b));
}

static int node(struct parse *p, struct filter_node n)
{
	if (p->f->n == FILTER_MAX)
		return err_set(p->e, EINVAL, "filter: more than %d terms", FILTER_MAX);
	p->f->node[p->f->n] = n;
	return p->f->n++;
}

static int address(struct parse *p, struct filter_node *n, bool net)
{
	char text[WORD], *slash;
	uint64_t bits;

	memcpy(text, p->word, sizeof text);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = 0;
	n->kind = FILTER_IP;
	n->family = strchr(text, ':') ? 6 : 4;
	n->bits = n->family == 4 ? 32 : 128;
	if (inet_pton(n->family == 4 ? AF_INET : AF_INET6, text, n->addr) != 1 || (slash != NULL) != net ||
	    (slash && (str_to_u64(slash, &bits) < 0 || bits > n->bits)))
		return err_set(p->e, EINVAL, "filter: \"%s\" is no %s", p->word, net ? "address/length" : "address");
	if (slash)
		n->bits = (unsigned)bits;
	return 0;
}

static int mac(struct parse *p, struct filter_node *n)
{
	int end = 0;
	uint8_t *m = n->addr;

	n->kind = FILTER_ETHER;
	if (sscanf(p->word, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) != 6 || p->word[end])
		return err_set(p->e, EINVAL, "filter: \"%s\" is no link address", p->word);
	return 0;
}

static const struct {
	const char *name;
	unsigned ether, proto;
} protos[] = {{"ip", P_IP4, 0}, {"ip6", P_IP6, 0}, {"arp", P_ARP, 0}, {"tcp", 0, 6}, {"udp", 0, 17}, {"icmp", P_IP4, 1}, {"icmp6", P_IP6, 58}};

/* What follows src, dst, ether or nothing. */
static int operand(struct parse *p, struct filter_node n, bool ether)
{
	bool host = is(p, "host", NULL), net = is(p, "net", NULL), port = is(p, "port", NULL);
	uint64_t v;
	int r = host || net || port ? next(p) : 0;

	if (r < 0)
		return r;
	if (!p->word[0])
		return err_set(p->e, EINVAL, "filter: something is missing at its end");
	if (ether)
		r = net || port ? err_set(p->e, EINVAL, "filter: ether has a link address") : mac(p, &n);
	else if (port) {
		n.kind = FILTER_PORT;
		r = str_to_u64(p->word, &v) < 0 || v > 65535 ? err_set(p->e, EINVAL, "filter: \"%s\" is no port", p->word) : 0;
		n.port = (uint16_t)v;
	} else {
		r = address(p, &n, net);
	}
	if (r == 0)
		r = next(p);
	return r < 0 ? r : node(p, n);
}

static int primitive(struct parse *p);

/* A protocol, or as "tcp port 80" one that says more of it: both. */
static int protocol(struct parse *p, struct filter_node n)
{
	struct filter_node more = {.kind = FILTER_AND};
	int r = next(p);

	r = more.left = r < 0 ? r : node(p, n);
	if (r < 0 || (!is(p, "src", "dst") && !is(p, "host", "net") && !is(p, "port", NULL)))
		return r;
	r = more.right = primitive(p);
	return r < 0 ? r : node(p, more);
}

static int primitive(struct parse *p)
{
	struct filter_node n = {.left = -1, .right = -1, .dir = FILTER_SRC | FILTER_DST};
	bool ether = is(p, "ether", NULL), dir;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (is(p, protos[i].name, NULL)) {
			n.kind = FILTER_PROTO;
			n.ether = protos[i].ether;
			n.proto = protos[i].proto;
			return protocol(p, n);
		}
	r = ether ? next(p) : 0;
	dir = is(p, "src", "dst");
	if (dir)
		n.dir = is(p, "src", NULL) ? FILTER_SRC : FILTER_DST;
	if (r == 0 && dir)
		r = next(p);
	if (r < 0)
		return r;
	if (!ether && !dir && !is(p, "host", "net") && !is(p, "port", NULL))
		return err_set(p->e, EINVAL, p->word[0] ? "filter: \"%s\" is not known" : "filter: something is missing at its end%s", p->word);
	return operand(p, n, ether);
}

static int either(struct parse *p);

static int unary(struct parse *p)
{
	struct filter_node n = {.kind = FILTER_NOT, .right = -1};
	int r;

	if (p->depth == DEPTH)
		return err_set(p->e, EINVAL, "filter: nested more than %d deep", DEPTH);
	p->depth++;
	if (is(p, "not", "!")) {
		r = next(p);
		r = n.left = r < 0 ? r : unary(p);
		r = r < 0 ? r : node(p, n);
	} else if (is(p, "(", NULL)) {
		int inner = next(p);

		r = inner = inner < 0 ? inner : either(p);
		if (r >= 0 && !is(p, ")", NULL))
			r = err_set(p->e, EINVAL, "filter: a ) is missing");
		if (r >= 0)
			r = next(p);
		r = r < 0 ? r : inner;
	} else {
		r = primitive(p);
	}
	p->depth--;
	return r;
}

static int both(struct parse *p)
{
	int left = unary(p);

	while (left >= 0 && is(p, "and", "&&")) {
		struct filter_node n = {.kind = FILTER_AND, .left = left};
		int r = next(p);

		r = n.right = r < 0 ? r : unary(p);
		left = r < 0 ? r : node(p, n);
	}
	return left;
}

static int either(struct parse *p)
{
	int left = both(p);

	while (left >= 0 && is(p, "or", "||")) {
		struct filter_node n = {.kind = FILTER_OR, .left = left};
		int r = next(p);

		r = n.right = r < 0 ? r : both(p);
		left = r < 0 ? r : node(p, n);
	}
	return left;
}

int filter_parse(const char *text, struct filter *f, struct err *e)
{
	struct parse p = {.at = text, .f = f, .e = e};
	int r;

	f->n = 0;
	f->root = -1;
	r = next(&p);
	if (r < 0 || !p.word[0])
		return r;
	r = either(&p);
	if (r < 0)
		return r;
	if (p.word[0])
		return err_set(e, EINVAL, "filter: \"%s\" where and, or, or its end was due", p.word);
	f->root = r;
	return 0;
}

/* ---- a frame ---- */

struct look {
	const uint8_t *frame;
	size_t n;
	unsigned ether, proto;      /* proto 0: not known */
	const uint8_t *src, *dst;   /* IP, or NULL */
	int family;
	const uint8_t *ports;       /* four bytes, or NULL */
};

static void look6(struct look *l, size_t at)
{
	size_t off = at + 40;
	unsigned next_head;

	if (l->n < off)
		return;
	l->family = 6;
	l->src = l->frame + at + 8;
	l->dst = l->frame + at + 24;
	next_head = l->frame[at + 6];
	for (int i = 0; i < 8; i++) {
		bool frag = next_head == 44;

		if (next_head != 0 && next_head != 43 && next_head != 60 && next_head != 51 && !frag)
			break;
		if (l->n < off + 8)
			return;
		if (frag && ((l->frame[off + 2] << 8 | l->frame[off + 3]) & 0xfff8)) {
			l->proto = l->frame[off];
			return;
		}
		/* an authentication header counts in fours, beyond two; the others in eights, beyond one */
		unsigned len = frag ? 8 : next_head == 51 ? (l->frame[off + 1] + 2u) * 4 : (l->frame[off + 1] + 1u) * 8;

		next_head = l->frame[off];
		off += len;
	}
	l->proto = next_head;
	if ((l->proto == 6 || l->proto == 17) && l->n >= off + 4)
		l->ports = l->frame + off;
}

static void look4(struct look *l, size_t at)
{
	size_t head;

	if (l->n < at + 20)
		return;
	head = (l->frame[at] & 15u) * 4;
	l->family = 4;
	l->src = l->frame + at + 12;
	l->dst = l->frame + at + 16;
	l->proto = l->frame[at + 9];
	if (head >= 20 && !((l->frame[at + 6] << 8 | l->frame[at + 7]) & 0x1fff) && (l->proto == 6 || l->proto == 17) && l->n >= at + head + 4)
		l->ports = l->frame + at + head;
}

static void look(struct look *l, const uint8_t *frame, size_t n)
{
	size_t at = 14;

	*l = (struct look){.frame = frame, .n = n};
	if (n < 14)
		return;
	l->ether = (unsigned)frame[12] << 8 | frame[13];
	if (l->ether == 0x8100 && n >= 18) {
		l->ether = (unsigned)frame[16] << 8 | frame[17];
		at = 18;
	}
	if (l->ether == P_IP4)
		look4(l, at);
	else if (l->ether == P_IP6)
		look6(l, at);
	else if (l->ether == P_ARP && n >= at + 28) {
		l->family = 4;
		l->src = frame + at + 14;
		l->dst = frame + at + 24;
	}
}

static bool has_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (!rest || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool match(const struct filter *f, int i, const struct look *l)
{
	const struct filter_node *n = &f->node[i];
	uint16_t port = htons(n->port);

	switch (n->kind) {
	case FILTER_NOT: return !match(f, n->left, l);
	case FILTER_AND: return match(f, n->left, l) && match(f, n->right, l);
	case FILTER_OR: return match(f, n->left, l) || match(f, n->right, l);
	case FILTER_PROTO: return (!n->ether || n->ether == l->ether) && (!n->proto || (n->proto == l->proto && l->family && l->ether != P_ARP));
	case FILTER_ETHER:
		return l->n >= 14 && (((n->dir & FILTER_DST) && !memcmp(l->frame, n->addr, 6)) || ((n->dir & FILTER_SRC) && !memcmp(l->frame + 6, n->addr, 6)));
	case FILTER_IP:
		return l->family == n->family &&
		       (((n->dir & FILTER_SRC) && has_prefix(l->src, n->addr, n->bits)) || ((n->dir & FILTER_DST) && has_prefix(l->dst, n->addr, n->bits)));
	case FILTER_PORT:
		return l->ports && (((n->dir & FILTER_SRC) && !memcmp(l->ports, &port, 2)) || ((n->dir & FILTER_DST) && !memcmp(l->ports + 2, &port, 2)));
	}
	return false;
}

bool filter_match(const struct filter *f, const uint8_t *frame, size_t n)
{
	struct look l;

	if (f->root < 0)
		return true;
	look(&l, frame, n);
	return match(f, f->root, &l);
}
