/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

void stat_init(struct stat_sample *s, const struct cg_host *h, unsigned groups, unsigned room)
{
	*s = (struct stat_sample){.cg = *h, .groups = groups, .room = room};
}

static void forget(struct stat_sample *s, struct stat_zone *z)
{
	cg_files_free(s->reader, &z->files);
	free(z->name);
	free(z->alias);
	free(z->net.l);
	free(z->guest);
	free(z->vcpus.v);
	free(z);
}

void stat_done(struct stat_sample *s)
{
	for (size_t i = 0; i < s->n; i++)
		forget(s, s->z[i]);
	free(s->z);
	free(s->ids);
	free(s->net.l);
	cg_reader_free(&s->reader);
	*s = (struct stat_sample){.z = NULL};
}

int stat_begin(struct stat_sample *s, uint64_t limits, struct err *e)
{
	/* a reader made before the node's first zone would look nowhere: made anew until there is one */
	if (s->reader && s->n == 0)
		cg_reader_free(&s->reader);
	if (!s->reader) {
		int r = cg_reader_new(&s->cg, s->groups, s->room, &s->reader, e);

		if (r < 0)
			return r;
	}
	cg_reader_limits(s->reader, limits);
	for (size_t i = 0; i < s->n; i++)
		s->z[i]->taken = false;
	s->before_ns = s->now_ns;
	s->now_ns = clock_mono_ns();
	return 0;
}

/* Where it is, or belongs. */
static size_t find(const struct stat_sample *s, const char *uuid, bool *there)
{
	size_t lo = 0, hi = s->n;

	*there = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int d = strcmp(s->z[mid]->uuid, uuid);

		if (d == 0) {
			*there = true;
			return mid;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct stat_zone *add(struct stat_sample *s, size_t at, const char *uuid)
{
	struct stat_zone *z = xalloc(sizeof *z);

	memcpy(z->uuid, uuid, strnlen(uuid, sizeof z->uuid - 1));
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->z = xrealloc(s->z, s->cap * sizeof *s->z);
	}
	memmove(s->z + at + 1, s->z + at, (s->n - at) * sizeof *s->z);
	s->z[at] = z;
	s->n++;
	return z;
}

int stat_take(struct stat_sample *s, const char *uuid, uint64_t zoneid, struct stat_zone **out, struct err *e)
{
	uint64_t v[CGV_COUNT];
	bool there;
	size_t at = find(s, uuid, &there);
	struct stat_zone *z = there ? s->z[at] : add(s, at, uuid);
	int r = cg_reader_read(s->reader, uuid, &z->files, v);

	if (r == -ENOENT)
		return 0; /* stat_end() forgets it */
	if (r < 0)
		return err_sys(e, r, "statistics of zone %s", uuid);
	/* another boot begins to count at nothing */
	if (there && z->zoneid == zoneid)
		memcpy(z->before, z->now, sizeof v);
	else {
		memset(z->before, 0, sizeof v);
		z->net.now[0] = z->net.now[1] = z->vcpus.now = 0;
		z->plain = false;
	}
	memcpy(z->now, v, sizeof v);
	z->zoneid = zoneid;
	z->taken = true;
	*out = z;
	return 1;
}

int stat_end(struct stat_sample *s, struct err *e)
{
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < s->n; i++) {
		if (s->z[i]->taken)
			s->z[kept++] = s->z[i];
		else
			forget(s, s->z[i]);
	}
	s->n = kept;
	s->host_before = s->host;
	r = host_stat_read(&s->host, e);
	if (s->groups & CGS_IO)
		host_stat_io(&s->host);
	s->rounds += r == 0;
	return r;
}

uint64_t stat_grown(const struct stat_sample *s, const struct stat_zone *z, enum cg_value v)
{
	if (s->rounds < 2 || z->now[v] >= CGV_NONE || z->before[v] >= CGV_NONE)
		return CGV_UNKNOWN;
	return z->now[v] > z->before[v] ? z->now[v] - z->before[v] : 0;
}

uint64_t stat_steal_grown(const struct stat_sample *s, const struct stat_zone *z)
{
	const struct stat_vcpus *c = &z->vcpus;

	if (s->rounds < 2 || !c->n || c->now >= CGV_NONE || c->before >= CGV_NONE)
		return CGV_UNKNOWN;
	/* less than before: one of them was taken away */
	return c->now > c->before ? c->now - c->before : 0;
}
