/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/tc.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>

#include "kern/nlreq.h"

#define HANDLE 1
#define PRIO   1

int tc_join(int s, int index, uint32_t block, struct err *e)
{
	struct nlreq m;
	struct tcmsg *t = nlreq_begin(&m, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, sizeof *t);
	int r;

	t->tcm_ifindex = index;
	t->tcm_parent = TC_H_CLSACT;
	t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	nlreq_text(&m, TCA_KIND, "clsact");
	nlreq_u32(&m, TCA_INGRESS_BLOCK, block);
	r = nlreq_send(s, &m, NULL, NULL);
	return r < 0 ? err_sys(e, r, "clsact at interface %d", index) : 0;
}

int tc_program(int s, uint32_t block, int prog, const char *name, struct err *e)
{
	struct nlreq m;
	struct tcmsg *t = nlreq_begin(&m, RTM_NEWTFILTER, NLM_F_CREATE, sizeof *t);
	struct rtattr *options;
	int r;

	t->tcm_ifindex = (int)TCM_IFINDEX_MAGIC_BLOCK;
	t->tcm_block_index = block;
	t->tcm_handle = HANDLE;
	t->tcm_info = TC_H_MAKE(PRIO << 16, htons(ETH_P_ALL));
	nlreq_text(&m, TCA_KIND, "bpf");
	options = nlreq_nest(&m, TCA_OPTIONS);
	nlreq_u32(&m, TCA_BPF_FD, (uint32_t)prog);
	nlreq_text(&m, TCA_BPF_NAME, name);
	nlreq_u32(&m, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	nlreq_end(&m, options);
	r = nlreq_send(s, &m, NULL, NULL);
	return r < 0 ? err_sys(e, r, "the program %s as a clsact filter", name) : 0;
}
