/* SPDX-License-Identifier: MPL-2.0 */
/* Disks of a machine: what binds several members of one. */
#include <stdio.h>

#include "base/own.h"
#include "base/str.h"
#include "model/model.h"
#include "model/vm.h"

static const char *const ceilings[] = {"io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops"};

static void name_max(size_t i, char out[24])
{
	snprintf(out, 24, "%s_max", ceilings[i]);
}

static bool has(const json_t *o, const char *key)
{
	return json_object_get(o, key) != NULL;
}

/* Of an update's object only what contradicts itself: the record that it makes is checked whole. */
static void bursts(struct check *ck, const json_t *o, bool part)
{
	int64_t time = vm_int(o, "io_burst_time", 0);
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		int64_t base = vm_int(o, ceilings[i], 0), max;
		char name[24], path[40];

		name_max(i, name);
		max = vm_int(o, name, 0);
		any |= max > 0;
		if (max <= 0 || (part && !has(o, ceilings[i])))
			continue;
		snprintf(path, sizeof path, "disks.*.%s", name);
		if (!base)
			check_note(ck, CHECK_BAD_VALUE, path, "%s: there is no %s to be above", path, ceilings[i]);
		else if (max <= base)
			check_note(ck, CHECK_BAD_VALUE, path, "%s: %lld is not more than %s, %lld", path, (long long)max, ceilings[i], (long long)base);
		else if (!part && time <= 0)
			check_note(ck, CHECK_BAD_VALUE, path, "%s: there is no io_burst_time", path);
		else if (time > 0 && max > PROP_DISK_IO_MAX / time)
			check_note(ck, CHECK_BAD_VALUE, path, "%s: for io_burst_time, %lld, at most %lld", path, (long long)time,
				   (long long)(PROP_DISK_IO_MAX / time));
	}
	if (!part && time > 0 && !any)
		check_note(ck, CHECK_BAD_VALUE, "disks.*.io_burst_time", "disks.*.io_burst_time: there is no io_read_bps_max, io_write_bps_max, "
			   "io_read_iops_max or io_write_iops_max to use it for");
}

void disks_cross(struct check *ck, const json_t *rec)
{
	static const char *const lists[] = {"disks", "add_disks", "update_disks"};
	json_t *o;
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		json_array_foreach(json_object_get(rec, lists[k]), i, o)
			bursts(ck, o, str_eq(lists[k], "update_disks"));
}

void disk_tidy(json_t *o)
{
	bool time_gone = has(o, "io_burst_time") && !vm_int(o, "io_burst_time", 0), had = false, left = false;
	char name[24];

	/* 0 takes these away, and what was part of them */
	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		name_max(i, name);
		had |= has(o, name);
		if (has(o, ceilings[i]) && !vm_int(o, ceilings[i], 0)) {
			json_object_del(o, ceilings[i]);
			json_object_del(o, name);
		}
		if (has(o, name) && (time_gone || !vm_int(o, name, 0)))
			json_object_del(o, name);
		left |= has(o, name);
	}
	if (has(o, "refreservation") && !vm_int(o, "refreservation", 0))
		json_object_del(o, "refreservation");
	if (time_gone || (had && !left))
		json_object_del(o, "io_burst_time");
}
