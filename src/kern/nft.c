/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/nft.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/own.h"

#define LIMIT_S 5

int nft_has_table(const char *name, struct err *e)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
		struct nlattr a;
		char name[NFT_TABLE_MAXNAMELEN];
	} q = {.g = {.nfgen_family = NFPROTO_INET}, .a = {.nla_type = NFTA_TABLE_NAME}};
	union {
		struct nlmsghdr h;
		char bytes[1024];
	} a;
	_fd_ int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct timeval limit = {.tv_sec = LIMIT_S};
	size_t n = strlen(name) + 1;
	ssize_t got;
	int err;

	if (s < 0)
		return err_sys(e, errno, "nfnetlink socket");
	if (n > sizeof q.name)
		return err_set(e, EINVAL, "nftables: a name of %zu bytes", n);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	memcpy(q.name, name, n);
	q.a.nla_len = (uint16_t)(NLA_HDRLEN + n);
	q.h = (struct nlmsghdr){.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof q.g) + NLA_ALIGN(q.a.nla_len)),
				.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
				.nlmsg_flags = NLM_F_REQUEST};
	if (send(s, &q, q.h.nlmsg_len, 0) < 0)
		return err_sys(e, errno, "ask nftables");
	got = recv(s, &a, sizeof a, 0);
	if (got < (ssize_t)NLMSG_LENGTH(sizeof err))
		return err_sys(e, got < 0 ? errno : EPROTO, "answer of nftables");
	if (a.h.nlmsg_type != NLMSG_ERROR)
		return 1;
	memcpy(&err, NLMSG_DATA(&a.h), sizeof err);
	return err == -ENOENT ? 0 : err_sys(e, err ? err : EPROTO, "answer of nftables");
}
