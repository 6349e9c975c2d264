/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What metadata asks of a zone at its boot: keys to be installed, scripts to be run. The program that does it (inside/execute.c) asks for
 * them itself, in the zone and as its root; here is decided who starts it there:
 *
 *	systemd      a unit in /run, wanted by multi-user.target
 *	zinit        itself, first of all
 *	another      `cloister zone-scripts`, from outside, as soon as that init runs
 *
 * A zone whose record has none of the keys has none of this. cloud-init, where an image has it, finds its seed (docs/decisions/metadata.md).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/path.h"
#include "model/vm.h"
#include "node/scripts.h"
#include "node/seed.h"
#include "node/spec_in.h"
#include "zone/enter.h"

#define EXECUTE "/.zonecontrol/native/usr/sbin/mdata-execute"
#define SEED    "/var/lib/cloud/seed/nocloud/"

static const json_t *member(const json_t *rec, const char *list, const char *key)
{
	return json_object_get(json_object_get(rec, list), key);
}

static bool wanted(const json_t *rec)
{
	static const char *const keys[] = {"user-script", "root_authorized_keys", "user-data"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (member(rec, "customer_metadata", keys[i]))
			return true;
	return member(rec, "internal_metadata", "operator-script");
}

static void by_systemd(struct zspec *z)
{
	spec_file(z, "/run/systemd/system/mdata.service", 0644, xstrdup(
		"[Unit]\nDescription=Keys and scripts of the zone's metadata\nAfter=local-fs.target network.target cloud-init.service\n"
		"[Service]\nType=exec\nExecStart=" EXECUTE "\nRemainAfterExit=yes\nKillMode=process\n"));
	spec_file(z, "/run/systemd/system/multi-user.target.d/mdata.conf", 0644, xstrdup("[Unit]\nWants=mdata.service\n"));
}

/* "zinit …" becomes "zinit --first PROGRAM …". */
static void by_zinit(struct zspec *z)
{
	unsigned n = 0;

	while (z->argv[n])
		n++;
	spec_word(&z->argv, &n, xstrdup(""));
	spec_word(&z->argv, &n, xstrdup(""));
	free(z->argv[n - 1]);
	free(z->argv[n - 2]);
	memmove(z->argv + 3, z->argv + 1, (n - 3) * sizeof *z->argv);
	z->argv[1] = xstrdup("--first");
	z->argv[2] = xstrdup(EXECUTE);
}

static bool has(const char *tree, const char *path)
{
	_fd_ int root = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_fd_ int fd = root < 0 ? -1 : path_open_in(root, path, O_PATH, 0, NULL);

	return fd >= 0;
}

/* In the image, or in what the zone has of its own. */
static bool has_cloud_init(const struct vm *v, const struct zspec *z)
{
	static const char cfg[] = "/etc/cloud/cloud.cfg";

	if (!z->shared)
		return has(z->root_path, cfg);
	return has(z->upper, cfg) || (z->lower && z->lower[0] && has(z->lower[0], cfg));
}

/* The network is ours: cloud-init shall leave it as it is. */
static int cloud_init(const struct vm *v, struct zspec *z, struct err *e)
{
	int r = seed_check(v->rec, e);

	if (r < 0)
		return r;
	spec_file(z, SEED "meta-data", 0600, seed_meta(v->rec));
	spec_file(z, SEED "user-data", 0600, seed_user(v->rec));
	spec_file(z, SEED "network-config", 0600, xstrdup("{\"config\": \"disabled\"}\n"));
	return 0;
}

int scripts_spec(struct vm *v, struct zspec *z, enum init_kind kind, struct err *e)
{
	int r = 0;

	if (z->docker)
		return 0;
	if (kind == INIT_SYSTEMD && v->brand->init == BRAND_INIT_ROOT && has_cloud_init(v, z))
		r = cloud_init(v, z, e);
	if (r < 0 || !wanted(v->rec))
		return r;
	if (kind == INIT_SYSTEMD)
		by_systemd(z);
	else if (kind == INIT_ZINIT)
		by_zinit(z);
	else
		z->scripts = true;
	return 0;
}

int scripts_run(struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/spec", c->node.run, uuid);
	static const char *const argv[] = {EXECUTE, NULL};
	const struct enter en = {.argv = argv, .safe = true, .in = -1, .out = -1, .err = -1};
	_buf_ struct buf text = BUF_INIT;
	struct zspec z = {0};
	struct zone_run run;
	struct cg_host h;
	int r = zone_status(c, uuid, &run, e);

	if (r == 0 && !run.running)
		r = err_set(e, ESRCH, "zone %s does not run", uuid);
	if (r == 0)
		r = file_read(AT_FDCWD, path, 1 << 20, &text, e);
	if (r == 0)
		r = zspec_parse(buf_str(&text), text.len, &z, e);
	if (r == 0)
		r = cg_host_known(c, &h, e);
	if (r == 0)
		r = zone_enter(c, &h, &run, &z, &en, e);
	zspec_done(&z);
	return r;
}
