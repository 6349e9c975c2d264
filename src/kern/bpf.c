/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/cpulist.h"

/* Debian 12's headers know no tcx (Linux 6.6). */
#define TCX_INGRESS 46

/* The tail that the kernel does not know must be zero, and what it does not need is not told. */
static int call(int cmd, union bpf_attr *a, size_t n)
{
	long r = syscall(SYS_bpf, cmd, a, n);

	return r < 0 ? -errno : (int)r;
}

static int path_of(char path[4096], const char *dir, const char *name, struct err *e)
{
	if (snprintf(path, 4096, "%s/%s", dir, name) >= 4096)
		return err_set(e, ENAMETOOLONG, "%s/%s", dir, name);
	return 0;
}

int bpf_open(const char *dir, const char *name, struct err *e)
{
	union bpf_attr a = {0};
	char path[4096];
	int r = path_of(path, dir, name, e);

	if (r < 0)
		return r;
	a.pathname = (uintptr_t)path;
	r = call(BPF_OBJ_GET, &a, sizeof a);
	return r < 0 ? err_sys(e, r, "%s", path) : r;
}

int bpf_pin(int fd, const char *dir, const char *name, struct err *e)
{
	union bpf_attr a = {0};
	char path[4096], fresh[4096];
	int r = path_of(path, dir, name, e);

	if (r == 0 && snprintf(fresh, sizeof fresh, "%s-new", path) >= (int)sizeof fresh)
		r = err_set(e, ENAMETOOLONG, "%s", path);
	if (r < 0)
		return r;
	unlink(fresh);
	a.pathname = (uintptr_t)fresh;
	a.bpf_fd = (uint32_t)fd;
	r = call(BPF_OBJ_PIN, &a, sizeof a);
	if (r < 0)
		return err_sys(e, r, "pin %s", path);
	if (rename(fresh, path) < 0) {
		r = err_sys(e, errno, "pin %s", path);
		unlink(fresh);
	}
	return r;
}

int bpf_put(int map, const void *key, const void *value, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.map_fd = (uint32_t)map;
	a.key = (uintptr_t)key;
	a.value = (uintptr_t)value;
	a.flags = BPF_ANY;
	r = call(BPF_MAP_UPDATE_ELEM, &a, sizeof a);
	return r < 0 ? err_sys(e, r, "write an element of a BPF map") : 0;
}

int bpf_get(int map, const void *key, void *value, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.map_fd = (uint32_t)map;
	a.key = (uintptr_t)key;
	a.value = (uintptr_t)value;
	r = call(BPF_MAP_LOOKUP_ELEM, &a, sizeof a);
	return r < 0 ? err_sys(e, r, "read an element of a BPF map") : 0;
}

int bpf_del(int map, const void *key, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.map_fd = (uint32_t)map;
	a.key = (uintptr_t)key;
	r = call(BPF_MAP_DELETE_ELEM, &a, sizeof a);
	return r < 0 && r != -ENOENT ? err_sys(e, r, "remove an element of a BPF map") : 0;
}

int bpf_next(int map, const void *key, void *next, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.map_fd = (uint32_t)map;
	a.key = (uintptr_t)key;
	a.next_key = (uintptr_t)next;
	r = call(BPF_MAP_GET_NEXT_KEY, &a, sizeof a);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_sys(e, r, "walk a BPF map") : 1;
}

int bpf_batch(int map, void *keys, void *values, uint32_t *n, uint32_t *place, bool first, struct err *e)
{
	union bpf_attr a = {0};
	uint32_t in = *place;
	int r;

	a.batch.in_batch = first ? 0 : (uintptr_t)&in;
	a.batch.out_batch = (uintptr_t)place;
	a.batch.keys = (uintptr_t)keys;
	a.batch.values = (uintptr_t)values;
	a.batch.count = *n;
	a.batch.map_fd = (uint32_t)map;
	r = call(BPF_MAP_LOOKUP_BATCH, &a, sizeof a);
	if (r < 0 && r != -ENOENT)
		return err_sys(e, r, "read a BPF map");
	*n = a.batch.count;
	return r == 0;
}

int bpf_put_all(int map, const void *keys, const void *values, uint32_t n, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.batch.keys = (uintptr_t)keys;
	a.batch.values = (uintptr_t)values;
	a.batch.count = n;
	a.batch.map_fd = (uint32_t)map;
	r = n ? call(BPF_MAP_UPDATE_BATCH, &a, sizeof a) : 0;
	return r < 0 ? err_sys(e, r, "write elements of a BPF map") : 0;
}

int bpf_del_all(int map, const void *keys, uint32_t n, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.batch.keys = (uintptr_t)keys;
	a.batch.count = n;
	a.batch.map_fd = (uint32_t)map;
	r = n ? call(BPF_MAP_DELETE_BATCH, &a, sizeof a) : 0;
	return r < 0 ? err_sys(e, r, "remove elements of a BPF map") : 0;
}

int bpf_array(uint32_t value_size, uint32_t n, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.map_type = BPF_MAP_TYPE_ARRAY;
	a.key_size = sizeof(uint32_t);
	a.value_size = value_size;
	a.max_entries = n;
	a.map_flags = BPF_F_INNER_MAP;
	r = call(BPF_MAP_CREATE, &a, sizeof a);
	return r < 0 ? err_sys(e, r, "make a BPF map of %u elements", n) : r;
}

int bpf_ring(uint32_t size, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.map_type = BPF_MAP_TYPE_RINGBUF;
	a.max_entries = size;
	r = call(BPF_MAP_CREATE, &a, sizeof a);
	return r < 0 ? err_sys(e, r, "make a BPF ring of %u bytes", size) : r;
}

static int look(int map, struct bpf_map_info *info, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.info.bpf_fd = (uint32_t)map;
	a.info.info = (uintptr_t)info;
	a.info.info_len = sizeof *info;
	r = call(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof a);
	return r < 0 ? err_sys(e, r, "look at a BPF map") : 0;
}

int bpf_room(int map, uint32_t *room, struct err *e)
{
	struct bpf_map_info info = {0};
	int r = look(map, &info, e);

	if (r == 0)
		*room = info.max_entries;
	return r;
}

int bpf_id(int map, uint32_t *id, struct err *e)
{
	struct bpf_map_info info = {0};
	int r = look(map, &info, e);

	if (r == 0)
		*id = info.id;
	return r;
}

int bpf_by_id(uint32_t id, struct err *e)
{
	union bpf_attr a = {0};
	int r;

	a.map_id = id;
	r = call(BPF_MAP_GET_FD_BY_ID, &a, sizeof a);
	return r < 0 ? err_sys(e, r, "open BPF map %u", id) : r;
}

int bpf_inner(int map, const void *key, struct err *e)
{
	uint32_t id;
	int r = bpf_get(map, key, &id, e);

	return r < 0 ? r : bpf_by_id(id, e);
}

int bpf_cpus(void)
{
	_buf_ struct buf b = BUF_INIT;
	struct cpus c;

	if (file_read(AT_FDCWD, "/sys/devices/system/cpu/possible", CPUS_TEXT, &b, NULL) < 0 || cpus_parse(buf_str(&b), &c) < 0)
		return (int)sysconf(_SC_NPROCESSORS_CONF);
	for (unsigned i = CPUS_MAX; i > 0; i--) /* values are numbered without gaps */
		if (cpus_has(&c, i - 1))
			return (int)i;
	return 1;
}

int bpf_attach_tcx(int prog, int ifindex, struct err *e)
{
	/* the kernel's own layout from 6.6 on: descriptor, interface, kind, flags, then what orders several programs */
	struct {
		uint32_t prog, target, type, flags, relative, pad;
		uint64_t revision;
	} a = {.prog = (uint32_t)prog, .target = (uint32_t)ifindex, .type = TCX_INGRESS};
	long r = syscall(SYS_bpf, BPF_LINK_CREATE, &a, sizeof a);

	if (r >= 0)
		return (int)r;
	/* an older kernel does not know the kind */
	return err_sys(e, errno == EINVAL ? EOPNOTSUPP : errno, "attach the switch's program to interface %d", ifindex);
}

int bpf_try(int prog, const void *frame, size_t n, uint32_t ifindex, uint32_t mark, void *out, size_t *nout, struct err *e)
{
	union bpf_attr a = {0};
	struct __sk_buff skb = {.ifindex = ifindex, .mark = mark};
	int r;

	a.test.prog_fd = (uint32_t)prog;
	a.test.data_in = (uintptr_t)frame;
	a.test.data_size_in = (uint32_t)n;
	a.test.data_out = (uintptr_t)out;
	a.test.data_size_out = nout ? (uint32_t)*nout : 0;
	a.test.ctx_in = (uintptr_t)&skb;
	a.test.ctx_size_in = sizeof skb;
	a.test.repeat = 1;
	r = call(BPF_PROG_TEST_RUN, &a, sizeof a);
	if (r < 0)
		return err_sys(e, r, "try a BPF program");
	if (nout)
		*nout = a.test.data_size_out;
	return (int)a.test.retval;
}
