/* SPDX-License-Identifier: MPL-2.0 */
/* What tests that make real cgroups leave behind. */
#ifndef CLOISTER_TESTS_CGROUP_NODE_H
#define CLOISTER_TESTS_CGROUP_NODE_H

#include <stdio.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/cgroup.h"

/* The zone and then the node itself, in every hierarchy; 0, or -1 if some of it stays. */
static inline int cgroup_node_remove(const struct cg_host *h, const char *uuid)
{
	static const int ctl[] = {-1, CG_CPU, CG_MEMORY, CG_PIDS};
	struct err e = ERR_INIT;
	char p[512];

	if (cg_zone_destroy(h, uuid, 5000, &e) < 0)
		fprintf(stderr, "# %s\n", e.msg);
	for (size_t i = 0; i < ARRAY_LEN(ctl); i++) {
		const char *m = ctl[i] < 0 ? h->v2 : h->v1[ctl[i]];

		snprintf(p, sizeof p, "%s/%s/_sup", m, h->root);
		rmdir(p);
		snprintf(p, sizeof p, "%s/%s", m, h->root);
		if (*m && rmdir(p) < 0)
			return -1;
	}
	return 0;
}

#endif
