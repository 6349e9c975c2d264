/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine's disk from Debian's packages, without a device, a mount of it or a running guest: the root is made as a zone's is, mke2fs copies it
 * into the first partition of a sparse file, and GRUB's two parts are put where the BIOS and GRUB itself look for them.
 *
 *	sector 0       GRUB's boot.img, table of partitions
 *	sector 1…      its core, which knows ext4 and reads /boot/grub/grub.cfg
 *	1 MiB…         ext4
 *
 * grub.cfg is three lines that name /vmlinuz and /initrd.img, links that the kernel's package keeps: nothing in the guest has to write it anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/bootstrap.h"
#include "image/child.h"
#include "image/disk.h"
#include "kern/path.h"

#define MIB       1048576ULL
#define SECTOR    512
#define START     2048 /* sectors: where partitions begin since 2010 */
#define BOOT_CODE 440
#define GRUB_DIR  "/usr/lib/grub/i386-pc"
#define SIZE_MIB  2048

int bootstrap_disk_tools(struct err *e)
{
	static const struct {
		const char *program, *package;
	} need[] = {{"mke2fs", "e2fsprogs"}, {"grub-mkimage", "grub-common"}};

	for (size_t i = 0; i < ARRAY_LEN(need); i++) {
		_free_ char *p = child_find(need[i].program);

		if (p)
			continue;
		err_set(e, ENOPKG, "%s is not installed", need[i].program);
		return err_hint(e, "apt-get install %s", need[i].package);
	}
	if (access(GRUB_DIR "/boot.img", R_OK) == 0)
		return 0;
	err_sys(e, errno, "%s", GRUB_DIR "/boot.img");
	return err_hint(e, "apt-get install grub-pc-bin");
}

static int put(int root, const char *name, const char *text, struct err *e)
{
	_fd_ int fd = path_open_nolink(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644, e);
	int r = fd < 0 ? fd : fd_write_all(fd, text, strlen(text));

	return fd < 0 ? r : r < 0 ? err_sys(e, r, "%s", name) : 0;
}

static int folder(int root, const char *path, struct err *e)
{
	_fd_ int fd = path_mkdirs_in(root, path, 0755, 0, 0, e);

	return fd < 0 ? fd : 0;
}

/* What a machine needs that a zone does not. Packages' scripts have run in that root: no link of theirs leads anywhere else. */
static int settle(int root, const char *uuid, struct err *e)
{
	static const struct {
		const char *at, *to;
	} links[] = {{"etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"},
		     {"etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "/lib/systemd/system/systemd-networkd.service"}};
	_free_ char *fstab = xprintf("UUID=%s / ext4 errors=remount-ro 0 1\n", uuid);
	_free_ char *grub = xprintf("linux /vmlinuz root=UUID=%s ro console=tty0 console=ttyS0,115200\ninitrd /initrd.img\nboot\n", uuid);
	int r = put(root, "etc/fstab", fstab, e);

	if (r == 0)
		r = folder(root, "boot/grub", e);
	if (r == 0)
		r = put(root, "boot/grub/grub.cfg", grub, e);
	if (r == 0)
		r = folder(root, "etc/systemd/network", e);
	/* what cloud-init says of the network comes before this in the alphabet */
	if (r == 0)
		r = put(root, "etc/systemd/network/90-dhcp.network", "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n", e);
	/* root_authorized_keys are root's, as its name says, not only its first user's; there is no package locales to make one of */
	if (r == 0)
		r = folder(root, "etc/cloud/cloud.cfg.d", e);
	if (r == 0)
		r = put(root, "etc/cloud/cloud.cfg.d/90-machine.cfg", "disable_root: false\nlocale: false\n", e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(links); i++) {
		_free_ char *dir = xstrdup(links[i].at);
		char *name = strrchr(dir, '/');
		_fd_ int fd = -1;

		*name++ = 0;
		fd = r = path_open_nolink(root, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, e);
		if (r >= 0 && ((unlinkat(fd, name, 0) < 0 && errno != ENOENT) || symlinkat(links[i].to, fd, name) < 0))
			r = err_sys(e, errno, "%s", links[i].at);
		r = r < 0 ? r : 0;
	}
	return r;
}

static void keep_last(char *line, void *arg)
{
	snprintf(arg, 256, "%.255s", line);
}

static int tool(struct ctx *c, const char *const *argv, struct err *e)
{
	_clean_(child_end) struct child k = CHILD_INIT;
	static const char *const env[] = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	char last[256] = "";
	struct child_lines lines = {.line = keep_last, .arg = last, .log = -1};
	_fd_ int rd = -1;
	int p[2], fds[3] = {-1, -1, -1}, r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	rd = p[0];
	fds[1] = fds[2] = p[1];
	r = child_start(&k, argv, env, fds, 3, e);
	close(p[1]);
	if (r == 0)
		r = child_listen(c, rd, &lines, e);
	if (r < 0)
		return r;
	r = child_wait(&k);
	return r ? err_set(e, EIO, "%s: %s (status %d)", argv[0], *last ? last : "failed", r) : 0;
}

static void le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* core: what grub-mkimage made. It holds, as it comes, the numbers of the sectors that it is put to here. */
static int loader(int disk, const char *core, struct err *e)
{
	static const uint8_t chs[3] = {0xfe, 0xff, 0xff}; /* "see the numbers of sectors" */
	_buf_ struct buf boot = BUF_INIT, rest = BUF_INIT;
	uint8_t sector[SECTOR] = {0}, *part = sector + 446;
	int r = file_read(AT_FDCWD, GRUB_DIR "/boot.img", SECTOR, &boot, e);

	if (r == 0)
		r = file_read(AT_FDCWD, core, (START - 1) * SECTOR, &rest, e);
	if (r < 0)
		return r;
	if (boot.len < BOOT_CODE)
		return err_set(e, EBADMSG, GRUB_DIR "/boot.img is too short");
	memcpy(sector, boot.p, BOOT_CODE);
	part[0] = 0x80;
	memcpy(part + 1, chs, 3);
	part[4] = 0x83;
	memcpy(part + 5, chs, 3);
	le32(part + 8, START);
	le32(part + 12, (uint32_t)(SIZE_MIB * MIB / SECTOR - START));
	sector[510] = 0x55;
	sector[511] = 0xaa;
	if (pwrite(disk, sector, SECTOR, 0) != SECTOR || pwrite(disk, rest.p, rest.len, SECTOR) != (ssize_t)rest.len)
		return err_sys(e, errno, "the image's disk");
	return 0;
}

static int grub(struct ctx *c, const char *dir, int disk, struct err *e)
{
	_free_ char *prog = child_find("grub-mkimage"), *core = xprintf("%s/core", dir);
	const char *argv[] = {prog, "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)/boot/grub", "biosdisk", "part_msdos", "ext2", "normal", "configfile",
			      "linux", "search", "minicmd", NULL};
	int r = tool(c, argv, e);

	if (r == 0)
		r = loader(disk, core, e);
	unlink(core);
	return r;
}

int bootstrap_disk(struct ctx *c, const char *dir, int ds, json_t *manifest, struct err *e)
{
	_free_ char *tree = xprintf("%s/tree", dir), *file = xprintf("%s/root/" DISK_NAME, dir), *prog = child_find("mke2fs"),
		    *size = xprintf("%lluk", (SIZE_MIB * MIB - START * SECTOR) / 1024);
	char uuid[UUID_LEN + 1], offset[32];
	const char *argv[] = {prog, "-q", "-F", "-t", "ext4", "-m", "1", "-O", "^metadata_csum_seed,^orphan_file", "-L", "root", "-U", uuid, "-E", offset, "-d",
			      tree, file, size, NULL};
	_fd_ int root = openat(ds, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), disk = -1;
	int r;

	uuid_make(uuid);
	snprintf(offset, sizeof offset, "offset=%d", START * SECTOR);
	if (root < 0)
		return err_sys(e, errno, "tree");
	r = settle(root, uuid, e);
	if (r < 0)
		return r;
	disk = openat(ds, "root/" DISK_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (disk < 0 || ftruncate(disk, SIZE_MIB * MIB) < 0)
		return err_sys(e, errno, "the image's disk");
	if (c->progress)
		c->progress(c, "file system", 0, 0);
	r = tool(c, argv, e);
	if (r == 0)
		r = grub(c, dir, disk, e);
	if (r == 0)
		r = dir_remove(ds, "tree", e);
	if (r == 0)
		disk_describe(manifest, SIZE_MIB);
	return r;
}
