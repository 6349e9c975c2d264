/* SPDX-License-Identifier: MPL-2.0 */
#include "node/peer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/child.h"

#define KEY   "key.pem"
#define CERT  "cert.pem"
#define PRINT "fingerprint"
#define NAME_MAX_ 48
#define PEERS_MAX 512

static char *path_of(const struct ctx *c, const char *name)
{
	return xprintf("%s/tls/%s", c->node.etc, name);
}

static bool print_ok(const char *s)
{
	return strlen(s) == PEER_PRINT && strspn(s, "0123456789abcdef") == PEER_PRINT;
}

static bool name_ok(const char *s)
{
	return *s && *s != '.' && *s != '-' && strlen(s) <= NAME_MAX_ &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen(s);
}

static int read_print(const char *path, char print[PEER_PRINT + 1])
{
	_buf_ struct buf b = BUF_INIT;
	int r = file_read(AT_FDCWD, path, 256, &b, NULL);

	if (r < 0)
		return r;
	b.p[strcspn(buf_str(&b), "\r\n")] = 0;
	if (!print_ok(b.p))
		return -EINVAL;
	strcpy(print, b.p);
	return 0;
}

/* ---- this node's own ---- */

/* What cloister-tls writes goes to files of other names, that a kill leaves no key without its certificate. */
static int make(struct ctx *c, char print[PEER_PRINT + 1], struct err *e)
{
	_free_ char *prog = xprintf("%s/cloister-tls", c->libexec), *key = path_of(c, KEY), *cert = path_of(c, CERT), *said = path_of(c, PRINT);
	_free_ char *nkey = xprintf("%s.new", key), *ncert = xprintf("%s.new", cert), *name = xprintf("cloister node %s", c->node.name);
	const char *argv[] = {prog, "make", name, NULL};
	_clean_(child_end) struct child k = CHILD_INIT;
	_fd_ int k1 = open(nkey, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	_fd_ int k2 = open(ncert, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644), out = -1;
	char line[PEER_PRINT + 2] = "";
	int pipefd[2], r;
	ssize_t n;

	if (k1 < 0 || k2 < 0)
		return err_sys(e, errno, "%s", k1 < 0 ? nkey : ncert);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	out = pipefd[0];
	r = child_start(&k, argv, NULL, (int[]){-1, pipefd[1], 2, -1, k1, k2}, 6, e);
	close(pipefd[1]);
	if (r < 0)
		return r;
	n = read(out, line, sizeof line - 1);
	r = child_wait(&k);
	line[n > 0 ? n : 0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (r != 0 || !print_ok(line))
		return err_set(e, EIO, "cloister-tls made no key (status %d)", r);
	if (fsync(k1) < 0 || fsync(k2) < 0 || rename(ncert, cert) < 0 || rename(nkey, key) < 0)
		return err_sys(e, errno, "%s", key);
	strcpy(print, line);
	return file_replace(said, line, strlen(line), 0644, 1, e);
}

int peer_own(struct ctx *c, char print[PEER_PRINT + 1], struct err *e)
{
	_free_ char *dir = path_of(c, ""), *said = path_of(c, PRINT), *lock = path_of(c, ".lock");
	_fd_ int fd = -1;
	int r = dir_make(dir, 0700, e);

	if (r < 0)
		return r;
	/* two commands at once make one key */
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_sys(e, errno, "%s", lock);
	r = read_print(said, print);
	if (r == -ENOENT)
		return make(c, print, e);
	if (r < 0) {
		err_sys(e, r, "%s", said);
		return err_hint(e, "Remove that file: a new key is made, and the other nodes have to be told of it (cloister peer add).");
	}
	return 0;
}

/* ---- those that are known ---- */

int peer_each(struct ctx *c, int (*each)(const char *name, const char *print, void *arg), void *arg, struct err *e)
{
	_free_ char *dir = path_of(c, "peers");
	_dir_ DIR *d = opendir(dir);
	unsigned n = 0;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", dir);
	for (struct dirent *de; r >= 0 && (de = readdir(d));) {
		_free_ char *path = xprintf("%s/%s", dir, de->d_name);
		char print[PEER_PRINT + 1];

		if (!name_ok(de->d_name))
			continue;
		if (++n > PEERS_MAX)
			return err_set(e, E2BIG, "%s: more than %d nodes", dir, PEERS_MAX);
		r = read_print(path, print);
		if (r < 0) {
			ctx_log(c, LOG_WARN, "%s: not the fingerprint of a node", path);
			r = 0;
			continue;
		}
		r = each(de->d_name, print, arg);
	}
	return r < 0 ? r : 0;
}

int peer_add(struct ctx *c, const char *name, const char *given, struct err *e)
{
	_free_ char *dir = path_of(c, "peers"), *path = xprintf("%s/%s", dir, name);
	char print[PEER_PRINT + 2] = "", has[PEER_PRINT + 1];
	size_t n = 0;
	int r;

	if (!name_ok(name))
		return err_set(e, EINVAL, "\"%.60s\" is no name for a node: letters, digits, dots and dashes, %d at most", name, NAME_MAX_);
	for (const char *p = given; *p && n <= PEER_PRINT; p++)
		if (*p != ':')
			print[n++] = (char)tolower((unsigned char)*p);
	if (!print_ok(print)) {
		err_set(e, EINVAL, "\"%.80s\" is no fingerprint: %d hexadecimal digits", given, PEER_PRINT);
		return err_hint(e, "On that node: cloister peer show");
	}
	r = read_print(path, has);
	if (r == 0 && str_eq(has, print))
		return 0;
	if (r == 0) {
		err_set(e, EEXIST, "node %s is known by another fingerprint, %s", name, has);
		return err_hint(e, "If it has a new key: cloister peer remove %s, and add it again.", name);
	}
	r = dir_make(dir, 0700, e);
	return r < 0 ? r : file_replace(path, print, PEER_PRINT, 0600, 1, e);
}

int peer_remove(struct ctx *c, const char *name, struct err *e)
{
	_free_ char *dir = path_of(c, "peers"), *path = xprintf("%s/%s", dir, name);

	if (!name_ok(name))
		return err_set(e, EINVAL, "\"%.60s\" is no name of a node", name);
	if (unlink(path) == 0)
		return 0;
	return errno == ENOENT ? err_set(e, ENOENT, "node %s is not known", name) : err_sys(e, errno, "%s", path);
}

struct search {
	const char *print;
	char *out;
};

static int is_it(const char *name, const char *print, void *arg)
{
	struct search *s = arg;

	if (str_eq(print, s->print))
		snprintf(s->out, PEER_PRINT + 1, "%s", name);
	return 0;
}

void peer_name(struct ctx *c, const char *print, char out[PEER_PRINT + 1])
{
	snprintf(out, PEER_PRINT + 1, "%s", print);
	peer_each(c, is_it, &(struct search){print, out}, NULL);
}
