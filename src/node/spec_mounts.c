/* SPDX-License-Identifier: MPL-2.0 */
/* What is mounted in a zone beside its root: its own tmpfs, what a sparse brand shares, the record's filesystems. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
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

static void standard_mounts(const struct vm *v, struct zspec *z)
{
	uint64_t phys = (uint64_t)vm_int(v->rec, "max_physical_memory", 256);
	uint64_t shm = (uint64_t)vm_int(v->rec, "max_shm_memory", (int64_t)phys);
	uint64_t tmpfs = (uint64_t)vm_int(v->rec, "tmpfs", (int64_t)phys);

	put_mount(z, ZM_TMPFS, "", "/run", tmpfs_data(phys / 4 ? phys / 4 : 1, "0755"), ZM_NODEV | ZM_NOSUID);
	put_mount(z, ZM_TMPFS, "", "/run/lock", tmpfs_data(5, "1777"), ZM_NODEV | ZM_NOSUID | ZM_NOEXEC);
	put_mount(z, ZM_TMPFS, "", "/dev/shm", tmpfs_data(shm ? shm : 1, "1777"), ZM_NODEV | ZM_NOSUID);
	if (tmpfs)
		put_mount(z, ZM_TMPFS, "", "/tmp", tmpfs_data(tmpfs, "1777"), ZM_NODEV | ZM_NOSUID);
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
		if (s->optional && access(s->path, F_OK) < 0)
			continue;
		put_mount(z, ZM_BIND, s->path, s->path, NULL, f);
	}
	for (const char *const *m = b->mask; m && *m; m++)
		if (access(*m, F_OK) == 0)
			put_mount(z, ZM_TMPFS, "", *m, xstrdup("size=4k,nr_inodes=1,mode=0755"),
				  ZM_RO | ZM_NODEV | ZM_NOSUID | ZM_NOEXEC);
}

static int fs_option(const char *o, struct zmount *m, struct buf *data, struct err *e)
{
	static const struct {
		const char *word;
		unsigned set, clear;
	} words[] = {
		{"ro", ZM_RO, 0},          {"rw", 0, ZM_RO},         {"nodevices", ZM_NODEV, 0}, {"nodev", ZM_NODEV, 0},
		{"nosuid", ZM_NOSUID, 0},  {"nosetuid", ZM_NOSUID, 0}, {"noexec", ZM_NOEXEC, 0},   {"exec", 0, ZM_NOEXEC},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!strcmp(words[i].word, o)) {
			m->flags = (m->flags | words[i].set) & ~words[i].clear;
			return 0;
		}
	}
	if (m->kind == ZM_TMPFS && (str_starts(o, "size=") || str_starts(o, "mode="))) {
		buf_printf(data, "%s%s", data->len ? "," : "", o);
		return 0;
	}
	return err_set(e, EINVAL, "option \"%s\" is not one that a %s mount takes", o, m->fstype[0] ? m->fstype : "lofs");
}

int vm_fs_mount(const json_t *fs, struct zmount *m, struct err *e)
{
	const char *type = vm_str(fs, "type"), *source = vm_str(fs, "source"), *target = vm_str(fs, "target");
	_buf_ struct buf data = BUF_INIT;
	const json_t *o;
	size_t i;
	int r;

	/* a device node or a setuid file that the host has there is none of the zone's business unless asked for */
	*m = (struct zmount){.flags = ZM_NODEV | ZM_NOSUID};
	if (str_eq(type, "lofs")) {
		struct stat st;

		m->kind = ZM_BIND;
		m->flags |= ZM_IDMAP;
		if (stat(source ? source : "", &st) < 0)
			return err_sys(e, errno, "filesystem %s: source %s", target, source ? source : "(none)");
		if (!S_ISDIR(st.st_mode))
			m->flags |= ZM_FILE;
	} else {
		m->kind = str_eq(type, "tmpfs") ? ZM_TMPFS : ZM_FS;
		m->flags |= m->kind == ZM_FS ? ZM_IDMAP : 0;
	}
	m->fstype = xstrdup(m->kind == ZM_BIND ? "" : type);
	json_array_foreach(json_object_get(fs, "options"), i, o)
	{
		r = fs_option(json_string_value(o) ?: "", m, &data, e);
		if (r < 0) {
			free(m->fstype);
			return err_add(e, "filesystem %s", target);
		}
	}
	m->source = xstrdup(source ? source : "");
	m->target = xstrdup(target);
	m->data = buf_take(&data);
	return 0;
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
	standard_mounts(v, z);
	sparse_mounts(v, z);
	return filesystems(v, z, e);
}
