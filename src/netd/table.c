/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/table.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 8

static bool number(const char *s, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint32_t)(*s - '0');
		if (v > max)
			return false;
	}
	*out = v;
	return true;
}

bool tip_parse(const char *s, struct tip *out)
{
	const char *slash = strchr(s, '/');
	char addr[INET6_ADDRSTRLEN];
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	struct tip t = {0};
	uint32_t bits;

	if (n >= sizeof addr)
		return false;
	memcpy(addr, s, n);
	addr[n] = 0;
	t.family = strchr(addr, ':') ? 6 : 4;
	bits = t.family == 6 ? 128 : 32;
	if (inet_pton(t.family == 6 ? AF_INET6 : AF_INET, addr, t.ip) != 1 || (slash && !number(slash + 1, bits, &bits)))
		return false;
	t.bits = (uint8_t)bits;
	*out = t;
	return true;
}

bool tip_within(const struct tip *net, const struct tip *ip)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (!net->family || net->family != ip->family || memcmp(net->ip, ip->ip, whole))
		return false;
	return rest == 0 || ((net->ip[whole] ^ ip->ip[whole]) >> (8 - rest)) == 0;
}

/* ---- order of the indexes ---- */

static int by_mac(const void *a, const void *b)
{
	return memcmp(((const struct tzone *)a)->mac, ((const struct tzone *)b)->mac, 6);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tname *)a)->name, ((const struct tname *)b)->name);
}

static int by_addr(const void *a, const void *b)
{
	const struct tname *x = a, *y = b;

	return x->ip.family != y->ip.family ? x->ip.family - y->ip.family : memcmp(x->ip.ip, y->ip.ip, 16);
}

static int by_owner(const void *a, const void *b)
{
	const struct towner *x = a, *y = b;

	return x->ip.family != y->ip.family ? x->ip.family - y->ip.family : memcmp(x->ip.ip, y->ip.ip, 16);
}

static void *room(void *p, size_t n, size_t size)
{
	void *q = n & (n - 1) ? p : realloc(p, (n ? n * 2 : 1) * size);

	if (!q)
		abort(); /* a table of some MB, and nothing can be answered without */
	return q;
}

static void add_name(struct table *t, const char *name, const struct tip *ip, bool first)
{
	t->name = room(t->name, t->nname, sizeof *t->name);
	t->name[t->nname++] = (struct tname){name, *ip};
	if (!first || !ip->family)
		return;
	t->addr = room(t->addr, t->naddr, sizeof *t->addr);
	t->addr[t->naddr++] = (struct tname){name, *ip};
}

static void add_owner(struct table *t, const struct tip *ip, uint64_t vm)
{
	t->owner = room(t->owner, t->nowner, sizeof *t->owner);
	t->owner[t->nowner++] = (struct towner){*ip, vm};
}

static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211u;
	return h ?: 1;
}

/* What a name server may be asked for, without surprises for who reads it: no escapes are ever needed. */
static bool name_ok(char *s)
{
	size_t label = 0, all = strlen(s);

	if (all == 0 || all > 200)
		return false;
	for (; *s; s++) {
		*s = (char)tolower((unsigned char)*s);
		if (*s == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '_')
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0;
}

static bool put_zone(struct table *t, char **w)
{
	struct tzone z = {.vm = hash(w[1])};
	struct tip ip = {0};
	char *names[8], *save, *s;
	size_t n = 0;
	int at = 0;

	if (sscanf(w[2], "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &z.mac[0], &z.mac[1], &z.mac[2], &z.mac[3], &z.mac[4], &z.mac[5], &at) != 6 || w[2][at])
		return false;
	if (strcmp(w[3], "-") != 0) {
		if (!tip_parse(w[3], &ip) || ip.family != 4)
			return false;
		memcpy(z.lease, ip.ip, 4);
		add_owner(t, &ip, z.vm);
	}
	/* a name that can't stand in a packet is left out: it is no reason to be without the others */
	for (s = strtok_r(w[4], ",", &save); s && n < 8; s = strtok_r(NULL, ",", &save))
		if (strcmp(s, "-") != 0 && name_ok(s))
			names[n++] = s;
	z.name = n ? names[0] : NULL;
	t->zone = room(t->zone, t->nzone, sizeof *t->zone);
	t->zone[t->nzone++] = z;
	for (s = strtok_r(w[5], ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		if (strcmp(s, "-") == 0)
			continue;
		if (!tip_parse(s, &ip))
			return false;
		add_owner(t, &ip, z.vm);
		for (size_t i = 0; i < n; i++)
			add_name(t, names[i], &ip, i == 0);
	}
	return true;
}

static bool put_list(struct tip *list, size_t *n, const char *s)
{
	if (*n == TABLE_LIST)
		return true; /* the first few are enough */
	if (!tip_parse(s, &list[*n]))
		return false;
	(*n)++;
	return true;
}

static bool put_serve(struct table *t, const char *s)
{
	bool *b = !strcmp(s, "dhcp") ? &t->dhcp : !strcmp(s, "ra") ? &t->ra : !strcmp(s, "dns") ? &t->dns : NULL;

	return b ? (*b = true) : false;
}

static bool put_domain(struct table *t, char *s)
{
	if (!name_ok(s))
		return false;
	snprintf(t->domain, sizeof t->domain, "%s", s);
	return true;
}

static bool put_line(struct table *t, char **w, int n)
{
	const char *k = w[0];

	if (!strcmp(k, "zone"))
		return n == 6 && put_zone(t, w);
	if (n != 2)
		return false;
	if (!strcmp(k, "server"))
		return tip_parse(w[1], &t->server) && t->server.family == 4;
	if (!strcmp(k, "server6"))
		return tip_parse(w[1], &t->server6) && t->server6.family == 6;
	if (!strcmp(k, "subnet"))
		return tip_parse(w[1], &t->subnet) && t->subnet.family == 4;
	if (!strcmp(k, "subnet6"))
		return tip_parse(w[1], &t->subnet6) && t->subnet6.family == 6;
	if (!strcmp(k, "router"))
		return tip_parse(w[1], &t->router) && t->router.family == 4;
	if (!strcmp(k, "mtu"))
		return number(w[1], 65535, &t->mtu);
	if (!strcmp(k, "domain"))
		return put_domain(t, w[1]);
	if (!strcmp(k, "dns"))
		return put_list(t->told, &t->ntold, w[1]);
	if (!strcmp(k, "forward"))
		return put_list(t->forward, &t->nforward, w[1]);
	return !strcmp(k, "serve") && put_serve(t, w[1]);
}

int table_parse(char *text, size_t n, struct table *out)
{
	struct table t = {.text = text, .mtu = 1500};
	int line = 0;

	for (char *p = text, *next; p < text + n; p = next) {
		char *w[WORDS], *save, *end = memchr(p, '\n', (size_t)(text + n - p));
		int words = 0;

		next = end ? end + 1 : text + n;
		if (end)
			*end = 0;
		line++;
		for (char *s = strtok_r(p, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
			if (words == WORDS) {
				table_free(&t);
				return line;
			}
			w[words++] = s;
		}
		if (words && !put_line(&t, w, words)) {
			table_free(&t);
			return line;
		}
	}
	if (t.nzone)
		qsort(t.zone, t.nzone, sizeof *t.zone, by_mac);
	if (t.nname)
		qsort(t.name, t.nname, sizeof *t.name, by_name);
	if (t.naddr)
		qsort(t.addr, t.naddr, sizeof *t.addr, by_addr);
	if (t.nowner)
		qsort(t.owner, t.nowner, sizeof *t.owner, by_owner);
	*out = t;
	return 0;
}

void table_free(struct table *t)
{
	free(t->text);
	free(t->zone);
	free(t->name);
	free(t->addr);
	free(t->owner);
	*t = (struct table){0};
}

const struct tzone *table_mac(const struct table *t, const uint8_t mac[6])
{
	struct tzone k = {0};

	memcpy(k.mac, mac, 6);
	return t->nzone ? bsearch(&k, t->zone, t->nzone, sizeof k, by_mac) : NULL;
}

const struct tname *table_name(const struct table *t, const char *name, size_t *n)
{
	struct tname k = {.name = name}, *f = t->nname ? bsearch(&k, t->name, t->nname, sizeof k, by_name) : NULL, *l = f;

	if (!f)
		return NULL;
	while (f > t->name && by_name(f - 1, &k) == 0)
		f--;
	while (l < t->name + t->nname && by_name(l, &k) == 0)
		l++;
	*n = (size_t)(l - f);
	return f;
}

const struct tname *table_addr(const struct table *t, const struct tip *ip)
{
	struct tname k = {.ip = *ip};

	return t->naddr ? bsearch(&k, t->addr, t->naddr, sizeof k, by_addr) : NULL;
}

uint64_t table_owner(const struct table *t, const struct tip *ip)
{
	const struct towner *o = t->nowner ? bsearch(&(struct towner){.ip = *ip}, t->owner, t->nowner, sizeof *o, by_owner) : NULL;
	const uint8_t *b = ip->ip;
	const struct tzone *z;

	if (o || ip->family != 6 || b[11] != 0xff || b[12] != 0xfe)
		return o ? o->vm : 0;
	z = table_mac(t, (const uint8_t[]){b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]});
	return z ? z->vm : 0;
}
