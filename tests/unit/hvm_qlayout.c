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
#include "hvm/qsize.h"
#include "model/vm.h"

#define UUID "11111111-2222-4333-8444-555555555555"
#define HEAD "\"version\":1,\"machine\":\"pc-q35-7.2\",\"qemu\":[7,2,9],\"accelerator\":\"tcg\",\"cpu\":\"0123\",\"ram\":64,\"vcpus\":1"
#define SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
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
	assert_int_equal(checked("{" HEAD ",\"devices\":{},\"kernel\":{\"kernel\":\"" SUM "\",\"args\":\"a b\"}}"), 0);
	assert_int_equal(checked("{" HEAD ",\"devices\":{},\"kernel\":{\"kernel\":\"" SUM "\",\"initrd\":\"" SUM "\"}}"), 0);
	assert_int_equal(checked("{" HEAD ",\"devices\":{},\"kernel\":{\"initrd\":\"" SUM "\"}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{},\"kernel\":{\"kernel\":\"/etc/passwd\"}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{},\"kernel\":{\"kernel\":\"" SUM "\",\"initrd\":1}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{},\"kernel\":{\"kernel\":\"" SUM "\",\"args\":[]}}"), -EBADMSG);
	assert_int_equal(checked("{" HEAD ",\"devices\":{},\"kernel\":true}"), -EBADMSG);
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

/* What was added to a machine of 64 MiB and a processor. */
#define GROWN(vcpus, devices, size) "{\"version\":1,\"machine\":\"pc-q35-7.2\",\"qemu\":[7,2,9],\"accelerator\":\"tcg\",\"cpu\":\"0123\",\"ram\":64,\"vcpus\":" #vcpus ",\"devices\":{" ALWAYS devices "},\"size\":" size "}"
#define ROOM ",\"room\":{\"type\":\"virtio-mem-pci\",\"bus\":\"pcie.0\",\"addr\":72}"
#define SIZE(room, asked, taken, most, cores) "{\"room\":" #room ",\"asked\":" #asked ",\"taken\":" #taken ",\"vcpus\":" #most ",\"cores\":" cores "}"

static void sizes(void **s)
{
	assert_int_equal(checked(GROWN(1, "", SIZE(0, 0, 0, 1, "[0]"))), 0);
	assert_int_equal(checked(GROWN(2, ROOM, SIZE(128, 64, 128, 4, "[0,3]"))), 0);
	assert_int_equal(checked(GROWN(1, "", "[]")), -EBADMSG);
	assert_int_equal(checked(GROWN(1, "", "{}")), -EBADMSG);
	assert_int_equal(checked(GROWN(1, "", "{\"room\":0,\"asked\":0,\"taken\":0,\"vcpus\":1}")), -EBADMSG);
	assert_int_equal(checked(GROWN(1, ROOM, SIZE(128, 129, 0, 1, "[0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(1, ROOM, SIZE(128, 0, 129, 1, "[0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(1, ROOM, SIZE(128, -2, 0, 1, "[0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(1, ROOM, SIZE(2147483648, 0, 0, 1, "[0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(1, ROOM, SIZE("128", 0, 0, 1, "[0]"))), -EBADMSG);
	/* what a limit stood above its record's: less than could be added */
	assert_int_equal(checked(GROWN(1, ROOM, "{\"room\":128,\"asked\":0,\"taken\":64,\"vcpus\":1,\"cores\":[0],\"kept\":128}")), 0);
	assert_int_equal(checked(GROWN(1, ROOM, "{\"room\":128,\"asked\":0,\"taken\":64,\"vcpus\":1,\"cores\":[0],\"kept\":129}")), -EBADMSG);
	assert_int_equal(checked(GROWN(1, ROOM, "{\"room\":128,\"asked\":0,\"taken\":64,\"vcpus\":1,\"cores\":[0],\"kept\":-1}")), -EBADMSG);
	assert_int_equal(checked(GROWN(1, "", SIZE(0, 0, 0, 0, "[0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(1, "", SIZE(0, 0, 0, 1025, "[0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(1, "", SIZE(0, 0, 0, 4, "[1]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(2, "", SIZE(0, 0, 0, 4, "[0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(2, "", SIZE(0, 0, 0, 4, "[0,4]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(2, "", SIZE(0, 0, 0, 4, "[0,0]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(3, "", SIZE(0, 0, 0, 4, "[0,2,1]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(2, "", SIZE(0, 0, 0, 4, "[0,\"1\"]"))), -EBADMSG);
	assert_int_equal(checked(GROWN(2, "", SIZE(0, 0, 0, 4, "{\"0\":0,\"1\":1}"))), -EBADMSG);
}

static int of(const char *rec_text, const char *layout_text)
{
	_json_ json_t *rec = json_loads(rec_text, 0, NULL), *layout = json_loads(layout_text, 0, NULL);

	assert_non_null(rec);
	assert_non_null(layout);
	assert_int_equal(qlayout_check(layout, NULL), 0);
	return qlayout_size_check(layout, rec, NULL);
}

/* What a state says is within what its record allows, and the record says what is true. */
static void of_record(void **s)
{
	const char *grown = GROWN(2, ROOM, SIZE(128, 64, 128, 4, "[0,3]")), *old = "{" HEAD ",\"devices\":{}}";

	assert_int_equal(of("{\"ram\":128,\"max_ram\":192,\"vcpus\":2,\"max_vcpus\":4}", grown), 0);
	assert_int_equal(of("{\"ram\":128,\"max_ram\":193,\"vcpus\":2,\"max_vcpus\":4}", grown), 0);
	assert_int_equal(of("{\"ram\":64,\"max_ram\":192,\"vcpus\":2,\"max_vcpus\":4}", grown), -ESTALE);
	assert_int_equal(of("{\"ram\":128,\"max_ram\":190,\"vcpus\":2,\"max_vcpus\":4}", grown), -ESTALE);
	assert_int_equal(of("{\"ram\":128,\"max_ram\":256,\"vcpus\":2,\"max_vcpus\":4}", grown), -ESTALE);
	assert_int_equal(of("{\"ram\":128,\"vcpus\":2,\"max_vcpus\":4}", grown), -ESTALE);
	assert_int_equal(of("{\"ram\":128,\"max_ram\":192,\"vcpus\":3,\"max_vcpus\":4}", grown), -ESTALE);
	assert_int_equal(of("{\"ram\":128,\"max_ram\":192,\"vcpus\":2,\"max_vcpus\":3}", grown), -ESTALE);
	assert_int_equal(of("{\"ram\":128,\"max_ram\":192,\"vcpus\":2}", grown), -ESTALE);
	/* all of it, and a machine that can have no more */
	assert_int_equal(of("{\"ram\":192,\"max_ram\":192,\"vcpus\":4,\"max_vcpus\":4}", GROWN(4, ROOM, SIZE(128, 128, 128, 4, "[0,1,2,3]"))), 0);
	assert_int_equal(of("{\"ram\":64,\"vcpus\":1}", GROWN(1, "", SIZE(0, 0, 0, 1, "[0]"))), 0);
	/* of before */
	assert_int_equal(of("{\"ram\":64,\"max_ram\":192,\"vcpus\":1,\"max_vcpus\":4}", old), 0);
	assert_int_equal(of("{\"ram\":128,\"max_ram\":192,\"vcpus\":1}", old), -ESTALE);
	assert_int_equal(of("{\"ram\":64,\"vcpus\":2}", old), -ESTALE);
}

static void grown_line(const char *members, const char *layout_text, const char *want)
{
	_free_ char *text = xprintf("{\"uuid\":\"" UUID "\",\"vga\":\"none\",%s}", members);
	_json_ json_t *rec = json_loads(text, 0, NULL), *layout = json_loads(layout_text, 0, NULL);
	_buf_ struct buf b = BUF_INIT;
	char **argv = NULL;

	assert_non_null(rec);
	assert_non_null(layout);
	assert_int_equal(qemu_args(rec, false, layout, &argv, NULL), 0);
	for (char **a = argv; *a; a++)
		buf_printf(&b, "%s ", *a);
	qemu_args_free(argv);
	if (!strstr(buf_str(&b), want))
		fail_msg("no \"%s\" in %s", want, buf_str(&b));
}

static void grown(void **s)
{
	const char *two = GROWN(3, ROOM, SIZE(128, 64, 64, 6, "[0,1,4]")), *rec = "\"ram\":128,\"max_ram\":192,\"vcpus\":3,\"max_vcpus\":6";

	grown_line(rec, two, "-smp 2,maxcpus=6 -m 64M,maxmem=192M -device max-x86_64-cpu,id=cpu4,socket-id=0,core-id=4,thread-id=0 -display");
	grown_line(rec, two, "memory-backend-ram,id=mem-room,size=128M,reserve=off -device virtio-mem-pci,id=room,memdev=mem-room,bus=pcie.0,addr=9.0 ");
	/* all of what it can have: its record has no room any more, and it has */
	grown_line("\"ram\":192,\"max_ram\":192,\"vcpus\":2,\"max_vcpus\":2", GROWN(2, ROOM, SIZE(128, 128, 128, 2, "[0,1]")), "-smp 2 -m 64M,maxmem=192M -display");
	has("\"vcpus\":1,\"max_ram\":192", ROOM, "-m 64M,maxmem=192M ");
	has("\"vcpus\":1,\"max_ram\":192", "", "!116 the machine whose state this is has no room");
	/* queues are as many as it had when it was started */
	has("\"disks\":[" DISK(0, "virtio") "]", PLACE(0, "virtio-blk-pci", "\"bus\":\"pcie.0\",\"addr\":40,\"num-queues\":3"), "addr=5.0,num-queues=3 ");
	assert_int_equal(checked("{" HEAD ",\"devices\":{\"x\":{\"type\":\"a\",\"bus\":\"b\",\"num-queues\":1025}}}"), -EBADMSG);
}

static char *cores_of(const char *list)
{
	struct qsize s = {.list = json_loads(list, 0, NULL)};
	_json_ json_t *cores = NULL;
	char *text;

	assert_non_null(s.list);
	cores = qsize_cores(&s);
	qsize_done(&s);
	text = cores ? json_dumps(cores, JSON_COMPACT) : NULL;
	return text ?: xstrdup("none");
}

static void cores_are(const char *list, const char *want)
{
	_free_ char *got = cores_of(list);

	assert_string_equal(got, want);
}

#define CORE(n, more) "{\"props\":{\"socket-id\":0,\"core-id\":" #n ",\"thread-id\":0,\"node-id\":0},\"type\":\"max-x86_64-cpu\"" more "}"
#define THERE ",\"qom-path\":\"/machine/x\""

/* Of what a monitor says of its processors: those that are there, or that it is another machine than ours are. */
static void cores(void **state)
{
	struct qsize s = {.list = json_loads("[" CORE(3, THERE) "," CORE(1, "") "," CORE(2, "") "," CORE(0, THERE) "]", 0, NULL)};

	assert_int_equal(vm_int(json_object_get(qsize_place(&s, false), "props"), "core-id", -1), 1);
	assert_int_equal(vm_int(json_object_get(qsize_place(&s, true), "props"), "core-id", -1), 3);
	qsize_done(&s);
	cores_are("[" CORE(3, THERE) "," CORE(1, "") "," CORE(0, THERE) "]", "[0,3]");
	cores_are("[]", "[]");
	cores_are("[{\"qom-path\":\"/x\"}]", "[0]");
	cores_are("[" CORE(1024, THERE) "]", "none");
	cores_are("[{\"props\":{\"socket-id\":1,\"core-id\":0,\"thread-id\":0},\"qom-path\":\"/x\"}]", "none");
	cores_are("[{\"props\":{\"socket-id\":0,\"core-id\":0,\"thread-id\":1}}]", "none");
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(check), cmocka_unit_test(places), cmocka_unit_test(sizes), cmocka_unit_test(of_record), cmocka_unit_test(grown), cmocka_unit_test(cores), cmocka_unit_test(sums)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
