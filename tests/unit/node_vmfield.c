/* SPDX-License-Identifier: MPL-2.0 */
/* Names of fields, and how a VM's state shows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/own.h"
#include "node/vmfield.h"
#include "node/vmstate.h"

static void names(void **s)
{
	static const struct {
		const char *name;
		bool many;
		int r;
		const char *says;
	} t[] = {
		{"uuid", false, 0, NULL},
		{"tags.X", false, 0, NULL},
		{"tags.a.b.c", false, 0, NULL},
		{"customer_metadata.user-script", false, 0, NULL},
		{"nics.0.ip", false, 0, NULL},
		{"nics.*.ip", true, 0, NULL},
		{"nics.*.ips", true, 0, NULL},
		{"nics.0.ips.1", false, 0, NULL},
		{"disks.0.size", false, 0, NULL},
		{"disks.0", false, 0, NULL},
		{"disks", false, 0, NULL},
		{"resolvers.0", false, 0, NULL},
		{"snapshots.0.name", false, 0, NULL},
		{"missing.datasets", false, 0, NULL},
		{"nics.*.ip", false, -EINVAL, "several values"},
		{"nics.0.ipp", false, -EINVAL, "nearest is nics.*.ip"},
		{"nics.x.ip", true, -EINVAL, "unknown field"},
		{"nics.0.", true, -EINVAL, "unknown field"},
		{"nics.0.ip.x", true, -EINVAL, "unknown field"},
		{"tags.", false, -EINVAL, "unknown field"},
		{"ram.x", false, -EINVAL, "unknown field"},
		{"resolvers.one", false, -EINVAL, "unknown field"},
		{"add_nics", false, -EINVAL, "unknown field"},
		{"", false, -EINVAL, "unknown field"},
		{".", false, -EINVAL, "unknown field"},
		{"stat", false, -EINVAL, "nearest is state"},
		{"max_lwp", false, -EINVAL, "nearest is max_lwps"},
		{"zonied", false, -EINVAL, "nearest is zoneid"},
		{"completely_different_thing", false, -EINVAL, "unknown field \"completely_different_thing\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct err e = ERR_INIT;
		struct vm_field f;
		int r = vm_field_make(t[i].name, t[i].many, &f, &e);

		if (r != t[i].r || (t[i].says && !strstr(e.msg, t[i].says)))
			fail_msg("%s: %d %s", t[i].name, r, e.msg);
		if (r == 0)
			vm_field_done(&f);
	}
}

static void widths(void **s)
{
	struct vm_field f;

	assert_int_equal(vm_field_make("cpu_shares", false, &f, NULL), 0);
	assert_string_equal(f.header, "CPU_SHARE");
	assert_int_equal(f.width, 9);
	assert_int_equal(f.src, SRC_ROW);
	vm_field_done(&f);
	assert_int_equal(vm_field_make("tags.role", false, &f, NULL), 0);
	assert_string_equal(f.header, "TAGS.ROLE");
	assert_int_equal(f.width, 20);
	assert_int_equal(f.src, SRC_RECORD);
	vm_field_done(&f);
}

static void states(void **s)
{
	const struct zone_run up = {.running = true, .keeper = true}, halting = {.running = true, .halting = true},
			      ready = {.keeper = true}, down = {.keeper = true, .ended = ZONE_END_EXIT}, none = {0};
	const uint64_t now = 1000 * 1000000000ULL;
	const int64_t old = 1, fresh = (int64_t)now - 299 * 1000000000LL;

	assert_string_equal(vm_state_name("installed", old, now, &up, false, false), "running");
	assert_string_equal(vm_state_name("installed", old, now, &up, true, false), "running");
	assert_string_equal(vm_state_name("installed", old, now, &halting, false, false), "stopping");
	assert_string_equal(vm_state_name("installed", old, now, &ready, false, false), "ready");
	assert_string_equal(vm_state_name("installed", old, now, &down, false, false), "shutting_down");
	assert_string_equal(vm_state_name("installed", old, now, &none, false, false), "stopped");
	assert_string_equal(vm_state_name("installed", old, now, NULL, false, false), "stopped");
	assert_string_equal(vm_state_name("installed", old, now, NULL, true, false), "missing");
	assert_string_equal(vm_state_name("installed", old, now, NULL, false, true), "suspended");
	assert_string_equal(vm_state_name("installed", old, now, &up, false, true), "running");
	assert_string_equal(vm_state_name("failed", old, now, NULL, false, true), "failed");
	assert_string_equal(vm_state_name("provisioning", fresh, now, &up, false, false), "provisioning");
	assert_string_equal(vm_state_name("provisioning", old, now, &up, false, false), "failed");
	/* a clock that was set back does not fail anybody */
	assert_string_equal(vm_state_name("provisioning", (int64_t)now + 5, now, NULL, false, false), "provisioning");
	assert_string_equal(vm_state_name("failed", old, now, &up, false, false), "failed");
	assert_string_equal(vm_state_name("configured", old, now, NULL, true, false), "configured");
	assert_string_equal(vm_zone_state_name("installed", &up), "running");
	assert_string_equal(vm_zone_state_name("installed", &ready), "ready");
	assert_string_equal(vm_zone_state_name("installed", &halting), "shutting_down");
	assert_string_equal(vm_zone_state_name("installed", NULL), "installed");
	assert_string_equal(vm_zone_state_name("provisioning", NULL), "incomplete");
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(names), cmocka_unit_test(widths), cmocka_unit_test(states)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
