/* SPDX-License-Identifier: MPL-2.0 */
/* Where devices of a machine were, given to one that goes on for it; and what of such a text is refused. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/sum64.h"
#include "hvm/qemu.h"
#include "hvm/qlayout.h"
#include "model/vm.h"

#define UUID "11111111-2222-4333-8444-555555555555"
#define HEAD "\"version\":1,\"machine\":\"pc-q35-7.2\",\"qemu\":[7,2,9],\"accelerator\":\"tcg\",\"cpu\":\"0123\",\"ram\":64,\"vcpus\":1"
#define ALWAYS                                                                                                                       \
	"\"ports\":{\"type\":\"virtio-serial-pci\",\"bus\":\"pcie.0\",\"addr\":16},\"rng\":{\"type\":\"virtio-rng-pci\",\"bus\":\"pcie.0\"," \
	"\"addr\":24},\"balloon\":{\"type\":\"virtio-balloon-pci\",\"bus\":\"pcie.0\",\"addr\":33}"

static int checked(const char *text)
{
	_json_ json_t *l = json_loads(text, 0, NULL);

	assert_non_null(l);
	return qlayout_check(l, NULL);
}

static void check(void **s)
{
	assert_int_equal(checked("{" HEAD ",\"devices\":{" ALWAYS "}}"), 0);
	assert_int_equal(checked("{" HEAD "}"), -EBADMSG);
	assert_int_equal(checked("[]"), -ENOTSUP);
	assert_int_equal(checked("{\"version\":2,\"devices\":{}}"), -ENOTSUP);
	assert_int_equal(checked("{" HEAD ",\"devices\":{\"x\":{\"type\":\"a,b\",\"bus\":\"pcie.0\"}}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{\"x\":{\"type\":\"a\",\"bus\":\"pcie.0,addr=4\"}}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{\"x\":{\"type\":\"a\",\"bus\":\"b\",\"addr\":256}}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{\"x\":{\"type\":\"a\",\"bus\":\"b\",\"addr\":-1}}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{\"x\":{\"type\":\"a\",\"bus\":\"b\",\"addr\":\"1\"}}}"), -EBADMSG);
	assert_int_equal(checked("{\"version\":1,\"machine\":\"pc-i440fx-7.2\",\"qemu\":[7,2,9],\"accelerator\":\"tcg\",\"cpu\":\"0\",\"ram\":1,\"vcpus\":1,\"devices\":{}}"), -EBADMSG);
	assert_int_equal(checked("{\"version\":1,\"machine\":\"pc-q35-7.2,x=y\",\"qemu\":[7,2,9],\"accelerator\":\"tcg\",\"cpu\":\"0\",\"ram\":1,\"vcpus\":1,\"devices\":{}}"), -EBADMSG);
}

static char *line(const char *members, const char *devices)
{
	_free_ char *text = xprintf("{\"uuid\":\"" UUID "\",\"ram\":64,\"vga\":\"none\",%s}", members);
	_free_ char *where = xprintf("{" HEAD ",\"devices\":{" ALWAYS "%s}}", devices);
	_json_ json_t *rec = json_loads(text, 0, NULL), *layout = json_loads(where, 0, NULL);
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	char **argv = NULL;

	assert_non_null(rec);
	assert_non_null(layout);
	if (qemu_args(rec, false, layout, &argv, &e) < 0)
		return xprintf("!%d %s", e.code, e.msg);
	for (char **a = argv; *a; a++)
		buf_printf(&b, "%s ", *a);
	qemu_args_free(argv);
	return buf_take(&b);
}

static void has(const char *members, const char *devices, const char *want)
{
	_free_ char *l = line(members, devices);

	if (!strstr(l, want))
		fail_msg("%s with %s: no \"%s\" in %s", members, devices, want, l);
}

#define DISK(n, model) "{\"model\":\"" model "\",\"path\":\"/z/" UUID "/root/disk" #n "\"}"
#define PLACE(n, type, more) ",\"dev-disk" #n "\":{\"type\":\"" type "\"," more "}"

static void places(void **s)
{
	has("\"vcpus\":1", "", "-machine pc-q35-7.2,dump-guest-core");
	has("\"vcpus\":1", "", "-incoming defer ");
	has("\"vcpus\":1", "", "virtio-balloon-pci,id=balloon,deflate-on-oom=on,bus=pcie.0,addr=4.1 ");
	/* one that was plugged in where it would not be at a start */
	has("\"disks\":[" DISK(0, "virtio") "," DISK(3, "virtio") "]",
	    PLACE(0, "virtio-blk-pci", "\"bus\":\"pcie.0\",\"addr\":40") PLACE(3, "virtio-blk-pci", "\"bus\":\"plug6\",\"addr\":0"),
	    "virtio-blk-pci,drive=disk3,id=dev-disk3,bus=plug6,werror=stop,bootindex=2,addr=0.0 ");
	has("\"disks\":[" DISK(1, "scsi") "]", ",\"scsi\":{\"type\":\"virtio-scsi-pci\",\"bus\":\"pcie.0\",\"addr\":48}" PLACE(1, "scsi-hd", "\"bus\":\"scsi.0\",\"scsi-id\":4,\"lun\":0"),
	    "id=dev-disk1,bus=scsi.0,werror=stop,bootindex=1,scsi-id=4,lun=0 ");
	/* other devices than the state's */
	has("\"disks\":[" DISK(0, "virtio") "]", "", "!116 disks.0: the machine whose state this is has no dev-disk0");
	has("\"vcpus\":1", PLACE(0, "virtio-blk-pci", "\"bus\":\"pcie.0\",\"addr\":40"), "!116 the machine whose state this is has disks or NICs");
	has("\"disks\":[" DISK(0, "ide") "]", PLACE(0, "virtio-blk-pci", "\"bus\":\"pcie.0\",\"addr\":40"), "!116 disks.0: the machine whose state this is has as dev-disk0 not ide-hd");
	has("\"nics\":[{\"mac\":\"02:08:20:00:00:01\",\"mtu\":9000}]", ",\"nic020820000001\":{\"type\":\"virtio-net-pci\",\"bus\":\"plug9\",\"addr\":0,\"host_mtu\":1400}", "host_mtu=1400");
}

static uint64_t sum(const char *p, size_t n, size_t piece)
{
	struct sum64 s = SUM64_INIT;

	for (size_t at = 0; at < n; at += piece)
		sum64_add(&s, p + at, n - at < piece ? n - at : piece);
	return sum64(&s);
}

/* Whatever the pieces, it is of the whole; and any one bit makes another. */
static void sums(void **s)
{
	char text[100];

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7);
	for (size_t piece = 1; piece < sizeof text; piece++)
		assert_true(sum(text, sizeof text, piece) == sum(text, sizeof text, sizeof text));
	for (size_t bit = 0; bit < sizeof text * 8; bit++) {
		uint64_t was = sum(text, sizeof text, sizeof text);

		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		assert_true(sum(text, sizeof text, sizeof text) != was);
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
	assert_true(sum(text, 8, 8) != sum(text, 7, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(check), cmocka_unit_test(places), cmocka_unit_test(sums)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
