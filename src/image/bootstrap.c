/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A Debian root made here, from the distribution's signed packages, by debootstrap in namespaces of its own. What
 * belongs to one machine (names, keys, ids, caches, device nodes) is taken out again, so that every clone gets its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/bootstrap.h"
#include "image/build.h"
#include "image/child.h"
#include "image/import.h"
#include "image/manifest.h"
#include "image/unsynced.h"
#include "kern/path.h"

#define BASE "systemd-sysv,dbus,libpam-systemd,iproute2,iputils-ping,netbase,procps,ca-certificates,less"

#define OTHERS_MAX 32

struct boot {
	const struct import_opts *o;
	const char *suite, *include;
	char mirror[512], log[160];
};

/* ---- which suite, which mirror ---- */

static int host_suite(char out[64], struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	char id[32];
	int r = file_read(AT_FDCWD, "/etc/os-release", 65536, &b, e);

	if (r < 0)
		return r;
	if (os_release_value(buf_str(&b), "ID", id, sizeof id) < 0 || strcmp(id, "debian") ||
	    os_release_value(buf_str(&b), "VERSION_CODENAME", out, 64) < 0) {
		err_set(e, EINVAL, "this machine is not Debian: say which suite");
		return err_hint(e, "imgadm bootstrap debian bookworm");
	}
	return 0;
}

static bool mirror_in(const char *path, const char *suite, char *out, size_t n)
{
	_buf_ struct buf b = BUF_INIT;

	return file_read(AT_FDCWD, path, 1 << 20, &b, NULL) == 0 && apt_mirror(buf_str(&b), str_ends(path, ".sources"), suite, out, n) == 0;
}

/* Where apt gets that suite, or, a mirror having all suites, the host's own. */
static int host_mirror(const char *suite, char out[512], struct err *e)
{
	char own[64];

	static const char dir[] = "/etc/apt/sources.list.d";
	_dir_ DIR *d = opendir(dir);

	if (mirror_in("/etc/apt/sources.list", suite, out, 512))
		return 0;
	for (struct dirent *de; d && (de = readdir(d));) {
		_free_ char *p = xprintf("%s/%s", dir, de->d_name);

		if ((str_ends(p, ".sources") || str_ends(p, ".list")) && mirror_in(p, suite, out, 512))
			return 0;
	}
	if (host_suite(own, NULL) == 0 && strcmp(own, suite))
		return host_mirror(own, out, e);
	err_set(e, ENOENT, "this machine's apt names no mirror that has %s", suite);
	return err_hint(e, "Name one: imgadm bootstrap debian %s --mirror URL", suite);
}

/* ---- running it ---- */

/* A mount namespace of its own for a minute or two: what debootstrap writes into, and what it must not hold meanwhile. */
struct apart {
	const char *root;
	char *other[OTHERS_MAX]; /* mount points of other nodes' pools; owned */
	size_t n;
};

static void apart_done(struct apart *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->other[i]);
}

/* A copy of another node's pool in that namespace would keep it from being detached. */
static void apart_others(const struct ctx *c, struct apart *a)
{
	_buf_ struct buf b = BUF_INIT;
	char *save = NULL;

	if (file_read(AT_FDCWD, "/proc/self/mountinfo", 8 << 20, &b, NULL) < 0)
		return;
	for (char *l = strtok_r(b.p, "\n", &save); l && a->n < OTHERS_MAX; l = strtok_r(NULL, "\n", &save)) {
		char at[512];
		_free_ char *marker = NULL;

		if (sscanf(l, "%*s %*s %*s %*s %511s", at) != 1 || !strcmp(at, c->node.pool))
			continue;
		marker = xprintf("%s/.cloister/pool.conf", at);
		if (access(marker, F_OK) == 0)
			a->other[a->n++] = xstrdup(at);
	}
}

/* The pool is mounted nodev and nosuid; maintainer scripts need both for a moment, in this mount namespace alone. */
static int open_up(const void *arg)
{
	const struct apart *a = arg;

	for (size_t i = 0; i < a->n; i++)
		umount2(a->other[i], MNT_DETACH);
	if (mount(a->root, a->root, NULL, MS_BIND, NULL) < 0 || mount(NULL, a->root, NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
		return -errno;
	return unsynced();
}

struct output {
	struct ctx *c;
	uint64_t lines, total, got; /* got: packages retrieved */
	char last[512];
};

/* "I: Retrieving libc6 2.36-9": each package is retrieved, validated, unpacked and configured. */
static void out_line(char *line, void *arg)
{
	struct output *o = arg;
	char what[48];

	if (!strncmp(line, "E: ", 3))
		snprintf(o->last, sizeof o->last, "%s", line + 3);
	if (strncmp(line, "I: ", 3))
		return;
	o->lines++;
	if (!strncmp(line, "I: Retrieving", 13) && ++o->got)
		o->total = 0;
	else if (o->total == 0 && !strncmp(line, "I: Extracting", 13))
		o->total = o->got * 4;
	if (o->total && o->lines >= o->total)
		o->total = o->lines + 10;
	snprintf(what, sizeof what, "%-40.40s", line + 3);
	if (o->c->progress)
		o->c->progress(o->c, what, o->lines, o->total);
}

static int run(struct ctx *c, const struct boot *b, const char *root, struct err *e)
{
	_clean_(apart_done) struct apart apart = {.root = root};
	_clean_(child_end) struct child k = CHILD_INIT;
	_free_ char *prog = child_find("debootstrap"),
		    *include = xprintf("--include=%s%s%s%s", BASE, str_eq(b->o->type, "zvol") ? "," BOOTSTRAP_DISK : "", b->include ? "," : "",
				       b->include ?: "");
	const char *argv[] = {prog, "--variant=minbase", include, b->suite, root, b->mirror, NULL};
	struct output o = {.c = c};
	_fd_ int rd = -1, log = open(b->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct child_lines lines = {.line = out_line, .arg = &o, .log = log};
	int pipefd[2], fds[3], r;

	if (!prog) {
		err_set(e, ENOPKG, "debootstrap is not installed");
		return err_hint(e, "apt-get install debootstrap");
	}
	if (log < 0)
		return err_sys(e, errno, "%s", b->log);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	rd = pipefd[0];
	fds[0] = -1;
	fds[1] = fds[2] = pipefd[1];
	if (c->progress)
		c->progress(c, "bootstrap", 0, 0);
	apart_others(c, &apart);
	r = child_start_apart(&k, argv, NULL, fds, 3, open_up, &apart, e);
	close(pipefd[1]);
	if (r == 0)
		r = child_listen(c, rd, &lines, e);
	if (r < 0)
		return r;
	r = child_wait(&k);
	if (r != 0) {
		err_set(e, EIO, "debootstrap %s %s: %s (status %d)", b->suite, b->mirror, *o.last ? o.last : "failed", r);
		return err_hint(e, "its output is in %s", b->log);
	}
	if (c->progress)
		c->progress(c, "bootstrap", o.lines, o.lines);
	return 0;
}

/* ---- what belongs to one machine ---- */

static int empty_dir(int root, const char *path, struct err *e)
{
	int fd = path_open_nolink(root, path, O_RDONLY | O_DIRECTORY, 0, NULL);
	DIR *d = dir_of(fd);
	int r = 0;

	for (struct dirent *de; d && r == 0 && (de = readdir(d));)
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			r = dir_remove(fd, de->d_name, e);
	if (d)
		closedir(d);
	return r < 0 ? err_add(e, "%s", path) : 0;
}

static int put(int root, const char *path, const char *text, mode_t mode, struct err *e)
{
	_fd_ int fd = -1;
	int r;

	unlinkat(root, path, 0);
	fd = path_open_nolink(root, path, O_WRONLY | O_CREAT | O_TRUNC, mode, e);
	if (fd < 0)
		return fd;
	r = fd_write_all(fd, text, strlen(text));
	return r < 0 ? err_sys(e, r, "%s", path) : 0;
}

static int sources(int root, const struct boot *b, struct err *e)
{
	_buf_ struct buf t = BUF_INIT;
	bool rolling = !strcmp(b->suite, "sid") || !strcmp(b->suite, "unstable");

	buf_printf(&t, "deb %s %s main\n", b->mirror, b->suite);
	if (!rolling && str_ends(b->mirror, "/debian")) {
		/* the mirror's sister: a folder beside it, as most of the world has it */
		buf_printf(&t, "deb %s %s-updates main\n", b->mirror, b->suite);
		buf_printf(&t, "deb %s-security %s-security main\n", b->mirror, b->suite);
	}
	return put(root, "etc/apt/sources.list", buf_str(&t), 0644, e);
}

static int ssh_keys(int root, struct err *e)
{
	static const char unit[] = "# The image has no host keys: each zone makes its own before sshd first runs.\n"
				   "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n";
	static const char dir[] = "etc/systemd/system/ssh.service.d";
	_dir_ DIR *d = NULL;
	int fd = path_open_nolink(root, "etc/ssh", O_RDONLY | O_DIRECTORY, 0, NULL), r;
	bool server = faccessat(root, "usr/sbin/sshd", F_OK, 0) == 0;

	d = dir_of(fd);
	for (struct dirent *de; d && (de = readdir(d));)
		if (str_starts(de->d_name, "ssh_host_") && unlinkat(fd, de->d_name, 0) < 0)
			return err_sys(e, errno, "etc/ssh/%s", de->d_name);
	if (!server)
		return 0;
	r = path_mkdirs_in(root, dir, 0755, 0, 0, e);
	if (r < 0)
		return r;
	close(r);
	return put(root, "etc/systemd/system/ssh.service.d/host-keys.conf", unit, 0644, e);
}

static int generalize(int root, const struct boot *b, struct err *e)
{
	static const char *const empty[] = {"dev", "proc", "sys", "run", "tmp", "var/tmp", "var/cache/apt", "var/lib/apt/lists",
					    "var/log/apt", "debootstrap"};
	static const char *const gone[] = {"etc/hostname", "var/log/bootstrap.log", "var/log/dpkg.log", "var/log/alternatives.log",
					   "var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "var/cache/ldconfig/aux-cache",
					   "var/lib/dpkg/status-old", "var/lib/dpkg/diversions-old", "etc/passwd-", "etc/shadow-", "etc/group-",
					   "etc/gshadow-"};
	int r;

	for (size_t i = 0; i < ARRAY_LEN(empty); i++)
		if ((r = empty_dir(root, empty[i], e)) < 0)
			return r;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		if (unlinkat(root, gone[i], 0) < 0 && errno != ENOENT && errno != ENOTDIR)
			return err_sys(e, errno, "%s", gone[i]);
	if (unlinkat(root, "debootstrap", AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, errno, "debootstrap");
	/* empty: systemd fills it in, and does not take the boot for a first one that enables everything */
	if ((r = put(root, "etc/machine-id", "", 0444, e)) < 0 || (r = put(root, "etc/resolv.conf", "", 0644, e)) < 0 ||
	    (r = put(root, "etc/fstab", "# A zone's file systems are its `filesystems` property.\n", 0644, e)) < 0 ||
	    (r = put(root, "etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", 0644, e)) < 0)
		return r;
	r = sources(root, b, e);
	return r < 0 ? r : ssh_keys(root, e);
}

static int fill(struct ctx *c, struct build *b, int ds, struct err *e)
{
	struct boot *bt = b->arg;
	bool disk = str_eq(bt->o->type, "zvol");
	const char *name = disk ? "tree" : "root";
	_free_ char *dir = xprintf("%s/%s", c->node.pool, b->tmp), *path = xprintf("%s/%s", dir, name);
	_fd_ int root = -1;
	int r;

	if (disk && mkdirat(ds, name, 0755) < 0)
		return err_sys(e, errno, "mkdir %s", name);
	root = openat(ds, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, errno, "open %s", name);
	r = run(c, bt, path, e);
	if (r == 0)
		r = generalize(root, bt, e);
	if (r == 0)
		import_describe(root, bt->o, b->manifest);
	return r == 0 && disk ? bootstrap_disk(c, dir, ds, b->manifest, e) : r;
}

int image_bootstrap(struct ctx *c, struct state *st, struct store *s, const char *suite, const char *mirror, const char *include,
		    const struct import_opts *o, char uuid[37], struct err *e)
{
	char own[64];
	struct boot bt = {.o = o, .suite = suite, .include = include};
	struct build b = {.st = st, .s = s, .fill = fill, .arg = &bt};
	_free_ char *name = NULL;
	int r;

	if (!suite) {
		r = host_suite(own, e);
		if (r < 0)
			return r;
		bt.suite = own;
	}
	if (!apt_word_ok(bt.suite, "-._"))
		return err_set(e, EINVAL, "\"%s\" is not a suite", bt.suite);
	if (include && !apt_word_ok(include, "+-.,"))
		return err_set(e, EINVAL, "\"%s\" is not a list of packages (a,b,c)", include);
	if (mirror && (strlen(mirror) >= sizeof bt.mirror || *mirror == '-'))
		return err_set(e, EINVAL, "\"%.100s\" is not a mirror", mirror);
	if (mirror)
		strcpy(bt.mirror, mirror);
	r = mirror ? 0 : host_mirror(bt.suite, bt.mirror, e);
	if (r == 0 && str_eq(o->type, "zvol"))
		r = bootstrap_disk_tools(e);
	if (r == 0)
		r = dir_make(c->node.log, 0700, e);
	if (r < 0)
		return r;
	snprintf(bt.log, sizeof bt.log, "%s/bootstrap.log", c->node.log);
	name = xprintf("debian-%s", bt.suite);
	r = import_manifest(o, name, "lx-dataset", &b.manifest, e);
	if (r == 0)
		r = image_build(c, &b, e);
	if (r == 0)
		snprintf(uuid, 37, "%s", b.uuid);
	json_decref(b.manifest);
	return r;
}
