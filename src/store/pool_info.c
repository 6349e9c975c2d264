/* SPDX-License-Identifier: MPL-2.0 */
/* What the pool says about itself: status, warnings, and the records that lie in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "store/pool.h"

static unsigned level(const struct statvfs *v, uint64_t *size, uint64_t *used)
{
	unsigned percent;

	*size = (uint64_t)v->f_blocks * v->f_frsize;
	*used = (uint64_t)(v->f_blocks - v->f_bavail) * v->f_frsize;
	percent = *size ? (unsigned)((double)*used * 100 / (double)*size) : 0;
	return percent >= 95 ? 95 : percent >= 90 ? 90 : percent >= 80 ? 80 : 0;
}

unsigned store_warn(const struct ctx *c, const struct store *s)
{
	struct statvfs v;
	uint64_t size, used;
	unsigned w;
	char text[16];

	if (fstatvfs(s->fd, &v) < 0)
		return 0;
	w = level(&v, &size, &used);
	if (w)
		ctx_log(c, LOG_WARN, "the pool is more than %u %% full: %s are left", w, str_from_bytes(size - used, text));
	return w;
}

int pool_status(struct ctx *c, struct pool_status *out, struct err *e)
{
	static const char *const kind[] = {"file", "devices", "folder"};
	struct pool_status st = {.state = "MISSING"};
	struct pool_conf p;
	struct store *s = NULL;
	struct statvfs v;
	int r = pool_conf_load(c, &p, e);

	if (r == -ENOENT) {
		err_set(e, ENODEV, "this node has no pool");
		err_hint(e, "cloister pool create makes one; cloister pool import takes one that exists");
		return -ENODEV;
	}
	if (r < 0)
		return r;
	snprintf(st.driver, sizeof st.driver, "%s", p.driver);
	snprintf(st.fsid, sizeof st.fsid, "%s", p.fsid);
	snprintf(st.quota, sizeof st.quota, "%s", p.quota);
	snprintf(st.kind, sizeof st.kind, "%s", kind[p.kind]);
	for (size_t i = 0, n = 0; i < p.ndevs && n < sizeof st.backing; i++)
		n += (size_t)snprintf(st.backing + n, sizeof st.backing - n, "%s%s", i ? " " : "", p.dev[i]);
	if (p.state != POOL_ONLINE)
		strcpy(st.state, p.state == POOL_CREATING ? "CREATING" : "DESTROYING");
	else if (store_open(c, &s, NULL) == 0) {
		if (fstatvfs(s->fd, &v) < 0)
			r = err_sys(e, errno, "%s", c->node.pool);
		strcpy(st.state, "ONLINE");
		st.caps = s->caps;
		st.reserve = reserve_size(s->fd);
		if (r == 0)
			st.warn = level(&v, &st.size, &st.used);
		if (r == 0)
			r = s->ops->status(s->fd, &p, &st, e);
		if (r == 0 && !strcmp(st.state, "ONLINE") && !st.reserve)
			strcpy(st.state, "FULL");
		if (r == 0 && (v.f_flag & ST_RDONLY))
			strcpy(st.state, "READONLY"); /* the file system gave up after an error */
		store_close(&s);
	}
	if (r == 0)
		*out = st;
	return r;
}

int pool_each_vm(struct store *s, int (*each)(const char *uuid, void *arg), void *arg, struct err *e)
{
	_dir_ DIR *d = NULL;
	int fd = store_dir_open(s->fd, "."), r = 0;

	if (fd < 0)
		return err_sys(e, fd, "pool");
	d = dir_of(fd);
	if (!d)
		return err_sys(e, errno, "pool");
	for (struct dirent *de; r >= 0 && (de = readdir(d));)
		if (uuid_valid(de->d_name))
			r = each(de->d_name, arg);
	return r < 0 ? r : 0;
}

struct records {
	struct store *s;
	int (*each)(const char *uuid, const char *json, size_t n, void *arg);
	void *arg;
};

static int record_of(const char *uuid, void *arg)
{
	struct records *a = arg;
	_buf_ struct buf b = BUF_INIT;
	char path[UUID_LEN + 32];
	_fd_ int conf = -1;

	snprintf(path, sizeof path, "%.36s/config", uuid);
	conf = store_dir_open(a->s->fd, path);
	if (conf < 0 || file_read(conf, "record.json", 16 << 20, &b, NULL) < 0)
		return a->each(uuid, NULL, 0, a->arg); /* a VM without a record: the caller decides */
	return a->each(uuid, buf_str(&b), b.len, a->arg);
}

int pool_each_record(struct store *s, int (*each)(const char *uuid, const char *json, size_t n, void *arg), void *arg, struct err *e)
{
	return pool_each_vm(s, record_of, &(struct records){s, each, arg}, e);
}
