/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files that the zone finds at boot (host name, resolvers). Written inside, by its own root: what a link in the way
 * could reach is the zone's anyway. A new file is renamed over what stands there, so that no fifo is waited for and no
 * link followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "zone/passwd.h"
#include "zoneadmd/zoneadmd.h"

#define HOSTS     "/etc/hosts"
#define HOSTS_MAX (64u << 10)

static int parents(const char *path, struct err *e)
{
	_free_ char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (!slash || slash == dir)
		return 0;
	*slash = 0;
	return dir_make(dir, 0755, e);
}

/* Of the same text already: a write would cost a copy-up in a shared root. */
static bool is_so(const struct zfile *f)
{
	_fd_ int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	size_t n = strlen(f->text);
	_free_ char *have = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size != n || (st.st_mode & 07777) != f->mode ||
	    st.st_uid || st.st_gid)
		return false;
	have = xalloc(n + 1);
	return read(fd, have, n) == (ssize_t)n && !memcmp(have, f->text, n);
}

int init_file(const struct zfile *f, struct err *e)
{
	_free_ char *tmp = xprintf("%s.zone~", f->path);
	_fd_ int fd = -1;
	int r;

	if (is_so(f))
		return 0;
	r = parents(f->path, e);
	if (r < 0)
		return r;
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", tmp);
	r = fd_write_all(fd, f->text, strlen(f->text));
	if (r == 0 && (fchmod(fd, f->mode) < 0 || rename(tmp, f->path) < 0))
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return err_sys(e, r, "write %s", f->path);
	}
	return 0;
}

/* The zone's own name has to resolve, or sudo and many a daemon complain. Somebody's line about it is left as it is. */
static int hosts(const struct zspec *z, struct err *e)
{
	const char *host = z->hostname ?: z->uuid;
	_fd_ int fd = open(HOSTS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_buf_ struct buf b = BUF_INIT;
	struct stat st = {.st_mode = 0644};
	struct zfile f = {.path = (char *)HOSTS};
	char chunk[4096];
	ssize_t n;

	if (fd < 0 && errno != ENOENT)
		return 0;
	if (fd < 0)
		buf_puts(&b, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > HOSTS_MAX)
		return 0;
	while (fd >= 0 && b.len <= HOSTS_MAX && (n = read(fd, chunk, sizeof chunk)) > 0)
		buf_add(&b, chunk, (size_t)n);
	if (b.len > HOSTS_MAX || memchr(b.p, 0, b.len) || passwd_host(b.p, b.len, host))
		return 0;
	if (b.len && b.p[b.len - 1] != '\n')
		buf_puts(&b, "\n");
	if (z->domain && *z->domain)
		buf_printf(&b, "127.0.1.1\t%s.%s %s\n", host, z->domain, host);
	else
		buf_printf(&b, "127.0.1.1\t%s\n", host);
	f.mode = st.st_mode & 0777;
	f.text = (char *)buf_str(&b);
	return init_file(&f, e);
}

/* A zone whose disk is full still has to start, or nobody could clear it up: then the old file stays. */
int init_files(const struct zspec *z, struct err *e)
{
	for (unsigned i = 0; i <= z->nfiles; i++) {
		struct err le = ERR_INIT;
		int r = i < z->nfiles ? init_file(&z->files[i], &le) : hosts(z, &le);

		if (r == -EDQUOT || r == -ENOSPC || r == 0)
			continue;
		err_set(e, r, "%s", le.msg);
		return r;
	}
	return 0;
}
