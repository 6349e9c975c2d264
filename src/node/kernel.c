/* SPDX-License-Identifier: MPL-2.0 */
#include "node/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sum256.h"
#include "hvm/qemu.h"
#include "kern/diskfd.h"
#include "model/vm.h"

#define CHUNK (1u << 20)
#define NEW   "boot.new" /* in the folder of the copies: one that is not whole */

static const struct file {
	const char *name, *sum;
	unsigned fd;
	off_t max; /* QEMU has a kernel in its own memory, beside the guest's; an initrd it maps */
} files[] = {
	{"kernel", "kernel_sha256", QEMU_FD_KERNEL, 256 << 20},
	{"initrd", "initrd_sha256", QEMU_FD_INITRD, 1 << 30},
};

/* ---- the host's files ---- */

/* bzImage (the kernel's Documentation/arch/x86/boot.rst), or ELF, whose PVH note QEMU looks for; firmware by UEFI starts a bzImage that is a PE program too. */
static int is_kernel(int fd, bool uefi, struct err *e)
{
	unsigned char head[0x206];
	ssize_t n = pread(fd, head, sizeof head, 0);
	bool image = n == sizeof head && memcmp(head + 0x202, "HdrS", 4) == 0;

	if (n < 0)
		return err_sys(e, errno, "read it");
	if (uefi && (!image || memcmp(head, "MZ", 2) != 0))
		return err_set(e, EINVAL, "it is no kernel that UEFI starts (a bzImage with EFI's stub)");
	if (!image && (n < 4 || memcmp(head, "\177ELF", 4) != 0))
		return err_set(e, EINVAL, "it is no kernel: neither a bzImage nor an ELF file");
	return 0;
}

static int open_file(const struct file *f, const char *path, bool uefi, struct err *e)
{
	_fd_ int fd = -1;
	struct stat st;
	int r = 0;

	if (lstat(path, &st) < 0)
		return err_sys(e, errno, "%s: %s", f->name, path);
	if (S_ISLNK(st.st_mode)) {
		err_set(e, EINVAL, "%s: %s is a symbolic link", f->name, path);
		return err_hint(e, "Name what it leads to: readlink -f %s", path);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: %s is not a file", f->name, path);
	/* it may have become anything meanwhile: what was opened is looked at */
	fd = diskfd_open(path, true, e);
	if (fd < 0)
		return err_add(e, "%s", f->name);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s: %s", f->name, path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		r = err_set(e, EINVAL, S_ISREG(st.st_mode) ? "it is empty" : "it is not a file");
	else if (st.st_size > f->max)
		r = err_set(e, EFBIG, "it has more than %lld MiB", (long long)f->max >> 20);
	else if (f == files)
		r = is_kernel(fd, uefi, e);
	return r < 0 ? err_add(e, "%s: %s", f->name, path) : take_fd(&fd);
}

/* From its beginning on, max bytes at most: a file that grows has an end. */
static int sum_of(struct ctx *c, int fd, off_t max, char hex[SUM256_HEX + 1], struct err *e)
{
	struct sum256 s = SUM256_INIT;
	_free_ char *b = xalloc(CHUNK);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, b, CHUNK, at)) > 0) {
		sum256_add(&s, b, (size_t)n);
		at += n;
		if (at > max)
			return err_set(e, EFBIG, "it grows");
		if (ctx_check(c, e) < 0)
			return -e->code;
	}
	if (n < 0)
		return err_sys(e, errno, "read it");
	sum256_hex(&s, hex);
	return 0;
}

static bool uefi(const json_t *rec)
{
	return str_eq(vm_str(rec, "bootrom"), "uefi");
}

/* The file that the record names, and its sum. */
static int open_summed(struct ctx *c, const json_t *rec, const struct file *f, char hex[SUM256_HEX + 1], struct err *e)
{
	const char *path = vm_str(rec, f->name);
	_fd_ int fd = open_file(f, path, uefi(rec), e);
	int r = fd < 0 ? fd : sum_of(c, fd, f->max, hex, e);

	return fd < 0 ? fd : r < 0 ? err_add(e, "%s: %s", f->name, path) : take_fd(&fd);
}

/* "kernel-0123456789abcdef" */
static char *copy_name(const json_t *rec, const struct file *f)
{
	const char *sum = vm_str(rec, f->sum);

	return vm_str(rec, f->name) && sum ? xprintf("%s-%.16s", f->name, sum) : NULL;
}

/* What get printed comes back: then what is as it was is no wish. */
static bool named(const json_t *old, const json_t *payload, const char *name)
{
	const json_t *is = json_object_get(payload, name);

	return is && !(str_eq(vm_str(payload, "uuid"), vm_str(old, "uuid")) && json_equal(is, json_object_get(old, name)));
}

/* Another firmware may not start what this one did; what was named may be gone. */
static int suits_firmware(struct ctx *c, const json_t *rec, struct err *e)
{
	_free_ char *name = copy_name(rec, files), *path = xprintf("%s/%s/config/%s", c->node.pool, vm_str(rec, "uuid"), name ?: "");
	_fd_ int fd = name ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (fd < 0)
		return name ? err_sys(e, errno, "%s", path) : 0;
	return is_kernel(fd, true, e) < 0 ? err_add(e, "kernel: %s", vm_str(rec, "kernel")) : 0;
}

int kernel_check(struct ctx *c, const json_t *old, json_t *rec, const json_t *payload, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct file *f = &files[i];
		char hex[SUM256_HEX + 1];
		_fd_ int fd = -1;

		if (!vm_str(rec, f->name) || (old && !named(old, payload, f->name)))
			continue;
		fd = open_summed(c, rec, f, hex, e);
		if (fd < 0)
			return fd;
		json_object_set_new(rec, f->sum, json_string(hex));
	}
	return old && uefi(rec) && !uefi(old) && !named(old, payload, "kernel") ? suits_firmware(c, rec, e) : 0;
}

int kernel_here(struct ctx *c, const json_t *rec, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct file *f = &files[i];
		const char *path = vm_str(rec, f->name);
		char hex[SUM256_HEX + 1];
		_fd_ int fd = path ? open_summed(c, rec, f, hex, e) : -1;

		if (!path)
			continue;
		if (fd >= 0 && str_eq(hex, vm_str(rec, f->sum)))
			continue;
		if (fd >= 0)
			err_set(e, ESTALE, "%s: %s is another file here than the one that the machine was started with", f->name, path);
		return err_hint(e, "A kernel does not come along: put the same file there on both nodes.");
	}
	return 0;
}

void kernel_changed(const json_t *old, json_t *rec, json_t *changed, const char *now_iso)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *is = vm_str(rec, files[i].name);

		if (!is || !str_eq(is, vm_str(old, files[i].name)) || str_eq(vm_str(old, files[i].sum), vm_str(rec, files[i].sum)))
			continue;
		json_array_append_new(changed, json_string(files[i].name));
		json_object_set_new(rec, "last_modified", json_string(now_iso));
	}
}

/* ---- copies ---- */

static int folder(const struct vm *v, struct err *e)
{
	_free_ char *path = vm_path(v, "config");
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "%s", path) : fd;
}

/* Blocks are shared where it lies in the pool. */
static int fill(int to, int from, off_t max, struct err *e)
{
	_free_ char *b = NULL;
	off_t at = 0;
	ssize_t n;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	b = xalloc(CHUNK);
	while ((n = pread(from, b, CHUNK, at)) > 0 && at <= max) {
		int r = fd_write_all(to, b, (size_t)n);

		if (r < 0)
			return err_sys(e, r, "write its copy");
		at += n;
	}
	return n < 0 ? err_sys(e, errno, "read it") : 0;
}

/* Whoever has no name in the VM's id range reads it by its mode, through a descriptor: the folder is root's. */
static int copy(struct vm *v, int dir, const json_t *rec, const struct file *f, const char *name, struct err *e)
{
	const char *path = vm_str(rec, f->name);
	_fd_ int from = open_file(f, path, uefi(rec), e), to = -1;
	char hex[SUM256_HEX + 1];
	int r;

	if (from < 0)
		return from;
	if (unlinkat(dir, NEW, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", NEW);
	to = openat(dir, NEW, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (to < 0)
		return err_sys(e, errno, "%s", NEW);
	r = fill(to, from, f->max, e);
	if (r == 0)
		r = sum_of(v->c, to, f->max, hex, e);
	if (r == 0 && !str_eq(hex, vm_str(rec, f->sum))) {
		r = err_set(e, ESTALE, "%s is another file by now than the one that it was set to", path);
		err_hint(e, "vmadm update %s %s=%s takes it as it is.", v->uuid, f->name, path);
	}
	if (r == 0 && (fchmod(to, 0444) < 0 || fsync(to) < 0 || renameat(dir, NEW, dir, name) < 0 || fsync(dir) < 0))
		r = err_sys(e, errno, "its copy");
	if (r < 0)
		unlinkat(dir, NEW, 0);
	return r < 0 ? err_add(e, "%s", f->name) : 0;
}

int kernel_make(struct vm *v, const json_t *rec, struct err *e)
{
	_fd_ int dir = -1;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_free_ char *name = copy_name(rec, &files[i]);
		int r;

		if (name && dir < 0) {
			dir = folder(v, e);
			if (dir < 0)
				return dir;
		}
		if (!name || faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = copy(v, dir, rec, &files[i], name, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int kernel_tidy(struct vm *v, const json_t *rec, struct err *e)
{
	_free_ char *kernel = copy_name(rec, &files[0]), *initrd = copy_name(rec, &files[1]);
	_dir_ DIR *d = dir_of(folder(v, e));
	struct dirent *de;

	if (!d)
		return -ENOENT;
	while ((de = readdir(d))) {
		bool ours = str_starts(de->d_name, "kernel-") || str_starts(de->d_name, "initrd-") || str_eq(de->d_name, NEW);

		if (ours && !str_eq(de->d_name, kernel) && !str_eq(de->d_name, initrd) && unlinkat(dirfd(d), de->d_name, 0) < 0)
			return err_sys(e, errno, "%s", de->d_name);
	}
	return 0;
}

/* ---- what starts with them ---- */

static char *copy_path(const struct vm *v, const struct file *f)
{
	_free_ char *name = copy_name(v->rec, f), *below = name ? xprintf("config/%s", name) : NULL;

	return below ? vm_path(v, below) : NULL;
}

int kernel_spec(struct vm *v, void (*hand)(struct zspec *z, unsigned number, enum zfd_kind kind, const char *path), struct zspec *z, struct err *e)
{
	_free_ char *dir = vm_path(v, "config");
	/* at create the spec goes before the folder */
	int r = access(dir, F_OK) == 0 ? kernel_make(v, v->rec, e) : 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && r == 0; i++) {
		_free_ char *path = copy_path(v, &files[i]);

		if (path)
			hand(z, files[i].fd, ZFD_FILE_RO, path);
	}
	return r;
}

json_t *kernel_layout(const json_t *rec)
{
	if (!vm_str(rec, "kernel"))
		return NULL;
	return json_pack("{s:s*, s:s*, s:s*}", "kernel", vm_str(rec, "kernel_sha256"), "initrd", vm_str(rec, "initrd_sha256"), "args", vm_str(rec, "kernel_args"));
}

int kernel_fits(const json_t *layout, const json_t *rec, struct err *e)
{
	static const struct {
		const char *of, *name;
	} members[] = {{"kernel", "kernel"}, {"initrd", "initrd"}, {"args", "kernel_args"}};
	_json_ json_t *is = kernel_layout(rec);
	const json_t *had = json_object_get(layout, "kernel");

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (!str_eq(vm_str(had, members[i].of) ?: "", vm_str(is, members[i].of) ?: ""))
			return err_set(e, ESTALE, "the machine whose state this is was started with another %s, or one more or less", members[i].name);
	return 0;
}

bool kernel_started_with(const struct vm *v, const struct zspec *z)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_free_ char *path = copy_path(v, &files[i]);
		const char *had = NULL;

		for (unsigned k = 0; k < z->nfds; k++)
			if (z->fds[k].number == files[i].fd)
				had = z->fds[k].path;
		if (!str_eq(had ?: "", path ?: ""))
			return false;
	}
	return true;
}
