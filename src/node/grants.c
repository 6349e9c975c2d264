/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a record gives a zone of the host: filesystems, devices, and the types of file system that it may mount itself.
 * Whatever can't be given is refused here by name, before anything is changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/vm.h"

#define FUSE "/dev/fuse"
#define KVM  "/dev/kvm"

static int fs_option(const char *o, struct zmount *m, struct buf *data, struct err *e)
{
	static const struct {
		const char *word;
		unsigned set, clear;
	} words[] = {
		{"ro", ZM_RO, 0},          {"rw", 0, ZM_RO},         {"nodevices", ZM_NODEV, 0}, {"nodev", ZM_NODEV, 0},
		{"nosuid", ZM_NOSUID, 0},  {"nosetuid", ZM_NOSUID, 0}, {"noexec", ZM_NOEXEC, 0},   {"exec", 0, ZM_NOEXEC},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!strcmp(words[i].word, o)) {
			m->flags = (m->flags | words[i].set) & ~words[i].clear;
			return 0;
		}
	}
	if (m->kind == ZM_TMPFS && (str_starts(o, "size=") || str_starts(o, "mode="))) {
		buf_printf(data, "%s%s", data->len ? "," : "", o);
		return 0;
	}
	return err_set(e, EINVAL, "option \"%s\" is not one that a %s mount takes", o, m->fstype[0] ? m->fstype : "lofs");
}

int vm_fs_mount(const json_t *fs, struct zmount *m, struct err *e)
{
	const char *type = vm_str(fs, "type"), *source = vm_str(fs, "source"), *target = vm_str(fs, "target");
	_buf_ struct buf data = BUF_INIT;
	const json_t *o;
	size_t i;
	int r;

	/* a device node or a setuid file that the host has there is none of the zone's business unless asked for */
	*m = (struct zmount){.flags = ZM_NODEV | ZM_NOSUID};
	if (str_eq(type, "lofs")) {
		struct stat st;

		m->kind = ZM_BIND;
		m->flags |= ZM_IDMAP;
		if (stat(source ? source : "", &st) < 0)
			return err_sys(e, errno, "filesystem %s: source %s", target, source ? source : "(none)");
		if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
			return err_set(e, EINVAL, "filesystem %s: source %s is neither a folder nor a file", target, source);
		m->flags |= S_ISREG(st.st_mode) ? ZM_FILE : 0;
	} else if (str_eq(type, "tmpfs")) {
		m->kind = ZM_TMPFS;
	} else {
		struct stat st;

		if (stat(source ? source : "", &st) < 0)
			return err_sys(e, errno, "filesystem %s: source %s", target, source ? source : "(none)");
		if (!S_ISBLK(st.st_mode)) {
			err_set(e, ENOTBLK, "filesystem %s: source %s is not a block device", target, source);
			return S_ISREG(st.st_mode) ? err_hint(e, "For an image in a file: losetup -f --show %s", source) : -ENOTBLK;
		}
		m->kind = ZM_FS;
		m->flags |= ZM_IDMAP;
	}
	m->fstype = xstrdup(m->kind == ZM_BIND ? "" : type);
	json_array_foreach(json_object_get(fs, "options"), i, o)
	{
		r = fs_option(json_string_value(o) ?: "", m, &data, e);
		if (r < 0) {
			free(m->fstype);
			return err_add(e, "filesystem %s", target);
		}
	}
	m->source = xstrdup(source ? source : "");
	m->target = xstrdup(target);
	m->data = buf_take(&data);
	return 0;
}

/* A folder above path that nobody but root gets through. The last one doesn't count: its mode is the zone's to change. */
static bool shut_above(char *path)
{
	struct stat st;

	for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
		*slash = 0;
		if (lstat(path, &st) == 0 && st.st_uid == 0 && !(st.st_mode & (S_IXGRP | S_IXOTH)))
			return true;
	}
	return false;
}

bool vm_fs_lends_suid(const json_t *fs)
{
	const char *source = vm_str(fs, "source");
	_free_ char *real = NULL;
	struct statvfs sv;
	const json_t *o;
	size_t i;
	bool ro = false;

	if (!source || !str_eq(vm_str(fs, "type"), "lofs"))
		return false;
	json_array_foreach(json_object_get(fs, "options"), i, o)
		ro = ro || str_eq(json_string_value(o), "ro");
	if (ro || statvfs(source, &sv) < 0 || (sv.f_flag & (ST_NOSUID | ST_RDONLY)))
		return false;
	real = realpath(source, NULL);
	return real && !shut_above(real);
}

static bool has_fuse(const json_t *rec)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(rec, "devices"), i, d)
		if (str_eq(vm_str(d, "match"), FUSE))
			return true;
	return false;
}

static int device(const char *match, const char *mode, struct cg_dev *c, struct zdev *z, struct err *e)
{
	struct stat st;

	if (lstat(match, &st) < 0)
		return err_sys(e, errno, "device %s", match);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, ENODEV, "device %s: it is not a device node", match);
	*c = (struct cg_dev){S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev), minor(st.st_rdev), 6};
	*z = (struct zdev){
		.name = xstrdup(match + strlen("/dev/")),
		.type = S_ISCHR(st.st_mode) ? 'c' : 'b',
		.major = major(st.st_rdev),
		.minor = minor(st.st_rdev),
		.mode = mode ? (unsigned)strtoul(mode, NULL, 8) : 0600,
	};
	return 0;
}

int vm_devices(const json_t *rec, struct cg_dev **cg, size_t *ncg, struct zdev **dev, unsigned *ndev, struct err *e)
{
	const json_t *list = json_object_get(rec, "devices"), *d;
	size_t n = json_array_size(list), nstd, i, k = 0;
	const struct cg_dev *std = cg_devices_default(&nstd);
	struct cg_dev *c = xalloc((nstd + n + 2) * sizeof *c), *more = c + nstd;
	struct zdev *z = xalloc((n + 2) * sizeof *z);
	int r = 0;

	memcpy(c, std, nstd * sizeof *std);
	json_array_foreach(list, i, d)
	{
		r = device(vm_str(d, "match"), vm_str(d, "mode"), &more[k], &z[k], e);
		if (r < 0)
			break;
		k++;
	}
	if (r == 0 && vm_fs_allowed(rec, "fuse") && !has_fuse(rec)) {
		r = device(FUSE, "0666", &more[k], &z[k], e);
		if (r < 0)
			err_add(e, "fs_allowed fuse");
		else
			k++;
	}
	if (r == 0 && brand_hvm(brand_find(vm_str(rec, "brand"))) && !str_eq(vm_str(rec, "accelerator"), "tcg") && access(KVM, F_OK) == 0) {
		r = device(KVM, "0666", &more[k], &z[k], e);
		k += r == 0;
	}
	if (r < 0) {
		while (k > 0)
			free(z[--k].name);
		free(c);
		free(z);
		return r;
	}
	*cg = c;
	*ncg = nstd + k;
	*dev = z;
	*ndev = (unsigned)k;
	return 0;
}

/* Each word of fs_allowed, stored as SmartOS shows it: "fuse,tmpfs". A non-zero return of each ends the walk. */
static int each_allowed(const json_t *rec, int (*each)(const char *word, void *arg), void *arg)
{
	_free_ char *list = xstrdup(vm_str(rec, "fs_allowed") ?: "");
	char *save = NULL;
	int r = 0;

	for (char *w = strtok_r(list, ",", &save); w && r == 0; w = strtok_r(NULL, ",", &save))
		r = each(w, arg);
	return r;
}

static int is_word(const char *word, void *arg)
{
	return !strcmp(word, *(const char **)arg);
}

bool vm_fs_allowed(const json_t *rec, const char *type)
{
	return each_allowed(rec, is_word, &type);
}

/*
 * Those that the kernel lets the root of a user namespace mount (FS_USERNS_MOUNT). A zone needs nothing more for them
 * than it has, but for fuse, which needs its device.
 */
static const char *const in_userns[] = {"cgroup2", "devpts", "fuse", "mqueue", "overlay", "proc", "ramfs", "sysfs", "tmpfs"};

static bool kernel_has(const char *type)
{
	_buf_ struct buf b = BUF_INIT;
	_free_ char *line = xprintf("\t%s\n", type);

	return file_read(AT_FDCWD, "/proc/filesystems", 65536, &b, NULL) == 0 && strstr(buf_str(&b), line);
}

static int check_allowed(const char *word, void *arg)
{
	struct err *e = arg;

	for (size_t i = 0; i < ARRAY_LEN(in_userns); i++)
		if (!strcmp(word, in_userns[i]))
			return kernel_has(word) ? 0 : err_set(e, ENOTSUP, "fs_allowed: this kernel has no %s", word);
	err_set(e, ENOTSUP, "fs_allowed: the kernel lets nobody mount %s in a user namespace, which every zone is", word);
	return err_hint(e, "The host can mount ext4, xfs, btrfs, tmpfs and folders for a zone: see `filesystems` in vmadm(8).");
}

int vm_grants_check(const json_t *rec, struct err *e)
{
	return each_allowed(rec, check_allowed, e);
}
