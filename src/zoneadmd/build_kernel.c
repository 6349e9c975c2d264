/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kernel's own filesystems. proc, sysfs, cgroup2 and mqueue show the namespaces of whoever mounts them, so the
 * keeper joins init's for a moment; but it mounts them in the build namespace with the rights of the first user
 * namespace, so that in the zone's copy they can't be taken away, remounted or uncovered.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/mount.h"
#include "kern/ns.h"
#include "kern/path.h"
#include "kern/pidfd.h"
#include "zoneadmd/zoneadmd.h"

#ifndef FSCONFIG_SET_FD
#define FSCONFIG_SET_FD 5
#endif
#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int join(struct boot *b, struct err *e)
{
	if (setns(b->init_fd, CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP) < 0)
		return err_sys(e, errno, "join the zone's namespaces");
	return 0;
}

static int leave(struct boot *b, struct err *e)
{
	if (setns(b->host, CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP) < 0)
		return err_sys(e, errno, "leave the zone's namespaces");
	return 0;
}

/* Equal but for the kind and number of blanks: the kernel prints tabs. */
static bool same_words(const char *a, const char *b)
{
	for (;;) {
		size_t n;

		a += strspn(a, " \t\n");
		b += strspn(b, " \t\n");
		n = strcspn(a, " \t\n");
		if (n != strcspn(b, " \t\n") || strncmp(a, b, n))
			return false;
		if (!n)
			return true;
		a += n;
		b += n;
	}
}

int sysctls_set(const struct zspec *z, int proc, struct err *e)
{
	for (unsigned i = 0; i < z->nsysctls; i++) {
		const struct zsysctl *s = &z->sysctls[i];
		_free_ char *path = xprintf("sys/%s", s->name);
		_fd_ int fd = -1;
		char now[256];
		ssize_t n;

		if (strstr(s->name, ".."))
			return err_set(e, EINVAL, "sysctl %s", s->name);
		fd = openat(proc, path, O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return err_sys(e, errno, "%s", path);
		n = write(fd, s->value, strlen(s->value));
		if (n != (ssize_t)strlen(s->value))
			return err_sys(e, n < 0 ? errno : EIO, "write \"%.64s\" to %s", s->value, path);
		n = pread(fd, now, sizeof now - 1, 0);
		if (n < 0)
			return err_sys(e, errno, "read %s", path);
		now[n] = 0;
		if (!same_words(now, s->value))
			return err_set(e, ERANGE, "sysctl %s: asked for %s, the kernel holds %s", s->name, s->value, now);
	}
	return 0;
}

static int mount_in(struct boot *b, const char *type, const char *source, bool ro, int *keep, int dir, const char *name,
		    struct err *e)
{
	_fd_ int m = mnt_new(type, source, NULL, false, SAFE | (ro ? MOUNT_ATTR_RDONLY : 0), e);
	int r = m < 0 ? m : mnt_attach_at(m, dir, name, e);

	if (r == 0 && keep)
		*keep = take_fd(&m);
	return r;
}

/* Linux 6.17 takes the pid namespace as a parameter. -EINVAL: this kernel does not. */
static int proc_of_namespace(struct boot *b)
{
	_fd_ int ns = ns_open(b->init, "pid", NULL), fs = fsopen("proc", FSOPEN_CLOEXEC);
	int m;

	if (ns < 0 || fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "proc", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FD, "pidns", NULL, ns) < 0)
		return -EINVAL;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	m = fsmount(fs, FSMOUNT_CLOEXEC, SAFE);
	return m < 0 ? -errno : m;
}

/*
 * Below that, proc shows the pid namespace that its mounter lives in, so a child is born there for as long as it takes.
 * It has our descriptors (CLONE_FILES): the mount is handed over by its number.
 */
static int proc_by_child(struct boot *b, struct err *e)
{
	int st = 0;
	pid_t pid;

	if (setns(b->init_fd, CLONE_NEWPID) < 0)
		return err_sys(e, errno, "join the zone's pid namespace");
	pid = pidfd_clone(CLONE_FILES, -1, NULL);
	if (pid == 0) {
		int m = mnt_new("proc", NULL, NULL, false, SAFE, NULL);

		_exit(m < 0 ? -m : dup3(m, FD_CONTROL, O_CLOEXEC) < 0 ? errno : 0);
	}
	if (setns(b->host, CLONE_NEWPID) < 0)
		return err_sys(e, errno, "leave the zone's pid namespace");
	if (pid < 0)
		return err_sys(e, (int)pid, "fork");
	while (waitpid(pid, &st, __WALL) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(st) || WEXITSTATUS(st))
		return err_sys(e, WIFEXITED(st) ? WEXITSTATUS(st) : EIO, "mount proc");
	st = fcntl(FD_CONTROL, F_DUPFD_CLOEXEC, FD_FREE);
	return st < 0 ? err_sys(e, errno, "mount proc") : st;
}

int build_proc(struct boot *b, struct err *e)
{
	b->proc = proc_of_namespace(b);
	if (b->proc == -EINVAL)
		b->proc = proc_by_child(b, e);
	else if (b->proc < 0)
		err_sys(e, b->proc, "mount proc");
	return b->proc < 0 ? b->proc : 0;
}

static int plain_folder(struct boot *b, const char *name, struct err *e)
{
	int fd = path_open_nolink(b->root, name, O_PATH | O_DIRECTORY, 0, NULL);

	if (fd == -ENOENT)
		fd = path_mkdirs_in(b->root, name, 0555, b->z.id_base, b->z.id_base, e);
	else if (fd < 0)
		err_sys(e, fd, "%s in the zone's root is not a folder", name);
	return fd;
}

static int filesystems(struct boot *b, struct err *e)
{
	_fd_ int p = plain_folder(b, "/proc", e);
	_fd_ int s = p < 0 ? -1 : plain_folder(b, "/sys", e);
	int r = p < 0 || s < 0 ? -e->code : 0;

	if (r == 0)
		r = mnt_attach(b->proc, p, e);
	if (r == 0) {
		b->sys = mnt_new("sysfs", NULL, NULL, false, SAFE | MOUNT_ATTR_RDONLY, e);
		r = b->sys < 0 ? b->sys : mnt_attach(b->sys, s, e);
	}
	if (r == 0)
		r = mount_in(b, "cgroup2", "cgroup2", false, NULL, b->sys, "fs/cgroup", e);
	if (r == 0 && !b->z.root_empty)
		r = mount_in(b, "mqueue", NULL, false, NULL, b->dev, "mqueue", e);
	return r;
}

static bool is_empty(int dir, const char *name)
{
	_fd_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char text[512] __attribute__((aligned(8)));
	int entries = 0;
	ssize_t n = fd < 0 ? -1 : 0;

	/* . and .. are two; not readdir(3), which allocates more than a dozen of these folders hold */
	while (fd >= 0 && entries < 3 && (n = getdents64(fd, text, sizeof text)) > 0)
		for (ssize_t at = 0; at < n; at += ((struct dirent64 *)(void *)(text + at))->d_reclen)
			entries++;
	return n == 0 && entries == 2;
}

/* Before Linux 6.15 a mount that is attached nowhere can't be cloned: the first cover of each kind is what the others copy. */
int build_cover(struct boot *b, bool folder, int on, struct err *e)
{
	bool *placed = folder ? &b->empty_placed : &b->null_placed;
	int with = folder ? b->empty : b->null, r;
	_fd_ int m = -1;

	if (!*placed) {
		r = mnt_attach(with, on, e);
		*placed = r == 0;
		return r;
	}
	m = mnt_clone(with, "", e);
	return m < 0 ? m : mnt_attach(m, on, e);
}

/*
 * Covers a name by nothing: a null device or an empty folder. Names that this kernel has not are fine. Each cover costs
 * two mounts for the life of the zone, so what there is nothing to see of goes without: a file that is the host root's
 * alone to read (its id has no meaning in the zone, and so no capability there reaches it), a folder where the host
 * mounts something and a sysfs of our own has nothing.
 */
static int mask(struct boot *b, int dir, const char *name, struct err *e)
{
	_fd_ int on = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (on < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "mask %s", name);
	if (fstat(on, &st) < 0)
		return err_sys(e, errno, "mask %s", name);
	if (S_ISDIR(st.st_mode) ? is_empty(dir, name) : !(st.st_mode & 0066))
		return 0;
	return build_cover(b, S_ISDIR(st.st_mode), on, e);
}

/* A folder of proc bound over itself with other flags. */
static int rebind(int dir, const char *name, uint64_t set, uint64_t clr, struct err *e)
{
	_fd_ int m = open_tree(dir, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int r;

	if (m < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "bind %s", name);
	r = mnt_attr(m, set, clr, -1, e);
	return r < 0 ? r : mnt_attach_at(m, dir, name, e);
}

static int masks(struct boot *b, struct err *e)
{
	static const char *const in_proc[] = {
		"acpi",	     "asound",	  "cmdline", "config.gz", "consoles",	 "driver", "interrupts",    "iomem",	 "ioports",
		"kallsyms",  "kcore",	  "key-users", "keys",	  "kmsg",	 "latency_stats", "mtrr",   "sched_debug",
		"scsi",	     "sysrq-trigger", "timer_list",
	};
	static const char *const in_sys[] = {
		"firmware",	  "fs/bpf", "fs/btrfs", /* what each zone has on the disk */ "fs/pstore", "kernel/debug", "kernel/tracing", "kernel/security", "kernel/boot_params",
		"devices/virtual/powercap", "devices/virtual/dmi",
	};
	static const char *const readonly[] = {"sys", "irq", "bus", "fs"};
	int r = 0;

	b->empty = own_folder(b->own, "empty", 0555, 0, e);
	r = b->empty < 0 ? b->empty : mnt_attr(b->empty, SAFE | MOUNT_ATTR_RDONLY, 0, -1, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(readonly); i++)
		r = rebind(b->proc, readonly[i], MOUNT_ATTR_RDONLY, 0, e);
	/* The network namespace is the zone's own, and so are its switches; the rest of /proc/sys stays closed. */
	if (r == 0)
		r = rebind(b->proc, "sys/net", 0, MOUNT_ATTR_RDONLY, e);
	/* but this one, which every network namespace shows and that is one for the host (Linux 5.15 to date) */
	if (r == 0)
		r = rebind(b->proc, "sys/net/netfilter/nf_hooks_lwtunnel", MOUNT_ATTR_RDONLY, 0, e);
	/* its reader asks twice, and ends beside the masks instead of after them */
	if (r == 0 && b->view_pid > 0)
		build_view_serve(b);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(in_proc); i++)
		r = mask(b, b->proc, in_proc[i], e);
	if (r == 0 && b->view_pid > 0)
		build_view_serve(b);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(in_sys); i++)
		r = mask(b, b->sys, in_sys[i], e);
	if (r == 0 && b->view < 0)
		r = mask(b, b->proc, "pressure", e);
	return r;
}

int build_kernel(struct boot *b, struct err *e)
{
	int r = join(b, e), back;

	if (r < 0)
		return r;
	r = filesystems(b, e);
	back = leave(b, r == 0 ? e : NULL);
	if (r == 0)
		r = back;
	if (r == 0 && b->view_pid > 0)
		r = build_view_serve(b);
	if (r == 0)
		r = masks(b, e);
	if (r == 0)
		r = build_view_files(b, e);
	return r;
}
