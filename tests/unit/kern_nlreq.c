/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/own.h"
#include "kern/netdev.h"
#include "kern/nlreq.h"
#include "kern/rtnl.h"

/* Where each attribute ends, as the kernel reads them: within what it is in. Returns how many there are, nested ones too. */
static unsigned walk(const char *p, size_t n, unsigned short nest)
{
	unsigned k = 0;

	while (n) {
		const struct rtattr *a = (const void *)p;
		size_t len = RTA_ALIGN(a->rta_len);

		assert_true(n >= sizeof *a && a->rta_len >= sizeof *a && len <= n);
		k += 1 + (a->rta_type == nest ? walk(p + sizeof *a, a->rta_len - sizeof *a, nest) : 0);
		p += len;
		n -= len;
	}
	return k;
}

static void nested(void **state)
{
	/* whatever the last one's length is */
	for (size_t last = 0; last <= 9; last++) {
		struct nlreq q;
		struct rtattr *out, *in;

		nlreq_begin(&q, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
		nlreq_text(&q, IFLA_IFNAME, "x");
		out = nlreq_nest(&q, IFLA_LINKINFO);
		nlreq_text(&q, 1, "vxlan");
		in = nlreq_nest(&q, IFLA_LINKINFO);
		nlreq_put(&q, 2, "123456789", last);
		nlreq_end(&q, in);
		nlreq_end(&q, out);
		assert_false(q.full);
		assert_int_equal(walk(q.bytes + NLMSG_LENGTH(sizeof(struct ifinfomsg)), q.h.nlmsg_len - NLMSG_LENGTH(sizeof(struct ifinfomsg)), IFLA_LINKINFO), 5);
		assert_ptr_equal((char *)out + out->rta_len, q.bytes + q.h.nlmsg_len);
		assert_ptr_equal((char *)in + in->rta_len, q.bytes + q.h.nlmsg_len);
		assert_non_null(nlattr_of(&q.h, sizeof(struct ifinfomsg), IFLA_LINKINFO));
	}
}

static void full(void **state)
{
	static const char big[1024];
	struct nlreq q;

	nlreq_begin(&q, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	assert_null(nlreq_put(&q, 1, big, sizeof big));
	assert_true(q.full);
	assert_null(nlreq_put(&q, 1, big, 1)); /* what comes behind the one that is missing would be another message */
	assert_int_equal(nlreq_send(-1, &q, NULL, NULL), -EMSGSIZE);
}

static void numbers(void **state)
{
	struct nlreq q;

	nlreq_begin(&q, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	nlreq_put(&q, IFLA_MTU, "x", 1); /* too short to be one */
	nlreq_u32(&q, IFLA_LINK | NLA_F_NESTED, 7);
	assert_int_equal(nlattr_u32(&q.h, sizeof(struct ifinfomsg), IFLA_MTU), 0);
	assert_int_equal(nlattr_u32(&q.h, sizeof(struct ifinfomsg), IFLA_LINK), 7);
	assert_int_equal(nlattr_u32(&q.h, sizeof(struct ifinfomsg), IFLA_MASTER), 0);
	assert_null(nlattr_of(&q.h, sizeof(struct ifinfomsg), IFLA_MASTER));
}

struct seen {
	unsigned n, lo;
	int stop;
};

static int each(const struct netdev *d, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->lo += strcmp(d->name, "lo") == 0;
	return s->stop;
}

/* The kernel's own answer, and its end; one question after the other. */
static void dump(void **state)
{
	_fd_ int s = rtnl_open(NULL);
	struct seen all = {0}, one = {.stop = -ECANCELED};
	struct netdev d;

	assert_true(s >= 0);
	assert_int_equal(netdev_each(s, each, &all, NULL), 0);
	assert_true(all.n >= 1);
	assert_int_equal(all.lo, 1);
	assert_int_equal(netdev_each(s, each, &one, NULL), -ECANCELED);
	assert_int_equal(one.n, 1);
	assert_int_equal(netdev_get(s, "lo", &d, NULL), 0);
	assert_string_equal(d.name, "lo");
	assert_int_equal(netdev_get(s, "nope0", &d, NULL), -ENODEV);
	assert_int_equal(netdev_get(s, "a name that is too long", &d, NULL), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nested),
		cmocka_unit_test(full),
		cmocka_unit_test(numbers),
		cmocka_unit_test(dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
