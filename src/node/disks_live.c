/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Disks of a machine that runs. What it has is asked of it, not remembered: so a change that was cut off is gone on with from
 * wherever it was. A disk goes only when its guest lets go of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "hvm/qmp.h"
#include "kern/diskfd.h"
#include "model/vm.h"
#include "node/disks.h"
#include "node/machine.h"
#include "node/saved.h"

#define ANSWER_MS 5000
#define ALL_MS    300000 /* one whole change … */
#define AFTER_MS  10000  /* … and one that is gone on with by whoever comes next, whichever VM that came for … */
#define FIRST_MS  2000   /* … of which this is for a first answer: of a monitor that hangs each of them waits for it */
#define MIB       1048576LL

struct live {
	struct vm *v;
	struct qmp q;
	json_t *nodes; /* query-named-block-nodes */
	json_t *sets;  /* query-fdsets */
	int ms;        /* what a guest has to let go of a disk */
	uint64_t until;
};

/* Between two disks: each answer is waited for, but a monitor that is a guest's by now may name disks without end and be late with each. */
static int in_time(const struct live *l, struct err *e)
{
	return clock_mono_ns() < l->until ? 0 : err_set(e, ETIME, "QEMU takes too long over its disks");
}

static int ask_nodes(struct live *l, struct err *e)
{
	int r;

	json_decref(l->nodes);
	l->nodes = NULL;
	json_decref(l->sets);
	l->sets = NULL;
	r = qmp_do(&l->q, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), ANSWER_MS, &l->nodes, e);
	return r < 0 ? r : qmp_do(&l->q, "query-fdsets", NULL, ANSWER_MS, &l->sets, e);
}

static const json_t *node_of(const struct live *l, const char *name)
{
	const json_t *n;
	size_t i;

	json_array_foreach(l->nodes, i, n)
		if (str_eq(json_string_value(json_object_get(n, "node-name")), name))
			return n;
	return NULL;
}

/* 1: there is a device of that id, 0: none. */
static int has_device(struct live *l, const char *id, struct err *e)
{
	_json_ json_t *list = NULL;
	const json_t *p;
	size_t i;
	int r = qmp_do(&l->q, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral"), ANSWER_MS, &list, e);

	if (r < 0)
		return r;
	json_array_foreach(list, i, p)
		if (str_eq(json_string_value(json_object_get(p, "name")), id))
			return 1;
	return 0;
}

/* ---- away ---- */

static int await_gone(struct live *l, const char *id, const char *name, struct err *e)
{
	uint64_t until = clock_mono_ns() + (uint64_t)l->ms * 1000000;
	int r;

	while ((r = has_device(l, id, e)) == 1) {
		uint64_t now = clock_mono_ns();

		r = now < until ? qmp_event(&l->q, "DEVICE_DELETED", (int)((until - now) / 1000000) + 1, e) : -ETIME;
		if (r != -ETIME && r < 0)
			return r;
		if (r == -ETIME) {
			/* not -ETIME, which is a monitor's that does not answer */
			if (l->ms)
				err_set(e, EINPROGRESS, "%s: the guest did not let go of it within %d s", name, l->ms / 1000);
			else
				err_set(e, EINPROGRESS, "%s: the guest has not let go of it yet", name);
			return err_hint(e, "Should it do so later, it is without that disk until its next start. See that nothing in it uses the disk, and that "
					   "it knows hot-plug (PCI Express); or stop it first.");
		}
	}
	return r;
}

/* Nobody has it any more; but a device that has just gone may hold it for a moment. */
static int drop_node(struct live *l, const char *name, struct err *e)
{
	const json_t *node = node_of(l, name);
	const char *file = json_string_value(json_object_get(node, "file"));
	long long set = -1;
	int r;

	if (!node)
		return 0;
	r = qmp_do(&l->q, "blockdev-del", json_pack("{s:s}", "node-name", name), ANSWER_MS, NULL, e);
	if (r == -EREMOTEIO && qmp_event(&l->q, "DEVICE_DELETED", 1000, NULL) == 0)
		r = qmp_do(&l->q, "blockdev-del", json_pack("{s:s}", "node-name", name), ANSWER_MS, NULL, e);
	if (r == 0 && file && sscanf(file, "/dev/fdset/%lld", &set) == 1)
		r = qmp_do(&l->q, "remove-fd", json_pack("{s:I}", "fdset-id", (json_int_t)set), ANSWER_MS, NULL, NULL);
	return r == -EREMOTEIO ? 0 : r;
}

static int unplug(struct live *l, const char *name, struct err *e)
{
	_free_ char *id = xprintf(QDISK_DEV "%s", name);
	int r = has_device(l, id, e);

	if (r == 1) {
		r = qmp_do(&l->q, "device_del", json_pack("{s:s}", "id", id), ANSWER_MS, NULL, e);
		/* asked before, and the guest thinks about it */
		if (r == -EREMOTEIO && strstr(e->msg, "in the process of unplug"))
			r = 0;
		if (r == -EREMOTEIO) {
			err_add(e, "%s", name);
			return err_hint(e, "vmadm stop %s: disks of its model, and the one that it boots from, go when it is stopped.", l->v->uuid);
		}
		if (r == 0)
			r = await_gone(l, id, name, e);
	}
	return r < 0 ? r : drop_node(l, name, e);
}

/* ---- added ---- */

/* A root port of those for disks, with nothing behind it. */
static int free_port(struct live *l, char out[16], struct err *e)
{
	_json_ json_t *buses = NULL;
	const json_t *bus, *d;
	size_t i, k;
	int r = qmp_do(&l->q, "query-pci", NULL, ANSWER_MS, &buses, e);

	if (r < 0)
		return r;
	json_array_foreach(buses, i, bus)
		json_array_foreach(json_object_get(bus, "devices"), k, d)
		{
			const char *id = json_string_value(json_object_get(d, "qdev_id"));
			const json_t *behind = json_object_get(json_object_get(d, "pci_bridge"), "devices");

			if (!id || !str_starts(id, QEMU_PORT) || atoi(id + strlen(QEMU_PORT)) >= QEMU_PORTS_DISKS || json_array_size(behind))
				continue;
			snprintf(out, 16, "%s", id);
			return 0;
		}
	err_set(e, ENOSPC, "all %d places for disks that are added while it runs are taken", QEMU_PORTS_DISKS);
	return err_hint(e, "vmadm stop %s: a start has room for more.", l->v->uuid);
}

static int add_node(struct live *l, const json_t *rec, const json_t *disk, const char *name, struct err *e)
{
	_free_ char *path = disk_path(l->v->c, rec, disk);
	_fd_ int fd = diskfd_open(path, qdisk_cdrom(disk), e);
	_json_ json_t *set = NULL;
	json_int_t id;
	int r;

	if (fd < 0)
		return fd;
	r = qmp_do_fd(&l->q, "add-fd", NULL, fd, ANSWER_MS, &set, e);
	if (r < 0)
		return r;
	id = json_integer_value(json_object_get(set, "fdset-id"));
	r = qmp_do(&l->q, "blockdev-add", qdisk_node(disk, name, id), ANSWER_MS, NULL, e);
	if (r < 0)
		qmp_do(&l->q, "remove-fd", json_pack("{s:I}", "fdset-id", id), ANSWER_MS, NULL, NULL);
	return r;
}

static int plug(struct live *l, const json_t *rec, const json_t *disk, struct err *e)
{
	const char *model = qdisk_model(rec, disk), *path = vm_str(disk, "path");
	_json_ json_t *device = NULL;
	char bus[16] = "scsi.0", id[40];
	qdisk_name name;
	int r = 0;

	qdisk_name_of(rec, disk, name);
	snprintf(id, sizeof id, QDISK_DEV "%s", name);
	r = has_device(l, id, e);
	if (r != 0)
		return r < 0 ? r : 0;
	if (str_eq(model, "ide") || str_eq(model, "ahci")) {
		err_set(e, EBUSY, "disk %s: one of model %s can't be added while the VM runs", path, model);
		return err_hint(e, "vmadm stop %s, or make it virtio.", l->v->uuid);
	}
	if (!str_eq(model, "scsi"))
		r = free_port(l, bus, e);
	if (r == 0)
		r = qdisk_device(rec, disk, name, bus, 0, &device, e);
	/* what its device has left behind may be of a file that is no more */
	if (r == 0)
		r = drop_node(l, name, e);
	if (r == 0)
		r = add_node(l, rec, disk, name, e);
	if (r < 0)
		return err_add(e, "disk %s", path);
	r = qmp_do(&l->q, "device_add", json_incref(device), ANSWER_MS, NULL, e);
	if (r < 0) {
		if (ask_nodes(l, NULL) == 0)
			drop_node(l, name, NULL);
		err_add(e, "disk %s", path);
		if (str_eq(model, "scsi"))
			err_hint(e, "A machine that started without a disk of model scsi has no adapter for one: vmadm stop %s", l->v->uuid);
	}
	return r;
}

/* ---- larger ---- */

static int resize(struct live *l, const json_t *rec, const json_t *disk, struct err *e)
{
	const json_t *node;
	json_int_t has, want = vm_int(disk, "size", 0) * MIB;
	qdisk_name name;
	int r;

	qdisk_name_of(rec, disk, name);
	node = node_of(l, name);
	if (qdisk_number(rec, disk) < 0 || !node)
		return 0;
	has = json_integer_value(json_object_get(json_object_get(node, "image"), "virtual-size"));
	if (has == want)
		return 0;
	r = qmp_do(&l->q, "block_resize", json_pack("{s:s, s:I}", "node-name", name, "size", want), ANSWER_MS, NULL, e);
	return r < 0 ? err_add(e, "disk %s", vm_str(disk, "path")) : 0;
}

/* Of its nodes those that disks are, whoever made them: not the files below them. */
static bool is_disk(const char *name)
{
	return name && (str_starts(name, "disk") || (str_starts(name, "file") && strlen(name) == 20));
}

static const json_t *named(const json_t *rec, const char *name)
{
	const json_t *d;
	qdisk_name has;
	size_t i;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
	{
		qdisk_name_of(rec, d, has);
		if (str_eq(has, name))
			return d;
	}
	return NULL;
}

/* Of its own files, whose names are given again: whether what the machine has under this one is another. What can't be found out is none. */
static bool other_file(const struct live *l, const json_t *rec, const json_t *disk, const json_t *node)
{
	const char *file = json_string_value(json_object_get(node, "file"));
	_free_ char *path = disk_path(l->v->c, rec, disk), *has = NULL;
	struct stat its, want;
	const json_t *s;
	long long set;
	size_t i;

	if (qdisk_number(rec, disk) < 0 || !file || sscanf(file, "/dev/fdset/%lld", &set) != 1 || lstat(path, &want) < 0)
		return false;
	json_array_foreach(l->sets, i, s)
		if (vm_int(s, "fdset-id", -1) == set && !has)
			has = xprintf("/proc/%d/fd/%lld", (int)l->v->run.init_pid, (long long)vm_int(json_array_get(json_object_get(s, "fds"), 0), "fd", -1));
	return has && stat(has, &its) == 0 && (its.st_dev != want.st_dev || its.st_ino != want.st_ino);
}

static int change(struct live *l, const json_t *to, struct err *e)
{
	const json_t *d;
	bool less = false;
	size_t i;
	int r = ask_nodes(l, e), has = 0;

	json_array_foreach(l->nodes, i, d)
	{
		const char *name = json_string_value(json_object_get(d, "node-name"));
		const json_t *disk = is_disk(name) ? named(to, name) : NULL;

		if (r < 0 || !is_disk(name) || (disk && !other_file(l, to, disk, d)) || (r = in_time(l, e)) < 0)
			continue;
		r = unplug(l, name, e);
		less = true;
		/* who does not wait for it has the rest done */
		if (r == -EINPROGRESS && !l->ms) {
			has = r;
			r = 0;
		}
	}
	if (r == 0 && less)
		r = ask_nodes(l, e);
	json_array_foreach(json_object_get(to, "disks"), i, d)
		if (r == 0 && (r = in_time(l, e)) == 0)
			r = plug(l, to, d, e);
	if (r == 0)
		r = disks_tune(&l->q, to, l->until, e);
	/* last: a guest that has seen it may make use of it at once */
	json_array_foreach(json_object_get(to, "disks"), i, d)
		if (r == 0 && (r = in_time(l, e)) == 0)
			r = resize(l, to, d, e);
	return r == 0 ? has : r;
}

int disks_live(struct vm *v, const json_t *to, int ms, struct err *e)
{
	struct live l = {.v = v, .q = QMP_INIT, .ms = ms, .until = clock_mono_ns() + (ms ? ALL_MS : AFTER_MS) * 1000000ULL};
	int r = machine_call(v, ms ? ANSWER_MS : FIRST_MS, &l.q, e);

	if (r == 0 && !ms)
		qmp_bound(&l.q, AFTER_MS);
	if (r == 0)
		r = change(&l, to, e);
	json_decref(l.nodes);
	json_decref(l.sets);
	qmp_close(&l.q);
	return r == -ESRCH ? 0 : r; /* it has ended meanwhile: its next start does it */
}

int disks_live_names(struct vm *v, json_t **names, struct err *e)
{
	struct live l = {.v = v, .q = QMP_INIT};
	const json_t *d;
	size_t i;
	int r = machine_call(v, ANSWER_MS, &l.q, e);

	if (r == 0)
		r = ask_nodes(&l, e);
	if (r == 0 || r == -ESRCH) {
		*names = json_array();
		json_array_foreach(l.nodes, i, d)
			json_array_append(*names, json_object_get(d, "node-name"));
		r = 0;
	}
	json_decref(l.nodes);
	json_decref(l.sets);
	qmp_close(&l.q);
	return r;
}

static const json_t *same(const json_t *rec, const json_t *disk)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(rec, "disks"), i, d)
		if (str_eq(vm_str(d, "path"), vm_str(disk, "path")))
			return d;
	return NULL;
}

struct more {
	const json_t *disk;
	int fd;
};

/* Their files, with what is dirty written: the guest does not stand for that. */
static int open_more(const struct vm *v, const json_t *old, const json_t *now, struct more *m, size_t *n, struct err *e)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(old, "disks"), i, d)
	{
		const json_t *was = same(now, d);
		_free_ char *path = NULL;

		if (*n == DISKS_MAX || !was || qdisk_number(old, d) < 0 || vm_int(was, "refreservation", 0) <= vm_int(d, "refreservation", 0))
			continue;
		path = disk_path(v->c, old, d);
		m[*n] = (struct more){d, open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
		if (m[*n].fd < 0 || fsync(m[(*n)++].fd) < 0)
			return err_sys(e, errno, "%s", path);
	}
	return 0;
}

/* Who is killed in between is gone on for: one that is paused without a state beside it is so from here. */
static int stand_for(struct vm *v, const struct more *m, size_t n, struct err *e)
{
	_json_ json_t *status = NULL;
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, ANSWER_MS, &q, e), back;
	bool runs;

	if (r == 0)
		r = qmp_do(&q, "query-status", NULL, ANSWER_MS, &status, e);
	if (r < 0)
		return r;
	runs = json_is_true(json_object_get(status, "running")) || (str_eq(vm_str(status, "status"), "paused") && !saved_there(v->c, v->uuid));
	r = qmp_do(&q, "stop", NULL, ANSWER_MS, NULL, e);
	for (size_t i = 0; i < n && r == 0; i++)
		r = disk_file_give_back(m[i].fd, m[i].disk, e);
	/* late or not, it may have been heard */
	back = runs ? qmp_do(&q, "cont", NULL, ANSWER_MS, NULL, r < 0 ? NULL : e) : 0;
	return r < 0 ? r : back;
}

int disks_unreserve(struct vm *v, const json_t *old, const json_t *now, struct err *e)
{
	struct more m[DISKS_MAX];
	size_t n = 0;
	int r = open_more(v, old, now, m, &n, e);

	if (r == 0 && n)
		r = stand_for(v, m, n, e);
	for (size_t i = 0; i < n; i++)
		close(m[i].fd);
	return r == -ESRCH ? 0 : r;
}
