/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which devices a zone may open: a BPF_PROG_TYPE_CGROUP_DEVICE program on its v2 cgroup, put together by hand because
 * it is a list of comparisons and the list is per zone. Works on every host: no v1 devices hierarchy is needed.
 * Attaching (without BPF_F_ALLOW_MULTI) takes the place of the zone's former program in one step, and lets nobody
 * below attach another.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/cgroup_io.h"

#define RW 6

static const struct cg_dev defaults[] = {
	{'c', 1, 3, RW},            /* null */
	{'c', 1, 5, RW},            /* zero */
	{'c', 1, 7, RW},            /* full */
	{'c', 1, 8, RW},            /* random */
	{'c', 1, 9, RW},            /* urandom */
	{'c', 5, 0, RW},            /* tty */
	{'c', 5, 1, RW},            /* console: the zone's is a pty, but /dev/console's number is what some programs make */
	{'c', 5, 2, RW},            /* ptmx */
	{'c', 136, UINT32_MAX, RW}, /* ptys */
};

const struct cg_dev *cg_devices_default(size_t *n)
{
	*n = ARRAY_LEN(defaults);
	return defaults;
}

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LDW(d, s, o)        INSN(BPF_LDX | BPF_W | BPF_MEM, d, s, o, 0)
#define JNE(d, i, o)        INSN(BPF_JMP32 | BPF_JNE | BPF_K, d, 0, o, i)
#define EXIT                INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define MOV(d, i)           INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOVR(d, s)          INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ANDK(d, i)          INSN(BPF_ALU | BPF_AND | BPF_K, d, 0, 0, i)
#define RSHK(d, i)          INSN(BPF_ALU | BPF_RSH | BPF_K, d, 0, 0, i)

static void put(struct buf *b, struct bpf_insn i)
{
	buf_add(b, &i, sizeof i);
}

/* r2 type, r3 access, r4 major, r5 minor; each device is one block that falls through to the next where it differs. */
static void assemble(struct buf *b, const struct cg_dev *d, size_t n)
{
	put(b, LDW(BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	put(b, MOVR(BPF_REG_3, BPF_REG_2));
	put(b, ANDK(BPF_REG_2, 0xffff));
	put(b, RSHK(BPF_REG_3, 16));
	put(b, LDW(BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major)));
	put(b, LDW(BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor)));
	for (size_t i = 0; i < n; i++) {
		bool any_major = d[i].major == UINT32_MAX, any_minor = d[i].minor == UINT32_MAX;
		int16_t left = (int16_t)(4 + !any_major + !any_minor); /* instructions from the first jump to the next block */

		/* access & ~allowed must be empty */
		put(b, MOVR(BPF_REG_1, BPF_REG_3));
		put(b, ANDK(BPF_REG_1, (int32_t)(~d[i].access & 7)));
		put(b, JNE(BPF_REG_1, 0, --left));
		put(b, JNE(BPF_REG_2, d[i].type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, --left));
		if (!any_major)
			put(b, JNE(BPF_REG_4, (int32_t)d[i].major, --left));
		if (!any_minor)
			put(b, JNE(BPF_REG_5, (int32_t)d[i].minor, --left));
		put(b, MOV(BPF_REG_0, 1));
		put(b, EXIT);
	}
	put(b, MOV(BPF_REG_0, 0));
	put(b, EXIT);
}

int cg_set_devices(const struct cg_host *h, const char *uuid, const struct cg_dev *d, size_t n, struct err *e)
{
	_buf_ struct buf code = BUF_INIT;
	_fd_ int cg = -1, prog = -1;
	union bpf_attr a;
	char p[CGI_PATH];

	for (size_t i = 0; i < n; i++)
		if ((d[i].type != 'c' && d[i].type != 'b') || d[i].access > 7)
			return err_set(e, EINVAL, "device %u:%u: its type is not c or b", d[i].major, d[i].minor);
	assemble(&code, d, n);
	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uintptr_t)code.p;
	a.insn_cnt = (uint32_t)(code.len / sizeof(struct bpf_insn));
	a.license = (uintptr_t)"GPL";
	memcpy(a.prog_name, "cloister_dev", 13);
	prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
	if (prog < 0)
		return err_sys(e, errno, "load the device filter of zone %s (%u instructions)", uuid, a.insn_cnt);
	cg = open(cgi_path(h, -1, uuid, NULL, p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cg < 0)
		return err_sys(e, errno, "%s", p);
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)cg;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof a) < 0)
		return err_sys(e, errno, "attach the device filter to %s", p);
	return 0;
}
