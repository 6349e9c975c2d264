/* SPDX-License-Identifier: MPL-2.0 */
/*
 * /run/cloister/<uuid>/mounts: which mounts of a running zone may be taken away, by their ids: "ID UNIQUE TARGET". A path
 * would not do: the zone can rename a folder under a mount, or put a link to another mount in its place. A line is
 * written before its mount is attached and goes after it has been taken away, so one without a mount is possible and
 * means nothing; a mount without its line is not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/mount.h"
#include "zoneadmd/zoneadmd.h"

#define NAME        "mounts"
#define RECORDS_MAX (1u << 20)

void mounts_line(int mnt, const char *target, struct buf *out)
{
	buf_printf(out, "%d %llu %s\n", mnt_id(mnt), (unsigned long long)mnt_unique(mnt), target);
}

static bool line_of(const char *line, const char *target, struct mount_rec *m)
{
	size_t n = strlen(target);
	int at = 0;

	return sscanf(line, "%d %llu %n", &m->id, &m->unique, &at) == 2 && at > 0 && !strncmp(line + at, target, n) &&
	       (line[at + n] == '\n' || !line[at + n]);
}

/* All lines but the target's; found, if wanted, is the target's last. */
static int others(int run_dir, const char *target, struct buf *out, struct mount_rec *found, bool *any, struct err *e)
{
	_buf_ struct buf all = BUF_INIT;
	int r = file_read(run_dir, NAME, RECORDS_MAX, &all, NULL);

	if (r < 0 && r != -ENOENT)
		return err_sys(e, r, "the zone's list of mounts");
	for (const char *l = buf_str(&all); *l;) {
		size_t n = strcspn(l, "\n");
		struct mount_rec m;

		n += l[n] == '\n';
		if (line_of(l, target, &m)) {
			*any = true;
			if (found)
				*found = m;
		} else {
			buf_add(out, l, n);
		}
		l += n;
	}
	return 0;
}

int mounts_find(int run_dir, const char *target, struct mount_rec *out, struct err *e)
{
	_buf_ struct buf rest = BUF_INIT;
	bool any = false;
	int r = others(run_dir, target, &rest, out, &any, e);

	if (r < 0)
		return r;
	return any ? 0 : err_set(e, ENOENT, "nothing of ours is mounted at %s", target);
}

int mounts_add(int run_dir, int mnt, const char *target, struct err *e)
{
	_buf_ struct buf text = BUF_INIT;
	bool any = false;
	int r = others(run_dir, target, &text, NULL, &any, e);

	if (r < 0)
		return r;
	mounts_line(mnt, target, &text);
	return put_file(run_dir, NAME, &text, e);
}

int mounts_forget(int run_dir, const char *target, struct err *e)
{
	_buf_ struct buf text = BUF_INIT;
	bool any = false;
	int r = others(run_dir, target, &text, NULL, &any, e);

	return r < 0 || !any ? r : put_file(run_dir, NAME, &text, e);
}

int mounts_put(int run_dir, const struct buf *text, struct err *e)
{
	return put_file(run_dir, NAME, text, e);
}
