/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "kern/netdiag.h"

static void sockets(void **state)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_msg m;
	} t = {.h = {.nlmsg_len = sizeof t, .nlmsg_type = SOCK_DIAG_BY_FAMILY},
	       .m = {.idiag_family = AF_INET, .id.idiag_sport = htons(80), .id.idiag_src = {htonl(0x7f000001)}, .idiag_inode = 4711}};
	struct net_item it = {.port = 1};

	assert_int_equal(net_parse(NET_TCP, &t, sizeof t, &it), 1);
	assert_int_equal(it.kind, NET_TCP);
	assert_int_equal(it.port, 80);
	assert_int_equal(it.inode, 4711);
	assert_memory_equal(it.addr, "\x7f\0\0\1", 4);
	assert_int_equal(net_parse(NET_LINK, &t, sizeof t, &it), 0);
	for (size_t n = 0; n < sizeof t; n++)
		assert_int_equal(net_parse(NET_TCP, &t, n, &it), 0);
	t.m.idiag_family = 77;
	assert_int_equal(net_parse(NET_TCP, &t, sizeof t, &it), 0);
	assert_int_equal(it.port, 80);
}

static void links(void **state)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
		struct rtattr name;
		char text[8];
		struct rtattr mac;
		uint8_t addr[8];
	} t = {.h = {.nlmsg_len = sizeof t, .nlmsg_type = RTM_NEWLINK},
	       .m = {.ifi_index = 3},
	       .name = {sizeof t.name + 5, IFLA_IFNAME},
	       .text = "net0",
	       .mac = {sizeof t.mac + 6, IFLA_ADDRESS},
	       .addr = {2, 8, 32, 1, 2, 3}};
	struct net_item it;

	assert_int_equal(net_parse(NET_LINK, &t, sizeof t, &it), 1);
	assert_string_equal(it.name, "net0");
	assert_int_equal(it.index, 3);
	assert_memory_equal(it.addr, "\x02\x08\x20\x01\x02\x03", 6);
	t.mac.rta_len = 400; /* longer than the message */
	assert_int_equal(net_parse(NET_LINK, &t, sizeof t, &it), 0);
	t.name.rta_len = 1;
	assert_int_equal(net_parse(NET_LINK, &t, sizeof t, &it), 0);
}

static void addresses(void **state)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		struct rtattr peer;
		uint8_t far[4];
		struct rtattr local;
		uint8_t near[4];
	} t = {.h = {.nlmsg_len = sizeof t, .nlmsg_type = RTM_NEWADDR},
	       .m = {.ifa_family = AF_INET, .ifa_index = 2},
	       .peer = {sizeof t.peer + 4, IFA_ADDRESS},
	       .far = {10, 0, 0, 1},
	       .local = {sizeof t.local + 4, IFA_LOCAL},
	       .near = {10, 0, 0, 2}};
	struct net_item it;

	assert_int_equal(net_parse(NET_ADDR, &t, sizeof t, &it), 1);
	assert_memory_equal(it.addr, "\x0a\0\0\2", 4);
	t.m.ifa_family = AF_INET6; /* four bytes are no address of it */
	assert_int_equal(net_parse(NET_ADDR, &t, sizeof t, &it), 0);
}

static void ends(void **state)
{
	struct {
		struct nlmsghdr h;
		int code;
	} t = {.h = {.nlmsg_len = sizeof t, .nlmsg_type = NLMSG_DONE}};

	assert_int_equal(net_parse_end(&t, sizeof t), 0);
	t.code = -EMSGSIZE;
	assert_int_equal(net_parse_end(&t, sizeof t), -EMSGSIZE);
	assert_int_equal(net_parse_end(&t, sizeof t - 1), -EBADMSG);
	t.h.nlmsg_type = NLMSG_ERROR;
	t.code = -ENOENT;
	assert_int_equal(net_parse_end(&t, sizeof t), -ENOENT);
	t.h.nlmsg_len = NLMSG_HDRLEN;
	assert_int_equal(net_parse_end(&t, sizeof t), -EBADMSG);
	t.h.nlmsg_type = NLMSG_DONE;
	assert_int_equal(net_parse_end(&t, sizeof t), 0);
	t.h.nlmsg_type = RTM_NEWLINK;
	assert_int_equal(net_parse_end(&t, sizeof t), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sockets), cmocka_unit_test(links), cmocka_unit_test(addresses), cmocka_unit_test(ends)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
