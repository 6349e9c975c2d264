/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bytes from outside become a machine's disk: raw as they are, packed raw, or qcow2. Descriptor 4 is the file that becomes it, empty;
 * what is zero is not written there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unpack/qcow2.h"
#include "unpack/unpack.h"

static bool all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void put(const uint8_t *p, size_t n, uint64_t at)
{
	while (n > 0) {
		size_t k = n < 65536 ? n : 65536;
		ssize_t w = all_zero(p, k) ? (ssize_t)k : pwrite(FD_ROOT, p, k, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			fail(w < 0 ? errno : ENOSPC, "write the disk: %s", strerror(w < 0 ? errno : ENOSPC));
		p += w;
		n -= (size_t)w;
		at += (uint64_t)w;
	}
}

/* As much as there is, from there; 0 past the end. */
static size_t get(uint8_t *p, size_t n, uint64_t at)
{
	size_t have = 0;

	while (have < n) {
		ssize_t k = pread(FD_IN, p + have, n - have, (off_t)(at + have));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			fail(errno, "read the disk: %s", strerror(errno));
		if (k == 0)
			break;
		have += (size_t)k;
	}
	return have;
}

/* ---- raw, and what is packed raw ---- */

static const char *other_format(const uint8_t *p)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *name;
	} known[] = {{"KDMV", 4, "VMDK"}, {"conectix", 8, "VHD"}, {"vhdxfile", 8, "VHDX"}, {"QFI\xfb", 4, "qcow2"}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!memcmp(p, known[i].magic, known[i].len))
			return known[i].name;
	return NULL;
}

/* As it comes: through libarchive, for which a file that is not packed is one that no filter bids for. */
static void plain(struct unpack *u)
{
	const char *other;
	const void *p;
	la_ssize_t n;

	while ((n = stream_plain(u, &p)) > 0) {
		uint64_t at = u->plain_bytes - (uint64_t)n;

		other = at == 0 ? other_format(u->head) : NULL;
		if (other)
			fail(ENOTSUP, "it is %s%s: a disk is raw, as it is or packed (gzip, bzip2, xz, zstd), or qcow2 in a file that is not packed",
			     u->head[0] == 'Q' ? "a pipe's or a packed " : "", other);
		put(p, (size_t)n, at);
	}
	u->bytes = u->plain_bytes;
}

static bool is_packed(const uint8_t *p, size_t n)
{
	static const struct {
		const char *magic;
		size_t len;
	} known[] = {{"\x1f\x8b", 2}, {"\xfd""7zXZ", 5}, {"\x28\xb5\x2f\xfd", 4}, {"BZh", 3}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (n >= known[i].len && !memcmp(p, known[i].magic, known[i].len))
			return true;
	return false;
}

/* A file of which nobody wants to know the digest: its holes are not read. */
static void raw_file(struct unpack *u, uint64_t size)
{
	if (size > u->max_bytes)
		fail(EFBIG, "larger than an import may be: %llu bytes (--max-size)", (unsigned long long)u->max_bytes);
	for (uint64_t at = 0; at < size;) {
		off_t data = lseek(FD_IN, (off_t)at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		data = data < 0 ? (off_t)at : data; /* a file system that has no holes to tell of */
		hole = lseek(FD_IN, data, SEEK_HOLE);
		hole = hole <= data ? (off_t)size : hole;
		for (at = (uint64_t)data; at < (uint64_t)hole;) {
			size_t n = sizeof u->chunk < (uint64_t)hole - at ? sizeof u->chunk : (size_t)((uint64_t)hole - at);

			n = get(u->chunk, n, at);
			if (n == 0)
				fail(EIO, "it ends before its end: it was cut while it was read");
			put(u->chunk, n, at);
			at += n;
			if (at - u->reported >= 1 << 22)
				say("p %llu", (unsigned long long)(u->reported = at));
		}
	}
	u->bytes = u->in_bytes = size;
}

/* ---- qcow2 ---- */

/* Raw deflate is a gzip member without its head, and a cluster is full before the tail would be looked for. */
static const uint8_t gzip_head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};

struct packed {
	const uint8_t *part[2];
	size_t len[2];
	unsigned next;
};

static la_ssize_t read_packed(struct archive *a, void *arg, const void **p)
{
	struct packed *k = arg;

	if (k->next > 1)
		return 0;
	*p = k->part[k->next];
	return (la_ssize_t)k->len[k->next++];
}

static void unpack_cluster(bool zstd, const uint8_t *in, size_t n, uint8_t *out, size_t size)
{
	struct packed k = {{gzip_head, in}, {sizeof gzip_head, zstd ? qcow2_frame(in, n) : n}, zstd ? 1 : 0};
	struct archive *a = need(archive_read_new());
	struct archive_entry *ae;
	size_t have = 0;

	if (zstd)
		archive_read_support_filter_zstd(a);
	else
		archive_read_support_filter_gzip(a);
	archive_read_support_format_raw(a);
	if (archive_read_open(a, &k, NULL, read_packed, NULL) != ARCHIVE_OK || archive_read_next_header(a, &ae) != ARCHIVE_OK ||
	    archive_filter_count(a) != 2)
		fail(EBADMSG, "a packed cluster of it is damaged");
	while (have < size) {
		la_ssize_t r = archive_read_data(a, out + have, size - have);

		if (r <= 0)
			fail(EBADMSG, "a packed cluster of it is damaged");
		have += (size_t)r;
	}
	archive_read_free(a);
}

static uint64_t be64_at(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

struct qreader {
	struct qcow2 q;
	uint64_t file_size;
	uint8_t *table, *data, *packed;
};

static void qcow2_fill_cluster(struct qreader *r, const struct qcow2_cluster *k, uint64_t at)
{
	size_t cluster = (size_t)1 << r->q.cluster_bits, n = cluster;

	if (r->q.size - at < n)
		n = (size_t)(r->q.size - at);
	if (k->kind == QCOW2_ZERO)
		return;
	if (k->kind == QCOW2_PLAIN) {
		size_t have = get(r->data, cluster, k->at);

		memset(r->data + have, 0, cluster - have);
	} else {
		size_t have = get(r->packed, (size_t)k->len, k->at);

		unpack_cluster(r->q.zstd, r->packed, have, r->data, cluster);
	}
	put(r->data, n, at);
}

static void qcow2(struct unpack *u)
{
	struct qreader r = {.file_size = u->in_bytes};
	uint8_t head[QCOW2_HEAD];
	const char *why = "";
	size_t cluster, entries, n = get(head, sizeof head, 0);
	int rc = qcow2_header(head, n, u->max_bytes, &r.q, &why);

	if (rc < 0)
		fail(-rc, "a qcow2 disk: %s", why);
	cluster = (size_t)1 << r.q.cluster_bits;
	entries = cluster / 8;
	r.table = need(malloc(cluster));
	r.data = need(malloc(cluster));
	r.packed = need(malloc(cluster * 2 + 512)); /* what the length of a packed one can say at most */
	for (uint64_t i = 0; i < r.q.l1_entries; i++) {
		uint64_t table, at = i * entries << r.q.cluster_bits;
		uint8_t e[8];

		if (get(e, 8, r.q.l1_at + i * 8) != 8)
			fail(EBADMSG, "a qcow2 disk: it ends in its first table");
		rc = qcow2_table(&r.q, be64_at(e), r.file_size, &table, &why);
		if (rc == 0 && table) {
			size_t have = get(r.table, cluster, table);

			memset(r.table + have, 0, cluster - have);
		}
		for (size_t k = 0; rc == 0 && table && k < entries && at < r.q.size; k++, at += cluster) {
			struct qcow2_cluster c;

			rc = qcow2_entry(&r.q, be64_at(r.table + k * 8), r.file_size, &c, &why);
			if (rc == 0)
				qcow2_fill_cluster(&r, &c, at);
		}
		if (rc < 0)
			fail(-rc, "a qcow2 disk: %s", why);
		say("p %llu", (unsigned long long)(u->in_bytes / (r.q.l1_entries + 1) * (i + 1)));
	}
	u->bytes = r.q.size;
}

void disk_unpack(struct unpack *u, char hex[65])
{
	uint8_t head[QCOW2_HEAD] = {0};
	bool whole;
	off_t size;
	ssize_t n;

	/* a pipe has no beginning to go back to: what it brings is looked at as it comes */
	whole = lseek(FD_IN, 0, SEEK_CUR) == 0;
	n = whole ? pread(FD_IN, head, sizeof head, 0) : 0;
	if (n >= 4 && qcow2_is(head, (size_t)n)) {
		stream_whole(u, hex);
		qcow2(u);
		return;
	}
	if (n > 0 && !is_packed(head, (size_t)n) && !other_format(head) && u->size < 0 && !u->sha256[0] && !u->sha1[0]) {
		size = lseek(FD_IN, 0, SEEK_END); /* of a block device too */
		if (size < 0)
			fail(errno, "the disk: %s", strerror(errno));
		raw_file(u, (uint64_t)size);
		memset(hex, '0', 64);
		hex[64] = 0;
		return;
	}
	stream_open(u);
	plain(u);
	stream_finish(u, hex);
}
