/* SPDX-License-Identifier: MPL-2.0 */
/*
 * bpf(2) by hand: what the way of a zone needs of it, on programs and maps that others have loaded and pinned. Loading,
 * which needs libbpf and its relocations, is a program of its own (netload). Linux 6.6 for tcx, else a clsact filter.
 */
#ifndef CLOISTER_KERN_BPF_H
#define CLOISTER_KERN_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A descriptor of what is pinned as dir/name. */
int bpf_open(const char *dir, const char *name, struct err *e);
/* Pins it as dir/name, in place of what was there before. */
int bpf_pin(int fd, const char *dir, const char *name, struct err *e);

/* A map's element, made or replaced. value: as large as the map's (per-processor maps: one for each of bpf_cpus(), each rounded up to 8 bytes). */
int bpf_put(int map, const void *key, const void *value, struct err *e);
/* 0 or -ENOENT. value as above. */
int bpf_get(int map, const void *key, void *value, struct err *e);
/* 0, also if it was not there. */
int bpf_del(int map, const void *key, struct err *e);
/* The key after `key` (NULL: the first): 1, or 0 at the end. */
int bpf_next(int map, const void *key, void *next, struct err *e);
/*
 * Many of a hash's elements in one call: at most *n, then as many as there were. *place is where to go on; first begins. 1, or 0 at the
 * end. -ENOSPC: *n is less than what one bucket has.
 */
int bpf_batch(int map, void *keys, void *values, uint32_t *n, uint32_t *place, bool first, struct err *e);
/* Many elements in one call, each made or replaced; the first that fails ends it. Values of a map of maps: descriptors. */
int bpf_put_all(int map, const void *keys, const void *values, uint32_t n, struct err *e);
/* Many elements away in one call; the first that is not there ends it with -ENOENT. */
int bpf_del_all(int map, const void *keys, uint32_t n, struct err *e);
/* A map like those that a map of arrays was made for, of n elements: a descriptor. */
int bpf_array(uint32_t value_size, uint32_t n, struct err *e);
/* A ring buffer of so many bytes: a descriptor. */
int bpf_ring(uint32_t size, struct err *e);
/* How many elements a map has room for; of a ring buffer: bytes. */
int bpf_room(int map, uint32_t *room, struct err *e);
/* A map's number, by which who sees no bpffs opens it as long as somebody holds it. */
int bpf_id(int map, uint32_t *id, struct err *e);
int bpf_by_id(uint32_t id, struct err *e);
/* A descriptor of the map that is this element of a map of maps. -ENOENT. */
int bpf_inner(int map, const void *key, struct err *e);
/* Possible processors: how many values an element of a per-processor map has. */
int bpf_cpus(void);

/*
 * Runs prog on what arrives at interface ifindex of the caller's network namespace; the descriptor is that of the link, which
 * ends with its last descriptor or pin, or with the interface. -EOPNOTSUPP: this kernel has no tcx.
 */
int bpf_attach_tcx(int prog, int ifindex, struct err *e);
/* BPF_PROG_TEST_RUN: what the program did with this frame as if it had come from interface ifindex, which is there, with this mark. out may be NULL. */
int bpf_try(int prog, const void *frame, size_t n, uint32_t ifindex, uint32_t mark, void *out, size_t *nout, struct err *e);

#endif
