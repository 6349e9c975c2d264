/* SPDX-License-Identifier: MPL-2.0 */
#include "node/snapdiff.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

#define BLOCK   SNAPDIFF_BLOCK
#define PIECE   SNAPDIFF_PIECE
#define EXTENTS 512 /* asked for at a time */
/* Of these the address is not that of their bytes: a compressed extent has one for all of it, and files may have different parts of it. */
#define UNSURE                                                                                                                                     \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_NOT_ALIGNED |       \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL)
#define MEANS (UNSURE | FIEMAP_EXTENT_UNWRITTEN) /* others come and go with who shares it */

static uint64_t up(uint64_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* A file's extents, in order, as far as they are needed. */
struct map {
	int fd;
	struct fiemap *m;
	uint32_t i;
	bool last;
	struct { uint64_t at, n, where, flags; } run; /* of extents that are one but for how the kernel counts them */
	struct sum64 *sum;
};

struct piece {
	uint64_t end, where;
	bool data, sure;
};

static void flush(struct map *m)
{
	if (m->run.n)
		sum64_add(m->sum, &m->run, sizeof m->run);
	m->run.n = 0;
}

static void note(struct map *m, const struct fiemap_extent *x)
{
	uint64_t flags = x->fe_flags & MEANS;

	if (m->run.n && m->run.at + m->run.n == x->fe_logical && m->run.where + m->run.n == x->fe_physical && m->run.flags == flags && !(flags & UNSURE)) {
		m->run.n += x->fe_length;
		return;
	}
	flush(m);
	m->run.at = x->fe_logical;
	m->run.n = x->fe_length;
	m->run.where = x->fe_physical;
	m->run.flags = flags;
}

static int load(struct map *m, uint64_t at, struct err *e)
{
	m->i = 0;
	*m->m = (struct fiemap){.fm_start = at, .fm_length = FIEMAP_MAX_OFFSET - at, .fm_extent_count = EXTENTS};
	if (ioctl(m->fd, FS_IOC_FIEMAP, m->m) < 0)
		return err_sys(e, errno, "where its blocks lie");
	m->last = !m->m->fm_mapped_extents || m->m->fm_extents[m->m->fm_mapped_extents - 1].fe_flags & FIEMAP_EXTENT_LAST;
	if (m->m->fm_mapped_extents)
		note(m, &m->m->fm_extents[0]);
	return 0;
}

static int piece_at(struct map *m, uint64_t at, struct piece *p, struct err *e)
{
	*p = (struct piece){.end = UINT64_MAX};
	while (m->fd >= 0) {
		const struct fiemap_extent *x = &m->m->fm_extents[m->i];
		int r;

		if (m->i < m->m->fm_mapped_extents) {
			if (x->fe_logical + x->fe_length <= at) {
				if (++m->i < m->m->fm_mapped_extents)
					note(m, x + 1);
				continue;
			}
			if (x->fe_logical > at) {
				p->end = x->fe_logical;
				return 0;
			}
			*p = (struct piece){.end = x->fe_logical + x->fe_length, .data = !(x->fe_flags & FIEMAP_EXTENT_UNWRITTEN), .sure = !(x->fe_flags & UNSURE),
					    .where = x->fe_physical + (at - x->fe_logical)};
			return 0;
		}
		if (m->last)
			return 0;
		r = load(m, at, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what is in it ---- */

struct work {
	struct snapdiff *d;
	int now, before;
	uint64_t size;
	bool rough; /* the one before ends inside of a block: what lies behind it there is not zero because it reads so */
	char *a, *b, *none;
};

/* What is behind a file's end is zero. */
static int fill(int fd, uint64_t at, char *p, size_t n, struct err *e)
{
	size_t got = 0;

	while (fd >= 0 && got < n) {
		ssize_t k = pread(fd, p + got, n - got, (off_t)(at + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, errno, "read it");
		if (k == 0)
			break;
		got += (size_t)k;
	}
	memset(p + got, 0, n - got);
	return 0;
}

enum is { SAME, ZERO, DATA };

static enum is block_is(const struct work *w, size_t at, size_t n)
{
	if (!memcmp(w->a + at, w->b + at, n))
		return SAME;
	return memcmp(w->a + at, w->none, n) ? DATA : ZERO;
}

static int tell(struct work *w, enum is is, uint64_t at, size_t from, size_t n, struct err *e)
{
	if (is == SAME || !n)
		return 0;
	if (is == ZERO)
		return w->d->zero(w->d->arg, at + from, up(n), e);
	w->d->bytes += n;
	return w->d->data(w->d->arg, at + from, w->a + from, n, e);
}

/* Up to a block's end, or the file's. */
static int compare(struct work *w, uint64_t at, uint64_t end, struct err *e)
{
	int r = 0;

	while (r == 0 && at < end) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE, from = 0, k = 0;
		enum is was = SAME;

		r = fill(w->now, at, w->a, n, e);
		if (r == 0)
			r = fill(w->before, at, w->b, n, e);
		for (; r == 0 && k < n; k += BLOCK) {
			enum is is = block_is(w, k, n - k < BLOCK ? n - k : BLOCK);

			if (is == was)
				continue;
			r = tell(w, was, at, from, k - from, e);
			was = is;
			from = k;
		}
		if (r == 0)
			r = tell(w, was, at, from, n - from, e);
		if (r == 0 && w->d->look)
			r = w->d->look(w->d->arg, n, e);
		at += n;
	}
	return r;
}

static int one(struct work *w, uint64_t at, uint64_t end, const struct piece *x, const struct piece *y, bool whole, struct err *e)
{
	bool same = x->data == y->data && (!x->data || x->where == y->where);

	if (whole && same && (!x->data || (x->sure && y->sure && !w->rough)))
		return 0;
	if (!w->d->data) {
		/* the same place, compressed: all but certain, and to be announced is no more than that */
		w->d->bytes += x->data && !same ? end - at : 0;
		return 0;
	}
	if (whole && !x->data)
		return w->d->zero(w->d->arg, at, up(end - at), e);
	return compare(w, at, end, e);
}

static int walk(struct work *w, struct map *a, struct map *b, struct err *e)
{
	struct piece x, y;
	int r = 0;

	for (uint64_t at = 0, end; r == 0 && at < w->size; at = end) {
		bool whole;

		r = piece_at(a, at, &x, e);
		if (r == 0)
			r = piece_at(b, at, &y, e);
		if (r < 0)
			return r;
		end = x.end < y.end ? x.end : y.end;
		if (end > w->size)
			end = w->size;
		/* an end inside of a block is a file's own, of one of the two */
		whole = end % BLOCK == 0 || end == w->size;
		if (!whole)
			end = up(end) < w->size ? up(end) : w->size;
		r = one(w, at, end, &x, &y, whole, e);
		if (r == 0 && w->d->look)
			r = w->d->look(w->d->arg, 0, e);
	}
	flush(a);
	flush(b);
	return r;
}

int snapdiff_file(int now, int before, struct snapdiff *d, struct err *e)
{
	_free_ struct fiemap *p = xalloc(sizeof *p + EXTENTS * sizeof p->fm_extents[0]), *q = xalloc(sizeof *q + EXTENTS * sizeof q->fm_extents[0]);
	_free_ char *room = d->data ? xalloc(2 * PIECE + BLOCK) : NULL;
	struct sum64 sums[2] = {SUM64_INIT, SUM64_INIT};
	struct map a = {.fd = now, .m = p, .sum = &sums[0]}, b = {.fd = before, .m = q, .sum = &sums[1]};
	struct work w = {.d = d, .now = now, .before = before, .a = room, .b = room ? room + PIECE : NULL, .none = room ? room + 2 * PIECE : NULL};
	uint64_t both[3];
	struct stat st, old = {.st_size = 0};
	int r;

	if (fstat(now, &st) < 0 || (before >= 0 && fstat(before, &old) < 0))
		return err_sys(e, errno, "its size");
	w.rough = old.st_size % BLOCK;
	if (room)
		memset(w.none, 0, BLOCK);
	p->fm_mapped_extents = q->fm_mapped_extents = 0;
	w.size = (uint64_t)st.st_size;
	r = walk(&w, &a, &b, e);
	both[0] = sum64(&sums[0]);
	both[1] = sum64(&sums[1]);
	both[2] = w.size;
	sum64_add(&d->sum, both, sizeof both);
	return r;
}
