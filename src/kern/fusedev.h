/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The little of the FUSE protocol that a read-only folder of small files takes, spoken on raw /dev/fuse. The kernel writes
 * the requests; names, sizes and offsets in them are those of whoever reads. Libc only.
 *
 * What is not answered otherwise is answered ENOSYS, after which the kernel asks most things no more: opening and closing
 * take no request at all, and a file is read from the page cache for as long as its attributes are valid.
 */
#ifndef CLOISTER_KERN_FUSEDEV_H
#define CLOISTER_KERN_FUSEDEV_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define FUSEDEV_IN 8192 /* the least that the kernel lets one read */

struct fusedev_ask {
	uint32_t op;
	uint64_t unique, node, offset;
	uint32_t size;    /* READ, READDIR, READDIRPLUS */
	const char *name; /* LOOKUP; in the request */
};

struct fusedev_node {
	uint64_t id;
	const char *name;
	uint32_t mode, uid; /* uid: group too */
	uint64_t size, mtime_ns;
	uint64_t valid_ns; /* of the attributes; the name is for ever */
};

/* Pure. -EPROTO: no request that the kernel would write. */
int fusedev_parse(const void *p, size_t n, struct fusedev_ask *out);
/* Does this request get an answer at all? */
int fusedev_wants_answer(uint32_t op);

/* Each is one write; an answer that nobody waits for any more (ENOENT) is fine. Negative errno. */
int fusedev_fail(int fd, uint64_t unique, int code);
int fusedev_init(int fd, const struct fusedev_ask *a, const void *request, size_t n);
int fusedev_entry(int fd, uint64_t unique, const struct fusedev_node *n);
int fusedev_attr(int fd, uint64_t unique, const struct fusedev_node *n);
int fusedev_data(int fd, uint64_t unique, const void *p, size_t n);
int fusedev_statfs(int fd, uint64_t unique);
/* A text of len bytes as a file's pages, from offset on: behind it newlines, up to the end of the page. */
int fusedev_text(int fd, const struct fusedev_ask *a, const char *text, size_t len);

/* Pure: one entry more of a folder; next: its place. false: it does not fit into max bytes. */
int fusedev_dirent(struct buf *out, size_t max, const struct fusedev_node *n, uint64_t next, int plus);

#endif
