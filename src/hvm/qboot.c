/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qboot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "hvm/qdisk.h"
#include "model/vm.h"

static int letters(const char *text, size_t n, char out[8])
{
	if (n == 0 || n > 3 || strspn(text, "cdn") < n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (memchr(out, text[i], i))
			return -EINVAL;
		out[i] = text[i];
	}
	out[n] = 0;
	return 0;
}

int qboot_parse(const char *text, struct qboot *b, struct err *e)
{
	*b = (struct qboot){.order = "cd"};
	for (const char *p = text ?: ""; *p;) {
		size_t n = strcspn(p, ",");
		char *out = str_starts(p, "order=") ? b->order : str_starts(p, "once=") ? b->once : NULL;
		size_t key = strcspn(p, "=") + 1;

		if (!out || key > n || letters(p + key, n - key, out) < 0)
			return err_set(e, EINVAL, "boot: \"%s\" is not like order=cd,once=d: c for disks, d for CD-ROMs, n for NICs", text);
		p += n + (p[n] == ',');
	}
	return 0;
}

unsigned qboot_place(const char *order, char letter, unsigned nth)
{
	const char *at = strchr(order, letter);

	return (unsigned)(at ? at - order : 30) * QEMU_DISKS_MAX + nth + 1;
}

json_t *qboot_later(const json_t *rec)
{
	size_t order[QEMU_DISKS_MAX], n = qemu_disk_order(rec, order);
	struct qboot b;
	json_t *out;

	if (qboot_parse(vm_str(rec, "boot"), &b, NULL) < 0 || !*b.once)
		return NULL;
	out = json_object();
	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(json_object_get(rec, "disks"), order[i]);
		qdisk_name name;
		char id[40];

		qdisk_name_of(rec, d, name);
		snprintf(id, sizeof id, QDISK_DEV "%s", name);
		json_object_set_new(out, id, json_integer(qboot_place(b.order, qdisk_cdrom(d) ? 'd' : 'c', (unsigned)i)));
	}
	return out;
}
