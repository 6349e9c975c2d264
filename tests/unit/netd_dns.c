/* SPDX-License-Identifier: MPL-2.0 */
/* The responder's DNS: names of zones, what is sent on, what is refused, and which answers are believed. */
#include "netd_in.h"

#include <stdio.h>

#include "netd/dns.h"

struct msg {
	uint8_t p[DNS_QUERY + 64];
	size_t n;
};

static struct msg ask(const char *name, unsigned type)
{
	struct msg m = {.p = {0x12, 0x34, 1, 0, 0, 1}, .n = DNS_HEADER};

	while (*name) {
		size_t len = strcspn(name, ".");

		m.p[m.n++] = (uint8_t)len;
		memcpy(m.p + m.n, name, len);
		m.n += len;
		name += len + (name[len] == '.');
	}
	m.n++;
	m.p[m.n + 1] = (uint8_t)type;
	m.p[m.n + 3] = 1;
	m.n += 4;
	return m;
}

static void edns(struct msg *m, unsigned room)
{
	memcpy(m->p + m->n, (uint8_t[]){0, 0, 41, (uint8_t)(room >> 8), (uint8_t)room, 0, 0, 0, 0, 0, 0}, 11);
	m->n += 11;
	m->p[11] = 1;
}

static uint8_t out[2048];
static size_t nout;

/* -1: no answer; -2: sent on; else its code. */
static int says(const struct table *t, const struct msg *m)
{
	struct dns_question d;
	enum dns_what w = dns_answer(t, m->p, m->n, true, out, sizeof out, &nout, &d);

	if (w != DNS_ANSWER)
		return w == DNS_DROP ? -1 : -2;
	assert_true(nout >= DNS_HEADER && nout <= DNS_LARGE);
	assert_memory_equal(out, m->p, 2);
	assert_true(out[2] & 0x80);
	return out[3] & 15;
}

#define SAYS(name, type) ({ struct msg m_ = ask(name, type); says(&t, &m_); })

static void names(void **state)
{
	struct table t = table_of(SETTINGS ZONES "forward 192.0.2.53\n");

	assert_int_equal(SAYS("web.zones.test", DNS_A), 0);
	assert_int_equal(out[7], 1);
	assert_memory_equal(out + nout - 4, ((uint8_t[]){10, 77, 0, 10}), 4);
	assert_int_equal(SAYS("WEB-host.Zones.TEST", DNS_AAAA), 0);
	assert_int_equal(out[7], 1);
	assert_int_equal(SAYS("web", DNS_ANY), 0);
	assert_int_equal(out[7], 2);
	assert_int_equal(SAYS("db.one.zones.test", DNS_A), 0);
	assert_int_equal(out[7], 1);
	assert_int_equal(SAYS("db.one.zones.test", DNS_AAAA), 0); /* the name is there, such an address is not */
	assert_int_equal(out[7], 0);
	assert_int_equal(SAYS("zones.test", DNS_SOA), 0);
	assert_int_equal(SAYS("no.zones.test", DNS_A), DNS_NXDOMAIN);
	assert_int_equal(SAYS("10.0.77.10.in-addr.arpa", DNS_PTR), 0);
	assert_memory_equal(out + nout - 16, "\3web\5zones\4test", 16);
	assert_int_equal(SAYS("99.0.77.10.in-addr.arpa", DNS_PTR), DNS_NXDOMAIN);
	assert_int_equal(SAYS("a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa", DNS_PTR), 0);
	assert_int_equal(out[7], 1);
	/* not ours */
	assert_int_equal(SAYS("example.com", DNS_A), -2);
	assert_int_equal(SAYS("xzones.test", DNS_A), -2);
	assert_int_equal(SAYS("1.1.1.1.in-addr.arpa", DNS_PTR), -2);
	assert_int_equal(SAYS("999.0.77.10.in-addr.arpa", DNS_PTR), -2);
	assert_int_equal(SAYS("a.b.ip6.arpa", DNS_PTR), -2);
	assert_int_equal(SAYS("", DNS_NS), -2);
	t.nforward = 0;
	assert_int_equal(SAYS("example.com", DNS_A), DNS_REFUSED);
	t.dns = false;
	assert_int_equal(SAYS("web.zones.test", DNS_A), -1);
	table_free(&t);
}

static void malformed(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	struct msg good = ask("web.zones.test", DNS_A), m;
	char name[400];

	for (m = good; m.n > 0; m.n--) {
		if (m.n < DNS_HEADER)
			assert_int_equal(says(&t, &m), -1);
		else if (m.n < good.n)
			assert_int_equal(says(&t, &m), DNS_FORMERR);
	}
	m = good;
	m.p[2] |= 0x80; /* an answer: two servers could answer each other for ever */
	assert_int_equal(says(&t, &m), -1);
	m = good;
	m.p[2] |= 0x28;
	assert_int_equal(says(&t, &m), DNS_NOTIMP);
	for (int i = 5; i <= 11; i += 2) {
		m = good;
		m.p[i] = 2;
		assert_int_equal(says(&t, &m), DNS_FORMERR);
	}
	m = good;
	m.p[m.n++] = 0; /* something behind it */
	assert_int_equal(says(&t, &m), DNS_FORMERR);
	m = good;
	m.p[DNS_HEADER] = 0xc0; /* a name that points at itself */
	m.p[DNS_HEADER + 1] = DNS_HEADER;
	assert_int_equal(says(&t, &m), DNS_FORMERR);
	m = good;
	m.p[DNS_HEADER] = 64;
	assert_int_equal(says(&t, &m), DNS_FORMERR);
	/* 253 letters and dots are a name, more are none */
	memset(name, 'a', sizeof name);
	name[63] = name[127] = name[191] = '.';
	name[253] = 0;
	m = ask(name, DNS_A);
	assert_int_equal(says(&t, &m), DNS_REFUSED);
	name[253] = 'a';
	name[254] = 0;
	m = ask(name, DNS_A);
	assert_int_equal(says(&t, &m), DNS_FORMERR);
	m = good;
	edns(&m, 4096);
	assert_int_equal(says(&t, &m), 0);
	assert_int_equal(out[11], 1);
	m.p[m.n - 1] = 5; /* data that is not there */
	assert_int_equal(says(&t, &m), DNS_FORMERR);
	m.n = DNS_QUERY + 1;
	assert_int_equal(says(&t, &m), -1);
	table_free(&t);
}

/* What is too much for the asker is cut, and says so. */
static void cut(void **state)
{
	char text[4000], *p = text;
	struct table t;
	struct msg m = ask("many.zones.test", DNS_AAAA);

	p += sprintf(p, "domain zones.test\nserve dns\nzone u 02:08:20:00:00:0a - many fd77::1");
	for (int i = 2; i < 30; i++)
		p += sprintf(p, ",fd77::%x", i);
	*p = 0;
	t = table_of(text);
	assert_int_equal(says(&t, &m), 0);
	assert_true(out[2] & 2);
	assert_int_equal(out[7], 0);
	assert_true(nout <= DNS_UDP);
	edns(&m, 1400);
	assert_int_equal(says(&t, &m), 0);
	assert_false(out[2] & 2);
	assert_int_equal(out[7], 29);
	table_free(&t);
}

static void believed(void **state)
{
	struct msg q = ask("example.com", DNS_A), a = q;

	a.p[2] |= 0x80;
	assert_true(dns_matches(q.p, q.n, a.p, a.n));
	for (size_t i = 0; i < a.n; i++) {
		struct msg bad = a;

		if (i == 3 || (i >= 6 && i < DNS_HEADER))
			continue; /* its code and how many records it has are the server's affair */
		bad.p[i] ^= i == 2 ? 0x80 : 1;
		assert_false(dns_matches(q.p, q.n, bad.p, bad.n));
	}
	for (size_t n = 0; n < a.n; n++)
		assert_false(dns_matches(q.p, q.n, a.p, n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(malformed), cmocka_unit_test(cut), cmocka_unit_test(believed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
