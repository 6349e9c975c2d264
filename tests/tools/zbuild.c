/* SPDX-License-Identifier: MPL-2.0 */
/* Drives src/zone without the layers above: zbuild boot SPEC | status UUID | signal UUID N | wait UUID MS | … */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/caps.h"
#include "kern/seccomp.h"
#include "zone/zone.h"

static void print_log(const struct ctx *c, enum log_level l, const char *text)
{
	if (c->verbose || l <= LOG_WARN)
		fprintf(stderr, "%s\n", text);
}

static void status(const struct zone_run *r)
{
	printf("running=%d keeper=%d halting=%d init=%d keeper_pid=%d zoneid=%llu ended=%d status=%d\n", r->running, r->keeper,
	       r->halting, r->init_pid, r->keeper_pid, (unsigned long long)r->zoneid, r->ended, r->end_status);
}

static int spec_of(const char *path, struct zspec *z, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r = file_read(AT_FDCWD, path, 1 << 20, &b, e);

	return r < 0 ? r : zspec_parse(buf_str(&b), b.len, z, e);
}

/* Makes the cgroups and prints what a spec says about them, capabilities and filter. */
static int prepare(struct ctx *c, const char *uuid, const char *base, struct err *e)
{
	static const enum cg_place place[] = {CG_PLACE_ZONE, CG_PLACE_SUP};
	char join[CG_JOIN_MAX][256], filter[128];
	struct zspec z = {0};
	uint64_t words = 0;
	struct cg_host h;
	_buf_ struct buf b = BUF_INIT;
	int r = cg_host_find(c, &h, e);

	if (r == 0)
		r = cg_node_make(&h, e);
	if (r == 0)
		r = cg_zone_make(&h, uuid, e);
	if (r == 0)
		r = cg_zone_delegate(&h, uuid, (uint32_t)atoll(base), true, e);
	if (r == 0)
		r = caps_from_limit_priv(NULL, 0, &z.caps, &words, e);
	if (r == 0)
		r = seccomp_cached(c, words, filter, e);
	if (r < 0)
		return r;
	for (int p = 0; p < 2; p++) {
		int n = cg_join_paths(&h, place[p], uuid, join);

		for (int i = 0; i < n; i++)
			if (p || strncmp(join[i], h.v2, strlen(h.v2)) || join[i][strlen(h.v2)] != '/')
				printf("%s\t%s\n", p ? "sup_join" : "join", join[i]);
	}
	z.uuid = (char *)uuid;
	z.bootid = c->bootid;
	z.id_base = (uint32_t)atoll(base);
	z.seccomp = filter;
	z.run_dir = xprintf("%s/%s", c->node.run, uuid);
	z.log_dir = xprintf("%s/vms/%s", c->node.log, uuid);
	z.cg_v2_zone = xprintf("%s/%s/%s/zone", h.v2, h.root, uuid);
	z.node = c->node.name;
	zspec_write(&z, &b);
	fputs(buf_str(&b), stdout);
	return 0;
}

static int count_one(const char *uuid, const struct zone_run *r, void *arg)
{
	*(int *)arg += r->running;
	return 0;
}

static int verb(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct zone_ahead ahead = ZONE_AHEAD_INIT;
	struct zspec z = {0};
	struct cg_host h;
	struct zone_run r;
	int rc;

	if (!strcmp(argv[1], "boot")) {
		uint64_t t;

		rc = spec_of(argv[2], &z, e);
		t = clock_mono_ns();
		if (rc == 0)
			rc = zone_boot(c, &z, &ahead, NULL, &r, e);
		fprintf(stderr, "boot took %llu us\n", (unsigned long long)(clock_mono_ns() - t) / 1000);
		zspec_done(&z);
		return rc;
	}
	if (!strcmp(argv[1], "each")) {
		uint64_t t = clock_mono_ns();
		int n = 0;

		rc = zone_each(c, count_one, &n, e);
		printf("%d zones, %llu us\n", n, (unsigned long long)(clock_mono_ns() - t) / 1000);
		return rc;
	}
	if (!strcmp(argv[1], "prepare") && argc == 4)
		return prepare(c, argv[2], argv[3], e);
	rc = zone_status(c, argv[2], &r, e);
	if (rc < 0)
		return rc;
	if (!strcmp(argv[1], "status"))
		return status(&r), 0;
	if (!strcmp(argv[1], "adopt"))
		return zone_adopt(c, argv[2], e);
	if (!strcmp(argv[1], "signal"))
		return zone_signal(&r, atoi(argv[3]), e);
	if (!strcmp(argv[1], "halting"))
		return zone_mark_halting(c, argv[2], atoi(argv[3]), e);
	if (!strcmp(argv[1], "wait"))
		return zone_wait(c, &r, atoi(argv[3]), e);
	if (!strcmp(argv[1], "bench")) {
		int n = atoi(argv[3]);
		uint64_t t = clock_mono_ns();

		for (int i = 0; i < n; i++)
			zone_status(c, argv[2], &r, e);
		printf("%llu ns each\n", (unsigned long long)(clock_mono_ns() - t) / (unsigned)n);
		return 0;
	}
	if (!strcmp(argv[1], "teardown")) {
		rc = cg_host_find(c, &h, e);
		return rc < 0 ? rc : zone_teardown(c, &h, argv[2], e);
	}
	/* The rest is about a mount or device of a running zone: argv[3] is a spec with just that one. */
	if (argc < 4)
		return err_set(e, 22, "verb %s", argv[1]);
	if (!strcmp(argv[1], "umount"))
		return zone_mount_remove(c, &r, argv[3], e);
	if (!strcmp(argv[1], "undev"))
		return zone_dev_remove(c, &r, argv[3], e);
	rc = spec_of(argv[3], &z, e);
	if (rc == 0 && !strcmp(argv[1], "mount"))
		rc = zone_mount_add(c, &r, &z, &z.mounts[0], e);
	else if (rc == 0 && !strcmp(argv[1], "dev"))
		rc = zone_dev_add(c, &r, &z, &z.devs[0], e);
	zspec_done(&z);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct ctx c;

	if (argc < 3 || ctx_init(&c, NULL, &e) < 0) {
		fprintf(stderr, "usage: zbuild VERB ARG… %s\n", e.msg);
		return 2;
	}
	c.log = print_log;
	c.verbose = getenv("ZBUILD_VERBOSE") != NULL;
	if (verb(&c, argc, argv, &e) < 0) {
		fprintf(stderr, "zbuild: %s\n%s%s", e.msg, e.hint, *e.hint ? "\n" : "");
		return 1;
	}
	return 0;
}
