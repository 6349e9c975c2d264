/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"
#include "hvm/qemu.h"
#include "hvm/qlayout.h"
#include "hvm/qsaved.h"
#include "model/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A word of it on QEMU's command line is one word, whatever it holds. */
static void placed(const json_t *layout)
{
	_json_ json_t *d = json_pack("{s:s, s:s}", "driver", "virtio-rng-pci", "id", "rng"), *rec = json_pack("{s:s, s:s}", "uuid", "u", "vga", "none");
	struct qlayout_size s;
	char **argv = NULL;

	/* what is offered to a guest, and how many processors it has, is within what there is room for */
	qlayout_size(layout, rec, &s);
	assert(s.ram > 0 && s.room >= 0 && s.asked >= 0 && s.asked <= s.room && s.taken >= 0 && s.taken <= s.room && s.vcpus >= 1 && s.vcpus <= s.most);
	if (qlayout_size_check(layout, rec, NULL) == 0)
		assert(s.ram + s.asked == 256 && s.room == 0 && s.most == 1);
	if (qlayout_place(layout, d, NULL) == 0)
		assert(vm_str(d, "bus") && !strpbrk(vm_str(d, "bus"), ",= ") && (!vm_str(d, "addr") || !strpbrk(vm_str(d, "addr"), ",= ")));
	if (qemu_args(rec, false, layout, &argv, NULL) == 0)
		qemu_args_free(argv);
}

/* The state of a machine, from a pool that came from elsewhere: its beginning and its end. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	_json_ json_t *head = NULL;
	uint64_t sum;
	uint32_t len;

	if (n < QSAVED_BEGIN + QSAVED_END)
		return 0;
	qsaved_whole(p + n - QSAVED_END, n, &sum, NULL);
	if (qsaved_length(p, &len, NULL) < 0)
		return 0;
	assert(len <= QSAVED_HEAD_MAX);
	if (len > n - QSAVED_BEGIN)
		len = (uint32_t)(n - QSAVED_BEGIN);
	if (qsaved_head((const char *)p + QSAVED_BEGIN, len, &head, NULL) == 0)
		placed(json_object_get(head, "layout"));
	return 0;
}
