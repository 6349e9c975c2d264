/* SPDX-License-Identifier: MPL-2.0 */
/* Paths of cgroups and their files of one value. */
#include "kern/cgroup_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/pidfd.h"

const char *cgi_path(const struct cg_host *h, int ctl, const char *uuid, const char *file, char out[CGI_PATH])
{
	snprintf(out, CGI_PATH, "%s/%s%s%s%s%s", ctl < 0 ? h->v2 : h->v1[ctl], h->root, uuid ? "/" : "", uuid ? uuid : "",
		 file ? "/" : "", file ? file : "");
	return out;
}

int cgi_where(const struct cg_host *h, enum cg_ctl ctl, int *tree, struct err *e)
{
	if (h->v1[ctl][0])
		*tree = (int)ctl;
	else if (h->in_v2[ctl])
		*tree = -1;
	else
		return err_set(e, ENOTSUP, "the cgroup controller \"%s\" is not available on this host", cgi_name(ctl));
	return 0;
}

/* 1, 0; -ENODATA if this cgroup has not got the controller. */
static int has(const char *dir, const char *ctl, const char *file)
{
	char p[2 * CGI_PATH], t[256];

	snprintf(p, sizeof p, "%.500s/cgroup.controllers", dir);
	if (cgi_read(p, t, sizeof t) < 0 || !cgi_word_in(t, ' ', ctl))
		return -ENODATA;
	snprintf(p, sizeof p, "%.500s/%.200s", dir, file);
	return access(p, F_OK) == 0;
}

int cgi_v2_has(const struct cg_host *h, enum cg_ctl ctl, const char *file)
{
	char dir[CGI_PATH];
	int r = has(cgi_path(h, -1, NULL, NULL, dir), cgi_v2_name(ctl), file);
	_dir_ DIR *d = r < 0 ? opendir(h->v2) : NULL;

	for (struct dirent *de; r < 0 && d && (de = readdir(d));) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.' ||
		    snprintf(dir, sizeof dir, "%s/%.255s", h->v2, de->d_name) >= (int)sizeof dir)
			continue;
		r = has(dir, cgi_v2_name(ctl), file);
	}
	return r;
}

static int write_fd(int fd, const char *text)
{
	ssize_t w;

	do
		w = write(fd, text, strlen(text));
	while (w < 0 && errno == EINTR);
	return w < 0 ? -errno : 0;
}

static int read_fd(int fd, char *out, size_t n)
{
	ssize_t r;

	do
		r = pread(fd, out, n - 1, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (r > 0 && out[r - 1] == '\n')
		r--;
	out[r] = 0;
	return 0;
}

int cgi_write(const char *path, const char *text)
{
	_fd_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : write_fd(fd, text);
}

int cgi_write_within(const char *path, const char *text, int ms)
{
	_fd_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW), pidfd = -1;
	pid_t pid;
	int st;

	if (fd < 0)
		return -errno;
	pid = pidfd_clone(0, -1, &pidfd);
	if (pid < 0)
		return -errno;
	/* only a signal ends it before its time */
	if (pid == 0)
		_exit(-write_fd(fd, text));
	if (pidfd_wait(pidfd, ms) < 0)
		pidfd_kill(pidfd, SIGKILL);
	while (waitpid(pid, &st, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(st) ? -WEXITSTATUS(st) : -ETIME;
}

int cgi_read(const char *path, char *out, size_t n)
{
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : read_fd(fd, out, n);
}

int cgi_write_read(const char *path, const char *text, char *out, size_t n)
{
	_fd_ int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return -errno;
	r = write_fd(fd, text);
	return r < 0 ? r : read_fd(fd, out, n);
}

int cgi_number(const char *path, uint64_t *out)
{
	char t[64];
	int r = cgi_read(path, t, sizeof t);

	return r < 0 ? r : cgi_number_of(t, out);
}

int cgi_number_of(const char *t, uint64_t *out)
{
	int r;

	if (!strcmp(t, "max") || !strcmp(t, "-1")) {
		*out = UINT64_MAX;
		return 0;
	}
	r = str_to_u64(t, out);
	/* v1's "no limit" is the largest multiple of the page size below 2^63 */
	if (r == 0 && *out >= 0x7fffffffffff0000ULL)
		*out = UINT64_MAX;
	return r;
}

int cgi_keyed(const char *path, const char *key, uint64_t *out)
{
	char t[8192];
	size_t n = strlen(key);
	int r = cgi_read(path, t, sizeof t);

	if (r < 0)
		return r;
	for (char *save = NULL, *l = strtok_r(t, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (!strncmp(l, key, n) && l[n] == ' ')
			return str_to_u64(l + n + 1, out);
	return -ENOENT;
}
