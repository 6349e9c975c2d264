/* SPDX-License-Identifier: MPL-2.0 */
#include "node/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/warm.h"
#include "model/vm.h"
#include "node/disks.h"
#include "node/firmware.h"
#include "node/kernel.h"

#define GIB 1073741824ULL

/*
 * A zonepath that is being made has the sticky bit, which means nothing on a folder of root's, from its first moment on:
 * what the machine's end leaves of a create can be told from a VM whose record was lost.
 */
#define MADE   0700
#define MAKING (S_ISVTX | MADE)

static uint64_t quota_id(const struct vm *v)
{
	return store_quota_id(v->store, v->id_base);
}

int dataset_quota(struct vm *v, const json_t *rec, const json_t *room, struct err *e)
{
	uint64_t bytes = (uint64_t)vm_int(rec, "quota", 0) * GIB;
	int r = vm_need_store(v, e);

	/* as on SmartOS, where a disk is a volume of its own: quota is for what lies beside them, snapshots too */
	if (bytes)
		bytes += DISKS_TIMES * disks_bytes(room);

	return r < 0 ? r : store_quota_set(v->store, quota_id(v), bytes, e);
}

int dataset_make_root(struct vm *v, const char *name, struct err *e)
{
	bool private = str_eq(vm_str(v->rec, "image_sharing"), "private");
	int r;

	if (brand_hvm(v->brand)) {
		r = disks_make(v, name, quota_id(v), e);
		return r < 0 ? r : firmware_make(v, e);
	}
	r = warm_take(v->store, &v->image, private, name, quota_id(v), e);
	if (r != 0)
		return r < 0 ? r : 0;
	if (private)
		return store_snapshot(v->store, v->image.dataset, name, false, quota_id(v), e);
	return image_upper(v->store, &v->image, name, quota_id(v), e);
}

int dataset_make(struct vm *v, struct err *e)
{
	static const char *const dirs[] = {"", "/config", "/cores", "/snap"};
	_free_ char *root = xprintf("%s/root", v->uuid);
	int r;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		_free_ char *dir = xprintf("%s%s", v->uuid, dirs[i]);

		if (mkdirat(store_fd(v->store), dir, i == 0 ? MAKING : MADE) < 0)
			return err_sys(e, errno, "mkdir %s/%s", v->c->node.pool, dir);
	}
	/* in this order: a group that has a member is taken for no killed command's */
	r = dataset_make_root(v, root, e);
	if (r == 0 && brand_hvm(v->brand))
		r = kernel_make(v, v->rec, e);
	if (r == 0)
		r = dataset_quota(v, v->rec, v->rec, e);
	return r < 0 ? err_add(e, "root of VM %s", v->uuid) : 0;
}

int dataset_made(struct vm *v, struct err *e)
{
	int r = vm_need_store(v, e);

	if (r == 0 && fchmodat(store_fd(v->store), v->uuid, MADE, 0) < 0)
		r = err_sys(e, errno, "%s/%s", v->c->node.pool, v->uuid);
	return r;
}

bool dataset_half_made(const struct store *s, const char *uuid)
{
	struct stat st;

	return fstatat(store_fd(s), uuid, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX);
}

bool dataset_has_record(const struct store *s, const char *uuid)
{
	_free_ char *path = xprintf("%s/config/record.json", uuid);
	struct stat st;

	/* what can't be looked at is not said to be missing */
	return fstatat(store_fd(s), path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int destroy_one(const char *name, uint64_t created_ns, void *arg)
{
	struct vm *v = arg;
	_free_ char *full = xprintf("%s/snap/%s", v->uuid, name);

	return store_destroy(v->store, full, NULL);
}

int dataset_destroy(struct vm *v, struct err *e)
{
	_free_ char *snap = xprintf("%s/snap", v->uuid), *root = xprintf("%s/root", v->uuid);
	int r = vm_need_store(v, e);

	if (r < 0)
		return r;
	r = store_each(v->store, snap, destroy_one, v, e);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = store_destroy(v->store, root, e);
	if (r == 0)
		r = dir_remove(store_fd(v->store), v->uuid, e);
	if (r == 0 && v->id_base)
		r = store_quota_drop(v->store, quota_id(v), e);
	return r < 0 ? err_add(e, "datasets of VM %s", v->uuid) : 0;
}

int dataset_absent(struct vm *v, struct err *e)
{
	struct stat st;

	if (fstatat(store_fd(v->store), v->uuid, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (dataset_half_made(v->store, v->uuid) && !dataset_has_record(v->store, v->uuid))
		return dataset_destroy(v, e);
	err_set(e, EEXIST, "%s/%s exists although no VM of that uuid is in the database", v->c->node.pool, v->uuid);
	return err_hint(e, "If it is a VM from another installation, `cloister pool import` brings it back.");
}
