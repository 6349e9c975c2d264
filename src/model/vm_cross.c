/* SPDX-License-Identifier: MPL-2.0 */
/* Rules that bind several values: within one object, between objects, and across a whole record. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/caps.h"
#include "model/check.h"
#include "model/model.h"
#include "model/vm.h"

/* No two objects of an array with the same member. */
static void unique(struct check *ck, const json_t *rec, const char *list, const char *key)
{
	json_t *a = json_object_get(rec, list), *o, *seen;
	char path[64];
	size_t i;

	if (!json_is_array(a))
		return;
	seen = json_object();
	snprintf(path, sizeof path, "%s.*.%s", list, key);
	json_array_foreach(a, i, o)
	{
		const char *s = vm_str(o, key);

		if (!s)
			continue;
		if (json_object_get(seen, s))
			check_note(ck, CHECK_BAD_VALUE, path, "%s: %.128s is given twice", path, s);
		json_object_set_new(seen, s, json_true());
	}
	json_decref(seen);
}

static bool has_option(const json_t *options, const char *word)
{
	size_t i;
	json_t *v;

	json_array_foreach(options, i, v)
	{
		if (str_eq(json_string_value(v), word))
			return true;
	}
	return false;
}

static void filesystems(struct check *ck, const json_t *rec, const char *list)
{
	json_t *o, *opt;
	char path[64];
	size_t i, k;

	snprintf(path, sizeof path, "%s.*.options", list);
	json_array_foreach(json_object_get(rec, list), i, o)
	{
		json_t *options = json_object_get(o, "options");
		const char *type = vm_str(o, "type");

		if (has_option(options, "ro") && has_option(options, "rw"))
			check_note(ck, CHECK_BAD_VALUE, path, "%s: ro and rw exclude each other", path);
		json_array_foreach(options, k, opt)
		{
			if (type && strcmp(type, "tmpfs") != 0 && str_starts(json_string_value(opt), "size="))
				check_note(ck, CHECK_BAD_VALUE, path, "%s: size= is for tmpfs", path);
		}
		if (type && (strcmp(type, "tmpfs") == 0 || strcmp(type, "lofs") == 0) && json_object_get(o, "raw")) {
			char raw[64];

			snprintf(raw, sizeof raw, "%s.*.raw", list);
			check_note(ck, CHECK_BAD_VALUE, raw, "%s: a %s has no device", raw, type);
		}
	}
}

static bool conf_word(const char *s)
{
	return strcmp(s, "dhcp") == 0 || strcmp(s, "addrconf") == 0;
}

/* gateway is the first of gateways that is IPv4: one of them says it, or both say the same. */
static void nic_gateway(struct check *ck, const json_t *o, const char *list)
{
	const char *one = vm_str(o, "gateway"), *first = NULL;
	const json_t *all = json_object_get(o, "gateways");
	char path[64];

	for (size_t i = 0; !first && i < json_array_size(all); i++) {
		first = json_string_value(json_array_get(all, i));
		if (first && strchr(first, ':'))
			first = NULL;
	}
	if (!one || !all || (first && strcmp(one, first) == 0))
		return;
	snprintf(path, sizeof path, "%s.*.gateway", list);
	check_note(ck, CHECK_BAD_VALUE, path, "%s: %s is not the first of gateways", path, one);
}

static void nic(struct check *ck, const json_t *o, const char *list, json_t *addresses)
{
	const json_t *ips = json_object_get(o, "ips"), *cids = json_object_get(o, "allowed_dhcp_cids");
	const char *ip = vm_str(o, "ip"), *first = json_string_value(json_array_get(ips, 0)), *tag = vm_str(o, "nic_tag");
	size_t n, i, len = 0;
	char path[64], full[160], addr[STR_IP];
	json_t *v;

	n = json_array_size(ips) + json_array_size(json_object_get(o, "allowed_ips")) +
	    (json_object_get(o, "vrrp_primary_ip") != NULL);
	if (n > 32) {
		snprintf(path, sizeof path, "%s.*.allowed_ips", list);
		check_note(ck, CHECK_BAD_VALUE, path, "%s: more than 32 addresses with ips and vrrp_primary_ip", path);
	}
	json_array_foreach(cids, i, v)
		len += json_string_length(v) + 1;
	if (len > 1024) {
		snprintf(path, sizeof path, "%s.*.allowed_dhcp_cids", list);
		check_note(ck, CHECK_BAD_VALUE, path, "%s: 1024 characters or more together", path);
	}
	if (ip && first && !conf_word(first) && !(str_starts(first, ip) && first[strlen(ip)] == '/')) {
		snprintf(path, sizeof path, "%s.*.ip", list);
		check_note(ck, CHECK_BAD_VALUE, path, "%s: %s is not the first of ips", path, ip);
	}
	nic_gateway(ck, o, list);
	/* The same address twice on one link. */
	json_array_foreach(ips, i, v)
	{
		const char *s = json_string_value(v);

		if (conf_word(s))
			continue;
		snprintf(full, sizeof full, "%s|%lld|%s", tag ? tag : "", (long long)vm_int(o, "vlan_id", 0), str_ip(s, addr));
		snprintf(path, sizeof path, "%s.*.ips", list);
		if (json_object_get(addresses, full))
			check_note(ck, CHECK_BAD_VALUE, path, "%s: %s is given twice on nic_tag %s", path, s, tag ? tag : "?");
		json_object_set_new(addresses, full, json_true());
	}
	if (ip && !ips && !conf_word(ip)) {
		snprintf(full, sizeof full, "%s|%lld|%s", tag ? tag : "", (long long)vm_int(o, "vlan_id", 0), ip);
		snprintf(path, sizeof path, "%s.*.ip", list);
		if (json_object_get(addresses, full))
			check_note(ck, CHECK_BAD_VALUE, path, "%s: %s is given twice on nic_tag %s", path, ip, tag ? tag : "?");
		json_object_set_new(addresses, full, json_true());
	}
}

static void nics(struct check *ck, const json_t *rec, const char *list)
{
	json_t *a = json_object_get(rec, list), *o, *addresses = json_object(), *vrids = json_object();
	unsigned primary = 0;
	char path[64], vrid[96];
	size_t i;

	json_array_foreach(a, i, o)
	{
		nic(ck, o, list, addresses);
		if (vm_bool(o, "primary", false) && ++primary == 2) {
			snprintf(path, sizeof path, "%s.*.primary", list);
			check_note(ck, CHECK_BAD_VALUE, path, "%s: only one NIC can be primary", path);
		}
		if (json_object_get(o, "vrrp_vrid")) {
			snprintf(vrid, sizeof vrid, "%s|%lld|%lld", vm_str(o, "nic_tag") ? vm_str(o, "nic_tag") : "",
				 (long long)vm_int(o, "vlan_id", 0), (long long)vm_int(o, "vrrp_vrid", 0));
			snprintf(path, sizeof path, "%s.*.vrrp_vrid", list);
			if (json_object_get(vrids, vrid))
				check_note(ck, CHECK_BAD_VALUE, path, "%s: %lld is given twice", path,
					   (long long)vm_int(o, "vrrp_vrid", 0));
			json_object_set_new(vrids, vrid, json_true());
		}
	}
	json_decref(addresses);
	json_decref(vrids);
	unique(ck, rec, list, "mac");
	unique(ck, rec, list, "interface");
}

static void hvm(struct check *ck, const json_t *rec)
{
	static const struct {
		const char *list, *driver;
	} models[] = {{"nics", "nic_driver"}, {"disks", "disk_driver"}};
	static const struct {
		const char *name, *max;
		int64_t dflt;
	} most[] = {{"ram", "max_ram", 256}, {"vcpus", "max_vcpus", 1}};
	static const char *const of_kernel[] = {"initrd", "kernel_args"};
	unsigned boot = 0;
	char path[64];
	size_t i;
	json_t *o;

	for (size_t k = 0; k < ARRAY_LEN(of_kernel) && ck->mode != M_UPDATE; k++)
		if (json_object_get(rec, of_kernel[k]) && !json_object_get(rec, "kernel"))
			check_note(ck, CHECK_BAD_VALUE, of_kernel[k], "%s: there is no kernel for it", of_kernel[k]);
	/* Room for what is added to it. */
	if (vm_int(rec, "ram", 0) > PROP_MIB_MAX / 2)
		check_note(ck, CHECK_BAD_VALUE, "ram", "ram: must be at most %lld", PROP_MIB_MAX / 2);
	for (size_t k = 0; k < ARRAY_LEN(most) && ck->mode != M_UPDATE; k++) {
		int64_t is = vm_int(rec, most[k].name, most[k].dflt), max = vm_int(rec, most[k].max, 0);

		if (max > 0 && is > max)
			check_note(ck, CHECK_BAD_VALUE, most[k].name, "%s: %lld is more than %s, %lld", most[k].name, (long long)is, most[k].max, (long long)max);
	}
	for (size_t k = 0; k < ARRAY_LEN(models) && ck->mode != M_UPDATE; k++) {
		json_array_foreach(json_object_get(rec, models[k].list), i, o)
		{
			if (json_object_get(o, "model") || json_object_get(rec, models[k].driver))
				continue;
			snprintf(path, sizeof path, "%s.%zu.model", models[k].list, i);
			check_note(ck, CHECK_MISSING, path, "%s is missing (or %s)", path, models[k].driver);
		}
	}
	json_array_foreach(json_object_get(rec, "disks"), i, o)
	{
		if (vm_bool(o, "boot", false) && ++boot == 2)
			check_note(ck, CHECK_BAD_VALUE, "disks.*.boot", "disks.*.boot: only one disk can be booted from");
	}
}

/* A word that nobody knows is wrong; one that Linux can't grant is vm_available()'s to refuse. */
static void privileges(struct check *ck, const json_t *rec)
{
	const char *words = vm_str(rec, "limit_priv");
	uint64_t caps, seccomp;
	struct err e = ERR_INIT;

	if (words && caps_from_limit_priv(&words, 1, &caps, &seccomp, &e) == -EINVAL)
		check_note(ck, CHECK_BAD_VALUE, "limit_priv", "%s", e.msg);
}

/* Of a payload of update only what it gives itself; the record that it makes is checked whole. */
static void cpus(struct check *ck, const json_t *rec)
{
	int64_t cap = vm_int(rec, "cpu_cap", 0), base = vm_int(rec, "cpu_baseline", 0);

	if (cap > 0 && base > cap)
		check_note(ck, CHECK_BAD_VALUE, "cpu_baseline", "cpu_baseline: %lld is more than cpu_cap, %lld", (long long)base,
			   (long long)cap);
	if (ck->mode != M_UPDATE && !base && json_is_integer(json_object_get(rec, "cpu_burst_time")))
		check_note(ck, CHECK_BAD_VALUE, "cpu_burst_time", "cpu_burst_time: there is no cpu_baseline to run above");
}

/* As cpus(): of an update's payload only what contradicts itself. */
static void io_bursts(struct check *ck, const json_t *rec)
{
	static const char *const ceilings[] = {"io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops"};
	int64_t time = vm_int(rec, "io_burst_time", 0);
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		int64_t base = vm_int(rec, ceilings[i], 0), max;
		char name[24];

		snprintf(name, sizeof name, "%s_max", ceilings[i]);
		max = vm_int(rec, name, 0);
		any |= max > 0;
		if (max <= 0 || (ck->mode == M_UPDATE && !base))
			continue;
		if (!base)
			check_note(ck, CHECK_BAD_VALUE, name, "%s: there is no %s to be above", name, ceilings[i]);
		else if (max <= base)
			check_note(ck, CHECK_BAD_VALUE, name, "%s: %lld is not more than %s, %lld", name, (long long)max, ceilings[i],
				   (long long)base);
		else if (ck->mode != M_UPDATE && time <= 0)
			check_note(ck, CHECK_BAD_VALUE, name, "%s: there is no io_burst_time", name);
	}
	if (ck->mode != M_UPDATE && time > 0 && !any)
		check_note(ck, CHECK_BAD_VALUE, "io_burst_time", "io_burst_time: there is no io_read_bps_max, io_write_bps_max, io_read_iops_max "
			   "or io_write_iops_max to use it for");
}

static void reservation(struct check *ck, const json_t *rec)
{
	int64_t mem = vm_int(rec, "max_physical_memory", 0), low = vm_int(rec, "memory_reservation", 0);

	if (ck->mode != M_UPDATE && mem > 0 && low > mem)
		check_note(ck, CHECK_BAD_VALUE, "memory_reservation", "memory_reservation: %lld is more than max_physical_memory, %lld",
			   (long long)low, (long long)mem);
}

void cross_check(struct check *ck, const json_t *rec)
{
	reservation(ck, rec);
	cpus(ck, rec);
	io_bursts(ck, rec);
	if (ck->brand & B_ZONE)
		privileges(ck, rec);
	nics(ck, rec, "nics");
	nics(ck, rec, "add_nics");
	filesystems(ck, rec, "filesystems");
	filesystems(ck, rec, "add_filesystems");
	filesystems(ck, rec, "update_filesystems");
	unique(ck, rec, "filesystems", "target");
	unique(ck, rec, "add_filesystems", "target");
	unique(ck, rec, "devices", "match");
	unique(ck, rec, "add_devices", "match");
	unique(ck, rec, "disks", "path");
	unique(ck, rec, "add_disks", "path");
	unique(ck, rec, "pci_devices", "path");
	disks_cross(ck, rec);
	if (ck->brand != B_ALL && (ck->brand & B_HVM))
		hvm(ck, rec);
}

/* -------- what follows from a NIC's other members -------- */

static void from_ips(json_t *o)
{
	const char *s = json_string_value(json_array_get(json_object_get(o, "ips"), 0));
	char addr[64], mask[20];
	uint64_t len;

	if (!s || strcmp(s, "addrconf") == 0)
		return;
	if (strcmp(s, "dhcp") == 0) {
		json_object_set_new(o, "ip", json_string("dhcp"));
		return;
	}
	if (strchr(s, ':') || strcspn(s, "/") >= sizeof addr || str_to_u64(strchr(s, '/') + 1, &len) < 0)
		return;
	snprintf(addr, sizeof addr, "%.*s", (int)strcspn(s, "/"), s);
	uint32_t m = len ? ~0u << (32 - (len > 32 ? 32 : len)) : 0;
	snprintf(mask, sizeof mask, "%u.%u.%u.%u", m >> 24, m >> 16 & 255, m >> 8 & 255, m & 255);
	json_object_set_new(o, "ip", json_string(addr));
	json_object_set_new(o, "netmask", json_string(mask));
}

static void nic_fill(json_t *o)
{
	const char *ip = vm_str(o, "ip");
	json_t *a, *v;
	size_t i;

	if (json_object_get(o, "ips")) {
		from_ips(o);
	} else if (ip) {
		a = json_array();
		if (strcmp(ip, "dhcp") == 0)
			json_array_append_new(a, json_string("dhcp"));
		else
			json_array_append_new(a, json_sprintf("%s/%d", ip, mask_to_prefix(vm_str(o, "netmask"))));
		json_object_set_new(o, "ips", a);
	}
	a = json_object_get(o, "gateways");
	if (a && !json_object_get(o, "gateway")) {
		json_array_foreach(a, i, v)
		{
			if (strchr(json_string_value(v), ':'))
				continue;
			json_object_set(o, "gateway", v);
			break;
		}
	} else if (!a && json_object_get(o, "gateway")) {
		json_object_set_new(o, "gateways", json_pack("[O]", json_object_get(o, "gateway")));
	}
}

void nic_changed(json_t *o, const json_t *change)
{
	if (json_object_get(change, "ips")) {
		json_object_del(o, "ip");
		json_object_del(o, "netmask");
		if (json_is_string(json_object_get(change, "ip")))
			json_object_set(o, "ip", json_object_get(change, "ip"));
	} else if (json_object_get(change, "ip") || json_object_get(change, "netmask")) {
		json_object_del(o, "ips");
	}
	if (json_object_get(change, "gateways"))
		json_object_del(o, "gateway");
	else if (json_object_get(change, "gateway"))
		json_object_del(o, "gateways");
}

void nics_fill(json_t *nics_, bool lx)
{
	char uuid[UUID_LEN + 1], name[16];
	bool primary = false;
	size_t i, k;
	json_t *o, *other;

	json_array_foreach(nics_, i, o)
	{
		nic_fill(o);
		if (!json_object_get(o, "mac")) {
			/* The second hex digit 2: locally administered, unicast. */
			uuid_make(uuid);
			json_object_set_new(o, "mac", json_sprintf("%c2:%.2s:%.2s:%.2s:%.2s:%.2s", uuid[0], uuid + 2, uuid + 4,
								   uuid + 6, uuid + 24, uuid + 26));
		}
		for (unsigned n = 0; !json_object_get(o, "interface"); n++) {
			bool taken = false;

			snprintf(name, sizeof name, "%s%u", lx ? "eth" : "net", n);
			json_array_foreach(nics_, k, other)
				taken |= str_eq(vm_str(other, "interface"), name);
			if (!taken)
				json_object_set_new(o, "interface", json_string(name));
		}
		primary |= vm_bool(o, "primary", false);
	}
	if (!primary && json_array_size(nics_))
		json_object_set_new(json_array_get(nics_, 0), "primary", json_true());
}
