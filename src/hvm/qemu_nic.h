/* SPDX-License-Identifier: MPL-2.0 */
/*
 * NICs as QEMU has them: a netdev, which is the tap, and a device, which is what the guest sees. Both have the same name, made from the link
 * address. The first of them sit at root ports behind those of disks, where a guest lets go of one and takes one up while it runs; a NIC whose interface
 * is called net3 sits at the fourth of these, and so has the same name inside whatever other NICs there are.
 */
#ifndef CLOISTER_HVM_QEMU_NIC_H
#define CLOISTER_HVM_QEMU_NIC_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "hvm/qemu.h"

enum { QEMU_NIC_PORTS = QEMU_PORTS - QEMU_PORTS_DISKS, QEMU_FD_NIC = 64, QEMU_NICS_MAX = 32 };
#define QEMU_NIC_NAME 16

/* "nic020820d74f11". */
void qemu_nic_name(const json_t *nic, char out[QEMU_NIC_NAME]);
/* At which of these ports each NIC of a list is to sit; -1 = on the root bus itself, for good. */
void qemu_nic_ports(const json_t *nics, int port[QEMU_NICS_MAX]);
/* What device_add takes, new. mtu: told to the guest, 0 = it is not. NULL: no such model. */
json_t *qemu_nic_device(const json_t *rec, const json_t *nic, int port, uint32_t mtu, struct err *e);

#endif
