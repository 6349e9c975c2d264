/* SPDX-License-Identifier: MPL-2.0 */
/* Records: defaults, coercion, derivations, update and its verbs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "payload.h"

#define NOW   "2026-01-31T12:00:00.000Z"
#define LATER "2026-01-31T13:00:00.000Z"
#define IMG   "11111111-2222-3333-4444-555555555555"

static json_t *create(const char *text)
{
	_json_ json_t *p = parse(text);
	struct err e = ERR_INIT;
	json_t *rec = NULL;

	if (vm_record_create(p, NOW, &rec, NULL, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return rec;
}

static json_t *update(const json_t *rec, const char *text, json_t **changed)
{
	_json_ json_t *p = parse(text);
	struct err e = ERR_INIT;
	json_t *out = NULL;

	if (vm_record_update(rec, p, LATER, &out, changed, NULL, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return out;
}

/* Refused with this member in that list of the report. */
static void refused(const json_t *rec, const char *text, const char *list, const char *member)
{
	_json_ json_t *p = parse(text), *report = NULL, *out = NULL, *changed = NULL;
	struct err e = ERR_INIT;
	int r = rec ? vm_record_update(rec, p, LATER, &out, &changed, &report, &e) :
		      vm_record_create(p, NOW, &out, &report, &e);
	size_t i;
	json_t *v;

	if (r != -EINVAL || !report || out || changed || !e.msg[0])
		fail_msg("%s: not refused (%d)", text, r);
	json_array_foreach(json_object_get(report, list), i, v)
	{
		if (strcmp(json_string_value(v), member) == 0)
			return;
	}
	_free_ char *t = json_dumps(report, 0);
	fail_msg("%s: %s", text, t);
}

static void equal(const json_t *rec, const char *key, const char *json)
{
	_json_ json_t *want = json_loads(json, JSON_DECODE_ANY, NULL);
	_free_ char *got = json_dumps(json_object_get(rec, key), JSON_ENCODE_ANY | JSON_COMPACT);

	if (!json_equal(want, json_object_get(rec, key)))
		fail_msg("%s: %s, not %s", key, got ? got : "absent", json);
}

static void defaults(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent-minimal\"}");
	static const char *const want[][2] = {
		{"autoboot", "true"}, {"zpool", "\"zones\""}, {"dns_domain", "\"local\""}, {"cpu_shares", "100"},
		{"zfs_io_priority", "100"}, {"max_lwps", "2000"}, {"ram", "256"}, {"max_physical_memory", "256"},
		{"max_locked_memory", "256"}, {"max_swap", "256"}, {"tmpfs", "256"}, {"quota", "10"},
		{"max_msg_ids", "4096"}, {"max_sem_ids", "4096"}, {"max_shm_ids", "4096"}, {"max_shm_memory", "256"},
		{"limit_priv", "\"default\""}, {"v", "1"}, {"owner_uuid", "\"00000000-0000-0000-0000-000000000000\""},
		{"billing_id", "\"00000000-0000-0000-0000-000000000000\""}, {"tags", "{}"}, {"customer_metadata", "{}"},
		{"internal_metadata", "{}"}, {"routes", "{}"}, {"nics", "[]"}, {"resolvers", "[]"},
		{"firewall_enabled", "false"}, {"create_timestamp", "\"" NOW "\""}, {"last_modified", "\"" NOW "\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		equal(r, want[i][0], want[i][1]);
	assert_true(uuid_valid(vm_str(r, "uuid")));
	assert_string_equal(vm_str(r, "zonename"), vm_str(r, "uuid"));
	assert_memory_equal(vm_str(r, "zfs_filesystem"), "zones/", 6);
	assert_string_equal(vm_str(r, "zfs_filesystem") + 6, vm_str(r, "uuid"));
	assert_null(json_object_get(r, "vcpus"));
	assert_null(json_object_get(r, "cpu_cap"));
	assert_int_equal(vm_available(r, NULL), 0);
}

static void coercion(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"autoboot\":\"false\",\"hostname\":null,\"alias\":\"\","
				  "\"indestructible_zoneroot\":\"1\",\"do_not_inventory\":1,\"ram\":\"512\",\"cpu_cap\":150.0,"
				  "\"quota\":0,\"limit_priv\":[\"default\",\"dtrace_user\"],\"fs_allowed\":\"ext4, xfs\","
				  "\"cpu_shares\":100000,\"nowait\":true}");

	equal(r, "autoboot", "false");
	equal(r, "indestructible_zoneroot", "true");
	equal(r, "do_not_inventory", "true");
	equal(r, "ram", "512");
	equal(r, "cpu_cap", "150");
	equal(r, "quota", "0");
	equal(r, "limit_priv", "\"default,dtrace_user\"");
	equal(r, "fs_allowed", "\"ext4,xfs\"");
	equal(r, "cpu_shares", "65535");
	assert_null(json_object_get(r, "alias"));
	assert_null(json_object_get(r, "nowait"));
	refused(NULL, "{\"brand\":\"joyent\",\"ram\":1.5}", "bad_values", "ram");
	refused(NULL, "{\"brand\":\"joyent\",\"ram\":true}", "bad_values", "ram");
	refused(NULL, "{\"brand\":\"joyent\",\"ram\":\"1e3\"}", "bad_values", "ram");
	refused(NULL, "{\"brand\":\"joyent\",\"autoboot\":2}", "bad_values", "autoboot");
	refused(NULL, "{\"brand\":\"joyent\",\"autoboot\":\"yes\"}", "bad_values", "autoboot");
	refused(NULL, "{\"brand\":\"joyent\",\"alias\":7}", "bad_values", "alias");
	refused(NULL, "{\"brand\":\"joyent\",\"tags\":{\"a\":[]}}", "bad_values", "tags");
	refused(NULL, "{\"brand\":\"joyent\",\"tags\":{\"a\":null}}", "bad_values", "tags");
	refused(NULL, "{\"brand\":\"joyent\",\"max_swap\":255}", "bad_values", "max_swap");
}

static void memory_on_create(void **s)
{
	_json_ json_t *a = create("{\"brand\":\"joyent\",\"max_physical_memory\":1024,\"max_locked_memory\":2048,\"tmpfs\":4096}");
	_json_ json_t *b = create("{\"brand\":\"joyent\",\"ram\":128}");
	_json_ json_t *k = create("{\"brand\":\"kvm\",\"ram\":512}");
	_json_ json_t *h = create("{\"brand\":\"bhyve\",\"ram\":512}");
	_json_ json_t *l = create("{\"brand\":\"kvm\",\"ram\":512,\"max_physical_memory\":600,\"max_locked_memory\":1}");

	equal(a, "ram", "1024");
	equal(a, "max_locked_memory", "1024");
	equal(a, "max_swap", "1024");
	equal(a, "tmpfs", "1024");
	equal(a, "max_shm_memory", "1024");
	equal(b, "max_physical_memory", "128");
	equal(b, "max_swap", "256");
	equal(b, "tmpfs", "128");
	equal(k, "max_physical_memory", "1536");
	equal(k, "max_locked_memory", "1536");
	equal(k, "quota", "10");
	equal(k, "vcpus", "1");
	assert_null(json_object_get(k, "tmpfs"));
	equal(h, "max_physical_memory", "1792");
	equal(h, "quota", "1");
	equal(l, "max_physical_memory", "768");
	equal(l, "max_locked_memory", "768");
	equal(l, "max_swap", "768");
	assert_int_equal(vm_available(k, NULL), 0);
	assert_int_equal(vm_available(h, NULL), -ENOTSUP);
}

static void memory_on_update(void **s)
{
	_json_ json_t *a = create("{\"brand\":\"joyent\",\"max_physical_memory\":1024,\"max_locked_memory\":512,"
				  "\"max_swap\":1536,\"tmpfs\":256}");
	_json_ json_t *floor = create("{\"brand\":\"joyent\",\"ram\":128}");
	_json_ json_t *k = create("{\"brand\":\"kvm\",\"ram\":512}");
	_json_ json_t *big = update(a, "{\"max_physical_memory\":2048}", NULL), *small = update(a, "{\"ram\":256}", NULL);
	_json_ json_t *up = update(floor, "{\"ram\":1024}", NULL), *kk = update(k, "{\"ram\":1024}", NULL);
	_json_ json_t *only = update(a, "{\"max_swap\":300}", NULL), *unset = update(a, "{\"max_locked_memory\":\"\"}", NULL);

	equal(big, "ram", "2048");
	equal(big, "max_locked_memory", "1536");
	equal(big, "max_swap", "2560");
	equal(big, "tmpfs", "512");
	equal(big, "max_shm_memory", "1024");
	equal(small, "max_physical_memory", "256");
	equal(small, "max_locked_memory", "0");
	equal(small, "max_swap", "768");
	equal(small, "tmpfs", "64");
	equal(up, "max_swap", "1024");
	equal(kk, "max_physical_memory", "2048");
	equal(kk, "max_locked_memory", "2048");
	equal(only, "max_swap", "1024");
	equal(unset, "max_locked_memory", "1024");
}

static void update_plain(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"alias\":\"a\",\"cpu_cap\":100,\"quota\":5,\"ram\":512,\"autoboot\":false}");
	_json_ json_t *changed = NULL, *none = NULL;
	_json_ json_t *u = update(r, "{\"alias\":null,\"cpu_cap\":0,\"quota\":\"0\",\"uuid\":\"x\",\"brand\":\"lx\","
				     "\"zonename\":1,\"hvm\":true,\"server_uuid\":\"\",\"last_modified\":3,\"autoboot\":\"\"}", &changed);
	_json_ json_t *same = update(r, "{\"ram\":\"512\"}", &none), *q = update(u, "{\"quota\":\"\"}", NULL);

	assert_null(json_object_get(u, "alias"));
	assert_null(json_object_get(u, "cpu_cap"));
	equal(u, "quota", "0");
	equal(q, "quota", "10");
	equal(u, "autoboot", "true");
	equal(u, "brand", "\"joyent\"");
	equal(u, "last_modified", "\"" LATER "\"");
	json_t *want = json_loads("[\"autoboot\",\"cpu_cap\",\"alias\",\"quota\"]", 0, NULL);
	assert_true(json_equal(changed, want));
	json_decref(want);
	assert_int_equal(json_array_size(none), 0);
	equal(same, "last_modified", "\"" NOW "\"");
	refused(r, "{\"image_uuid\":\"" IMG "\"}", "bad_properties", "image_uuid");
	refused(r, "{\"tags\":{\"a\":1}}", "bad_properties", "tags");
	refused(r, "{\"state\":\"stopped\"}", "bad_properties", "state");
	refused(r, "{\"vcpus\":2}", "bad_properties", "vcpus");
	refused(r, "{\"quota\":-1}", "bad_values", "quota");
}

/* A burst time goes with the baseline that it was above, unless it is asked for. */
static void update_baseline(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"cpu_cap\":100,\"cpu_baseline\":20,\"cpu_burst_time\":60}");
	_json_ json_t *zero = update(r, "{\"cpu_baseline\":0}", NULL), *null = update(r, "{\"cpu_baseline\":null}", NULL),
		      *other = update(r, "{\"cpu_baseline\":30}", NULL);

	assert_null(json_object_get(zero, "cpu_baseline"));
	assert_null(json_object_get(zero, "cpu_burst_time"));
	assert_null(json_object_get(null, "cpu_burst_time"));
	equal(other, "cpu_burst_time", "60");
	refused(r, "{\"cpu_baseline\":0,\"cpu_burst_time\":5}", "bad_values", "cpu_burst_time");
}

/* So do the bursts of ceilings. */
static void update_ceilings(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"io_write_bps\":100,\"io_write_bps_max\":500,\"io_read_iops\":10,"
				  "\"io_read_iops_max\":20,\"io_burst_time\":60}");
	_json_ json_t *one = update(r, "{\"io_write_bps\":0}", NULL), *both = update(one, "{\"io_read_iops\":null}", NULL),
		      *time = update(r, "{\"io_burst_time\":0}", NULL), *max = update(one, "{\"io_read_iops_max\":0}", NULL);

	assert_null(json_object_get(one, "io_write_bps_max"));
	equal(one, "io_burst_time", "60");
	assert_null(json_object_get(both, "io_read_iops_max"));
	assert_null(json_object_get(both, "io_burst_time"));
	assert_null(json_object_get(time, "io_write_bps_max"));
	assert_null(json_object_get(time, "io_read_iops_max"));
	equal(time, "io_write_bps", "100");
	assert_null(json_object_get(max, "io_burst_time"));
	equal(max, "io_read_iops", "10");
	refused(r, "{\"io_write_bps\":500}", "bad_values", "io_write_bps_max");
	refused(r, "{\"io_write_bps_max\":100}", "bad_values", "io_write_bps_max");
	refused(r, "{\"io_write_iops_max\":100}", "bad_values", "io_write_iops_max");
	refused(r, "{\"io_burst_time\":0,\"io_write_bps_max\":900}", "bad_values", "io_write_bps_max");
	refused(one, "{\"io_read_iops\":0,\"io_burst_time\":5}", "bad_values", "io_burst_time");
}

/* initrd and words go with the kernel that they are for; sums are nobody's to give. */
static void update_kernel(void **s)
{
#define SUM "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
	_json_ json_t *r = create("{\"brand\":\"kvm\",\"kernel\":\"/k\",\"initrd\":\"/i\",\"kernel_args\":\"quiet\"}"), *disk = create("{\"brand\":\"kvm\"}");
	json_t *none, *less;

	json_object_set_new(r, "kernel_sha256", json_loads(SUM, JSON_DECODE_ANY, NULL));
	json_object_set_new(r, "initrd_sha256", json_loads(SUM, JSON_DECODE_ANY, NULL));
	none = update(r, "{\"kernel\":\"\"}", NULL);
	less = update(r, "{\"initrd\":null,\"kernel_args\":\"\"}", NULL);
	for (const char *const *k = (const char *const[]){"kernel", "initrd", "kernel_args", "kernel_sha256", "initrd_sha256", NULL}; *k; k++)
		assert_null(json_object_get(none, *k));
	equal(less, "kernel_sha256", SUM);
	assert_null(json_object_get(less, "initrd_sha256"));
	assert_null(json_object_get(less, "kernel_args"));
	refused(r, "{\"kernel\":null,\"kernel_args\":\"x\"}", "bad_values", "kernel_args");
	refused(disk, "{\"initrd\":\"/i\"}", "bad_values", "initrd");
	refused(disk, "{\"kernel_sha256\":" SUM "}", "bad_properties", "kernel_sha256");
	refused(r, "{\"kernel\":\"k\"}", "bad_values", "kernel");
	refused(r, "{\"kernel_args\":\"a\\nb\"}", "bad_values", "kernel_args");
	refused(NULL, "{\"brand\":\"joyent\",\"kernel\":\"/k\"}", "bad_properties", "kernel");
	json_decref(none);
	json_decref(less);
}

/* get | edit | update */
static void update_printed(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"lx\",\"image_uuid\":\"" IMG "\",\"ram\":512,\"tags\":{\"role\":\"web\"},"
				  "\"filesystems\":[{\"type\":\"lofs\",\"source\":\"/srv\",\"target\":\"/srv\"}]}");
	_json_ json_t *live = json_loads("{\"state\":\"running\",\"zone_state\":\"running\",\"pid\":77,\"snapshots\":[]}", 0, NULL);
	_json_ json_t *shown = vm_output(r, live), *changed = NULL, *u = NULL;
	_free_ char *text = NULL;

	json_object_set_new(shown, "max_physical_memory", json_integer(1024));
	text = json_dumps(shown, 0);
	u = update(r, text, &changed);
	equal(u, "ram", "1024");
	equal(u, "max_swap", "1024");
	json_object_set_new(json_object_get(shown, "tags"), "role", json_string("db"));
	free(text);
	text = json_dumps(shown, 0);
	refused(r, text, "bad_properties", "tags");
}

static void verbs_flat(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"tags\":{\"a\":1,\"b\":true}}"), *changed = NULL;
	_json_ json_t *u = update(r, "{\"set_tags\":{\"c\":\"x\",\"a\":2},\"remove_tags\":[\"b\",\"zz\"],"
				     "\"set_customer_metadata\":{\"user-script\":\"#!/bin/sh\\n\"},"
				     "\"set_internal_metadata\":{\"k\":1.5},\"set_routes\":{\"10.0.0.0/8\":\"10.1.1.1\"}}", &changed);

	equal(u, "tags", "{\"a\":2,\"c\":\"x\"}");
	equal(r, "tags", "{\"a\":1,\"b\":true}");
	equal(u, "customer_metadata", "{\"user-script\":\"#!/bin/sh\\n\"}");
	equal(u, "internal_metadata", "{\"k\":1.5}");
	equal(u, "routes", "{\"10.0.0.0/8\":\"10.1.1.1\"}");
	assert_int_equal(json_array_size(changed), 4);
	assert_null(json_object_get(u, "set_tags"));
	assert_int_equal(vm_available(u, NULL), 0);
	refused(r, "{\"set_routes\":{\"here\":\"there\"}}", "bad_values", "set_routes");
	refused(r, "{\"set_tags\":{\"a\":{}}}", "bad_values", "set_tags");
	refused(NULL, "{\"brand\":\"joyent\",\"set_tags\":{}}", "bad_properties", "set_tags");
}

static void verbs_objects(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"filesystems\":[{\"type\":\"lofs\",\"source\":\"/a\",\"target\":\"/mnt/a\","
				  "\"options\":[\"ro\"]}],\"devices\":[{\"match\":\"/dev/fuse\"}]}");
	_json_ json_t *u = update(r, "{\"add_filesystems\":[{\"type\":\"tmpfs\",\"target\":\"/scratch\",\"options\":\"size=1G\"}],"
				     "\"update_filesystems\":[{\"target\":\"/mnt/a\",\"source\":\"/b\",\"options\":null}],"
				     "\"add_devices\":[{\"match\":\"/dev/net/tun\",\"mode\":\"666\"}],"
				     "\"remove_devices\":[\"/dev/fuse\"]}", NULL);
	_json_ json_t *v = update(u, "{\"update_devices\":[{\"match\":\"/dev/net/tun\",\"mode\":\"0600\"}],"
				     "\"remove_filesystems\":\"/mnt/a,/scratch\"}", NULL);

	equal(r, "devices", "[{\"match\":\"/dev/fuse\",\"mode\":\"0600\"}]");
	equal(u, "filesystems", "[{\"type\":\"lofs\",\"source\":\"/b\",\"target\":\"/mnt/a\"},"
				"{\"type\":\"tmpfs\",\"target\":\"/scratch\",\"options\":[\"size=1G\"]}]");
	equal(u, "devices", "[{\"match\":\"/dev/net/tun\",\"mode\":\"666\"}]");
	equal(v, "devices", "[{\"match\":\"/dev/net/tun\",\"mode\":\"0600\"}]");
	equal(v, "filesystems", "[]");
	refused(r, "{\"remove_filesystems\":[\"/nope\"]}", "bad_values", "remove_filesystems");
	refused(r, "{\"update_filesystems\":[{\"target\":\"/nope\"}]}", "bad_values", "update_filesystems.*.target");
	refused(r, "{\"update_filesystems\":[{\"source\":\"/nope\"}]}", "missing_properties", "update_filesystems.0.target");
	refused(r, "{\"add_filesystems\":[{\"type\":\"lofs\",\"source\":\"/x\",\"target\":\"/mnt/a\"}]}", "bad_values",
		"add_filesystems.*.target");
	refused(r, "{\"add_filesystems\":[{\"type\":\"lofs\",\"target\":\"/mnt/b\"}]}", "missing_properties", "add_filesystems.0.source");
	refused(r, "{\"add_devices\":[{\"match\":\"/dev/fuse\"}]}", "bad_values", "add_devices.*.match");
	refused(r, "{\"add_filesystems\":{}}", "bad_values", "add_filesystems");
	refused(r, "{\"add_filesystems\":[7]}", "bad_values", "add_filesystems.*");
	/* Changing the type may leave a record that adding would have refused: the result is checked too. */
	refused(u, "{\"update_filesystems\":[{\"target\":\"/scratch\",\"type\":\"lofs\",\"source\":\"/x\"}]}", "bad_values",
		"filesystems.*.options");
}

static void nics(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"lx\",\"image_uuid\":\"" IMG "\",\"nics\":["
				  "{\"nic_tag\":\"admin\",\"ips\":[\"10.0.0.5/24\",\"fd00::5/64\"],\"gateways\":[\"10.0.0.1\"]},"
				  "{\"nic_tag\":\"ext\",\"ip\":\"10.9.0.5\",\"netmask\":\"255.255.0.0\",\"mac\":\"02:08:20:d7:4f:11\"}]}");
	json_t *a = json_array_get(json_object_get(r, "nics"), 0), *b = json_array_get(json_object_get(r, "nics"), 1);
	_json_ json_t *u = update(r, "{\"update_nics\":[{\"mac\":\"02:08:20:d7:4f:11\",\"ips\":[\"dhcp\"],\"primary\":true}]}", NULL);

	equal(a, "ip", "\"10.0.0.5\"");
	equal(a, "netmask", "\"255.255.255.0\"");
	equal(a, "gateway", "\"10.0.0.1\"");
	equal(a, "interface", "\"eth0\"");
	equal(a, "primary", "true");
	assert_int_equal(strlen(vm_str(a, "mac")), 17);
	assert_int_equal(vm_str(a, "mac")[1], '2');
	equal(b, "ips", "[\"10.9.0.5/16\"]");
	equal(b, "interface", "\"eth1\"");
	assert_null(json_object_get(b, "primary"));
	assert_int_equal(vm_available(r, NULL), 0);
	a = json_array_get(json_object_get(u, "nics"), 0);
	b = json_array_get(json_object_get(u, "nics"), 1);
	assert_null(json_object_get(a, "primary"));
	equal(b, "ip", "\"dhcp\"");
	assert_null(json_object_get(b, "netmask"));
	refused(r, "{\"remove_nics\":[\"02:08:20:d7:4f:12\"]}", "bad_values", "remove_nics");
	refused(r, "{\"add_nics\":[{\"nic_tag\":\"admin\",\"ips\":[\"10.0.0.5/24\"]}]}", "bad_values", "nics.*.ips");
	refused(r, "{\"add_nics\":[{\"ips\":[\"10.0.0.9/24\"]}]}", "missing_properties", "add_nics.0.nic_tag");
	refused(r, "{\"add_nics\":[{\"nic_tag\":\"a\",\"mac\":\"02:08:20:d7:4f:11\"}]}", "bad_values", "add_nics.*.mac");
}

static void round_trip(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"alias\":\"web01\",\"tags\":{\"z\":1,\"a\":\"\\u00e9\"},"
				  "\"filesystems\":[{\"type\":\"tmpfs\",\"target\":\"/t\"}]}"), *back = NULL;
	_free_ char *text = vm_record_text(r);
	struct err e = ERR_INIT;

	if (vm_record_load(text, strlen(text), &back, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(json_equal(r, back));
	static const char *const bad[] = {
		"", "[]", "{}", "{\"brand\":\"joyent\"}", "{\"brand\":\"builder\",\"uuid\":\"" IMG "\"}",
		"{\"brand\":\"joyent\",\"uuid\":\"" IMG "\",\"zonename\":\"z\",\"v\":2,\"create_timestamp\":\"" NOW "\",\"ram\":1,\"max_physical_memory\":1}",
		"{\"brand\":\"joyent\",\"uuid\":\"../../etc\",\"zonename\":\"z\",\"v\":1,\"create_timestamp\":\"" NOW "\",\"ram\":1,\"max_physical_memory\":1}",
		"{\"brand\":\"joyent\",\"uuid\":\"" IMG "\",\"zonename\":\"z\",\"v\":1,\"create_timestamp\":\"" NOW "\",\"ram\":1,\"max_physical_memory\":1,\"new\":1}",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *never = NULL;

		e = ERR_INIT;
		assert_int_equal(vm_record_load(bad[i], strlen(bad[i]), &never, &e), -EINVAL);
		assert_null(never);
		assert_true(e.msg[0]);
	}
}

/* What could be given once stays where it is stored, and is in no other change's way. */
static void older(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"nics\":[{\"nic_tag\":\"admin\",\"ips\":[\"10.0.0.5/24\"],\"vlan_id\":5}]}"), *back = NULL, *u = NULL;
	json_t *n = json_array_get(json_object_get(r, "nics"), 0);
	_free_ char *text = NULL;

	json_object_set_new(n, "vlan_id", json_integer(4095));
	text = vm_record_text(r);
	assert_int_equal(vm_record_load(text, strlen(text), &back, NULL), 0);
	assert_true(json_equal(r, back));
	u = update(back, "{\"alias\":\"x\"}", NULL);
	equal(json_array_get(json_object_get(u, "nics"), 0), "vlan_id", "4095");
	refused(back, "{\"add_nics\":[{\"nic_tag\":\"a\",\"vlan_id\":4095}]}", "bad_values", "add_nics.*.vlan_id");
}

static void output(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent-minimal\",\"alias\":\"web01\",\"uuid\":\"" IMG "\",\"tags\":{\"a.b\":1}}");
	_json_ json_t *live = json_loads("{\"state\":\"running\",\"bogus\":1,\"zonepath\":\"/zones-t/x\",\"pid\":5,\"failed\":true}", 0, NULL);
	_json_ json_t *o = vm_output(r, live), *plain = vm_output(r, NULL);
	static const char *const order[] = {"zonename", "autoboot", "brand", "limit_priv", "v", "create_timestamp", "cpu_shares"};
	size_t at = 0;
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v)
	{
		if (at < ARRAY_LEN(order))
			assert_string_equal(key, order[at]);
		at++;
	}
	equal(o, "state", "\"running\"");
	equal(o, "zonepath", "\"/zones-t/x\"");
	equal(plain, "zonepath", "\"/zones/" IMG "\"");
	equal(plain, "snapshots", "[]");
	equal(o, "hvm", "false");
	equal(o, "type", "\"OS\"");
	assert_null(json_object_get(o, "bogus"));
	assert_null(json_object_get(o, "failed"));
}

static void count(const json_t *v, void *arg)
{
	*(json_int_t *)arg += json_is_integer(v) ? json_integer_value(v) : 1;
}

static void fields(void **s)
{
	_json_ json_t *o = json_loads("{\"tags\":{\"a.b\":7,\"c\":\"x\"},\"nics\":[{\"vlan_id\":10},{\"vlan_id\":20}],\"ram\":5}", 0, NULL);
	static const struct {
		const char *path;
		json_int_t sum;
	} want[] = {{"tags.a.b", 7}, {"tags.c", 1}, {"nics.0.vlan_id", 10}, {"nics.*.vlan_id", 30}, {"nics.2.vlan_id", 0},
		    {"ram", 5}, {"ram.x", 0}, {"", 0}, {".", 0}, {"nics.*", 2}, {"nics.-1.vlan_id", 0}};

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		json_int_t n = 0;

		vm_field(o, want[i].path, count, &n);
		if (n != want[i].sum)
			fail_msg("%s: %lld", want[i].path, (long long)n);
	}
}

static void not_yet(void **s)
{
	static const char *const members[] = {
		"\"delegate_dataset\":true", "\"indestructible_delegated\":true",
		"\"zfs_root_compression\":\"lz4\"", "\"zfs_root_recsize\":4096",
		"\"zfs_data_compression\":\"off\"", "\"zfs_snapshot_limit\":0", "\"zpool\":\"tank\"", "\"archive_on_delete\":true",
		"\"filesystems\":[{\"type\":\"ext4\",\"source\":\"/dev/x\",\"raw\":\"/dev/x\",\"target\":\"/d\"}]",
		"\"cpu_view\":\"capped\"",
	};
	static const char *const fine[] = {
		"\"firewall_enabled\":true", "\"resolvers\":[\"1.1.1.1\"]", "\"maintain_resolvers\":true", "\"routes\":{\"1.0.0.0/8\":\"nics[0]\"}", "\"resolvers\":[]", "\"routes\":{}", "\"maintain_resolvers\":false", "\"nics\":[]", "\"nics\":[{\"nic_tag\":\"admin\"}]",
		"\"nics\":[{\"nic_tag\":\"admin\",\"maxbw\":10,\"priority\":\"low\"}]",
		"\"zfs_io_priority\":100", "\"zpool\":\"zones\"", "\"archive_on_delete\":0", "\"filesystems\":[]",
		"\"cpu_view\":\"host\"", "\"image_sharing\":\"private\"", "\"cpu_cap\":10", "\"io_read_bps\":1", "\"memory_reservation\":10", "\"dedicated_cpus\":\"0-1\"", "\"dedicated_cpus\":2", "\"zfs_io_priority\":50", "\"cpu_baseline\":50,\"cpu_burst_time\":0", "\"zlog_max_size\":100000",
		"\"init_name\":\"/sbin/init\"", "\"restart_init\":false", "\"internal_metadata_namespaces\":[]", "\"internal_metadata_namespaces\":[\"x\"]",
		"\"customer_metadata\":{\"user-data\":\"x\",\"user-script\":\"true\",\"root_authorized_keys\":\"k\"}",
		"\"internal_metadata\":{\"operator-script\":\"true\"}", "\"mdata_exec_timeout\":0",
	};

	for (size_t i = 0; i < ARRAY_LEN(members) + ARRAY_LEN(fine); i++) {
		bool bad = i < ARRAY_LEN(members);
		char text[256];
		struct err e = ERR_INIT;

		snprintf(text, sizeof text, "{\"brand\":\"joyent\",%s}", bad ? members[i] : fine[i - ARRAY_LEN(members)]);
		_json_ json_t *r = create(text);
		if (vm_available(r, &e) != (bad ? -ENOTSUP : 0))
			fail_msg("%s: %s", text, e.msg);
		if (bad)
			assert_non_null(strstr(e.msg, "not available yet"));
	}
}

static void secrets(void **s)
{
	_json_ json_t *r = create("{\"brand\":\"joyent\",\"customer_metadata\":{\"root_pw\":\"hunter2\",\"DB_Password\":\"hunter2\","
				  "\"note\":\"plain\"},\"internal_metadata\":{\"x\":\"hunter2\"}}");
	_json_ json_t *p = parse("[{\"vnc_password\":\"hunter2\",\"set_customer_metadata\":{\"admin_pw\":\"hunter2\"},"
				 "\"set_internal_metadata\":{\"y\":\"hunter2\"},\"spice_password\":7,\"alias\":\"plain\"}]");
	_json_ json_t *a = vm_redact(r), *b = vm_redact(p);
	_free_ char *ta = json_dumps(a, 0), *tb = json_dumps(b, 0);

	assert_null(strstr(ta, "hunter2"));
	assert_null(strstr(tb, "hunter2"));
	assert_non_null(strstr(ta, "plain"));
	assert_non_null(strstr(tb, "plain"));
	assert_string_equal(vm_str(json_object_get(r, "internal_metadata"), "x"), "hunter2");
}

static void live_changes(void **s)
{
	assert_int_equal(vm_live_of("max_physical_memory", "joyent"), VM_LIVE_NOW);
	assert_int_equal(vm_live_of("ram", "joyent"), VM_LIVE_NOW);
	assert_int_equal(vm_live_of("ram", "kvm"), VM_LIVE_BOOT);
	assert_int_equal(vm_live_of("fs_allowed", "lx"), VM_LIVE_BOOT);
	assert_int_equal(vm_live_of("tmpfs", "lx"), VM_LIVE_BOOT);
	assert_int_equal(vm_live_of("disks", "kvm"), VM_LIVE_NOW);
	assert_int_equal(vm_live_of("tags", "lx"), VM_LIVE_NOW);
}

/* The same as of the whole, whatever stands around them; what is not written as records are is read as a whole. */
static void members(void **state)
{
	static const char *const names[] = {"nics", "tags", "uuid", NULL};
	static const char *const texts[] = {
		"{\"a\":\"}\\\"]\\\\\",\"nics\":[{\"mac\":\"x\",\"ips\":[\"[\",\"]}\"]}],\"other\":{\"uuid\":1,\"tags\":[{}]},\"tags\":{},\"uuid\":\"u\"}",
		"{}", "{\"uuid\":5}", "{\"a\":[[[]]],\"b\":null,\"c\":-1.5e3}", "{ \"uuid\" : 1, \"nics\":[ ] }", "{\"uuid\":1}  "};
	static const char *const bad[] = {"", "{", "{\"uuid\":", "{\"uuid\":1", "{\"uuid\":\"a", "[]", "{\"uuid\":[}", "{\"uuid\":1},", "{\"a\\"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_json_ json_t *whole = json_loads(texts[i], 0, NULL), *some = vm_members(texts[i], strlen(texts[i]), names);

		assert_true(json_is_object(whole) && json_is_object(some));
		for (const char *const *n = names; *n; n++)
			assert_true(json_object_get(whole, *n) == json_object_get(some, *n) || json_equal(json_object_get(whole, *n), json_object_get(some, *n)));
		if (i < 4)
			assert_null(json_object_get(some, "a"));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_json_ json_t *o = vm_members(bad[i], strlen(bad[i]), names);

		assert_false(json_is_object(o));
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(defaults),	  cmocka_unit_test(coercion),	    cmocka_unit_test(memory_on_create),
		cmocka_unit_test(memory_on_update), cmocka_unit_test(update_plain), cmocka_unit_test(update_baseline), cmocka_unit_test(update_ceilings), cmocka_unit_test(update_kernel), cmocka_unit_test(update_printed),
		cmocka_unit_test(verbs_flat),	  cmocka_unit_test(verbs_objects),  cmocka_unit_test(nics),
		cmocka_unit_test(round_trip), cmocka_unit_test(older),	  cmocka_unit_test(output),	    cmocka_unit_test(fields),
		cmocka_unit_test(members),	  cmocka_unit_test(not_yet),	  cmocka_unit_test(secrets),	    cmocka_unit_test(live_changes),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
