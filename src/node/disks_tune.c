/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a running machine's disks have beside their files: ceilings, and counts of how long requests take. Both are the monitor's: they
 * hold a guest, not who has taken the monitor over, whom the zone's own ceilings hold. It is asked what it has, told what differs, and asked again.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "hvm/qtune.h"
#include "model/vm.h"
#include "node/disks.h"

#define ANSWER_MS 5000

/* The device above that node. */
static const json_t *device_of(const json_t *all, const char *name, const char *under)
{
	const json_t *d;
	size_t i;

	json_array_foreach(all, i, d)
		if (str_eq(json_string_value(json_object_get(under ? json_object_get(d, under) : d, "node-name")), name))
			return d;
	return NULL;
}

static int count(struct qmp *q, const json_t *rec, uint64_t until, struct err *e)
{
	_json_ json_t *all = NULL;
	const json_t *d;
	size_t i;
	int r = qmp_do(q, "query-blockstats", NULL, ANSWER_MS, &all, e);

	json_array_foreach(json_object_get(rec, "disks"), i, d)
	{
		const json_t *has;
		const char *id;
		qdisk_name name;

		if (r < 0 || clock_mono_ns() >= until)
			break;
		qdisk_name_of(rec, d, name);
		has = device_of(all, name, NULL);
		id = json_string_value(json_object_get(has, "qdev"));
		if (id && !json_object_get(json_object_get(has, "stats"), "rd_latency_histogram"))
			r = qmp_say(q, "block-latency-histogram-set", qtune_histogram(id), ANSWER_MS, e);
	}
	return r < 0 ? r : qmp_settle(q, ANSWER_MS, e);
}

/* Whether the guest's discards reach the file is what goes with detect-zeroes (qdisk_node), which it tells of. */
static int reopen(struct qmp *q, const json_t *inserted, const json_t *disk, const char *name, struct err *e)
{
	const char *file = json_string_value(json_object_get(inserted, "file"));
	long long set = -1;
	_json_ json_t *want = NULL;

	if (!file || sscanf(file, "/dev/fdset/%lld", &set) != 1)
		return 0;
	want = qdisk_node(disk, name, set);
	if (str_eq(json_string_value(json_object_get(inserted, "detect_zeroes")), vm_str(want, "detect-zeroes")))
		return 0;
	return qmp_do(q, "blockdev-reopen", json_pack("{s:[O]}", "options", want), ANSWER_MS, NULL, e);
}

/* set: what differs is set; else it is an error. 1 = something was. */
static int ceilings(struct qmp *q, const json_t *rec, bool set, uint64_t until, struct err *e)
{
	_json_ json_t *all = NULL;
	const json_t *d;
	bool some = false;
	size_t i;
	int r = qmp_do(q, "query-block", NULL, ANSWER_MS, &all, e);

	json_array_foreach(json_object_get(rec, "disks"), i, d)
	{
		const json_t *has;
		const char *id;
		qdisk_name name;

		if (r < 0)
			break;
		if (clock_mono_ns() >= until)
			return err_set(e, ETIME, "QEMU takes too long over its disks");
		qdisk_name_of(rec, d, name);
		has = device_of(all, name, "inserted");
		/* of a disk that it has not there is nothing to hold */
		if (has && set && !qdisk_cdrom(d) && (r = reopen(q, json_object_get(has, "inserted"), d, name, e)) < 0)
			return err_add(e, "disk %s", vm_str(d, "path"));
		if (!has || qtune_has(json_object_get(has, "inserted"), d))
			continue;
		id = json_string_value(json_object_get(has, "qdev"));
		if (!set || !id)
			return err_set(e, EIO, "disk %s: QEMU has not taken its ceilings", vm_str(d, "path"));
		some = true;
		r = qmp_do(q, "block_set_io_throttle", qtune_ceilings(d, id), ANSWER_MS, NULL, e);
		if (r < 0)
			err_add(e, "disk %s: its ceilings", vm_str(d, "path"));
	}
	return r < 0 ? r : some;
}

int disks_tune(struct qmp *q, const json_t *rec, uint64_t until, struct err *e)
{
	int r = ceilings(q, rec, true, until, e);

	if (r == 1)
		r = ceilings(q, rec, false, until, e);
	return r < 0 ? r : count(q, rec, until, e);
}
