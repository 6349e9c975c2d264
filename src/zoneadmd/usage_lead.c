/* SPDX-License-Identifier: MPL-2.0 */
#include "zoneadmd/usage_lead.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "zone/run.h"
#include "zone/usage.h"
#include "zone/usage_net.h"
#include "zoneadmd/part.h"

#define LOCK      "host.lock"
#define ZONE_FDS  5   /* of one zone that is sampled */
#define SPARE_FDS 256 /* for everything else that this worker does */

/* ---- who leads ---- */

static struct {
	int lock, who; /* who: of the deputy, a pidfd */
	bool mine, deputy;
} lead = {-1, -1, false, false};

enum { LEADS, DEPUTY }; /* the file's bytes that they lock */

void lead_open(int dir)
{
	lead.lock = openat(dir, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* For the deputy: if it can't be written, that one goes on sampling its own zone, and looks again each time. */
static void sign(void)
{
	struct run_proc p;
	char t[96] = "";

	if (run_proc_of(getpid(), &p) == 0)
		snprintf(t, sizeof t, "%d %llu %llu\n", (int)p.pid, (unsigned long long)p.start, (unsigned long long)p.ino);
	if (ftruncate(lead.lock, 0) < 0 || pwrite(lead.lock, t, strlen(t), 0) < 0)
		return;
}

/* A pidfd of the process that is named there, if it is that one and lives. */
static int named(void)
{
	char t[96];
	ssize_t n = pread(lead.lock, t, sizeof t - 1, 0);
	unsigned long long start, ino;
	struct run_proc p;
	_fd_ int fd = -1;
	int pid;

	t[n > 0 ? n : 0] = '\0';
	if (sscanf(t, "%d %llu %llu", &pid, &start, &ino) != 3 || pid <= 1)
		return -1;
	p = (struct run_proc){pid, start, ino};
	/* opened first: what is alive then is what the descriptor is of */
	fd = pidfd_open(pid, 0);
	return fd >= 0 && run_proc_alive(&p) == 1 ? take_fd(&fd) : -1;
}

static bool lock(short type, off_t byte)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(lead.lock, F_OFD_SETLK, &l) == 0;
}

bool lead_take(void)
{
	if (lead.mine || lead.lock < 0)
		return lead.mine;
	own_fd(&lead.who);
	lead.mine = lock(F_WRLCK, LEADS);
	if (lead.mine) {
		sign();
		if (lead.deputy)
			lock(F_UNLCK, DEPUTY);
		lead.deputy = false;
	} else if ((lead.deputy = lead.deputy || lock(F_WRLCK, DEPUTY))) {
		lead.who = named();
	}
	return lead.mine;
}

int lead_fd(void)
{
	return lead.who;
}

bool lead_known(void)
{
	return lead.mine || lead.who >= 0 || (lead.lock >= 0 && !lead.deputy);
}

/* ---- all zones ---- */

struct one {
	char uuid[37];
	uint8_t id[16];
	bool here, held; /* held: its descriptors stay open */
	uint64_t cpu_us; /* what was added last */
	struct usage_src src;
	struct usage_file file;
};

static struct {
	struct one **z; /* by uuid */
	size_t n, cap, at;
	size_t room; /* descriptors that may still stay open */
	bool begun;  /* a round */
	struct usage_devs devs;
} all;

static void one_close(struct one *z)
{
	usage_src_done(&z->src);
	z->src.ino = 0;
	z->cpu_us = USAGE_UNKNOWN;
	own_fd(&z->file.fd);
}

static void one_free(struct one *z)
{
	one_close(z);
	all.room += z->held ? ZONE_FDS : 0;
	free(z);
}

void lead_forget(void)
{
	for (size_t i = 0; i < all.n; i++)
		one_free(all.z[i]);
	free(all.z);
	all.z = NULL;
	all.n = all.cap = all.at = all.room = 0;
	all.begun = false;
}

static int by_uuid(const void *a, const void *b)
{
	return strcmp((*(const struct one *const *)a)->uuid, (*(const struct one *const *)b)->uuid);
}

static struct one *find(const char *uuid, size_t n)
{
	struct one key, *k = &key, **at;

	memcpy(key.uuid, uuid, sizeof key.uuid);
	at = n ? bsearch(&k, all.z, n, sizeof *all.z, by_uuid) : NULL;
	return at ? *at : NULL;
}

static void add(const char *uuid)
{
	struct one *z = xalloc(sizeof *z);

	memcpy(z->uuid, uuid, sizeof z->uuid);
	usage_uuid(uuid, z->id);
	z->src = USAGE_SRC_INIT;
	z->file = USAGE_FILE_INIT;
	z->cpu_us = USAGE_UNKNOWN;
	/* its own worker begins its file, and each of its lives */
	z->file.go_on = true;
	z->here = true;
	z->held = all.room >= ZONE_FDS;
	all.room -= z->held ? ZONE_FDS : 0;
	if (all.n == all.cap) {
		all.cap = all.cap ? all.cap * 2 : 64;
		all.z = xrealloc(all.z, all.cap * sizeof *all.z);
	}
	all.z[all.n++] = z;
}

/* As many descriptors as we may have at all: with a thousand zones more than a process begins with. */
static void room(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	if (l.rlim_cur < l.rlim_max) {
		struct rlimit more = {l.rlim_max, l.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			l = more;
	}
	all.room = l.rlim_cur > SPARE_FDS ? l.rlim_cur - SPARE_FDS : 0;
}

/* Who has a folder there: what has neither a spec nor a cgroup is looked for again the next time. */
static void round_begin(const struct lead_node *n)
{
	_dir_ DIR *d = dir_of(openat(n->run, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t known = all.n, kept = 0;

	if (!all.z)
		room();
	for (size_t i = 0; i < known; i++)
		all.z[i]->here = false;
	for (struct dirent *de; d && (de = readdir(d));) {
		struct one *z = uuid_valid(de->d_name) ? find(de->d_name, known) : NULL;

		if (z)
			z->here = true;
		else if (uuid_valid(de->d_name))
			add(de->d_name);
	}
	for (size_t i = 0; i < all.n; i++) {
		if (all.z[i]->here)
			all.z[kept++] = all.z[i];
		else
			one_free(all.z[i]);
	}
	if (kept != known || all.n != known)
		qsort(all.z, kept, sizeof *all.z, by_uuid);
	all.n = kept;
	all.at = 0;
	usage_devs_find(n->fsid, &all.devs);
	all.begun = true;
}

static void sample_one(const struct lead_node *n, struct one *z)
{
	struct usage_sample s;
	char net[40];
	int r;

	if (z->src.cpu < 0) {
		_fd_ int run = openat(n->run, z->uuid, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (run < 0 || usage_src_open(run, n->fsid, &z->src) < 0)
			return;
	}
	z->src.devs = all.devs;
	/* one that did not run has used nothing; how long its memory was there is added with the next sample, its own worker's at the latest */
	r = usage_read_unless(&z->src, n->bootid, z->cpu_us, &s);
	if (r == 0) {
		snprintf(net, sizeof net, "/proc/self/fd/%d/net", n->run);
		usage_net_read(net, z->uuid, &s);
	}
	if (r < 0)
		one_close(z); /* its cgroup has gone; it may have another by now */
	else if (r == 0 && usage_add_to(&z->file, n->dir, z->uuid, z->id, &s, false) == 0)
		z->cpu_us = s.counter[UC_CPU_US];
	if (!z->held)
		one_close(z);
}

bool lead_sample(const struct lead_node *n)
{
	if (!all.begun)
		round_begin(n);
	for (int i = 0; i < LEAD_SLICE && all.at < all.n; i++)
		sample_one(n, all.z[all.at++]);
	all.begun = all.at < all.n;
	return all.begun;
}
