/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Table to program. The list of plain numbers is libseccomp's work (a binary tree per architecture). What is decided
 * by argument stands in a piece of our own in front of it, because libseccomp can't allow a call in general and refuse
 * some of its arguments:
 *
 *	[ prologue: x86_64: ioctl, clone, … ; i386: … ] [ libseccomp: arch → tree → ALLOW | EPERM | ENOSYS ]
 *
 * The kernel keeps a bitmap of calls that are allowed whatever their arguments, so a plain one never runs any of it.
 */
#include "kern/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#define FORMAT 1 /* of the program that is made from the table; counts into the cache's name */

static const uint32_t arches[] = {
#if defined(__x86_64__)
	SCMP_ARCH_X86_64, SCMP_ARCH_X86,
#elif defined(__aarch64__)
	SCMP_ARCH_AARCH64, SCMP_ARCH_ARM,
#else
#error "the system call table has not been made for this processor"
#endif
};

#define FN_CLEAN(f, T)                                                                                         \
	static void own_##f(T *p)                                                                              \
	{                                                                                                      \
		if (*p)                                                                                        \
			f(*p);                                                                                 \
	}
FN_CLEAN(seccomp_release, scmp_filter_ctx)

/* ---- the prologue ---- */

static void op(struct buf *b, uint16_t code, uint32_t k, size_t jt, size_t jf)
{
	struct sock_filter f = {code, (uint8_t)jt, (uint8_t)jf, k};

	buf_add(b, &f, sizeof f);
}
#define LD(b, off)  op(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(off), 0, 0)
#define RET(b, v)   op(b, BPF_RET | BPF_K, v, 0, 0)
#define LEN(b)      ((b)->len / sizeof(struct sock_filter))

static void append(struct buf *b, const struct buf *piece)
{
	buf_add(b, buf_str(piece), piece->len);
}

/* A piece that runs when the number matched. Falls out at its end when the call is not refused. */
static void arg_piece(struct buf *b, const struct seccomp_arg *a)
{
	uint32_t deny = SECCOMP_RET_ERRNO | (uint32_t)a->error, tdeny = SECCOMP_RET_ERRNO | (uint32_t)a->type_error;
	size_t off = offsetof(struct seccomp_data, args) + 8 * a->arg;

	LD(b, off);
	for (size_t i = 0; i < a->n; i++) {
		const struct seccomp_arg_test *t = &a->tests[i];
		size_t nrs = 0;

		switch (t->test) {
		case SECCOMP_EQ_DENY:
			op(b, BPF_JMP | BPF_JEQ | BPF_K, t->value, 0, 1);
			RET(b, deny);
			break;
		case SECCOMP_SET_DENY:
			op(b, BPF_JMP | BPF_JSET | BPF_K, t->value, 0, 1);
			RET(b, deny);
			break;
		case SECCOMP_EQ_OK: {
			/* to the piece's end: every later test takes two instructions or, at the last, one */
			size_t rest = 0;

			for (size_t j = i + 1; j < a->n; j++)
				rest += a->tests[j].test == SECCOMP_EQ_OK || a->tests[j].test == SECCOMP_ELSE_DENY ? 1 : 2;
			op(b, BPF_JMP | BPF_JEQ | BPF_K, t->value, rest, 0);
			break;
		}
		case SECCOMP_ELSE_DENY:
			RET(b, deny);
			break;
		case SECCOMP_TYPE:
			while (i + 1 + nrs < a->n && a->tests[i + 1 + nrs].test == SECCOMP_NR)
				nrs++;
			/* the type differs: over the and, the comparisons and the ret */
			op(b, BPF_ALU | BPF_AND | BPF_K, 0xff00, 0, 0);
			op(b, BPF_JMP | BPF_JEQ | BPF_K, t->value << 8, 0, nrs + 3);
			LD(b, off);
			op(b, BPF_ALU | BPF_AND | BPF_K, 0xff, 0, 0);
			for (size_t j = 0; j < nrs; j++)
				op(b, BPF_JMP | BPF_JEQ | BPF_K, a->tests[i + 1 + j].value, nrs - j, 0);
			RET(b, tdeny);
			LD(b, off); /* for tests behind */
			i += nrs;
			break;
		case SECCOMP_NR:
			break; /* taken by the type before it */
		}
	}
}

/* libseccomp names i386's direct socket calls by its number for a part of socketcall; the direct ones are these. */
static int number(uint32_t arch, const char *name)
{
	if (arch == SCMP_ARCH_X86 && !strcmp(name, "socket"))
		return 359;
	if (arch == SCMP_ARCH_X86 && !strcmp(name, "socketpair"))
		return 360;
	return seccomp_syscall_resolve_name_arch(arch, name);
}

static int prologue(uint64_t words, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(arches); i++) {
		_buf_ struct buf body = BUF_INIT;

		for (size_t j = 0, n; j < (seccomp_args(&n), n); j++) {
			const struct seccomp_arg *a = &seccomp_args(&n)[j];
			int nr = number(arches[i], a->name);
			_buf_ struct buf piece = BUF_INIT;

			if (nr < 0 || (a->off_with & words))
				continue;
			arg_piece(&piece, a);
			if (LEN(&piece) > 255)
				return err_set(e, E2BIG, "system call table: %s has too many tests", a->name);
			LD(&body, offsetof(struct seccomp_data, nr));
			op(&body, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, LEN(&piece));
			append(&body, &piece);
		}
		/* a long way to the next architecture: a plain jump, whose distance has 32 bits */
		LD(out, offsetof(struct seccomp_data, arch));
		op(out, BPF_JMP | BPF_JEQ | BPF_K, arches[i], 1, 0); /* its tokens are the kernel's AUDIT_ARCH values */
		op(out, BPF_JMP | BPF_JA, (uint32_t)LEN(&body), 0, 0);
		append(out, &body);
	}
	return 0;
}

/* ---- the list ---- */

static uint32_t action(const struct seccomp_row *r, uint64_t words)
{
	if (r->allow_with & words)
		return SCMP_ACT_ALLOW;
	if (r->deny_with & words)
		return SCMP_ACT_ERRNO(EPERM);
	switch (r->act) {
	case SECCOMP_ROW_EPERM:
		return SCMP_ACT_ERRNO(EPERM);
	case SECCOMP_ROW_ENOSYS:
		return SCMP_ACT_ERRNO(ENOSYS);
	default:
		return SCMP_ACT_ALLOW;
	}
}

static int add_row(scmp_filter_ctx f, const struct seccomp_row *row, uint64_t words, struct err *e)
{
	uint32_t act = action(row, words);
	char name[64];

	if (act == SCMP_ACT_ERRNO(ENOSYS))
		return 0; /* what has no row gets that anyway */
	for (const char *p = row->names; *p;) {
		size_t n = strcspn(p, " ");
		int nr, r;

		if (n >= sizeof name)
			return err_set(e, EINVAL, "system call table: \"%.64s\"", p);
		memcpy(name, p, n);
		name[n] = 0;
		nr = seccomp_syscall_resolve_name(name);
		/* not on any architecture that this libseccomp knows: it stays ENOSYS */
		r = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(f, act, nr, 0);
		if (r < 0 && r != -EDOM)
			return err_sys(e, r, "system call table: %s", name);
		p += n + (p[n] == ' ');
	}
	return 0;
}

static int list(uint64_t words, struct buf *out, struct err *e)
{
	_clean_(own_seccomp_release) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	_fd_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	size_t n;
	int r;

	if (!f || fd < 0)
		return err_sys(e, fd < 0 ? errno : ENOMEM, "system call filter");
	/* x32 numbers on x86_64 are a bad architecture to libseccomp: killed, as is everything not in arches[] */
	r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < ARRAY_LEN(arches) && r == 0; i++) {
		r = seccomp_arch_add(f, arches[i]);
		if (r == -EEXIST)
			r = 0;
	}
	if (r < 0)
		return err_sys(e, r, "system call filter");
	for (size_t i = 0; i < (seccomp_rows(&n), n); i++) {
		r = add_row(f, &seccomp_rows(&n)[i], words, e);
		if (r < 0)
			return r;
	}
	r = seccomp_export_bpf(f, fd);
	if (r < 0)
		return err_sys(e, r, "system call filter: export");
	for (off_t at = 0;;) {
		char chunk[8192];
		ssize_t got = pread(fd, chunk, sizeof chunk, at);

		if (got < 0)
			return err_sys(e, errno, "system call filter: read");
		if (got == 0)
			return 0;
		buf_add(out, chunk, (size_t)got);
		at += got;
	}
}

int seccomp_build(uint64_t words, struct buf *out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r = prologue(words, &b, e);

	if (r == 0)
		r = list(words, &b, e);
	if (r < 0)
		return r;
	if (LEN(&b) > BPF_MAXINSNS)
		return err_set(e, E2BIG, "system call filter: %zu instructions", LEN(&b));
	append(out, &b);
	return 0;
}

/* ---- the cache ---- */

static uint64_t table_hash(uint64_t words)
{
	uint64_t h[6] = {FORMAT, words};
	size_t n;
	_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < (seccomp_rows(&n), n); i++) {
		const struct seccomp_row *r = &seccomp_rows(&n)[i];

		buf_printf(&b, "%d %s %llx %llx\n", r->act, r->names, (unsigned long long)r->allow_with,
			   (unsigned long long)r->deny_with);
	}
	for (size_t i = 0; i < (seccomp_args(&n), n); i++) {
		const struct seccomp_arg *a = &seccomp_args(&n)[i];

		buf_printf(&b, "%s %u %d %d %llx", a->name, a->arg, a->error, a->type_error, (unsigned long long)a->off_with);
		for (size_t j = 0; j < a->n; j++)
			buf_printf(&b, " %d:%x", a->tests[j].test, a->tests[j].value);
	}
	h[2] = str_hash(b.p, b.len);
	h[3] = (uint64_t)seccomp_version()->major << 32 | seccomp_version()->minor << 16 | seccomp_version()->micro;
	h[4] = arches[0];
	return str_hash(h, sizeof h);
}

int seccomp_cached(const struct ctx *c, uint64_t words, char path[128], struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	char p[128];
	int r;

	snprintf(p, sizeof p, "%s/seccomp-%016llx", c->node.run, (unsigned long long)table_hash(words));
	if (access(p, R_OK) != 0) {
		r = seccomp_build(words, &b, e);
		if (r == 0)
			r = dir_make(c->node.run, 0755, e);
		if (r == 0)
			r = file_replace(p, b.p, b.len, 0600, 0, e);
		if (r < 0)
			return err_add(e, "system call filter");
	}
	memcpy(path, p, sizeof p);
	return 0;
}
