/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "hvm/qemu.h"
#include "hvm/qmp.h"
#include "model/vm.h"

/* The whole line with blanks between, or the error behind a '!'. */
static char *line(const char *members, bool kvm)
{
	_free_ char *text = xprintf("{\"uuid\":\"11111111-2222-4333-8444-555555555555\",\"ram\":64,%s}", members);
	_json_ json_t *rec = json_loads(text, 0, NULL);
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	char **argv = NULL;

	assert_non_null(rec);
	if (qemu_args(rec, kvm, &argv, &e) < 0)
		return xprintf("!%s", e.msg);
	for (char **a = argv; *a; a++)
		buf_printf(&b, "%s ", *a);
	qemu_args_free(argv);
	return buf_take(&b);
}

static void has(const char *members, bool kvm, const char *want)
{
	_free_ char *l = line(members, kvm);

	if (!strstr(l, want))
		fail_msg("%s: no \"%s\" in %s", members, want, l);
}

static void arguments(void **s)
{
	has("\"vcpus\":3", true, "-cpu host -smp 3 -m 64M");
	has("\"vcpus\":3", true, "-accel kvm ");
	has("\"vcpus\":1", false, "-accel tcg,tb-size=128 ");
	has("\"vcpus\":1", false, "-cpu max -smp 1");
	has("\"cpu_type\":\"host\"", false, "-cpu max");
	has("\"cpu_type\":\"qemu64\"", true, "-cpu qemu64");
	has("\"cpu_type\":\"a,b\"", true, "!cpu_type");
	has("\"vga\":\"std\"", true, "-vga std");
	has("\"vga\":\"xenfb\"", true, "!vga");
	has("\"boot\":\"order=cd,once=d\"", true, "!boot");
	has("\"ram\":64", true, "-S ");
	has("\"ram\":64", true, "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	has("\"ram\":64", true, "socket,id=qmp,fd=20,");
}

static void disks(void **s)
{
	/* descriptors are numbered as the record has the disks, places as they are booted from */
	has("\"disks\":[{\"model\":\"virtio\"},{\"model\":\"virtio\",\"boot\":true}]", true, "fd=33,set=2");
	has("\"disks\":[{\"model\":\"virtio\"},{\"model\":\"virtio\",\"boot\":true}]", true, "drive=disk1,id=dev1,bootindex=1 ");
	has("\"disks\":[{\"model\":\"virtio\"},{\"model\":\"virtio\",\"boot\":true}]", true, "drive=disk0,id=dev0,bootindex=2 ");
	/* CD-ROMs first where the order says so */
	has("\"boot\":\"order=dc\",\"disks\":[{\"model\":\"virtio\"},{\"model\":\"ide\",\"media\":\"cdrom\"}]", true, "ide-cd,bus=ide.0,drive=disk1,id=dev1,bootindex=2 ");
	has("\"boot\":\"order=dc\",\"disks\":[{\"model\":\"virtio\"},{\"model\":\"ide\",\"media\":\"cdrom\"}]", true, "drive=disk0,id=dev0,bootindex=33 ");
	has("\"disk_driver\":\"scsi\",\"disks\":[{},{}]", true, "virtio-scsi-pci,id=scsi");
	has("\"disk_driver\":\"scsi\",\"disks\":[{},{}]", true, "scsi-hd,bus=scsi.0,drive=disk1");
	has("\"disks\":[{\"model\":\"nvme\",\"media\":\"cdrom\"}]", true, "!disks.0");
	has("\"disks\":[{\"model\":\"ide\",\"media\":\"cdrom\"}]", true, "read-only=on");
	has("\"disk_driver\":\"ide\",\"disks\":[{},{},{},{},{},{},{}]", true, "!disks.6: the machine has six places");
}

static enum qmp_kind kind(const char *text, char why[256])
{
	json_t *v;
	enum qmp_kind k = qmp_line(text, strlen(text), &v, why);

	json_decref(v);
	return k;
}

static void lines(void **s)
{
	char why[256];

	assert_int_equal(kind("{\"QMP\":{}}", why), QMP_GREETING);
	assert_int_equal(kind("{\"return\":{}}", why), QMP_RETURN);
	assert_int_equal(kind("{\"event\":\"RESET\",\"return\":{}}", why), QMP_OTHER);
	assert_int_equal(kind("{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\\u001b[2J\\nway\"}}", why), QMP_ERROR);
	assert_string_equal(why, "no?[2J?way");
	assert_int_equal(kind("{\"error\":{}}", why), QMP_ERROR);
	assert_int_equal(kind("[]", why), QMP_BAD);
	assert_int_equal(kind("{", why), QMP_BAD);
	assert_int_equal(kind("{\"return\":1,\"return\":2}", why), QMP_BAD);
	assert_int_equal(kind("{\"x\":1}", why), QMP_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(arguments), cmocka_unit_test(disks), cmocka_unit_test(lines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
