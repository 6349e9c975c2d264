/* SPDX-License-Identifier: MPL-2.0 */
/* What one start of a machine has that its record has not: another order to boot in, a CD-ROM, a disk. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "hvm/qboot.h"
#include "hvm/qdisk.h"
#include "model/vm.h"
#include "node/disks.h"
#include "node/machine.h"

#define ANSWER_MS 5000

/* "PATH,MODEL" */
static int extra(json_t *rec, const char *key, const char *value, struct err *e)
{
	const char *comma = access(value, F_OK) == 0 ? NULL : strrchr(value, ','); /* a name may have one */
	json_t *disks = json_object_get(rec, "disks"), *d = json_object();

	if (!disks) {
		disks = json_array();
		json_object_set_new(rec, "disks", disks);
	}
	json_object_set_new(d, "path", json_stringn(value, comma ? (size_t)(comma - value) : strlen(value)));
	json_object_set_new(d, "model", json_string(comma ? comma + 1 : "ide"));
	json_object_set_new(d, "media", json_string(str_eq(key, "cdrom") ? "cdrom" : "disk"));
	json_object_set_new(d, QDISK_ONCE, json_true());
	json_array_append_new(disks, d);
	if (json_array_size(disks) > DISKS_MAX)
		return err_set(e, E2BIG, "disks: at most %d", DISKS_MAX);
	if (!vm_str(d, "path") || *vm_str(d, "path") != '/')
		return err_set(e, EINVAL, "%s=%s: a whole path is needed, and maybe its model: /iso/x.iso,ide", key, value);
	return disk_of_host(vm_str(d, "path"), key, e);
}

/* order or once of a start; as people know it from SmartOS, both may be in one word: order=cd,once=d */
static int boot_given(struct qboot *b, json_t *rec, const char *key, const char *value, struct err *e)
{
	_free_ char *text = xprintf("%s=%s", key, value), *boot = NULL;
	struct qboot given;
	int r = qboot_parse(text, &given, e);

	if (r < 0)
		return r;
	boot = xprintf("order=%s%s%s", str_eq(key, "order") || strstr(text, ",order=") ? given.order : b->order,
		       *given.once || *b->once ? ",once=" : "", *given.once ? given.once : b->once);
	json_object_set_new(rec, "boot", json_string(boot));
	return qboot_parse(boot, b, e);
}

void machine_boot_warn(struct ctx *c, const json_t *rec)
{
	struct qboot b;

	if (qboot_parse(vm_str(rec, "boot"), &b, NULL) == 0 && (strchr(b.order, 'n') || strchr(b.once, 'n')))
		ctx_log(c, LOG_WARN, "boot: n: a machine has no program to boot from the network by; what stands before and behind it is tried");
}

int machine_start_with(struct vm *v, const json_t *opts, json_t **rec, struct err *e)
{
	_json_ json_t *out = json_deep_copy(v->rec);
	struct qboot b;
	const json_t *o;
	size_t i;
	int r;

	if (!brand_hvm(v->brand))
		return err_set(e, EINVAL, "order, once, cdrom and disk are for hardware virtual machines");
	r = qboot_parse(vm_str(out, "boot"), &b, e);
	json_array_foreach(opts, i, o)
	{
		const char *key = vm_str(o, "key"), *value = vm_str(o, "value");

		if (r < 0)
			break;
		if (str_eq(key, "cdrom") || str_eq(key, "disk")) {
			r = extra(out, key, value, e);
			continue;
		}
		if (!str_eq(key, "order") && !str_eq(key, "once"))
			return err_set(e, EINVAL, "%s=: order, once, cdrom and disk are what a start can be given", key);
		r = boot_given(&b, out, key, value, e);
	}
	if (r == 0)
		r = disks_alone(v->c, v->st, out, e);
	if (r < 0)
		return r;
	machine_boot_warn(v->c, out);
	*rec = take(out);
	return 0;
}

static int place(struct qmp *q, const char *id, json_int_t at, struct err *e)
{
	json_t *args = json_pack("{s:o, s:s, s:I}", "path", json_sprintf("/machine/peripheral/%s", id), "property", "bootindex", "value", at);

	return qmp_do(q, "qom-set", args, ANSWER_MS, NULL, e);
}

int machine_order_later(const json_t *rec, struct qmp *q, struct err *e)
{
	_json_ json_t *later = qboot_later(rec);
	const char *id;
	json_t *at;
	int r = 0;

	/* no two may have one place, not even on the way */
	json_object_foreach(later, id, at)
		if (r == 0)
			r = place(q, id, -1, e);
	json_object_foreach(later, id, at)
		if (r == 0)
			r = place(q, id, json_integer_value(at), e);
	return r < 0 ? err_add(e, "boot") : 0;
}
