/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/own.h"
#include "kern/giveup.h"

#define UID 12345
#define BIT(c) (1ULL << (c))

static char folder[] = "/tmp/giveup.XXXXXX";

/* What it ends with says which line was not so; nothing else gets out of it. */
#define HOLDS(x)                  \
	do {                      \
		if (!(x))         \
			_exit(__LINE__ & 255); \
	} while (0)

static void in_child(void (*f)(void), int line)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("line %d: its child ended with %#x (line modulo 256: %d)", line, (unsigned)status, WEXITSTATUS(status));
}
#define IN_CHILD(f) in_child(f, __LINE__)

static void caps(uint64_t *permitted, uint64_t *effective, uint64_t *inheritable)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	HOLDS(syscall(SYS_capget, &h, d) == 0);
	*permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	*effective = d[0].effective | (uint64_t)d[1].effective << 32;
	*inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
}

/* All that root can have, also what a change of ids leaves alone. */
static void rich(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];
	gid_t groups[] = {0, 7};

	HOLDS(syscall(SYS_capget, &h, d) == 0);
	for (int i = 0; i < 2; i++)
		d[i].inheritable = d[i].permitted;
	HOLDS(syscall(SYS_capset, &h, d) == 0);
	HOLDS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
	HOLDS(setgroups(2, groups) == 0);
	HOLDS(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

static void bounded(uint64_t keep)
{
	for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		HOLDS(prctl(PR_CAPBSET_READ, c, 0, 0, 0) == (int)(keep >> c & 1));
	for (int c = 0; prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) >= 0; c++)
		HOLDS(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) == 0);
}

static void all(void)
{
	static const struct giveup_limit limit[] = {{RLIMIT_NOFILE, 64}, {RLIMIT_FSIZE, 0}};
	struct rlimit r;
	uint64_t p, e, i;
	uid_t u[3];
	gid_t g[3];
	int sig;

	rich();
	HOLDS(!giveup(&(struct giveup){.root = open(folder, O_RDONLY | O_DIRECTORY), .uid = UID, .mask = 027, .limit = limit, .nlimits = 2}));
	HOLDS(access("/inside", F_OK) == 0 && access("/etc", F_OK) < 0);
	HOLDS(umask(0) == 027);
	HOLDS(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 64 && r.rlim_max == 64);
	HOLDS(getrlimit(RLIMIT_FSIZE, &r) == 0 && r.rlim_cur == 0 && r.rlim_max == 0);
	HOLDS(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0 && r.rlim_max == 0);
	bounded(0);
	HOLDS(getresuid(&u[0], &u[1], &u[2]) == 0 && u[0] == UID && u[1] == UID && u[2] == UID);
	HOLDS(getresgid(&g[0], &g[1], &g[2]) == 0 && g[0] == UID && g[1] == UID && g[2] == UID);
	HOLDS(getgroups(0, NULL) == 0);
	caps(&p, &e, &i);
	HOLDS(p == 0 && e == 0 && i == 0);
	HOLDS(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	HOLDS(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGKILL);
	HOLDS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void some(void)
{
	const uint64_t keep = BIT(CAP_CHOWN) | BIT(CAP_SETFCAP);
	uint64_t p, e, i;
	int sig;

	rich();
	HOLDS(!giveup(&(struct giveup){.root = -1, .uid = GIVEUP_SAME_UID, .caps = keep, .stays = true}));
	HOLDS(access("/etc", F_OK) == 0);
	HOLDS(getuid() == 0 && geteuid() == 0 && getgroups(0, NULL) == 0);
	bounded(keep);
	caps(&p, &e, &i);
	HOLDS(p == keep && e == keep && i == 0);
	HOLDS(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	HOLDS(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == 0);
	HOLDS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void never_raised(void)
{
	static const struct giveup_limit limit = {RLIMIT_NOFILE, 512};
	const struct rlimit less = {40, 50};
	struct rlimit r;

	HOLDS(setrlimit(RLIMIT_NOFILE, &less) == 0);
	HOLDS(!giveup(&(struct giveup){.root = -1, .uid = UID, .limit = &limit, .nlimits = 1}));
	HOLDS(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max == 50);
}

static void refused(void)
{
	const char *why = giveup(&(struct giveup){.root = -1, .uid = 0});

	HOLDS(why && !strcmp(why, "a user id of its own") && errno == EINVAL);
	/* and what can't be done is said */
	why = giveup(&(struct giveup){.root = 99, .uid = UID});
	HOLDS(why && !strcmp(why, "chroot into its folder") && errno == EBADF);
	HOLDS(setresuid(UID, UID, UID) == 0);
	why = giveup(&(struct giveup){.root = -1, .uid = UID});
	HOLDS(why && !strcmp(why, "drop capabilities") && errno == EPERM);
}

static void filtered(void)
{
	static const int own[] = {SCMP_SYS(socket), SCMP_SYS(dup)};
	int in[2];
	scmp_filter_ctx f;
	char c = 'x';
	void *m;

	HOLDS(pipe(in) == 0);
	HOLDS(!giveup(&(struct giveup){.root = -1, .uid = UID}));
	f = giveup_filter();
	HOLDS(giveup_allow(f, own, 2) && giveup_allow_data(f, SCMP_SYS(mprotect)));
	HOLDS(!giveup_load(f, true));
	HOLDS(write(in[1], &c, 1) == 1 && read(in[0], &c, 1) == 1);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HOLDS(m != MAP_FAILED);
	HOLDS(mprotect(m, 4096, PROT_READ) == 0);
	HOLDS(mprotect(m, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EPERM);
	HOLDS(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM);
	HOLDS(open("/etc/passwd", O_RDONLY) < 0 && errno == EPERM);
	HOLDS(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) < 0 && errno == EPERM);
	HOLDS(getppid() < 0 && errno == EPERM);
	HOLDS(dup(in[0]) >= 0 && socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

/* What was not to be loaded, or could not be built, is no filter that is on. */
static void unloaded(void)
{
	HOLDS(!giveup(&(struct giveup){.root = -1, .uid = UID}));
	HOLDS(giveup_load(NULL, true) && errno == EINVAL);
	HOLDS(giveup_load(giveup_filter(), false) && errno == EINVAL);
	HOLDS(!giveup_allow(NULL, (const int[]){SCMP_SYS(dup)}, 1) && !giveup_allow_data(NULL, SCMP_SYS(mprotect)));
	HOLDS(getppid() > 0);
}

static void test_all(void **s) { IN_CHILD(all); }
static void test_some(void **s) { IN_CHILD(some); }
static void test_never_raised(void **s) { IN_CHILD(never_raised); }
static void test_refused(void **s) { IN_CHILD(refused); }
static void test_filtered(void **s) { IN_CHILD(filtered); }
static void test_unloaded(void **s) { IN_CHILD(unloaded); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_some),
		cmocka_unit_test(test_never_raised),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_filtered),
		cmocka_unit_test(test_unloaded),
	};
	char path[64];
	int r;

	if (getuid() != 0) {
		puts("1..0 # SKIP needs root: there is nothing to give up");
		return 0;
	}
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/inside", folder);
	chmod(folder, 0755);
	close(open(path, O_CREAT | O_WRONLY, 0644));
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return r;
}
