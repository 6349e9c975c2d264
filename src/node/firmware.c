/* SPDX-License-Identifier: MPL-2.0 */
#include "node/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu.h"
#include "model/vm.h"

#define OVMF_CODE "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define OVMF_VARS "/usr/share/OVMF/OVMF_VARS_4M.fd"
#define VARS_MAX  (4u << 20)

int firmware_there(const json_t *rec, struct err *e)
{
	if (!str_eq(vm_str(rec, "bootrom"), "uefi") || (access(OVMF_CODE, R_OK) == 0 && access(OVMF_VARS, R_OK) == 0))
		return 0;
	err_sys(e, errno, "bootrom uefi: %s", access(OVMF_CODE, R_OK) < 0 ? OVMF_CODE : OVMF_VARS);
	return err_hint(e, "Install it: apt-get install ovmf");
}

/* In the dataset of its disks: a snapshot is of both. Who removes it has the machine forget. */
int firmware_make(struct vm *v, struct err *e)
{
	_free_ char *path = vm_path(v, "root/efivars");
	_buf_ struct buf b = BUF_INIT;
	int r;

	if (!str_eq(vm_str(v->rec, "bootrom"), "uefi") || access(path, F_OK) == 0)
		return 0;
	r = file_read(AT_FDCWD, OVMF_VARS, VARS_MAX, &b, e);
	if (r == 0)
		r = file_replace(path, b.p, b.len, 0600, 1, e);
	return r < 0 ? err_add(e, "variables of its firmware") : 0;
}

int firmware_spec(struct vm *v, void (*hand)(struct zspec *z, unsigned number, enum zfd_kind kind, const char *path), struct zspec *z,
		  struct err *e)
{
	_free_ char *root = vm_path(v, "root"), *vars = xprintf("%s/efivars", root);
	int r = firmware_there(v->rec, e);

	if (r < 0 || !str_eq(vm_str(v->rec, "bootrom"), "uefi"))
		return r;
	/* at create the spec goes before the dataset */
	r = access(root, F_OK) == 0 ? firmware_make(v, e) : 0;
	if (r < 0)
		return r;
	hand(z, QEMU_FD_ROM, ZFD_FILE_RO, OVMF_CODE);
	hand(z, QEMU_FD_VARS, ZFD_FILE, vars);
	return 0;
}
