/* SPDX-License-Identifier: MPL-2.0 */
/* System calls that a zone has made, as the kernel tells of them: every bit of the arguments is the zone's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kern/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_notif n = {0};
	struct notify_numbers v = {0};
	struct notify_ask a;
	uint8_t *out = malloc(NOTIFY_SYSINFO_MAX);

	if (!out)
		abort();
	memcpy(&n, data, size < sizeof n ? size : sizeof n);
	memcpy(&v, data, size < sizeof v ? size : sizeof v);
	notify_parse(&n, &a);
	if (a.narrow && a.addr > UINT32_MAX)
		abort();
	/* what fits has room for a bit of each processor, and is no odd length */
	for (unsigned cpus = 1; cpus <= 1024; cpus *= 2)
		if (notify_mask_fits(&a, cpus) && ((uint64_t)a.len * 8 < cpus || a.len % 4))
			abort();
	if (notify_sysinfo(&v, a.narrow, out) > NOTIFY_SYSINFO_MAX)
		abort();
	free(out);
	return 0;
}
