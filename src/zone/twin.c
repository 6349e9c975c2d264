/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/twin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

static size_t bytes(uint32_t size)
{
	return sizeof(struct twin) + 2 * (size_t)size;
}

static const char *at(const struct twin *t, uint64_t turn, uint32_t size)
{
	return (const char *)(t + 1) + (turn & 1) * size;
}

void twin_put(struct twin *t, uint32_t magic, const void *rec, uint32_t size)
{
	uint64_t turn = __atomic_load_n(&t->turn, __ATOMIC_RELAXED) + 1;

	memcpy((char *)at(t, turn, size), rec, size);
	t->size = size;
	t->magic = magic;
	__atomic_store_n(&t->turn, turn, __ATOMIC_RELEASE);
}

int twin_get(const struct twin *t, uint64_t n, uint32_t magic, void *rec, uint32_t size)
{
	if (n < bytes(size) || t->magic != magic || t->size != size)
		return -EINVAL;
	memcpy(rec, at(t, t->turn, size), size);
	return 0;
}

int twin_read(const char *run, const char *uuid, const char *name, uint32_t magic, void *rec, uint32_t size)
{
	_free_ char *path = xprintf("%s/%s/%s", run, uuid, name);
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_free_ struct twin *t = NULL;
	ssize_t n;

	if (fd < 0)
		return -errno;
	t = xalloc(bytes(size));
	n = pread(fd, t, bytes(size), 0);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	return twin_get(t, (uint64_t)n, magic, rec, size);
}

/* It is written, not extended: no page of it can be missing later. */
int twin_map(int dir, const char *name, uint32_t magic, void *rec, uint32_t size, struct twin **out)
{
	_fd_ int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	_free_ struct twin *t = xalloc(bytes(size));
	ssize_t n;
	bool fresh;
	void *p;

	if (fd < 0)
		return -errno;
	n = pread(fd, t, bytes(size), 0);
	fresh = n < 0 || twin_get(t, (uint64_t)n, magic, rec, size) < 0;
	memset(t, 0, bytes(size));
	t->size = size;
	if (fresh && pwrite(fd, t, bytes(size), 0) != (ssize_t)bytes(size))
		return -ENOSPC;
	p = mmap(NULL, bytes(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		int r = -errno;

		if (fresh)
			unlinkat(dir, name, 0);
		return r;
	}
	*out = p;
	return fresh;
}

void twin_unmap(struct twin **t)
{
	if (*t)
		munmap(*t, bytes((*t)->size));
	*t = NULL;
}
