/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Table to program. libseccomp knows the numbers of the names; the program we write ourselves, because libseccomp has
 * one comparison per call (1,100 instructions, 0.3 ms each time a process takes it on) where runs of numbers with the
 * same answer make a third of that, and because it can't allow a call in general and refuse some of its arguments.
 *
 *	arch ── x86_64 ── number < k? ──┬── … ── ALLOW | EPERM | ENOSYS | KILL
 *	  │                             └── … ── ioctl: tests on its argument
 *	  ├──── i386 ──── the same
 *	  └──── KILL
 *
 * The kernel keeps a bitmap of calls that are allowed whatever their arguments, so a plain one runs none of it.
 */
#include "kern/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#define FORMAT 4       /* of the program that is made from the table; counts into the cache's name */
#define NR_MAX 1024    /* numbers of calls are below; the rest is ENOSYS */
#define X32    0x40000000u

static const uint32_t arches[] = {
#if defined(__x86_64__)
	SCMP_ARCH_X86_64, SCMP_ARCH_X86,
#elif defined(__aarch64__)
	SCMP_ARCH_AARCH64, SCMP_ARCH_ARM,
#else
#error "the system call table has not been made for this processor"
#endif
};

/*
 * Numbers that libseccomp does not tell: on i386 it takes these for parts of socketcall and ipc, although they are
 * calls of their own as well; and those younger than it (from 424 on they are the same on all machines).
 */
static const struct {
	uint32_t arch; /* 0 = all */
	int nr;
	const char *name;
} extra[] = {
	{SCMP_ARCH_X86, 359, "socket"},      {SCMP_ARCH_X86, 360, "socketpair"},  {SCMP_ARCH_X86, 361, "bind"},
	{SCMP_ARCH_X86, 362, "connect"},     {SCMP_ARCH_X86, 363, "listen"},      {SCMP_ARCH_X86, 364, "accept4"},
	{SCMP_ARCH_X86, 365, "getsockopt"},  {SCMP_ARCH_X86, 366, "setsockopt"},  {SCMP_ARCH_X86, 367, "getsockname"},
	{SCMP_ARCH_X86, 368, "getpeername"}, {SCMP_ARCH_X86, 369, "sendto"},      {SCMP_ARCH_X86, 370, "sendmsg"},
	{SCMP_ARCH_X86, 371, "recvfrom"},    {SCMP_ARCH_X86, 372, "recvmsg"},     {SCMP_ARCH_X86, 373, "shutdown"},
	{SCMP_ARCH_X86, 337, "recvmmsg"},    {SCMP_ARCH_X86, 345, "sendmmsg"},    {SCMP_ARCH_X86, 393, "semget"},
	{SCMP_ARCH_X86, 394, "semctl"},      {SCMP_ARCH_X86, 395, "shmget"},      {SCMP_ARCH_X86, 396, "shmctl"},
	{SCMP_ARCH_X86, 397, "shmat"},       {SCMP_ARCH_X86, 398, "shmdt"},       {SCMP_ARCH_X86, 399, "msgget"},
	{SCMP_ARCH_X86, 400, "msgsnd"},      {SCMP_ARCH_X86, 401, "msgrcv"},      {SCMP_ARCH_X86, 402, "msgctl"},
	{SCMP_ARCH_X86_64, 335, "uretprobe"}, {SCMP_ARCH_X86_64, 336, "uprobe"},
	{0, 451, "cachestat"},         {0, 452, "fchmodat2"},        {0, 453, "map_shadow_stack"},
	{0, 454, "futex_wake"},        {0, 455, "futex_wait"},       {0, 456, "futex_requeue"},
	{0, 457, "statmount"},         {0, 458, "listmount"},        {0, 459, "lsm_get_self_attr"},
	{0, 460, "lsm_set_self_attr"}, {0, 461, "lsm_list_modules"}, {0, 462, "mseal"},
	{0, 463, "setxattrat"},        {0, 464, "getxattrat"},       {0, 465, "listxattrat"},
	{0, 466, "removexattrat"},     {0, 467, "open_tree_attr"},   {0, 468, "file_getattr"},
	{0, 469, "file_setattr"},
};

/* -1: there is no such call on this architecture. */
static int number(uint32_t arch, const char *name)
{
	int nr = seccomp_syscall_resolve_name_arch(arch, name);

	for (size_t i = 0; nr < 0 && i < ARRAY_LEN(extra); i++)
		if ((extra[i].arch == 0 || extra[i].arch == arch) && !strcmp(extra[i].name, name))
			nr = extra[i].nr;
	return nr < 0 || nr >= NR_MAX ? -1 : nr;
}

/* ---- instructions ---- */

static void op(struct buf *b, uint16_t code, uint32_t k, size_t jt, size_t jf)
{
	struct sock_filter f = {code, (uint8_t)jt, (uint8_t)jf, k};

	buf_add(b, &f, sizeof f);
}
#define LD(b, off) op(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(off), 0, 0)
#define RET(b, v)  op(b, BPF_RET | BPF_K, v, 0, 0)
#define LEN(b)     ((b)->len / sizeof(struct sock_filter))
#define ERRNO(n)   (SECCOMP_RET_ERRNO | (uint32_t)(n))

static void append(struct buf *b, const struct buf *piece)
{
	buf_add(b, buf_str(piece), piece->len);
}

/*
 * The decision by one argument. A match that is fine returns at once, so there are no jumps but over the next
 * instruction, and over the block of a type (at most 255).
 */
static int arg_piece(struct buf *b, const struct seccomp_arg *a, struct err *e)
{
	size_t off = offsetof(struct seccomp_data, args) + 8 * a->arg;

	LD(b, off);
	for (size_t i = 0; i < a->n; i++) {
		const struct seccomp_arg_test *t = &a->tests[i];
		size_t nrs = 0;

		switch (t->test) {
		case SECCOMP_EQ_OK:
		case SECCOMP_EQ_DENY:
			op(b, BPF_JMP | BPF_JEQ | BPF_K, t->value, 0, 1);
			RET(b, t->test == SECCOMP_EQ_OK ? SECCOMP_RET_ALLOW : ERRNO(a->error));
			break;
		case SECCOMP_SET_DENY:
			op(b, BPF_JMP | BPF_JSET | BPF_K, t->value, 0, 1);
			RET(b, ERRNO(a->error));
			break;
		case SECCOMP_UNSET_DENY:
			op(b, BPF_JMP | BPF_JSET | BPF_K, t->value, 1, 0);
			RET(b, ERRNO(a->error));
			break;
		case SECCOMP_ELSE_DENY:
			RET(b, ERRNO(a->error));
			return 0;
		case SECCOMP_TYPE:
			while (i + 1 + nrs < a->n && a->tests[i + 1 + nrs].test == SECCOMP_CMD)
				nrs++;
			if (nrs > 240)
				return err_set(e, E2BIG, "system call table: %s: %s has too many numbers", a->name, t->what);
			op(b, BPF_ALU | BPF_AND | BPF_K, 0xff00, 0, 0);
			op(b, BPF_JMP | BPF_JEQ | BPF_K, t->value << 8, 0, nrs + 3);
			LD(b, off);
			for (size_t j = 0; j < nrs; j++)
				op(b, BPF_JMP | BPF_JEQ | BPF_K, a->tests[i + 1 + j].value, nrs - j, 0);
			RET(b, ERRNO(a->type_error));
			RET(b, SECCOMP_RET_ALLOW);
			LD(b, off); /* for tests behind */
			i += nrs;
			break;
		case SECCOMP_CMD:
			return err_set(e, EINVAL, "system call table: %s: %s stands alone", a->name, t->what);
		}
	}
	RET(b, SECCOMP_RET_ALLOW);
	return 0;
}

/* ---- from rows to answers by number ---- */

struct range {
	uint32_t first;                  /* up to the next range's first */
	uint32_t ret;
	const struct seccomp_arg *by_arg; /* NULL: ret */
};

static uint32_t answer(const struct seccomp_row *r, uint64_t words)
{
	if (r->allow_with & words)
		return SECCOMP_RET_ALLOW;
	if (r->deny_with & words)
		return ERRNO(EPERM);
	if (r->act == SECCOMP_ROW_EPERM)
		return ERRNO(EPERM);
	return r->act == SECCOMP_ROW_ENOSYS ? ERRNO(ENOSYS) : SECCOMP_RET_ALLOW;
}

static const struct seccomp_arg *arg_of(const char *name, uint64_t words)
{
	size_t n;
	const struct seccomp_arg *a = seccomp_args(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(a[i].name, name) && !(a[i].off_with & words) && (!a[i].only_with || a[i].only_with & words))
			return &a[i];
	return NULL;
}

static int fill(uint32_t arch, uint64_t words, struct range at[NR_MAX], struct err *e)
{
	size_t n;
	const struct seccomp_row *row = seccomp_rows(&n);
	char name[64];

	for (uint32_t i = 0; i < NR_MAX; i++)
		at[i] = (struct range){i, ERRNO(ENOSYS), NULL};
	for (size_t i = 0; i < n; i++) {
		for (const char *p = row[i].names; *p;) {
			size_t len = strcspn(p, " ");
			int nr;

			if (len >= sizeof name)
				return err_set(e, EINVAL, "system call table: \"%.64s\"", p);
			memcpy(name, p, len);
			name[len] = 0;
			nr = number(arch, name);
			if (nr >= 0) {
				at[nr].ret = answer(&row[i], words);
				at[nr].by_arg = row[i].act == SECCOMP_ROW_ARGS ? arg_of(name, words) : NULL;
			}
			p += len + (p[len] == ' ');
		}
	}
	return 0;
}

/* The number in the middle alone has another answer than those around it. */
static bool lone(const struct range *r)
{
	return !r[0].by_arg && !r[1].by_arg && !r[2].by_arg && r[0].ret == r[2].ret && r[2].first == r[1].first + 1;
}

/* A tree over r[0..n): each inner node is one comparison, each leaf a return or the tests of an argument. */
static int tree(struct buf *b, const struct range *r, size_t n, struct err *e)
{
	_buf_ struct buf left = BUF_INIT;
	size_t mid = n / 2;
	int err;

	if (n == 1) {
		if (r->by_arg)
			return arg_piece(b, r->by_arg, e);
		RET(b, r->ret);
		return 0;
	}
	if (n == 3 && lone(r)) {
		op(b, BPF_JMP | BPF_JEQ | BPF_K, r[1].first, 0, 1);
		RET(b, r[1].ret);
		RET(b, r[0].ret);
		return 0;
	}
	/* such three stay together; a program of more than a page costs each zone two */
	if (n > 3 && mid >= 2 && lone(r + mid - 2))
		mid++;
	else if (n > 3 && mid + 1 < n && lone(r + mid - 1))
		mid--;
	err = tree(&left, r, mid, e);
	if (err < 0)
		return err;
	if (LEN(&left) <= 255) {
		op(b, BPF_JMP | BPF_JGE | BPF_K, r[mid].first, LEN(&left), 0);
	} else { /* only a plain jump goes that far */
		op(b, BPF_JMP | BPF_JGE | BPF_K, r[mid].first, 0, 1);
		op(b, BPF_JMP | BPF_JA, (uint32_t)LEN(&left), 0, 0);
	}
	append(b, &left);
	return tree(b, r + mid, n - mid, e);
}

static int one_arch(struct buf *b, uint32_t arch, uint64_t words, struct err *e)
{
	struct range at[NR_MAX + 2];
	size_t n = 1;
	int r = fill(arch, words, at, e);

	if (r < 0)
		return r;
	at[NR_MAX] = (struct range){NR_MAX, ERRNO(ENOSYS), NULL};
	for (size_t i = 1; i <= NR_MAX; i++)
		if (at[i].by_arg || at[n - 1].by_arg || at[i].ret != at[n - 1].ret)
			at[n++] = at[i];
#if defined(__x86_64__)
	if (arch == SCMP_ARCH_X86_64)
		at[n++] = (struct range){X32, SECCOMP_RET_KILL_PROCESS, NULL};
#endif
	LD(b, offsetof(struct seccomp_data, nr));
	return tree(b, at, n, e);
}

int seccomp_build(uint64_t words, struct buf *out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r;

	LD(&b, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < ARRAY_LEN(arches); i++) {
		_buf_ struct buf body = BUF_INIT;

		r = one_arch(&body, arches[i], words, e);
		if (r < 0)
			return r;
		/* libseccomp's names for architectures are the kernel's AUDIT_ARCH values */
		op(&b, BPF_JMP | BPF_JEQ | BPF_K, arches[i], 1, 0);
		op(&b, BPF_JMP | BPF_JA, (uint32_t)LEN(&body), 0, 0);
		append(&b, &body);
	}
	RET(&b, SECCOMP_RET_KILL_PROCESS);
	if (LEN(&b) > BPF_MAXINSNS)
		return err_set(e, E2BIG, "system call filter: %zu instructions", LEN(&b));
	append(out, &b);
	return 0;
}

/* ---- the cache ---- */

static void mix(uint64_t *h, uint64_t v)
{
	*h = (*h ^ v) * 0x9e3779b97f4a7c15ULL;
	*h ^= *h >> 29;
}

/* Taken at each boot of a zone, so of the words themselves and not of a text made of them. */
static uint64_t table_hash(uint64_t words)
{
	const struct scmp_version *v = seccomp_version();
	uint64_t h = FORMAT;
	size_t n;

	mix(&h, words);
	mix(&h, arches[0]);
	mix(&h, (uint64_t)v->major << 32 | v->minor << 16 | v->micro);
	for (size_t i = 0; i < (seccomp_rows(&n), n); i++) {
		const struct seccomp_row *r = &seccomp_rows(&n)[i];

		mix(&h, (uint64_t)r->act);
		mix(&h, str_hash(r->names, strlen(r->names)));
		mix(&h, r->allow_with);
		mix(&h, r->deny_with);
	}
	for (size_t i = 0; i < (seccomp_args(&n), n); i++) {
		const struct seccomp_arg *a = &seccomp_args(&n)[i];

		mix(&h, str_hash(a->name, strlen(a->name)));
		mix(&h, (uint64_t)a->arg << 32 | (uint32_t)a->error);
		mix(&h, (uint64_t)(uint32_t)a->type_error);
		mix(&h, a->off_with);
		mix(&h, a->only_with);
		for (size_t j = 0; j < a->n; j++)
			mix(&h, (uint64_t)a->tests[j].test << 32 | a->tests[j].value);
	}
	return h;
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
