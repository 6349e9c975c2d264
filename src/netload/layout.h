/* SPDX-License-Identifier: MPL-2.0 */
/* Whether a pinned map means the same to a new program as to the one that made it. */
#ifndef CLOISTER_NETLOAD_LAYOUT_H
#define CLOISTER_NETLOAD_LAYOUT_H

#include <bpf/libbpf.h>

/* path: the pin. 1 the same, or there is none yet; 0 another; negative errno. */
int layout_same(struct bpf_object *o, struct bpf_map *m, const char *path);

#endif
