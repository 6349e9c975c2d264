/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Disk and network as a guest sees them, and the other end of its traffic. Static: in the guest there is nothing else.
 *
 *	guest agent        in the guest: takes commands at the agent's port, a line each, and answers "nanoseconds" or "- why"
 *		read FILE BLOCK COUNT seq|rand
 *		write FILE BLOCK COUNT seq|rand FLUSH      fdatasync after each FLUSH blocks, and at the end
 *		send|fetch ADDRESS MIB                     one TCP connection
 *		ask ADDRESS COUNT                          so many times a byte there and one back
 *		sh COMMAND
 *	guest serve        outside, in a network namespace: answers send, fetch and ask
 *
 * Disks are read and written past the guest's own cache, from and to one large page: of how many pieces a megabyte is where pages are small differs from
 * boot to boot, and the work of a request with them. What is written differs from block to block, and is never zero.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT  7008
#define PIECE 65536
#define MIB   1048576

#define PAGE  (2 * MIB)

static unsigned char *page;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t next(uint64_t *x) /* xorshift */
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

static int disk(int put, const char *file, size_t block, unsigned count, int random, unsigned flush)
{
	static uint64_t seed = 0x9e3779b97f4a7c15;
	int fd = open(file, (put ? O_RDWR : O_RDONLY) | O_DIRECT), r = 0;
	uint64_t blocks;

	if (fd < 0)
		return -errno;
	if (block < 512 || block > MIB || !(blocks = (uint64_t)lseek(fd, 0, SEEK_END) / block)) {
		close(fd);
		return -EINVAL;
	}
	for (unsigned i = 0; i < count && r == 0; i++) {
		off_t at = (off_t)((random ? next(&seed) : i) % blocks * block);
		ssize_t n;

		for (size_t k = 0; put && k < block; k += 512)
			*(uint64_t *)(void *)(page + k) = next(&seed) | 1;
		n = put ? pwrite(fd, page, block, at) : pread(fd, page, block, at);
		if (n != (ssize_t)block)
			r = n < 0 ? -errno : -EIO;
		else if (put && ((flush && (i + 1) % flush == 0) || i + 1 == count) && fdatasync(fd) < 0)
			r = -errno;
	}
	close(fd);
	return r;
}

static int all(int fd, int put, size_t n)
{
	while (n > 0) {
		size_t want = n < PIECE ? n : PIECE;
		ssize_t k = put ? send(fd, page, want, MSG_NOSIGNAL) : recv(fd, page, want, 0);

		if (k <= 0)
			return k < 0 ? -errno : -EPIPE;
		n -= (size_t)k;
	}
	return 0;
}

/* One letter and a number: what the other end shall do. */
static int call(const char *address, char what, uint32_t count)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct {
		uint32_t what, count;
	} head = {htonl((uint32_t)what), htonl(count)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, r = 0;

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 || connect(fd, (void *)&to, sizeof to) < 0) {
		r = -errno ?: -EINVAL;
		if (fd >= 0)
			close(fd);
		return r;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (send(fd, &head, sizeof head, MSG_NOSIGNAL) != sizeof head)
		r = -EPIPE;
	for (uint32_t i = 0; what == 'a' && i < count && r == 0; i++)
		r = all(fd, 1, 1) ?: all(fd, 0, 1);
	if (what == 's' && r == 0)
		r = all(fd, 1, (size_t)count * MIB) ?: all(fd, 0, 1);
	if (what == 'f' && r == 0)
		r = all(fd, 0, (size_t)count * MIB);
	close(fd);
	return r;
}

static void answer(int fd)
{
	uint32_t head[2], count;
	int one = 1, r = 0;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (recv(fd, head, sizeof head, MSG_WAITALL) != sizeof head)
		return;
	count = ntohl(head[1]);
	for (uint32_t i = 0; ntohl(head[0]) == 'a' && i < count && r == 0; i++)
		r = all(fd, 0, 1) ?: all(fd, 1, 1);
	if (ntohl(head[0]) == 's' && all(fd, 0, (size_t)count * MIB) == 0)
		all(fd, 1, 1);
	if (ntohl(head[0]) == 'f')
		all(fd, 1, (size_t)count * MIB);
	/* until the other end has closed it */
	shutdown(fd, SHUT_WR);
	all(fd, 0, 1);
}

static int serve(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (l < 0 || bind(l, (void *)&at, sizeof at) < 0 || listen(l, 8) < 0) {
		perror("serve");
		return 1;
	}
	puts("serving");
	fflush(stdout);
	for (;;) {
		int fd = accept(l, NULL, NULL);

		if (fd < 0)
			return 1;
		answer(fd);
		close(fd);
	}
}

static int run(char *line)
{
	char what[16] = "", arg[128] = "", how[8] = "";
	unsigned a = 0, b = 0, flush = 0;

	if (!strncmp(line, "sh ", 3))
		return system(line + 3) ? -EIO : 0;
	if (sscanf(line, "%15s %127s %u %u %7s %u", what, arg, &a, &b, how, &flush) < 3)
		return -EINVAL;
	if (!strcmp(what, "read") || !strcmp(what, "write"))
		return disk(*what == 'w', arg, a, b, !strcmp(how, "rand"), flush);
	if (!strcmp(what, "send") || !strcmp(what, "fetch") || !strcmp(what, "ask"))
		return call(arg, *what, a);
	return -EINVAL;
}

/* The port with the agent's name; 1 is what a host without another has. */
static int port(void)
{
	DIR *d = opendir("/sys/class/virtio-ports");

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300];

		snprintf(path, sizeof path, "/dev/%s", e->d_name);
		if (e->d_name[0] != '.')
			return open(path, O_RDWR);
	}
	return -1;
}

static int agent(void)
{
	int fd = port();
	char line[512];
	size_t n = 0;

	if (fd < 0) {
		perror("agent: port");
		return 1;
	}
	for (;;) {
		ssize_t k = read(fd, line + n, 1);

		if (k <= 0) { /* nobody is there at the other end */
			usleep(20000);
			continue;
		}
		if (line[n] != '\n') {
			n += n + 1 < sizeof line;
			continue;
		}
		line[n] = 0;
		n = 0;
		uint64_t t = now();
		int r = run(line);
		int len = r < 0 ? snprintf(line, sizeof line, "- %s\n", strerror(-r)) : snprintf(line, sizeof line, "%llu\n", (unsigned long long)(now() - t));

		if (write(fd, line, (size_t)len) != len)
			return 1;
	}
}

int main(int argc, char **argv)
{
	int large = argc == 2 && !strcmp(argv[1], "agent") ? MAP_HUGETLB : 0;

	signal(SIGPIPE, SIG_IGN);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | large, -1, 0);
	if (page == MAP_FAILED) {
		perror("page");
		return 1;
	}
	if (argc == 2 && !strcmp(argv[1], "agent"))
		return agent();
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return serve();
	fprintf(stderr, "usage: guest agent|serve\n");
	return 2;
}
