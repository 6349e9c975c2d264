/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The zone's own numbers (zone/numbers.h), for zonestat and its kind inside: a file of the view as the others are, so how often it
 * is asked for, and what that costs, is bounded there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "zone/numbers.h"
#include "zoneadmd/part.h"
#include "zoneadmd/view.h"
#include "zoneadmd/zoneadmd.h"

#define IDLE_NS (5 * 1000000000ULL) /* nobody asks any more: files and memory are given back */

static struct cg_reader *reader;
static struct cg_files *files;
static uint64_t asked, generation;

static bool find_node(const char *key, const char *value, void *arg)
{
	char *node = arg;

	if (strcmp(key, "node") != 0)
		return false;
	strncpy(node, value, NODE_NAME_MAX - 1);
	return true;
}

static int find_reader(void)
{
	char node[NODE_NAME_MAX] = "";
	struct cg_host h;
	struct ctx c;
	int r;

	spec_scan(FD_RUN, find_node, node);
	if (ctx_init(&c, *node ? node : NULL, NULL) < 0)
		return -ENOENT;
	r = cg_host_known(&c, &h, NULL);
	if (r == 0)
		r = cg_reader_new(&h, CGS_ALL, 64, &reader, NULL);
	ctx_done(&c);
	return r;
}

int view_numbers(const char *uuid, struct buf *out)
{
	struct zone_numbers n = {.mono_ns = clock_mono_ns()};
	int r = reader ? 0 : find_reader();

	asked = n.mono_ns;
	if (r < 0)
		return r;
	cg_reader_limits(reader, ++generation);
	r = cg_reader_read(reader, uuid, &files, n.v);
	if (r == 0)
		r = host_stat_read(&n.host, NULL);
	if (r == 0)
		numbers_write(&n, out);
	return r < 0 || out->len <= NUMBERS_MAX ? r : -EFBIG;
}

uint64_t view_numbers_due(void)
{
	return reader ? asked + IDLE_NS : 0;
}

void view_numbers_forget(void)
{
	if (reader)
		cg_files_free(reader, &files);
	cg_reader_free(&reader);
}
