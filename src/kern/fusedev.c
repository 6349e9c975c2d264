/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/fusedev.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/own.h"

#define PAGE 4096
#define EVER (1ULL << 31) /* seconds */

static const char newlines[PAGE] = {[0 ... PAGE - 1] = '\n'};

int fusedev_parse(const void *p, size_t n, struct fusedev_ask *out)
{
	struct fuse_in_header h;
	const char *body = (const char *)p + sizeof h;
	size_t left;

	if (n < sizeof h)
		return -EPROTO;
	memcpy(&h, p, sizeof h);
	if (h.len < sizeof h || h.len > n)
		return -EPROTO;
	left = h.len - sizeof h;
	*out = (struct fusedev_ask){.op = h.opcode, .unique = h.unique, .node = h.nodeid};
	if (h.opcode == FUSE_LOOKUP) {
		if (!memchr(body, 0, left))
			return -EPROTO;
		out->name = body;
	} else if (h.opcode == FUSE_READ || h.opcode == FUSE_READDIR || h.opcode == FUSE_READDIRPLUS) {
		struct fuse_read_in r;

		if (left < sizeof r)
			return -EPROTO;
		memcpy(&r, body, sizeof r);
		out->offset = r.offset;
		out->size = r.size;
	}
	return 0;
}

int fusedev_wants_answer(uint32_t op)
{
	return op != FUSE_FORGET && op != FUSE_BATCH_FORGET && op != FUSE_INTERRUPT;
}

static int put(int fd, uint64_t unique, int code, struct iovec *v, int nv)
{
	struct fuse_out_header h = {.len = sizeof h, .error = -code, .unique = unique};
	ssize_t n;

	v[0] = (struct iovec){&h, sizeof h};
	for (int i = 1; i < nv; i++)
		h.len += (uint32_t)v[i].iov_len;
	do
		n = writev(fd, v, nv);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno != ENOENT ? -errno : 0;
}

int fusedev_fail(int fd, uint64_t unique, int code)
{
	struct iovec v[1];

	return put(fd, unique, code, v, 1);
}

int fusedev_data(int fd, uint64_t unique, const void *p, size_t n)
{
	struct iovec v[2] = {[1] = {(void *)(uintptr_t)p, n}};

	return put(fd, unique, 0, v, 2);
}

int fusedev_init(int fd, const struct fusedev_ask *a, const void *request, size_t n)
{
	struct fuse_init_in in;
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = PAGE, .time_gran = 1};

	if (n < sizeof(struct fuse_in_header) + 4 * sizeof(uint32_t))
		return fusedev_fail(fd, a->unique, EPROTO);
	memcpy(&in, (const char *)request + sizeof(struct fuse_in_header), 4 * sizeof(uint32_t));
	if (in.major != FUSE_KERNEL_VERSION)
		return fusedev_fail(fd, a->unique, EPROTO);
	out.max_readahead = in.max_readahead;
	out.flags = in.flags & (FUSE_ASYNC_READ | FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_PARALLEL_DIROPS);
	return fusedev_data(fd, a->unique, &out, sizeof out);
}

static void attr_of(const struct fusedev_node *n, struct fuse_attr *a)
{
	*a = (struct fuse_attr){
		.ino = n->id, .size = n->size, .blocks = 0, .mode = n->mode, .nlink = S_ISDIR(n->mode) ? 2 : 1, .uid = n->uid, .gid = n->uid,
		.blksize = PAGE,
	};
	a->mtime = a->ctime = a->atime = n->mtime_ns / 1000000000;
	a->mtimensec = a->ctimensec = a->atimensec = (uint32_t)(n->mtime_ns % 1000000000);
}

static void entry_of(const struct fusedev_node *n, struct fuse_entry_out *o)
{
	*o = (struct fuse_entry_out){
		.nodeid = n->id, .entry_valid = EVER, .attr_valid = n->valid_ns / 1000000000, .attr_valid_nsec = (uint32_t)(n->valid_ns % 1000000000),
	};
	attr_of(n, &o->attr);
}

int fusedev_entry(int fd, uint64_t unique, const struct fusedev_node *n)
{
	struct fuse_entry_out o;

	entry_of(n, &o);
	return fusedev_data(fd, unique, &o, sizeof o);
}

int fusedev_attr(int fd, uint64_t unique, const struct fusedev_node *n)
{
	struct fuse_attr_out o = {.attr_valid = n->valid_ns / 1000000000, .attr_valid_nsec = (uint32_t)(n->valid_ns % 1000000000)};

	attr_of(n, &o.attr);
	return fusedev_data(fd, unique, &o, sizeof o);
}

int fusedev_statfs(int fd, uint64_t unique)
{
	struct fuse_statfs_out o = {.st = {.bsize = PAGE, .frsize = PAGE, .namelen = 255}};

	return fusedev_data(fd, unique, &o, sizeof o);
}

int fusedev_text(int fd, const struct fusedev_ask *a, const char *text, size_t len)
{
	size_t end = (len + PAGE - 1) / PAGE * PAGE, n = 0, fill;
	struct iovec v[3];

	if (a->offset >= len)
		return fusedev_data(fd, a->unique, "", 0);
	end = a->size < end - a->offset ? a->offset + a->size : end;
	n = (end < len ? end : len) - a->offset;
	fill = end - a->offset - n;
	v[1] = (struct iovec){(void *)(uintptr_t)(text + a->offset), n};
	v[2] = (struct iovec){(void *)(uintptr_t)newlines, fill};
	return put(fd, a->unique, 0, v, 3);
}

int fusedev_dirent(struct buf *out, size_t max, const struct fusedev_node *n, uint64_t next, int plus)
{
	size_t len = strlen(n->name), head = plus ? sizeof(struct fuse_direntplus) : sizeof(struct fuse_dirent);
	struct fuse_direntplus d = {.dirent = {.ino = n->id, .off = next, .namelen = (uint32_t)len, .type = (n->mode & S_IFMT) >> 12}};

	if (out->len + FUSE_DIRENT_ALIGN(head + len) > max)
		return 0;
	entry_of(n, &d.entry_out);
	buf_add(out, plus ? (void *)&d : (void *)&d.dirent, head);
	buf_add(out, n->name, len);
	buf_add(out, "\0\0\0\0\0\0\0", FUSE_DIRENT_ALIGN(head + len) - head - len);
	return 1;
}
