/* SPDX-License-Identifier: MPL-2.0 */
/*
 *	descriptor ─ hash ─> outer: decompress, format "raw" ─ hash, count ─> inner: tar
 *
 * Two readers in a row instead of one, so that the plain stream can be hashed (an OCI diff id) and bounded (a
 * small file that unpacks to a huge one), and its end seen: libarchive takes a plain tar that stops between two
 * entries for a whole one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unpack/unpack.h"

static la_ssize_t read_input(struct archive *a, void *arg, const void **p)
{
	struct unpack *u = arg;
	ssize_t n;

	do
		n = read(FD_IN, u->chunk, sizeof u->chunk);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail(errno, "read the archive: %s", strerror(errno));
	*p = u->chunk;
	sha256_update(&u->in256, (size_t)n, u->chunk);
	if (u->sha1[0])
		sha1_update(&u->in1, (size_t)n, u->chunk);
	u->in_bytes += (uint64_t)n;
	if (u->size >= 0 && u->in_bytes > (uint64_t)u->size)
		fail(EBADMSG, "longer than the %lld bytes it should have", (long long)u->size);
	if (u->in_bytes - u->reported >= 1 << 20) {
		u->reported = u->in_bytes;
		say("p %llu", (unsigned long long)u->in_bytes);
	}
	return n;
}

static la_ssize_t read_plain(struct archive *a, void *arg, const void **p)
{
	struct unpack *u = arg;
	la_int64_t off;
	size_t n = 0;
	int r;

	do
		r = archive_read_data_block(u->outer, p, &n, &off);
	while (r == ARCHIVE_OK && n == 0);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN)
		fail(EBADMSG, "%s", archive_error_string(u->outer));
	if (u->plain_bytes < sizeof u->head)
		memcpy(u->head + u->plain_bytes, *p,
		       n < sizeof u->head - u->plain_bytes ? n : sizeof u->head - u->plain_bytes);
	u->plain_bytes += n;
	if (u->plain_bytes > u->max_bytes)
		fail(EFBIG, "unpacks to more than %llu bytes", (unsigned long long)u->max_bytes);
	if (u->diff[0])
		sha256_update(&u->plain256, n, *p);
	return (la_ssize_t)n;
}

la_ssize_t stream_plain(struct unpack *u, const void **p)
{
	return read_plain(NULL, u, p);
}

static bool is_zfs_stream(const uint8_t head[16])
{
	/* drr_type u32, drr_payloadlen u32, drr_magic u64: 0x2F5bacbac in either byte order */
	static const uint8_t le[8] = {0xac, 0xcb, 0xba, 0xf5, 2, 0, 0, 0}, be[8] = {0, 0, 0, 2, 0xf5, 0xba, 0xcb, 0xac};

	return !memcmp(head + 8, le, 8) || !memcmp(head + 8, be, 8);
}

static void open_or_fail(struct unpack *u, struct archive *a, archive_read_callback *cb)
{
	if (archive_read_open(a, u, NULL, cb, NULL) != ARCHIVE_OK) {
		if (is_zfs_stream(u->head))
			fail(ENOTSUP, "it is a zfs send stream");
		fail(EBADMSG, "%s: it has to be a tar archive, as it is or in gzip, bzip2, xz, lzma or zstd (a machine's disk: --type zvol)", archive_error_string(a));
	}
}

static void begin(struct unpack *u)
{
	sha256_init(&u->in256);
	sha256_init(&u->plain256);
	sha1_init(&u->in1);
}

void stream_open(struct unpack *u)
{
	struct archive_entry *ae;
	int r;

	begin(u);
	if (u->digest)
		return;
	u->outer = need(archive_read_new());
	archive_read_support_filter_gzip(u->outer);
	archive_read_support_filter_bzip2(u->outer);
	archive_read_support_filter_xz(u->outer);
	if (!u->disk) /* it is told by no mark, and a disk may begin with anything */
		archive_read_support_filter_lzma(u->outer);
	archive_read_support_filter_zstd(u->outer);
	archive_read_support_format_raw(u->outer);
	archive_read_support_format_empty(u->outer);
	open_or_fail(u, u->outer, read_input);
	r = archive_read_next_header(u->outer, &ae);
	if (r == ARCHIVE_EOF)
		fail(EBADMSG, "%s is empty", u->disk ? "it" : "the archive");
	if (r < ARCHIVE_WARN)
		fail(EBADMSG, "%s", archive_error_string(u->outer));
	if (u->disk)
		return;
	u->inner = need(archive_read_new());
	archive_read_support_format_tar(u->inner);
	open_or_fail(u, u->inner, read_plain);
}

static void to_hex(const uint8_t *d, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", d[i]);
}

static void compare(const char *what, const char *want, const char *got)
{
	if (*want && strcmp(want, got))
		fail(EBADMSG, "%s is %s, should be %s", what, got, want);
}

/* Whether the reader met a block of zeros, the end of a tar, and not merely the end of the bytes. */
static bool has_end(const struct unpack *u)
{
	return u->end_after >= (u->end_before + 511) / 512 * 512 + 512;
}

/* What is left of the input, and whether it is what it should be. */
static void digests(struct unpack *u, char hex[65])
{
	uint8_t d[32];
	char other[65];
	const void *p;

	while (read_input(NULL, u, &p) > 0)
		;
	if (u->size >= 0 && u->in_bytes != (uint64_t)u->size)
		fail(EBADMSG, "%llu bytes, should be %lld: truncated", (unsigned long long)u->in_bytes, (long long)u->size);
	sha256_digest(&u->in256, 32, d);
	to_hex(d, 32, hex);
	compare("sha256", u->sha256, hex);
	if (u->sha1[0]) {
		sha1_digest(&u->in1, 20, d);
		to_hex(d, 20, other);
		compare("sha1", u->sha1, other);
	}
	if (u->diff[0]) {
		sha256_digest(&u->plain256, 32, d);
		to_hex(d, 32, other);
		compare("sha256 of the unpacked layer", u->diff, other);
	}
}

void stream_finish(struct unpack *u, char hex[65])
{
	const void *p;

	if (!u->digest)
		while (read_plain(NULL, u, &p) > 0)
			;
	digests(u, hex);
	if (!u->digest && !u->disk && !u->sha256[0] && !u->sha1[0] && !has_end(u))
		fail(EBADMSG, "the archive has no end: truncated");
}

void stream_whole(struct unpack *u, char hex[65])
{
	begin(u);
	digests(u, hex);
}
