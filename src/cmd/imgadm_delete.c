/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/imgadm.h"

static int del(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	char uuid[37];
	int r;

	if (argc == 4 && !strcmp(argv[1], "-P") && !strcmp(argv[2], "zones"))
		argc -= 2, argv += 2;
	if (argc != 2 || *argv[1] == '-')
		return cmd_usage("imgadm", "delete", NULL);
	r = imgadm_open(c, STATE_WRITE, true, &im, &e);
	if (r == 0)
		r = imgadm_find(im.st, argv[1], uuid, &e);
	if (r == 0)
		r = image_delete(c, im.st, im.s, uuid, &e);
	imgadm_close(&im);
	if (r < 0)
		return imgadm_fail(c, &e);
	cmd_say("Deleted image %s", uuid);
	return 0;
}

struct vacuum {
	char (*uuid)[37];
	char **name;
	size_t n;
	struct state *st;
};

static int unused(const char *uuid, const char *istate, const char *manifest, void *arg)
{
	struct vacuum *v = arg;
	json_t *m;

	/* the built-in one is made again at the next create anyway */
	if (strcmp(istate, "active") || !strcmp(uuid, IMAGE_PLATFORM))
		return 0;
	m = json_loads(manifest, 0, NULL);
	v->uuid = xrealloc(v->uuid, (v->n + 1) * sizeof *v->uuid);
	v->name = xrealloc(v->name, (v->n + 1) * sizeof *v->name);
	memcpy(v->uuid[v->n], uuid, 37);
	v->name[v->n++] = xprintf("%s@%s", json_string_value(json_object_get(m, "name")), json_string_value(json_object_get(m, "version")));
	json_decref(m);
	return 0;
}

/* A child is deleted before its origin, so passes are made until one finds nothing. Returns how many went. */
static int sweep(struct ctx *c, struct imgadm *im, bool dry, struct err *e)
{
	struct vacuum v = {.st = im->st};
	int r = state_image_each(im->st, unused, &v, e), n = 0;

	for (size_t i = 0; i < v.n; i++) {
		struct err ue = ERR_INIT;

		if (r >= 0 && state_image_users(im->st, v.uuid[i], &ue) == 0) {
			if (!dry)
				r = image_delete(c, im->st, im->s, v.uuid[i], e);
			if (r >= 0 && dry)
				printf("Would delete image %s (%s)\n", v.uuid[i], v.name[i]);
			else if (r >= 0)
				cmd_say("Deleted image %s (%s)", v.uuid[i], v.name[i]);
			n++;
		}
		free(v.name[i]);
	}
	free(v.name);
	free(v.uuid);
	return r < 0 ? r : n;
}

static int vacuum(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	bool dry = false, force = false;
	int o, r;

	while ((o = getopt(argc, argv, "+nf")) != -1) {
		if (o == 'n')
			dry = true;
		else if (o == 'f')
			force = true;
		else
			return cmd_usage("imgadm", "vacuum", NULL);
	}
	if (optind < argc)
		return cmd_usage("imgadm", "vacuum", NULL);
	r = imgadm_open(c, STATE_WRITE, true, &im, &e);
	if (r == 0) {
		r = sweep(c, &im, dry || !force, &e);
		if (r > 0 && !dry && !force) {
			cmd_say("Run again with -f to delete them.");
		} else {
			while (r > 0 && force && !dry)
				r = sweep(c, &im, false, &e);
		}
	}
	imgadm_close(&im);
	return r < 0 ? cmd_fail(c, &e) : 0;
}

static int later(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	err_set(&e, ENOTSUP, "not available yet: this node has no image server to ask");
	err_hint(&e, "`imgadm import`, `install` and `bootstrap` bring images from files and packages");
	return cmd_fail(c, &e);
}

CMD(imgadm_delete, "imgadm", "delete", "<uuid>", "delete an image that nobody uses", CMD_IMAGE, del);
CMD(imgadm_vacuum, "imgadm", "vacuum", "[-n] [-f]", "delete the images that no VM uses (-n shows them, -f does not ask)", CMD_NONE, vacuum);
CMD(imgadm_sources, "imgadm", "sources", "", "image servers (not available yet)", CMD_NONE, later);
CMD(imgadm_avail, "imgadm", "avail", "", "images that servers offer (not available yet)", CMD_NONE, later);
CMD(imgadm_update, "imgadm", "update", "", "refresh manifests from their server (not available yet)", CMD_NONE, later);
CMD(imgadm_publish, "imgadm", "publish", "", "send an image to a server (not available yet)", CMD_NONE, later);
