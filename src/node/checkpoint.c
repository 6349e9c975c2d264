/* SPDX-License-Identifier: MPL-2.0 */
/* /checkpoints/<name>: the snapshots of a VM as its zone sees them, read-only. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/path.h"
#include "model/vm.h"
#include "node/snapshot.h"
#include "node/vm.h"

#define LOOK_MAX 4096

/*
 * A shared root's snapshot holds the upper layer alone: shown over the image, as the root itself is. A name may have a
 * colon in it, so that can't be what separates layers.
 */
static void snapshot_mount(struct vm *v, const char *name, struct zmount *m)
{
	bool shared = !str_eq(vm_str(v->rec, "image_sharing"), "private");
	_free_ char *below = xprintf("snap/%s/%s", name, shared ? "upper" : "root");
	char *tree = vm_path(v, below);

	*m = (struct zmount){.kind = ZM_BIND, .flags = ZM_RO | ZM_NODEV | ZM_NOSUID | ZM_IDMAP | ZM_LIVE};
	m->source = tree;
	if (shared) {
		m->kind = ZM_OVERLAY;
		m->source = xprintf("%s\n%s/%s/root", tree, v->c->node.pool, v->image.dataset);
		free(tree);
	}
	m->target = xprintf("/checkpoints/%s", name);
	m->fstype = xstrdup("");
	m->data = xstrdup("");
}

int snapshot_show(struct vm *v, const char *name, struct err *e)
{
	struct zspec z = {.uuid = v->uuid, .id_base = v->id_base};
	struct zmount m;
	int r = vm_need_image(v, e);

	if (r < 0 || brand_hvm(v->brand)) /* a monitor is not to see more disks than it has */
		return r;
	snapshot_mount(v, name, &m);
	r = zone_mount_add(v->c, &v->run, &z, &m, e);
	free(m.source);
	free(m.target);
	free(m.fstype);
	free(m.data);
	return r;
}

int snapshot_hide(struct vm *v, const char *name, struct err *e)
{
	_free_ char *target = xprintf("/checkpoints/%s", name);
	int r = brand_hvm(v->brand) ? 0 : zone_mount_remove(v->c, &v->run, target, e);

	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

struct each {
	struct vm *v;
	struct zspec *z;
};

static int one(const char *name, uint64_t created_ns, void *arg)
{
	struct each *a = arg;

	a->z->mounts = xrealloc(a->z->mounts, (a->z->nmounts + 1) * sizeof *a->z->mounts);
	snapshot_mount(a->v, name, &a->z->mounts[a->z->nmounts++]);
	return 0;
}

/*
 * Empty folders of snapshots that went while the VM was stopped, or came with a root that was rolled back to. Whatever
 * the zone has put there stays, and a look at more of it than we would ever make is not taken.
 */
static void drop_stale(struct vm *v)
{
	bool shared = !str_eq(vm_str(v->rec, "image_sharing"), "private");
	_free_ char *tree = vm_path(v, shared ? "root/upper" : "root/root");
	_fd_ int root = open(tree, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd = root < 0 ? -1 : path_open_nolink(root, "/checkpoints", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, NULL);
	_dir_ DIR *d = NULL;
	struct dirent *de;

	if (fd < 0)
		return;
	d = dir_of(fd);
	for (int i = 0; d && i < LOOK_MAX && (de = readdir(d)); i++) {
		_free_ char *snap = xprintf("%s/snap/%s", v->uuid, de->d_name);

		if (de->d_type == DT_DIR && vm_snapshot_name_ok(de->d_name) && !store_exists(v->store, snap))
			unlinkat(fd, de->d_name, AT_REMOVEDIR);
	}
}

int snapshot_mounts(struct vm *v, struct zspec *z, struct err *e)
{
	_free_ char *dir = xprintf("%s/snap", v->uuid);
	struct each a = {v, z};
	int r = vm_need_store(v, e);

	if (r == 0 && brand_hvm(v->brand))
		return 0;
	if (r == 0)
		drop_stale(v);
	if (r == 0)
		r = store_each(v->store, dir, one, &a, e);
	return r == -ENOENT ? 0 : r;
}
