/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/imgadm.h"
#include "image/import.h"

enum { O_NAME = 256, O_VERSION, O_TYPE, O_UUID, O_DESC, O_REF, O_SIZE, O_ENTRIES, O_INCLUDE, O_MIRROR };

static const struct option longs[] = {
	{"name", required_argument, NULL, O_NAME},
	{"version", required_argument, NULL, O_VERSION},
	{"type", required_argument, NULL, O_TYPE},
	{"uuid", required_argument, NULL, O_UUID},
	{"description", required_argument, NULL, O_DESC},
	{"ref", required_argument, NULL, O_REF},
	{"max-size", required_argument, NULL, O_SIZE},
	{"max-entries", required_argument, NULL, O_ENTRIES},
	{"include", required_argument, NULL, O_INCLUDE},
	{"mirror", required_argument, NULL, O_MIRROR},
	{"quiet", no_argument, NULL, 'q'},
	{NULL, 0, NULL, 0},
};

struct opts {
	struct import_opts o;
	const char *manifest, *file, *include, *mirror;
	bool quiet;
};

/* Operands may stand before options too, as people write them. 0 or the exit status. */
static int options(int argc, char **argv, const char *shorts, struct opts *p)
{
	const char *verb = cmd_verb(argv[0]);
	int o;

	while ((o = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (o) {
		case 'm':
			p->manifest = optarg;
			break;
		case 'f':
			p->file = optarg;
			break;
		case 'q':
			p->quiet = true;
			break;
		case 'P':
			if (strcmp(optarg, "zones"))
				return cmd_usage("imgadm", verb, "the pool is named \"zones\"");
			break;
		case O_NAME:
			p->o.name = optarg;
			break;
		case O_VERSION:
			p->o.version = optarg;
			break;
		case O_TYPE:
			p->o.type = optarg;
			break;
		case O_UUID:
			p->o.uuid = optarg;
			break;
		case O_DESC:
			p->o.description = optarg;
			break;
		case O_REF:
			p->o.ref = optarg;
			break;
		case O_SIZE:
			if (str_to_bytes(optarg, &p->o.max_bytes) < 0 || p->o.max_bytes == 0)
				return cmd_usage("imgadm", verb, "\"%s\" is not a size", optarg);
			break;
		case O_ENTRIES:
			if (str_to_u64(optarg, &p->o.max_entries) < 0 || p->o.max_entries == 0)
				return cmd_usage("imgadm", verb, "\"%s\" is not a number", optarg);
			break;
		case O_INCLUDE:
			p->include = optarg;
			break;
		case O_MIRROR:
			p->mirror = optarg;
			break;
		default:
			return cmd_usage("imgadm", verb, NULL);
		}
	}
	return 0;
}

static int done(struct ctx *c, struct imgadm *im, const struct opts *p, int r, const char *verb, const char *uuid, struct err *e)
{
	struct image i = IMAGE_INIT;

	if (r == 0)
		r = image_get(c, im->st, uuid, NULL, &i, e);
	if (r == 0 && !p->quiet)
		cmd_say("%s image %s (%s@%s)", verb, uuid, json_string_value(json_object_get(i.manifest, "name")),
		       json_string_value(json_object_get(i.manifest, "version")));
	image_done(&i);
	imgadm_close(im);
	return r < 0 ? cmd_fail(c, e) : 0;
}

static int install(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	struct opts p = {.quiet = false};
	char uuid[37];
	int r = options(argc, argv, "m:f:qP:", &p);

	if (r)
		return r;
	if (!p.manifest || !p.file || optind < argc)
		return cmd_usage("imgadm", "install", "-m manifest and -f file are needed");
	if (p.o.name || p.o.version || p.o.type || p.o.uuid || p.o.description || p.o.ref || p.include || p.mirror)
		return cmd_usage("imgadm", "install", "the manifest says what the image is");
	if (p.quiet)
		c->progress = NULL;
	r = imgadm_open(c, STATE_WRITE, true, &im, &e);
	if (r == 0)
		r = image_install(c, im.st, im.s, p.manifest, p.file, &p.o, uuid, &e);
	return done(c, &im, &p, r, "Installed", uuid, &e);
}

static int import(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	struct opts p = {.quiet = false};
	char uuid[37];
	int r = options(argc, argv, "qP:", &p);

	if (r)
		return r;
	if (optind + 1 != argc)
		return cmd_usage("imgadm", "import", "one file or folder is needed");
	if (p.include || p.mirror)
		return cmd_usage("imgadm", "import", "--include and --mirror are for bootstrap");
	if (p.quiet)
		c->progress = NULL;
	r = imgadm_open(c, STATE_WRITE, true, &im, &e);
	if (r == 0)
		r = image_import(c, im.st, im.s, argv[optind], &p.o, uuid, &e);
	return done(c, &im, &p, r, "Imported", uuid, &e);
}

CMD(imgadm_install, "imgadm", "install", "-m <manifest> -f <file> [-q] [--max-size N] [--max-entries N]",
    "install an image from its manifest and file", CMD_NONE, install);
CMD(imgadm_import, "imgadm", "import",
    "<file|folder|-> [-q] [--name N] [--version V] [--type T] [--uuid U] [--description D] [--ref NAME] [--max-size N] [--max-entries N]",
    "make an image of a root filesystem tarball or an OCI image layout", CMD_FILE, import);

static int bootstrap(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	struct opts p = {.quiet = false};
	char uuid[37];
	int r = options(argc, argv, "qP:", &p);

	if (r)
		return r;
	if (optind >= argc || argc - optind > 2 || strcmp(argv[optind], "debian"))
		return cmd_usage("imgadm", "bootstrap", "the distribution is \"debian\"");
	if (p.o.ref || p.o.max_bytes || p.o.max_entries)
		return cmd_usage("imgadm", "bootstrap", NULL);
	if (p.quiet)
		c->progress = NULL;
	r = imgadm_open(c, STATE_WRITE, true, &im, &e);
	if (r == 0)
		r = image_bootstrap(c, im.st, im.s, argv[optind + 1], p.mirror, p.include, &p.o, uuid, &e);
	return done(c, &im, &p, r, "Made", uuid, &e);
}

CMD(imgadm_bootstrap, "imgadm", "bootstrap",
    "debian [suite] [-q] [--include PKG,...] [--mirror URL] [--name N] [--version V] [--type T] [--uuid U] [--description D]",
    "make an image of Debian from its packages", CMD_NONE, bootstrap);

static int platform(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	struct opts p = {.quiet = false};
	int r;

	if (argc != 1)
		return cmd_usage("imgadm", "platform", NULL);
	r = imgadm_open(c, STATE_WRITE, true, &im, &e);
	if (r == 0)
		r = image_platform(c, im.st, im.s, &e);
	return done(c, &im, &p, r, "Up to date:", IMAGE_PLATFORM, &e);
}

CMD(imgadm_platform, "imgadm", "platform", "", "make the built-in image of sparse zones, if this machine's packages changed", CMD_NONE,
    platform);
