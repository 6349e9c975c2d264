/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Room that a deleted dataset has had. The file system gives it back in its own time: at its next commit, up to half a
 * minute later, a cleaner begins, and the quota counts what it has cleaned at the commit after that. A zone whose quota
 * is used up would see its operator delete a snapshot and be refused all the same. So where it is nearly used up, and
 * only there (it costs two commits, for all of the pool), it is hurried on and waited for.
 */
#include <poll.h>

#include "base/clock.h"
#include "base/own.h"
#include "store/ops.h"

#define WAIT_NS (5 * 1000000000ULL) /* then it goes on by itself */
#define LOOK_MS 10

static bool nearly_full(struct store *s, uint64_t quota_id)
{
	uint64_t limit, used;

	return quota_id && s->ops->quota_get(s, quota_id, &limit, &used) == 0 && limit && used > limit - limit / 8;
}

int store_reclaim(struct store *s, const char *name, uint64_t quota_id, struct err *e)
{
	uint64_t id = 0, until = clock_mono_ns() + WAIT_NS;
	bool full = nearly_full(s, quota_id);
	_fd_ int fd = full ? store_dir_open(s->fd, name) : -1;
	int r;

	if (fd >= 0 && s->ops->ident(fd, &id) < 0)
		id = 0;
	own_fd(&fd);
	r = store_destroy(s, name, e);
	if (r < 0 || !id || s->ops->sync(s) < 0)
		return r;
	while (s->ops->gone(s, id) == 0 && clock_mono_ns() < until)
		poll(NULL, 0, LOOK_MS);
	s->ops->sync(s);
	return 0;
}
