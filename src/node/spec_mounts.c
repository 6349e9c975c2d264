/* SPDX-License-Identifier: MPL-2.0 */
/* What is mounted in a zone beside its root: its own tmpfs, what a sparse brand shares, the record's filesystems. */
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/spec_in.h"

static void put_mount(struct zspec *z, enum zmount_kind k, const char *source, const char *target, char *data,
				unsigned flags)
{
	struct zmount *m;

	z->mounts = xrealloc(z->mounts, (z->nmounts + 1) * sizeof *z->mounts);
	m = &z->mounts[z->nmounts++];
	*m = (struct zmount){
		.kind = k,
		.source = xstrdup(source),
		.target = xstrdup(target),
		.fstype = xstrdup(k == ZM_TMPFS ? "tmpfs" : ""),
		.data = data ? data : xstrdup(""),
		.flags = flags,
	};
}

static char *tmpfs_data(uint64_t mib, const char *mode)
{
	/* an inode costs about a KiB of kernel memory: one for every 4 KiB keeps them within the size too */
	return xprintf("size=%lluM,nr_inodes=%llu,mode=%s", (unsigned long long)mib, (unsigned long long)(mib * 256 + 64), mode);
}

/* As few tmpfs as the limits allow, for each costs every zone of the host: docs/decisions/one-tmpfs.md. */
static void standard_mounts(const struct vm *v, struct zspec *z)
{
	uint64_t phys = (uint64_t)vm_int(v->rec, "max_physical_memory", 256);
	uint64_t shm = (uint64_t)vm_int(v->rec, "max_shm_memory", (int64_t)phys);
	uint64_t tmpfs = (uint64_t)vm_int(v->rec, "tmpfs", (int64_t)phys);

	z->own = tmpfs_data(phys / 4 + 4, "0700");
	z->all = tmpfs_data(shm ? shm : 1, "0700");
	put_mount(z, ZM_FOLDER, "own", "/run", xstrdup("0755"), ZM_NODEV | ZM_NOSUID);
	put_mount(z, ZM_FOLDER, "all", "/run/lock", xstrdup("1777"), ZM_NODEV | ZM_NOSUID | ZM_NOEXEC);
	put_mount(z, ZM_FOLDER, "all", "/dev/shm", xstrdup("1777"), ZM_NODEV | ZM_NOSUID);
	/* with one size for both each still holds to its limit, and together they are still less than the zone's memory */
	if (tmpfs && tmpfs == shm)
		put_mount(z, ZM_FOLDER, "all", "/tmp", xstrdup("1777"), ZM_NODEV | ZM_NOSUID);
	else if (tmpfs)
		put_mount(z, ZM_TMPFS, "", "/tmp", tmpfs_data(tmpfs, "1777"), ZM_NODEV | ZM_NOSUID);
}

/* The host's /usr/local is covered by one of ours, with the commands that a zone is lent on every PATH: zonename, zoneadm. */
static bool own_local(const struct vm *v, struct zspec *z, const char *mask)
{
	_free_ char *ours = xprintf("%s/zone/usr", v->c->libexec);

	if (strcmp(mask, "/usr/local") != 0 || access(ours, F_OK) < 0)
		return false;
	put_mount(z, ZM_BIND, ours, mask, NULL, ZM_RO | ZM_NODEV | ZM_NOSUID);
	return true;
}

static void sparse_mounts(const struct vm *v, struct zspec *z)
{
	const struct brand *b = v->brand;

	for (size_t i = 0; i < b->nshare; i++) {
		const struct brand_share *s = &b->share[i];
		unsigned f = ZM_RO | ZM_NODEV | ZM_IDMAP;

		f |= s->suid ? 0 : ZM_NOSUID;
		f |= s->optional ? ZM_OPTIONAL : 0;
		f |= s->file ? ZM_FILE : 0;
		f |= brand_hvm(b) ? ZM_LIVE : 0; /* machine_release() takes it away */
		if (s->optional && access(s->path, F_OK) < 0)
			continue;
		put_mount(z, ZM_BIND, s->path, s->path, NULL, f);
	}
	for (const char *const *m = b->mask; m && *m; m++) /* of those that stay */
		if (access(*m, F_OK) == 0 && !own_local(v, z, *m))
			put_mount(z, ZM_FOLDER, "own", *m, xstrdup("0755"), ZM_RO | ZM_NODEV | ZM_NOSUID | ZM_NOEXEC);
}

static int filesystems(const struct vm *v, struct zspec *z, struct err *e)
{
	const json_t *fs;
	size_t i;

	json_array_foreach(json_object_get(v->rec, "filesystems"), i, fs)
	{
		struct zmount m;
		int r = vm_fs_mount(fs, &m, e);

		if (r < 0)
			return r;
		m.flags |= ZM_LIVE;
		z->mounts = xrealloc(z->mounts, (z->nmounts + 1) * sizeof *z->mounts);
		z->mounts[z->nmounts++] = m;
	}
	return 0;
}

int spec_mounts(const struct vm *v, struct zspec *z, struct err *e)
{
	if (brand_hvm(v->brand))
		z->own = tmpfs_data(4, "0700"); /* nothing of its own is written to any */
	else
		standard_mounts(v, z);
	sparse_mounts(v, z);
	return filesystems(v, z, e);
}
