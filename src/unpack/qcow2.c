/* SPDX-License-Identifier: MPL-2.0 */
#include "unpack/qcow2.h"

#include <errno.h>
#include <string.h>

#define OFFSET   0x00fffffffffffe00ULL
#define COPIED   (1ULL << 63)
#define PACKED   (1ULL << 62)
#define ZERO     1ULL
#define RESERVED 0x7f000000000001ffULL

enum { DIRTY = 1, CORRUPT = 2, EXTERNAL = 4, COMPRESSION = 8, EXTENDED = 16 };

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static int no(const char **why, int code, const char *text)
{
	*why = text;
	return -code;
}

bool qcow2_is(const void *p, size_t n)
{
	return n >= 4 && !memcmp(p, "QFI\xfb", 4);
}

static int features(const uint8_t *p, size_t n, struct qcow2 *q, const char **why)
{
	uint64_t asks = be64(p + 72);
	uint32_t len = be32(p + 100);

	if (len < 104 || len % 8)
		return no(why, EBADMSG, "its header has an impossible length");
	if (asks & EXTERNAL)
		return no(why, ENOTSUP, "its data is in another file");
	if (asks & CORRUPT)
		return no(why, EBADMSG, "it is marked as corrupt");
	if (asks & EXTENDED)
		return no(why, ENOTSUP, "it has extended second-level entries");
	if (asks & ~(uint64_t)(DIRTY | CORRUPT | EXTERNAL | COMPRESSION | EXTENDED))
		return no(why, ENOTSUP, "it has features that are not known here");
	if (asks & COMPRESSION && (len < QCOW2_HEAD || n < QCOW2_HEAD || p[104] != 1))
		return no(why, ENOTSUP, "its clusters are packed in an unknown way");
	q->zstd = asks & COMPRESSION;
	return 0;
}

int qcow2_header(const void *head, size_t n, uint64_t max_bytes, struct qcow2 *q, const char **why)
{
	const uint8_t *p = head;
	uint64_t clusters, need;
	int r;

	*q = (struct qcow2){0};
	if (!qcow2_is(p, n) || n < 104)
		return no(why, EBADMSG, "it ends in its header");
	q->version = be32(p + 4);
	q->cluster_bits = be32(p + 20);
	q->size = be64(p + 24);
	q->l1_entries = be32(p + 36);
	q->l1_at = be64(p + 40);
	if (q->version != 2 && q->version != 3)
		return no(why, ENOTSUP, "it is of a version that is not known here: 2 and 3 are");
	if (be64(p + 8))
		return no(why, ENOTSUP, "it has a backing file: only a whole disk can be imported (qemu-img convert makes one)");
	if (be32(p + 32))
		return no(why, ENOTSUP, "it is encrypted");
	if (q->cluster_bits < 9 || q->cluster_bits > 21)
		return no(why, EBADMSG, "its clusters have an impossible size");
	r = q->version == 3 ? features(p, n, q, why) : 0;
	if (r < 0)
		return r;
	if (q->size == 0)
		return no(why, EBADMSG, "its disk is empty");
	if (q->size > max_bytes)
		return no(why, EFBIG, "its disk is larger than an import may be (--max-size)");
	clusters = ((q->size - 1) >> q->cluster_bits) + 1;
	need = (clusters + (1ULL << (q->cluster_bits - 3)) - 1) >> (q->cluster_bits - 3);
	if (q->l1_entries < need)
		return no(why, EBADMSG, "its first table is too short for its disk");
	if (q->l1_at % (1ULL << q->cluster_bits) || !q->l1_at)
		return no(why, EBADMSG, "its first table lies where none can be");
	q->l1_entries = (uint32_t)need; /* what stands behind that is of no disk */
	return 0;
}

int qcow2_table(const struct qcow2 *q, uint64_t entry, uint64_t file_size, uint64_t *at, const char **why)
{
	*at = entry & OFFSET;
	if (entry & RESERVED || *at % (1ULL << q->cluster_bits))
		return no(why, EBADMSG, "an entry of its first table is damaged");
	if (*at >= file_size && *at)
		return no(why, EBADMSG, "a table lies behind its end");
	return 0;
}

int qcow2_entry(const struct qcow2 *q, uint64_t entry, uint64_t file_size, struct qcow2_cluster *out, const char **why)
{
	uint64_t cluster = 1ULL << q->cluster_bits;
	unsigned bits = 62 - (q->cluster_bits - 8);

	*out = (struct qcow2_cluster){QCOW2_ZERO, 0, cluster};
	if (entry & PACKED) {
		out->kind = QCOW2_PACKED;
		out->at = entry & ((1ULL << bits) - 1);
		out->len = (((entry & ~(COPIED | PACKED)) >> bits) + 1) * 512 - (out->at & 511);
	} else {
		out->at = entry & OFFSET;
		if (entry & RESERVED & ~ZERO || out->at % cluster || (entry & ZERO && q->version < 3))
			return no(why, EBADMSG, "an entry of a table is damaged");
		if (entry & ZERO || !out->at)
			return 0;
		out->kind = QCOW2_PLAIN;
	}
	if (out->at >= file_size)
		return no(why, EBADMSG, "a cluster lies behind its end");
	if (out->len > file_size - out->at)
		out->len = file_size - out->at;
	return 0;
}

size_t qcow2_frame(const void *frame, size_t n)
{
	static const uint8_t dict[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
	const uint8_t *p = frame;
	bool single, last = false;
	size_t at;

	if (n < 6 || memcmp(p, "\x28\xb5\x2f\xfd", 4))
		return 0;
	single = p[4] >> 5 & 1;
	at = 5 + !single + dict[p[4] & 3] + (single && p[4] >> 6 == 0 ? 1 : content[p[4] >> 6]);
	while (!last) {
		uint32_t head;

		if (at > n || n - at < 3)
			return 0;
		head = (uint32_t)p[at] | (uint32_t)p[at + 1] << 8 | (uint32_t)p[at + 2] << 16;
		last = head & 1;
		at += 3 + ((head >> 1 & 3) == 1 ? 1 : head >> 3); /* one byte, repeated; or so many */
	}
	at += p[4] >> 2 & 1 ? 4 : 0;
	return at <= n ? at : 0;
}
