/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The monitor's machine: q35 with nothing that was not asked for. It opens no file by a name that counts: disks and control socket
 * come as descriptors, and a guest that takes it over finds a sandbox without fork, exec and rights to be had (-sandbox),
 * inside the zone's own.
 */
#include "hvm/qemu.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

struct args {
	char **v;
	size_t n;
};

static void put(struct args *a, char *s)
{
	a->v = xrealloc(a->v, (a->n + 2) * sizeof *a->v);
	a->v[a->n++] = s;
	a->v[a->n] = NULL;
}

static void option(struct args *a, const char *name, char *value)
{
	put(a, xstrdup(name));
	put(a, value);
}

void qemu_args_free(char **argv)
{
	for (char **p = argv; p && *p; p++)
		free(*p);
	free(argv);
}

int qemu_there(struct err *e)
{
	if (access(QEMU_PROGRAM, X_OK) == 0)
		return 0;
	err_sys(e, errno, "brand kvm: %s", QEMU_PROGRAM);
	return err_hint(e, "Install it: apt-get install qemu-system-x86");
}

size_t qemu_disk_order(const json_t *rec, size_t order[QEMU_DISKS_MAX])
{
	const json_t *disks = json_object_get(rec, "disks"), *d;
	size_t n = 0, i;

	for (int boot = 1; boot >= 0; boot--)
		json_array_foreach((json_t *)disks, i, d)
			if (n < QEMU_DISKS_MAX && vm_bool(d, "boot", false) == (bool)boot)
				order[n++] = i;
	return n;
}

static void processor(struct args *a, const json_t *rec, bool kvm)
{
	const char *type = vm_str(rec, "cpu_type");

	option(a, "-cpu", xstrdup(type && strcmp(type, "host") ? type : kvm ? "host" : "max"));
	option(a, "-smp", xprintf("%lld", (long long)vm_int(rec, "vcpus", 1)));
	option(a, "-m", xprintf("%lldM", (long long)vm_int(rec, "ram", 256)));
}

static bool is_cdrom(const json_t *disk)
{
	return str_eq(vm_str(disk, "media"), "cdrom");
}

static int disk(struct args *a, const json_t *rec, size_t i, unsigned place, unsigned *port, struct err *e)
{
	const json_t *d = json_array_get(json_object_get(rec, "disks"), i);
	const char *model = vm_str(d, "model") ?: vm_str(rec, "disk_driver") ?: "virtio";
	const char *kind = is_cdrom(d) ? "cd" : "hd";

	option(a, "-add-fd", xprintf("fd=%zu,set=%zu", QEMU_FD_DISK + i, i + 1));
	option(a, "-blockdev", xprintf("driver=raw,node-name=disk%zu,discard=unmap,detect-zeroes=unmap,read-only=%s,file.driver=file,"
				       "file.filename=/dev/fdset/%zu", i, is_cdrom(d) ? "on" : "off", i + 1));
	if (str_eq(model, "virtio")) {
		option(a, "-device", xprintf("virtio-blk-pci,drive=disk%zu,id=dev%zu,bootindex=%u", i, i, place));
	} else if (str_eq(model, "scsi")) {
		option(a, "-device", xprintf("scsi-%s,bus=scsi.0,drive=disk%zu,id=dev%zu,bootindex=%u", kind, i, i, place));
	} else if (str_eq(model, "nvme") && !is_cdrom(d)) {
		option(a, "-device", xprintf("nvme,drive=disk%zu,id=dev%zu,serial=disk%zu,bootindex=%u", i, i, i, place));
	} else if (str_eq(model, "ide") || str_eq(model, "ahci")) {
		if (*port > 5)
			return err_set(e, E2BIG, "disks.%zu: the machine has six places for disks of model %s", i, model);
		option(a, "-device", xprintf("ide-%s,bus=ide.%u,drive=disk%zu,id=dev%zu,bootindex=%u", kind, (*port)++, i, i, place));
	} else {
		return err_set(e, ENOTSUP, "disks.%zu: a %s of model %s is not available", i, is_cdrom(d) ? "CD-ROM" : "disk", model);
	}
	return 0;
}

/* By letters as QEMU has them: c disks, d CD-ROMs. The first whose turn it is gets the first place. */
static unsigned place_of(const json_t *rec, const json_t *disk, unsigned nth)
{
	const char *order = vm_str(rec, "boot"), *at;
	char letter = is_cdrom(disk) ? 'd' : 'c';

	order = order && strstr(order, "order=") ? strstr(order, "order=") + 6 : "cd";
	at = memchr(order, letter, strcspn(order, ","));
	return (unsigned)(at ? at - order : 30) * QEMU_DISKS_MAX + nth + 1;
}

static int disks(struct args *a, const json_t *rec, struct err *e)
{
	size_t order[QEMU_DISKS_MAX], n = qemu_disk_order(rec, order);
	const json_t *list = json_object_get(rec, "disks");
	unsigned port = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(list, i);

		if (!str_eq(vm_str(d, "model") ?: vm_str(rec, "disk_driver"), "scsi"))
			continue;
		option(a, "-device", xstrdup("virtio-scsi-pci,id=scsi"));
		break;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = disk(a, rec, order[i], place_of(rec, json_array_get(list, order[i]), (unsigned)i), &port, e);
	return r;
}

int qemu_args(const json_t *rec, bool kvm, char ***argv, struct err *e)
{
	const char *uuid = vm_str(rec, "uuid"), *vga = vm_str(rec, "vga"), *boot = vm_str(rec, "boot");
	struct args a = {0};
	int r;

	if (vm_str(rec, "cpu_type") && !str_eq(vm_str(rec, "cpu_type"), "host") && !str_eq(vm_str(rec, "cpu_type"), "qemu64"))
		return err_set(e, EINVAL, "cpu_type: qemu64 or host, not %s", vm_str(rec, "cpu_type"));
	if (boot && strstr(boot, "once="))
		return err_set(e, ENOTSUP, "boot: once= is not available yet");
	if (vga && !str_eq(vga, "std") && !str_eq(vga, "cirrus") && !str_eq(vga, "vmware"))
		return err_set(e, ENOTSUP, "vga: std, cirrus or vmware, not %s", vga);
	put(&a, xstrdup(QEMU_PROGRAM));
	option(&a, "-name", xprintf("guest=%s", uuid));
	option(&a, "-uuid", xstrdup(uuid));
	put(&a, xstrdup("-nodefaults"));
	put(&a, xstrdup("-no-user-config"));
	put(&a, xstrdup("-S")); /* "cont" lets the guest run, when the zone has been emptied */
	option(&a, "-machine", xstrdup("q35,dump-guest-core=off"));
	/* what is translated is kept within the room that max_physical_memory leaves beside the guest, 256 MiB at least */
	option(&a, "-accel", xstrdup(kvm ? "kvm" : "tcg,tb-size=128"));
	processor(&a, rec, kvm);
	option(&a, "-display", xstrdup("none"));
	option(&a, "-vga", xstrdup(vga ?: "none"));
	option(&a, "-rtc", xstrdup("base=utc,driftfix=slew"));
	option(&a, "-sandbox", xstrdup("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"));
	option(&a, "-chardev", xprintf("socket,id=qmp,fd=%d,server=on,wait=off", QEMU_FD_QMP));
	option(&a, "-mon", xstrdup("chardev=qmp,mode=control"));
	option(&a, "-chardev", xstrdup("stdio,id=com1,signal=off"));
	option(&a, "-device", xstrdup("isa-serial,chardev=com1,id=serial0"));
	option(&a, "-object", xstrdup("rng-random,id=random,filename=/dev/urandom"));
	option(&a, "-device", xstrdup("virtio-rng-pci,rng=random"));
	option(&a, "-device", xstrdup("virtio-balloon-pci,id=balloon"));
	r = disks(&a, rec, e);
	if (r < 0) {
		qemu_args_free(a.v);
		return r;
	}
	*argv = a.v;
	return 0;
}
