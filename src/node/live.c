/* SPDX-License-Identifier: MPL-2.0 */
#include "node/live.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

static const json_t *find_by(const json_t *list, const char *key, const char *value)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (str_eq(vm_str(o, key), value))
			return o;
	return NULL;
}

/* Whether the other list has this entry just as it is. */
static bool stays(const json_t *o, const json_t *other, const char *key)
{
	const json_t *same = find_by(other, key, vm_str(o, key));

	return same && json_equal((json_t *)same, (json_t *)o);
}

static void mount_done(struct zmount *m)
{
	free(m->source);
	free(m->target);
	free(m->fstype);
	free(m->data);
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && path[n] == '/';
}

/* Where the zone was booted with a mount of its own: taking ours from on top of it could not be told from taking it. */
static int standard_target(const struct zspec *z, const char *target, struct err *e)
{
	for (unsigned i = 0; i < z->nmounts; i++) {
		if (z->mounts[i].flags & ZM_LIVE || strcmp(z->mounts[i].target, target))
			continue;
		err_set(e, EBUSY, "filesystem %s: the running zone has a mount of its own there", target);
		return err_hint(e, "Stop the VM first; with its next boot it is mounted on top.");
	}
	return 0;
}

static int check_from(const struct zspec *z, const json_t *a, const json_t *b, struct err *e)
{
	const json_t *o, *p;
	size_t i, k;
	int r = 0;

	json_array_foreach(a, i, o)
	{
		if (stays(o, b, "target"))
			continue;
		r = standard_target(z, vm_str(o, "target"), e);
		if (r < 0)
			return r;
		json_array_foreach(b, k, p)
			if (below(vm_str(p, "target"), vm_str(o, "target")) && stays(p, a, "target"))
				return err_set(e, EBUSY, "filesystem %s: %s is mounted below it", vm_str(o, "target"),
					       vm_str(p, "target"));
	}
	return 0;
}

static int check_to(const struct zspec *z, const json_t *a, const json_t *b, struct err *e)
{
	const json_t *o;
	size_t i;

	json_array_foreach(b, i, o)
	{
		struct zmount m;
		int r;

		if (stays(o, a, "target"))
			continue;
		r = standard_target(z, vm_str(o, "target"), e);
		if (r == 0)
			r = vm_fs_mount(o, &m, e);
		if (r < 0)
			return r;
		mount_done(&m);
	}
	return 0;
}

int live_check(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	const json_t *a = json_object_get(from, "filesystems"), *b = json_object_get(to, "filesystems");
	_free_ char *path = xprintf("%s/%s/spec", v->c->node.run, v->uuid);
	_buf_ struct buf text = BUF_INIT;
	struct zspec z = {0};
	int r;

	if (!v->run.running || json_equal((json_t *)a, (json_t *)b))
		return 0;
	r = file_read(AT_FDCWD, path, 1 << 20, &text, e);
	if (r == 0)
		r = zspec_parse(buf_str(&text), text.len, &z, e);
	if (r == 0)
		r = check_from(&z, a, b, e);
	if (r == 0)
		r = check_to(&z, a, b, e);
	zspec_done(&z);
	return r;
}

static int add(struct vm *v, const json_t *fs, struct err *e)
{
	struct zspec z = {.uuid = v->uuid, .id_base = v->id_base};
	struct zmount m;
	int r = vm_fs_mount(fs, &m, e);

	if (r < 0)
		return r;
	m.flags |= ZM_LIVE;
	r = zone_mount_add(v->c, &v->run, &z, &m, e);
	mount_done(&m);
	return r;
}

/* 1: it was not there, for the zone took it away itself, or a change never got to it. */
static int away(struct vm *v, const char *target, struct err *e)
{
	struct err le = ERR_INIT;
	int r = zone_mount_remove(v->c, &v->run, target, &le);

	if (r == -ENOENT || r == -EINVAL)
		return 1;
	if (r < 0 && e)
		*e = le;
	return r;
}

/* The last first: one may be mounted below another. */
static int all_away(struct vm *v, const json_t *list, const json_t *other, struct err *e)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *o = json_array_get(list, i);
		int r = stays(o, other, "target") ? 0 : away(v, vm_str(o, "target"), e);

		if (r < 0)
			return r;
	}
	return 0;
}

int live_mounts(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	const json_t *a = json_object_get(from, "filesystems"), *b = json_object_get(to, "filesystems"), *o;
	size_t i;
	int r;

	if (!v->run.running)
		return 0;
	r = all_away(v, a, b, e);
	json_array_foreach(b, i, o)
		if (r == 0 && !stays(o, a, "target"))
			r = add(v, o, e);
	return r;
}

int live_mounts_undo(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	const json_t *a = json_object_get(from, "filesystems"), *b = json_object_get(to, "filesystems"), *o;
	size_t i;
	int r;

	if (!v->run.running || json_equal((json_t *)a, (json_t *)b))
		return 0;
	/* it may have got anywhere: what differs goes on both sides, then what was comes back */
	r = all_away(v, a, b, e);
	if (r == 0)
		r = all_away(v, b, a, e);
	json_array_foreach(b, i, o)
		if (r == 0 && !stays(o, a, "target"))
			r = add(v, o, e);
	return r;
}

static int nodes(struct vm *v, const json_t *a, const json_t *b, const struct zdev *dev, unsigned ndev, struct err *e)
{
	struct zspec z = {.uuid = v->uuid, .id_base = v->id_base};
	const json_t *o;
	size_t i;
	int r = 0;

	json_array_foreach(a, i, o)
		if (r == 0 && !stays(o, b, "match"))
			r = zone_dev_remove(v->c, &v->run, vm_str(o, "match") + strlen("/dev/"), e);
	for (unsigned k = 0; k < ndev && r == 0; k++) {
		_free_ char *match = xprintf("/dev/%s", dev[k].name);

		o = find_by(b, "match", match);
		if (!o || stays(o, a, "match"))
			continue;
		/* one that a change had made already, or not taken away yet */
		r = zone_dev_remove(v->c, &v->run, dev[k].name, e);
		if (r == 0)
			r = zone_dev_add(v->c, &v->run, &z, &dev[k], e);
	}
	return r;
}

/* The list opens before a node appears. It closes at once, node or not: who has the device open keeps it. */
int live_devices(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	const json_t *a = json_object_get(from, "devices"), *b = json_object_get(to, "devices");
	struct cg_dev *cg = NULL;
	struct zdev *dev = NULL;
	unsigned ndev = 0;
	size_t ncg = 0;
	int r;

	if (!v->run.running || json_equal((json_t *)a, (json_t *)b))
		return 0;
	r = vm_need_cg(v, e);
	if (r == 0)
		r = vm_devices(to, &cg, &ncg, &dev, &ndev, e);
	if (r < 0)
		return r;
	r = cg_set_devices(&v->cg, v->uuid, cg, ncg, e);
	if (r == 0)
		r = nodes(v, a, b, dev, ndev, e);
	for (unsigned k = 0; k < ndev; k++)
		free(dev[k].name);
	free(dev);
	free(cg);
	return r;
}
