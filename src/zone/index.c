/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/index.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"

#define MAGIC     0x31785a43u /* "CZx1" */
#define SLOTS_MAX 65536u
#define GROW      64u

/* One writer at a time: its keeper while it lives (seq odd while it writes), else who holds the file's lock. */
struct index_slot {
	_Atomic uint32_t owner; /* robust futex: tid, and FUTEX_OWNER_DIED; 0 = never used */
	_Atomic uint32_t seq;
	_Atomic uint32_t running, halting;
	char uuid[40];
	struct run_zone z;
	char room[256 - 16 - 40 - sizeof(struct run_zone)];
};
_Static_assert(sizeof(struct index_slot) == 256, "slots tile a page");
struct index_head {
	uint32_t magic, slot_bytes;
	char room[248];
};

static bool alive(const struct index_slot *s)
{
	uint32_t o = s->owner;

	return (o & FUTEX_TID_MASK) && !(o & FUTEX_OWNER_DIED);
}

static struct index_slot *slots(void *map)
{
	return (struct index_slot *)((char *)map + sizeof(struct index_head));
}

static size_t slot_count(size_t bytes)
{
	return bytes < sizeof(struct index_head) ? 0 : (bytes - sizeof(struct index_head)) / sizeof(struct index_slot);
}

/* Maps all of it. -ENOENT, -EINVAL for a file that is not an index. */
static int map_file(int fd, int prot, void **map, size_t *bytes)
{
	const struct index_head *h;
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size < sizeof *h)
		return -EINVAL;
	p = mmap(NULL, (size_t)st.st_size, prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	h = p;
	if (h->magic != MAGIC || h->slot_bytes != sizeof(struct index_slot)) {
		munmap(p, (size_t)st.st_size);
		return -EINVAL;
	}
	*map = p;
	*bytes = (size_t)st.st_size;
	return 0;
}

/* Writes the head of a new file and makes room; the caller has the lock. Never shrinks: others have it mapped. */
static int grow(int fd, size_t n)
{
	struct index_head h = {.magic = MAGIC, .slot_bytes = sizeof(struct index_slot)};

	if (n > SLOTS_MAX)
		return -ENOSPC;
	if (pwrite(fd, &h, sizeof h, 0) != (ssize_t)sizeof h)
		return -EIO;
	/* Room for real: a store to a hole on a full filesystem would be SIGBUS. */
	return -posix_fallocate(fd, 0, (off_t)(sizeof h + n * sizeof(struct index_slot)));
}

/* A slot nobody holds: the zone's own from before, else any that is forgotten. */
static size_t find_free(const struct index_slot *s, size_t n, const char *uuid)
{
	size_t empty = n;

	for (size_t i = 0; i < n; i++) {
		if (alive(&s[i]))
			continue;
		if (!strcmp(s[i].uuid, uuid))
			return i;
		if (!*s[i].uuid && empty == n)
			empty = i;
	}
	return empty;
}

static int find_slot(int fd, const char *uuid, size_t *at)
{
	size_t bytes = 0, n, i;
	void *map;
	int r = map_file(fd, PROT_READ, &map, &bytes);

	n = r == 0 ? slot_count(bytes) : 0;
	i = n ? find_free(slots(map), n, uuid) : 0;
	if (r == 0)
		munmap(map, bytes);
	*at = i;
	return i < n ? 0 : grow(fd, n + GROW);
}

/* The kernel walks this list of one entry when we end, and marks the word at entry + offset as its owner's death. */
static int hold(struct index_slot *s)
{
	static struct robust_list entry;
	static struct robust_list_head head;

	entry.next = &head.list;
	head.list.next = &entry;
	head.futex_offset = (char *)&s->owner - (char *)&entry;
	head.list_op_pending = NULL;
	if (syscall(SYS_set_robust_list, &head, sizeof head) < 0)
		return -errno;
	s->owner = (uint32_t)getpid();
	return 0;
}

static struct index_slot *map_slot(int fd, size_t at)
{
	size_t off = sizeof(struct index_head) + at * sizeof(struct index_slot), page = off & ~(size_t)4095;
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page);

	return p == MAP_FAILED ? NULL : (struct index_slot *)(p + (off - page));
}

struct index_slot *index_claim(int run, const char *uuid, const struct run_zone *z, struct err *e)
{
	_fd_ int fd = openat(run, "index", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct index_slot *s;
	size_t at;
	int r;

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_sys(e, errno, "index of zones"), NULL;
	r = find_slot(fd, uuid, &at);
	s = r < 0 ? NULL : map_slot(fd, at);
	if (!s)
		return err_sys(e, r < 0 ? r : errno, "index of zones"), NULL;
	s->seq |= 1; /* and not ++: the last owner may have died in here */
	s->running = 0;
	strncpy(s->uuid, uuid, sizeof s->uuid - 1);
	s->z = *z;
	s->halting = 0;
	r = hold(s);
	s->running = r == 0;
	s->seq++;
	/* By hand: the mapping keeps the open file, and with it the lock. */
	flock(fd, LOCK_UN);
	return r < 0 ? err_sys(e, r, "robust list"), NULL : s;
}

void index_ended(struct index_slot *s)
{
	s->running = 0;
}

static size_t bucket(const struct index *x, const char *uuid)
{
	return (size_t)str_hash(uuid, UUID_LEN) & (x->buckets - 1);
}

void index_open(int run, struct index *x)
{
	_fd_ int fd = openat(run, "index", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const struct index_slot *s;
	size_t n;

	*x = (struct index){.map = NULL};
	if (fd < 0 || map_file(fd, PROT_READ, &x->map, &x->bytes) < 0)
		return;
	n = slot_count(x->bytes);
	for (x->buckets = 64; x->buckets < n * 2; x->buckets *= 2)
		;
	x->table = xalloc(x->buckets * sizeof *x->table);
	s = slots(x->map);
	for (size_t i = 0; i < n; i++) {
		if (!alive(&s[i]) || s[i].uuid[UUID_LEN] || !s[i].uuid[0])
			continue;
		for (size_t b = bucket(x, s[i].uuid);; b = (b + 1) & (x->buckets - 1)) {
			if (x->table[b])
				continue;
			x->table[b] = (uint32_t)i + 1;
			break;
		}
	}
}

void index_close(struct index *x)
{
	if (x->map)
		munmap(x->map, x->bytes);
	free(x->table);
	*x = (struct index){.map = NULL};
}

bool index_running(const struct index *x, const char *uuid, struct run_zone *z, bool *halting)
{
	if (!x->map)
		return false;
	for (size_t b = bucket(x, uuid); x->table[b]; b = (b + 1) & (x->buckets - 1)) {
		struct index_slot *s = &slots(x->map)[x->table[b] - 1];
		uint32_t seq = s->seq;
		struct run_zone copy = s->z;
		bool ok = !strcmp(s->uuid, uuid) && s->running && alive(s), halt = s->halting;

		if ((seq & 1) || s->seq != seq)
			return false; /* just being written */
		if (!ok)
			continue;
		*z = copy;
		*halting = halt;
		return true;
	}
	return false;
}

static void each_slot(int run, const char *uuid, void (*f)(struct index_slot *, uint32_t), uint32_t arg)
{
	_fd_ int fd = openat(run, "index", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	size_t bytes;
	void *map;

	if (fd < 0 || flock(fd, LOCK_EX) < 0 || map_file(fd, PROT_READ | PROT_WRITE, &map, &bytes) < 0)
		return;
	for (size_t i = 0; i < slot_count(bytes); i++)
		if (!strcmp(slots(map)[i].uuid, uuid))
			f(&slots(map)[i], arg);
	munmap(map, bytes);
}

static void set_halting(struct index_slot *s, uint32_t on)
{
	s->halting = on;
}

/* A living keeper keeps its slot (it may be the caller's parent), but nobody finds it by name any more. */
static void forget(struct index_slot *s, uint32_t arg)
{
	s->running = 0;
	s->seq |= 1;
	memset(s->uuid, 0, sizeof s->uuid);
	s->seq++;
}

void index_halting(int run, const char *uuid, bool on)
{
	each_slot(run, uuid, set_halting, on);
}

void index_forget(int run, const char *uuid)
{
	each_slot(run, uuid, forget, 0);
}
