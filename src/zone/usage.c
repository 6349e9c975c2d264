/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

#define MAGIC 0x31757343u /* "Csu1" */
#define HOUR_MS (USAGE_HOUR * 1000ULL)
#define LATER_NS 20000000000ULL /* how long a record may wait in the page cache until it is pushed on */
#define STOPPED_KNOWN (1u << UC_CPU_US | 1u << (16 + UG_MEMORY))

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

/* A stretch of time, in milliseconds of 1970. */
struct span {
	uint64_t from, to;
};

/* What of a whole that came evenly in that time had come at t. */
static unsigned __int128 come(unsigned __int128 whole, struct span s, uint64_t t)
{
	return t >= s.to ? whole : t <= s.from ? 0 : whole * (t - s.from) / (s.to - s.from);
}

/* Since the record before: what was used, and for how long. */
struct step {
	uint64_t used[UC_COUNT], ms;
	unsigned __int128 area[UG_COUNT];
	uint64_t there_ms; /* the dataset was there: also while the zone was stopped, or the host off */
	uint32_t known;
};

static bool same_life(const struct usage_rec *last, const struct usage_sample *s)
{
	return last && last->life[0] == s->life[0] && (last->life[1] == s->life[1] || s->stopped);
}

static uint64_t there_ms(const struct usage_rec *last, const struct usage_sample *s)
{
	uint64_t ms;

	if (last && last->life[0] == s->life[0] && last->up_ns)
		return s->up_ns > last->up_ns ? (s->up_ns - last->up_ns) / 1000000 : 0;
	if (last)
		ms = s->wall_ns > last->wall_ns ? (s->wall_ns - last->wall_ns) / 1000000 : 0;
	else
		ms = s->from_now ? 0 : s->age_ms;
	/* a clock that is years ahead at boot makes no bill of years */
	return ms < USAGE_GAP_MAX * HOUR_MS ? ms : USAGE_GAP_MAX * HOUR_MS;
}

static void step_make(const struct usage_rec *last, const struct usage_sample *s, struct step *st)
{
	bool same = same_life(last, s);

	/* of what is not sampled while it is stopped, all is known: it is 0 */
	st->known = s->stopped ? STOPPED_KNOWN | (last ? last->known : 0) : 0;
	st->there_ms = there_ms(last, s);
	st->ms = s->stopped || (s->from_now && !last) ? 0 : !same ? s->age_ms : s->up_ns > last->up_ns ? (s->up_ns - last->up_ns) / 1000000 : 0;
	for (int i = 0; i < UC_COUNT; i++) {
		uint64_t from = same && last->raw[i] != USAGE_UNKNOWN ? last->raw[i] : 0, now = s->counter[i];

		st->used[i] = now != USAGE_UNKNOWN && now > from && !(s->from_now && !last) ? now - from : 0;
		st->known |= now != USAGE_UNKNOWN ? 1u << i : 0;
	}
	for (int i = 0; i < UG_COUNT; i++) {
		uint64_t now = s->gauge[i], was = last && (same || i == UG_DATA) ? last->gauge[i] : now;

		if (now == USAGE_UNKNOWN)
			now = was;
		/* what is stopped does not change: it is as it was found now, and had not been written out when it was sampled last */
		if (was == USAGE_UNKNOWN || s->stopped || !same)
			was = now;
		st->known |= now != USAGE_UNKNOWN ? 1u << (16 + i) : 0;
		st->area[i] = now != USAGE_UNKNOWN ? (unsigned __int128)(now / 2048 + was / 2048) * (i == UG_DATA ? st->there_ms : st->ms) : 0;
	}
}

static struct span span_of(const struct usage_rec *last, const struct usage_sample *s, uint64_t ms)
{
	struct span sp = {.to = s->wall_ns / 1000000};
	uint64_t was = last ? last->wall_ns / 1000000 : 0;

	sp.from = sp.to > ms ? sp.to - ms : 0;
	/* where the sample before was, and not a hair beside it: the two clocks differ in speed */
	if (last && (was > sp.from ? was - sp.from : sp.from - was) < 1000 && was <= sp.to)
		sp.from = was;
	return sp;
}

/* What the next sample goes on from, had this one been taken at ms `to`. */
static void state_of(struct usage_rec *r, const struct usage_rec *last, const struct usage_sample *s, const struct step *st, struct span ran,
		     uint64_t to)
{
	uint64_t back = (s->wall_ns / 1000000 - to) * 1000000;
	bool same = same_life(last, s);

	memcpy(r->life, s->stopped && same ? last->life : s->life, sizeof r->life);
	r->wall_ns = s->wall_ns - back;
	r->up_ns = s->up_ns > back ? s->up_ns - back : 0;
	/* never back, and never unknown again: what was counted would be counted once more */
	for (int i = 0; i < UC_COUNT; i++) {
		uint64_t have = same ? last->raw[i] : USAGE_UNKNOWN, c = s->counter[i];

		r->raw[i] = c == USAGE_UNKNOWN || (have != USAGE_UNKNOWN && c < have) ? have : c - (st->used[i] - (uint64_t)come(st->used[i], ran, to));
	}
	for (int i = 0; i < UG_COUNT; i++)
		r->gauge[i] = s->gauge[i] == USAGE_UNKNOWN && last && (same || i == UG_DATA) ? last->gauge[i] : s->gauge[i];
}

unsigned usage_advance(const struct usage_rec *last, const uint8_t uuid[16], const struct usage_sample *s, struct usage_rec *out, unsigned max)
{
	uint64_t seq = last ? last->seq : s->wall_ns / 1000, at = 0, first, now;
	struct usage_rec before;
	struct span ran, there;
	struct step st;
	unsigned n = 0;

	if (last)
		before = *last; /* it may be in out */
	last = last ? &before : NULL;
	step_make(last, s, &st);
	ran = span_of(last, s, st.ms);
	there = span_of(last, s, st.there_ms);
	now = ran.to / HOUR_MS;
	first = (there.from < ran.from ? there.from : ran.from) / HOUR_MS;
	if (now - first >= max)
		first = now - max + 1;
	for (uint64_t h = first; h <= now; h++) {
		struct usage_rec *r = &out[n];
		uint64_t to = h == now ? ran.to : (h + 1) * HOUR_MS;

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
			r->used[i] += (uint64_t)(come(st.used[i], ran, to) - (n ? come(st.used[i], ran, at) : 0));
		for (int i = 0; i < UG_COUNT; i++) {
			struct span sp = i == UG_DATA ? there : ran;

			r->area[i] += (uint64_t)(come(st.area[i], sp, to) - (n ? come(st.area[i], sp, at) : 0));
		}
		r->ms += (uint64_t)(come(st.ms, ran, to) - (n ? come(st.ms, ran, at) : 0));
		r->known |= st.known;
		/* As if it had been sampled then: should the rows behind it be lost, their use is not. */
		state_of(r, last, s, &st, ran, to);
		usage_seal(r);
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

/* Rows enough for the hours since the last record: a worker's need no memory, those of a VM that was stopped for months do. */
static struct usage_rec *rows_for(const struct usage_rec *last, const struct usage_sample *s, struct usage_rec *own, unsigned *max)
{
	uint64_t since = last ? last->wall_ns : s->wall_ns - s->age_ms * 1000000;
	uint64_t hours = s->wall_ns > since ? (s->wall_ns - since) / (HOUR_MS * 1000000) + 2 : 1;
	struct usage_rec *r = NULL;

	*max = USAGE_GAP;
	if (hours > USAGE_GAP) {
		hours = hours < USAGE_GAP_MAX ? hours : USAGE_GAP_MAX;
		r = calloc(hours, sizeof *r);
	}
	if (r)
		*max = (unsigned)hours;
	return r ? r : own;
}

/* Adds them where they belong; last: the newest there is, at slot. n: slots of the file. */
static int add_rows(int fd, const struct usage_rec *last, off_t slot, const struct usage_rec *r, unsigned rows, off_t *n)
{
	uint64_t first = last ? last->first : 0;
	int rc = 0;

	for (unsigned i = 0; i < rows && rc == 0; i++) {
		off_t at = (!last && i == 0) || r[i].first != first ? *n : place(fd, *n, slot, first);

		rc = put(fd, &r[i], at);
		*n = at == *n ? *n + 1 : *n;
		slot = at;
		first = r[i].first;
	}
	return rc;
}

int usage_add_to(struct usage_file *f, int dir, const char *name, const uint8_t uuid[16], const struct usage_sample *s, bool wait)
{
	struct usage_rec last, own[USAGE_GAP], *r;
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
	r = rows_for(any ? &last : NULL, s, own, &rows);
	rows = usage_advance(any ? &last : NULL, uuid, s, r, rows);
	rc = add_rows(fd, any ? &last : NULL, slot, r, rows, &n);
	last = r[rows - 1];
	if (r != own)
		free(r);
	/* On to the disk, without waiting: a power cut shall cost an interval and not half a minute of the page cache's. */
	if (rc == 0 && !s->stopped && (!f->pushed_ns || s->up_ns - f->pushed_ns >= LATER_NS)) {
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
