/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Questions about the network are asked in each network namespace that a process of a zone is in, whoever made it. A
 * child goes there, from one to the next, and writes what it finds into a pipe: the caller itself never leaves its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "cmd/whose.h"
#include "kern/pidfd.h"

struct place {
	dev_t dev;
	ino_t ino;
	size_t proc; /* who is in it */
};

struct finding {
	int out;
	const struct net_item *want;
	enum net_kind kind;
	unsigned zone;
};

static int found(const struct net_item *it, void *arg)
{
	const struct finding *f = arg;
	struct whose_answer a;
	size_t len = f->kind == NET_LINK ? 6 : it->family == AF_INET ? 4 : 16;

	if ((f->kind == NET_ADDR || f->kind == NET_LINK) && (it->family != f->want->family || memcmp(it->addr, f->want->addr, len) != 0))
		return 0;
	memset(&a, 0, sizeof a);
	a.zone = f->zone;
	a.item = *it;
	return fd_write_all(f->out, &a, sizeof a);
}

static int ns_of(pid_t pid, struct stat *st)
{
	char p[40];

	snprintf(p, sizeof p, "/proc/%d/ns/net", (int)pid);
	return stat(p, st) < 0 ? -errno : 0;
}

/* The namespaces that are not ours, each once. A zone that shares another's is found by that one's processes too. */
static struct place *places(const struct whose *w, size_t *n)
{
	struct place *all = xalloc((w->ps.n + 1) * sizeof *all);
	struct stat own, st;

	*n = 0;
	if (ns_of(getpid(), &own) < 0)
		return all;
	for (size_t i = 0; i < w->ps.n; i++) {
		bool again = false;

		if (ns_of(w->ps.p[i].pid, &st) < 0 || (st.st_ino == own.st_ino && st.st_dev == own.st_dev))
			continue;
		/* most zones have one: the last ones found are the likely ones */
		for (size_t k = *n; k-- > 0 && !again;) {
			if (w->ps.p[all[k].proc].zone != w->ps.p[i].zone)
				break;
			again = all[k].ino == st.st_ino && all[k].dev == st.st_dev;
		}
		if (!again)
			all[(*n)++] = (struct place){st.st_dev, st.st_ino, i};
	}
	return all;
}

__attribute__((noreturn)) static void child(struct whose *w, struct finding *f, const struct place *all, size_t n)
{
	struct err e = ERR_INIT;
	int r = net_each(f->kind, f->want->port, found, f, &e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct procs_one *p = &w->ps.p[all[i].proc];
		_fd_ int fd = procs_hold(&w->h, w->zones.z[p->zone].uuid, p, NULL);

		if (fd < 0)
			continue; /* it has gone, and mostly its namespace with it */
		if (setns(fd, CLONE_NEWNET) < 0) {
			if (errno == ESRCH)
				continue;
			r = err_sys(&e, errno, "network of zone %s", w->zones.z[p->zone].name);
			break;
		}
		f->zone = p->zone;
		r = net_each(f->kind, f->want->port, found, f, &e);
	}
	if (r < 0)
		fprintf(stderr, "cloister whose: %s\n", e.msg);
	_exit(r < 0);
}

int whose_net(struct whose *w, enum net_kind k, const struct net_item *want, struct err *e)
{
	_fd_ int in = -1, out = -1, fd = -1;
	_free_ struct place *all = NULL;
	_buf_ struct buf b = BUF_INIT;
	struct finding f = {.want = want, .kind = k, .zone = WHOSE_GLOBAL};
	char chunk[4096];
	size_t n, got;
	int pipe_[2], status = 0;
	pid_t pid;
	ssize_t len;

	all = places(w, &n);
	if (pipe2(pipe_, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	in = pipe_[0];
	out = f.out = pipe_[1];
	pid = pidfd_clone(0, -1, &fd);
	if (pid < 0)
		return err_sys(e, pid, "fork");
	if (pid == 0)
		child(w, &f, all, n);
	own_fd(&out);
	while ((len = read(in, chunk, sizeof chunk)) > 0 || (len < 0 && errno == EINTR))
		if (len > 0)
			buf_add(&b, chunk, (size_t)len);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		return err_set(e, EIO, "the networks of the zones could not be asked");
	got = b.len / sizeof *w->a;
	w->a = xrealloc(w->a, (w->n + got + 1) * sizeof *w->a);
	if (got)
		memcpy(w->a + w->n, b.p, got * sizeof *w->a);
	w->n += got;
	return 0;
}

static int by_inode(const void *x, const void *y)
{
	const struct whose_answer *a = *(const struct whose_answer *const *)x, *b = *(const struct whose_answer *const *)y;

	return (a->item.inode > b->item.inode) - (a->item.inode < b->item.inode);
}

/* The answers whose sockets are looked for, by inode. */
struct wanted {
	struct whose_answer **a;
	size_t n, left;
};

/* The first process that has a socket is it. */
static void sockets_of(struct wanted *w, pid_t pid)
{
	_dir_ DIR *d = NULL;
	char t[64];

	snprintf(t, sizeof t, "/proc/%d/fd", (int)pid);
	d = w->left ? opendir(t) : NULL;
	for (struct dirent *de; w->left && d && (de = readdir(d));) {
		ssize_t n = de->d_name[0] == '.' ? -1 : readlinkat(dirfd(d), de->d_name, t, sizeof t - 1);
		struct whose_answer key, *k = &key, **at;

		t[n > 0 ? n : 0] = 0;
		if (sscanf(t, "socket:[%u]", &key.item.inode) != 1)
			continue;
		at = bsearch(&k, w->a, w->n, sizeof(*w->a), by_inode);
		/* two answers may be of one socket */
		while (at && at > w->a && at[-1]->item.inode == key.item.inode)
			at--;
		for (; at && at < w->a + w->n && (*at)->item.inode == key.item.inode; at++) {
			w->left -= (*at)->pid == 0;
			(*at)->pid = (*at)->pid ?: pid;
		}
	}
}

static void sockets_in(const struct whose *w, unsigned zone, struct wanted *all)
{
	_dir_ DIR *d = NULL;

	qsort(all->a, all->n, sizeof(*all->a), by_inode);
	for (size_t i = 0; zone != WHOSE_GLOBAL && i < w->ps.n; i++)
		if (w->ps.p[i].zone == zone)
			sockets_of(all, w->ps.p[i].pid);
	d = zone == WHOSE_GLOBAL ? opendir("/proc") : NULL;
	for (struct dirent *de; d && (de = readdir(d));) {
		pid_t pid = (pid_t)atoi(de->d_name);

		if (pid > 0 && !procs_find(&w->ps, pid))
			sockets_of(all, pid);
	}
}

void whose_sockets(struct whose *w)
{
	_free_ struct whose_answer **room = xalloc((w->n + 1) * sizeof *room);
	_free_ bool *done = xalloc(w->n + 1);

	for (size_t i = 0; i < w->n; i++) {
		struct wanted all = {.a = room};

		for (size_t k = i; k < w->n && !done[i]; k++) {
			if (w->a[k].zone != w->a[i].zone)
				continue;
			done[k] = k != i;
			if (w->a[k].item.inode)
				room[all.n++] = &w->a[k];
		}
		all.left = all.n;
		if (all.n)
			sockets_in(w, w->a[i].zone, &all);
	}
}
