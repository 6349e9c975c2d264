/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/guest.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "hvm/qmp.h"
#include "hvm/qtune.h"
#include "model/vm.h"

#define NAME "abcdefghijklmnopqrstuvwxyz0123456789"
#define MOST 9e15 /* above: not known (2^64 - 1), or nonsense */

static uint64_t number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) && json_number_value(v) >= 0 && json_number_value(v) < MOST ? (uint64_t)json_number_value(v) : GUEST_NONE;
}

/* Requests that took from..to; the counts come one after the other, but from one answer. */
static uint64_t between(const json_t *stats, uint64_t from, uint64_t to)
{
	uint64_t a = qtune_longer(stats, from), b = to ? qtune_longer(stats, to) : 0;

	return a == UINT64_MAX || b > a ? GUEST_NONE : a - b;
}

static void disk(const json_t *o, struct stat_guest *out)
{
	static const struct {
		enum guest_disk at;
		const char *name;
	} same[] = {{GD_FLUSH_TIME, "flush_total_time_ns"}, {GD_FLUSHES, "flush_operations"}, {GD_NREAD, "rd_bytes"}, {GD_NWRITTEN, "wr_bytes"},
		    {GD_READ_TIME, "rd_total_time_ns"}, {GD_READS, "rd_operations"}, {GD_WRITE_TIME, "wr_total_time_ns"}, {GD_WRITES, "wr_operations"}};
	static const struct {
		enum guest_disk at;
		uint64_t from, to;
	} slow[] = {{GD_10MS, 10000000, 100000000}, {GD_100MS, 100000000, 1000000000}, {GD_1S, 1000000000, 10000000000}, {GD_10S, 10000000000, 0}};
	const char *name = json_string_value(json_object_get(o, "node-name"));
	const json_t *stats = json_object_get(o, "stats");
	struct stat_disk *d;

	/* a disk is named by its node, which has no other letters (hvm/qdisk.h); others are the monitor's own */
	if (!name || !json_object_get(o, "qdev") || out->n == ARRAY_LEN(out->d) || !*name || strlen(name) >= sizeof d->name || name[strspn(name, NAME)])
		return;
	for (size_t i = 0; i < out->n; i++)
		if (!strcmp(out->d[i].name, name))
			return;
	d = &out->d[out->n++];
	memcpy(d->name, name, strlen(name) + 1);
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		d->v[same[i].at] = number(stats, same[i].name);
	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		d->v[slow[i].at] = between(stats, slow[i].from, slow[i].to);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct stat_disk *)a)->name, ((const struct stat_disk *)b)->name);
}

void stat_guest_read(const json_t *disks, const json_t *balloon, const json_t *memory, struct stat_guest *out)
{
	static const char *const names[GM_COUNT] = {
		[GM_AVAILABLE] = "stat-available-memory", [GM_CACHES] = "stat-disk-caches", [GM_FREE] = "stat-free-memory",
		[GM_MAJFAULT] = "stat-major-faults", [GM_MINFAULT] = "stat-minor-faults", [GM_SWAPIN] = "stat-swap-in",
		[GM_SWAPOUT] = "stat-swap-out", [GM_TOTAL] = "stat-total-memory",
	};
	const json_t *d;
	size_t i;

	*out = (struct stat_guest){.on = true};
	json_array_foreach(disks, i, d)
		disk(d, out);
	if (out->n)
		qsort(out->d, out->n, sizeof *out->d, by_name);
	for (i = 0; i < GM_COUNT; i++)
		out->mem[i] = i == GM_ACTUAL ? number(balloon, "actual") : number(json_object_get(memory, "stats"), names[i]);
}

static int left(uint64_t until)
{
	uint64_t now = clock_mono_ns();

	return now >= until ? 1 : (int)((until - now) / 1000000) + 1;
}

int stat_guest_ask(const char *path, int ms, struct stat_guest *out)
{
	uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
	_json_ json_t *disks = NULL, *balloon = NULL, *memory = NULL;
	_qmp_ struct qmp q = QMP_INIT;

	if (qmp_open(path, ms, &q, NULL) < 0 || qmp_do(&q, "query-blockstats", NULL, left(until), &disks, NULL) < 0)
		return 0;
	/* without its driver there is neither */
	if (qmp_do(&q, "query-balloon", NULL, left(until), &balloon, NULL) == 0)
		(void)qmp_do(&q, "qom-get", json_pack("{s:s,s:s}", "path", "/machine/peripheral/balloon", "property", "guest-stats"), left(until), &memory, NULL);
	stat_guest_read(disks, balloon, memory, out);
	return 1;
}
