/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The floor that Cloister's speed is measured against: the system calls a zone cannot do without, one after the other,
 * with nothing checked that need not be, no record, no lock, no supervisor.
 *
 *	floor create POOL IMAGE NAME INIT [sync] [private]   clone, cgroups with limits, namespaces, mounts, pivot_root, exec
 *	floor start POOL IMAGE NAME INIT [private]           the same without the clone
 *	floor stop NAME                                       cgroup.kill, wait, rmdir
 *	floor destroy POOL NAME                               stop and the clone away
 *	floor get FILE                                        open, read, write to stdout
 *	floor login PID CMD...                                setns, fork, exec
 *	floor snapshot SUBVOLUME DIR NAME                     the ioctl alone; prints "us N"
 *	floor unsnapshot DIR NAME                             the same of its deletion
 *
 * POOL is a btrfs directory, IMAGE the tree to stand on (private: a subvolume). With "sync" one 4 KiB write and
 * fdatasync stand for the durable commit; its time is printed on a line of its own: "fdatasync_us N".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* sys/mount.h and linux/mount.h do not go together in this C library */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

#define ID_BASE 0x70000000u
#define V2      "/sys/fs/cgroup/unified"

static const char *const v1[] = {"cpu", "cpuacct", "memory", "pids"};

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *text, const char *fmt, ...)
{
	char path[512];
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof path, fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static bool hybrid(void)
{
	return access(V2 "/cgroup.procs", F_OK) == 0;
}

static const char *v2_root(void)
{
	return hybrid() ? V2 : "/sys/fs/cgroup";
}

static void make(const char *path)
{
	if (mkdir(path, 0755) < 0)
		die(path);
}

static void cgroups_make(const char *name)
{
	char p[512];

	snprintf(p, sizeof p, "%s/floor-%s", v2_root(), name);
	make(p);
	snprintf(p, sizeof p, "%s/floor-%s/zone", v2_root(), name);
	make(p);
	if (!hybrid()) {
		put("268435456", "%s/floor-%s/memory.max", v2_root(), name);
		put("2000", "%s/floor-%s/pids.max", v2_root(), name);
		return;
	}
	for (unsigned i = 0; i < sizeof v1 / sizeof *v1; i++) {
		snprintf(p, sizeof p, "/sys/fs/cgroup/%s/floor-%s", v1[i], name);
		make(p);
	}
	put("100", "/sys/fs/cgroup/cpu/floor-%s/cpu.shares", name);
	put("100000", "/sys/fs/cgroup/cpu/floor-%s/cpu.cfs_quota_us", name);
	put("268435456", "/sys/fs/cgroup/memory/floor-%s/memory.limit_in_bytes", name);
	put("2000", "/sys/fs/cgroup/pids/floor-%s/pids.max", name);
}

/* By the child itself and alone ("tasks"): moving a process takes a lock that costs an RCU grace period when it was idle. */
static void cgroups_join(const char *name)
{
	for (unsigned i = 0; hybrid() && i < sizeof v1 / sizeof *v1; i++)
		put("0", "/sys/fs/cgroup/%s/floor-%s/tasks", v1[i], name);
}

static void stop(const char *name)
{
	char p[512], b[256];
	struct pollfd pf;
	ssize_t n;

	put("1", "%s/floor-%s/cgroup.kill", v2_root(), name);
	snprintf(p, sizeof p, "%s/floor-%s/cgroup.events", v2_root(), name);
	pf.fd = open(p, O_RDONLY | O_CLOEXEC);
	pf.events = POLLPRI;
	for (;;) {
		n = pread(pf.fd, b, sizeof b - 1, 0);
		b[n > 0 ? n : 0] = 0;
		if (strstr(b, "populated 0"))
			break;
		poll(&pf, 1, 1000);
	}
	close(pf.fd);
	for (unsigned i = 0; hybrid() && i < sizeof v1 / sizeof *v1; i++) {
		snprintf(p, sizeof p, "/sys/fs/cgroup/%s/floor-%s", v1[i], name);
		rmdir(p);
	}
	snprintf(p, sizeof p, "%s/floor-%s/zone", v2_root(), name);
	rmdir(p);
	snprintf(p, sizeof p, "%s/floor-%s", v2_root(), name);
	rmdir(p);
}

static void clone_root(const char *pool, const char *image, const char *name, bool private)
{
	char p[512];
	int fd;

	snprintf(p, sizeof p, "%s/floor-%s", pool, name);
	make(p);
	fd = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (private) {
		struct btrfs_ioctl_vol_args_v2 a = {0};

		a.fd = open(image, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		strcpy(a.name, "root");
		if (ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, &a) < 0)
			die("snapshot");
		close((int)a.fd);
	} else {
		struct btrfs_ioctl_vol_args a = {0};

		strcpy(a.name, "root");
		if (ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &a) < 0)
			die("subvolume");
		if (mkdirat(fd, "root/upper", 0755) < 0 || mkdirat(fd, "root/work", 0755) < 0)
			die("layers");
	}
	close(fd);
}

static void destroy_root(const char *pool, const char *name)
{
	struct btrfs_ioctl_vol_args a = {0};
	char p[512];
	int fd;

	snprintf(p, sizeof p, "%s/floor-%s", pool, name);
	fd = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	strcpy(a.name, "root");
	if (ioctl(fd, BTRFS_IOC_SNAP_DESTROY, &a) < 0)
		die("destroy");
	close(fd);
	rmdir(p);
}

static void commit(void)
{
	static char page[4096];
	struct timespec a, b;
	int fd = open("/var/tmp/floor-commit", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	clock_gettime(CLOCK_MONOTONIC, &a);
	if (write(fd, page, sizeof page) < 0 || fdatasync(fd) < 0)
		die("fdatasync");
	clock_gettime(CLOCK_MONOTONIC, &b);
	close(fd);
	printf("fdatasync_us %ld\n", (b.tv_sec - a.tv_sec) * 1000000L + (b.tv_nsec - a.tv_nsec) / 1000);
}

static void attach_idmapped(const char *path, int userns, const char *target)
{
	struct mount_attr at = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &at, sizeof at) < 0)
		die(path);
	if (syscall(SYS_move_mount, fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		die(target);
	close(fd);
}

static void node(const char *name, unsigned maj, unsigned min)
{
	if (mknod(name, S_IFCHR | 0666, makedev(maj, min)) < 0 || chown(name, ID_BASE, ID_BASE) < 0)
		die(name);
}

static void fs(const char *type, const char *target, unsigned long flags, const char *data)
{
	if (mount(type, target, type, flags, data) < 0)
		die(target);
}

/* In the mount namespace that the zone's is copied from, still the host's root. */
static void mounts(const char *pool, const char *image, const char *name, bool private, int userns)
{
	static const char *const dirs[] = {"dev", "run", "tmp", "proc", "sys"};
	static const char *const devs[] = {"dev/pts", "dev/shm", "dev/mqueue"};
	char p[512], opt[256];

	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	fs("tmpfs", "/mnt", 0, "size=64k");
	if (chdir("/mnt") < 0)
		die("/mnt");
	make("l"), make("u"), make("r");
	if (private) {
		snprintf(p, sizeof p, "%s/floor-%s/root/root", pool, name);
		attach_idmapped(p, userns, "r");
	} else {
		attach_idmapped(image, userns, "l");
		snprintf(p, sizeof p, "%s/floor-%s/root", pool, name);
		attach_idmapped(p, userns, "u");
		/* it works on its layers as whoever mounts it, and there the host's root has no name */
		prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
		setfsgid(ID_BASE), setfsuid(ID_BASE);
		fs("overlay", "r", MS_NODEV, "lowerdir=/mnt/l,upperdir=/mnt/u/upper,workdir=/mnt/u/work");
		setfsuid(0), setfsgid(0);
		prctl(PR_SET_SECUREBITS, 0);
	}
	if (chdir("r") < 0)
		die("r");
	for (unsigned i = 0; i < sizeof dirs / sizeof *dirs; i++)
		mkdir(dirs[i], 0755);
	fs("tmpfs", "dev", MS_NOSUID | MS_NOEXEC, "size=64k,mode=755");
	node("dev/null", 1, 3), node("dev/zero", 1, 5), node("dev/full", 1, 7), node("dev/random", 1, 8);
	node("dev/urandom", 1, 9), node("dev/tty", 5, 0);
	for (unsigned i = 0; i < sizeof devs / sizeof *devs; i++)
		make(devs[i]);
	snprintf(opt, sizeof opt, "newinstance,ptmxmode=0666,mode=620,gid=%u", ID_BASE + 5);
	fs("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, opt);
	if (symlink("pts/ptmx", "dev/ptmx") < 0)
		die("ptmx");
	fs("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "size=64m");
	fs("tmpfs", "run", MS_NOSUID | MS_NODEV, "size=64m");
	fs("tmpfs", "tmp", MS_NOSUID | MS_NODEV, "size=64m");
}

/* From inside the zone's pid, ipc, net and cgroup namespaces, so that each filesystem shows the zone's own. */
static void kernel_mounts(int pidfd)
{
	unsigned long f = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	int status;
	pid_t p = fork();

	if (p == 0) {
		if (setns(pidfd, CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP) < 0)
			die("setns");
		p = fork();
		if (p == 0) {
			fs("proc", "proc", f, NULL);
			fs("sysfs", "sys", f | MS_RDONLY, NULL);
			fs("mqueue", "dev/mqueue", f, NULL);
			fs("cgroup2", "sys/fs/cgroup", f, NULL);
			if (mount("proc/sys", "proc/sys", NULL, MS_BIND, NULL) < 0 ||
			    mount(NULL, "proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
				die("proc/sys");
			_exit(0);
		}
		waitpid(p, &status, 0);
		_exit(status != 0);
	}
	waitpid(p, &status, 0);
	if (status)
		exit(1);
}

static _Noreturn void child(const char *name, const char *init, int hold, int ready, int done)
{
	char *argv[] = {(char *)init, NULL}, *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL}, c;

	cgroups_join(name);
	if (read(hold, &c, 1) != 1 || unshare(CLONE_NEWCGROUP) < 0 || write(ready, "", 1) != 1 || read(hold, &c, 1) != 1 ||
	    unshare(CLONE_NEWNS) < 0)
		_exit(1);
	setsid();
	if (sethostname(name, strlen(name)) < 0 || setgid(0) < 0 || setuid(0) < 0)
		_exit(1);
	execve(init, argv, env);
	c = (char)errno;
	_exit(write(done, &c, 1) < 0 ? 2 : 1);
}

static void boot(const char *pool, const char *image, const char *name, const char *init, bool private)
{
	struct clone_args ca = {0};
	int hold[2], ready[2], done[2], pidfd = -1, userns;
	char p[512], map[64], c;
	pid_t pid;

	if (pipe2(hold, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		die("pipe");
	if (unshare(CLONE_NEWNS | CLONE_NEWTIME) < 0)
		die("unshare");
	snprintf(p, sizeof p, "%s/floor-%s/zone", v2_root(), name);
	ca.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD | CLONE_INTO_CGROUP;
	ca.pidfd = (uint64_t)(uintptr_t)&pidfd;
	ca.exit_signal = SIGCHLD;
	ca.cgroup = (uint64_t)open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid = (pid_t)syscall(SYS_clone3, &ca, sizeof ca);
	if (pid < 0)
		die("clone3");
	if (pid == 0) {
		close(hold[1]);
		child(name, init, hold[0], ready[1], done[1]);
	}
	close(done[1]);
	snprintf(p, sizeof p, "/proc/%d/ns/user", (int)pid);
	userns = open(p, O_RDONLY | O_CLOEXEC);
	snprintf(map, sizeof map, "0 %u 65536", ID_BASE);
	put(map, "/proc/%d/uid_map", (int)pid);
	put(map, "/proc/%d/gid_map", (int)pid);
	mounts(pool, image, name, private, userns);
	if (write(hold[1], "", 1) != 1 || read(ready[0], &c, 1) != 1)
		die("hold");
	kernel_mounts(pidfd);
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		die("pivot_root");
	if (write(hold[1], "", 1) != 1)
		die("release");
	if (read(done[0], &c, 1) > 0) {
		errno = c;
		die(init);
	}
	printf("pid %d\n", (int)pid);
}

static int login(char **argv)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(argv[0]), 0), status;
	pid_t p;

	if (pidfd < 0 || setns(pidfd, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
					      CLONE_NEWCGROUP | CLONE_NEWTIME) < 0)
		die("setns");
	p = fork();
	if (p == 0) {
		if (setgid(0) < 0 || setuid(0) < 0)
			_exit(125);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	waitpid(p, &status, 0);
	return WEXITSTATUS(status);
}

static int timed_ioctl(const char *dir, unsigned long what, void *arg)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	if (ioctl(fd, what, arg) < 0)
		die(dir);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("us %ld\n", (b.tv_sec - a.tv_sec) * 1000000L + (b.tv_nsec - a.tv_nsec) / 1000);
	return 0;
}

static int snapshot(const char *subvolume, const char *dir, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 a = {.fd = open(subvolume, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

	snprintf(a.name, sizeof a.name, "%s", name);
	return timed_ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &a);
}

static int unsnapshot(const char *dir, const char *name)
{
	struct btrfs_ioctl_vol_args a = {0};

	snprintf(a.name, sizeof a.name, "%s", name);
	return timed_ioctl(dir, BTRFS_IOC_SNAP_DESTROY, &a);
}

static int get(const char *file)
{
	static char b[65536];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b);

	if (n < 0)
		die(file);
	return write(1, b, (size_t)n) == n ? 0 : 1;
}

int main(int argc, char **argv)
{
	bool sync = false, private = false;

	for (int i = 5; i < argc; i++) {
		sync |= !strcmp(argv[i], "sync");
		private |= !strcmp(argv[i], "private");
	}
	if (argc >= 6 && !strcmp(argv[1], "create")) {
		if (sync)
			commit();
		clone_root(argv[2], argv[3], argv[4], private);
		cgroups_make(argv[4]);
		boot(argv[2], argv[3], argv[4], argv[5], private);
	} else if (argc >= 6 && !strcmp(argv[1], "start")) {
		cgroups_make(argv[4]);
		boot(argv[2], argv[3], argv[4], argv[5], private);
	} else if (argc == 3 && !strcmp(argv[1], "stop")) {
		stop(argv[2]);
	} else if (argc == 4 && !strcmp(argv[1], "destroy")) {
		stop(argv[3]);
		destroy_root(argv[2], argv[3]);
	} else if (argc == 5 && !strcmp(argv[1], "snapshot")) {
		return snapshot(argv[2], argv[3], argv[4]);
	} else if (argc == 4 && !strcmp(argv[1], "unsnapshot")) {
		return unsnapshot(argv[2], argv[3]);
	} else if (argc == 3 && !strcmp(argv[1], "get")) {
		return get(argv[2]);
	} else if (argc >= 4 && !strcmp(argv[1], "login")) {
		return login(argv + 2);
	} else {
		fprintf(stderr, "usage: see the head of floor.c\n");
		return 2;
	}
	return 0;
}
