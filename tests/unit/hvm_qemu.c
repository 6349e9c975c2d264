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
#include "hvm/qdisk.h"
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
	if (qemu_args(rec, kvm, NULL, &argv, &e) < 0)
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
	has("\"kernel\":\"/k\",\"kernel_sha256\":\"0\"", true, "-kernel /proc/self/fd/21 -accel kvm");
	has("\"kernel\":\"/k\",\"initrd\":\"/i\",\"kernel_args\":\"a=b,c d\"", true, "-kernel /proc/self/fd/21 -initrd /proc/self/fd/22 -append a=b,c d -accel");
	has("\"boot\":\"order=ca\"", true, "!boot");
	has("\"boot\":\"order=cc\"", true, "!boot");
	has("\"boot\":\"menu=on\"", true, "!boot");
	has("\"boot\":\"order\"", true, "!boot");
	has("\"max_ram\":131,\"max_vcpus\":4", true, "-smp 1,maxcpus=4 -m 64M,maxmem=130M ");
	has("\"max_ram\":131", true, "-object memory-backend-ram,id=mem-room,size=66M,reserve=off -device virtio-mem-pci,id=room,memdev=mem-room");
	has("\"max_ram\":65,\"vcpus\":4,\"max_vcpus\":4", true, "-smp 4 -m 64M -display");
	has("\"ram\":64", true, ",mem-merge=off ");
	has("\"page_sharing\":true", true, ",mem-merge=on ");
	has("\"ram\":64", true, "-rtc base=utc,");
	has("\"rtc\":\"utc\"", true, "-rtc base=utc,");
	has("\"rtc\":\"Europe/Berlin\"", true, "-rtc base=localtime,");
	has("\"nics\":[{\"model\":\"virtio\",\"mac\":\"02:00:00:00:00:01\"}]", true, ",romfile=,bus=plug8 ");
	has("\"virtio_txtimer\":200000,\"virtio_txburst\":128,\"nics\":[{\"model\":\"virtio\",\"mac\":\"02:00:00:00:00:01\"}]", true, ",tx=timer,x-txtimer=200000,x-txburst=128 ");
	has("\"virtio_txtimer\":0,\"virtio_txburst\":0,\"nics\":[{\"model\":\"virtio\",\"mac\":\"02:00:00:00:00:01\"}]", true, ",romfile=,bus=plug8 ");
	has("\"virtio_txtimer\":200000,\"nics\":[{\"model\":\"e1000\",\"mac\":\"02:00:00:00:00:01\"}]", true, ",romfile=,bus=plug8 ");
	has("\"ram\":64", true, "-S ");
	has("\"ram\":64", true, "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	has("\"ram\":64", true, "socket,id=qmp,fd=20,");
}

static void disks(void **s)
{
	/* descriptors are numbered as the record has the disks, places as they are booted from; names are the files' */
	has("\"disks\":[{\"model\":\"virtio\",\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk0\"},{\"model\":\"virtio\",\"boot\":true,\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk5\"}]", true, "fd=33,set=2");
	has("\"disks\":[{\"model\":\"virtio\",\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk0\"},{\"model\":\"virtio\",\"boot\":true,\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk5\"}]", true, "-blockdev driver=raw,node-name=disk5,discard=unmap,detect-zeroes=unmap,read-only=off,file.driver=file,file.filename=/dev/fdset/2 ");
	has("\"disks\":[{\"model\":\"virtio\",\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk0\"},{\"model\":\"virtio\",\"boot\":true,\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk5\"}]", true, "virtio-blk-pci,drive=disk5,id=dev-disk5,werror=stop,bootindex=1 ");
	has("\"disks\":[{\"model\":\"virtio\",\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk0\"},{\"model\":\"virtio\",\"boot\":true,\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk5\"}]", true, "virtio-blk-pci,drive=disk0,id=dev-disk0,bus=plug0,werror=stop,bootindex=2 ");
	has("\"disks\":[{\"model\":\"virtio\",\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk0\"},{\"model\":\"virtio\",\"boot\":true,\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk5\"}]", true, "pcie-root-port,id=plug15,chassis=16,addr=11.7,multifunction=on");
	/* CD-ROMs first where the order says so */
	has("\"boot\":\"order=dc\",\"disks\":[{\"model\":\"virtio\",\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk0\"},{\"model\":\"ide\",\"media\":\"cdrom\",\"path\":\"/x.iso\"}]", true, "ide-cd,drive=file6eec1efaed7c91c9,id=dev-file6eec1efaed7c91c9,bus=ide.0,bootindex=2 ");
	has("\"boot\":\"order=dc\",\"disks\":[{\"model\":\"virtio\",\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk0\"},{\"model\":\"ide\",\"media\":\"cdrom\",\"path\":\"/x.iso\"}]", true, "drive=disk0,id=dev-disk0,werror=stop,bootindex=33 ");
	has("\"disk_driver\":\"scsi\",\"disks\":[{},{}]", true, "virtio-scsi-pci,id=scsi");
	has("\"disk_driver\":\"scsi\",\"disks\":[{},{\"path\":\"/z/11111111-2222-4333-8444-555555555555/root/disk1\"}]", true, "scsi-hd,drive=disk1,id=dev-disk1,bus=scsi.0");
	has("\"disks\":[{\"model\":\"scsi\",\"path\":\"/x\",\"block_size\":8192}]", true, ",werror=stop,physical_block_size=8192,bootindex=1 ");
	has("\"disks\":[{\"model\":\"nvme\",\"media\":\"cdrom\"}]", true, "!disks.0");
	has("\"disks\":[{\"model\":\"ide\",\"media\":\"cdrom\"}]", true, "read-only=on");
	has("\"disk_driver\":\"ide\",\"disks\":[{},{},{},{},{},{},{}]", true, "!disks.6: the machine has six places");
}

static int number(const char *path)
{
	_json_ json_t *rec = json_pack("{s:s}", "uuid", "11111111-2222-4333-8444-555555555555"), *disk = json_pack("{s:s}", "path", path);

	return qdisk_number(rec, disk);
}

/* What is a disk of its own is told by its name alone, wherever the pool is. */
static void numbers(void **s)
{
#define OURS "/11111111-2222-4333-8444-555555555555/root/disk"
	assert_int_equal(number("/zones" OURS "0"), 0);
	assert_int_equal(number("/elsewhere/zones" OURS "255"), 255);
	assert_int_equal(number("/zones" OURS "256"), -1);
	assert_int_equal(number("/zones" OURS "00"), -1);
	assert_int_equal(number("/zones" OURS "07"), -1);
	assert_int_equal(number("/zones" OURS ""), -1);
	assert_int_equal(number("/zones" OURS "1x"), -1);
	assert_int_equal(number("/zones" OURS "1/2"), -1);
	assert_int_equal(number("/zones" OURS "99999999999999999999"), -1);
	assert_int_equal(number("/zones/22222222-2222-4333-8444-555555555555/root/disk0"), -1);
	assert_int_equal(number("/dev/sda"), -1);
#undef OURS
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
	assert_int_equal(kind("{\"event\":\"RESET\",\"return\":{}}", why), QMP_EVENT);
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(arguments), cmocka_unit_test(disks), cmocka_unit_test(numbers), cmocka_unit_test(lines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
