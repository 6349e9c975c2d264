/* SPDX-License-Identifier: MPL-2.0 */
#include "node/places.h"

#include <stddef.h>

char *const *places_find(const struct ctx *c, struct places *p)
{
	struct cg_host h;
	int n = cg_host_find(c, &h, NULL) < 0 ? 0 : cg_join_paths(&h, CG_PLACE_SUP, "", p->path);

	for (int i = 0; i < n; i++)
		p->join[i] = p->path[i];
	p->join[n < 0 ? 0 : n] = NULL;
	return p->join;
}
