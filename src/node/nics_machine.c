/* SPDX-License-Identifier: MPL-2.0 */
#include "node/nics_machine.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu_nic.h"
#include "hvm/qmp.h"
#include "model/vm.h"
#include "node/machine.h"

#define ANSWER_MS 5000
#define GUEST_MS  20000 /* an operating system takes one or two seconds, emulated ten; one that is not there yet never answers */

void plug_add(struct plug *p, const json_t *nic, uint32_t mtu, int tap)
{
	if (p->n == ARRAY_LEN(p->nic)) {
		close(tap);
		return;
	}
	p->nic[p->n].nic = nic;
	p->nic[p->n].mtu = mtu;
	p->nic[p->n++].tap = tap;
}

void plug_done(struct plug *p)
{
	while (p->n > 0)
		own_fd(&p->nic[--p->n].tap);
}

static bool has(const json_t *list, const char *mac)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (str_eq(vm_str(o, "mac"), mac))
			return true;
	return false;
}

/* ---- out ---- */

static int there(struct qmp *q, const char *name, struct err *e)
{
	_free_ char *path = xprintf("/machine/peripheral/%s", name);
	struct err why = ERR_INIT;
	int r = qmp_do(q, "qom-list", json_pack("{s:s}", "path", path), ANSWER_MS, NULL, &why);

	if (r == -EREMOTEIO)
		return 0;
	if (r < 0 && e)
		*e = why;
	return r < 0 ? r : 1;
}

/* Until it has gone: an event of it may have come while something else was asked. */
static int await_gone(struct qmp *q, const char *name, struct err *e)
{
	uint64_t until = clock_mono_ns() + GUEST_MS * 1000000ULL;
	int r;

	while ((r = there(q, name, e)) > 0) {
		uint64_t now = clock_mono_ns();

		r = now < until ? qmp_event(q, "DEVICE_DELETED", (int)((until - now) / 1000000) + 1, e) : -ETIME;
		if (r < 0)
			break;
	}
	return r;
}

static int unplug(struct qmp *q, const json_t *nic, struct err *e)
{
	char name[QEMU_NIC_NAME];
	struct err why = ERR_INIT;
	int r;

	qemu_nic_name(nic, name);
	r = there(q, name, e);
	if (r > 0) {
		r = qmp_do(q, "device_del", json_pack("{s:s}", "id", name), ANSWER_MS, NULL, &why);
		/* asked before, and the guest thinks about it */
		if (r == -EREMOTEIO && strstr(why.msg, "in the process of unplug"))
			r = 0;
		if (r == 0)
			r = await_gone(q, name, &why);
	}
	if (r == -ETIME) {
		err_set(e, ETIME, "%s: the guest did not let go of it within %d s", vm_str(nic, "interface") ?: name, GUEST_MS / 1000);
		return err_hint(e, "Its operating system must run, and know hot-plug (PCI Express); or stop it first. Should it let go later, it is without that NIC "
				   "until its next start.");
	}
	if (r < 0) {
		if (why.code && e)
			*e = why;
		return r;
	}
	/* the tap goes with it; one that a killed command has left alone is gone already */
	r = qmp_do(q, "netdev_del", json_pack("{s:s}", "id", name), ANSWER_MS, NULL, &why);
	if (r < 0 && r != -EREMOTEIO && e)
		*e = why;
	return r == -EREMOTEIO ? 0 : r;
}

int machine_unplug(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	const json_t *o;
	size_t i;
	int r = 0;

	json_array_foreach(from, i, o)
	{
		if (has(to, vm_str(o, "mac")))
			continue;
		if (q.fd < 0)
			r = machine_call(v, ANSWER_MS, &q, e);
		if (r == 0)
			r = unplug(&q, o, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- in ---- */

/* At the port that it will have at the next start, if that is free; else at any. */
static int device(struct qmp *q, const json_t *rec, const json_t *nic, int at, uint32_t mtu, struct err *e)
{
	struct err why = ERR_INIT;
	int r = -EREMOTEIO;

	for (int i = -1; i < QEMU_NIC_PORTS && r == -EREMOTEIO; i++) {
		json_t *d = i < 0 ? at < 0 ? NULL : qemu_nic_device(rec, nic, at, mtu, e) : i == at ? NULL : qemu_nic_device(rec, nic, i, mtu, e);

		if (!d)
			continue;
		why = ERR_INIT;
		r = qmp_do(q, "device_add", d, ANSWER_MS, NULL, &why);
	}
	if (r < 0 && e && why.code)
		*e = why;
	if (r == -EREMOTEIO)
		err_hint(e, "A machine takes up %d NICs while it runs; more with vmadm stop and start.", QEMU_NIC_PORTS);
	return r;
}

static int plug(struct qmp *q, const json_t *rec, const json_t *nic, int at, uint32_t mtu, int tap, struct err *e)
{
	char name[QEMU_NIC_NAME];
	int r;

	qemu_nic_name(nic, name);
	r = qmp_do_fd(q, "getfd", json_pack("{s:s}", "fdname", name), tap, ANSWER_MS, NULL, e);
	if (r == 0)
		r = qmp_do(q, "netdev_add", json_pack("{s:s, s:s, s:s}", "type", "tap", "id", name, "fd", name), ANSWER_MS, NULL, e);
	if (r < 0)
		return r;
	r = device(q, rec, nic, at, mtu, e);
	if (r < 0)
		qmp_do(q, "netdev_del", json_pack("{s:s}", "id", name), ANSWER_MS, NULL, NULL);
	return r;
}

int machine_plug(struct vm *v, const struct plug *p, const json_t *rec, struct err *e)
{
	const json_t *nics = json_object_get(rec, "nics"), *o;
	_qmp_ struct qmp q = QMP_INIT;
	int port[QEMU_NICS_MAX], r = 0;
	size_t i;

	qemu_nic_ports(nics, port);
	for (size_t k = 0; k < p->n && r == 0; k++) {
		int at = -1;

		json_array_foreach(nics, i, o)
			if (i < QEMU_NICS_MAX && str_eq(vm_str(o, "mac"), vm_str(p->nic[k].nic, "mac")))
				at = port[i];
		if (q.fd < 0)
			r = machine_call(v, ANSWER_MS, &q, e);
		if (r == 0)
			r = plug(&q, rec, p->nic[k].nic, at, p->nic[k].mtu, p->nic[k].tap, e);
		if (r < 0)
			err_add(e, "plug in %s", vm_str(p->nic[k].nic, "interface") ?: "a NIC");
	}
	return r;
}
