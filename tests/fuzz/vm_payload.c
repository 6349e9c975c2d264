/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bytes from outside → payload → report, record, update. What a create accepts must load again from its own text,
 * must not change under an empty update, and what get shows of it must be taken back by update.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "model/vm.h"

#define NOW   "2026-01-31T12:00:00.000Z"
#define LATER "2026-01-31T13:00:00.000Z"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A record as another payload meets it. */
static const char *const olds[] = {
	"{\"brand\":\"lx\",\"image_uuid\":\"11111111-2222-3333-4444-555555555555\",\"tags\":{\"a\":1},\"ram\":512,"
	"\"filesystems\":[{\"type\":\"lofs\",\"source\":\"/a\",\"target\":\"/b\"}],\"devices\":[{\"match\":\"/dev/fuse\"}]}",
	"{\"brand\":\"kvm\",\"ram\":128,\"nics\":[{\"nic_tag\":\"a\",\"model\":\"virtio\",\"mac\":\"02:08:20:d7:4f:11\","
	"\"ips\":[\"10.0.0.1/8\"]}],\"disks\":[{\"model\":\"virtio\",\"size\":10,\"path\":\"/dev/x\"}]}",
	"{\"brand\":\"bhyve\",\"ram\":128,\"pci_devices\":[{\"path\":\"/devices/1\"}]}",
};

static void consistent(int r, const struct err *e, const json_t *report)
{
	assert(r == 0 || (e->code == -r && e->msg[0]));
	assert(r == 0 || (report && json_object_get(report, "bad_values")));
	for (const char *s = e->msg; r < 0 && *s; s++)
		assert((unsigned char)*s >= 0x20);
}

static void good_record(const json_t *rec)
{
	_free_ char *text = vm_record_text(rec), *shown = NULL;
	_json_ json_t *back = NULL, *same = NULL, *changed = NULL, *out = vm_output(rec, NULL), *empty = json_object();
	_json_ json_t *again = NULL, *more = NULL, *hidden = vm_redact(rec), *parsed = NULL;
	struct err e = ERR_INIT;
	int64_t phys = vm_int(rec, "max_physical_memory", -1);

	assert(text && out && hidden);
	if (vm_record_load(text, strlen(text), &back, &e) < 0) {
		fprintf(stderr, "%s\n%s\n", text, e.msg);
		abort();
	}
	assert(json_equal(rec, back));
	assert(phys > 0 && vm_int(rec, "max_locked_memory", 0) <= phys && vm_int(rec, "max_swap", 0) >= phys);
	assert(vm_int(rec, "max_swap", 0) >= 256 && vm_int(rec, "tmpfs", 0) <= phys && vm_int(rec, "tmpfs", 0) >= 0);
	assert(vm_int(rec, "max_locked_memory", -1) >= 0);
	assert(vm_record_update(rec, empty, LATER, &same, &changed, NULL, &e) == 0);
	assert(json_equal(rec, same) && json_array_size(changed) == 0);
	shown = json_dumps(out, 0);
	assert(vm_parse(shown, strlen(shown), &parsed, &e) == 0);
	assert(vm_record_update(rec, parsed, LATER, &again, &more, NULL, &e) == 0);
	assert(json_equal(rec, again) && json_array_size(more) == 0);
	(void)vm_available(rec, &e);
	(void)vm_type(rec);
}

static void use(const json_t *payload)
{
	json_decref(vm_redact(payload));
	for (enum vm_verb v = VM_CREATE; v <= VM_RECEIVE; v++) {
		_json_ json_t *report = NULL;
		struct err e = ERR_INIT;
		int r = vm_validate(payload, v, v == VM_UPDATE ? "joyent" : NULL, &report, &e);

		consistent(r, &e, report);
	}
	{
		_json_ json_t *report = NULL, *rec = NULL;
		struct err e = ERR_INIT;
		int r = vm_record_create(payload, NOW, &rec, &report, &e);

		consistent(r, &e, report);
		if (r == 0)
			good_record(rec);
		else
			assert(!rec);
	}
	for (size_t i = 0; i < ARRAY_LEN(olds); i++) {
		_json_ json_t *report = NULL, *rec = NULL, *base = NULL, *first = NULL, *copy = NULL, *changed = NULL;
		struct err e = ERR_INIT;
		int r;

		assert(vm_parse(olds[i], strlen(olds[i]), &base, &e) == 0);
		assert(vm_record_create(base, NOW, &first, NULL, &e) == 0);
		copy = json_deep_copy(first);
		r = vm_record_update(first, payload, LATER, &rec, &changed, &report, &e);
		consistent(r, &e, report);
		assert(json_equal(first, copy));
		if (r == 0)
			good_record(rec);
		else
			assert(!rec && !changed);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	_json_ json_t *j = NULL, *rec = NULL;
	struct err e = ERR_INIT;
	int r = vm_parse((const char *)p, n, &j, &e);
	size_t i;
	json_t *v;

	/* A record may have been written by an older version, with fewer defaults: it loads from its own text, no more. */
	if (vm_record_load((const char *)p, n, &rec, &e) == 0) {
		_free_ char *text = vm_record_text(rec);
		_json_ json_t *back = NULL;

		assert(vm_record_load(text, strlen(text), &back, &e) == 0 && json_equal(rec, back));
	}
	if (r < 0) {
		assert(!j && e.msg[0]);
		return 0;
	}
	if (json_is_array(j)) {
		json_array_foreach(j, i, v)
		{
			if (i < 4)
				use(v);
		}
		json_decref(vm_redact(j));
	} else {
		use(j);
	}
	return 0;
}
