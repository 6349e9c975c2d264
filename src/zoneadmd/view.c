/* SPDX-License-Identifier: MPL-2.0 */
#include "zoneadmd/view.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/stat.h>

#include "zone/numbers.h"

#define EVER_NS 1000000000000000000ULL

const struct view_node view_nodes[VIEW_END] = {
	[VIEW_ROOT] = {"", 0, true, false, NULL},
	[VIEW_MEMINFO] = {"meminfo", VIEW_ROOT, false, false, "meminfo"},
	[VIEW_CPUINFO] = {"cpuinfo", VIEW_ROOT, false, false, "cpuinfo"},
	[VIEW_STAT] = {"stat", VIEW_ROOT, false, false, "stat"},
	[VIEW_LOADAVG] = {"loadavg", VIEW_ROOT, false, false, "loadavg"},
	[VIEW_VMSTAT] = {"vmstat", VIEW_ROOT, false, false, "vmstat"},
	[VIEW_DISKSTATS] = {"diskstats", VIEW_ROOT, false, false, "diskstats"},
	[VIEW_SWAPS] = {"swaps", VIEW_ROOT, false, false, "swaps"},
	[VIEW_ONLINE] = {"online", VIEW_ROOT, false, true, "devices/system/cpu/online"},
	[VIEW_PRESSURE] = {"pressure", VIEW_ROOT, true, false, "pressure"},
	[VIEW_PSI_CPU] = {"cpu", VIEW_PRESSURE, false, false, NULL},
	[VIEW_PSI_MEMORY] = {"memory", VIEW_PRESSURE, false, false, NULL},
	[VIEW_PSI_IO] = {"io", VIEW_PRESSURE, false, false, NULL},
	[VIEW_NUMBERS] = {NUMBERS_FILE, VIEW_ROOT, false, false, NULL},
};

/* Attributes of a folder never change; those of a file are asked for when it is first read. */
static struct fusedev_node node_of(enum view_file f, uint32_t uid)
{
	bool folder = view_nodes[f].folder;

	return (struct fusedev_node){
		.id = f, .name = view_nodes[f].name, .mode = folder ? S_IFDIR | 0555 : S_IFREG | 0444, .uid = uid, .valid_ns = folder ? EVER_NS : 0,
	};
}

static int list(int fd, const struct fusedev_ask *a, uint32_t uid)
{
	_buf_ struct buf b = BUF_INIT;

	for (uint64_t f = a->offset + 1; f < VIEW_END && f > a->offset; f++) {
		struct fusedev_node n = node_of((enum view_file)f, uid);

		if (view_nodes[f].dir == a->node && !fusedev_dirent(&b, a->size, &n, f, a->op == FUSE_READDIRPLUS))
			break;
	}
	return fusedev_data(fd, a->unique, buf_str(&b), b.len);
}

static int lookup(int fd, const struct fusedev_ask *a, uint32_t uid)
{
	for (int f = VIEW_ROOT + 1; f < VIEW_END; f++) {
		if (view_nodes[f].dir == a->node && !strcmp(view_nodes[f].name, a->name)) {
			struct fusedev_node n = node_of((enum view_file)f, uid);

			return fusedev_entry(fd, a->unique, &n);
		}
	}
	return fusedev_fail(fd, a->unique, ENOENT);
}

int view_names(int fd, const struct fusedev_ask *a, const void *request, size_t n, uint32_t uid)
{
	bool known = a->node >= VIEW_ROOT && a->node < VIEW_END;

	switch (a->op) {
	case FUSE_INIT: return fusedev_init(fd, a, request, n);
	case FUSE_STATFS: return fusedev_statfs(fd, a->unique);
	case FUSE_LOOKUP: return lookup(fd, a, uid);
	case FUSE_READDIR:
	case FUSE_READDIRPLUS: return list(fd, a, uid);
	case FUSE_READ: return known && !view_nodes[a->node].folder ? 1 : fusedev_fail(fd, a->unique, known ? EISDIR : ESTALE);
	case FUSE_GETATTR:
		if (known && view_nodes[a->node].folder) {
			struct fusedev_node d = node_of((enum view_file)a->node, uid);

			return fusedev_attr(fd, a->unique, &d);
		}
		return known ? 1 : fusedev_fail(fd, a->unique, ESTALE);
	default: return fusedev_wants_answer(a->op) ? fusedev_fail(fd, a->unique, ENOSYS) : 0;
	}
}
