/* SPDX-License-Identifier: MPL-2.0 */
#include "node/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "hvm/qlayout.h"
#include "hvm/qsaved.h"
#include "model/vm.h"
#include "node/machine.h"
#include "node/machine_state.h"
#include "node/saved_pipe.h"
#include "node/seed.h"

#define MIB  1048576ULL
#define MORE (256 * MIB) /* screen, firmware, devices */
#define STALL_MS 120000  /* without a byte: a monitor that only says that it is at work */
#define ALL_MS   3600000

static char *saved_path(const struct vm *v, const char *name)
{
	_free_ char *below = xprintf("root/%s", name);

	return vm_path(v, below);
}

bool saved_there(const struct ctx *c, const char *uuid)
{
	_free_ char *path = xprintf("%s/%s/root/" SAVED_STATE, c->node.pool, uuid);

	return access(path, F_OK) == 0;
}

/* What was renamed or removed is so, whatever happens to the machine. */
static int settle(const struct vm *v, struct err *e)
{
	_free_ char *dir = vm_path(v, "root");
	_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? err_sys(e, errno, "%s", dir) : 0;
}

static int drop(struct vm *v, bool all, struct err *e)
{
	static const char *const names[] = {SAVED_STATE, SAVED_NEW, SAVED_CHECKPOINT};
	bool any = false, state = false;

	for (size_t i = !all; i < ARRAY_LEN(names); i++) {
		_free_ char *path = saved_path(v, names[i]);

		if (unlink(path) == 0)
			any = true;
		else if (errno != ENOENT)
			return err_sys(e, errno, "%s", path);
		else
			continue;
		state = state || i == 0;
	}
	return any && settle(v, e) < 0 ? -EIO : state;
}

int saved_drop(struct vm *v, struct err *e)
{
	return drop(v, true, e);
}

int saved_tidy(struct vm *v, struct err *e)
{
	return drop(v, false, e);
}

/* ---- out ---- */

struct out {
	struct vm *v;
	struct saved_pipe p;
	struct moves {
		uint64_t n;
		unsigned ms;
	} m;
};

/* Its other end may say for ever that it is not done yet. */
static int moves(struct moves *m, const struct saved_pipe *p, unsigned ms, struct err *e)
{
	uint64_t n = __atomic_load_n(&p->sum.n, __ATOMIC_RELAXED);

	if (n != m->n) {
		m->n = n;
		m->ms = ms;
	}
	return ms - m->ms > STALL_MS || ms > ALL_MS ? err_set(e, ETIME, "QEMU takes too long over its state") : 0;
}

static int still_out(void *arg, const struct qmigrate_now *now, struct err *e)
{
	struct out *o = arg;
	int code = __atomic_load_n(&o->p.code, __ATOMIC_ACQUIRE), r = ctx_check(o->v->c, e);

	if (r == 0 && o->v->c->progress)
		o->v->c->progress(o->v->c, "memory", now->sent, now->total > now->sent ? now->total : now->sent);
	if (r < 0)
		return r;
	return code ? err_sys(e, code, "its file") : moves(&o->m, &o->p, now->ms, e);
}

/* Why the command is over that a pipe was ended for. */
static int given_up(const struct vm *v, struct err *e)
{
	int r = ctx_check(v->c, e);

	return r < 0 ? r : err_set(e, ECANCELED, "given up");
}

static int no_room(const struct vm *v, int code, uint64_t ram, uint64_t written, struct err *e)
{
	unsigned long long got = written / MIB, all = ram / MIB;

	err_sys(e, code, "write the memory: %llu of at most about %llu MiB were written", got, all + all * 3 / 2);
	if (code == ENOSPC || code == EDQUOT)
		err_hint(e, "The guest runs on. It counts in the VM's quota: vmadm update %s quota=GIB, or make room in the pool.", v->uuid);
	return -code;
}

/* ram: bytes that its guest has, with what it was asked to give back and has kept. */
static int all_out(struct vm *v, int fd, uint64_t ram, struct buf *begin, struct qmigrate_now *end, struct err *e)
{
	struct out o = {v, SAVED_PIPE_INIT};
	struct qmigrate_opts opts = {.sent_max = ram + ram / 2, .progress = still_out, .arg = &o};
	unsigned char last[QSAVED_END];
	int r, code;

	code = fd_write_all(fd, begin->p, begin->len);
	if (code < 0)
		return no_room(v, -code, ram, 0, e);
	sum64_add(&o.p.sum, begin->p, begin->len);
	r = saved_pipe_start(&o.p, false, fd, 3 * ram + MORE, e);
	if (r == 0)
		r = machine_outgoing(v, o.p.its, &opts, end, e);
	code = saved_pipe_end(&o.p, v->c);
	if (code < 0 && r == 0 && machine_outgoing_undo(v, NULL) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: its guest stands: vmadm start %s lets it go on", v->uuid, v->uuid);
	if (code == -ECANCELED)
		return r < 0 ? r : given_up(v, e);
	if (code < 0)
		return no_room(v, -code, ram, o.p.sum.n, e);
	if (r < 0)
		return r;
	qsaved_end(&o.p.sum, last);
	code = fd_write_all(fd, last, sizeof last);
	if (code < 0) {
		r = no_room(v, -code, ram, o.p.sum.n, e);
		machine_outgoing_undo(v, NULL);
	}
	return r;
}

int saved_write(struct vm *v, const char *name, const char *snapshot, struct qmigrate_now *end, struct err *e)
{
	_free_ char *path = saved_path(v, name);
	_json_ json_t *layout = NULL, *head = NULL, *seed = NULL;
	_buf_ struct buf begin = BUF_INIT;
	struct qlayout_size size;
	_fd_ int fd = -1;
	int r = machine_layout(v, &layout, e);

	if (r == 0)
		r = seed_get(v, &seed, e);
	if (r < 0)
		return r;
	head = json_pack("{s:O, s:s*, s:O*}", "layout", layout, "snapshot", snapshot, "seed", seed);
	qsaved_begin(head, &begin);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	qlayout_size(layout, v->rec, &size);
	r = all_out(v, fd, (uint64_t)(size.ram + (size.asked > size.taken ? size.asked : size.taken)) * MIB, &begin, end, e);
	if (r < 0)
		unlink(path);
	return r;
}

int saved_commit(struct vm *v, struct err *e)
{
	_free_ char *from = saved_path(v, SAVED_NEW), *to = saved_path(v, SAVED_STATE);
	_fd_ int fd = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, errno, "%s", from);
	if (rename(from, to) < 0)
		return err_sys(e, errno, "%s", to);
	return settle(v, e);
}

/* ---- in ---- */

struct in {
	struct vm *v;
	struct saved_pipe p;
	struct moves m;
	json_t *head;
	uint64_t size, want; /* bytes in all; the sum that the rest comes to */
};

static int still_in(void *arg, const struct qmigrate_now *now, struct err *e)
{
	struct in *in = arg;
	int r = ctx_check(in->v->c, e);

	return r < 0 ? r : moves(&in->m, &in->p, now->ms, e);
}

static int damaged(const struct vm *v, struct err *e)
{
	err_add(e, "the state of VM %s can't be gone on with", v->uuid);
	return e && e->hint[0] ? -e->code : err_hint(e, "Nothing is changed. vmadm stop -F %s gives it up; then start boots from the disks, as after a power cut.", v->uuid);
}

/* The head read and checked, fd behind it. */
static int open_state(struct in *in, const char *name, int *fd, struct err *e)
{
	_free_ char *path = saved_path(in->v, name), *text = NULL;
	unsigned char begin[QSAVED_BEGIN], end[QSAVED_END];
	_fd_ int f = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	uint32_t n;
	int r;

	if (f < 0 || fstat(f, &st) < 0)
		return err_sys(e, errno, "%s", path);
	in->size = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || st.st_size < QSAVED_BEGIN + QSAVED_END || read(f, begin, sizeof begin) != sizeof begin ||
	    pread(f, end, sizeof end, st.st_size - QSAVED_END) != sizeof end)
		return err_set(e, EBADMSG, "it ends too early");
	r = qsaved_length(begin, &n, e);
	if (r == 0)
		r = qsaved_whole(end, in->size, &in->want, e);
	if (r < 0)
		return r;
	text = xalloc(n + 1);
	if (read(f, text, n) != (ssize_t)n)
		return err_set(e, EBADMSG, "it ends too early");
	sum64_add(&in->p.sum, begin, sizeof begin);
	sum64_add(&in->p.sum, text, n);
	r = qsaved_head(text, n, &in->head, e);
	if (r == 0)
		*fd = take_fd(&f);
	return r;
}

static int go_on(struct in *in, int fd, struct err *e)
{
	struct vm *v = in->v;
	struct qmigrate_opts opts = {.progress = still_in, .arg = in};
	int r = saved_pipe_start(&in->p, true, fd, in->size - QSAVED_END, e), code;

	if (r < 0)
		return r;
	v->incoming.layout = json_object_get(in->head, "layout");
	v->incoming.seed = json_object_get(in->head, "seed");
	v->incoming.fd = in->p.its;
	v->incoming.opts = &opts;
	v->incoming.hold = true;
	r = vm_boot_zone(v, 0, e);
	code = saved_pipe_end(&in->p, v->c);
	memset(&v->incoming, 0, sizeof v->incoming);
	v->incoming.fd = -1;
	/* what was damaged on its way is not what it was: its end in QEMU is of no further interest, and a guest that could go on shall not */
	if (in->p.sum.n == in->size - QSAVED_END && sum64(&in->p.sum) != in->want)
		code = -EBADMSG;
	if (code < 0 && code != -ETIME) {
		if (r == 0)
			vm_halt_zone(v, NULL);
		if (code == -ECANCELED)
			return r < 0 ? r : given_up(v, e);
		return code == -EBADMSG ? err_set(e, EBADMSG, "it is damaged") : err_sys(e, code, "its file");
	}
	return r;
}

int saved_boot(struct vm *v, struct err *e)
{
	struct in in = {.v = v, .p = SAVED_PIPE_INIT};
	_fd_ int fd = -1;
	int r;

	if (!brand_hvm(v->brand) || !saved_there(v->c, v->uuid))
		return vm_boot_zone(v, 0, e);
	r = open_state(&in, SAVED_STATE, &fd, e);
	if (r == 0)
		r = go_on(&in, fd, e);
	json_decref(in.head);
	if (r < 0)
		return damaged(v, e);
	r = failpoint("resume-loaded", e);
	if (r == 0)
		r = machine_go_on(v, e);
	return r < 0 ? err_add(e, "its state is loaded, but") : 1;
}

int saved_adopt(struct vm *v, const char *snapshot, struct err *e)
{
	_free_ char *from = saved_path(v, SAVED_CHECKPOINT), *to = saved_path(v, SAVED_STATE);
	struct in in = {.v = v, .p = SAVED_PIPE_INIT};
	_fd_ int fd = -1;
	int r;

	if (access(from, F_OK) < 0)
		return saved_there(v->c, v->uuid);
	r = open_state(&in, SAVED_CHECKPOINT, &fd, e);
	if (r == 0 && !str_eq(vm_str(in.head, "snapshot"), snapshot))
		r = err_set(e, EBADMSG, "the memory in it is not that of snapshot %s", snapshot);
	json_decref(in.head);
	if (r < 0) {
		ctx_log(v->c, LOG_WARN, "VM %s: %s: its disks are as they were, and it boots from them", v->uuid, e ? e->msg : "?");
		r = saved_drop(v, e);
		return r < 0 ? r : 0;
	}
	if (rename(from, to) < 0)
		return err_sys(e, errno, "%s", to);
	r = settle(v, e);
	return r < 0 ? r : 1;
}

/* ---- what may not change ---- */

static const char *const fixed[] = {"ram", "vcpus", "max_ram", "max_vcpus", "cpu_type", "disks", "nics", "vga", "bootrom", "kernel", "initrd", "kernel_args", "hyperv", "accelerator", "disk_driver", "nic_driver", "nocloud", "rtc"};

static const char *touches(const json_t *changed)
{
	const json_t *n;
	size_t i;

	json_array_foreach(changed, i, n)
		for (size_t k = 0; k < ARRAY_LEN(fixed); k++)
			if (str_eq(json_string_value(n), fixed[k]))
				return fixed[k];
	return NULL;
}

/* Whether a record is of the machine whose state this is. */
static bool of_state(struct vm *v, const json_t *rec, const json_t *layout)
{
	json_t *keep = v->rec;
	bool kvm;
	int r;

	v->rec = (json_t *)rec;
	r = machine_incoming_check(v, layout, &kvm, NULL);
	v->rec = keep;
	return r >= 0;
}

int saved_check_update(struct vm *v, const json_t *rec, const json_t *changed, struct err *e)
{
	struct in in = {.v = v, .p = SAVED_PIPE_INIT};
	const char *name = touches(changed);
	_fd_ int fd = -1;
	bool repairs;

	if (!name || !brand_hvm(v->brand) || v->run.running || !saved_there(v->c, v->uuid))
		return 0;
	/* a rollback may have brought the state of a machine that the record is no more: it may become that again */
	repairs = open_state(&in, SAVED_STATE, &fd, NULL) == 0 && !of_state(v, v->rec, json_object_get(in.head, "layout")) &&
		  of_state(v, rec, json_object_get(in.head, "layout"));
	json_decref(in.head);
	if (repairs)
		return 0;
	err_set(e, EBUSY, "%s: VM %s is suspended, and its memory knows the machine as it is", name, v->uuid);
	return err_hint(e, "vmadm resume %s, or give its memory up, as by a power cut: vmadm stop -F", v->uuid);
}
