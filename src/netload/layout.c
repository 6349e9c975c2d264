/* SPDX-License-Identifier: MPL-2.0 */
/*
 * libbpf compares the sizes of a pinned map with those of the object's. Two structs of one size may still differ in what is where, and the new
 * program would read the old one's addresses as flags: so the types are compared too, which the kernel keeps with the map.
 */
#include "layout.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEPTH 16 /* of types in types: ours have four */

static int same(const struct btf *a, unsigned ia, const struct btf *b, unsigned ib, int depth);

/* Names of types are for people; of members they say what the member means. */
static int same_members(const struct btf *a, const struct btf_type *ta, const struct btf *b, const struct btf_type *tb, int depth)
{
	const struct btf_member *ma = btf_members(ta), *mb = btf_members(tb);

	if (btf_vlen(ta) != btf_vlen(tb))
		return 0;
	for (unsigned i = 0; i < btf_vlen(ta); i++) {
		if (ma[i].offset != mb[i].offset || strcmp(btf__name_by_offset(a, ma[i].name_off), btf__name_by_offset(b, mb[i].name_off)) != 0)
			return 0;
		if (!same(a, ma[i].type, b, mb[i].type, depth - 1))
			return 0;
	}
	return 1;
}

static unsigned plain(const struct btf *t, unsigned id)
{
	const struct btf_type *x;

	while ((x = btf__type_by_id(t, id)) && (btf_is_mod(x) || btf_is_typedef(x)))
		id = x->type;
	return id;
}

static int same(const struct btf *a, unsigned ia, const struct btf *b, unsigned ib, int depth)
{
	const struct btf_type *ta, *tb;

	ia = plain(a, ia);
	ib = plain(b, ib);
	ta = btf__type_by_id(a, ia);
	tb = btf__type_by_id(b, ib);
	if (!ta || !tb || depth == 0 || btf_kind(ta) != btf_kind(tb))
		return 0;
	if (btf_is_array(ta))
		return btf_array(ta)->nelems == btf_array(tb)->nelems && same(a, btf_array(ta)->type, b, btf_array(tb)->type, depth - 1);
	if (ta->size != tb->size)
		return 0;
	return btf_is_composite(ta) ? same_members(a, ta, b, tb, depth) : 1;
}

int layout_same(struct bpf_object *o, struct bpf_map *m, const char *path)
{
	unsigned key = bpf_map__btf_key_type_id(m), value = bpf_map__btf_value_type_id(m);
	struct bpf_map_info info = {0};
	__u32 n = sizeof info;
	struct btf *old;
	int fd = bpf_obj_get(path), r;

	if (fd < 0)
		return fd == -ENOENT ? 1 : fd;
	r = bpf_obj_get_info_by_fd(fd, &info, &n);
	close(fd);
	if (r < 0)
		return r;
	if (info.type != bpf_map__type(m) || info.key_size != bpf_map__key_size(m) || info.value_size != bpf_map__value_size(m) ||
	    info.map_flags != bpf_map__map_flags(m) || (bpf_map__max_entries(m) && info.max_entries != bpf_map__max_entries(m)))
		return 0;
	/* of a map of maps neither has any */
	if (!info.btf_id || !info.btf_value_type_id || !value)
		return 1;
	old = btf__load_from_kernel_by_id(info.btf_id);
	if (!old)
		return -errno;
	r = same(old, info.btf_key_type_id, bpf_object__btf(o), key, DEPTH) && same(old, info.btf_value_type_id, bpf_object__btf(o), value, DEPTH);
	btf__free(old);
	return r;
}
