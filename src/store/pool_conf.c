/* SPDX-License-Identifier: MPL-2.0 */
#include "store/pool_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

static const char *const kinds[] = {"file", "devices", "folder"};
static const char *const states[] = {"creating", "online", "destroying"};

static int word(const char *const *w, size_t n, const char *v)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(w[i], v))
			return (int)i;
	return -EINVAL;
}

static int text(char *to, size_t room, const char *v)
{
	if (strlen(v) >= room)
		return -EINVAL;
	strcpy(to, v);
	return 0;
}

static int line(struct pool_conf *p, const char *key, const char *v)
{
	int r = 0;

	if (!strcmp(key, "version"))
		return strcmp(v, "1") ? -ENOTSUP : 0;
	if (!strcmp(key, "driver"))
		return text(p->driver, sizeof p->driver, v);
	if (!strcmp(key, "fsid"))
		return !*v || uuid_valid(v) ? text(p->fsid, sizeof p->fsid, v) : -EINVAL;
	if (!strcmp(key, "node"))
		return text(p->node, sizeof p->node, v);
	if (!strcmp(key, "quota"))
		return text(p->quota, sizeof p->quota, v);
	if (!strcmp(key, "size"))
		return str_to_u64(v, &p->size);
	if (!strcmp(key, "kind")) {
		r = word(kinds, ARRAY_LEN(kinds), v);
		if (r >= 0)
			p->kind = (enum pool_kind)r;
	} else if (!strcmp(key, "state")) {
		r = word(states, ARRAY_LEN(states), v);
		if (r >= 0)
			p->state = (enum pool_state)r;
	} else if (!strcmp(key, "mirror")) {
		p->mirror = !strcmp(v, "yes");
	} else if (!strcmp(key, "backing")) {
		if (p->ndevs == POOL_DEVS_MAX || *v != '/')
			return -EINVAL;
		return text(p->dev[p->ndevs++], sizeof p->dev[0], v);
	} else {
		return -EINVAL;
	}
	return r < 0 ? r : 0;
}

int pool_conf_parse(const char *s, struct pool_conf *out, struct err *e)
{
	struct pool_conf p = {.state = POOL_ONLINE};
	_free_ char *copy = xstrdup(s);
	int r;

	for (char *save = NULL, *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *v = strchr(l, '=');

		if (*l == '#')
			continue;
		if (!v)
			return err_set(e, EINVAL, "line \"%.64s\" is not name=value", l);
		*v++ = 0;
		r = line(&p, l, v);
		if (r == -ENOTSUP)
			return err_set(e, ENOTSUP, "version \"%.16s\" is newer than this program", v);
		if (r < 0)
			return err_set(e, EINVAL, "\"%.32s=%.64s\" is not a setting of a pool", l, v);
	}
	if (!*p.driver)
		return err_set(e, EINVAL, "no driver is named");
	*out = p;
	return 0;
}

int pool_conf_load(const struct ctx *c, struct pool_conf *out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	char path[96];
	int r;

	snprintf(path, sizeof path, "%s/pool.conf", c->node.state);
	r = file_read(AT_FDCWD, path, 65536, &b, e);
	if (r < 0)
		return r;
	r = pool_conf_parse(buf_str(&b), out, e);
	return r < 0 ? err_add(e, "%s", path) : r;
}

static void print(const struct pool_conf *p, struct buf *b, bool where)
{
	buf_printf(b, "version=1\ndriver=%s\nkind=%s\nfsid=%s\nnode=%s\nquota=%s\nmirror=%s\n", p->driver, kinds[p->kind], p->fsid,
		   p->node, p->quota, p->mirror ? "yes" : "no");
	if (!where)
		return; /* the pool may be moved: where it is stands in the node's copy only */
	buf_printf(b, "state=%s\nsize=%llu\n", states[p->state], (unsigned long long)p->size);
	for (size_t i = 0; i < p->ndevs; i++)
		buf_printf(b, "backing=%s\n", p->dev[i]);
}

int pool_conf_save(const struct ctx *c, const struct pool_conf *p, int poolfd, struct err *e)
{
	_buf_ struct buf b = BUF_INIT, in = BUF_INIT;
	char path[128];
	int r;

	if (poolfd >= 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d/.cloister/pool.conf", poolfd);
		print(p, &in, false);
		r = file_replace(path, in.p, in.len, 0600, 1, e);
		if (r < 0)
			return err_add(e, "the pool's own pool.conf");
	}
	r = dir_make(c->node.state, 0700, e);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s/pool.conf", c->node.state);
	print(p, &b, true);
	return file_replace(path, b.p, b.len, 0600, 1, e);
}

int pool_conf_remove(const struct ctx *c, struct err *e)
{
	char path[96];

	snprintf(path, sizeof path, "%s/pool.conf", c->node.state);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", path);
	return 0;
}
