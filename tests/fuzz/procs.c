/* SPDX-License-Identifier: MPL-2.0 */
/* What a zone's processes write into /proc: names, arguments, mounts. Also the texts that the kernel makes around them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/safe.h"
#include "kern/mountmap.h"
#include "kern/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1);
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct proc_stat st;
	struct proc_ids ids;
	struct mountmap map;

	if (!exact)
		abort();
	memcpy(exact, data, size);
	safe_add(&a, exact, size);
	safe_add_args(&b, exact, size);
	for (size_t i = 0; i < a.len; i++)
		if ((unsigned char)a.p[i] < 0x20 || a.p[i] == 0x7f)
			abort();
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.p[i] < 0x20 || b.p[i] == 0x7f)
			abort();
	if (a.len > 4 * size || b.len > 4 * size)
		abort();
	if (proc_text_stat(exact, size, &st) == 0 && st.comm_len > sizeof st.comm)
		abort();
	if (proc_text_status(exact, size, &ids) == 0 && ids.zone_pid < 0)
		abort();
	mountmap_parse(exact, size, &map);
	for (size_t i = 0; i < map.n; i++) {
		const char *rest = mountmap_below(&map.m[i], map.m[i].point);
		char *host = rest ? mountmap_host(&map, &map.m[i], rest) : NULL;

		if (mountmap_find(&map, map.m[i].id) == NULL || (host && *host != '/'))
			abort();
		free(host);
	}
	mountmap_done(&map);
	buf_done(&a);
	buf_done(&b);
	free(exact);
	return 0;
}
