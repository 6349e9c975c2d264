/* SPDX-License-Identifier: MPL-2.0 */
/*
 * qcow2, versions 2 and 3 (docs/interop/qcow2 of QEMU), read only, and of one file only: what a disk image of a cloud is. The bytes come from
 * outside: nothing here opens a file or trusts a number, and an image that points to other files is refused.
 */
#ifndef CLOISTER_UNPACK_QCOW2_H
#define CLOISTER_UNPACK_QCOW2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QCOW2_HEAD 112 /* as much of the header as counts */

struct qcow2 {
	unsigned version, cluster_bits;
	uint64_t size;      /* of the disk, bytes */
	uint64_t l1_at;
	uint32_t l1_entries;
	bool zstd;          /* how packed clusters are packed; else raw deflate */
};

bool qcow2_is(const void *p, size_t n);
/* 0, or a negative errno with why: -EBADMSG damaged, -ENOTSUP asks for what we don't do, -EFBIG more than max_bytes. */
int qcow2_header(const void *p, size_t n, uint64_t max_bytes, struct qcow2 *q, const char **why);

/* Where the bytes of one cluster of the disk are. */
enum qcow2_kind { QCOW2_ZERO, QCOW2_PLAIN, QCOW2_PACKED };
struct qcow2_cluster {
	enum qcow2_kind kind;
	uint64_t at, len; /* in the file; of a packed one at most */
};
/* An entry of a second-level table, for a file of file_size bytes. */
int qcow2_entry(const struct qcow2 *q, uint64_t entry, uint64_t file_size, struct qcow2_cluster *out, const char **why);
/* How long the zstd frame at p is (RFC 8878), of the n bytes at most that it may have; 0 = none. What follows it is another cluster's. */
size_t qcow2_frame(const void *p, size_t n);
/* An entry of the first-level table: where the second-level table is, 0 = none. */
int qcow2_table(const struct qcow2 *q, uint64_t entry, uint64_t file_size, uint64_t *at, const char **why);

#endif
