/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qdisk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

int qdisk_number(const json_t *rec, const json_t *disk)
{
	_free_ char *ours = xprintf("/%s/root/disk", vm_str(rec, "uuid") ?: "");
	const char *path = vm_str(disk, "path"), *at = path ? strstr(path, ours) : NULL;
	size_t n;

	if (!at)
		return -1;
	at += strlen(ours);
	n = strspn(at, "0123456789");
	/* the one spelling of a number: no two names are one disk's */
	if (n == 0 || n > 3 || at[n] || (n > 1 && *at == '0') || atoi(at) >= QDISK_NUMBERS)
		return -1;
	return atoi(at);
}

bool qdisk_cdrom(const json_t *disk)
{
	return str_eq(vm_str(disk, "media"), "cdrom");
}

const char *qdisk_model(const json_t *rec, const json_t *disk)
{
	return vm_str(disk, "model") ?: vm_str(rec, "disk_driver") ?: "virtio";
}

void qdisk_name_of(const json_t *rec, const json_t *disk, qdisk_name out)
{
	int n = qdisk_number(rec, disk);
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a: paths are too long for QEMU's names, and have letters that these can't */

	if (n >= 0 && !vm_bool(disk, QDISK_ONCE, false)) {
		snprintf(out, sizeof(qdisk_name), "disk%d", n);
		return;
	}
	for (const char *p = vm_str(disk, "path") ?: ""; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3;
	snprintf(out, sizeof(qdisk_name), "%s%016llx", vm_bool(disk, QDISK_ONCE, false) ? QDISK_ONCE : "file", (unsigned long long)h);
}

json_t *qdisk_node(const json_t *disk, const char *name, long long fdset)
{
	json_t *file = json_pack("{s:s, s:o}", "driver", "file", "filename", json_sprintf("/dev/fdset/%lld", fdset));

	bool keep = vm_int(disk, "refreservation", 0) > 0; /* what is set aside for it is not given back by its guest */

	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "driver", "raw", "node-name", name, "discard", keep ? "ignore" : "unmap", "detect-zeroes",
			 keep ? "off" : "unmap",
			 "read-only", qdisk_cdrom(disk), "file", file);
}

int qdisk_device(const json_t *rec, const json_t *disk, const char *name, const char *bus, unsigned bootindex, json_t **out, struct err *e)
{
	const char *model = qdisk_model(rec, disk), *kind = qdisk_cdrom(disk) ? "cd" : "hd", *driver = NULL;
	bool ide = str_eq(model, "ide") || str_eq(model, "ahci"), nvme = str_eq(model, "nvme");
	char text[16];

	if (str_eq(model, "virtio")) {
		driver = "virtio-blk-pci";
	} else if (nvme && !qdisk_cdrom(disk)) {
		driver = "nvme";
	} else if (str_eq(model, "scsi") || ide) {
		snprintf(text, sizeof text, "%s-%s", ide ? "ide" : "scsi", kind);
		driver = text;
	}
	if (!driver) {
		err_set(e, ENOTSUP, "a %s of model %s is not available", qdisk_cdrom(disk) ? "CD-ROM" : "disk", model);
		return err_hint(e, "Its model may be virtio, scsi, ide%s ahci%s.", qdisk_cdrom(disk) ? " or" : ",", qdisk_cdrom(disk) ? "" : " or nvme");
	}
	*out = json_pack("{s:s, s:s, s:o}", "driver", driver, "drive", name, "id", json_sprintf(QDISK_DEV "%s", name));
	if (bus)
		json_object_set_new(*out, "bus", json_string(bus));
	if (nvme)
		json_object_set_new(*out, "serial", json_string(name));
	else if (!qdisk_cdrom(disk)) /* a full pool or quota stops the guest; it sees no error that would cost it its file system */
		json_object_set_new(*out, "werror", json_string("stop"));
	if (vm_int(disk, "block_size", 0) > 0 && !qdisk_cdrom(disk))
		json_object_set_new(*out, "physical_block_size", json_integer(vm_int(disk, "block_size", 0)));
	if (bootindex)
		json_object_set_new(*out, "bootindex", json_integer(bootindex));
	return 0;
}

static void flat(struct buf *b, const json_t *args, const char *implied, const char *prefix)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)args, key, v)
	{
		if (json_is_object(v)) {
			_free_ char *deeper = xprintf("%s%s.", prefix, key);

			flat(b, v, NULL, deeper);
			continue;
		}
		buf_puts(b, b->len ? "," : "");
		if (!implied || strcmp(key, implied))
			buf_printf(b, "%s%s=", prefix, key);
		if (json_is_integer(v))
			buf_printf(b, "%lld", (long long)json_integer_value(v));
		else
			buf_puts(b, json_is_boolean(v) ? json_is_true(v) ? "on" : "off" : json_string_value(v));
	}
}

char *qdisk_option(const json_t *args, const char *implied)
{
	_buf_ struct buf b = BUF_INIT;

	flat(&b, args, implied, "");
	return buf_take(&b);
}
