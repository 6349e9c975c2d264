/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

#define MAGIC 0x31757343u /* "Csu1" */
#define LATER_NS 20000000000ULL /* how long a record may wait in the page cache until it is pushed on */

static uint32_t checksum(const struct usage_rec *r)
{
	struct usage_rec c = *r;
	uint64_t h;

	c.sum_of_all = 0;
	h = str_hash(&c, sizeof c);
	return (uint32_t)(h ^ h >> 32);
}

void usage_seal(struct usage_rec *r)
{
	r->magic = MAGIC;
	r->sum_of_all = checksum(r);
}

bool usage_valid(const struct usage_rec *r)
{
	return r->magic == MAGIC && r->sum_of_all == checksum(r);
}

static uint64_t part(uint64_t whole, uint64_t n, uint64_t of)
{
	return of ? (uint64_t)((unsigned __int128)whole * n / of) : whole;
}

/* Since the record before: what was used, and for how long. */
struct step {
	uint64_t used[UC_COUNT], area[UG_COUNT], ms;
	uint32_t known;
};

static bool same_life(const struct usage_rec *last, const struct usage_sample *s)
{
	return last && last->life[0] == s->life[0] && last->life[1] == s->life[1];
}

static void step_make(const struct usage_rec *last, const struct usage_sample *s, struct step *st)
{
	bool same = same_life(last, s);

	st->known = 0;
	st->ms = s->from_now && !last ? 0 : !same ? s->age_ms : s->up_ns > last->up_ns ? (s->up_ns - last->up_ns) / 1000000 : 0;
	for (int i = 0; i < UC_COUNT; i++) {
		uint64_t from = same && last->raw[i] != USAGE_UNKNOWN ? last->raw[i] : 0, now = s->counter[i];

		st->used[i] = now != USAGE_UNKNOWN && now > from && !(s->from_now && !last) ? now - from : 0;
		st->known |= now != USAGE_UNKNOWN ? 1u << i : 0;
	}
	for (int i = 0; i < UG_COUNT; i++) {
		uint64_t now = s->gauge[i], was = same ? last->gauge[i] : now;

		if (now == USAGE_UNKNOWN)
			now = was;
		if (was == USAGE_UNKNOWN)
			was = now;
		st->known |= now != USAGE_UNKNOWN ? 1u << (16 + i) : 0;
		st->area[i] = now != USAGE_UNKNOWN ? (now / 2048 + was / 2048) * st->ms : 0;
	}
}

unsigned usage_advance(const struct usage_rec *last, const uint8_t uuid[16], const struct usage_sample *s, struct usage_rec *out, unsigned max)
{
	uint64_t end = s->wall_ns / 1000000, hour_ms = USAGE_HOUR * 1000ULL, begin, first_hour, at, done = 0;
	uint64_t seq = last ? last->seq : 0;
	bool same = same_life(last, s);
	struct step st;
	unsigned n = 0;

	step_make(last, s, &st);
	begin = end > st.ms ? end - st.ms : 0;
	/* where the sample before was, and not a hair beside it: the two clocks differ in speed */
	if (last && (last->wall_ns / 1000000 > begin ? last->wall_ns / 1000000 - begin : begin - last->wall_ns / 1000000) < 1000 &&
	    last->wall_ns / 1000000 <= end)
		begin = last->wall_ns / 1000000;
	first_hour = end / hour_ms;
	for (unsigned back = 1; back < max && first_hour > begin / hour_ms; back++)
		first_hour--;
	at = begin;
	for (uint64_t h = first_hour; h <= end / hour_ms; h++) {
		struct usage_rec *r = &out[n];
		uint64_t to = h == end / hour_ms ? end : (h + 1) * hour_ms, upto = to - begin, all = end - begin;

		/* a sample on the stroke of the hour has nothing for the next one, unless it is all there is */
		if (to == at && n > 0)
			break;
		if (n == 0 && last && last->hour == h * USAGE_HOUR) {
			*r = *last;
		} else {
			*r = (struct usage_rec){.first = seq + 1, .hour = h * USAGE_HOUR};
			memcpy(r->uuid, uuid, sizeof r->uuid);
		}
		r->seq = ++seq;
		for (int i = 0; i < UC_COUNT; i++)
			r->used[i] += part(st.used[i], upto, all) - (n ? part(st.used[i], done, all) : 0);
		for (int i = 0; i < UG_COUNT; i++)
			r->area[i] += part(st.area[i], upto, all) - (n ? part(st.area[i], done, all) : 0);
		r->ms += upto - done;
		r->known |= st.known;
		memcpy(r->life, s->life, sizeof r->life);
		/* As if it had been sampled then: should the rows behind it be lost, their use is not. */
		r->wall_ns = s->wall_ns - (end - to) * 1000000;
		r->up_ns = s->up_ns > (end - to) * 1000000 ? s->up_ns - (end - to) * 1000000 : 0;
		/* never back, and never unknown again: what was counted would be counted once more */
		for (int i = 0; i < UC_COUNT; i++) {
			uint64_t have = same ? last->raw[i] : USAGE_UNKNOWN, c = s->counter[i];

			r->raw[i] = c == USAGE_UNKNOWN || (have != USAGE_UNKNOWN && c < have) ? have : c - (st.used[i] - part(st.used[i], upto, all));
		}
		memcpy(r->gauge, s->gauge, sizeof r->gauge);
		usage_seal(r);
		done = upto;
		at = to;
		n++;
	}
	return n;
}

uint64_t usage_age(uint64_t up_ns, uint64_t start_ticks, uint64_t ticks_a_second)
{
	uint64_t began = start_ticks * (1000000000 / ticks_a_second);

	return start_ticks && up_ns > began ? (up_ns - began) / 1000000 : 0;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void usage_uuid(const char *text, uint8_t out[16])
{
	memset(out, 0, 16);
	if (!uuid_valid(text))
		return;
	for (int i = 0, n = 0; text[i] && n < 32; i++)
		if (nibble(text[i]) >= 0) {
			out[n / 2] = (uint8_t)(out[n / 2] << 4 | nibble(text[i]));
			n++;
		}
}

/* ---- files ---- */

/* The record that counts, at *slot; false if there is none. n: slots of the file. Of the last four one is whole, unless none is. */
static bool newest(int fd, off_t n, struct usage_rec *out, off_t *slot)
{
	struct usage_rec r[4];
	off_t from = n > 4 ? n - 4 : 0;
	ssize_t got = pread(fd, r, sizeof *r * (size_t)(n - from), from * (off_t)sizeof *r) / (ssize_t)sizeof *r;

	/* from the highest number down: the first is valid, as a rule, and the checksums of the others need not be made */
	for (ssize_t tries = 0; tries < got; tries++) {
		ssize_t best = -1;

		for (ssize_t i = 0; i < got; i++)
			if (r[i].magic == MAGIC && (best < 0 || r[i].seq > r[best].seq))
				best = i;
		if (best < 0)
			break;
		if (usage_valid(&r[best])) {
			*out = r[best];
			*slot = from + best;
			return true;
		}
		r[best].magic = 0;
	}
	return false;
}

/* Where the next record of that row goes: over the older of the row's two, or at the end. */
static off_t place(int fd, off_t n, off_t newest_at, uint64_t first)
{
	struct usage_rec r;
	off_t other = newest_at == n - 1 ? n - 2 : n - 1;

	if (other < 0 || other == newest_at || newest_at < n - 2 ||
	    pread(fd, &r, sizeof r, other * (off_t)sizeof r) != (ssize_t)sizeof r)
		return n;
	return r.first == first || !usage_valid(&r) ? other : n;
}

static int put(int fd, const struct usage_rec *r, off_t slot)
{
	ssize_t n = pwrite(fd, r, sizeof *r, slot * (off_t)sizeof *r);

	return n == (ssize_t)sizeof *r ? 0 : n < 0 ? -errno : -ENOSPC;
}

static int lock(int fd, bool wait)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l) < 0 ? (errno == EACCES ? -EAGAIN : -errno) : 0;
}

static void unlock(int fd)
{
	fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET});
}

/* The file of that name, locked: also if it was renamed meanwhile. */
static int open_locked(int dir, const char *name, int create, bool wait, struct stat *st)
{
	for (int tries = 0; tries < 10; tries++) {
		_fd_ int fd = openat(dir, name, O_RDWR | create | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat now;
		int r = fd < 0 ? -errno : lock(fd, wait);

		if (r < 0)
			return r;
		if (fstat(fd, st) == 0 && fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == st->st_ino)
			return take_fd(&fd);
	}
	return -EAGAIN;
}

/* The year is full: its last record opens the new file, so that nothing of it has to be looked for in the old one. */
static int turn_over(int dir, const char *name, int fd, const struct usage_rec *last)
{
	char old[64], fresh[64];
	_fd_ int to = -1;

	snprintf(old, sizeof old, "%s.1", name);
	snprintf(fresh, sizeof fresh, "%s~", name);
	to = openat(dir, fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return -errno;
	if (put(to, last, 0) < 0 || fsync(to) < 0 || fsync(fd) < 0)
		return -EIO;
	/* between the two there is none of that name: the next sample would then make one, of a new life */
	unlinkat(dir, old, 0);
	if (linkat(dir, name, dir, old, 0) < 0 || renameat(dir, fresh, dir, name) < 0)
		return -errno;
	return 0;
}

/* The file as it was left, if it is still the one of that name: one that is full has been turned over, one that was folded is gone. */
static int kept_locked(struct usage_file *f, int dir, const char *name, bool wait, struct stat *st)
{
	int r = f->fd >= 0 ? lock(f->fd, wait) : 0;

	if (r < 0)
		return r;
	if (f->fd >= 0 && fstat(f->fd, st) == 0 && st->st_nlink == 1 && st->st_size < USAGE_SLOTS * (off_t)sizeof(struct usage_rec))
		return 0;
	own_fd(&f->fd);
	f->fd = open_locked(dir, name, f->go_on ? 0 : O_CREAT, wait, st);
	return f->fd < 0 ? f->fd : 0;
}

int usage_add_to(struct usage_file *f, int dir, const char *name, const uint8_t uuid[16], const struct usage_sample *s, bool wait)
{
	struct usage_rec last, r[USAGE_GAP];
	struct stat st;
	off_t n, slot = 0;
	unsigned rows;
	bool any;
	int rc = kept_locked(f, dir, name, wait, &st), fd = f->fd;

	if (rc < 0)
		return rc == -ENOENT && f->go_on ? 0 : rc;
	n = st.st_size / (off_t)sizeof last;
	any = newest(fd, n, &last, &slot);
	/* who sampled before it and came to the lock after it: all that it saw is in there */
	if ((any && last.life[0] == s->life[0] && s->up_ns <= last.up_ns) || (f->go_on && !same_life(any ? &last : NULL, s))) {
		unlock(fd);
		return 0;
	}
	rows = usage_advance(any ? &last : NULL, uuid, s, r, USAGE_GAP);
	for (unsigned i = 0; i < rows && rc == 0; i++) {
		off_t at = !any ? n : r[i].first == last.first ? place(fd, n, slot, last.first) : n;

		rc = put(fd, &r[i], at);
		n = at == n ? n + 1 : n;
		slot = at;
		last = r[i];
		any = true;
	}
	/* On to the disk, without waiting: a power cut shall cost an interval and not half a minute of the page cache's. */
	if (rc == 0 && (!f->pushed_ns || s->up_ns - f->pushed_ns >= LATER_NS)) {
		f->pushed_ns = s->up_ns;
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	}
	if (rc == 0 && n >= USAGE_SLOTS)
		rc = turn_over(dir, name, fd, &last);
	unlock(fd);
	return rc;
}

int usage_add(int dir, const char *name, const uint8_t uuid[16], const struct usage_sample *s, bool wait)
{
	struct usage_file f = USAGE_FILE_INIT;
	int r = usage_add_to(&f, dir, name, uuid, s, wait);

	own_fd(&f.fd);
	return r;
}
