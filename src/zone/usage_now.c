/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/usage_now.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/btrfs.h"
#include "zone/usage.h"
#include "zone/usage_net.h"

#define DELETED_MAX (64u << 20) /* bytes; then it becomes deleted.1 */

static int dir_open(const struct ctx *c)
{
	_free_ char *path = xprintf("%s/" USAGE_DIR, c->node.state);
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static void pool_fsid(const struct ctx *c, struct btrfs_fs *fs)
{
	_fd_ int fd = open(c->node.pool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || btrfs_fs_info(fd, fs) < 0)
		fs->fsid[0] = '\0';
}

static int open_at(const char *mount, const struct cg_host *h, const char *uuid, const char *file)
{
	_free_ char *path = *mount ? xprintf("%s/%s/%s/%s", mount, h->root, uuid, file) : NULL;

	return path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
}

void usage_zone_now(const struct ctx *c, const struct cg_host *h, const char *uuid, uint64_t init_start)
{
	_clean_(usage_src_done) struct usage_src src = USAGE_SRC_INIT;
	_fd_ int dir = -1;
	struct usage_sample s;
	struct btrfs_fs fs;
	uint8_t id[16];
	int r;

	src.cpu = open_at(h->v2, h, uuid, "cpu.stat");
	if (src.cpu < 0)
		return; /* it has used nothing, or that has been added */
	src.memory = h->v1[CG_MEMORY][0] ? open_at(h->v1[CG_MEMORY], h, uuid, "memory.usage_in_bytes") : open_at(h->v2, h, uuid, "memory.current");
	src.io = open_at(h->v2, h, uuid, "io.stat");
	if (src.io >= 0) {
		pool_fsid(c, &fs);
		usage_devs_find(fs.fsid, &src.devs);
	}
	r = dir = dir_open(c);
	if (r >= 0)
		r = usage_read(&src, c->bootid, &s);
	if (r == 0) {
		_free_ char *net = xprintf("%s/net", c->node.run);

		s.age_ms = usage_age(s.up_ns, init_start, (uint64_t)sysconf(_SC_CLK_TCK));
		usage_net_read(net, uuid, &s);
		usage_uuid(uuid, id);
		r = usage_add(dir, uuid, id, &s, true);
	}
	if (r < 0)
		ctx_log(c, LOG_WARN, "usage of VM %s: %s", uuid, strerror(-r));
}

void usage_stopped_now(const struct ctx *c, const char *uuid, uint32_t id_base, uint64_t created_ns)
{
	_fd_ int dir = -1, data = -1;
	struct usage_sample s;
	struct btrfs_fs fs;
	uint8_t id[16];
	int r;

	pool_fsid(c, &fs);
	data = usage_data_open(fs.fsid, id_base);
	/* no pool, or nothing on it yet: whoever finds it there counts this time too */
	if (data < 0 || usage_read_stopped(data, c->bootid, &s) < 0)
		return;
	s.age_ms = created_ns && s.wall_ns > created_ns ? (s.wall_ns - created_ns) / 1000000 : 0;
	usage_uuid(uuid, id);
	r = dir = dir_open(c);
	if (r >= 0)
		r = usage_add(dir, uuid, id, &s, true);
	if (r < 0)
		ctx_log(c, LOG_WARN, "usage of VM %s: %s", uuid, strerror(-r));
}

void usage_host_now(const struct ctx *c)
{
	static const uint8_t none[16];
	struct usage_sample s;
	struct btrfs_fs fs;
	_fd_ int dir = dir_open(c);
	int r = dir;

	pool_fsid(c, &fs);
	if (r >= 0)
		r = usage_read_host(fs.fsid, c->bootid, &s);
	if (r == 0)
		r = usage_add(dir, USAGE_HOST, none, &s, true);
	if (r < 0)
		ctx_log(c, LOG_WARN, "usage of the host: %s", strerror(-r));
}

int usage_retire(const struct ctx *c, const char *uuid, struct err *e)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	_fd_ int dir = dir_open(c), one = -1, to = -1;
	_free_ char *old = xprintf("%s.1", uuid);
	const char *from[] = {old, uuid};
	struct stat st;
	int r = 0;

	if (dir < 0)
		return err_sys(e, dir, "%s/" USAGE_DIR, c->node.state);
	/* one at a time, from the first look to the last unlink: two would both take it for theirs, or move the file away under the other */
	one = openat(dir, USAGE_DELETED ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (one < 0 || fcntl(one, F_OFD_SETLKW, &l) < 0)
		return err_sys(e, errno, "%s/" USAGE_DIR "/" USAGE_DELETED ".lock", c->node.state);
	if (fstatat(dir, USAGE_DELETED, &st, 0) == 0 && st.st_size > DELETED_MAX)
		renameat(dir, USAGE_DELETED, dir, USAGE_DELETED ".1");
	for (size_t i = 0; i < ARRAY_LEN(from) && r == 0; i++) {
		_buf_ struct buf b = BUF_INIT;

		r = file_read(dir, from[i], USAGE_SLOTS * sizeof(struct usage_rec) * 2, &b, NULL);
		if (r == -ENOENT) {
			r = 0;
			continue;
		}
		if (r == 0 && to < 0) {
			to = openat(dir, USAGE_DELETED, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
			r = to < 0 || fstat(to, &st) < 0 ? -errno : 0;
			/* half a record of a write that was cut off would put all behind it out of step */
			if (r == 0 && st.st_size % (off_t)sizeof(struct usage_rec))
				r = ftruncate(to, st.st_size - st.st_size % (off_t)sizeof(struct usage_rec)) < 0 ? -errno : 0;
		}
		b.len -= b.len % sizeof(struct usage_rec);
		if (r == 0)
			r = fd_write_all(to, buf_str(&b), b.len);
	}
	if (r == 0 && to >= 0 && fdatasync(to) < 0)
		r = -errno;
	for (size_t i = 0; i < ARRAY_LEN(from) && r == 0; i++)
		if (unlinkat(dir, from[i], 0) < 0 && errno != ENOENT)
			r = -errno;
	return r < 0 ? err_sys(e, r, "usage of VM %s", uuid) : 0;
}
