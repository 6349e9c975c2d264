/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/notify.h"
#include "kern/seccomp.h"
#include "kern/sock.h"

#if defined(__x86_64__)
#define WIDE   AUDIT_ARCH_X86_64
#define NARROW AUDIT_ARCH_I386
#else
#define WIDE   AUDIT_ARCH_AARCH64
#define NARROW AUDIT_ARCH_ARM
#endif

static struct notify_ask parsed(uint32_t arch, int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct seccomp_notif n = {.id = 1, .pid = 77, .data = {.arch = arch, .nr = nr, .args = {a0, a1, a2}}};
	struct notify_ask a;

	notify_parse(&n, &a);
	return a;
}

static void asks(void **s)
{
	struct notify_ask a = parsed(WIDE, SYS_sched_getaffinity, 0xffffffff00000005, 0x700000080, 0x7fff00001000);

	assert_true(a.what == NOTIFY_AFFINITY && !a.narrow && a.caller == 77 && a.pid == 5 && a.len == 128 && a.addr == 0x7fff00001000);
	a = parsed(NARROW, 242, 0xffffffff, 4, 0xffffffff00001000);
	assert_true(a.what == NOTIFY_AFFINITY && a.narrow && a.pid == -1 && a.len == 4 && a.addr == 0x1000);
	a = parsed(WIDE, SYS_sysinfo, 0x7fff00001000, 1, 2);
	assert_true(a.what == NOTIFY_SYSINFO && !a.narrow && a.addr == 0x7fff00001000);
	a = parsed(NARROW, 116, 0x100001000, 0, 0);
	assert_true(a.what == NOTIFY_SYSINFO && a.narrow && a.addr == 0x1000);
	assert_int_equal(parsed(WIDE, 242, 0, 128, 0).what, NOTIFY_OTHER);
	assert_int_equal(parsed(NARROW, SYS_sched_getaffinity, 0, 128, 0).what, NOTIFY_OTHER);
	assert_int_equal(parsed(0, SYS_sysinfo, 0, 0, 0).what, NOTIFY_OTHER);
	assert_int_equal(parsed(WIDE, SYS_sysinfo | 0x40000000, 0, 0, 0).what, NOTIFY_OTHER);
}

static bool fits(bool narrow, uint32_t len, unsigned cpus)
{
	return notify_mask_fits(&(struct notify_ask){.narrow = narrow, .len = len}, cpus);
}

static void lengths(void **s)
{
	assert_true(fits(false, 8, 1) && fits(false, 8, 64) && fits(false, 1024, 64));
	assert_false(fits(false, 0, 1) || fits(false, 4, 2) || fits(false, 12, 2) || fits(false, 8, 65));
	assert_false(fits(false, 1u << 29, 2));
	assert_true(fits(true, 4, 32) && fits(true, 12, 96));
	assert_false(fits(true, 4, 33) || fits(true, 6, 2) || fits(true, 0, 1));
}

static void numbers(void **s)
{
	struct notify_numbers n = {.up_s = 99, .load = {65536, 1, 2}, .total = 256 << 20, .free = 200 << 20, .shared = 3, .swap = 4096, .swap_free = 1, .procs = 70000};
	uint8_t out[NOTIFY_SYSINFO_MAX];
	uint32_t w[16];
	struct sysinfo i;

	assert_int_equal(notify_sysinfo(&n, false, out), sizeof i);
	memcpy(&i, out, sizeof i);
	assert_true(i.uptime == 99 && i.loads[0] == 65536 && i.totalram == 256 << 20 && i.freeram == 200 << 20 && i.sharedram == 3);
	assert_true(i.totalswap == 4096 && i.freeswap == 1 && i.procs == 65535 && i.mem_unit == 1 && i.totalhigh == 0);
	assert_int_equal(notify_sysinfo(&n, true, out), 64);
	memcpy(w, out, 64);
	assert_true(w[0] == 99 && w[1] == 65536 && w[4] == 256 << 20 && w[8] == 4096 && (w[10] & 0xffff) == 65535 && w[13] == 1);
	n.total = 6ULL << 30;
	notify_sysinfo(&n, true, out);
	memcpy(w, out, 64);
	assert_true(w[4] == 6u << 18 && w[5] == 200u << 8 && w[8] == 1 && w[13] == 4096);
}

/* A child with the filter, whose calls we answer; 77 = this kernel has none of it. */
static int asker(int sock)
{
	_buf_ struct buf table = BUF_INIT;
	struct err e = ERR_INIT;
	struct sysinfo i;
	unsigned char m[128];
	int l;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (seccomp_build(0, &table, &e) < 0 || notify_install(table.p, table.len - 1) != -EINVAL || notify_install(table.p, 1u << 20) != -EINVAL)
		return 6;
	l = notify_install(table.p, table.len);
	if (l == -EINVAL || l == -ENOSYS || l == -EBUSY)
		return 77;
	if (l < 0 || sock_send_fd(sock, 'n', l) < 0 || close(l) < 0)
		return 1;
	if (syscall(SYS_sched_getaffinity, 0, sizeof m, m) != 5)
		return 2;
	if (sysinfo(&i) != -1 || errno != EFAULT)
		return 3;
	/* the table behind it decides about all others */
	if (syscall(SYS_keyctl, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS || syscall(SYS_bpf, 0, NULL, 0) != -1 || errno != EPERM)
		return 7;
	if (notify_install(NULL, 0) != -EBUSY) /* while there is a listener: it waits for the next call */
		return 4;
	return sysinfo(&i) != 0 || i.totalram == 0 || getppid() == 0 ? 5 : 0;
}

static void listener(void **s)
{
	static char page[NOTIFY_PAGE] __attribute__((aligned(8)));
	struct seccomp_notif *n = (void *)page;
	int sv[2], fd = -1, st;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	pid = fork();
	if (pid == 0) {
		close(sv[0]);
		_exit(asker(sv[1]));
	}
	close(sv[1]);
	if (sock_recv_fd(sv[0], &fd) == 'n') {
		struct notify_ask a;
		uint64_t id;

		assert_int_equal(notify_recv(fd, page), 0);
		notify_parse(n, &a);
		assert_true(a.what == NOTIFY_AFFINITY && a.caller == pid && a.len == 128 && notify_valid(fd, n->id));
		id = n->id;
		assert_int_equal(notify_answer(fd, id, 5, 0), 0);
		assert_true(notify_answer(fd, id, 5, 0) < 0);
		memset(page, 0, sizeof page);
		assert_int_equal(notify_recv(fd, page), 0);
		assert_false(notify_valid(fd, id));
		assert_int_equal(notify_answer(fd, n->id, 0, EFAULT), 0);
		memset(page, 0, sizeof page);
		assert_int_equal(notify_recv(fd, page), 0);
		assert_int_equal(notify_continue(fd, n->id), 0);
	}
	own_fd(&fd);
	close(sv[0]);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	if (WEXITSTATUS(st) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(st), 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(asks), cmocka_unit_test(lengths), cmocka_unit_test(numbers), cmocka_unit_test(listener)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
