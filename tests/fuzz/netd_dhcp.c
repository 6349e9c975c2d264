/* SPDX-License-Identifier: MPL-2.0 */
/* DHCP and DHCPv6 as a zone may send them: no answer is longer than its buffer, nor goes to another card than asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "server 10.77.0.1\nsubnet 10.77.0.0/24\nsubnet6 fd77::/64\nrouter 10.77.0.1\ndomain zones.test\ndns 10.77.0.1\n"
				   "dns fd77::1\nserve dhcp\nserve ra\nzone u 02:08:20:00:00:0a 10.77.0.10 web 10.77.0.10\n";
	static const uint8_t mac[6] = {2, 8, 0x20, 0, 0, 1};
	uint8_t *q = malloc(size ? size : 1), *out = malloc(DHCP_MAX), *frame = malloc(DHCP_HEADERS + DHCP_MAX);
	char *copy = strdup(text);
	struct dhcp_to to;
	struct table t;
	size_t n;

	if (!q || !out || !frame || !copy || table_parse(copy, sizeof text - 1, &t) != 0)
		abort();
	memcpy(q, data, size);
	n = dhcp_answer(&t, q, size, out, &to);
	if (n > DHCP_MAX - 28 || (n && memcmp(to.mac, "\2\10\40\0\0\12", 6)))
		abort();
	if (n)
		dhcp_frame(&t, mac, &to, out, n, frame);
	if (dhcp6_answer(&t, mac, q, size, out) > DHCP_MAX)
		abort();
	table_free(&t);
	free(q);
	free(out);
	free(frame);
	return 0;
}
