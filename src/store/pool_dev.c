/* SPDX-License-Identifier: MPL-2.0 */
/* Changes of a pool that is there: its size, its devices, and reading it all. And taking over one that another node made. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "store/pool.h"

struct change {
	struct pool_conf p;
	struct store *s;
	int lock;
	bool loaded;
};

static int begin(struct ctx *c, struct change *g, struct err *e)
{
	int r;

	*g = (struct change){.lock = -1};
	g->lock = pool_lock(c, e);
	if (g->lock < 0)
		return g->lock;
	r = store_open(c, &g->s, e);
	if (r == 0)
		r = pool_conf_load(c, &g->p, e);
	g->loaded = r == 0;
	return r;
}

/* The file says what is there, also after a change that failed half way (a device was added, mirroring was not done). */
static int end(struct ctx *c, struct change *g, int r, struct err *e)
{
	if (g->loaded) {
		int w = pool_conf_save(c, &g->p, g->s->fd, r < 0 ? NULL : e);

		if (r >= 0)
			r = w;
	}
	store_close(&g->s);
	own_fd(&g->lock);
	return r;
}

static int absolute_dev(const char *dev, struct err *e)
{
	return *dev == '/' ? 0 : err_set(e, EINVAL, "device \"%s\": an absolute path, please", dev);
}

int pool_grow(struct ctx *c, uint64_t size, struct err *e)
{
	struct change g;
	int r = begin(c, &g, e);

	if (r == 0)
		r = g.s->ops->grow(c, &g.p, g.s->fd, size, e);
	return end(c, &g, r, e);
}

int pool_add(struct ctx *c, const char *dev, bool mirror, bool force, struct err *e)
{
	struct change g;
	int r = begin(c, &g, e);

	if (r == 0)
		r = absolute_dev(dev, e);
	if (r == 0)
		r = g.s->ops->dev_add(c, &g.p, g.s->fd, dev, mirror, force, e);
	return end(c, &g, r, e);
}

int pool_remove(struct ctx *c, const char *dev, struct err *e)
{
	struct change g;
	int r = begin(c, &g, e);

	if (r == 0)
		r = g.s->ops->dev_remove(c, &g.p, g.s->fd, dev, e);
	return end(c, &g, r, e);
}

int pool_replace(struct ctx *c, const char *old, const char *dev, bool force, struct err *e)
{
	struct change g;
	int r = begin(c, &g, e);

	if (r == 0)
		r = absolute_dev(dev, e);
	if (r == 0)
		r = g.s->ops->dev_replace(c, &g.p, g.s->fd, old, dev, force, e);
	return end(c, &g, r, e);
}

int pool_scrub(struct ctx *c, struct pool_scrub *out, struct err *e)
{
	struct store *s = NULL;
	int r = store_open(c, &s, e); /* not under the lock: it takes hours and disturbs nobody */

	if (r == 0)
		r = s->ops->scrub(c, s->fd, out, e);
	store_close(&s);
	return r;
}

/* ---- import ---- */

/* What the pool says of itself replaces what we guessed. */
static int adopt(struct ctx *c, struct pool_conf *p, int fd, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	struct pool_conf in;
	int r = file_read(fd, STORE_META "/pool.conf", 65536, &b, NULL);

	if (r == -ENOENT)
		return err_set(e, EINVAL, "%s is btrfs, but no pool of ours", p->dev[0]);
	if (r < 0)
		return err_sys(e, r, "the pool's own pool.conf");
	r = pool_conf_parse(buf_str(&b), &in, e);
	if (r < 0)
		return err_add(e, "the pool's own pool.conf");
	if (strcmp(in.fsid, p->fsid))
		return err_set(e, EINVAL, "the pool says that it is %s, but it is %s", in.fsid, p->fsid);
	if (strcmp(in.node, c->node.name))
		ctx_log(c, LOG_INFO, "pool import: the pool was made by node %s", in.node);
	p->mirror = in.mirror;
	strcpy(p->quota, in.quota);
	return 0;
}

static int guess(struct ctx *c, struct pool_conf *p, const char *const *dev, size_t ndevs, const struct pool_conf *old)
{
	if (ndevs > POOL_DEVS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < ndevs; i++) {
		_free_ char *full = realpath(dev[i], NULL);

		if (!full)
			return -errno;
		if (strlen(full) >= sizeof p->dev[0])
			return -ENAMETOOLONG;
		strcpy(p->dev[p->ndevs++], full);
	}
	if (ndevs)
		return 0;
	if (old && old->kind != POOL_DEVICES) {
		memcpy(p->dev[0], old->dev[0], sizeof p->dev[0]);
		p->ndevs = 1;
	} else if (!old) {
		snprintf(p->dev[0], sizeof p->dev[0], "%s/pool.img", c->node.state);
		p->ndevs = access(p->dev[0], F_OK) == 0;
	} else {
		strcpy(p->fsid, old->fsid);
	}
	return 0;
}

int pool_import(struct ctx *c, const char *const *dev, size_t ndevs, struct err *e)
{
	struct pool_conf p = {.state = POOL_ONLINE, .driver = "btrfs"}, old;
	const struct store_ops *ops = store_driver(p.driver);
	_fd_ int lock = pool_lock(c, e), fd = -1;
	int r, have, was;

	if (lock < 0)
		return lock;
	have = pool_conf_load(c, &old, NULL);
	if (have == 0 && old.state != POOL_ONLINE) {
		r = err_set(e, EEXIST, "this node has a pool that is half made or destroyed");
		err_hint(e, "run cloister pool create or destroy again");
		return r;
	}
	if (have == 0 && pool_is_attached(c, &old, true) && !ndevs)
		return 0;
	r = guess(c, &p, dev, ndevs, have == 0 ? &old : NULL);
	if (r < 0)
		return err_sys(e, r, "import pool: %s", ndevs ? dev[0] : "");
	strcpy(p.node, c->node.name);
	r = ops->find(c, &p, e);
	if (r == 0 && have == 0 && strcmp(old.fsid, p.fsid)) {
		err_set(e, EEXIST, "this node has another pool (%s)", old.ndevs ? old.dev[0] : old.fsid);
		err_hint(e, "take that one away first: cloister pool destroy");
		r = -EEXIST;
	}
	if (r < 0)
		return err_add(e, "import pool");
	if (have == 0 && pool_is_attached(c, &old, true))
		return 0;
	/* with the state folder lost the pool may be there all the same */
	was = pool_is_attached(c, &p, true);
	r = was ? 0 : dir_make(c->node.pool, 0700, e);
	if (r == 0 && !was)
		r = ops->mount(c, &p, e);
	if (r < 0)
		return err_add(e, "import pool");
	fd = open(c->node.pool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? err_sys(e, errno, "%s", c->node.pool) : adopt(c, &p, fd, e);
	if (r == 0)
		r = pool_conf_save(c, &p, fd, e);
	if (r < 0) {
		own_fd(&fd);
		if (!was)
			umount2(c->node.pool, UMOUNT_NOFOLLOW);
		return err_add(e, "import pool");
	}
	return 0;
}
