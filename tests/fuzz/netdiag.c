/* SPDX-License-Identifier: MPL-2.0 */
/* Replies of sock_diag and rtnetlink. The kernel writes them, about sockets, names and addresses that are a zone's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kern/netdiag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1);

	if (!exact)
		abort();
	memcpy(exact, data, size);
	for (int k = NET_TCP; k <= NET_LINK; k++) {
		struct net_item it;

		if (net_parse((enum net_kind)k, exact, size, &it) == 1 && (it.kind != (enum net_kind)k || !memchr(it.name, 0, sizeof it.name)))
			abort();
	}
	free(exact);
	return 0;
}
