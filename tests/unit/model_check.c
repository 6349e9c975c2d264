/* SPDX-License-Identifier: MPL-2.0 */
/* Parsing, the report of validate, each rule of a single value, and the table itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "model/check.h"
#include "model/prop.h"
#include "model/vm.h"
#include "payload.h"

#define IMG "11111111-2222-3333-4444-555555555555"

/* The whole report, as JSON, and a piece of the message. NULL report: the payload is valid. */
static void report(const char *payload, enum vm_verb verb, const char *brand, const char *want, const char *msg)
{
	_json_ json_t *p = parse(payload), *rep = NULL, *w = want ? json_loads(want, 0, NULL) : NULL;
	struct err e = ERR_INIT;
	int r = vm_validate(p, verb, brand, &rep, &e);
	_free_ char *got = rep ? json_dumps(rep, 0) : NULL;

	if (want && !w)
		fail_msg("the test's own JSON is broken: %s", want);
	if (r != (want ? -EINVAL : 0) || (want && !json_equal(w, rep)))
		fail_msg("%s: %d %s %s", payload, r, got ? got : "", e.msg);
	if (want && msg && !strstr(e.msg, msg))
		fail_msg("%s: %s", payload, e.msg);
}

static void parsing(void **s)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{"", "line 1"}, {" ", "line"}, {"{", "line 1"}, {"{\"a\":1,\n\"a\":2}", "line 2 column"}, {"{} x", "line 1 column 4"},
		{"[]", "empty"}, {"[{},3]", "element 1"}, {"\"x\"", "line"}, {"3", "line"}, {"null", "line"},
		{"{\"a\":99999999999999999999}", "line 1"}, {"{\"a\":1e999}", "line 1"}, {"{\"a\":\"\\u0000\"}", "line 1"},
		{"{\"a\":\"\xff\"}", "line 1"}, {"{'a':1}", "line 1"}, {"{\"a\":NaN}", "line 1"}, {"{\"a\":01}", "line 1"},
		{"{\"a\":\"\x1b[2J\"}", "line 1"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *j = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(vm_parse(bad[i].text, strlen(bad[i].text), &j, &e), -EINVAL);
		assert_null(j);
		if (!strstr(e.msg, bad[i].msg) || strchr(e.msg, 0x1b))
			fail_msg("%s: %s", bad[i].text, e.msg);
	}
	json_decref(parse("[{\"a\":1},{}]"));
}

static void parsing_bounds(void **s)
{
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	json_t *j = NULL;

	for (int i = 0; i < VM_DEPTH_MAX; i++)
		buf_puts(&b, "{\"[[[[\\\"\":");
	buf_puts(&b, "1");
	for (int i = 0; i < VM_DEPTH_MAX; i++)
		buf_puts(&b, "}");
	assert_int_equal(vm_parse(b.p, b.len, &j, &e), 0);
	json_decref(j);
	j = NULL;
	buf_done(&b);
	buf_puts(&b, "{\"a\":\n");
	for (int i = 0; i < 1000000; i++)
		buf_puts(&b, "[");
	assert_int_equal(vm_parse(b.p, b.len, &j, &e), -EINVAL);
	assert_string_equal(e.msg, "line 2 column 32: nested deeper than 32 levels");
	for (int i = 0; i < 100 && b.len <= VM_PAYLOAD_MAX; i++) {
		static char blanks[1 << 20];

		memset(blanks, ' ', sizeof blanks);
		buf_add(&b, blanks, sizeof blanks);
	}
	assert_int_equal(vm_parse(b.p, b.len, &j, &e), -E2BIG);
	assert_null(j);
}

static void pairs(void **s)
{
	_json_ json_t *o = json_object(), *want = json_loads("{\"alias\":\"123\",\"ram\":512,\"autoboot\":true,\"resolvers\":[\"1.1.1.1\"],"
							    "\"hostname\":\"a=b\",\"quota\":\"x\",\"cpu_cap\":\"\",\"tags\":null}", 0, NULL);
	static const char *const good[] = {"alias=123", "ram=512", "autoboot=true", "resolvers=[\"1.1.1.1\"]", "hostname=a=b",
					   "quota=x", "cpu_cap=", "tags=null"};
	static const char *const bad[] = {"", "=", "=1", "ram", "ram=1", "zpool=\xff"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(vm_parse_pair(good[i], o, NULL), 0);
	assert_true(json_equal(o, want));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(vm_parse_pair(bad[i], o, NULL), -EINVAL);
	assert_true(json_equal(o, want));
}

#define NONE "\"bad_values\":[],\"bad_properties\":[],\"missing_properties\":[]"

static void reports(void **s)
{
	report("{\"brand\":\"joyent\"}", VM_CREATE, NULL, NULL, NULL);
	report("{}", VM_CREATE, NULL, "{\"bad_values\":[],\"bad_properties\":[],\"missing_properties\":[\"brand\"]}", "brand is missing");
	report("{\"brand\":\"builder\"}", VM_CREATE, NULL, "{\"bad_brand\":\"builder\"," NONE "}", "builder");
	report("{\"brand\":\"solaris\",\"x\":1}", VM_CREATE, NULL, "{\"bad_brand\":\"solaris\"," NONE "}", "unknown brand solaris");
	report("{\"brand\":[1]}", VM_CREATE, NULL, "{\"bad_brand\":[1]," NONE "}", "not a string");
	report("{\"brand\":\"lx\"}", VM_CREATE, NULL, "{\"bad_values\":[],\"bad_properties\":[],\"missing_properties\":[\"image_uuid\"]}", "");
	report("{\"brand\":\"joyent\",\"max_lwp\":1,\"ram\":\"x\",\"bogus_entirely\":1}", VM_CREATE, NULL,
	       "{\"bad_values\":[\"ram\"],\"bad_properties\":[\"max_lwp\",\"bogus_entirely\"],\"missing_properties\":[]}",
	       "unknown property max_lwp: did you mean max_lwps?");
	report("{\"brand\":\"joyent\",\"nics\":[{\"nic_tag\":\"a\",\"mtu\":100},{\"nic_tag\":\"a\",\"mtu\":9001,\"vlan\":1}]}", VM_CREATE, NULL,
	       "{\"bad_values\":[\"nics.*.mtu\"],\"bad_properties\":[\"nics.*.vlan\"],\"missing_properties\":[]}", "nics.*.mtu");
	report("{\"brand\":\"bhyve\",\"disk_driver\":\"virtio\",\"disks\":[{\"boot\":true},{\"size\":1024,\"boot\":true}]}", VM_CREATE, NULL,
	       "{\"bad_values\":[\"disks.*.boot\"],\"bad_properties\":[],\"missing_properties\":[\"disks.0.size\"]}", "disks.0.size is missing");
	report("{\"brand\":\"kvm\",\"nics\":[{\"nic_tag\":\"a\"}]}", VM_CREATE, NULL,
	       "{\"bad_values\":[],\"bad_properties\":[],\"missing_properties\":[\"nics.0.model\"]}", "nic_driver");
	report("{\"brand\":\"joyent\",\"vcpus\":1,\"state\":\"running\",\"set_tags\":{},\"nics.*.mtu\":1}", VM_CREATE, NULL,
	       "{\"bad_values\":[],\"bad_properties\":[\"vcpus\",\"state\",\"set_tags\",\"nics.*.mtu\"],\"missing_properties\":[]}", "brand joyent");
	report("{\"uuid\":1,\"brand\":2,\"zonename\":3,\"hvm\":4,\"server_uuid\":5,\"last_modified\":6,\"ram\":\"\"}", VM_UPDATE, "joyent", NULL, NULL);
	report("{\"image_uuid\":\"" IMG "\",\"tags\":{},\"filesystems\":[]}", VM_UPDATE, "joyent",
	       "{\"bad_values\":[],\"bad_properties\":[\"image_uuid\",\"tags\",\"filesystems\"],\"missing_properties\":[]}", "can't be given by update");
	report("{\"tags\":{}}", VM_UPDATE, "joyent", "{\"bad_values\":[],\"bad_properties\":[\"tags\"],\"missing_properties\":[]}", "set_tags");
	report("{}", VM_UPDATE, "solaris", "{\"bad_brand\":\"solaris\"," NONE "}", "solaris");
	report("{\"brand\":\"joyent\",\"\":1,\"\\u001b[2J\":2}", VM_CREATE, NULL,
	       "{\"bad_values\":[],\"bad_properties\":[\"\",\"\\u001b[2J\"],\"missing_properties\":[]}", "unknown property");
	report("{\"brand\":\"joyent\",\"filesystems\":[3],\"devices\":[[]]}", VM_CREATE, NULL,
	       "{\"bad_values\":[\"filesystems.*\",\"devices.*\"],\"bad_properties\":[],\"missing_properties\":[]}", "must be an object");
	/* An array is not one payload. */
	report("[{}]", VM_CREATE, NULL, "{\"bad_values\":[\"\"],\"bad_properties\":[],\"missing_properties\":[]}", "object");
	report("{\"brand\":\"joyent\",\"v\":1,\"create_timestamp\":\"2026-01-31T12:00:00.000Z\",\"zfs_filesystem\":\"zones/x\"}", VM_RECEIVE, NULL, NULL, NULL);
}

/* property: values that are good, NULL, values that are bad, NULL. As members of an lx or kvm payload. */
static const struct {
	const char *name, *brand, *values[24];
} rules[] = {
	{"alias", "joyent", {"\"a\"", "\"0a_.-Z\"", "null", "\"\"", NULL, "\"-a\"", "\"a b\"", "\"\\u00e9\"", "\"a/b\"", "\".a\"", "[]", NULL}},
	{"hostname", "joyent", {"\"a\"", "\"web-1.example.com\"", "\"0\"", NULL, "\"-a\"", "\"a-\"", "\"a..b\"", "\"a.\"", "\"a_b\"", "\".a\"", "\"a b\"",
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", NULL}},
	{"dns_domain", "joyent", {"\"local\"", "\"a.b-c.d\"", NULL, "\"a b\"", "\"a..b\"", NULL}},
	{"zonename", "joyent", {"\"web01\"", "\"a.b_c-d\"", NULL, "\"global\"", "\"SUNWx\"", "\"../x\"", "\".\"", "\"_x\"", "3", NULL}},
	{"uuid", "joyent", {"\"" IMG "\"", NULL, "\"x\"", "\"ABCDEF00-0000-0000-0000-000000000000\"", "1", NULL}},
	{"owner_uuid", "joyent", {"\"" IMG "\"", "\"\"", NULL, "\"me\"", NULL}},
	{"cpu_cap", "joyent", {"0", "1", "\"350\"", "1000000", NULL, "-1", "1000001", "1.5", "\"1.0\"", "true", "[]", "\" 1\"", NULL}},
	{"cpu_shares", "joyent", {"0", "1", "65536", "9223372036854775807", NULL, "-1", NULL}},
	{"max_swap", "joyent", {"256", "1e3", NULL, "255", "9e15", NULL}},
	{"max_lwps", "joyent", {"1", NULL, "0", NULL}},
	{"quota", "joyent", {"0", "10", NULL, "-1", "1.5", "\"10G\"", NULL}},
	{"vcpus", "kvm", {"1", "288", NULL, "0", "289", NULL}},
	{"vnc_port", "kvm", {"-1", "0", "5900", NULL, "-2", "65536", NULL}},
	{"vnc_password", "kvm", {"\"12345678\"", NULL, "\"123456789\"", "12345678", NULL}},
	{"autoboot", "joyent", {"true", "false", "\"true\"", "\"false\"", "1", "\"1\"", "0", NULL, "2", "\"yes\"", "[]", "1.0", NULL}},
	{"tags", "joyent", {"{}", "{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":1.5}", "null", NULL, "{\"a\":[]}", "{\"a\":{}}", "{\"a\":null}", "{\"\":1}",
		"{\"\\n\":1}", "[]", "3", "\"x\"", NULL}},
	{"routes", "joyent", {"{\"10.0.0.0/8\":\"10.1.1.1\"}", "{\"10.2.3.4\":\"nics[0]\"}", "{\"fd00::/8\":\"fd00::1\"}", NULL, "{\"x\":\"10.1.1.1\"}",
		"{\"10.0.0.0/33\":\"10.1.1.1\"}", "{\"10.0.0.0/8\":\"nics[x]\"}", "{\"10.0.0.0/8\":\"nics[0]x\"}", "{\"10.0.0.0/8\":1}", NULL}},
	{"resolvers", "joyent", {"[]", "[\"8.8.8.8\",\"::1\"]", "\"8.8.8.8,1.1.1.1\"", NULL, "[\"dns\"]", "[\"8.8.8.8/24\"]", "[\"\"]", "[null]", "{}", "8", NULL}},
	{"init_name", "joyent", {"\"/sbin/init\"", NULL, "\"init\"", "\"/\"", "\"/a/../b\"", "\"/a/./b\"", "\"/a//b\"", "\"/a/\"", "\"/a\\nb\"", NULL}},
	{"limit_priv", "joyent", {"\"default\"", "\"default,!file_chown\"", "[\"default\",\"dtrace_user\"]", "\"default, cap_kill\"", "[]", NULL,
		"\"default,,x\"", "\"de fault\"", "[3.5]", "\"no_such_priv\"", "\"default,!proc_fork\"", NULL}},
	{"fs_allowed", "joyent", {"\"ext4\"", "[\"ext4\",\"xfs\"]", NULL, "\"ext4;rm\"", "\"EXT4\"", NULL}},
	{"image_sharing", "joyent", {"\"shared\"", "\"private\"", NULL, "\"both\"", NULL}},
	{"cpu_view", "joyent", {"\"host\"", "\"capped\"", NULL, "\"x\"", NULL}},
	{"dedicated_cpus", "joyent", {"4", "\"0-3,8\"", "\"2\"", "\"0\"", "\"0-1023\"", NULL, "\"00\"", "\"01-2\"", "\"1024\"", "\"0-1024\"", "1024", "\"3-1\"", "\"1-\"", "\",1\"", "\"1,\"", "-1", "\"99999\"", "true", NULL}},
	{"zfs_root_recsize", "joyent", {"512", "131072", "\"4096\"", NULL, "256", "262144", "1000", NULL}},
	{"zfs_root_compression", "joyent", {"\"lz4\"", "\"gzip-9\"", NULL, "\"gzip-10\"", "true", NULL}},
	{"internal_metadata_namespaces", "joyent", {"[\"a\"]", NULL, "[\"a:b\"]", "[1.5]", NULL}},
	{"docker", "joyent-minimal", {"true", NULL, "\"x\"", NULL}},
	{"accelerator", "kvm", {"\"kvm\"", "\"tcg\"", NULL, "\"hax\"", NULL}},
	{"nowait", "joyent", {"true", NULL, "3", NULL}},
	{"mdata_exec_timeout", "joyent", {"0", "300", NULL, "-1", NULL}},
	{"filesystems", "joyent", {"[]", "null",
		"[{\"type\":\"lofs\",\"source\":\"/a\",\"target\":\"/b\",\"options\":[\"ro\",\"nodevices\",\"nosuid\",\"noexec\"]}]",
		"[{\"type\":\"tmpfs\",\"target\":\"/b\",\"options\":[\"size=10M\"]}]", NULL, "{}", "\"x\"", NULL}},
	{"devices", "joyent", {"[{\"match\":\"/dev/fuse\",\"mode\":\"0666\"}]", NULL, "\"/dev/fuse\"", NULL}},
};

/* member of an object: its row in the report, the object up to the value, and what follows. */
static const struct {
	const char *row, *brand, *before, *after, *values[24];
} member_rules[] = {
	{"filesystems.*.target", "joyent", "\"filesystems\":[{\"type\":\"tmpfs\",\"target\":", "}]",
		{"\"/a\"", "\"/devices\"", "\"/a/..b/c\"", "\"/process\"", NULL, "\"/\"", "\"/dev\"", "\"/dev/shm\"", "\"/proc\"", "\"/proc/1\"", "\"/sys\"", "\"/sys/fs\"",
		"\"/.zonecontrol\"", "\"/native/x\"", "\"/checkpoints/a\"", "\"a\"", "\"//dev\"", "\"/a/../dev\"", "\"/./dev\"", "\"/dev/\"", "\"/a\\u0001\"", "3", NULL}},
	{"filesystems.*.source", "joyent", "\"filesystems\":[{\"type\":\"lofs\",\"target\":\"/t\",\"source\":", "}]", {"\"/a\"", "\"/\"", NULL, "\"a\"", "\"/a/..\"", NULL}},
	{"filesystems.*.type", "joyent", "\"filesystems\":[{\"source\":\"/a\",\"target\":\"/t\",\"type\":", "}]",
		{"\"lofs\"", "\"ext4\"", "\"xfs\"", "\"btrfs\"", NULL, "\"nfs\"", "\"proc\"", "\"zfs\"", "1", NULL}},
	{"filesystems.*.options", "joyent", "\"filesystems\":[{\"type\":\"lofs\",\"source\":\"/a\",\"target\":\"/t\",\"options\":", "}]",
		{"[]", "\"ro,nosuid\"", "null", NULL, "[\"suid\"]", "[\"dev\"]", "[\"ro\",\"rw\"]", "[\"size=1G\"]", "[\"\"]", "[\"ro,exec\"]", "{}", NULL}},
	{"filesystems.*.raw", "joyent", "\"filesystems\":[{\"type\":\"lofs\",\"source\":\"/a\",\"target\":\"/t\",\"raw\":", "}]", {"null", NULL, "\"/dev/x\"", "\"x\"", NULL}},
	{"devices.*.match", "joyent", "\"devices\":[{\"match\":", "}]",
		{"\"/dev/fuse\"", "\"/dev/net/tun\"", "\"/dev/ttyS0\"", NULL, "\"/etc/passwd\"", "\"/dev\"", "\"/dev/../etc\"", "\"/dev/*\"", "\"/dev/pts/0\"", "\"/dev/null\"",
		"\"/dev/shm\"", "\"/dev/console\"", "\"/dev/a b\"", "3", NULL}},
	{"devices.*.mode", "joyent", "\"devices\":[{\"match\":\"/dev/fuse\",\"mode\":", "}]", {"\"0666\"", "\"600\"", NULL, "\"4755\"", "\"0888\"", "438", "\"06\"", "\"rw\"", NULL}},
	{"nics.*.mac", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"mac\":", "}]",
		{"\"02:08:20:d7:4f:11\"", NULL, "\"01:00:5e:00:00:01\"", "\"02:08:20:D7:4F:11\"", "\"2:8:20:d7:4f:11\"", "\"00:00:00:00:00:00\"", "\"02-08-20-d7-4f-11\"", NULL}},
	{"nics.*.mtu", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"mtu\":", "}]", {"576", "9000", NULL, "575", "9001", NULL}},
	{"nics.*.vlan_id", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"vlan_id\":", "}]", {"0", "4094", NULL, "4095", "-1", NULL}},
	{"nics.*.vrrp_vrid", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"vrrp_vrid\":", "}]", {"0", "255", NULL, "256", NULL}},
	{"nics.*.nic_tag", "joyent", "\"nics\":[{\"nic_tag\":", "}]", {"\"admin\"", "\"sdc_overlay/123\"", NULL, "\"a b\"", "\"a-b\"", "5", NULL}},
	{"nics.*.ips", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"ips\":", "}]",
		{"[\"10.0.0.1/8\"]", "[\"dhcp\"]", "[\"addrconf\",\"fd00::1/64\"]", "[]", NULL, "[\"10.0.0.1\"]", "[\"10.0.0.1/33\"]", "[\"10.0.0/8\"]", "[\"fd00::1/129\"]",
		"[\"10.0.0.1/8\",\"10.0.0.1/8\"]", "[\"DHCP\"]", "[\"10.0.0.1/\"]", "[\"10.0.0.1/-1\"]", NULL}},
	{"nics.*.ip", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"netmask\":\"255.0.0.0\",\"ip\":", "}]", {"\"10.0.0.1\"", "\"dhcp\"", NULL, "\"fd00::1\"", "\"010.0.0.1\"", "\"10.0.0.1/8\"", NULL}},
	{"nics.*.netmask", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"netmask\":", "}]", {"\"255.255.255.0\"", "\"0.0.0.0\"", NULL, "\"255.0.255.0\"", "\"24\"", NULL}},
	{"nics.*.allowed_ips", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"allowed_ips\":", "}]", {"[\"10.0.0.0/24\",\"1.2.3.4\"]", NULL, "[\"x\"]",
		"[\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\",\"1.1.1.5\",\"1.1.1.6\",\"1.1.1.7\",\"1.1.1.8\",\"1.1.1.9\",\"1.1.1.10\",\"1.1.1.11\",\"1.1.1.12\",\"1.1.1.13\",\"1.1.1.14\"]", NULL}},
	{"nics.*.allowed_dhcp_cids", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"allowed_dhcp_cids\":", "}]", {"[\"0102aF\"]", NULL, "[\"012\"]", "[\"xx\"]", NULL}},
	{"nics.*.blocked_outgoing_ports", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"blocked_outgoing_ports\":", "}]", {"[25,\"443\"]", NULL, "[0]", "[65536]", "[\"smtp\"]", NULL}},
	{"nics.*.primary", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"primary\":true},{\"nic_tag\":\"a\",\"primary\":", "}]", {"false", NULL, "true", NULL}},
	{"nics.*.priority", "joyent", "\"nics\":[{\"nic_tag\":\"a\",\"priority\":", "}]", {"\"low\"", NULL, "\"higher\"", NULL}},
	{"disks.*.block_size", "bhyve", "\"disks\":[{\"model\":\"virtio\",\"size\":10,\"block_size\":", "}]", {"512", "8192", NULL, "513", "262144", NULL}},
	{"rtc", "kvm", "\"rtc\":", "", {"\"utc\"", "\"localtime\"", "\"Europe/Berlin\"", "\"America/Argentina/Buenos_Aires\"", "\"Etc/GMT+3\"", NULL,
		"\"../x\"", "\"/etc/passwd\"", "\"a//b\"", "\"a/\"", "\"a b\"", "7", NULL}},
	{"disks.*.pci_slot", "bhyve", "\"disks\":[{\"model\":\"virtio\",\"size\":10,\"pci_slot\":", "}]", {"\"0:4:0\"", "\"4\"", NULL, "\"0:4:0:0\"", "\"a\"", "\":\"", NULL}},
};

static void one_value(const char *row, const char *text, bool good)
{
	_json_ json_t *p = parse(text), *rep = NULL;
	struct err e = ERR_INIT;
	int r = vm_validate(p, VM_CREATE, NULL, &rep, &e);
	_free_ char *got = rep ? json_dumps(rep, 0) : NULL;

	if (r != (good ? 0 : -EINVAL))
		fail_msg("%s: %s%s", text, good ? "refused: " : "taken", e.msg);
	if (!good && (json_array_size(json_object_get(rep, "bad_values")) != 1 ||
		      strcmp(json_string_value(json_array_get(json_object_get(rep, "bad_values"), 0)), row) != 0))
		fail_msg("%s: %s", text, got);
}

static void values(void **s)
{
	char text[1024];

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		bool good = true;

		for (size_t k = 0; good || rules[i].values[k]; k++) {
			if (!rules[i].values[k]) {
				good = false;
				continue;
			}
			snprintf(text, sizeof text, "{\"brand\":\"%s\",\"%s\":%s}", rules[i].brand, rules[i].name, rules[i].values[k]);
			one_value(rules[i].name, text, good);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(member_rules); i++) {
		bool good = true;

		for (size_t k = 0; good || member_rules[i].values[k]; k++) {
			if (!member_rules[i].values[k]) {
				good = false;
				continue;
			}
			snprintf(text, sizeof text, "{\"brand\":\"%s\",%s%s%s}", member_rules[i].brand, member_rules[i].before,
				 member_rules[i].values[k], member_rules[i].after);
			one_value(member_rules[i].row, text, good);
		}
	}
}

static void conflicts(void **s)
{
	static const struct {
		const char *row, *member;
	} bad[] = {
		{"filesystems.*.target", "\"filesystems\":[{\"type\":\"tmpfs\",\"target\":\"/a\"},{\"type\":\"tmpfs\",\"target\":\"/a\"}]"},
		{"devices.*.match", "\"devices\":[{\"match\":\"/dev/fuse\"},{\"match\":\"/dev/fuse\",\"mode\":\"0600\"}]"},
		{"nics.*.mac", "\"nics\":[{\"nic_tag\":\"a\",\"mac\":\"02:08:20:d7:4f:11\"},{\"nic_tag\":\"b\",\"mac\":\"02:08:20:d7:4f:11\"}]"},
		{"nics.*.ips", "\"nics\":[{\"nic_tag\":\"a\",\"ips\":[\"10.0.0.1/8\"]},{\"nic_tag\":\"a\",\"ips\":[\"10.0.0.1/24\"]}]"},
		{"nics.*.ip", "\"nics\":[{\"nic_tag\":\"a\",\"ips\":[\"10.0.0.1/8\"],\"ip\":\"10.0.0.2\"}]"},
		{"nics.*.vrrp_vrid", "\"nics\":[{\"nic_tag\":\"a\",\"vrrp_vrid\":5},{\"nic_tag\":\"a\",\"vrrp_vrid\":5}]"},
		{"nics.*.interface", "\"nics\":[{\"nic_tag\":\"a\",\"interface\":\"net0\"},{\"nic_tag\":\"a\",\"interface\":\"net0\"}]"},
	};
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof text, "{\"brand\":\"joyent\",%s}", bad[i].member);
		one_value(bad[i].row, text, false);
	}
	/* The same address elsewhere is another one. */
	one_value("", "{\"brand\":\"joyent\",\"nics\":[{\"nic_tag\":\"a\",\"ips\":[\"10.0.0.1/8\"]},{\"nic_tag\":\"b\",\"ips\":[\"10.0.0.1/8\"]},"
		      "{\"nic_tag\":\"a\",\"vlan_id\":3,\"ips\":[\"10.0.0.1/8\"]}]}", true);
}

/* Each row of the contract's table, with its verbs for joyent, lx, kvm and bhyve. */
static void table(void **s)
{
	size_t n;
	const struct prop *p = prop_all(&n);

	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(prop_find(p[i].name), &p[i]); /* no name twice */
		assert_non_null(p[i].help);
		if (p[i].help[strlen(p[i].help) - 1] != '.' && !strstr(p[i].help, "…"))
			fail_msg("%s: help is not a sentence", p[i].name);
		if (p[i].dflt) {
			json_t *d = json_loads(p[i].dflt, JSON_DECODE_ANY, NULL);

			assert_non_null(d);
			json_decref(d);
		}
		if (p[i].type == PROP_OUTPUT)
			assert_int_equal(p[i].create | p[i].update | p[i].receive, 0);
		else
			assert_int_not_equal(p[i].create | p[i].update | p[i].receive, 0);
		/* A string that nothing bounds would be taken whatever it is. */
		if (p[i].type == PROP_STRING && !p[i].check)
			fail_msg("%s: a string without a check", p[i].name);
		if (p[i].check && p[i].type != PROP_OUTPUT && !p[i].rule && !(p[i].flags & PF_KEEP))
			fail_msg("%s: a check without words for it", p[i].name);
		if (p[i].type == PROP_OBJECTS)
			assert_true(p[i].max > 0);
		if (p[i].update && p[i].type != PROP_OUTPUT && !(p[i].flags & (PF_VERB | PF_ONCE)) && !strchr(p[i].name, '.'))
			assert_true(p[i].live == 'n' || p[i].live == 'b' || p[i].live == 's');
	}
}

static void nearest(void **s)
{
	static const char *const pairs_[][2] = {
		{"max_lwp", "max_lwps"}, {"hostnam", "hostname"}, {"max_phisical_memory", "max_physical_memory"},
		{"qouta", "quota"}, {"nics.*.vlan", "nics.*.vlan_id"}, {"x", NULL}, {"", NULL}, {"image_uid", "image_uuid"},
		{"nics.*.", NULL}, {"filesystems.*.traget", "filesystems.*.target"}, {"alais", "alias"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs_); i++) {
		const struct prop *p = prop_nearest(pairs_[i][0]);

		if (!str_eq(p ? p->name : NULL, pairs_[i][1]))
			fail_msg("%s: %s", pairs_[i][0], p ? p->name : "none");
	}
}

static void snapshots(void **s)
{
	char name[66];

	memset(name, 'a', 65);
	name[65] = 0;
	assert_false(vm_snapshot_name_ok(name));
	name[64] = 0;
	assert_true(vm_snapshot_name_ok(name));
	assert_true(vm_snapshot_name_ok("A-z0._:%"));
	assert_false(vm_snapshot_name_ok(""));
	assert_false(vm_snapshot_name_ok("."));
	assert_false(vm_snapshot_name_ok(".."));
	assert_false(vm_snapshot_name_ok("a/b"));
	assert_false(vm_snapshot_name_ok("a b"));
	assert_false(vm_snapshot_name_ok("a@b"));
}

/* Bounded work on hostile sizes: these take milliseconds or the table is walked too often. */
static void large(void **s)
{
	_buf_ struct buf b = BUF_INIT;
	_json_ json_t *p = NULL, *rep = NULL;
	struct err e = ERR_INIT;

	buf_puts(&b, "{\"brand\":\"joyent\"");
	for (int i = 0; i < 100000; i++)
		buf_printf(&b, ",\"unknown_property_number_%d\":1", i);
	buf_puts(&b, "}");
	assert_int_equal(vm_parse(b.p, b.len, &p, &e), 0);
	assert_int_equal(vm_validate(p, VM_CREATE, NULL, &rep, &e), -EINVAL);
	assert_true(json_array_size(json_object_get(rep, "bad_properties")) <= 101);
	buf_done(&b);
	buf_puts(&b, "{\"brand\":\"joyent\",\"filesystems\":[{}");
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, ",{}");
	buf_puts(&b, "]}");
	one_value("filesystems", buf_str(&b), false);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(parsing),   cmocka_unit_test(parsing_bounds), cmocka_unit_test(pairs),	    cmocka_unit_test(reports),
		cmocka_unit_test(values),    cmocka_unit_test(conflicts),      cmocka_unit_test(table),	    cmocka_unit_test(nearest),
		cmocka_unit_test(snapshots), cmocka_unit_test(large),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
