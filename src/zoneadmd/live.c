/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Mounts and devices of a running zone. Changed in the build namespace, of which the zone's is a slave: what is
 * attached here arrives there with its flags locked, which a mount made in the zone's own namespace would not have.
 *
 *	zoneadmd --live VERB INIT START KEEPER [NAME]                spec at 3, answer to 4
 *	zoneadmd --live remove-mounts INIT START KEEPER NAME…        begins when a letter comes at 3, ends when 3 is closed instead
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/mount.h"
#include "kern/ns.h"
#include "kern/path.h"
#include "kern/pidfd.h"
#include "zone/mountinfo.h"
#include "zoneadmd/zoneadmd.h"

#define MOUNTINFO_MAX (16u << 20)
#define FILE_MS       5000
#define NAMES_MAX     16

struct live {
	struct zspec z;
	int proc;       /* the host's /proc, for after we have left its mounts */
	int init_dir;   /* /proc/<init> in it: goes stale with the process, is never another's */
	int userns, build_ns, root;
	int run_dir;    /* the keeper's */
	const char *name;
	char **names;   /* mounts to be removed */
	size_t nnames;
	bool many;
};

/* Number behind "word" in the line of mountinfo for mount id, 0 = none. */
static unsigned group_of(const char *info, int id, const char *word)
{
	char start[24];

	for (const char *l = info; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
		size_t n = strcspn(l, "\n");
		const char *w;

		snprintf(start, sizeof start, "%d ", id);
		if (strncmp(l, start, strlen(start)))
			continue;
		w = memmem(l, n, word, strlen(word));
		return w ? (unsigned)strtoul(w + strlen(word), NULL, 10) : 0;
	}
	return 0;
}

static int shared_group(struct live *l, int mnt, struct err *e)
{
	_buf_ struct buf info = BUF_INIT;
	int id = mnt_id(mnt), r = file_read(l->proc, "self/mountinfo", MOUNTINFO_MAX, &info, e);
	unsigned g = r < 0 || id < 0 ? 0 : group_of(buf_str(&info), id, " shared:");

	return r < 0 ? r : g ? (int)g : err_set(e, ENOENT, "the mount is not in the zone's build namespace");
}

/* 1 if the zone has the slave of that group. */
static int in_zone(struct live *l, int group, struct err *e)
{
	_buf_ struct buf info = BUF_INIT;
	char word[32];
	int r = file_read(l->init_dir, "mountinfo", MOUNTINFO_MAX, &info, e);

	snprintf(word, sizeof word, " master:%d ", group);
	return r < 0 ? r : strstr(buf_str(&info), word) != NULL;
}

static int enter_build(struct live *l, struct err *e)
{
	if (setns(l->build_ns, CLONE_NEWNS) < 0)
		return err_sys(e, errno, "the zone's build namespace");
	l->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return l->root < 0 ? err_sys(e, errno, "the zone's root") : 0;
}

/* By descriptor, so that no name of the zone's is looked up between the check and the act. */
static int take_away(struct live *l, int mnt)
{
	char path[32];

	snprintf(path, sizeof path, "self/fd/%d", mnt);
	return fchdir(l->proc) < 0 || umount2(path, MNT_DETACH) < 0 ? -errno : 0;
}

static int add_mount(struct live *l, struct err *e)
{
	const struct zmount *m = l->z.mounts;
	_fd_ int fd = -1, on = -1;
	int r;

	if (l->z.nmounts != 1 || m->flags & ZM_MASK)
		return err_set(e, EINVAL, "one mount at a time");
	/* an overlay is put together on a staging place, which is nobody else's business */
	if (m->kind == ZM_OVERLAY && (unshare(CLONE_NEWNS) < 0 || mnt_propagation("/", MS_PRIVATE, NULL) < 0))
		return err_sys(e, errno, "mount namespace");
	fd = zmount_make(m, l->z.id_base, l->userns, e);
	r = fd < 0 ? fd : enter_build(l, e);
	if (r < 0)
		return r;
	on = zmount_target(l->root, m->target, m->flags & ZM_FILE, l->z.id_base, e);
	if (on < 0)
		return on;
	r = mounts_add(l->run_dir, fd, m->target, e);
	if (r == 0)
		r = mnt_attach(fd, on, e);
	if (r == 0)
		r = shared_group(l, fd, e);
	if (r > 0)
		r = in_zone(l, r, e);
	if (r == 1)
		return 0;
	if (r == 0)
		err_set(e, EBUSY, "the mount does not reach the zone: it has made its own mounts private there");
	take_away(l, fd);
	mounts_forget(l->run_dir, m->target, NULL);
	return -e->code;
}

/* The mount of that record, wherever the zone has moved the folder it is on. -ENOENT: it is gone. */
static int find_mount(struct live *l, const struct mount_rec *m, struct err *e)
{
	_buf_ struct buf info = BUF_INIT;
	char point[PATH_MAX];
	int r = file_read(l->proc, "self/mountinfo", MOUNTINFO_MAX, &info, e), fd;

	if (r < 0)
		return r;
	r = mountinfo_point(buf_str(&info), m->id, point, sizeof point);
	if (r < 0)
		return err_set(e, -r, "%s is not mounted", l->name);
	fd = path_open_nolink(l->root, point, O_PATH, 0, NULL);
	if (fd < 0)
		return err_sys(e, fd, "%s", l->name);
	if (mnt_id(fd) == m->id && (!m->unique || mnt_unique(fd) == m->unique))
		return fd;
	r = mnt_id(fd) == m->id ? ENOENT : EBUSY;
	close(fd);
	return err_set(e, r, r == EBUSY ? "%s is covered by another mount" : "%s is not mounted", l->name);
}

/*
 * 1: the zone sees more of what that mount showed than we still show it; it has made the mount private, or bound it
 * elsewhere. before: our mountinfo with the mount in it.
 */
static int keeps_copy(struct live *l, const char *before, int id, struct err *e)
{
	_buf_ struct buf theirs = BUF_INIT, ours = BUF_INIT;
	int r = file_read(l->init_dir, "mountinfo", MOUNTINFO_MAX, &theirs, e);

	if (r == 0)
		r = file_read(l->proc, "self/mountinfo", MOUNTINFO_MAX, &ours, e);
	if (r < 0)
		return r;
	return mountinfo_tree(buf_str(&theirs), before, id) > mountinfo_tree(buf_str(&ours), before, id);
}

/* A folder that we made for a snapshot goes with it; if the zone has put something of its own there, that stays. */
static void checkpoint_gone(struct live *l)
{
	static const char dir[] = "/checkpoints";
	size_t n = sizeof dir - 1;
	_fd_ int fd = -1;

	if (strncmp(l->name, dir, n) || l->name[n] != '/' || !l->name[n + 1] || strchr(l->name + n + 1, '/'))
		return;
	fd = path_open_nolink(l->root, dir, O_PATH | O_DIRECTORY, 0, NULL);
	if (fd >= 0)
		unlinkat(fd, l->name + n + 1, AT_REMOVEDIR);
}

/* 1 = it was taken away. */
static int take_named(struct live *l, struct mount_rec *m, struct err *e)
{
	_fd_ int at = -1;
	int r = mounts_find(l->run_dir, l->name, m, e);

	if (r < 0)
		return r;
	at = find_mount(l, m, e);
	if (at == -ENOENT)
		mounts_forget(l->run_dir, l->name, NULL);
	if (at < 0)
		return at;
	r = take_away(l, at);
	return r < 0 ? err_sys(e, r, "unmount %s", l->name) : 1;
}

static int taken(struct live *l, const char *before, const struct mount_rec *m, struct err *e)
{
	int r = keeps_copy(l, before, m->id, e);

	if (r == 1) {
		err_set(e, EBUSY, "the running zone keeps a copy of the mount at %s", l->name);
		return err_hint(e, "It goes with the next reboot of the zone.");
	}
	if (r == 0)
		checkpoint_gone(l);
	return r < 0 ? r : mounts_forget(l->run_dir, l->name, e);
}

/* The last first. Of several those that are not there are none. */
static int remove_mounts(struct live *l, struct err *e)
{
	_buf_ struct buf before = BUF_INIT;
	struct mount_rec m[NAMES_MAX];
	bool gone[NAMES_MAX] = {false};
	int r = enter_build(l, e);

	if (r == 0)
		r = file_read(l->proc, "self/mountinfo", MOUNTINFO_MAX, &before, e);
	for (size_t i = l->nnames; i-- > 0 && r == 0;) {
		l->name = l->names[i];
		r = take_named(l, &m[i], e);
		gone[i] = r == 1;
		if (r == 1 || (r == -ENOENT && l->many))
			r = 0;
	}
	for (size_t i = l->nnames; i-- > 0 && r == 0;) {
		l->name = l->names[i];
		if (gone[i])
			r = taken(l, buf_str(&before), &m[i], e);
	}
	return r;
}

static int open_dev(struct live *l, struct err *e)
{
	int fd;
	int r = enter_build(l, e);

	if (r < 0)
		return r;
	fd = path_open_nolink(l->root, "/dev", O_PATH | O_DIRECTORY, 0, e);
	return fd;
}

static int add_dev(struct live *l, struct err *e)
{
	_fd_ int dev = -1;

	if (l->z.ndevs != 1)
		return err_set(e, EINVAL, "one device at a time");
	umask(0);
	dev = open_dev(l, e);
	return dev < 0 ? dev : dev_make(dev, l->z.devs, l->z.id_base, e);
}

static int remove_dev(struct live *l, struct err *e)
{
	_fd_ int dev = open_dev(l, e), dir = -1;
	_free_ char *path = xstrdup(l->name);
	char *slash = strrchr(path, '/');
	struct stat st;

	if (dev < 0)
		return dev;
	if (slash)
		*slash++ = 0;
	dir = path_open_in(dev, slash ? path : "/", O_PATH | O_DIRECTORY, 0, NULL);
	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return err_sys(e, dir, "/dev/%s", l->name);
	slash = slash ? slash : path;
	if (fstatat(dir, slash, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "/dev/%s", l->name);
	/* The zone's root may have put something else there, which is its own. */
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return 0;
	return unlinkat(dir, slash, 0) < 0 ? err_sys(e, errno, "remove /dev/%s", l->name) : 0;
}

/*
 * As the zone's root, inside: whatever lies in the way there is the zone's own. In a child, for the way back out of a user namespace is
 * barred; it is killed when the zone's file system (it may be one that the zone serves itself) does not answer.
 */
static void file_child(const struct live *l, int mnt)
{
	static const struct rlimit small = {1 << 20, 1 << 20};
	struct err e = ERR_INIT;
	int r;

	setrlimit(RLIMIT_FSIZE, &small);
	if (setns(l->userns, CLONE_NEWUSER) < 0 || setns(mnt, CLONE_NEWNS) < 0 || setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 ||
	    setresuid(0, 0, 0) < 0 || chdir("/") < 0)
		_exit(errno);
	umask(022);
	r = init_file(l->z.files, &e);
	_exit(-r);
}

static int write_file(struct live *l, struct err *e)
{
	_fd_ int mnt = openat(l->init_dir, "ns/mnt", O_RDONLY | O_CLOEXEC), pidfd = -1;
	int status = 0;
	pid_t pid;

	if (mnt < 0 || l->z.nfiles != 1)
		return err_sys(e, mnt < 0 ? errno : EINVAL, "the zone's mounts");
	pid = pidfd_clone(0, -1, &pidfd);
	if (pid == 0)
		file_child(l, mnt);
	if (pid < 0)
		return err_sys(e, errno, "clone");
	if (pidfd_wait(pidfd, FILE_MS) != 0) {
		kill(pid, SIGKILL);
		return err_set(e, ETIMEDOUT, "the zone does not let it be written");
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return err_set(e, ECHILD, "its writer was killed");
	return WEXITSTATUS(status) ? err_sys(e, WEXITSTATUS(status), "its file system") : 0;
}

static int prepare(struct live *l, char **argv, struct err *e)
{
	pid_t init = atoi(argv[3]);
	char path[48];

	l->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof path, "%d", (int)init);
	l->init_dir = openat(l->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->init_dir < 0 || pid_start(init, NULL) != strtoull(argv[4], NULL, 10))
		return err_set(e, ESRCH, "the zone is not running");
	l->userns = ns_open(init, "user", e);
	if (l->userns < 0)
		return l->userns;
	snprintf(path, sizeof path, "/proc/%d/fd/%d", atoi(argv[5]), FD_RUN);
	l->run_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->run_dir < 0)
		return err_set(e, ESTALE, "the zone's keeper has ended");
	snprintf(path, sizeof path, "/proc/%d/fd/%d", atoi(argv[5]), FD_BUILD_NS);
	l->build_ns = open(path, O_RDONLY | O_CLOEXEC);
	if (l->build_ns < 0) {
		err_set(e, ESTALE, "the zone's build namespace was lost with its keeper and worker");
		return err_hint(e, "mounts and devices change with the next reboot of the zone");
	}
	return l->nnames ? 0 : spec_read(&l->z, e);
}

/* It was begun ahead: what it acts on is looked at when it is wanted. false: who began it has closed this instead. */
static bool wanted(void)
{
	char go;

	return read(3, &go, 1) == 1;
}

int live_main(int argc, char **argv)
{
	static const struct {
		const char *verb;
		int least, most;
		int (*run)(struct live *, struct err *);
	} verbs[] = {{"add-mount", 6, 6, add_mount}, {"remove-mount", 7, 7, remove_mounts}, {"remove-mounts", 7, 6 + NAMES_MAX, remove_mounts},
		   {"add-dev", 6, 6, add_dev}, {"remove-dev", 7, 7, remove_dev}, {"write-file", 6, 6, write_file}};
	struct live l = {.userns = -1, .build_ns = -1, .root = -1, .run_dir = -1, .name = argc > 6 ? argv[6] : NULL};
	struct err e = ERR_INIT;

	if (fds_reserve() < 0)
		return 1;
	err_set(&e, EINVAL, "verb %s", argv[2]);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].verb, argv[2]) || argc < verbs[i].least || argc > verbs[i].most)
			continue;
		e = ERR_INIT;
		if (verbs[i].run == remove_mounts) {
			l.names = argv + 6;
			l.nnames = (size_t)(argc - 6);
			l.many = verbs[i].most > 7;
		}
		if (l.many && !wanted())
			return 0;
		if (prepare(&l, argv, &e) == 0 && verbs[i].run(&l, &e) == 0)
			return write(FD_STATUS, "ok\n", 3) != 3;
	}
	say_err(FD_STATUS, &e);
	return 1;
}
