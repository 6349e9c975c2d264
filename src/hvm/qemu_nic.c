/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qemu_nic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/vm.h"

void qemu_nic_name(const json_t *nic, char out[QEMU_NIC_NAME])
{
	const char *mac = vm_str(nic, "mac") ?: "";
	size_t n = (size_t)snprintf(out, QEMU_NIC_NAME, "nic");

	for (; *mac && n < QEMU_NIC_NAME - 1; mac++)
		if (*mac != ':')
			out[n++] = *mac;
	out[n] = 0;
}

/* "net3": 3; -1 = a number that no port has. */
static int wanted(const json_t *nic)
{
	const char *name = vm_str(nic, "interface") ?: "", *at = name + strcspn(name, "0123456789");

	return *at && !at[1] && *at < '0' + QEMU_NIC_PORTS ? *at - '0' : -1;
}

void qemu_nic_ports(const json_t *nics, int port[QEMU_NICS_MAX])
{
	size_t n = json_array_size(nics) < QEMU_NICS_MAX ? json_array_size(nics) : QEMU_NICS_MAX;
	unsigned used = 0;

	for (size_t i = 0; i < n; i++) {
		int at = wanted(json_array_get(nics, i));

		port[i] = at >= 0 && !(used >> at & 1) ? at : -1;
		used |= port[i] >= 0 ? 1u << port[i] : 0;
	}
	for (size_t i = 0; i < n; i++) {
		int at = __builtin_ctz(~used);

		if (port[i] >= 0 || at >= QEMU_NIC_PORTS)
			continue;
		port[i] = at;
		used |= 1u << at;
	}
}

/* How long it waits for more to send, and how much goes at a time: nothing that its guest sees. */
static void sending(const json_t *rec, json_t *device)
{
	long long timer = vm_int(rec, "virtio_txtimer", 0), burst = vm_int(rec, "virtio_txburst", 0);

	if (timer > 0) {
		json_object_set_new(device, "tx", json_string("timer"));
		json_object_set_new(device, "x-txtimer", json_integer(timer));
	}
	if (burst > 0)
		json_object_set_new(device, "x-txburst", json_integer(burst));
}

json_t *qemu_nic_device(const json_t *rec, const json_t *nic, int port, uint32_t mtu, struct err *e)
{
	const char *model = vm_str(nic, "model") ?: vm_str(rec, "nic_driver") ?: "virtio";
	char name[QEMU_NIC_NAME];
	json_t *d;

	if (!str_eq(model, "virtio") && !str_eq(model, "e1000") && !str_eq(model, "rtl8139")) {
		err_set(e, ENOTSUP, "nics: a NIC of model %s is not available", model);
		return NULL;
	}
	qemu_nic_name(nic, name);
	/* no program to boot from the network by: it would be a file of the host that the zone has not */
	d = json_pack("{s:s, s:s, s:s, s:s, s:s}", "driver", str_eq(model, "virtio") ? "virtio-net-pci" : model, "id", name, "netdev", name, "mac",
		      vm_str(nic, "mac"), "romfile", "");
	json_object_set_new(d, "bus", port < 0 ? json_string("pcie.0") : json_sprintf(QEMU_PORT "%d", QEMU_PORTS_DISKS + port));
	if (mtu && str_eq(model, "virtio"))
		json_object_set_new(d, "host_mtu", json_integer(mtu));
	if (str_eq(model, "virtio"))
		sending(rec, d);
	return d;
}
