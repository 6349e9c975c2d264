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
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_io.h"

#define RW 6
#define LOAD_TRIES 5

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

static int load(const struct buf *code, const char *name, struct err *e)
{
	union bpf_attr a;
	int fd;

	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uintptr_t)code->p;
	a.insn_cnt = (uint32_t)(code->len / sizeof(struct bpf_insn));
	a.license = (uintptr_t)"GPL";
	snprintf(a.prog_name, sizeof a.prog_name, "%s", name);
	/* the verifier gives up where a signal waits, a child's end for one */
	for (int tries = 0; (fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a)) < 0 && errno == EAGAIN && tries < LOAD_TRIES; tries++)
		;
	return fd < 0 ? err_sys(e, errno, "load a device filter (%u instructions)", a.insn_cnt) : fd;
}

static int attach(const char *dir, int prog, uint32_t flags, struct err *e)
{
	_fd_ int cg = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union bpf_attr a;

	if (cg < 0)
		return err_sys(e, errno, "%s", dir);
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)cg;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = flags;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof a) < 0)
		return err_sys(e, errno, "attach a device filter to %s", dir);
	return 0;
}

/* The program attached to dir if it bears that name, else a negative errno. */
static int attached(const char *dir, const char *name)
{
	_fd_ int cg = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), prog = -1;
	struct bpf_prog_info info;
	union bpf_attr a;
	uint32_t id = 0;

	if (cg < 0)
		return -errno;
	memset(&a, 0, sizeof a);
	a.query.target_fd = (uint32_t)cg;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (uintptr_t)&id;
	a.query.prog_cnt = 1;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &a, sizeof a) < 0 || a.query.prog_cnt != 1)
		return -ENOENT;
	memset(&a, 0, sizeof a);
	a.prog_id = id;
	prog = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &a, sizeof a);
	if (prog < 0)
		return -errno;
	memset(&a, 0, sizeof a);
	memset(&info, 0, sizeof info);
	a.info.bpf_fd = (uint32_t)prog;
	a.info.info_len = sizeof info;
	a.info.info = (uintptr_t)&info;
	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &a, sizeof a) < 0)
		return -errno;
	return strncmp(info.name, name, sizeof info.name) ? -ENOENT : take_fd(&prog);
}

/*
 * Loading costs 0.4 ms (the verifier), attaching some µs. The program of the default list is therefore loaded once and
 * kept on the node's own cgroup, where it is also what a zone's cgroup has before it is given one: closed by default.
 * The supervisors next to the zones are exempt.
 */
static int load_default(const struct cg_host *h, const struct buf *code, const char *name, struct err *e)
{
	_buf_ struct buf all = BUF_INIT;
	_fd_ int prog = -1, open_all = -1;
	char p[CGI_PATH];
	int r;

	put(&all, MOV(BPF_REG_0, 1));
	put(&all, EXIT);
	open_all = load(&all, "cl_dev_all", e);
	if (open_all < 0)
		return open_all;
	r = attach(cgi_path(h, -1, "_sup", NULL, p), open_all, 0, e);
	if (r < 0)
		return r;
	prog = load(code, name, e);
	if (prog < 0)
		return prog;
	r = attach(cgi_path(h, -1, NULL, NULL, p), prog, BPF_F_ALLOW_OVERRIDE, e);
	return r < 0 ? r : take_fd(&prog);
}

static bool is_default(const struct cg_dev *d, size_t n)
{
	if (n != ARRAY_LEN(defaults))
		return false;
	for (size_t i = 0; i < n; i++)
		if (d[i].type != defaults[i].type || d[i].major != defaults[i].major || d[i].minor != defaults[i].minor ||
		    d[i].access != defaults[i].access)
			return false;
	return true;
}

int cg_set_devices(const struct cg_host *h, const char *uuid, const struct cg_dev *d, size_t n, struct err *e)
{
	_buf_ struct buf code = BUF_INIT;
	_fd_ int prog = -1;
	char p[CGI_PATH], name[16];

	for (size_t i = 0; i < n; i++)
		if ((d[i].type != 'c' && d[i].type != 'b') || d[i].access > 7)
			return err_set(e, EINVAL, "device %u:%u: its type is not c or b", d[i].major, d[i].minor);
	assemble(&code, d, n);
	/* the name holds a hash of the program, so that one left by another version is not taken for ours */
	snprintf(name, sizeof name, "cl_dev_%08x", (unsigned)str_hash(code.p, code.len));
	if (is_default(d, n)) {
		prog = attached(cgi_path(h, -1, NULL, NULL, p), name);
		if (prog < 0)
			prog = load_default(h, &code, name, e);
	} else {
		prog = load(&code, name, e);
	}
	if (prog < 0)
		return err_add(e, "devices of zone %s", uuid);
	return attach(cgi_path(h, -1, uuid, NULL, p), prog, 0, e);
}
