/* SPDX-License-Identifier: MPL-2.0 */
/* The mounts of the spec, and /.zonecontrol: what the zone may know of itself, and the programs we lend it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/mount.h"
#include "kern/path.h"
#include "kern/sock.h"
#include "zone/mdata.h"
#include "zone/numbers.h"
#include "zoneadmd/zoneadmd.h"

static uint64_t attrs(unsigned flags)
{
	return (flags & ZM_RO ? MOUNT_ATTR_RDONLY : 0) | (flags & ZM_NODEV ? MOUNT_ATTR_NODEV : 0) |
	       (flags & ZM_NOSUID ? MOUNT_ATTR_NOSUID : 0) | (flags & ZM_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

int zmount_make(const struct zmount *m, uint32_t id_base, int userns, struct err *e)
{
	_free_ char *opts = NULL;
	_fd_ int fd = -1;
	int r;

	switch (m->kind) {
	case ZM_BIND:
		fd = open_tree(AT_FDCWD, m->source ?: "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (fd < 0)
			return err_sys(e, errno, "source %s", m->source ?: "(none)");
		break;
	case ZM_TMPFS:
		opts = xprintf("%s%suid=%u,gid=%u", m->data ?: "", m->data && *m->data ? "," : "", id_base, id_base);
		fd = mnt_new("tmpfs", m->source && *m->source ? m->source : "tmpfs", opts, false, 0, e);
		break;
	case ZM_OVERLAY:
		fd = overlay_view(m->source ?: "", id_base, userns, e);
		break;
	case ZM_FOLDER:
		return err_set(e, EINVAL, "a folder of a tmpfs is made at boot only");
	case ZM_FS:
		fd = mnt_new(m->fstype ?: "", m->source, m->data, m->flags & ZM_RO, 0, e);
		break;
	}
	if (fd < 0)
		return fd;
	r = mnt_attr(fd, attrs(m->flags), 0, m->flags & ZM_IDMAP && m->kind != ZM_TMPFS && m->kind != ZM_OVERLAY ? userns : -1, e);
	return r < 0 ? r : take_fd(&fd);
}

static int make_file(int dir, const char *name, uint32_t id_base)
{
	int fd = openat(dir, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

	if (fd < 0 && errno == EOVERFLOW) { /* an idmapped folder: see mkdir_as() in kern/path.c */
		setfsgid(id_base);
		setfsuid(id_base);
		fd = openat(dir, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
		if (fd < 0)
			fd = -errno;
		setfsuid(0);
		setfsgid(0);
	} else if (fd < 0) {
		fd = -errno;
	} else if (fchown(fd, id_base, id_base) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static bool in_kernel_fs(int fd)
{
	static const unsigned long magic[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(magic); i++)
		if ((unsigned long)fs.f_type == magic[i])
			return true;
	return false;
}

int zmount_target(int root, const char *target, bool file, uint32_t id_base, struct err *e)
{
	_free_ char *path = xstrdup(target);
	_fd_ int dir = -1;
	struct stat st;
	char *slash;
	int fd, r;

	if (*target != '/')
		return err_set(e, EINVAL, "target %s is not an absolute path", target);
	fd = path_open_in(root, target, O_PATH, 0, NULL);
	if (fd == -ENOENT && !file)
		return path_mkdirs_in(root, target, 0755, id_base, id_base, e);
	if (fd == -ENOENT) {
		slash = strrchr(path, '/');
		*slash = 0;
		dir = path_mkdirs_in(root, *path ? path : "/", 0755, id_base, id_base, e);
		if (dir < 0)
			return dir;
		r = make_file(dir, slash + 1, id_base);
		if (r < 0 && r != -EEXIST)
			return err_sys(e, r, "make %s", target);
		fd = path_open_in(root, target, O_PATH, 0, NULL);
	}
	if (fd < 0)
		return err_sys(e, fd, "target %s", target);
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) == file) {
		close(fd);
		return err_sys(e, file ? EISDIR : ENOTDIR, "target %s", target);
	}
	/* a link of the zone's may have led there; what covers the kernel's own files is made by us alone */
	if (in_kernel_fs(fd)) {
		close(fd);
		return err_set(e, ELOOP, "target %s leads into a file system of the kernel's", target);
	}
	return fd;
}

/* Hides what is there; what is not there needs no hiding. */
static int mask_target(struct boot *b, const struct zmount *m, struct err *e)
{
	_fd_ int on = path_open_in(b->root, m->target, O_PATH, 0, NULL);
	struct stat st;

	if (on == -ENOENT)
		return 0;
	if (on < 0 || fstat(on, &st) < 0)
		return err_sys(e, on < 0 ? on : errno, "mask %s", m->target);
	return build_cover(b, S_ISDIR(st.st_mode), on, e);
}

static int folder(struct boot *b, unsigned i, struct err *e)
{
	const struct zmount *m = &b->z.mounts[i];
	bool all = !strcmp(m->source ?: "", "all");
	char name[12], *end = NULL;
	unsigned long mode = strtoul(m->data ?: "", &end, 8);
	_fd_ int fd = -1;
	int r;

	if (end == m->data || *end || mode > 07777 || (all ? b->all < 0 : strcmp(m->source ?: "", "own")))
		return err_set(e, EINVAL, "folder of mode \"%s\" in \"%s\"", m->data ?: "", m->source ?: "");
	snprintf(name, sizeof name, "%u", i);
	fd = own_folder(all ? b->all : b->own, name, (unsigned)mode, b->z.id_base, e);
	r = fd < 0 ? fd : mnt_attr(fd, attrs(m->flags), 0, -1, e);
	return r < 0 ? r : take_fd(&fd);
}

static int one(struct boot *b, unsigned i, struct err *e)
{
	const struct zmount *m = &b->z.mounts[i];
	_fd_ int fd = -1, on = -1;

	if (m->flags & ZM_MASK)
		return mask_target(b, m, e);
	fd = m->kind == ZM_FOLDER ? folder(b, i, e) : zmount_make(m, b->z.id_base, b->userns, e);
	if (fd == -ENOENT && m->flags & ZM_OPTIONAL)
		return 0;
	if (fd < 0)
		return fd;
	if (m->flags & ZM_LIVE) {
		b->live[i] = take_fd(&fd);
		return 0;
	}
	on = zmount_target(b->root, m->target, m->flags & ZM_FILE, b->z.id_base, e);
	return on < 0 ? on : mnt_attach(fd, on, e);
}

int build_mounts(struct boot *b, struct err *e)
{
	b->live = xalloc((b->z.nmounts + 1) * sizeof *b->live);
	for (unsigned i = 0; i < b->z.nmounts; i++)
		b->live[i] = -1;
	for (unsigned i = 0; i < b->z.nmounts; i++)
		if (one(b, i, e) < 0)
			return err_add(e, "mount %s", b->z.mounts[i].target);
	return 0;
}

int build_live(struct boot *b, struct err *e)
{
	_buf_ struct buf list = BUF_INIT;

	for (unsigned i = 0; i < b->z.nmounts; i++)
		if (b->live[i] >= 0)
			mounts_line(b->live[i], b->z.mounts[i].target, &list);
	if (mounts_put(b->run_dir, &list, e) < 0)
		return -e->code;
	for (unsigned i = 0; i < b->z.nmounts; i++) {
		const struct zmount *m = &b->z.mounts[i];
		_fd_ int on = -1;
		int r;

		if (b->live[i] < 0)
			continue;
		on = zmount_target(b->root, m->target, m->flags & ZM_FILE, b->z.id_base, e);
		r = on < 0 ? on : mnt_attach(b->live[i], on, e);
		own_fd(&b->live[i]);
		if (r < 0)
			return err_add(e, "mount %s", m->target);
	}
	return 0;
}

/*
 * The kernel has one boot id for all; a zone gets one of its own for each of its boots, or its journal could not tell
 * them apart. Read-only and locked, as the rest of /proc/sys.
 */
static int boot_id(struct boot *b, int control, struct err *e)
{
	_fd_ int m = -1, on = openat(b->proc, "sys/kernel/random/boot_id", O_PATH | O_CLOEXEC);
	_fd_ int file = openat(control, "boot_id", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	char id[38];
	int r;

	if (on < 0 || file < 0)
		return err_sys(e, errno, "boot id");
	uuid_make(id);
	strcat(id, "\n");
	r = fd_write_all(file, id, strlen(id));
	if (r < 0)
		return err_sys(e, r, "boot id");
	m = mnt_clone(control, "boot_id", e);
	if (m < 0)
		return m;
	r = mnt_attr(m, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, -1, e);
	return r < 0 ? r : mnt_attach(m, on, e);
}

/* The zone's own numbers: a file of its view. */
static int numbers(struct boot *b, int control, struct err *e)
{
	_fd_ int m = -1, file = -1;

	if (b->view < 0)
		return 0;
	file = openat(control, NUMBERS_FILE, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (file < 0)
		return err_sys(e, errno, "/.zonecontrol/" NUMBERS_FILE);
	m = mnt_clone(b->view, NUMBERS_FILE, e);
	return m < 0 ? m : mnt_attach(m, file, e);
}

/* Where the zone's root, and nobody else, asks for the zone's metadata. A machine has no use for it: its guest is not in here. */
static int metadata(struct boot *b, int control, struct err *e)
{
	if (b->z.root_empty)
		return 0;
	b->mdata = sock_serve(control, MDATA_SOCK, e);
	if (b->mdata >= 0 && fchownat(control, MDATA_SOCK, b->z.id_base, b->z.id_base, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "/.zonecontrol/" MDATA_SOCK);
	return b->mdata < 0 ? b->mdata : 0;
}

static int native_mount(const struct boot *b, struct err *e)
{
	_free_ char *zone = xprintf("%s/zone", b->libexec);
	_fd_ int m = mnt_clone(AT_FDCWD, zone, e);
	int r = m < 0 ? m : mnt_attr(m, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, -1, e);

	return r < 0 ? r : take_fd(&m);
}

/* A folder of the root that nothing of the zone's leads elsewhere; made if it is not there. */
static int own_place(const struct boot *b, const char *path, struct err *e)
{
	int on = path_open_nolink(b->root, path, O_PATH | O_DIRECTORY, 0, NULL);

	if (on == -ENOENT)
		return path_mkdirs_in(b->root, path, 0755, b->z.id_base, b->z.id_base, e);
	return on < 0 ? err_sys(e, on, "%s in the zone's root is not a folder", path) : on;
}

/* Where programs that know SmartOS's lx brand look: /native/usr, and /native/.zonecontrol. */
static int native_lx(const struct boot *b, int control, struct err *e)
{
	_fd_ int on = own_place(b, "/native", e), m = on < 0 ? on : native_mount(b, e);
	_fd_ int copy = m < 0 ? m : mnt_clone(control, "", e);
	int r = copy < 0 ? copy : mnt_attach(m, on, e);

	return r < 0 ? r : mnt_attach_at(copy, m, ".zonecontrol", e);
}

int build_control(struct boot *b, struct err *e)
{
	_buf_ struct buf text = BUF_INIT;
	_fd_ int m = own_folder(b->own, "control", 0755, 0, e);
	_fd_ int native = -1, on = -1, file = -1;
	int r = m < 0 ? m : mnt_attr(m, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, -1, e);

	if (r < 0)
		return r;
	native = native_mount(b, e);
	if (native < 0)
		return native;
	on = own_place(b, "/.zonecontrol", e);
	if (on < 0)
		return on;
	r = mnt_attach(m, on, e);
	if (r < 0)
		return r;
	buf_printf(&text, "zonename %s\nuuid %s\nzoneid %llu\nbrand %s\n", b->z.zonename ?: b->z.uuid, b->z.uuid,
		   (unsigned long long)b->z.zoneid, b->z.brand ?: "-");
	file = openat(m, "zone", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (file < 0 || fd_write_all(file, buf_str(&text), text.len) < 0 || mkdirat(m, "native", 0755) < 0)
		return err_sys(e, errno, "/.zonecontrol");
	r = boot_id(b, m, e);
	if (r < 0)
		return r;
	if (b->z.notify) {
		b->notify = sock_hear(m, "notify", b->z.id_base, e);
		if (b->notify < 0)
			return b->notify;
	}
	r = numbers(b, m, e);
	if (r == 0)
		r = metadata(b, m, e);
	if (r < 0)
		return r;
	own_fd(&file); /* an open writer would keep the mount from becoming read-only */
	/* a machine monitor has no use for programs */
	r = b->z.root_empty ? 0 : mnt_attach_at(native, m, "native", e);
	if (r == 0)
		r = mnt_attr(m, MOUNT_ATTR_RDONLY, 0, -1, e);
	return r == 0 && !strcmp(b->z.brand ?: "", "lx") ? native_lx(b, m, e) : r;
}
