/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/imgadm.h"
#include "image/import.h"
#include "image/manifest.h"
#include "hvm/qdisk.h"
#include "model/vm.h"
#include "node/disks.h"
#include "node/saved.h"
#include "node/vm.h"

/* name=1 and version=7 are texts, whatever they look like; tags={"a":1} is JSON. */
static int pair(const char *text, json_t *out, struct err *e)
{
	static const char *const texts[] = {"uuid", "name", "version", "description", "owner", "type", "homepage"};
	const char *eq = strchr(text, '=');

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strlen(texts[i]) == (size_t)(eq - text) && !strncmp(text, texts[i], (size_t)(eq - text))) {
			json_t *v = json_string(eq + 1);

			if (!v)
				return err_set(e, EINVAL, "%s: not UTF-8", texts[i]);
			return json_object_set_new(out, texts[i], v) < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
		}
	return vm_parse_pair(text, out, e);
}

/* -m FILE and FIELD=VALUE operands, as one object. uuid, v and os are not the caller's to say. */
static int overrides(const char *file, int argc, char **argv, json_t *out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	json_error_t je;
	json_t *m;

	if (file) {
		int r = file_read(AT_FDCWD, strcmp(file, "-") ? file : "/proc/self/fd/0", MANIFEST_MAX, &b, e);

		if (r < 0)
			return r;
		m = json_loadb(buf_str(&b), b.len, JSON_REJECT_DUPLICATES, &je);
		if (!json_is_object(m)) {
			json_decref(m);
			return err_set(e, EINVAL, "%s: %s", file, m ? "not an object" : je.text);
		}
		json_object_update(out, m);
		json_decref(m);
	}
	for (int i = 0; i < argc; i++) {
		int r = pair(argv[i], out, e);

		if (r < 0)
			return r;
	}
	json_object_del(out, "v");
	json_object_del(out, "os");
	return 0;
}

static const json_t *boot_disk(const json_t *rec)
{
	const json_t *d, *found = NULL;
	size_t i;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
		if (qdisk_number(rec, d) >= 0 && (!found || vm_bool(d, "boot", false)))
			found = d;
	return found;
}

/* The disk that it boots from, and with which drivers that did. */
static int of_machine(struct vm *v, const json_t *given, struct capture_from *f, const struct import_opts *o, char uuid[37], struct err *e)
{
	const json_t *disk = boot_disk(v->rec);
	_free_ char *path = disk ? disk_path(v->c, v->rec, disk) : NULL;
	_json_ json_t *over = json_deep_copy(given);

	if (!disk)
		return err_set(e, EINVAL, "VM %s has no disk of its own", v->uuid);
	if (!json_object_get(over, "disk_driver"))
		json_object_set_new(over, "disk_driver", json_string(qdisk_model(v->rec, disk)));
	if (!json_object_get(over, "nic_driver") && vm_str(v->rec, "nic_driver"))
		json_object_set(over, "nic_driver", json_object_get(v->rec, "nic_driver"));
	if (!json_object_get(over, "cpu_type") && vm_str(v->rec, "cpu_type"))
		json_object_set(over, "cpu_type", json_object_get(v->rec, "cpu_type"));
	f->disk = path;
	f->disk_mib = (uint64_t)vm_int(disk, "size", 0);
	f->type = "zvol";
	return image_capture(v->c, v->st, v->store, f, over, o, uuid, e);
}

static int capture(struct ctx *c, const char *word, const json_t *over, char uuid[37], struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	struct capture_from f = {.image = NULL};
	struct import_opts o = {.uuid = json_string_value(json_object_get(over, "uuid"))};
	_free_ char *dataset = NULL;
	const char *type;
	int r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);

	if (r < 0)
		return r;
	if (v.run.running) {
		err_set(e, EBUSY, "VM %s is running: its files would change under the copy", v.uuid);
		return err_hint(e, "vmadm stop %s", v.uuid);
	}
	if (brand_hvm(v.brand) && saved_there(c, v.uuid)) {
		err_set(e, EBUSY, "VM %s is suspended: what its memory has is not on its disks", v.uuid);
		return err_hint(e, "vmadm resume %s, and stop it", v.uuid);
	}
	if (!str_eq(v.vmstate, "installed"))
		return err_set(e, EINVAL, "VM %s is %s", v.uuid, v.vmstate);
	r = vm_need_store(&v, e);
	f.name = vm_str(v.rec, "alias") ?: v.uuid;
	if (r == 0 && brand_hvm(v.brand))
		return of_machine(&v, over, &f, &o, uuid, e);
	if (r == 0)
		r = vm_need_image(&v, e);
	if (r < 0)
		return r;
	dataset = xprintf("%s/root", v.uuid);
	type = manifest_str(v.image.manifest, "type");
	f.dataset = dataset;
	f.image = str_eq(vm_str(v.rec, "image_sharing"), "private") ? NULL : v.image.dataset;
	f.type = type;
	f.oci = json_object_get(v.image.manifest, "oci");
	if (vm_str(v.rec, "image_uuid"))
		o.origin = v.image.uuid;
	return image_capture(c, v.st, v.store, &f, over, &o, uuid, e);
}

static int create(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	const char *file = NULL;
	struct imgadm im = {NULL, NULL};
	json_t *over;
	char uuid[37];
	int o, r;

	while ((o = getopt(argc, argv, "+m:")) != -1) {
		if (o != 'm')
			return cmd_usage("imgadm", "create", NULL);
		file = optarg;
	}
	if (optind >= argc)
		return cmd_usage("imgadm", "create", "which VM?");
	for (int i = optind + 1; i < argc; i++)
		if (!strchr(argv[i], '='))
			return cmd_usage("imgadm", "create", "\"%s\" is not FIELD=VALUE", argv[i]);
	over = json_object();
	r = imgadm_open(c, STATE_WRITE, true, &im, &e); /* clears what killed commands left */
	imgadm_close(&im);
	if (r == 0)
		r = overrides(file, argc - optind - 1, argv + optind + 1, over, &e);
	if (r == 0)
		r = capture(c, argv[optind], over, uuid, &e);
	json_decref(over);
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_say("Created image %s", uuid);
	return 0;
}

CMD(imgadm_create, "imgadm", "create", "[-m <manifest>] <vm> [FIELD=VALUE ...]", "make an image of a stopped VM", CMD_VM, create);
