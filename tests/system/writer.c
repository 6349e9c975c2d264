/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside a guest that goes to another node: usage: writer MIB DISK MIB. One process writes memory as fast as it can, one a disk, past any cache. Each pass finds in
 * every page and every block what the one before has left there, or says what it found: "MEMORY n OK", "DISK n BAD: …", once a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096
#define BLOCK 65536

static void said(const char *what, uint64_t pass, const char *bad)
{
	static time_t last;
	char line[160];
	time_t now = time(NULL);

	if (!*bad && now == last)
		return;
	last = now;
	/* one write: two processes and a shell share the line */
	snprintf(line, sizeof line, "%s %llu %s\n", what, (unsigned long long)pass, *bad ? bad : "OK");
	if (write(1, line, strlen(line)) < 0)
		exit(1);
}

/* First and last word: half a page of one pass is noticed. */
static void memory(size_t pages)
{
	uint64_t *m = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED) {
		said("MEMORY", 0, "BAD: no room");
		return;
	}
	for (uint64_t pass = 1;; pass++) {
		char bad[100] = "";

		for (size_t i = 0; i < pages; i++) {
			volatile uint64_t *p = m + i * (PAGE / 8);
			uint64_t want = pass == 1 ? 0 : ((pass - 1) << 32) + i;

			if (p[0] != want || p[PAGE / 8 - 1] != want)
				snprintf(bad, sizeof bad, "BAD: page %zu has %llx %llx", i, (unsigned long long)p[0], (unsigned long long)p[PAGE / 8 - 1]);
			p[0] = p[PAGE / 8 - 1] = (pass << 32) + i;
		}
		said("MEMORY", pass, bad);
	}
}

static void disk(const char *path, size_t blocks)
{
	int fd = open(path, O_RDWR | O_DIRECT);
	uint64_t *b = NULL;

	if (fd < 0 || posix_memalign((void **)&b, PAGE, BLOCK)) {
		said("DISK", 0, "BAD: can't be opened");
		return;
	}
	for (uint64_t pass = 1;; pass++) {
		char bad[100] = "";

		for (size_t i = 0; i < blocks; i++) {
			if (pass > 1) {
				if (pread(fd, b, BLOCK, (off_t)(i * BLOCK)) != BLOCK)
					snprintf(bad, sizeof bad, "BAD: block %zu: %s", i, strerror(errno));
				for (size_t k = 0; k < BLOCK / 8; k++)
					if (b[k] != ((pass - 1) << 32) + i)
						snprintf(bad, sizeof bad, "BAD: block %zu has %llx", i, (unsigned long long)b[k]);
			}
			for (size_t k = 0; k < BLOCK / 8; k++)
				b[k] = (pass << 32) + i;
			if (pwrite(fd, b, BLOCK, (off_t)(i * BLOCK)) != BLOCK)
				snprintf(bad, sizeof bad, "BAD: block %zu: %s", i, strerror(errno));
		}
		said("DISK", pass, bad);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	if (fork() == 0)
		memory((size_t)atoi(argv[1]) * 256);
	else
		disk(argv[2], (size_t)atoi(argv[3]) * (1048576 / BLOCK));
	return 1;
}
