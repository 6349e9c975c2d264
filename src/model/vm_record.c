/* SPDX-License-Identifier: MPL-2.0 */
/* From a payload to a record, and from a record and a payload to the next record. Nothing is changed in place. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/model.h"
#include "model/vm.h"

#define SWAP_FLOOR 256
#define HVM_SLACK  256 /* MiB that the machine monitor needs beside the guest's memory */

const char *limit_priv_of(unsigned brand)
{
	return brand & B_HVM ? "default,-file_link_any,-net_access,-proc_fork,-proc_info,-proc_session" : "default";
}

static void set_int(json_t *rec, const char *key, int64_t v)
{
	json_object_set_new(rec, key, json_integer(v));
}

/* Given in this payload with a value, not merely unset. */
static bool given_int(const json_t *given, const char *key, int64_t *v)
{
	const json_t *j = json_object_get(given, key);

	if (!json_is_integer(j))
		return false;
	*v = json_integer_value(j);
	return true;
}

static int64_t at_least(int64_t v, int64_t min)
{
	return v < min ? min : v;
}

static int64_t at_most(int64_t v, int64_t max)
{
	return v > max ? max : v;
}

/*
 * The memory properties, in the contract's order. old is NULL for create. A property that the payload unsets is
 * derived as if the VM were new.
 */
static void derive_memory(json_t *rec, const json_t *old, const json_t *given, unsigned brand)
{
	int64_t was = old ? vm_int(old, "max_physical_memory", 0) : 0;
	int64_t ram = vm_int(old, "ram", 256), phys = was, locked, swap, tmpfs, v;
	bool fresh = !old;

	if (json_is_null(json_object_get(given, "ram")))
		ram = 256;
	if (json_is_null(json_object_get(given, "max_physical_memory")))
		fresh = true;
	bool ram_given = given_int(given, "ram", &ram);
	if (!given_int(given, "max_physical_memory", &phys) && (fresh || ram_given)) {
		phys = ram;
		if (brand & B_HVM)
			phys += brand == B_KVM ? 1024 : 1280;
		else if (!ram_given)
			phys = 256;
	}
	if (brand & B_ZONE)
		ram = phys;

	if (!given_int(given, "max_locked_memory", &locked))
		locked = old && !json_object_get(given, "max_locked_memory") ?
				 at_least(phys + vm_int(old, "max_locked_memory", was) - was, 0) : phys;
	if (!given_int(given, "max_swap", &swap)) {
		v = vm_int(old, "max_swap", was);
		/* One that only sat on the floor had no difference of its own. */
		if (!old || json_object_get(given, "max_swap") || (v == SWAP_FLOOR && was < SWAP_FLOOR))
			swap = phys;
		else
			swap = phys + v - was;
	}
	swap = at_least(swap, SWAP_FLOOR);

	if (brand & B_ZONE) {
		if (!given_int(given, "tmpfs", &tmpfs)) {
			v = vm_int(old, "tmpfs", was);
			if (!old || json_object_get(given, "tmpfs"))
				tmpfs = phys;
			else
				tmpfs = was > 0 && was != phys ? (int64_t)((double)v * (double)phys / (double)was + 0.5) : v;
		}
		set_int(rec, "tmpfs", at_most(tmpfs, phys));
	}
	if (brand & B_HVM) {
		phys = at_least(phys, ram + HVM_SLACK);
		locked = at_least(locked, ram + HVM_SLACK);
	}
	phys = at_most(phys, PROP_MIB_MAX);
	swap = at_most(swap, PROP_MIB_MAX);
	set_int(rec, "ram", ram);
	set_int(rec, "max_physical_memory", phys);
	set_int(rec, "max_locked_memory", at_most(locked, phys));
	set_int(rec, "max_swap", at_least(swap, phys));
	if (!json_object_get(rec, "max_shm_memory"))
		set_int(rec, "max_shm_memory", phys);
}

/* Defaults of what is absent, and the clamps that are not memory's. */
static void fill(json_t *rec, unsigned brand)
{
	/* 0 takes these away */
	static const char *const none[] = {"cpu_cap", "cpu_baseline", "io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops",
					   "io_read_bps_max", "io_write_bps_max", "io_read_iops_max", "io_write_iops_max", "io_burst_time",
					   "memory_reservation", "max_ram", "max_vcpus"};
	size_t n;
	const struct prop *p = prop_all(&n);
	json_t *o;
	size_t i;

	if (!json_object_get(rec, "limit_priv"))
		json_object_set_new(rec, "limit_priv", json_string(limit_priv_of(brand)));
	if (brand == B_BHYVE && !json_object_get(rec, "quota"))
		set_int(rec, "quota", 1);
	for (i = 0; i < n; i++) {
		if (!p[i].dflt || (p[i].flags & (PF_IMPLICIT | PF_VERB | PF_ONCE)) || strchr(p[i].name, '.') ||
		    !((p[i].create | p[i].receive) & brand) || json_object_get(rec, p[i].name))
			continue;
		json_object_set_new(rec, p[i].name, json_loads(p[i].dflt, JSON_DECODE_ANY, NULL));
	}
	if (vm_int(rec, "cpu_shares", 0) > 65535)
		set_int(rec, "cpu_shares", 65535);
	for (i = 0; i < ARRAY_LEN(none); i++)
		if (vm_int(rec, none[i], 1) == 0)
			json_object_del(rec, none[i]);
	if (str_eq(vm_str(rec, "dedicated_cpus"), "0"))
		json_object_del(rec, "dedicated_cpus");
	json_array_foreach(json_object_get(rec, "disks"), i, o)
		disk_tidy(o);
	nics_fill(json_object_get(rec, "nics"), brand == B_LX);
	json_array_foreach(json_object_get(rec, "devices"), i, o)
	{
		if (!json_object_get(o, "mode"))
			json_object_set_new(o, "mode", json_string("0600"));
	}
}

/* What steers a command only, or is a verb, is not part of the record. */
static void drop_unstored(json_t *rec)
{
	size_t n, i, k;
	const struct prop *p = prop_all(&n);
	json_t *o;

	for (i = 0; i < n; i++) {
		const char *dot = strstr(p[i].name, ".*.");

		if (!(p[i].flags & (PF_VERB | PF_ONCE)))
			continue;
		if (!dot) {
			json_object_del(rec, p[i].name);
			continue;
		}
		json_array_foreach(json_object_get(rec, "disks"), k, o)
			json_object_del(o, dot + 3);
	}
}

/*
 * The whole record again, as if it had just been loaded. What single values allow may still make a bad record: an
 * update that takes a NIC's tag away, an address filled in that another NIC has.
 */
static int recheck(const json_t *rec, json_t **report, struct err *e)
{
	_check_ struct check ck;
	_json_ json_t *scratch = json_object();

	check_init(&ck, M_LOAD, NULL);
	validate(&ck, rec, scratch);
	return check_end(&ck, report, e);
}

int vm_record_create(const json_t *payload, const char *now_iso, json_t **rec, json_t **report, struct err *e)
{
	_check_ struct check ck;
	_json_ json_t *out = json_object(), *given = NULL;
	char uuid[UUID_LEN + 1];
	int r;

	check_init(&ck, M_CREATE, NULL);
	validate(&ck, payload, out);
	r = check_end(&ck, report, e);
	if (r < 0)
		return r;
	given = json_copy(out);
	verbs_apply(&ck, out, given); /* create knows one verb: add_pci_devices */
	drop_unstored(out);
	if (!json_object_get(out, "uuid")) {
		uuid_make(uuid);
		json_object_set_new(out, "uuid", json_string(uuid));
	}
	if (!json_object_get(out, "zonename"))
		json_object_set(out, "zonename", json_object_get(out, "uuid"));
	derive_memory(out, NULL, given, ck.brand);
	fill(out, ck.brand);
	json_object_set_new(out, "v", json_integer(1));
	json_object_set_new(out, "create_timestamp", json_string(now_iso));
	json_object_set_new(out, "last_modified", json_string(now_iso));
	json_object_set_new(out, "zfs_filesystem", json_sprintf("%s/%s", vm_str(out, "zpool"), vm_str(out, "uuid")));
	r = recheck(out, report, e);
	if (r < 0)
		return r;
	*rec = take(out);
	return 0;
}

/*
 * What `get` printed comes back to us edited: then the members that update does not take, but that are as they were,
 * are not a wish. A payload made by hand gets no such leniency: it would be accepted and ignored.
 */
static json_t *wishes(const json_t *rec, const json_t *payload, unsigned brand)
{
	bool printed = str_eq(vm_str(payload, "uuid"), vm_str(rec, "uuid"));
	json_t *out = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)payload, key, v)
	{
		const struct prop *p = strchr(key, '.') ? NULL : prop_find(key);
		bool same = json_object_get(rec, key) && json_equal(v, json_object_get(rec, key));

		if (ignored_in_update(key))
			continue;
		if (printed && ((p && p->type == PROP_OUTPUT) || strcmp(key, "zone_state") == 0 || same))
			continue;
		if (same && p && !(p->update & brand))
			continue;
		json_object_set(out, key, v);
	}
	return out;
}

static json_t *difference(const json_t *old, const json_t *rec)
{
	size_t n;
	const struct prop *p = prop_all(&n);
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++) {
		const json_t *a = json_object_get(old, p[i].name), *b = json_object_get(rec, p[i].name);

		if (strchr(p[i].name, '.') || strcmp(p[i].name, "last_modified") == 0)
			continue;
		if (a != b && !json_equal(a, b))
			json_array_append_new(out, json_string(p[i].name));
	}
	return out;
}

/* An update that takes a part away, and does not speak of what was part of that, takes that away too. */
static void drop_parts(json_t *next, const json_t *given)
{
	static const char *const ceilings[][2] = {{"io_read_bps", "io_read_bps_max"}, {"io_write_bps", "io_write_bps_max"},
						  {"io_read_iops", "io_read_iops_max"}, {"io_write_iops", "io_write_iops_max"}};
	static const char *const kernel[][2] = {{"kernel", "initrd"}, {"kernel", "kernel_args"}, {"kernel", "kernel_sha256"}, {"initrd", "initrd_sha256"}};
	bool time_gone = json_object_get(given, "io_burst_time") && !vm_int(next, "io_burst_time", 0), left = false, gone = false;

	if (json_object_get(given, "cpu_baseline") && !json_object_get(given, "cpu_burst_time") && !vm_int(next, "cpu_baseline", 0))
		json_object_del(next, "cpu_burst_time");
	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		const char *base = ceilings[i][0], *max = ceilings[i][1];

		if (!json_object_get(given, max) && (time_gone || (json_object_get(given, base) && !vm_int(next, base, 0))))
			gone |= json_object_del(next, max) == 0;
		gone |= json_object_get(given, max) != NULL;
		left |= vm_int(next, max, 0) > 0;
	}
	if (gone && !left && !json_object_get(given, "io_burst_time"))
		json_object_del(next, "io_burst_time");
	for (size_t i = 0; i < ARRAY_LEN(kernel); i++)
		if (!json_object_get(next, kernel[i][0]) && !json_object_get(given, kernel[i][1]))
			json_object_del(next, kernel[i][1]);
}

int vm_record_update(const json_t *rec, const json_t *payload, const char *now_iso, json_t **out, json_t **changed,
		     json_t **report, struct err *e)
{
	_check_ struct check ck;
	_json_ json_t *next = NULL, *given = json_object(), *want = NULL, *diff = NULL;
	const char *key;
	json_t *v;
	int r;

	check_init(&ck, M_UPDATE, vm_str(rec, "brand"));
	if (!ck.brand)
		return err_set(e, EINVAL, "the VM's record has no brand");
	want = json_is_object(payload) ? wishes(rec, payload, ck.brand) : json_incref((json_t *)payload);
	validate(&ck, want, given);
	r = check_end(&ck, report, e);
	if (r < 0)
		return r;

	next = json_deep_copy(rec);
	json_object_foreach(given, key, v)
	{
		if (prop_find(key)->flags & (PF_VERB | PF_ONCE))
			continue;
		if (json_is_null(v))
			json_object_del(next, key);
		else
			json_object_set(next, key, v);
	}
	drop_parts(next, given);
	verbs_apply(&ck, next, given);
	drop_unstored(next);
	derive_memory(next, rec, given, ck.brand);
	fill(next, ck.brand);
	r = check_end(&ck, report, e);
	if (r == 0)
		r = recheck(next, report, e);
	if (r < 0)
		return r;
	diff = difference(rec, next);
	if (json_array_size(diff))
		json_object_set_new(next, "last_modified", json_string(now_iso));
	*out = take(next);
	if (changed)
		*changed = take(diff);
	return 0;
}
