/* SPDX-License-Identifier: MPL-2.0 */
/* The responder's DHCP: every kind of message, and what it may not be brought to say. */
#include "netd_in.h"

#include <stdio.h>

#include "netd/dhcp.h"
#include "netd/wire.h"

static const uint8_t web[6] = {2, 8, 0x20, 0, 0, 0xa}, db[6] = {2, 8, 0x20, 0, 0, 0xb}, other[6] = {2, 8, 0x20, 0, 0, 0xc};
static const uint8_t lease[4] = {10, 77, 0, 10}, server[4] = {10, 77, 0, 1}, wrong[4] = {10, 77, 0, 99}, all[4] = {255, 255, 255, 255};

struct msg {
	uint8_t p[600];
	size_t n;
};

static struct msg ask(const uint8_t mac[6], unsigned type)
{
	static const uint8_t head[4] = {1, 1, 6, 0}, cookie[4] = {99, 130, 83, 99};
	struct msg m = {.n = 240};

	memcpy(m.p, head, 4);
	memcpy(m.p + 4, "abcd", 4);
	memcpy(m.p + 28, mac, 6);
	memcpy(m.p + 236, cookie, 4);
	if (type) {
		memcpy(m.p + m.n, (const uint8_t[]){53, 1, (uint8_t)type}, 3);
		m.n += 3;
	}
	return m;
}

static void add(struct msg *m, uint8_t code, const void *p, size_t n)
{
	m->p[m->n++] = code;
	m->p[m->n++] = (uint8_t)n;
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static const uint8_t *option(const uint8_t *p, size_t n, uint8_t code, size_t *len)
{
	for (size_t at = 240; at + 1 < n && p[at] != 255; at += p[at] ? p[at + 1] + 2u : 1)
		if (p[at] == code) {
			*len = p[at + 1];
			return p + at + 2;
		}
	return NULL;
}

static uint8_t out[DHCP_MAX];
static struct dhcp_to to;

static unsigned says(const struct table *t, const struct msg *m)
{
	size_t n, len;
	const uint8_t *v;

	memset(out, 0xee, sizeof out);
	n = dhcp_answer(t, m->p, m->n, out, &to);
	if (n == 0)
		return 0;
	assert_in_range(n, DHCP_MIN, DHCP_MAX);
	assert_int_equal(out[0], 2);
	assert_memory_equal(out + 4, "abcd", 4);
	assert_memory_equal(to.mac, m->p + 28, 6);
	v = option(out, n, 54, &len);
	assert_non_null(v);
	assert_memory_equal(v, server, 4);
	v = option(out, n, 53, &len);
	assert_non_null(v);
	return *v;
}

static void has(uint8_t code, const void *want, size_t n)
{
	size_t len = 0;
	const uint8_t *v = option(out, sizeof out, code, &len);

	assert_non_null(v);
	assert_int_equal(len, n);
	assert_memory_equal(v, want, n);
}

static void has_not(uint8_t code)
{
	size_t len;

	assert_null(option(out, sizeof out, code, &len));
}

static void discover(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	struct msg m = ask(web, DHCP_DISCOVER);

	add(&m, 61, "\1\2\3\4", 4);
	assert_int_equal(says(&t, &m), DHCP_OFFER);
	assert_memory_equal(out + 16, lease, 4);
	assert_memory_equal(to.ip, lease, 4);
	has(1, (const uint8_t[]){255, 255, 255, 0}, 4);
	has(3, server, 4);
	has(6, server, 4);
	has(12, "web", 3);
	has(15, "zones.test", 10);
	has(26, (const uint8_t[]){5, 120}, 2);
	has(28, (const uint8_t[]){10, 77, 0, 255}, 4);
	has(51, (const uint8_t[]){0, 1, 0x51, 0x80}, 4);
	has(61, "\1\2\3\4", 4);
	m.p[10] = 0x80;
	assert_int_equal(says(&t, &m), DHCP_OFFER);
	assert_memory_equal(to.ip, all, 4);
	/* whose address is static, who is not of this switch, and a switch without the service */
	m = ask(db, DHCP_DISCOVER);
	assert_int_equal(says(&t, &m), 0);
	m = ask(other, DHCP_DISCOVER);
	assert_int_equal(says(&t, &m), 0);
	t.dhcp = false;
	m = ask(web, DHCP_DISCOVER);
	assert_int_equal(says(&t, &m), 0);
	table_free(&t);
}

static void request(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	struct msg m = ask(web, DHCP_REQUEST);

	assert_int_equal(says(&t, &m), 0); /* neither what nor from whom */
	add(&m, 50, lease, 4);
	assert_int_equal(says(&t, &m), DHCP_ACK); /* rebooted */
	assert_memory_equal(to.ip, lease, 4);
	add(&m, 54, server, 4);
	assert_int_equal(says(&t, &m), DHCP_ACK); /* our offer */
	m = ask(web, DHCP_REQUEST);
	add(&m, 50, lease, 4);
	add(&m, 54, wrong, 4);
	assert_int_equal(says(&t, &m), 0); /* another's */
	m = ask(web, DHCP_REQUEST);
	add(&m, 50, wrong, 4);
	assert_int_equal(says(&t, &m), DHCP_NAK);
	assert_memory_equal(to.ip, all, 4);
	assert_memory_equal(out + 16, "\0\0\0\0", 4);
	has_not(51);
	has_not(1);
	/* renewing */
	m = ask(web, DHCP_REQUEST);
	memcpy(m.p + 12, lease, 4);
	assert_int_equal(says(&t, &m), DHCP_ACK);
	assert_memory_equal(to.ip, lease, 4);
	memcpy(m.p + 12, wrong, 4);
	assert_int_equal(says(&t, &m), DHCP_NAK);
	assert_memory_equal(to.ip, all, 4);
	table_free(&t);
}

static void others(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	struct msg m = ask(web, DHCP_INFORM);

	assert_int_equal(says(&t, &m), 0);
	memcpy(m.p + 12, lease, 4);
	assert_int_equal(says(&t, &m), DHCP_ACK);
	assert_memory_equal(out + 16, "\0\0\0\0", 4);
	has_not(51);
	has(6, server, 4);
	for (unsigned type = 0; type < 256; type++) {
		m = ask(web, type);
		memcpy(m.p + 12, lease, 4);
		if (type != DHCP_DISCOVER && type != DHCP_REQUEST && type != DHCP_INFORM)
			assert_int_equal(says(&t, &m), 0);
	}
	table_free(&t);
}

static void malformed(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	struct msg good = ask(web, DHCP_DISCOVER), m;
	static const struct { size_t at; uint8_t v; } bad[] = {{0, 2}, {1, 6}, {2, 16}, {24, 10}, {236, 0}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		m = good;
		m.p[bad[i].at] = bad[i].v;
		assert_int_equal(says(&t, &m), 0);
	}
	for (m = good; m.n > 0; m.n--)
		if (m.n < good.n)
			assert_int_equal(says(&t, &m), 0);
	/* options that go beyond the end, or have another length than theirs */
	m = good;
	add(&m, 50, lease, 3);
	assert_int_equal(says(&t, &m), 0);
	m = good;
	add(&m, 61, "x", 1);
	assert_int_equal(says(&t, &m), 0);
	m = good;
	add(&m, 12, "abc", 3);
	m.n--;
	assert_int_equal(says(&t, &m), 0);
	/* more in the fields for names: and there too it ends in the middle */
	m = good;
	add(&m, 52, "\3", 1);
	memcpy(m.p + 108, "\x3d\4zzzz\xff", 7);
	assert_int_equal(says(&t, &m), DHCP_OFFER);
	has(61, "zzzz", 4);
	m.p[108 + 1] = 200;
	assert_int_equal(says(&t, &m), 0);
	/* that there is more only the options themselves can say */
	m = good;
	add(&m, 52, "\1", 1);
	memcpy(m.p + 108, "\x34\1\3\xff", 4);
	memcpy(m.p + 44, "\x3d\4zzzz\xff", 7);
	assert_int_equal(says(&t, &m), DHCP_OFFER);
	has_not(61);
	m = good;
	add(&m, 52, "\2", 1);
	memcpy(m.p + 44, "\x3d\4zzzz\xff", 7);
	assert_int_equal(says(&t, &m), DHCP_OFFER);
	has(61, "zzzz", 4);
	/* up to the end of a field, and not into the next: the cookie's behind the one, the other's behind the other */
	for (int f = 0; f < 2; f++)
		for (size_t n = 6; n > 4; n--) {
			m = good;
			add(&m, 52, f ? "\2" : "\1", 1);
			memcpy(m.p + (f ? 108 : 236) - n, "\x3d\4zzzz", n);
			assert_int_equal(says(&t, &m), n == 6 ? DHCP_OFFER : 0);
			if (n == 6)
				has(61, "zzzz", 4);
		}
	/* each that has a length of its own */
	for (unsigned code = 50; code < 55; code++) {
		m = good;
		add(&m, code, "", 0);
		assert_int_equal(says(&t, &m), code == 51 ? DHCP_OFFER : 0);
	}
	table_free(&t);
}

/* The longest that a table can hold, and the longest that a client can send: no answer is larger than it may be. */
static void room(void **state)
{
	char text[2000], *p = text, label[64];
	uint8_t id[255], frame[DHCP_HEADERS + DHCP_MAX];
	struct msg m = ask(web, DHCP_DISCOVER);
	struct table t;
	size_t n;

	memset(label, 'a', 49);
	label[49] = 0;
	p += sprintf(p, "server 10.77.0.1\nsubnet 10.77.0.0/24\nserve dhcp\ndomain %s.%s.%s.%s\nrouter 10.77.0.1\n", label, label, label, label);
	for (int i = 0; i < 9; i++)
		p += sprintf(p, "dns 10.0.0.%d\n", i);
	sprintf(p, "zone x 02:08:20:00:00:0a 10.77.0.10 %s.%s.%s.%s 10.77.0.10\n", label, label, label, label);
	t = table_of(text);
	assert_int_equal(t.ntold, TABLE_LIST);
	memset(id, 7, sizeof id);
	add(&m, 61, id, sizeof id);
	n = dhcp_answer(&t, m.p, m.n, out, &to);
	assert_true(n <= DHCP_MAX - 28);
	/* where both names are too long, one is told, and the address in any case */
	m = ask(web, DHCP_DISCOVER);
	n = dhcp_answer(&t, m.p, m.n, out, &to);
	assert_true(n > DHCP_MIN && n <= DHCP_MAX - 28);
	table_free(&t);
	t = table_of(SETTINGS ZONES);
	m = ask(web, DHCP_DISCOVER);
	n = dhcp_answer(&t, m.p, m.n, out, &to);
	assert_int_equal(dhcp_frame(&t, other, &to, out, n, frame), DHCP_HEADERS + n);
	/* both sums come out as nothing for who has added them up */
	assert_int_equal(wire_sum(0, frame + 14, 20), 0);
	assert_int_equal(wire_sum(wire_add(17 + 8 + (uint32_t)n, frame + 26, 8), frame + 34, 8 + n), 0);
	table_free(&t);
}

static void information(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	uint8_t q[] = {11, 1, 2, 3, 0, 1, 0, 4, 'd', 'u', 'i', 'd'}, o[DHCP_MAX], many[200];
	size_t n = dhcp6_answer(&t, web, q, sizeof q, o);

	assert_true(n > 40);
	assert_memory_equal(o, ((uint8_t[]){7, 1, 2, 3, 0, 2, 0, 10, 0, 3, 0, 1, 2, 8, 0x20, 0, 0, 0xa, 0, 1, 0, 4, 'd', 'u', 'i', 'd', 0, 23, 0, 16, 0xfd, 0x77}), 32);
	for (size_t i = 0; i < sizeof q; i++)
		if (i != 4)
			assert_int_equal(dhcp6_answer(&t, web, q, i, o), 0);
	q[5] = 3; /* an address is not to be had this way */
	assert_int_equal(dhcp6_answer(&t, web, q, sizeof q, o), 0);
	q[5] = 2; /* for another server */
	assert_int_equal(dhcp6_answer(&t, web, q, sizeof q, o), 0);
	q[0] = 1;
	assert_int_equal(dhcp6_answer(&t, web, q, sizeof q, o), 0);
	memset(many, 0, sizeof many);
	memcpy(many, "\13abc\0\1\0\303", 8);
	assert_int_equal(dhcp6_answer(&t, web, many, sizeof many, o), 0);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(discover), cmocka_unit_test(request), cmocka_unit_test(others),
					   cmocka_unit_test(malformed), cmocka_unit_test(room), cmocka_unit_test(information)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
