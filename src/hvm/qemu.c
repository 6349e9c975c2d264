/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The monitor's machine: q35 with nothing that was not asked for. It opens no file by a name that counts: disks and control socket
 * come as descriptors, and a guest that takes it over finds a sandbox without fork, exec and rights to be had (-sandbox),
 * inside the zone's own.
 */
#include "hvm/qemu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qboot.h"
#include "hvm/qdisk.h"
#include "hvm/qemu_nic.h"
#include "hvm/qlayout.h"
#include "model/vm.h"

struct args {
	char **v;
	size_t n;
	const json_t *layout; /* of the machine that it goes on for; NULL = it is a new one */
	unsigned placed;
	struct qlayout_size size;
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

/* Where QEMU would put it, or where it was. device: taken over. */
static int at_place(struct args *a, json_t *device, struct err *e)
{
	int r = qlayout_place(a->layout, device, e);

	if (r == 0) {
		option(a, "-device", qdisk_option(device, "driver"));
		a->placed++;
	}
	json_decref(device);
	return r;
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

/* What Windows asks of a host; each is the kernel's own, and QEMU ends with its name where the kernel has it not. */
#define HYPERV ",hv_relaxed,hv_vapic,hv_spinlocks=0x1fff,hv_vpindex,hv_runtime,hv_synic,hv_stimer,hv_time,hv_frequencies"

static void processor(struct args *a, const json_t *rec, bool kvm)
{
	const char *type = vm_str(rec, "cpu_type"), *model = type && strcmp(type, "host") ? type : kvm ? "host" : "max";
	const struct qlayout_size *s = &a->size;

	option(a, "-cpu", xprintf("%s%s", model, kvm && vm_bool(rec, "hyperv", false) ? HYPERV : ""));
	option(a, "-smp", s->most > s->vcpus ? xprintf("%lld,maxcpus=%lld", s->vcpus, s->most) : xprintf("%lld", s->vcpus));
	option(a, "-m", s->room ? xprintf("%lldM,maxmem=%lldM", s->ram, s->ram + s->room) : xprintf("%lldM", s->ram));
	/* beyond a place that is empty: whoever was there has gone */
	for (size_t i = (size_t)s->vcpus; i < json_array_size(s->cores); i++) {
		long long core = json_integer_value(json_array_get(s->cores, i));

		option(a, "-device", xprintf("%s" QEMU_CPU_TYPE ",id=" QEMU_CPU "%lld,socket-id=0,core-id=%lld,thread-id=0", model, core, core));
	}
}

/* What can be added takes nothing of the host before it has been: no page of it is there, and none is set aside. */
static int memory_room(struct args *a, struct err *e)
{
	if (!a->size.room)
		return 0;
	option(a, "-object", xprintf("memory-backend-ram,id=mem-" QEMU_ROOM ",size=%lldM,reserve=off", a->size.room));
	return at_place(a, json_pack("{s:s, s:s, s:s}", "driver", "virtio-mem-pci", "id", QEMU_ROOM, "memdev", "mem-" QEMU_ROOM), e);
}

/* Behind root ports is what may be taken away while the guest runs; the disk that it boots from stays where firmware finds it first. */
static void ports(struct args *a)
{
	for (unsigned i = 0; i < QEMU_PORTS; i++)
		option(a, "-device", xprintf("pcie-root-port,id=" QEMU_PORT "%u,chassis=%u,addr=%x.%u,multifunction=on", i, i + 1,
					     0x10 + i / 8, i % 8));
}

static int disk(struct args *a, const json_t *rec, size_t i, unsigned place, unsigned nth, unsigned *ide, struct err *e)
{
	const json_t *d = json_array_get(json_object_get(rec, "disks"), i);
	const char *model = qdisk_model(rec, d);
	_json_ json_t *node = NULL, *device = NULL;
	char bus[16] = "";
	qdisk_name name;
	int r;

	qdisk_name_of(rec, d, name);
	if (str_eq(model, "ide") || str_eq(model, "ahci")) {
		if (*ide > 5)
			return err_set(e, E2BIG, "disks.%zu: the machine has six places for disks of model %s", i, model);
		snprintf(bus, sizeof bus, "ide.%u", (*ide)++);
	} else if (str_eq(model, "scsi")) {
		snprintf(bus, sizeof bus, "scsi.0");
	} else if (nth > 0 && nth <= QEMU_PORTS_DISKS) {
		snprintf(bus, sizeof bus, QEMU_PORT "%u", nth - 1);
	}
	r = qdisk_device(rec, d, name, *bus ? bus : NULL, place, &device, e);
	if (r < 0)
		return err_add(e, "disks.%zu", i);
	node = qdisk_node(d, name, (long long)i + 1);
	option(a, "-add-fd", xprintf("fd=%zu,set=%zu", QEMU_FD_DISK + i, i + 1));
	option(a, "-blockdev", qdisk_option(node, NULL));
	r = at_place(a, take(device), e);
	return r < 0 ? err_add(e, "disks.%zu", i) : 0;
}

static int disks(struct args *a, const json_t *rec, struct err *e)
{
	size_t order[QEMU_DISKS_MAX], n = qemu_disk_order(rec, order);
	const json_t *list = json_object_get(rec, "disks");
	unsigned ide = 0;
	struct qboot boot;
	int r = qboot_parse(vm_str(rec, "boot"), &boot, e);

	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(list, i);

		if (!str_eq(qdisk_model(rec, d), "scsi"))
			continue;
		r = at_place(a, json_pack("{s:s, s:s}", "driver", "virtio-scsi-pci", "id", "scsi"), e);
		break;
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		char letter = qdisk_cdrom(json_array_get(list, order[i])) ? 'd' : 'c';

		r = disk(a, rec, order[i], qboot_place(*boot.once ? boot.once : boot.order, letter, (unsigned)i), (unsigned)i, &ide, e);
	}
	return r;
}

/* OVMF's code, read-only, and the file with the variables of this machine. */
static void firmware(struct args *a)
{
	option(a, "-add-fd", xprintf("fd=%d,set=%d", QEMU_FD_ROM, QEMU_FD_ROM + 100));
	option(a, "-add-fd", xprintf("fd=%d,set=%d", QEMU_FD_VARS, QEMU_FD_VARS + 100));
	option(a, "-blockdev", xprintf("driver=raw,node-name=rom,read-only=on,file.driver=file,file.locking=off,file.filename=/dev/fdset/%d", QEMU_FD_ROM + 100));
	option(a, "-blockdev", xprintf("driver=raw,node-name=vars,file.driver=file,file.filename=/dev/fdset/%d", QEMU_FD_VARS + 100));
}

/* QEMU opens these two itself, by fopen and mmap, which know no sets of descriptors: the zone's /proc leads to what it was given (docs/decisions/kernel.md). */
static void kernel(struct args *a, const json_t *rec)
{
	const char *words = vm_str(rec, "kernel_args");

	if (!vm_str(rec, "kernel"))
		return;
	option(a, "-kernel", xprintf("/proc/self/fd/%d", QEMU_FD_KERNEL));
	if (vm_str(rec, "initrd"))
		option(a, "-initrd", xprintf("/proc/self/fd/%d", QEMU_FD_INITRD));
	if (words && *words)
		option(a, "-append", xstrdup(words));
}

static bool screen_password(const json_t *rec)
{
	const char *s = vm_str(rec, "vnc_password");

	return s && *s;
}

static int nics(struct args *a, const json_t *rec, struct err *e)
{
	const json_t *list = json_object_get(rec, "nics"), *o;
	int port[QEMU_NICS_MAX], r;
	size_t i;

	qemu_nic_ports(list, port);
	json_array_foreach((json_t *)list, i, o)
	{
		json_t *d = i < QEMU_NICS_MAX ? qemu_nic_device(rec, o, port[i], (uint32_t)vm_int(o, "mtu", 0), e) : NULL;
		char name[QEMU_NIC_NAME];

		if (!d)
			return i < QEMU_NICS_MAX ? -e->code : err_set(e, E2BIG, "nics: at most %d", QEMU_NICS_MAX);
		qemu_nic_name(o, name);
		option(a, "-netdev", xprintf("tap,id=%s,fd=%zu", name, QEMU_FD_NIC + i));
		r = at_place(a, d, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* By its system's name a guest knows that somebody answers at its second serial port: cloud-init's and others' SmartOS data source. */
static void metadata_port(struct args *a)
{
	option(a, "-smbios", xstrdup("type=1,manufacturer=Joyent,product=SmartDC HVM,family=Virtual Machine"));
	option(a, "-chardev", xprintf("socket,id=com2,fd=%d,server=on,wait=off", QEMU_FD_COM2));
	option(a, "-device", xstrdup("isa-serial,chardev=com2,id=serial1"));
}

/* Where a guest's agent listens, if it has one. */
static int agent_port(struct args *a, struct err *e)
{
	int r;

	option(a, "-chardev", xprintf("socket,id=agent,fd=%d,server=on,wait=off", QEMU_FD_AGENT));
	r = at_place(a, json_pack("{s:s, s:s, s:i}", "driver", "virtio-serial-pci", "id", "ports", "max_ports", 2), e);
	option(a, "-device", xstrdup("virtserialport,bus=ports.0,chardev=agent,name=org.qemu.guest_agent.0,id=agent"));
	return r;
}

/* What cloud-init's NoCloud data source looks for: a disk of that label. */
static int seed(struct args *a, struct err *e)
{
	option(a, "-add-fd", xprintf("fd=%d,set=%d", QEMU_FD_SEED, QEMU_FD_SEED + 100));
	option(a, "-blockdev", xprintf("driver=raw,node-name=seed,read-only=on,file.driver=file,file.filename=/dev/fdset/%d", QEMU_FD_SEED + 100));
	return at_place(a, json_pack("{s:s, s:s, s:s}", "driver", "virtio-blk-pci", "drive", "seed", "id", "seed0"), e);
}

/* What every machine has at the bus of its own, and what the record says. */
static int devices(struct args *a, const json_t *rec, struct err *e)
{
	int r = agent_port(a, e);

	option(a, "-object", xstrdup("rng-random,id=random,filename=/dev/urandom"));
	if (r == 0)
		r = at_place(a, json_pack("{s:s, s:s, s:s}", "driver", "virtio-rng-pci", "rng", "random", "id", "rng"), e);
	if (r == 0)
		r = at_place(a, json_pack("{s:s, s:s, s:s}", "driver", "virtio-balloon-pci", "id", "balloon", "deflate-on-oom", "on"), e);
	ports(a);
	if (r == 0 && vm_bool(rec, "nocloud", false))
		r = seed(a, e);
	if (r == 0)
		r = disks(a, rec, e);
	if (r == 0)
		r = nics(a, rec, e);
	if (r == 0) /* last: all else is where it is without it */
		r = memory_room(a, e);
	if (r == 0 && a->layout && a->placed != json_object_size(json_object_get(a->layout, "devices")))
		r = err_set(e, ESTALE, "the machine whose state this is has disks or NICs that the VM has not");
	return r;
}

int qemu_args(const json_t *rec, bool kvm, const json_t *layout, char ***argv, struct err *e)
{
	const char *uuid = vm_str(rec, "uuid"), *vga = vm_str(rec, "vga");
	const char *rom = vm_str(rec, "bootrom");
	struct args a = {.layout = layout};
	int r;

	if (vm_str(rec, "cpu_type") && !str_eq(vm_str(rec, "cpu_type"), "host") && !str_eq(vm_str(rec, "cpu_type"), "qemu64"))
		return err_set(e, EINVAL, "cpu_type: qemu64 or host, not %s", vm_str(rec, "cpu_type"));
	if (vga && !str_eq(vga, "std") && !str_eq(vga, "cirrus") && !str_eq(vga, "vmware") && !str_eq(vga, "none"))
		return err_set(e, ENOTSUP, "vga: std, cirrus, vmware or none, not %s", vga);
	if (rom && !str_eq(rom, "bios") && !str_eq(rom, "uefi"))
		return err_set(e, ENOTSUP, "bootrom of brand kvm: bios or uefi, not %s", rom);
	qlayout_size(layout, rec, &a.size);
	put(&a, xstrdup(QEMU_PROGRAM));
	/* threads have names, by which its processors are known without asking it (stat/vcpus.h) */
	option(&a, "-name", xprintf("guest=%s,debug-threads=on", uuid));
	option(&a, "-uuid", xstrdup(uuid));
	put(&a, xstrdup("-nodefaults"));
	put(&a, xstrdup("-no-user-config"));
	put(&a, xstrdup("-S")); /* "cont" lets the guest run, when the zone has been emptied */
	/* pages are not shared with other guests' unless told to (a side channel), and are in no core */
	option(&a, "-machine", xprintf("%s,dump-guest-core=off,mem-merge=%s%s", vm_str(layout, "machine") ?: "q35",
				       vm_bool(rec, "page_sharing", false) ? "on" : "off", str_eq(rom, "uefi") ? ",pflash0=rom,pflash1=vars" : ""));
	if (str_eq(rom, "uefi"))
		firmware(&a);
	kernel(&a, rec);
	/* what is translated is kept within the room that max_physical_memory leaves beside the guest, 256 MiB at least */
	option(&a, "-accel", xstrdup(kvm ? "kvm" : "tcg,tb-size=128"));
	processor(&a, rec, kvm);
	option(&a, "-display", xstrdup("none"));
	option(&a, "-vga", xstrdup(vga ?: "std"));
	/* where it listens it is told before the guest runs, by a descriptor (node/screen.c) */
	option(&a, "-vnc", xstrdup(screen_password(rec) ? "none,password=on" : "none"));
	/* which local time is TZ's to say (node/rtc.c): there is no file of time zones for it to find */
	option(&a, "-rtc", xprintf("base=%s,driftfix=slew", str_eq(vm_str(rec, "rtc") ?: "utc", "utc") ? "utc" : "localtime"));
	option(&a, "-sandbox", xstrdup("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"));
	option(&a, "-chardev", xprintf("socket,id=qmp,fd=%d,server=on,wait=off", QEMU_FD_QMP));
	option(&a, "-mon", xstrdup("chardev=qmp,mode=control"));
	option(&a, "-chardev", xprintf("socket,id=events,fd=%d,server=on,wait=off", QEMU_FD_EVENTS));
	option(&a, "-mon", xstrdup("chardev=events,mode=control"));
	/* a guest says that it panicked, and then does what it does: who reboots or dumps itself shall */
	option(&a, "-device", xstrdup("pvpanic"));
	option(&a, "-action", xstrdup("panic=none"));
	option(&a, "-chardev", xstrdup("stdio,id=com1,signal=off"));
	option(&a, "-device", xstrdup("isa-serial,chardev=com1,id=serial0"));
	metadata_port(&a);
	if (layout) /* by a descriptor that comes when nothing of the host is to be seen any more */
		option(&a, "-incoming", xstrdup("defer"));
	r = devices(&a, rec, e);
	if (r < 0) {
		qemu_args_free(a.v);
		return r;
	}
	*argv = a.v;
	return 0;
}
