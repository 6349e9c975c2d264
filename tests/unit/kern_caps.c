/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "kern/caps.h"
#include "kern/seccomp.h"

#define HAS(set, c) (!!((set) & (1ULL << (c))))

static int priv(const char *list, uint64_t *set, uint64_t *sec, struct err *e)
{
	return caps_from_limit_priv(&list, 1, set, sec, e);
}

static void the_default(void **s)
{
	uint64_t d = caps_default();

	assert_true(HAS(d, CAP_SYS_ADMIN) && HAS(d, CAP_SYS_BOOT) && HAS(d, CAP_SYS_PTRACE) && HAS(d, CAP_NET_RAW));
	assert_false(HAS(d, CAP_NET_ADMIN));
	assert_false(HAS(d, CAP_SYS_MODULE) || HAS(d, CAP_SYS_RAWIO) || HAS(d, CAP_SYS_TIME) || HAS(d, CAP_MKNOD));
	assert_false(HAS(d, CAP_BPF) || HAS(d, CAP_PERFMON) || HAS(d, CAP_SYSLOG) || HAS(d, CAP_SYS_RESOURCE));
	assert_int_equal(d >> (CAP_LAST_CAP + 1), 0);
}

static void words(void **s)
{
	uint64_t set, sec;
	struct err e = ERR_INIT;

	assert_int_equal(priv("default,dtrace_proc,dtrace_user", &set, &sec, &e), 0);
	assert_true(set == caps_default() && sec == 0);
	assert_int_equal(caps_from_limit_priv(NULL, 0, &set, &sec, &e), 0);
	assert_true(set == caps_default());
	assert_int_equal(priv("default,!net_rawaccess,-sys_ptrace", &set, &sec, &e), 0);
	assert_false(HAS(set, CAP_NET_RAW) || HAS(set, CAP_SYS_PTRACE));
	assert_int_equal(priv("default,sys_ip_config", &set, &sec, &e), 0);
	assert_true(set == (caps_default() | 1ULL << CAP_NET_ADMIN));
	assert_int_equal(priv("default,CAP_CHECKPOINT_RESTORE", &set, &sec, &e), 0);
	assert_true(HAS(set, CAP_CHECKPOINT_RESTORE));
	assert_int_equal(priv("default,aio", &set, &sec, &e), 0);
	assert_true(set == caps_default() && sec == SECCOMP_AIO);
	assert_int_equal(priv("default,!proc_lock_memory,io_uring", &set, &sec, &e), 0);
	assert_int_equal(sec, SECCOMP_NO_LOCK_MEMORY | SECCOMP_IO_URING);
	assert_false(HAS(set, CAP_IPC_LOCK));
	assert_int_equal(priv("default,!proc_lock_memory,proc_lock_memory", &set, &sec, &e), 0);
	assert_true(sec == 0 && HAS(set, CAP_IPC_LOCK));
}

static void refused(void **s)
{
	uint64_t set = 7, sec = 7;
	struct err e = ERR_INIT;

	assert_int_equal(priv("default,sys_time", &set, &sec, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "sys_time"));
	assert_int_equal(priv("default,dtrace_kernel", &set, &sec, &e), -ENOTSUP);
	assert_int_equal(priv("default,cap_sys_module", &set, &sec, &e), -ENOTSUP);
	assert_int_equal(priv("default,!proc_info", &set, &sec, &e), -ENOTSUP);
	assert_int_equal(priv("default,!proc_fork", &set, &sec, &e), -EINVAL);
	assert_int_equal(priv("default,!sys_admin", &set, &sec, &e), -EINVAL);
	assert_int_equal(priv("default,-cap_sys_admin", &set, &sec, &e), -EINVAL);
	assert_int_equal(priv("default,frobnicate", &set, &sec, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "frobnicate"));
	assert_int_equal(priv("!default", &set, &sec, &e), -EINVAL);
	assert_true(set == 7 && sec == 7);
}

static void limiting(void **s)
{
	int st;
	pid_t pid;

	if (geteuid() != 0)
		return; /* the bounding set is root's to change */
	pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;

		if (caps_limit(1ULL << CAP_CHOWN | 1ULL << CAP_KILL, &e) < 0)
			_exit(1);
		if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) != 0 || prctl(PR_CAPBSET_READ, CAP_KILL) != 1)
			_exit(2);
		if (sethostname("x", 1) == 0 || errno != EPERM)
			_exit(3);
		/* a second time, now without CAP_SETPCAP: nothing is left to drop */
		_exit(caps_limit(1ULL << CAP_CHOWN | 1ULL << CAP_KILL, &e) < 0 ? 4 : 0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(the_default), cmocka_unit_test(words), cmocka_unit_test(refused),
				       cmocka_unit_test(limiting)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
