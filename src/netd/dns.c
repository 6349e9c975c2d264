/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "netd/wire.h"

#define TTL 30 /* zones come and go */

static unsigned u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* A name without compression, which a question has no use for. Its length on the wire, 0 if it is none. */
static size_t name_read(const uint8_t *p, size_t n, char out[NAME_MAX_DNS + 1])
{
	size_t at = 0, k = 0;

	while (at < n && p[at]) {
		size_t len = p[at++];

		if (len > 63 || len > n - at || at + len > 254)
			return 0;
		if (k)
			out[k++] = '.';
		for (size_t i = 0; i < len; i++, at++)
			out[k++] = isalnum(p[at]) || p[at] == '-' || p[at] == '_' ? (char)tolower(p[at]) : '!';
	}
	out[k] = 0;
	return at < n ? at + 1 : 0;
}

/* The one record that a query may have behind its question: EDNS. */
static bool edns(const uint8_t *p, size_t n, struct dns_question *out)
{
	if (n < 11 || p[0] != 0 || u16(p + 1) != DNS_OPT || u16(p + 9) != n - 11)
		return false;
	out->edns = true;
	out->room = u16(p + 3) < DNS_UDP ? DNS_UDP : u16(p + 3);
	return true;
}

int dns_parse(const uint8_t *q, size_t n, struct dns_question *out)
{
	struct dns_question d = {.room = DNS_UDP};
	size_t len;

	/* an answer is never answered */
	if (n < DNS_HEADER || n > DNS_QUERY || (q[2] & 0x80))
		return -1;
	if ((q[2] & 0x78) != 0)
		return DNS_NOTIMP;
	if (u16(q + 4) != 1 || u16(q + 6) || u16(q + 8) || u16(q + 10) > 1)
		return DNS_FORMERR;
	len = name_read(q + DNS_HEADER, n - DNS_HEADER, d.name);
	if (len == 0 || n - DNS_HEADER - len < 4)
		return DNS_FORMERR;
	d.end = DNS_HEADER + len + 4;
	d.type = u16(q + d.end - 4);
	d.class = u16(q + d.end - 2);
	if (u16(q + 10) ? !edns(q + d.end, n - d.end, &d) : d.end != n)
		return DNS_FORMERR;
	*out = d;
	return 0;
}

size_t dns_refuse(const uint8_t *q, size_t nq, unsigned rcode, uint8_t *out)
{
	struct dns_question d;
	size_t n = dns_parse(q, nq, &d) == 0 ? d.end : DNS_HEADER;

	memmove(out, q, n);
	out[2] = (uint8_t)(0x80 | (q[2] & 0x79)); /* an answer, recursion asked for as it was */
	out[3] = (uint8_t)(0x80 | rcode);
	memset(out + 4, 0, 8);
	out[5] = n > DNS_HEADER;
	return n;
}

bool dns_matches(const uint8_t *q, size_t nq, const uint8_t *a, size_t n)
{
	struct dns_question d;

	if (dns_parse(q, nq, &d) != 0 || n < DNS_HEADER)
		return false;
	if (memcmp(q, a, 2) || !(a[2] & 0x80) || (a[2] & 0x78) || u16(a + 4) != 1)
		return false;
	return n >= d.end && memcmp(q + DNS_HEADER, a + DNS_HEADER, d.end - DNS_HEADER) == 0;
}

/* ---- the zones' names ---- */

/* What stands before ".domain": "" for the domain itself, NULL: it is somebody else's. */
static const char *within(const struct table *t, char *name)
{
	size_t n = strlen(name), d = strlen(t->domain);

	if (!d)
		return NULL;
	if (strcmp(name, t->domain) == 0)
		return name + n;
	if (n <= d || strcmp(name + n - d, t->domain) || name[n - d - 1] != '.')
		return NULL;
	name[n - d - 1] = 0;
	return name;
}

/* 4.3.2.1.in-addr.arpa, and its like in IPv6. */
static bool reverse(const char *name, struct tip *out)
{
	struct tip t = {0};
	const char *p = name;

	if (strstr(name, ".in-addr.arpa")) {
		unsigned b[4];
		int end = 0;

		if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &b[3], &b[2], &b[1], &b[0], &end) != 4 || !end || name[end])
			return false;
		t.family = 4;
		for (int i = 0; i < 4; i++) {
			if (b[i] > 255)
				return false;
			t.ip[i] = (uint8_t)b[i];
		}
	} else {
		t.family = 6;
		for (int i = 31; i >= 0; i--, p += 2) {
			if (!isxdigit((unsigned char)p[0]) || p[1] != '.')
				return false;
			t.ip[i / 2] |= (uint8_t)((p[0] <= '9' ? p[0] - '0' : p[0] - 'a' + 10) << (i & 1 ? 0 : 4));
		}
		if (strcmp(p, "ip6.arpa") != 0)
			return false;
	}
	t.bits = t.family == 4 ? 32 : 128;
	*out = t;
	return true;
}

struct reply {
	struct wire w;
	unsigned answers, rcode;
};

static void record(struct reply *r, unsigned type, const void *data, size_t n)
{
	wire_u16(&r->w, 0xc000 | DNS_HEADER); /* the question's name */
	wire_u16(&r->w, type);
	wire_u16(&r->w, 1);
	wire_u32(&r->w, TTL);
	wire_u16(&r->w, (uint32_t)n);
	wire_put(&r->w, data, n);
	r->answers++;
}

static void addresses(const struct tname *f, size_t n, unsigned type, struct reply *r)
{
	for (size_t i = 0; i < n && r->answers < 32; i++) {
		bool v6 = f[i].ip.family == 6;

		if (type == DNS_ANY || type == (v6 ? DNS_AAAA : DNS_A))
			record(r, v6 ? DNS_AAAA : DNS_A, f[i].ip.ip, v6 ? 16 : 4);
	}
}

static void pointer(const struct table *t, const struct tname *f, unsigned type, struct reply *r)
{
	char full[2 * NAME_MAX_DNS + 2];
	uint8_t wire[NAME_MAX_DNS + 1];
	size_t n;

	snprintf(full, sizeof full, "%s%s%s", f->name, t->domain[0] ? "." : "", t->domain);
	n = strlen(full) < NAME_MAX_DNS - 1 ? wire_name(full, wire) : 0;
	if (n && (type == DNS_PTR || type == DNS_ANY))
		record(r, DNS_PTR, wire, n);
}

/* Whether the name is ours to answer for; what there is of it goes into r. */
static bool local(const struct table *t, const struct dns_question *d, struct reply *r)
{
	char name[sizeof d->name];
	const struct tname *f;
	const char *before;
	struct tip ip;
	size_t n = 0;

	if (d->class != 1)
		return false;
	if (reverse(d->name, &ip)) {
		f = table_addr(t, &ip);
		if (!f && !tip_within(&t->subnet, &ip) && !tip_within(&t->subnet6, &ip))
			return false;
		if (f)
			pointer(t, f, d->type, r);
		else
			r->rcode = DNS_NXDOMAIN;
		return true;
	}
	memcpy(name, d->name, sizeof name);
	before = within(t, name);
	if (before && !*before)
		return true; /* the domain itself: nothing, but it is there */
	/* a zone's bare name too, for clients without a search list */
	f = before || !strchr(name, '.') ? table_name(t, before ?: name, &n) : NULL;
	if (!f && !before)
		return false;
	if (f)
		addresses(f, n, d->type, r);
	else
		r->rcode = DNS_NXDOMAIN;
	return true;
}

static void head(const uint8_t *q, const struct dns_question *d, const struct reply *r, uint8_t *out)
{
	memcpy(out, q, d->end);
	out[2] = (uint8_t)(0x84 | (q[2] & 1)); /* authoritative */
	out[3] = (uint8_t)(0x80 | r->rcode);
	memset(out + 4, 0, 8);
	out[5] = 1;
	out[7] = (uint8_t)r->answers;
	out[11] = d->edns;
}

enum dns_what dns_answer(const struct table *t, const uint8_t *q, size_t nq, bool udp, uint8_t *out, size_t cap, size_t *n, struct dns_question *asked)
{
	struct reply r = {0};
	int code = dns_parse(q, nq, asked);
	size_t room = udp && code == 0 && asked->room < cap ? asked->room : cap;
	bool cut;

	if (code < 0 || !t->dns)
		return DNS_DROP;
	if (code > 0) {
		*n = dns_refuse(q, nq, (unsigned)code, out);
		return DNS_ANSWER;
	}
	if (udp && room > DNS_LARGE)
		room = DNS_LARGE;
	/* EDNS's answer to itself has its room kept */
	r.w = (struct wire){.p = out, .cap = room - 11, .n = asked->end};
	if (!local(t, asked, &r)) {
		if (t->nforward)
			return DNS_FORWARD;
		*n = dns_refuse(q, nq, DNS_REFUSED, out);
		return DNS_ANSWER;
	}
	cut = r.w.full;
	if (cut) /* to be asked again by TCP */
		r = (struct reply){.w = {.p = out, .n = asked->end}};
	head(q, asked, &r, out);
	out[2] |= cut ? 2 : 0;
	r.w.cap = room;
	if (asked->edns)
		wire_put(&r.w, (const uint8_t[]){0, 0, DNS_OPT, DNS_LARGE >> 8, DNS_LARGE & 255, 0, 0, 0, 0, 0, 0}, 11);
	*n = r.w.n;
	return DNS_ANSWER;
}
