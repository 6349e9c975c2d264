/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a process has open, from /proc/PID/fd: the kernel's own list, which the process can't change. Files are looked at
 * without asking the file system that holds them for news, and where the global zone has the same file is believed only
 * after the same inode has been found there. The zone can make all of this wait (fdinfo of an epoll, whose lock is held
 * over a page fault; a file system of its own): files_walk() has it done by a child.
 */
#include "cmd/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/path.h"
#include "zone/spec.h"

static const char *type_of(unsigned mode, const char *path)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "REG";
	case S_IFDIR: return "DIR";
	case S_IFCHR: return "CHR";
	case S_IFBLK: return "BLK";
	case S_IFIFO: return "FIFO";
	case S_IFSOCK: return "SOCK";
	default: return str_starts(path, "anon_inode:") ? "ANON" : "?";
	}
}

static void layers_done(struct files_reader *r)
{
	for (size_t i = 0; i < r->nlayers; i++)
		free(r->layer[i]);
	free(r->layer);
	r->layer = NULL;
	r->nlayers = 0;
}

static void layer_add(struct files_reader *r, const char *path)
{
	if (!path || *path != '/')
		return;
	r->layer = xrealloc(r->layer, (r->nlayers + 1) * sizeof *r->layer);
	r->layer[r->nlayers++] = xstrdup(path);
}

/* The overlay's folders, which its mountinfo does not name: from what it was booted from. */
static void layers(struct files_reader *r, unsigned zone)
{
	_free_ char *path = xprintf("%s/%s/spec", r->c->node.run, r->zones->z[zone].uuid);
	_buf_ struct buf b = BUF_INIT;
	struct zspec z;

	layers_done(r);
	if (file_read(AT_FDCWD, path, 1 << 20, &b, NULL) < 0 || zspec_parse(buf_str(&b), b.len, &z, NULL) < 0)
		return;
	layer_add(r, z.upper);
	for (char **l = z.shared ? z.lower : NULL; l && *l; l++)
		layer_add(r, *l);
	zspec_done(&z);
}

/* The mounts that this process sees: most of a zone's see the same. */
static void mounts(struct files_reader *r, const struct procs_one *p, int dir)
{
	_buf_ struct buf b = BUF_INIT;
	struct stat st = {.st_ino = 0};

	(void)fstatat(dir, "ns/mnt", &st, 0);
	if (r->its_tried && r->its_zone == p->zone && r->its_ns == st.st_ino)
		return;
	if (!r->its_tried || r->its_zone != p->zone)
		layers(r, p->zone);
	mountmap_done(&r->its);
	r->its_tried = true;
	r->its_zone = p->zone;
	r->its_ns = st.st_ino;
	if (file_read(dir, "mountinfo", 16 << 20, &b, NULL) == 0)
		mountmap_parse(buf_str(&b), b.len, &r->its);
}

/* overlay: it gives its files devices of its own, and the inodes of where they are. */
static bool is_it(const char *path, const struct open_file *f, bool overlay)
{
	_fd_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	fd = root < 0 ? -1 : path_open_nolink(root, path, O_PATH | O_NOFOLLOW, 0, NULL);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == f->ino && (overlay || st.st_dev == f->dev) &&
	       (!overlay || !S_ISREG(st.st_mode) || (uint64_t)st.st_size == f->size);
}

static void host_of(struct files_reader *r, struct open_file *f, int mnt)
{
	const struct mount_one *m = mountmap_find(&r->its, mnt);
	const char *rest = m && *f->path == '/' ? mountmap_below(m, f->path) : NULL;

	if (!rest || f->deleted)
		return;
	if (strcmp(m->fstype, "overlay") != 0) {
		f->host = mountmap_host(&r->own, m, rest);
		if (f->host && is_it(f->host, f, false))
			return;
		free(f->host);
		f->host = NULL;
		return;
	}
	for (size_t i = 0; i < r->nlayers; i++) {
		f->host = xprintf("%s%s%s", r->layer[i], strcmp(m->root, "/") ? m->root : "", rest);
		if (is_it(f->host, f, true))
			return;
		free(f->host);
		f->host = NULL;
	}
}

static uint64_t number_of(const char *t, const char *key, int base)
{
	const char *at = strstr(t, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

static bool gone(int error)
{
	return error == ENOENT || error == ESRCH;
}

/* name: below /proc/PID, "fd/3" or "cwd". false: it is closed by now. */
static bool look(struct files_reader *r, struct open_file *f, int dir, const char *name)
{
	char info[40], text[512];
	ssize_t n = readlinkat(dir, name, f->path, sizeof f->path - 1);
	struct statx st;
	int mnt = -1;

	if (n < 0 && gone(errno))
		return false;
	if (n < 0)
		n = snprintf(f->path, sizeof f->path, "?");
	f->path[n] = 0;
	f->looked = statx(dir, name, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) == 0;
	if (!f->looked && gone(errno))
		return false;
	if (!f->looked)
		memset(&st, 0, sizeof st);
	f->type = type_of(st.stx_mode, f->path);
	f->size = st.stx_size;
	f->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	f->ino = st.stx_ino;
	f->deleted = f->looked && st.stx_nlink == 0 && *f->path == '/';
	if (f->deleted && str_ends(f->path, " (deleted)"))
		f->path[strlen(f->path) - strlen(" (deleted)")] = 0;
	if (str_starts(name, "fd/")) {
		snprintf(info, sizeof info, "fdinfo/%s", name + 3);
		n = proc_read(dir, info, text, sizeof text - 1);
		f->known = n > 0;
		text[n > 0 ? n : 0] = 0;
		f->pos = number_of(text, "pos:", 10);
		f->flags = (unsigned)number_of(text, "flags:", 8);
		mnt = f->known ? (int)number_of(text, "mnt_id:", 10) : -1;
	}
	if (r->want_host && mnt >= 0 && (!strcmp(f->type, "REG") || !strcmp(f->type, "DIR")))
		host_of(r, f, mnt);
	return true;
}

int files_each(struct files_reader *r, const struct procs_one *p, int (*each)(const struct open_file *, void *arg), void *arg, struct err *e)
{
	static const char *const links[] = {"cwd", "root", "exe"};
	_fd_ int dir = proc_open(p->pid);
	_dir_ DIR *d = NULL;
	struct open_file f = {.p = p};
	int rc = 0, fd;
	char text[1024];
	struct proc_stat st;
	ssize_t n = dir < 0 ? dir : proc_read(dir, "stat", text, sizeof text);

	/* what is opened below dir is this process's: is it still the one of the list? */
	if (n < 0 || proc_text_stat(text, (size_t)n, &st) < 0 || st.start != p->stat.start)
		return 0;
	if (r->want_host)
		mounts(r, p, dir);
	for (size_t i = 0; i < ARRAY_LEN(links) && rc == 0; i++) {
		f.known = false;
		f.host = NULL;
		snprintf(f.fd, sizeof f.fd, "%s", links[i]);
		if (look(r, &f, dir, links[i]))
			rc = each(&f, arg);
		free(f.host);
	}
	fd = rc == 0 ? openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	d = dir_of(fd);
	for (struct dirent *de; rc == 0 && d && (de = readdir(d));) {
		char name[24];

		if (de->d_name[0] < '0' || de->d_name[0] > '9' || strlen(de->d_name) > 12)
			continue;
		f.known = false;
		f.host = NULL;
		snprintf(f.fd, sizeof f.fd, "%.12s", de->d_name);
		snprintf(name, sizeof name, "fd/%.12s", de->d_name);
		if (look(r, &f, dir, name))
			rc = each(&f, arg);
		free(f.host);
	}
	return rc;
}

void files_done(struct files_reader *r)
{
	mountmap_done(&r->own);
	mountmap_done(&r->its);
	layers_done(r);
	free(r->unread);
}
