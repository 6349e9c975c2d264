/* SPDX-License-Identifier: MPL-2.0 */
/* DNS: the bytes as a question, by UDP and TCP, and as another server's answer to one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "subnet 10.77.0.0/24\nsubnet6 fd77::/64\ndomain zones.test\nforward 192.0.2.53\nserve dns\n"
				   "zone u 02:08:20:00:00:0a - web,www.one 10.77.0.10,fd77::a\n";
	static const uint8_t asked[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";
	uint8_t *q = malloc(size + 1), *out = malloc(2048);
	char *copy = strdup(text);
	struct dns_question d;
	struct table t;
	size_t n = 0;

	if (!q || !out || !copy || table_parse(copy, sizeof text - 1, &t) != 0)
		abort();
	memcpy(q, data, size);
	for (int udp = 0; udp < 2; udp++)
		switch (dns_answer(&t, q, size, udp, out, 2048, &n, &d)) {
		case DNS_ANSWER:
			if (n < DNS_HEADER || n > (udp ? DNS_LARGE : 2048) || memcmp(out, q, 2))
				abort();
			/* whatever we answer, who asked takes it for an answer */
			if (dns_parse(q, size, &d) == 0 && !dns_matches(q, size, out, n))
				abort();
			break;
		case DNS_FORWARD:
			if (size > DNS_QUERY || dns_refuse(q, size, DNS_SERVFAIL, out) > size)
				abort();
			break;
		case DNS_DROP:
			break;
		}
	dns_matches(asked, sizeof asked - 1, q, size);
	table_free(&t);
	free(q);
	free(out);
	return 0;
}
