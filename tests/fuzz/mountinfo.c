/* SPDX-License-Identifier: MPL-2.0 */
/* /proc/self/mountinfo: mount points have the names that people gave them; /proc/PID/cgroup: and zones their cgroups. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kern/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), join[CG_JOIN_MAX][256];
	struct cg_host h;
	struct err e = ERR_INIT;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (cg_host_parse(text, &h, &e) == 0) {
		strcpy(h.root, "cloister");
		for (enum cg_place p = CG_PLACE_ZONE; p <= CG_PLACE_SUP; p++)
			if (cg_join_paths(&h, p, "u", join) > CG_JOIN_MAX)
				abort();
	}
	if (cg_text_has(text, "cloister", "u") && !strstr(text, ":/cloister/u"))
		abort();
	free(text);
	return 0;
}
