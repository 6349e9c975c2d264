/* SPDX-License-Identifier: MPL-2.0 */
#include "node/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/accel.h"
#include "hvm/qemu.h"
#include "hvm/qmp.h"
#include "model/vm.h"
#include "node/disks.h"

#define AWAIT_MS  30000 /* an emulated host is slow */
#define ANSWER_MS 5000
#define WORDS_TRIES 10
#define WORDS_MAX 400   /* bytes of a monitor's last words */

/* What the boot would refuse is refused before anything is stored. */
static int args_check(const json_t *rec, struct err *e)
{
	char **argv = NULL;
	int r = qemu_args(rec, false, &argv, e);

	qemu_args_free(argv);
	return r;
}

int machine_check(struct ctx *c, json_t *rec, const json_t *payload, struct err *e)
{
	bool kvm;
	int r;

	if (!brand_hvm(brand_find(vm_str(rec, "brand"))))
		return 0;
	if (vm_str(rec, "image_uuid"))
		return err_set(e, EINVAL, "image_uuid: a machine has its image in a disk: disks.*.image_uuid");
	r = qemu_there(e);
	if (r == 0)
		r = disks_fill(c, rec, payload, e);
	if (r == 0)
		r = args_check(rec, e);
	/* the boot asks again: the VM may be started on another kernel */
	if (r == 0)
		r = machine_accelerator(rec, &kvm, e);
	return r;
}

int machine_check_update(const json_t *old, const json_t *rec, bool running, struct err *e)
{
	bool kvm;
	int r;

	if (!brand_hvm(brand_find(vm_str(rec, "brand"))))
		return 0;
	if (!json_equal(json_object_get(old, "disks"), json_object_get(rec, "disks")))
		return err_set(e, ENOTSUP, "disks of a machine can not be added, changed or removed yet");
	/* the guest has what it was started with until it ends: with less under it, it would be killed some time later */
	if (running && vm_int(rec, "max_physical_memory", 0) < vm_int(old, "max_physical_memory", 0)) {
		err_set(e, EBUSY, "the memory of a machine that runs can not become less");
		return err_hint(e, "vmadm stop %s", vm_str(rec, "uuid"));
	}
	r = args_check(rec, e);
	if (r == 0 && !json_equal(json_object_get(old, "accelerator"), json_object_get(rec, "accelerator")))
		r = machine_accelerator(rec, &kvm, e);
	return r;
}

int machine_accelerator(const json_t *rec, bool *kvm, struct err *e)
{
	const char *asked = vm_str(rec, "accelerator");
	struct err why = ERR_INIT;

	*kvm = !str_eq(asked, "tcg") && accel_kvm_probe(&why) == 0;
	if (*kvm || !str_eq(asked, "kvm"))
		return 0;
	err_set(e, ENOTSUP, "accelerator kvm: %s", why.msg);
	return err_hint(e, "Leave it out, or say tcg: binary translation runs any guest, at a fraction of the speed.");
}

static void hand(struct zspec *z, unsigned number, enum zfd_kind kind, const char *path)
{
	z->fds = xrealloc(z->fds, (z->nfds + 1) * sizeof *z->fds);
	z->fds[z->nfds++] = (struct zfd){.number = number, .kind = kind, .path = xstrdup(path)};
}

int machine_spec(struct vm *v, struct zspec *z, struct err *e)
{
	const json_t *d;
	bool kvm;
	size_t i;
	int r = machine_accelerator(v->rec, &kvm, e);

	if (r == 0)
		r = qemu_args(v->rec, kvm, &z->argv, e);
	if (r < 0)
		return r;
	z->root_empty = true;
	z->user = xstrdup("1000:1000");
	z->restart_init = false;
	hand(z, QEMU_FD_QMP, ZFD_LISTEN, QEMU_SOCK);
	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		_free_ char *path = disk_path(v->c, v->rec, i);

		hand(z, QEMU_FD_DISK + (unsigned)i, str_eq(vm_str(d, "media"), "cdrom") ? ZFD_FILE_RO : ZFD_FILE, path);
	}
	return 0;
}

static int call(const struct vm *v, int ms, struct qmp *q, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" QEMU_SOCK, v->c->node.run, v->uuid);
	int r = qmp_open(path, ms, q, e);

	return r == -ECONNREFUSED || r == -ENOENT || r == -EPIPE ? err_set(e, ESRCH, "VM %s: its monitor has ended", v->uuid) : r;
}

/* Its last complaint, which it begins with its name; or its last line. */
static void last_words(const struct vm *v, char out[WORDS_MAX])
{
	static const char name[] = "qemu-system-x86_64: ";
	_free_ char *path = xprintf("%s/vms/%s/console.log", v->c->node.log, v->uuid);
	_buf_ struct buf b = BUF_INIT;
	const char *words = "";
	char *save = NULL;
	size_t n = 0;
	bool its = false;

	/* the zone's worker writes it down, after QEMU's end too */
	for (int i = 0; i < WORDS_TRIES; i++) {
		if (i)
			usleep(100000);
		buf_done(&b);
		if (file_read(AT_FDCWD, path, 1 << 22, &b, NULL) == 0 && b.len && memmem(b.p, b.len, name, strlen(name)))
			break;
	}
	if (!b.len)
		words = "it did not say why";
	for (char *line = b.len ? strtok_r(b.p, "\r\n", &save) : NULL; line; line = strtok_r(NULL, "\r\n", &save)) {
		bool mine = str_starts(line, name);

		if (!mine && its)
			continue;
		its = mine;
		words = mine ? line + strlen(name) : line;
	}
	for (; *words && n < WORDS_MAX - 1; words++)
		if (*words >= 32 && *words < 127)
			out[n++] = *words;
	out[n] = 0;
}

/* Takes from the zone what the monitor needed to start: from then on its root is empty. */
static int close_zone(struct vm *v, struct err *e)
{
	int r = 0;

	for (size_t i = v->brand->nshare; i-- > 0 && r == 0;) {
		r = zone_mount_remove(v->c, &v->run, v->brand->share[i].path, e);
		if (r == -ENOENT) /* the host has no such share, or who was killed here has taken it away */
			r = 0;
	}
	return r < 0 ? err_add(e, "empty the zone of VM %s", v->uuid) : 0;
}

/* No instruction of the guest's runs (-S) before the zone is empty. 1 = it was let go before. */
static int release(struct vm *v, struct qmp *q, struct err *e)
{
	_json_ json_t *status = NULL;
	int r = qmp_do(q, "query-status", NULL, ANSWER_MS, &status, e);

	if (r == 0 && !str_eq(json_string_value(json_object_get(status, "status")), "prelaunch"))
		return 1;
	if (r == 0)
		r = close_zone(v, e);
	return r < 0 ? r : qmp_do(q, "cont", NULL, ANSWER_MS, NULL, e);
}

int machine_release(struct vm *v, struct err *e)
{
	_json_ json_t *status = NULL;
	_qmp_ struct qmp q = QMP_INIT;
	char words[WORDS_MAX];
	int r = call(v, AWAIT_MS, &q, e);

	if (r == 0)
		r = release(v, &q, e);
	if (r >= 0)
		r = qmp_do(&q, "query-status", NULL, ANSWER_MS, &status, e);
	if (r == -ESRCH || r == -EPIPE) {
		last_words(v, words);
		return err_set(e, ECHILD, "QEMU ended at once: %s", words);
	}
	if (r == 0 && !json_is_true(json_object_get(status, "running")))
		r = err_set(e, EIO, "the machine does not run: %s", json_string_value(json_object_get(status, "status")) ?: "?");
	return r;
}

int machine_go_on(struct vm *v, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = call(v, ANSWER_MS, &q, e);

	return r < 0 ? r : release(v, &q, e);
}

static int tell(const struct vm *v, const char *command, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = call(v, ANSWER_MS, &q, e);

	return r < 0 ? r : qmp_do(&q, command, NULL, ANSWER_MS, NULL, e);
}

int machine_power_button(const struct vm *v, struct err *e)
{
	return tell(v, "system_powerdown", e);
}

int machine_reset(const struct vm *v, struct err *e)
{
	return tell(v, "system_reset", e);
}

int machine_info(const struct vm *v, json_t *out, struct err *e)
{
	static const struct {
		const char *command, *name;
	} ask[] = {{"query-status", "status"}, {"query-kvm", "kvm"}, {"query-cpus-fast", "cpus"}, {"query-block", "block"},
		   {"query-chardev", "chardev"}, {"query-balloon", "balloon"}, {"query-version", "version"}};
	_qmp_ struct qmp q = QMP_INIT;
	int r = call(v, ANSWER_MS, &q, e);

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(ask); i++) {
		json_t *value = NULL;

		r = qmp_do(&q, ask[i].command, NULL, ANSWER_MS, &value, e);
		if (r == 0)
			json_object_set_new(out, ask[i].name, value);
		else if (r == -EREMOTEIO) /* a question that this QEMU does not know */
			r = 0;
	}
	return r;
}
