/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables of the kernel that have one end for the whole host, whoever fills them: a zone that takes all of one would stop
 * its neighbours. The ends date from when there was no other bound. What stands in these tables is charged to the zone's
 * memory (and ptys are counted per zone), so they are raised to where they bind nobody. Only ever raised: an operator
 * who has set more keeps it.
 */
#include "node/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"

static const struct {
	const char *path;
	unsigned long long least;
} tables[] = {
	{"/proc/sys/fs/aio-max-nr", 1ULL << 40},            /* requests of io_setup(2): 65,536, which one database takes */
	{"/proc/sys/fs/file-max", 9223372036854775807ULL},  /* open files, as systemd sets it too */
	{"/proc/sys/kernel/pid_max", 4194304},              /* the most; as systemd sets it too */
	{"/proc/sys/kernel/pty/max", 1048576},              /* the most: 4,096 were the ptys of twelve zones */
	/* all but 4,096 for /dev/pts of the host and the zones: a pty is some 60 KiB, of which a zone is charged 3 */
	{"/proc/sys/kernel/pty/reserve", 1048576 - 4096},
	/* neighbours (ARP): 1,024 for all network namespaces together. Not charged, so not to the end */
	{"/proc/sys/net/ipv4/neigh/default/gc_thresh3", 65536},
	{"/proc/sys/net/ipv6/neigh/default/gc_thresh3", 65536},
};

static void raise_one(struct ctx *c, const char *path, unsigned long long least)
{
	_buf_ struct buf now = BUF_INIT;
	_free_ char *want = xprintf("%llu\n", least);
	struct err e = ERR_INIT;
	int r = file_read(AT_FDCWD, path, 64, &now, &e);

	if (r == -ENOENT)
		return; /* a kernel without it: no IPv6, no AIO */
	if (r == 0 && strtoull(buf_str(&now), NULL, 10) >= least)
		return;
	if (r == 0)
		r = file_write(AT_FDCWD, path, want, &e);
	if (r < 0)
		ctx_log(c, LOG_WARN, "a table that all zones share stays as small as it is: %s", e.msg);
}

void node_tables(struct ctx *c)
{
	_free_ char *mark = xprintf("%s/tables", c->node.run);

	if (access(mark, F_OK) == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		raise_one(c, tables[i].path, tables[i].least);
	/* without it they are looked at again, which does no harm */
	(void)file_replace(mark, c->bootid, strlen(c->bootid), 0600, 0, NULL);
}
