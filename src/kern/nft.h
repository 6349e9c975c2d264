/* SPDX-License-Identifier: MPL-2.0 */
/* What is there of nftables, in the caller's network namespace: one question by netlink, where running nft costs milliseconds. */
#ifndef CLOISTER_KERN_NFT_H
#define CLOISTER_KERN_NFT_H

#include "base/err.h"

/* Whether there is a table of that name for inet: 1, 0; -EOPNOTSUPP and others: this kernel doesn't say. */
int nft_has_table(const char *name, struct err *e);

#endif
