/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The floor that Cloister's speed is measured against: the system calls a zone cannot do without, one after the other,
 * with nothing checked that need not be, no record, no lock, no supervisor. What it makes is a zone by SECURITY.md: the
 * same namespaces, limits, mounts, covers, device list, capabilities and filter. It does without what is Cloister's
 * own (/.zonecontrol, live mounts, a console that can be attached to, an id of the boot), reads nothing back, and takes
 * filter and device list ready made from a node, as the node's own zones do:
 *
 *	FLOOR_SECCOMP   a file with the program
 *	FLOOR_CGROUP    name of the node's cgroup: the device list is on it, "_zones" in hierarchies that limit nothing
 *
 *	floor create POOL IMAGE NAME INIT [sync] [private]   clone, cgroups with limits, namespaces, mounts, new root, exec
 *	floor start POOL IMAGE NAME INIT [private]           the same without the clone
 *	floor stop NAME                                       cgroup.kill, wait, rmdir
 *	floor destroy POOL NAME                               stop and the clone away
 *	floor get FILE                                        open, read, write to stdout (floorget.c: a row of a database)
 *	floor login PID CMD...                                setns, fork, exec
 *	floor snapshot SUBVOLUME DIR NAME                     the ioctl alone; prints "us N"
 *	floor unsnapshot DIR NAME [sync]                      the same of its deletion, and of the commit that makes it last
 *
 * POOL is a btrfs directory, IMAGE the tree to stand on (private: a subvolume). With "sync" one 4 KiB write and
 * fdatasync stand for the durable commit; its time is printed on a line of its own: "fdatasync_us N".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btrfs.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
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
#include <sys/resource.h>
#include <sys/socket.h>
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

#define CAPS    0xb0ecfdffULL /* limit_priv=default */

static const char *const v1[] = {"cpu", "memory", "pids"};
/* they limit nothing, but a zone that stayed in its caller's could be frozen or killed with that */
static const char *const other[] = {"cpuacct", "cpuset", "devices", "freezer", "blkio", "systemd", "net_cls,net_prio", "perf_event"};

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

static const char *env(const char *name)
{
	const char *v = getenv(name);

	if (!v) {
		errno = EINVAL;
		die(name);
	}
	return v;
}

/* Loaded once per node, attached for each zone. */
static void devices(const char *name)
{
	union bpf_attr a = {0};
	uint32_t id = 0;
	char p[512];
	int cg, prog;

	snprintf(p, sizeof p, "%s/%s", v2_root(), env("FLOOR_CGROUP"));
	cg = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	a.query.target_fd = (uint32_t)cg;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (uintptr_t)&id;
	a.query.prog_cnt = 1;
	if (cg < 0 || syscall(SYS_bpf, BPF_PROG_QUERY, &a, sizeof a) < 0)
		die(p);
	close(cg);
	memset(&a, 0, sizeof a);
	a.prog_id = id;
	prog = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &a, sizeof a);
	snprintf(p, sizeof p, "%s/floor-%s", v2_root(), name);
	cg = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)cg;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	if (prog < 0 || cg < 0 || syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof a) < 0)
		die("device list");
	close(prog);
	close(cg);
}

static void cgroups_make(const char *name)
{
	static const char *const own[] = {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"};
	char p[512];

	snprintf(p, sizeof p, "%s/floor-%s", v2_root(), name);
	make(p);
	put("4096", "%s/floor-%s/cgroup.max.descendants", v2_root(), name);
	put("32", "%s/floor-%s/cgroup.max.depth", v2_root(), name);
	devices(name);
	snprintf(p, sizeof p, "%s/floor-%s/login", v2_root(), name);
	make(p);
	snprintf(p, sizeof p, "%s/floor-%s/zone", v2_root(), name);
	make(p);
	for (unsigned i = 0; i < sizeof own / sizeof *own; i++) {
		snprintf(p, sizeof p, "%s/floor-%s/zone%s", v2_root(), name, own[i]);
		if (chown(p, ID_BASE, ID_BASE) < 0)
			die(p);
	}
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
	put("67108864", "/sys/fs/cgroup/memory/floor-%s/memory.kmem.tcp.limit_in_bytes", name);
	put("2000", "/sys/fs/cgroup/pids/floor-%s/pids.max", name);
}

/* By the child itself and alone ("tasks"): moving a process takes a lock that costs an RCU grace period when it was idle. */
static void cgroups_join(const char *name)
{
	char p[512];

	for (unsigned i = 0; hybrid() && i < sizeof v1 / sizeof *v1; i++)
		put("0", "/sys/fs/cgroup/%s/floor-%s/tasks", v1[i], name);
	for (unsigned i = 0; hybrid() && i < sizeof other / sizeof *other; i++) {
		snprintf(p, sizeof p, "/sys/fs/cgroup/%s/%s/_zones/tasks", other[i], env("FLOOR_CGROUP"));
		if (access(p, F_OK) == 0)
			put("0", "%s", p);
	}
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
	snprintf(p, sizeof p, "%s/floor-%s/login", v2_root(), name);
	rmdir(p);
	snprintf(p, sizeof p, "%s/floor-%s", v2_root(), name);
	rmdir(p);
}

/* of an overlay: bound over it (docs/decisions/root.md) */
static const char *const natives[] = {"home", "root", "srv", "var"};

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
		for (unsigned i = 0; i < sizeof natives / sizeof *natives; i++) {
			snprintf(p, sizeof p, "root/upper/%s", natives[i]);
			if (mkdirat(fd, p, 0755) < 0)
				die(p);
		}
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

static void own_link(const char *to, const char *name)
{
	if (symlink(to, name) < 0 || lchown(name, ID_BASE, ID_BASE) < 0)
		die(name);
}

static void fs(const char *type, const char *target, unsigned long flags, const char *data)
{
	if (mount(type, target, type, flags, data) < 0)
		die(target);
}

static void cover(const char *from, const char *to)
{
	if (mount(from, to, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
		die(to);
}

/* A folder of the one tmpfs that the zone's small things share, under flags of its own. */
static void part(const char *name, mode_t mode, const char *to, unsigned long flags)
{
	if (mkdir(name, mode) < 0 || chown(name, ID_BASE, ID_BASE) < 0 || mount(name, to, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL) < 0)
		die(to);
}

/* What init stands on as its console. */
static void console(void)
{
	int m = open("dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), zero = 0;

	if (m < 0 || ioctl(m, TIOCSPTLCK, &zero) < 0 || chown("dev/pts/0", ID_BASE, ID_BASE + 5) < 0 || chmod("dev/pts/0", 0600) < 0)
		die("console");
	close(open("dev/console", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	cover("dev/pts/0", "dev/console");
}

/* In the mount namespace that the zone's is copied from, still the host's root. */
static void mounts(const char *pool, const char *image, const char *name, bool private, int userns)
{
	static const char *const dirs[] = {"dev", "run", "tmp", "proc", "sys"};
	static const char *const devs[] = {"dev/pts", "dev/shm", "dev/mqueue"};
	char p[512], opt[256];

	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	fs("tmpfs", "/mnt", 0, "size=64m,mode=711");
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
		for (unsigned i = 0; i < sizeof natives / sizeof *natives; i++) {
			snprintf(p, sizeof p, "u/upper/%s", natives[i]);
			snprintf(opt, sizeof opt, "r/%s", natives[i]);
			if (mount(p, opt, NULL, MS_BIND, NULL) < 0)
				die(opt);
		}
	}
	if (chdir("r") < 0)
		die("r");
	for (unsigned i = 0; i < sizeof dirs / sizeof *dirs; i++)
		mkdir(dirs[i], 0755);
	part("/mnt/dev", 0755, "dev", MS_NOSUID | MS_NOEXEC);
	node("dev/null", 1, 3), node("dev/zero", 1, 5), node("dev/full", 1, 7), node("dev/random", 1, 8);
	node("dev/urandom", 1, 9), node("dev/tty", 5, 0);
	for (unsigned i = 0; i < sizeof devs / sizeof *devs; i++)
		make(devs[i]);
	snprintf(opt, sizeof opt, "newinstance,ptmxmode=0666,mode=620,gid=%u", ID_BASE + 5);
	fs("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, opt);
	own_link("pts/ptmx", "dev/ptmx"), own_link("/proc/self/fd", "dev/fd"), own_link("/proc/self/fd/0", "dev/stdin");
	own_link("/proc/self/fd/1", "dev/stdout"), own_link("/proc/self/fd/2", "dev/stderr");
	console();
	fs("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "size=64m");
	part("/mnt/run", 0755, "run", MS_NOSUID | MS_NODEV);
	fs("tmpfs", "tmp", MS_NOSUID | MS_NODEV, "size=64m");
}

/* Linux 6.17 takes the pid namespace as a parameter; below, proc shows the one that its mounter was born in. */
static void proc(pid_t init, int pidfd)
{
	unsigned long f = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char p[64];
	int sb = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC), ns, m, status;
	pid_t pid;

	snprintf(p, sizeof p, "/proc/%d/ns/pid", (int)init);
	ns = open(p, O_RDONLY | O_CLOEXEC);
	if (syscall(SYS_fsconfig, sb, FSCONFIG_SET_FD, "pidns", NULL, ns) == 0) {
		if (syscall(SYS_fsconfig, sb, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
			die("proc");
		m = (int)syscall(SYS_fsmount, sb, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		if (syscall(SYS_move_mount, m, "", AT_FDCWD, "proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
			die("proc");
		close(m);
	} else {
		if (setns(pidfd, CLONE_NEWPID) < 0)
			die("setns");
		pid = fork();
		if (pid == 0) {
			fs("proc", "proc", f, NULL);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) < 0 || status)
			exit(1);
	}
	close(sb);
	close(ns);
}

/* From inside the zone's ipc, net and cgroup namespaces, so that each filesystem shows the zone's own. */
static void kernel_mounts(int pidfd)
{
	static const char *const readonly[] = {"sys", "irq", "bus", "fs"};
	/* what of the host's could be read or driven by an unprivileged process; folders where they are folders */
	static const char *const files[] = {"cmdline", "config.gz", "consoles", "interrupts", "iomem", "ioports", "kallsyms",
					    "key-users", "keys", "mtrr"};
	static const char *const folders[] = {"proc/pressure", "sys/firmware", "sys/fs/btrfs", "sys/kernel/boot_params"};
	static const char *const ipc[][2] = {{"shmmax", "268435456"}, {"shmall", "65536"}, {"shmmni", "4096"}, {"msgmni", "4096"},
					     {"sem", "32000 1024000000 500 4096"}};
	unsigned long f = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	char p[64];
	int s;

	if (setns(pidfd, CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP) < 0)
		die("setns");
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(s, SIOCSIFFLAGS, &lo) < 0)
		die("lo");
	close(s);
	fs("sysfs", "sys", f | MS_RDONLY, NULL);
	fs("mqueue", "dev/mqueue", f, NULL);
	fs("cgroup2", "sys/fs/cgroup", f, NULL);
	if (seteuid(ID_BASE) < 0)
		die("seteuid");
	for (unsigned i = 0; i < sizeof ipc / sizeof *ipc; i++)
		put(ipc[i][1], "proc/sys/kernel/%s", ipc[i][0]);
	if (seteuid(0) < 0)
		die("seteuid");
	for (unsigned i = 0; i < sizeof readonly / sizeof *readonly; i++) {
		snprintf(p, sizeof p, "proc/%s", readonly[i]);
		cover(p, p);
		if (mount(NULL, p, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | f, NULL) < 0 && errno != ENOENT)
			die(p);
	}
	cover("proc/sys/net", "proc/sys/net");
	if (mount(NULL, "proc/sys/net", NULL, MS_BIND | MS_REMOUNT | f, NULL) < 0)
		die("proc/sys/net");
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(p, sizeof p, "proc/%s", files[i]);
		cover("dev/null", p);
	}
	part("/mnt/empty", 0555, folders[0], f | MS_RDONLY);
	for (unsigned i = 1; i < sizeof folders / sizeof *folders; i++)
		cover(folders[0], folders[i]);
}

/* The zone's root is bound to these, and can't raise them. */
static void namespaces_limited(void)
{
	static const char *const max[][2] = {{"user", "0"}, {"ipc", "1"}, {"net", "32"}, {"mnt", "1024"}, {"pid", "256"},
					     {"uts", "256"}, {"cgroup", "256"}, {"time", "256"}};

	for (unsigned i = 0; i < sizeof max / sizeof *max; i++)
		put(max[i][1], "/mnt/r/proc/sys/user/max_%s_namespaces", max[i][0]);
}

static void confine(void)
{
	const struct rlimit locked = {256 << 20, 256 << 20}, files = {1024, 16384};
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	setrlimit(RLIMIT_MEMLOCK, &locked);
	setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned c = 0; c <= 40; c++)
		if (!(CAPS >> c & 1))
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

static void send_fd(int sock, int fd)
{
	union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u = {{0}};
	struct iovec v = {(char[]){0}, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	if (sendmsg(sock, &m, 0) != 1)
		die("release");
}

static int recv_fd(int sock)
{
	union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u;
	struct iovec v = {(char[]){0}, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
	int fd = -1;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

/* docs/decisions/enter-root.md: pivot_root would look at every thread of the host. */
static int enter_root(void)
{
	int ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), root;
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (ns < 0 || tree < 0 || umount2("/", MNT_DETACH) < 0 || setns(ns, CLONE_NEWNS) < 0 ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || setns(ns, CLONE_NEWNS) < 0)
		die("new root");
	close(tree), close(ns);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		die("new root");
	return root;
}

static _Noreturn void child(const char *name, const char *init, bool fresh, int hold, int ready, int done)
{
	char *argv[] = {(char *)init, NULL}, *envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL}, c;
	static struct sock_filter code[8192];
	struct sock_fprog filter = {.filter = code};
	int fd;

	fd = open(env("FLOOR_SECCOMP"), O_RDONLY | O_CLOEXEC);
	filter.len = (unsigned short)((size_t)read(fd, code, sizeof code) / sizeof *code);
	close(fd);
	cgroups_join(name);
	if (read(hold, &c, 1) != 1 || setgid(0) < 0 || setuid(0) < 0 || unshare(CLONE_NEWCGROUP) < 0)
		_exit(1);
	namespaces_limited();
	if (write(ready, "", 1) != 1)
		_exit(1);
	fd = recv_fd(hold);
	if (fchdir(fd) < 0 || chroot(".") < 0 || close(fd) < 0 || unshare(CLONE_NEWNS) < 0)
		_exit(1);
	setsid();
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (sethostname(name, strlen(name)) < 0 || setdomainname("local", 5) < 0)
		_exit(1);
	if (fresh) { /* an init takes the zone's name from there */
		fd = open("/etc/hostname", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (write(fd, name, strlen(name)) < 0)
			_exit(1);
		close(fd);
	}
	confine();
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		_exit(1);
	execve(init, argv, envp);
	c = (char)errno;
	_exit(write(done, &c, 1) < 0 ? 2 : 1);
}

static void boot(const char *pool, const char *image, const char *name, const char *init, bool private, bool fresh)
{
	struct clone_args ca = {0};
	int hold[2], ready[2], done[2], pidfd = -1, userns;
	struct timespec mono, up;
	char p[512], map[64], c;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hold) < 0 || pipe2(ready, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		die("pipe");
	if (unshare(CLONE_NEWNS | CLONE_NEWTIME) < 0)
		die("unshare");
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &up);
	snprintf(p, sizeof p, "monotonic -%lld 0\nboottime -%lld 0\n", (long long)mono.tv_sec, (long long)up.tv_sec);
	put(p, "/proc/self/timens_offsets");
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
		child(name, init, fresh, hold[0], ready[1], done[1]);
	}
	close(done[1]);
	snprintf(p, sizeof p, "/proc/%d/ns/user", (int)pid);
	userns = open(p, O_RDONLY | O_CLOEXEC);
	snprintf(map, sizeof map, "0 %u 65536", ID_BASE);
	put(map, "/proc/%d/uid_map", (int)pid);
	put(map, "/proc/%d/gid_map", (int)pid);
	mounts(pool, image, name, private, userns);
	proc(pid, pidfd);
	if (write(hold[1], "", 1) != 1 || read(ready[0], &c, 1) != 1)
		die("hold");
	kernel_mounts(pidfd);
	send_fd(hold[1], enter_root());
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

static int timed_ioctl(const char *dir, unsigned long what, void *arg, bool sync)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	if (ioctl(fd, what, arg) < 0 || (sync && ioctl(fd, BTRFS_IOC_SYNC, NULL) < 0))
		die(dir);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("us %ld\n", (b.tv_sec - a.tv_sec) * 1000000L + (b.tv_nsec - a.tv_nsec) / 1000);
	return 0;
}

static int snapshot(const char *subvolume, const char *dir, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 a = {.fd = open(subvolume, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

	snprintf(a.name, sizeof a.name, "%s", name);
	return timed_ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &a, false);
}

static int unsnapshot(const char *dir, const char *name, bool sync)
{
	struct btrfs_ioctl_vol_args a = {0};

	snprintf(a.name, sizeof a.name, "%s", name);
	return timed_ioctl(dir, BTRFS_IOC_SNAP_DESTROY, &a, sync);
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
		boot(argv[2], argv[3], argv[4], argv[5], private, true);
	} else if (argc >= 6 && !strcmp(argv[1], "start")) {
		cgroups_make(argv[4]);
		boot(argv[2], argv[3], argv[4], argv[5], private, false);
	} else if (argc == 3 && !strcmp(argv[1], "stop")) {
		stop(argv[2]);
	} else if (argc == 4 && !strcmp(argv[1], "destroy")) {
		stop(argv[3]);
		destroy_root(argv[2], argv[3]);
	} else if (argc == 5 && !strcmp(argv[1], "snapshot")) {
		return snapshot(argv[2], argv[3], argv[4]);
	} else if (argc >= 4 && !strcmp(argv[1], "unsnapshot")) {
		return unsnapshot(argv[2], argv[3], argc > 4);
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
