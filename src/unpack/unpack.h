/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-unpack: bytes from outside become a file tree, in a process that can reach nothing else.
 *
 *	descriptor 3  the archive, read once from where it stands to its end
 *	descriptor 4  the folder that becomes the tree; the process chroots into it. Of a disk (--disk) the file that becomes it
 *	descriptor 5  status lines to the caller:
 *	              p BYTES                progress, bytes of the input
 *	              e ERRNO TEXT           why it failed; the last line
 *	              ok ENTRIES BYTES SIZE SHA256
 *
 * It locks itself in before it looks at the first byte. A failure ends the program: the caller drops the tree.
 */
#ifndef CLOISTER_UNPACK_UNPACK_H
#define CLOISTER_UNPACK_UNPACK_H

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { FD_IN = 3, FD_ROOT = 4, FD_STATUS = 5 };
#define ID_LIMIT 65536 /* a zone's ids: 0 to 65535 */

struct inoset {
	uint64_t *slot;
	size_t used, cap; /* cap is a power of two */
};

struct unpack {
	bool layer;       /* OCI layer: whiteouts, and parents may be links inside the tree */
	bool digest;      /* only hash the input */
	bool disk;        /* a machine's disk, not a tree */
	char sha256[65], sha1[41], diff[65]; /* wanted, hex; "" = any */
	int64_t size;     /* wanted, -1 = any */
	uint64_t max_bytes, max_entries;

	/* stream.c */
	struct archive *outer, *inner;
	struct sha256_ctx in256, plain256;
	struct sha1_ctx in1;
	uint64_t in_bytes, plain_bytes, reported;
	uint64_t end_before, end_after; /* where the tar reader stood before and after it saw the end */
	uint8_t head[16]; /* first bytes of the unpacked stream */
	uint8_t chunk[1 << 17];

	/* tree.c */
	char parent[PATH_MAX]; /* path of parent_fd */
	int parent_fd;
	struct inoset made;    /* inodes of this layer */
	struct late {          /* folders: times are set when nothing more goes into them */
		char *path;
		struct timespec mtime;
	} *late;
	size_t nlate, caplate;
	uint64_t entries, bytes;
};

/* main.c */
void fail(int code, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *need(void *p); /* ends the program for NULL */

/* lockin.c: after this the process has the tree, the input and the status pipe, and nothing else. */
void lock_in(const struct unpack *u);

/* stream.c */
void stream_open(struct unpack *u);
/* Reads what is left of the input and compares digests and sizes. hex gets the SHA-256 of the input. */
void stream_finish(struct unpack *u, char hex[65]);

/* What comes out of its filters, of a disk: bytes at *p, 0 = the end. */
la_ssize_t stream_plain(struct unpack *u, const void **p);
/* All of the input, only for its digests. */
void stream_whole(struct unpack *u, char hex[65]);

/* disk.c: instead of a tree. hex as stream_finish() has it. */
void disk_unpack(struct unpack *u, char hex[65]);

/* entry.c */
void entry_unpack(struct unpack *u, struct archive_entry *ae);
/* xattr.c */
void entry_xattrs(int fd, struct archive_entry *ae, const char *path);

#endif
