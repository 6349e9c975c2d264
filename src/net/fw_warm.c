/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lists that zones have left are made ready for others, and new ones beside them. A program may still be reading one that was left: so between
 * the look and the use of it there is the wait that a write to the map of lists is, and nobody's lock is held over that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/bpf.h"
#include "net/fw.h"
#include "net/fw_lists.h"

struct numbers {
	uint32_t *k;
	size_t n, cap;
};

struct plan {
	struct fw_spare spare;
	struct numbers have; /* that somebody has, in order */
	struct numbers ready, gone;
	size_t left; /* of ready those from its beginning that were there before */
};

static void plan_done(struct plan *p)
{
	free(p->have.k);
	free(p->ready.k);
	free(p->gone.k);
}

static void add(struct numbers *to, uint32_t k)
{
	if (to->n == to->cap) {
		to->cap = to->cap * 2 + 64;
		to->k = xrealloc(to->k, to->cap * sizeof *to->k);
	}
	to->k[to->n++] = k;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_had(const struct plan *p, uint32_t k)
{
	return p->have.n && bsearch(&k, p->have.k, p->have.n, sizeof k, by_number);
}

static size_t spares(const struct fw_spare *p)
{
	size_t n = 0;

	for (uint32_t i = SW_SPARE_LIST; i < ARRAY_LEN(p->at); i++)
		n += p->at[i] != 0;
	return n;
}

/* Lists by number, and of zones those that have one by number: theirs of a program of before is nobody's any more. */
static int read_had(struct net_switch *s, struct plan *p, struct numbers *zones, struct err *e)
{
	uint32_t zone, next;
	uint64_t place;
	int r;

	for (bool first = true; (r = bpf_next(s->map[SWM_FW_ZONES], first ? NULL : &zone, &next, e)) == 1; first = false) {
		zone = next;
		if (bpf_get(s->map[SWM_FW_ZONES], &zone, &place, NULL) == 0) {
			add(&p->have, (uint32_t)(place >> 32));
			add(zones, zone);
		}
	}
	for (uint32_t i = SW_SPARE_LIST; i < ARRAY_LEN(p->spare.at); i++)
		if (p->spare.at[i])
			add(&p->have, p->spare.at[i]);
	if (p->have.n)
		qsort(p->have.k, p->have.n, sizeof *p->have.k, by_number);
	if (zones->n)
		qsort(zones->k, zones->n, sizeof *zones->k, by_number);
	return r;
}

static bool fits(struct net_switch *s, uint32_t k)
{
	_fd_ int fd = bpf_inner(s->map[SWM_FW_LISTS], &k, NULL);
	uint32_t room = 0;

	return fd >= 0 && bpf_room(fd, &room, NULL) == 0 && room == SW_LIST_ROOM;
}

static int look(struct net_switch *s, struct plan *p, struct err *e)
{
	struct numbers zones = {NULL, 0, 0};
	uint32_t k, next;
	size_t want;
	int r = fw_spare_read(s, &p->spare, e);

	if (r == 0)
		r = read_had(s, p, &zones, e);
	want = SW_SPARES - spares(&p->spare);
	for (bool first = true; r >= 0 && (r = bpf_next(s->map[SWM_FW_LISTS], first ? NULL : &k, &next, e)) == 1; first = false) {
		k = next;
		if (k < SW_LIST_FIRST) {
			if (zones.n && bsearch(&k, zones.k, zones.n, sizeof k, by_number))
				add(&p->gone, k);
		} else if (!is_had(p, k)) {
			add(p->ready.n < want && fits(s, k) ? &p->ready : &p->gone, k);
		}
	}
	p->left = p->ready.n;
	for (size_t i = p->left; r == 0 && i < want; i++) {
		r = fw_list_numbers(s, &k, 1, e);
		add(&p->ready, k);
	}
	free(zones.k);
	return r;
}

/* Returns when no program reads any of those that were left. */
static int make_and_wait(struct net_switch *s, const struct plan *p, struct err *e)
{
	size_t n = p->ready.n - p->left, made = 0;
	int fd[SW_SPARES], r = 0;

	if (p->ready.n == 0)
		return 0;
	if (n == 0) { /* one that is there, in place of itself */
		fd[made] = bpf_inner(s->map[SWM_FW_LISTS], p->ready.k, e);
		r = fd[made] < 0 ? fd[made] : 0;
		made += r == 0;
	}
	for (; r == 0 && made < n; made += r == 0) {
		fd[made] = bpf_array(sizeof(struct sw_rule), SW_LIST_ROOM, e);
		r = fd[made] < 0 ? fd[made] : 0;
	}
	if (r == 0)
		r = bpf_put_all(s->map[SWM_FW_LISTS], n ? p->ready.k + p->left : p->ready.k, fd, (uint32_t)made, e);
	for (size_t i = 0; i < made; i++)
		close(fd[i]);
	return r;
}

/* Only we put any there. */
static int hand_over(struct net_switch *s, const struct plan *p, struct err *e)
{
	struct fw_spare now;
	size_t n = 0;
	int r = fw_spare_read(s, &now, e);

	for (uint32_t i = SW_SPARE_LIST; r == 0 && n < p->ready.n && i < ARRAY_LEN(now.at); i++)
		if (!now.at[i])
			r = fw_spare_set(s, i, p->ready.k[n++], e);
	return r;
}

static int warm(const struct ctx *c, struct net_switch *s, struct plan *p, struct err *e)
{
	int r = look(s, p, e);

	if (r == 0)
		r = fw_spare_set(s, SW_SPARE_LEFT, 0, e);
	switch_unlock(s);
	if (r == 0)
		r = make_and_wait(s, p, e);
	if (r == 0)
		r = switch_lock(c, s, e);
	if (r == 0)
		r = hand_over(s, p, e);
	switch_unlock(s);
	if (r == 0)
		r = bpf_del_all(s->map[SWM_FW_LISTS], p->gone.k, (uint32_t)p->gone.n, e);
	return r;
}

int net_fw_warm(const struct ctx *c, struct err *e)
{
	_free_ char *path = xprintf("%s/net/warm", c->node.run);
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(plan_done) struct plan p = {.left = 0};
	struct err miss = ERR_INIT;
	_fd_ int alone = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (alone < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	/* what another of us has made and not handed over yet looks like nobody's */
	if (flock(alone, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_sys(e, errno, "lock %s", path);
	r = switch_open(c, false, &s, &miss);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && e)
		*e = miss;
	if (r == 0)
		r = warm(c, &s, &p, e);
	return r < 0 ? err_add(e, "firewall") : 0;
}

bool net_fw_low(struct net_switch *s)
{
	struct timespec t;
	struct fw_spare p;

	if (fw_spare_read(s, &p, NULL) < 0 || (spares(&p) > SW_SPARES / 2 && p.at[SW_SPARE_LEFT] < SW_SPARES))
		return false;
	/* who was asked a moment ago is at it, or can't */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	if (p.at[SW_SPARE_ASKED] == (uint32_t)t.tv_sec + 1)
		return false;
	return fw_spare_set(s, SW_SPARE_ASKED, (uint32_t)t.tv_sec + 1, NULL) == 0;
}
