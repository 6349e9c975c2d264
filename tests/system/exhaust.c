/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usage: exhaust WHAT [MAX]     takes one of the kernel's tables until it is refused (or MAX), says how many it got and
 *                               why no more, and holds them until its standard input ends
 *        exhaust WHAT 1         can one be had? (exit 0 or 1)
 *
 * Static, for it runs in zones that have nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <mqueue.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int keep(int fd) { return fd < 0 ? -1 : 0; }
static int instances(long i) { return keep(inotify_init1(0)); }
static int files(long i) { return keep(open("/dev/null", O_RDONLY)); }
static int memfds(long i) { return keep(memfd_create("x", 0)); }
static int ptys(long i) { return keep(open("/dev/ptmx", O_RDWR | O_NOCTTY)); }

/* Of an instance of its own, which says itself how many it may have. */
static int ownptys(long i)
{
	if (i == 0 && ((mkdir("/tmp/pts", 0755) < 0 && errno != EEXIST) ||
		       mount("devpts", "/tmp/pts", "devpts", 0, "newinstance,ptmxmode=0666,max=1000000") < 0))
		return -1;
	return keep(open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY));
}

/* One file each, so that each is a watch of its own. */
static int watches(long i)
{
	static int fd = -1;
	char name[64];

	if (fd < 0)
		fd = inotify_init1(0);
	snprintf(name, sizeof name, "/tmp/.w%ld", i);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	return inotify_add_watch(fd, name, IN_MODIFY) < 0 ? -1 : 0;
}

/* The same pipes watched by ever more epoll instances. */
static int epolls(long i)
{
	static int pipes[256][2], ep = -1;
	struct epoll_event ev = {.events = EPOLLIN};

	if (!pipes[0][1])
		for (int k = 0; k < 256; k++)
			if (pipe(pipes[k]) < 0)
				return -1;
	if (i % 256 == 0 && (ep = epoll_create1(0)) < 0)
		return -1;
	return epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i % 256][0], &ev);
}

static int aio(long i)
{
	aio_context_t c = 0;

	return syscall(SYS_io_setup, 500, &c) < 0 ? -1 : 0;
}

static int timers(long i)
{
	struct sigevent s = {.sigev_notify = SIGEV_NONE};
	timer_t t;

	return timer_create(CLOCK_MONOTONIC, &s, &t);
}

static int signals(long i)
{
	sigset_t s;

	if (i == 0) {
		sigemptyset(&s);
		sigaddset(&s, SIGRTMIN);
		sigprocmask(SIG_BLOCK, &s, NULL);
	}
	return sigqueue(getpid(), SIGRTMIN, (union sigval){0});
}

static int mqs(long i)
{
	char name[32];

	snprintf(name, sizeof name, "/q%ld", i);
	return keep(mq_open(name, O_RDWR | O_CREAT, 0600, NULL));
}

static int shms(long i) { return shmget(IPC_PRIVATE, 4096, 0600) < 0 ? -1 : 0; }
static int sems(long i) { return semget(IPC_PRIVATE, 1, 0600) < 0 ? -1 : 0; }
static int msgs(long i) { return msgget(IPC_PRIVATE, 0600) < 0 ? -1 : 0; }

static int shmbig(long i)
{
	int id = shmget(IPC_PRIVATE, 16 << 20, 0600);
	char *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (p == (void *)-1)
		return -1;
	memset(p, 1, 16 << 20);
	return 0;
}

/* Each in a child that holds it. */
static int spaces(int flag)
{
	int p[2], r = 1;

	if (pipe(p) < 0)
		return -1;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		errno = 0;
		if (unshare(flag) < 0)
			r = -errno;
		if (write(p[1], &r, sizeof r) < 0)
			_exit(1);
		close(p[1]);
		if (r < 0)
			_exit(1);
		pause();
	}
	close(p[1]);
	if (read(p[0], &r, sizeof r) != sizeof r)
		r = -EAGAIN;
	close(p[0]);
	errno = -r;
	return r < 0 ? -1 : 0;
}

/* Held by descriptors: children would end at the limit of processes. */
static int spaces_fd(int flag, const char *name)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/ns/%s", name);
	return unshare(flag) < 0 ? -1 : keep(open(path, O_RDONLY));
}
static int netns(long i) { return spaces_fd(CLONE_NEWNET, "net"); }
static int ipcns(long i) { return spaces_fd(CLONE_NEWIPC, "ipc"); }
static int mntns(long i) { return spaces_fd(CLONE_NEWNS, "mnt"); }
static int utsns(long i) { return spaces_fd(CLONE_NEWUTS, "uts"); }
static int cgroupns(long i) { return spaces_fd(CLONE_NEWCGROUP, "cgroup"); }
static int pidns(long i) { return spaces(CLONE_NEWPID); }

static int mounts(long i)
{
	if (i == 0 && (mkdir("/tmp/m", 0700) < 0 || mount("m", "/tmp/m", "tmpfs", 0, NULL) < 0))
		return -1;
	return mount("/tmp/m", "/tmp/m", NULL, MS_BIND, NULL);
}

static int pair_full(int type)
{
	char block[16384] = "";
	int sv[2], big = 1 << 30;

	if (socketpair(AF_UNIX, type, 0, sv) < 0)
		return -1;
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	while (send(sv[0], block, sizeof block, MSG_DONTWAIT) > 0)
		;
	return 0;
}
static int unixs(long i) { return pair_full(SOCK_STREAM); }

static int pipes(long i)
{
	char block[4096] = "";
	int p[2];

	if (pipe2(p, O_NONBLOCK) < 0)
		return -1;
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	while (write(p[1], block, sizeof block) > 0)
		;
	return 0;
}

/* A connection over loopback whose reader never reads; counts MiB. */
static int tcp(long i)
{
	static char block[1 << 16];
	static int out = -1, stuck;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	size_t sent = 0;

	while (sent < 1 << 20) {
		ssize_t r = out < 0 ? -1 : send(out, block, sizeof block, MSG_DONTWAIT);

		if (r > 0) {
			sent += (size_t)r;
			stuck = 0;
			continue;
		}
		if (++stuck > 3) {
			errno = ENOBUFS;
			return -1;
		}
		int l = socket(AF_INET, SOCK_STREAM, 0), big = 1 << 30;
		a.sin_port = 0;
		if (l < 0 || bind(l, (void *)&a, sizeof a) < 0 || listen(l, 1) < 0 || getsockname(l, (void *)&a, &n) < 0)
			return -1;
		out = socket(AF_INET, SOCK_STREAM, 0);
		if (out < 0)
			return -1;
		setsockopt(out, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
		if (connect(out, (void *)&a, sizeof a) < 0 || accept(l, NULL, NULL) < 0)
			return -1;
		close(l);
	}
	return 0;
}

static int udp(long i)
{
	static char block[60000];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int s = socket(AF_INET, SOCK_DGRAM, 0), big = 1 << 30;

	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
	if (s < 0 || bind(s, (void *)&a, sizeof a) < 0 || getsockname(s, (void *)&a, &n) < 0)
		return -1;
	for (int k = 0; k < 64; k++)
		if (sendto(s, block, sizeof block, MSG_DONTWAIT, (void *)&a, n) < 0)
			return errno == EAGAIN ? 0 : -1;
	return 0;
}

/* The longest classic filter there is, translated to machine code out of a pool that the whole host has in common. */
static int jit(long i)
{
	static struct sock_filter f[4096];
	struct sock_fprog p = {.len = 2500, .filter = f};
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	for (int k = 0; k < p.len - 1; k++)
		f[k] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0);
	f[p.len - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return s < 0 ? -1 : setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}

static void attr(struct nlmsghdr *h, int type, const void *p, size_t n)
{
	struct rtattr *a = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), p, n);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static int ask(struct nlmsghdr *h)
{
	static int s = -1;
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[512];
	} r;

	if (s < 0)
		s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (s < 0 || send(s, h, h->nlmsg_len, 0) < 0 || recv(s, &r, sizeof r, 0) < 0)
		return -1;
	errno = -r.e.error;
	return r.e.error ? -1 : 0;
}

/* Entries of the neighbour table that never go away, which no limit counts. */
static int neighs(long i)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg m;
		char b[64];
	} q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof q.m), .nlmsg_type = RTM_NEWNEIGH, .nlmsg_flags = NLM_F_CREATE},
	       .m = {.ndm_family = AF_INET, .ndm_ifindex = (int)if_nametoindex("lo"), .ndm_state = NUD_PERMANENT}};
	uint32_t ip = htonl(0x0a000002 + (uint32_t)i);

	attr(&q.h, NDA_DST, &ip, 4);
	attr(&q.h, NDA_LLADDR, "\2\0\0\0\0\1", 6);
	return ask(&q.h);
}

/* 16 MiB each that the kernel charges to nobody. */
static int rings(long i)
{
	struct tpacket_req q = {.tp_block_size = 1 << 20, .tp_block_nr = 16, .tp_frame_size = 4096, .tp_frame_nr = 16 << 8};
	int s = socket(AF_PACKET, SOCK_RAW, 0);

	return s < 0 ? -1 : setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q);
}

static int names(long i)
{
	char name[256];

	/* names that are not there are remembered too */
	snprintf(name, sizeof name, "/root/%0200ld", i);
	return access(name, F_OK) == 0 || errno == ENOENT ? 0 : -1;
}

static int locks(long i)
{
	static int fd = -1;
	struct flock l = {.l_type = F_WRLCK, .l_start = 2 * i, .l_len = 1};

	if (fd < 0)
		fd = open("/tmp/.locks", O_CREAT | O_RDWR, 0600);
	return fcntl(fd, F_SETLK, &l);
}

static int maps(long i)
{
	return mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int forks(long i)
{
	pid_t me = getpid(), p = fork();

	if (p == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != me)
			_exit(0); /* it ended before we said so */
		for (;;)
			pause();
	}
	return p < 0 ? -1 : 0;
}

static int memory(long i)
{
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	memset(p, 1, 1 << 20);
	return 0;
}

static const struct {
	const char *name;
	int (*one)(long i);
} table[] = {
	{"instances", instances}, {"watches", watches}, {"files", files}, {"memfds", memfds}, {"ptys", ptys},
	{"ownptys", ownptys},
	{"epolls", epolls}, {"aio", aio}, {"timers", timers}, {"signals", signals}, {"mqs", mqs}, {"shms", shms},
	{"sems", sems}, {"msgs", msgs}, {"shmbig", shmbig}, {"netns", netns}, {"ipcns", ipcns}, {"mntns", mntns},
	{"utsns", utsns}, {"cgroupns", cgroupns}, {"pidns", pidns}, {"mounts", mounts}, {"unixs", unixs},
	{"pipes", pipes}, {"tcp", tcp}, {"udp", udp}, {"jit", jit}, {"neighs", neighs}, {"rings", rings}, {"names", names},
	{"locks", locks}, {"maps", maps}, {"forks", forks}, {"memory", memory},
};

int main(int argc, char **argv)
{
	struct rlimit r;
	long max = argc > 2 ? atol(argv[2]) : 200000, n = 0;
	int (*one)(long) = NULL;
	char c;

	for (size_t i = 0; argc > 1 && i < sizeof table / sizeof *table; i++)
		if (!strcmp(table[i].name, argv[1]))
			one = table[i].one;
	if (!one)
		return 2;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	signal(SIGPIPE, SIG_IGN);
	errno = 0;
	while (n < max && one(n) == 0)
		n++;
	printf("%ld %s\n", n, n < max ? strerror(errno) : "enough");
	fflush(stdout);
	if (max == 1)
		return n != 1; /* what it made by name is in a mount and an IPC namespace of the caller's */
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
