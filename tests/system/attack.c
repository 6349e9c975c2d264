/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a zone's root would try, one way out per word. Each prints a line for what it found open, and nothing else, so
 * that silence is the good answer; exit status 0 unless the trial itself could not be made.
 *
 *	attack race SECONDS WORD…    looks into every process that appears, for a path or text that has one of the words
 *	attack calls | ioctls PATH | sockets | x32 | namespaces
 *	attack uevents SECONDS       what the host's kernel says about devices
 *	attack abstract NAME         connects to a socket of the host's
 *	attack lease PATH            makes everybody else wait who opens that file
 *	attack linger SOCKET         sends descriptors there that take for ever to close
 *	attack exe PID               opens that process' program for writing, in the ways there are
 *	attack swap A B SECONDS      exchanges two names as fast as it can
 *
 * Static, for it runs in zones that have nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static char **words;

static const char *has_word(const char *text, size_t n)
{
	for (char **w = words; *w; w++)
		if (memmem(text, n, *w, strlen(*w)))
			return *w;
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- race ---- */

static void content(int pid, const char *name)
{
	static char buf[1 << 18];
	char path[64];
	const char *w;
	ssize_t n, all = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return;
	while (all < (ssize_t)sizeof buf && (n = read(fd, buf + all, sizeof buf - (size_t)all)) > 0)
		all += n;
	close(fd);
	w = all > 0 ? has_word(buf, (size_t)all) : NULL;
	if (w)
		printf("LEAK %s of a process shows \"%s\"\n", name, w);
}

static void target(int pid, const char *name)
{
	char path[300], to[4096];
	ssize_t n;
	const char *w;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	n = readlink(path, to, sizeof to);
	w = n > 0 ? has_word(to, (size_t)n) : NULL;
	if (w)
		printf("LEAK %s of a process leads to %.*s\n", name, (int)n, to);
}

static void descriptors(int pid)
{
	char path[64];
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		char name[280];

		snprintf(name, sizeof name, "fd/%s", e->d_name);
		target(pid, name);
	}
	closedir(d);
}

static void take_over(int pid)
{
	char path[64], byte;
	struct iovec l = {&byte, 1}, r = {(void *)0x400000, 1};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int i = 0; fd >= 0 && i < 24; i++) {
		int got = (int)syscall(SYS_pidfd_getfd, fd, i, 0);
		char name[32];

		if (got < 0)
			continue;
		snprintf(name, sizeof name, "fd/%d", got);
		target(getpid(), name);
		close(got);
	}
	if (fd >= 0)
		close(fd);
	if (process_vm_readv(pid, &l, 1, &r, 1, 0) == 1)
		content(pid, "maps");
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0) {
		content(pid, "maps");
		target(pid, "exe");
		if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0)
			waitpid(pid, NULL, __WALL);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	fd = open(path, O_WRONLY);
	if (fd >= 0) {
		target(getpid(), "fd/4");
		close(fd);
	}
}

static void look_into(int pid)
{
	static const char *const links[] = {"cwd", "root", "exe"};
	static const char *const files[] = {"mountinfo", "net/unix", "environ", "maps", "cgroup"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		content(pid, files[i]);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		target(pid, links[i]);
	descriptors(pid);
	take_over(pid);
}

/*
 * The number given out last in this pid namespace. A kernel without that file is asked by a process of our own: the one
 * before it, if that is not ours too.
 */
static int newest(int fd)
{
	char b[32] = "";
	pid_t pid;

	if (pread(fd, b, sizeof b - 1, 0) > 0)
		return atoi(b);
	pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid > 0 ? pid - 1 : 0;
}

static int race(double seconds)
{
	double end = now() + seconds;
	int fd = open("/proc/sys/kernel/ns_last_pid", O_RDONLY), last = getpid();
	long seen = 0;

	if (fd < 0)
		fd = open("/dev/null", O_RDONLY);
	if (fd != 3) /* take_over() counts on the next one */
		return 2;
	while (now() < end) {
		int pid = newest(fd);

		if (pid <= last)
			continue;
		for (int p = last + 1; p <= pid; p++) {
			for (int i = 0; i < 20 && kill(p, 0) == 0; i++)
				look_into(p);
			for (int i = 0; i < 20; i++) /* not ours to signal yet: the interesting time */
				if (kill(p, 0) < 0 && errno == EPERM)
					look_into(p);
			seen++;
		}
		last = pid;
	}
	printf("seen %ld\n", seen);
	return seen == 0;
}

/* ---- calls ---- */

static void open_call(const char *what, long r)
{
	if (r >= 0)
		printf("OPEN %s\n", what);
	else if (errno != EPERM && errno != ENOSYS && errno != EAFNOSUPPORT && errno != ENOTTY)
		printf("OPEN %s: the filter let it through (%s)\n", what, strerror(errno));
}
#define TRY(call, ...) open_call(#call, syscall(SYS_##call, ##__VA_ARGS__))

#if defined(__x86_64__)
/* As a 32-bit program calls. */
static long i386(long nr, long a, long b, long c, long d, long e)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory", "r8", "r9", "r10", "r11");
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return r;
}
#define TRY32(name, nr, ...) open_call("i386 " name, i386(nr, __VA_ARGS__))

static void calls32(void)
{
	pid_t p = fork();
	int st;

	if (p == 0) {
		i386(20, 0, 0, 0, 0, 0); /* getpid: SIGSEGV on a kernel without i386 */
		TRY32("open_by_handle_at", 342, -100, 0, 0, 0, 0);
		TRY32("keyctl", 288, 0, 0, 0, 0, 0);
		TRY32("add_key", 286, 0, 0, 0, 0, 0);
		TRY32("bpf", 357, 0, 0, 0, 0, 0);
		TRY32("perf_event_open", 336, 0, 0, -1, -1, 0);
		TRY32("userfaultfd", 374, 0, 0, 0, 0, 0);
		TRY32("init_module", 128, 0, 0, 0, 0, 0);
		TRY32("kexec_load", 283, 0, 0, 0, 0, 0);
		TRY32("settimeofday", 79, 0, 0, 0, 0, 0);
		TRY32("syslog", 103, 10, 0, 0, 0, 0);
		TRY32("swapon", 87, 0, 0, 0, 0, 0);
		TRY32("quotactl", 131, 0, 0, 0, 0, 0);
		TRY32("iopl", 110, 3, 0, 0, 0, 0);
		TRY32("vm86", 166, 0, 0, 0, 0, 0);
		TRY32("unshare(CLONE_NEWUSER)", 310, CLONE_NEWUSER, 0, 0, 0, 0);
		TRY32("clone(CLONE_NEWUSER)", 120, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
		TRY32("clone3", 435, 0, 0, 0, 0, 0);
		TRY32("io_uring_setup", 425, 1, 0, 0, 0, 0);
		TRY32("socket(AF_VSOCK)", 359, 40, SOCK_STREAM, 0, 0, 0);
		TRY32("socketcall(SYS_SOCKET)", 102, 1, 0, 0, 0, 0);
		TRY32("socketcall(SYS_SETSOCKOPT)", 102, 14, 0, 0, 0, 0);
		TRY32("ioctl(TIOCSTI)", 54, 0, TIOCSTI, 0, 0, 0);
		TRY32("personality", 136, 0x0100000, 0, 0, 0, 0);
		_exit(0);
	}
	waitpid(p, &st, 0);
	if (WIFSIGNALED(st) && WTERMSIG(st) != SIGSEGV)
		printf("i386 calls: signal %d\n", WTERMSIG(st));
}
#else
static void calls32(void)
{
}
#endif

static void calls(void)
{
	char ring[256] = "";
	struct {
		unsigned bytes;
		int type;
		unsigned char h[8];
	} handle = {8, 1, {2, 0, 0, 0, 0, 0, 0, 0}};
	struct {
		uint64_t flags, rest[10];
	} c3 = {CLONE_NEWUSER, {0}};

	TRY(open_by_handle_at, AT_FDCWD, &handle, O_RDONLY);
	TRY(keyctl, KEYCTL_GET_KEYRING_ID, -3, 0);
	TRY(add_key, "user", "a", "b", 1L, -3);
	TRY(request_key, "user", "a", NULL, -3);
	TRY(bpf, 5, ring, sizeof ring);
	TRY(perf_event_open, ring, 0, -1, -1, 0);
	TRY(userfaultfd, 0);
	TRY(io_uring_setup, 4, ring);
	TRY(init_module, ring, 1, "");
	TRY(finit_module, 0, "", 0);
	TRY(delete_module, "x", 0);
	TRY(kexec_load, 0L, 0L, NULL, 0L);
	TRY(kexec_file_load, -1, -1, 0L, NULL, 0L);
	TRY(swapon, "/x", 0);
	TRY(acct, NULL);
	TRY(quotactl, 0, NULL, 0, NULL);
	TRY(settimeofday, &(struct timeval){0}, NULL);
	TRY(clock_settime, 0, &(struct timespec){0});
	TRY(syslog, 10, NULL, 0);
	TRY(iopl, 3);
	TRY(ioperm, 0L, 1L, 1);
	TRY(vhangup);
	TRY(clone3, &c3, 64);
	TRY(unshare, CLONE_NEWUSER);
	TRY(unshare, CLONE_NEWUSER | CLONE_NEWNS);
	TRY(personality, 0x0100000L); /* ADDR_COMPAT is fine, MMAP_PAGE_ZERO is not */
	calls32();
}

/* ---- ioctls ---- */

static void ioctls(const char *path)
{
	static char arg[1 << 16];
	static const struct {
		const char *name;
		unsigned long nr;
	} t[] = {
		{"SUBVOL_CREATE", BTRFS_IOC_SUBVOL_CREATE}, {"SNAP_CREATE", BTRFS_IOC_SNAP_CREATE},
		{"SNAP_CREATE_V2", BTRFS_IOC_SNAP_CREATE_V2}, {"SUBVOL_CREATE_V2", BTRFS_IOC_SUBVOL_CREATE_V2},
		{"SNAP_DESTROY", BTRFS_IOC_SNAP_DESTROY}, {"SEND", BTRFS_IOC_SEND}, {"TREE_SEARCH", BTRFS_IOC_TREE_SEARCH},
		{"TREE_SEARCH_V2", BTRFS_IOC_TREE_SEARCH_V2}, {"QUOTA_CTL", BTRFS_IOC_QUOTA_CTL},
		{"QGROUP_ASSIGN", BTRFS_IOC_QGROUP_ASSIGN}, {"QGROUP_CREATE", BTRFS_IOC_QGROUP_CREATE},
		{"QGROUP_LIMIT", BTRFS_IOC_QGROUP_LIMIT}, {"DEV_INFO", BTRFS_IOC_DEV_INFO}, {"RESIZE", BTRFS_IOC_RESIZE},
		{"DEFAULT_SUBVOL", BTRFS_IOC_DEFAULT_SUBVOL}, {"SUBVOL_SETFLAGS", BTRFS_IOC_SUBVOL_SETFLAGS},
		{"SET_RECEIVED_SUBVOL", BTRFS_IOC_SET_RECEIVED_SUBVOL}, {"LOGICAL_INO", BTRFS_IOC_LOGICAL_INO},
		{"INO_PATHS", BTRFS_IOC_INO_PATHS}, {"BALANCE", BTRFS_IOC_BALANCE}, {"SCRUB", BTRFS_IOC_SCRUB},
		{"GET_SUBVOL_ROOTREF", BTRFS_IOC_GET_SUBVOL_ROOTREF}, {"FIFREEZE", FIFREEZE}, {"FITRIM", FITRIM},
		{"BLKFLSBUF", BLKFLSBUF},
	};
	struct btrfs_ioctl_ino_lookup_args look = {.treeid = 5, .objectid = 257};
	int fd = open(path, O_RDONLY | O_DIRECTORY), m = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		memset(arg, 0, sizeof arg);
		/* the name in the arguments of the first version, and of the second */
		strcpy(arg + (t[i].name[strlen(t[i].name) - 1] == '2' ? offsetof(struct btrfs_ioctl_vol_args_v2, name) : 8), "sub");
		open_call(t[i].name, ioctl(fd, t[i].nr, arg));
	}
	/* of one's own subvolume it tells a path; of another it must not */
	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &look) == 0)
		printf("OPEN INO_LOOKUP of the pool's top\n");
	ioctl(m, TIOCSPTLCK, &zero);
	fd = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	open_call("TIOCSTI", ioctl(fd, TIOCSTI, "x"));
	open_call("TIOCLINUX", ioctl(fd, 0x541c, "\2"));
	open_call("TIOCCONS", ioctl(fd, TIOCCONS, 0));
}

/* ---- sockets ---- */

/* Memory for a packet socket's ring: charged to nobody, so there must be none, by whatever name the socket goes. */
static void ring(int family, int type)
{
	struct tpacket_req q = {.tp_block_size = 1 << 16, .tp_block_nr = 1, .tp_frame_size = 1 << 12, .tp_frame_nr = 1 << 4};
	static const int option[] = {PACKET_RX_RING, PACKET_TX_RING};
	int fd = socket(family, type, 0);

	for (size_t i = 0; i < sizeof option / sizeof *option; i++) {
		if (fd >= 0 && setsockopt(fd, SOL_PACKET, option[i], &q, sizeof q) == 0)
			printf("OPEN ring %d of socket %d, %d\n", option[i], family, type);
#if defined(__x86_64__)
		if (fd >= 0 && i386(366, fd, SOL_PACKET, option[i], 0, 0) < 0 && errno != ENOPROTOOPT)
			printf("OPEN i386 ring %d: the filter let it through (%s)\n", option[i], strerror(errno));
#endif
	}
	if (fd >= 0)
		close(fd);
}

static void sockets(void)
{
	static const int fine[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr h;
		char b[64];
	} q = {.h = {.nlmsg_len = NLMSG_LENGTH(40), .nlmsg_type = AUDIT_GET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}}, r;
	int fd;

	for (int f = 0; f < 64; f++) {
		int known = 0;

		for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
			known |= fine[i] == f;
		for (int type = 1; !known && type <= 6; type++)
			if (socket(f, type, 0) >= 0)
				printf("OPEN socket of family %d\n", f);
	}
	ring(AF_PACKET, SOCK_RAW);
	ring(AF_PACKET, SOCK_DGRAM);
	ring(AF_INET, SOCK_PACKET);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
	if (fd >= 0 && sendto(fd, &q, q.h.nlmsg_len, 0, (void *)&a, sizeof a) > 0 && recv(fd, &r, sizeof r, MSG_DONTWAIT) > 0 &&
	    r.h.nlmsg_type != NLMSG_ERROR)
		printf("OPEN the audit system answers\n");
	a.nl_groups = 1;
	if (fd >= 0 && bind(fd, (void *)&a, sizeof a) == 0)
		printf("OPEN the audit system's messages\n");
}

static void uevents(int seconds)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char m[512];

	if (fd < 0 || bind(fd, (void *)&a, sizeof a) < 0)
		return;
	puts("listening");
	fflush(stdout);
	if (poll(&p, 1, seconds * 1000) > 0 && recv(fd, m, sizeof m - 1, 0) > 0)
		printf("OPEN uevent %s\n", m);
}

static void abstract_socket(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(a.sun_path + 1, name, strlen(name));
	if (connect(fd, (void *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) == 0)
		printf("OPEN connected to @%s\n", name);
}

static void lease(const char *path)
{
	int fd = open(path, O_RDONLY);

	for (int kind = F_RDLCK; fd >= 0 && kind <= F_WRLCK; kind++) {
		if (fcntl(fd, F_SETLEASE, kind) == 0)
			printf("OPEN lease %d of %s\n", kind, path);
#if defined(__x86_64__)
		if (i386(55, fd, F_SETLEASE, kind, 0, 0) == 0 || i386(221, fd, F_SETLEASE, kind, 0, 0) == 0)
			printf("OPEN i386 lease %d of %s\n", kind, path);
#endif
	}
	if (fd < 0)
		printf("%s: %s\n", path, strerror(errno));
}

/*
 * Whoever closes the last descriptor of a TCP socket that lingers waits until its bytes are taken. Here nobody ever takes
 * them: the other end goes to the same reader, and stands in its queue.
 */
static void send_fd(int to, const struct sockaddr_un *a, int fd)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {0};
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_name = (void *)(uintptr_t)a, .msg_namelen = sizeof *a, .msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b,
			   .msg_controllen = sizeof u.b};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	if (sendmsg(to, &m, 0) != 1)
		perror("send");
	close(fd); /* soon enough, or the waiting is ours: hence many goes at it */
}

static void lingering_one(const char *path)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct linger forever = {1, 100000};
	socklen_t n = sizeof in;
	char block[65536] = "";
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s, to = socket(AF_UNIX, SOCK_DGRAM, 0);

	strncpy(a.sun_path, path, sizeof a.sun_path - 1);
	if (bind(l, (void *)&in, sizeof in) < 0 || listen(l, 1) < 0 || getsockname(l, (void *)&in, &n) < 0 ||
	    connect(c, (void *)&in, sizeof in) < 0 || (s = accept(l, NULL, NULL)) < 0) {
		perror("tcp");
		return;
	}
	while (send(c, block, sizeof block, MSG_DONTWAIT) > 0)
		;
	setsockopt(c, SOL_SOCKET, SO_LINGER, &forever, sizeof forever);
	for (int i = 0; i < 8; i++)
		sendto(to, "y", 1, MSG_DONTWAIT, (void *)&a, sizeof a);
	send_fd(to, &a, c);
	send_fd(to, &a, s);
}

static void lingering(const char *path)
{
	for (int i = 0; i < 30; i++) {
		pid_t p = fork();

		if (p == 0) {
			alarm(1);
			lingering_one(path);
			_exit(0);
		}
		waitpid(p, NULL, 0);
	}
}

/* ---- the rest ---- */

static void namespaces(void)
{
	static const char *const ns[] = {"user", "pid", "mnt", "net", "uts", "ipc", "cgroup", "time"};
	char path[64];

	for (size_t i = 0; i < 8; i++) {
		int fd, up;

		snprintf(path, sizeof path, "/proc/self/ns/%s", ns[i]);
		fd = open(path, O_RDONLY);
		up = ioctl(fd, NS_GET_PARENT);
		if (up >= 0)
			printf("OPEN the parent of its %s namespace\n", ns[i]);
		up = ioctl(fd, NS_GET_USERNS);
		/* its own is fine, and that of the user namespace is the host's */
		if (up >= 0 && !strcmp(ns[i], "user"))
			printf("OPEN the owner of its user namespace\n");
	}
	for (int pid = 1; pid < 3; pid++) {
		int fd = (int)syscall(SYS_pidfd_open, pid, 0);

		if (fd >= 0 && setns(fd, CLONE_NEWUSER) == 0)
			printf("OPEN setns into the user namespace of process %d\n", pid);
	}
	mkdir("/mnt/dev", 0700);
	if (mknod("/root/.null", S_IFBLK | 0600, makedev(254, 0)) == 0)
		printf("OPEN mknod of a block device\n");
	if (mknod("/root/.mem", S_IFCHR | 0600, makedev(1, 1)) == 0)
		printf("OPEN mknod of /dev/mem\n");
	if (mount("devtmpfs", "/mnt/dev", "devtmpfs", 0, NULL) == 0)
		printf("OPEN devtmpfs\n");
	if (mount("debugfs", "/mnt/dev", "debugfs", 0, NULL) == 0 || mount("tracefs", "/mnt/dev", "tracefs", 0, NULL) == 0 ||
	    mount("securityfs", "/mnt/dev", "securityfs", 0, NULL) == 0 || mount("bpf", "/mnt/dev", "bpf", 0, NULL) == 0)
		printf("OPEN a filesystem of the kernel's own\n");
}

static void x32(void)
{
#if defined(__x86_64__)
	pid_t p = fork();
	int st;

	if (p == 0)
		_exit(syscall(0x40000000 + SYS_getpid) > 0 ? 1 : 2);
	waitpid(p, &st, 0);
	if (!WIFSIGNALED(st) || WTERMSIG(st) != SIGSYS)
		printf("OPEN an x32 call ended with status %x, not by SIGSYS\n", (unsigned)st);
#endif
}

static void exe(int pid)
{
	static const int flags[] = {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND};
	char path[64], self[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	for (size_t i = 0; i < 4; i++)
		if (open(path, flags[i]) >= 0)
			printf("OPEN %s for writing (%x)\n", path, (unsigned)flags[i]);
	fd = open(path, O_PATH);
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	for (size_t i = 0; fd >= 0 && i < 4; i++)
		if (open(self, flags[i]) >= 0)
			printf("OPEN %s by its descriptor (%x)\n", path, (unsigned)flags[i]);
	if (truncate(path, 0) == 0 || chmod(path, 0777) == 0 || chown(path, 0, 0) == 0)
		printf("OPEN %s changed by its name\n", path);
}

static void swap(const char *a, const char *b, double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		for (int i = 0; i < 100; i++)
			renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "race") && argc > 3) {
		words = argv + 3;
		return race(atof(argv[2]));
	}
	if (!strcmp(what, "calls"))
		calls();
	else if (!strcmp(what, "ioctls") && argc == 3)
		ioctls(argv[2]);
	else if (!strcmp(what, "sockets"))
		sockets();
	else if (!strcmp(what, "namespaces"))
		namespaces();
	else if (!strcmp(what, "x32"))
		x32();
	else if (!strcmp(what, "uevents") && argc == 3)
		uevents(atoi(argv[2]));
	else if (!strcmp(what, "abstract") && argc == 3)
		abstract_socket(argv[2]);
	else if (!strcmp(what, "lease") && argc == 3)
		lease(argv[2]);
	else if (!strcmp(what, "linger") && argc == 3)
		lingering(argv[2]);
	else if (!strcmp(what, "exe") && argc == 3)
		exe(atoi(argv[2]));
	else if (!strcmp(what, "swap") && argc == 5)
		swap(argv[2], argv[3], atof(argv[4]));
	else
		return 2;
	return 0;
}
