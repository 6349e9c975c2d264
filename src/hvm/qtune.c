/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qtune.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "model/vm.h"

#define BINS_MAX 64

/* Names of the record, and QEMU's for the same. */
static const struct {
	const char *ours, *theirs;
} ceilings[] = {{"io_read_bps", "bps_rd"}, {"io_write_bps", "bps_wr"}, {"io_read_iops", "iops_rd"}, {"io_write_iops", "iops_wr"}};

struct ceiling {
	int64_t base, max, length;
	char max_name[24], length_name[32];
};

static struct ceiling ceiling(const json_t *disk, size_t i)
{
	struct ceiling c = {.base = vm_int(disk, ceilings[i].ours, 0)};
	int64_t time = vm_int(disk, "io_burst_time", 0);
	char name[24];

	snprintf(name, sizeof name, "%s_max", ceilings[i].ours);
	c.max = vm_int(disk, name, 0);
	/*
	 * Its bucket holds max times length, in whole seconds; a zone's is (max - base) times io_burst_time, for which max may be used to
	 * the full. The same bucket, as near as a second is.
	 */
	if (c.max > c.base)
		c.length = (int64_t)((double)(c.max - c.base) * (double)time / (double)c.max + 0.5);
	if (c.max && c.length < 1)
		c.length = 1;
	snprintf(c.max_name, sizeof c.max_name, "%s_max", ceilings[i].theirs);
	snprintf(c.length_name, sizeof c.length_name, "%s_max_length", ceilings[i].theirs);
	return c;
}

json_t *qtune_ceilings(const json_t *disk, const char *id)
{
	json_t *o = json_pack("{s:s, s:i, s:i}", "id", id, "bps", 0, "iops", 0);

	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		struct ceiling c = ceiling(disk, i);

		json_object_set_new(o, ceilings[i].theirs, json_integer(c.base));
		if (!c.max)
			continue;
		json_object_set_new(o, c.max_name, json_integer(c.max));
		json_object_set_new(o, c.length_name, json_integer(c.length));
	}
	return o;
}

/* Numbers come as reals where a line has one of 64 bits (hvm/qmp.c). */
static bool is(const json_t *o, const char *key, int64_t want)
{
	const json_t *v = json_object_get(o, key);

	return v ? json_is_number(v) && json_number_value(v) == (double)want : want == 0;
}

bool qtune_has(const json_t *inserted, const json_t *disk)
{
	if (!is(inserted, "bps", 0) || !is(inserted, "iops", 0))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		struct ceiling c = ceiling(disk, i);

		if (!is(inserted, ceilings[i].theirs, c.base) || !is(inserted, c.max_name, c.max) || (c.max && !is(inserted, c.length_name, c.length)))
			return false;
	}
	return true;
}

/* ---- how long requests take ---- */

static const uint64_t bounds[] = {10000,     20000,     50000,     100000,     200000,     500000,     1000000,     2000000,    5000000,    10000000,
				  20000000, 50000000, 100000000, 200000000, 500000000, 1000000000, 2000000000, 5000000000, 10000000000};
static const struct {
	const char *theirs, *ours;
} kinds[] = {{"rd_latency_histogram", "read"}, {"wr_latency_histogram", "write"}, {"flush_latency_histogram", "flush"}};

json_t *qtune_histogram(const char *id)
{
	json_t *all = json_array();

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		json_array_append_new(all, json_integer((json_int_t)bounds[i]));
	return json_pack("{s:s, s:o}", "id", id, "boundaries", all);
}

/* A count, or a bound in ns: whole, and none that is out of reason. */
static uint64_t number(const json_t *a, size_t i)
{
	double v = json_number_value(json_array_get(a, i));

	return v > 0 && v < 9e15 ? (uint64_t)v : 0;
}

/* Bins of that kind, with their bounds below them; 0: none that make sense. */
static size_t bins(const json_t *stats, size_t kind, const json_t **bound, const json_t **bin)
{
	const json_t *h = json_object_get(stats, kinds[kind].theirs);
	size_t n;

	*bound = json_object_get(h, "boundaries");
	*bin = json_object_get(h, "bins");
	n = json_array_size(*bin);
	return n > 1 && n <= BINS_MAX && json_array_size(*bound) == n - 1 ? n : 0;
}

static void duration(uint64_t ns, char out[32])
{
	if (ns % 1000000000 == 0)
		snprintf(out, 32, "%llus", (unsigned long long)(ns / 1000000000));
	else if (ns % 1000000 == 0)
		snprintf(out, 32, "%llums", (unsigned long long)(ns / 1000000));
	else
		snprintf(out, 32, "%lluus", (unsigned long long)(ns / 1000));
}

json_t *qtune_latency(const json_t *stats)
{
	json_t *out = NULL;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const json_t *bound, *bin;
		size_t n = bins(stats, k, &bound, &bin);
		json_t *o = n ? json_object() : NULL;

		for (size_t i = 0; i < n; i++) {
			char name[48], text[32];

			if (!number(bin, i))
				continue;
			duration(number(bound, i < n - 1 ? i : i - 1), text);
			snprintf(name, sizeof name, i < n - 1 ? "under_%s" : "%s_or_more", text);
			json_object_set_new(o, name, json_integer((json_int_t)number(bin, i)));
		}
		if (!o)
			continue;
		out = out ?: json_object();
		json_object_set_new(out, kinds[k].ours, o);
	}
	return out;
}

uint64_t qtune_longer(const json_t *stats, uint64_t ns)
{
	uint64_t sum = 0;
	bool any = false;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const json_t *bound, *bin;
		size_t n = bins(stats, k, &bound, &bin);

		/* bin i begins at bound i - 1 */
		for (size_t i = 1; i < n; i++)
			sum += number(bound, i - 1) >= ns ? number(bin, i) : 0;
		any |= n > 0;
	}
	return any ? sum : UINT64_MAX;
}
