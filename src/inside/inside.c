/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zonename and zoneadm as a zone has them: they say which zone this is and nothing else, for a zone knows nothing else; and
 * what speaks with its metadata service.
 * One static program, which runs in any root; the name it is called by decides. Lent read-only in /.zonecontrol/native/usr.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "inside/mdata.h"
#include "zone/self.h"

static int fail(const char *prog, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", prog, e->msg);
	return 1;
}

static int zonename(int argc, char **argv)
{
	_free_ char *name = NULL;
	struct err e = ERR_INIT;
	int k, r;

	while ((k = getopt(argc, argv, "+t")) != -1) {
		if (k == '?')
			return 2;
		puts(zone_inside() ? "exclusive" : "shared");
		return 0;
	}
	if (optind < argc) {
		fprintf(stderr, "usage: zonename [-t]\n");
		return 2;
	}
	r = zone_self("zonename", &name, &e);
	if (r < 0)
		return fail("zonename", &e);
	puts(r ? name : "global");
	return 0;
}

static int zoneadm_usage(void)
{
	fprintf(stderr, "usage: zoneadm [-z zone] list [-civp]\n"
			"a zone lists itself; booting, halting and all else is done in the global zone\n");
	return 2;
}

static int zoneadm(int argc, char **argv)
{
	enum zone_line_form f = ZONE_LINE_NAME;
	_buf_ struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	const char *zone = NULL;
	int k, r;

	while ((k = getopt(argc, argv, "+z:u:")) != -1) {
		if (k == '?')
			return zoneadm_usage();
		zone = optarg;
	}
	argc -= optind;
	argv += optind;
	if (argc == 0 || strcmp(argv[0], "list") != 0)
		return zoneadm_usage();
	optind = 0;
	while ((k = getopt(argc, argv, "cinpv")) != -1) {
		if (k == '?')
			return zoneadm_usage();
		if (k == 'p' || k == 'v') {
			enum zone_line_form want = k == 'p' ? ZONE_LINE_PARSEABLE : ZONE_LINE_VERBOSE;

			if (f != ZONE_LINE_NAME && f != want)
				return zoneadm_usage();
			f = want;
		}
	}
	if (optind < argc)
		return zoneadm_usage();
	r = zone_self_list(zone, f, &out, &e);
	if (r == 0)
		r = err_set(&e, EINVAL, "this is the global zone: its zoneadm is another program");
	if (r < 0)
		return fail("zoneadm", &e);
	fputs(buf_str(&out), stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL, *name = slash ? slash + 1 : argv[0];

	int r = name ? mdata_tool(name, argc, argv) : -1;

	if (r >= 0)
		return r;
	if (name && strcmp(name, "mdata-execute") == 0)
		return mdata_execute(argc, argv);
	return name && strcmp(name, "zoneadm") == 0 ? zoneadm(argc, argv) : zonename(argc, argv);
}
