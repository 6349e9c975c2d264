/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_SUBID_H
#define CLOISTER_NODE_SUBID_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The ranges of 65536 host ids that somebody else on this machine uses: /etc/subuid, /etc/subgid (podman, LXD) and
 * passwd, group. Returned as multiples of 65536, free().
 */
int subid_in_use(uint32_t **skip, size_t *n, struct err *e);

#endif
