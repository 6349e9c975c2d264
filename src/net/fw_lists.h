/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which list of rules is a zone's. A write to the map of lists waits for every program that runs, a write of which one a zone has doesn't: so some
 * lists are ready there, and a zone that comes takes one. The switch's lock is held throughout, but for fw_warm.c.
 */
#ifndef CLOISTER_NET_FW_LISTS_H
#define CLOISTER_NET_FW_LISTS_H

#include <stddef.h>

#include "bpf/switch.h"
#include "net/fw.h"

/* fw_flat.c. The head, inbound, outbound; the caller's to free. *n: how many elements. */
int fw_flat(const struct fw_list *l, struct sw_rule **out, uint32_t *n, struct err *e);

struct fw_spare {
	uint32_t at[SW_SPARE_LIST + SW_SPARES]; /* SW_SPARE_* */
};
int fw_spare_read(struct net_switch *s, struct fw_spare *p, struct err *e);
int fw_spare_set(struct net_switch *s, uint32_t i, uint32_t value, struct err *e);

/* A descriptor of the list that a zone has; -ENOENT. */
int fw_list_open(struct net_switch *s, uint32_t zone, struct err *e);
/* 1: it has one; 0: none. */
int fw_list_has(struct net_switch *s, uint32_t zone, struct err *e);
/* n lists that are ready are the caller's, to fill and to give: 1; 0: there are fewer, and nothing was taken. */
int fw_list_take(struct net_switch *s, uint32_t *number, size_t n, struct err *e);
/* n numbers for lists that the caller makes. */
int fw_list_numbers(struct net_switch *s, uint32_t *number, size_t n, struct err *e);
/* From now on these lists are these zones', each by one write; left: so many of them had another. */
int fw_list_give(struct net_switch *s, const uint32_t *zone, const uint32_t *number, size_t n, size_t left, struct err *e);
/* It has none any more. 0, also if it had none. */
int fw_list_leave(struct net_switch *s, uint32_t zone, struct err *e);

#endif
