/* SPDX-License-Identifier: MPL-2.0 */
#include "node/subid.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#define RANGE 65536u

static void put(uint32_t **skip, size_t *n, uint64_t first, uint64_t count)
{
	for (uint64_t at = first / RANGE * RANGE; count && at < first + count && at <= UINT32_MAX; at += RANGE) {
		/* ids below the first range of any node are never handed out */
		if (at == 0)
			continue;
		*skip = xrealloc(*skip, (*n + 1) * sizeof **skip);
		(*skip)[(*n)++] = (uint32_t)at;
	}
}

/* Field `first` is an id, field `count` (or -1) how many; lines that are something else are none of our business. */
static int scan(const char *path, int first, int count, uint32_t **skip, size_t *n, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	struct err le = ERR_INIT;
	int r = file_read(AT_FDCWD, path, 16 << 20, &b, &le);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(e, r, "%s", le.msg);
	for (char *save = NULL, *l = strtok_r(b.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		uint64_t from = 0, many = 1;
		char *f = l;

		for (int i = 0; f; i++) {
			char *next = strchr(f, ':');

			if (next)
				*next++ = 0;
			if (i == first && str_to_u64(f, &from) < 0)
				break;
			if (i == count && str_to_u64(f, &many) < 0)
				break;
			f = next;
		}
		if (from && many <= UINT32_MAX)
			put(skip, n, from, many);
	}
	return 0;
}

int subid_in_use(uint32_t **skip, size_t *n, struct err *e)
{
	static const struct {
		const char *path;
		int first, count;
	} files[] = {{"/etc/subuid", 1, 2}, {"/etc/subgid", 1, 2}, {"/etc/passwd", 2, -1}, {"/etc/group", 2, -1}};
	int r = 0;

	*skip = NULL;
	*n = 0;
	for (size_t i = 0; i < ARRAY_LEN(files) && r == 0; i++)
		r = scan(files[i].path, files[i].first, files[i].count, skip, n, e);
	return r;
}
