/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/notify.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1
#endif

/* Calls by the numbers of the machine's own programs, and of its 32-bit ones. */
#if defined(__x86_64__)
#define WIDE   AUDIT_ARCH_X86_64
#define NARROW AUDIT_ARCH_I386
enum { NARROW_AFFINITY = 242, NARROW_SYSINFO = 116 };
#elif defined(__aarch64__)
#define WIDE   AUDIT_ARCH_AARCH64
#define NARROW AUDIT_ARCH_ARM
enum { NARROW_AFFINITY = 242, NARROW_SYSINFO = 116 };
#else
#error "these system calls' numbers are not known for this processor"
#endif

#define LD(field)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(v, jt, jf)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, jt, jf)

/* In front of the table's program: what it does not take goes on there. A number of either machine has one meaning alone. */
static const struct sock_filter program[] = {
	/* 0 */ LD(arch),
	/* 1 */ IS(WIDE, 0, 3),
	/* 2 */ LD(nr),
	/* 3 */ IS(SYS_sched_getaffinity, 5, 0),
	/* 4 */ IS(SYS_sysinfo, 4, 5),
	/* 5 */ IS(NARROW, 0, 4),
	/* 6 */ LD(nr),
	/* 7 */ IS(NARROW_AFFINITY, 1, 0),
	/* 8 */ IS(NARROW_SYSINFO, 0, 1),
	/* 9 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
};
static const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

int notify_install(const void *table, size_t bytes)
{
	_buf_ struct buf b = BUF_INIT;
	struct seccomp_notif_sizes s;
	struct sock_fprog p;
	long fd;

	if (bytes % sizeof *program || bytes / sizeof *program > BPF_MAXINSNS - ARRAY_LEN(program) - 1)
		return -EINVAL;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s) < 0)
		return -errno;
	if (s.seccomp_notif > NOTIFY_PAGE || s.seccomp_notif_resp > NOTIFY_PAGE)
		return -EINVAL;
	buf_add(&b, program, sizeof program);
	if (bytes)
		buf_add(&b, table, bytes);
	else
		buf_add(&b, &allow, sizeof allow);
	p = (struct sock_fprog){.len = (unsigned short)(b.len / sizeof *program), .filter = (struct sock_filter *)(void *)b.p};
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &p);
	if (fd < 0)
		return -errno;
	/* since 6.6: caller and answerer take turns, so the scheduler need not look for another processor. Else it does. */
	ioctl((int)fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return (int)fd;
}

int notify_recv(int listener, void *page)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, page) < 0 ? -errno : 0;
}

bool notify_valid(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int respond(int listener, const struct seccomp_notif_resp *r)
{
	/* as much as a kernel with a longer one may read */
	static char room[NOTIFY_PAGE] __attribute__((aligned(8)));

	memcpy(room, r, sizeof *r);
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, room) < 0 ? -errno : 0;
}

int notify_answer(int listener, uint64_t id, int64_t value, int error)
{
	return respond(listener, &(struct seccomp_notif_resp){.id = id, .val = error ? 0 : value, .error = -error});
}

int notify_continue(int listener, uint64_t id)
{
	return respond(listener, &(struct seccomp_notif_resp){.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

/* ---- pure ---- */

void notify_parse(const struct seccomp_notif *n, struct notify_ask *a)
{
	const struct seccomp_data *d = &n->data;
	bool narrow = d->arch == NARROW;

	*a = (struct notify_ask){.narrow = narrow, .caller = (pid_t)n->pid};
	if (!narrow && d->arch != WIDE)
		return;
	if (d->nr == (narrow ? NARROW_AFFINITY : SYS_sched_getaffinity)) {
		a->what = NOTIFY_AFFINITY;
		a->pid = (pid_t)(uint32_t)d->args[0];
		a->len = (uint32_t)d->args[1];
		a->addr = d->args[2];
	} else if (d->nr == (narrow ? NARROW_SYSINFO : SYS_sysinfo)) {
		a->what = NOTIFY_SYSINFO;
		a->addr = d->args[0];
	}
	if (narrow)
		a->addr = (uint32_t)a->addr;
}

/* As kernel/sched/syscalls.c has it, with its 32 bits. */
bool notify_mask_fits(const struct notify_ask *a, unsigned nr_cpus)
{
	return a->len * 8 >= nr_cpus && a->len % (a->narrow ? 4 : 8) == 0;
}

/* include/uapi/linux/sysinfo.h; kernel/sys.c, struct compat_sysinfo. */
struct narrow_sysinfo {
	int32_t uptime;
	uint32_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	uint16_t procs, pad;
	uint32_t totalhigh, freehigh, mem_unit;
	char rest[8];
};
_Static_assert(sizeof(struct narrow_sysinfo) == 64, "the kernel's struct compat_sysinfo");
_Static_assert(sizeof(struct sysinfo) == NOTIFY_SYSINFO_MAX, "the kernel's struct sysinfo");

static uint16_t few(uint64_t procs)
{
	return procs < UINT16_MAX ? (uint16_t)procs : UINT16_MAX;
}

size_t notify_sysinfo(const struct notify_numbers *n, bool narrow, uint8_t out[NOTIFY_SYSINFO_MAX])
{
	/* numbers that need more than 32 bits are told in pages: all of them, or none */
	unsigned shift = (n->total | n->swap) >> 32 ? 12 : 0;
	struct narrow_sysinfo s = {
		.uptime = (int32_t)n->up_s, .procs = few(n->procs), .mem_unit = 1u << shift,
		.totalram = (uint32_t)(n->total >> shift), .freeram = (uint32_t)(n->free >> shift), .sharedram = (uint32_t)(n->shared >> shift),
		.bufferram = (uint32_t)(n->buffers >> shift), .totalswap = (uint32_t)(n->swap >> shift), .freeswap = (uint32_t)(n->swap_free >> shift),
	};
	struct sysinfo w;

	if (narrow) {
		for (int i = 0; i < 3; i++)
			s.loads[i] = (uint32_t)n->load[i];
		memcpy(out, &s, sizeof s);
		return sizeof s;
	}
	memset(&w, 0, sizeof w); /* with what lies between its members */
	w.uptime = (long)n->up_s;
	for (int i = 0; i < 3; i++)
		w.loads[i] = n->load[i];
	w.totalram = n->total;
	w.freeram = n->free;
	w.sharedram = n->shared;
	w.bufferram = n->buffers;
	w.totalswap = n->swap;
	w.freeswap = n->swap_free;
	w.procs = few(n->procs);
	w.mem_unit = 1;
	memcpy(out, &w, sizeof w);
	return sizeof w;
}
