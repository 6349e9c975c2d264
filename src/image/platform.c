/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The built-in image of sparse zones. Two keys say whether it is up to date: `inputs`, over the files that it is made
 * from as they stand (a handful of stats, asked at every create), and `version`, over the tree itself: when packages
 * changed and the tree did not, only the first is written again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "image/build.h"
#include "image/manifest.h"
#include "image/skel.h"

#define LAYOUT 2 /* counts up when platform_etc.c makes another tree from the same files and that alone would not show */

static void inputs_key(char out[24])
{
	static const char *const of[] = {"/var/lib/dpkg/status", "/etc/passwd", "/etc/group", "/etc/ssl/certs", "/usr/lib/sysusers.d",
					 "/usr/share/base-passwd/passwd.master", "/usr/share/base-files/profile", "/usr/share/openssh"};
	uint64_t v[ARRAY_LEN(of)][4] = {0};

	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		struct stat st;

		if (stat(of[i], &st) == 0) {
			v[i][0] = (uint64_t)st.st_ino;
			v[i][1] = (uint64_t)st.st_size;
			v[i][2] = (uint64_t)st.st_mtim.tv_sec;
			v[i][3] = (uint64_t)st.st_mtim.tv_nsec;
		}
	}
	snprintf(out, 24, "%d-%016llx", LAYOUT, (unsigned long long)str_hash(v, sizeof v));
}

static int fill(struct ctx *c, struct build *b, int ds, struct err *e)
{
	_fd_ int root = openat(ds, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, errno, "open root");
	return skel_write(b->arg, root, e);
}

static bool current(struct state *st, struct store *s, const char *key, json_t **m)
{
	_free_ char *istate = NULL, *text = NULL;
	json_t *j = NULL;

	if (state_image_get(st, IMAGE_PLATFORM, &istate, &text, NULL) < 0 || !str_eq(istate, "active") ||
	    !store_exists(s, "images/" IMAGE_PLATFORM) || manifest_parse(text, strlen(text), &j, NULL) < 0)
		return false;
	if (str_eq(manifest_str(json_object_get(j, "tags"), "inputs"), key)) {
		json_decref(j);
		return true;
	}
	*m = j;
	return false;
}

static json_t *describe(const char *version, const char *key)
{
	char when[CLOCK_TEXT];
	json_t *m = manifest_make(IMAGE_PLATFORM, "platform", version, "zone-dataset", clock_iso(clock_wall_ns(), when),
				  "What a sparse zone has of its own, made from this machine's packages");

	json_object_set_new(json_object_get(m, "tags"), "inputs", json_string(key));
	return m;
}

static int make(struct ctx *c, struct state *st, struct store *s, int lock, const char *key, const json_t *old, struct err *e)
{
	_clean_(skel_done) struct skel sk = SKEL_INIT;
	struct build b = {.st = st, .s = s, .fill = fill, .arg = &sk, .replace = true, .lock = lock};
	char version[24];
	int r = platform_plan(&sk, e);

	if (r < 0)
		return r;
	snprintf(version, sizeof version, "%016llx", (unsigned long long)skel_hash(&sk));
	b.manifest = describe(version, key);
	if (old && str_eq(manifest_str(old, "version"), version)) {
		_free_ char *text = json_dumps(b.manifest, JSON_COMPACT);

		r = state_image_put(st, IMAGE_PLATFORM, "active", text, e);
	} else {
		r = image_build(c, &b, e);
	}
	json_decref(b.manifest);
	return r;
}

int image_platform(struct ctx *c, struct state *st, struct store *s, struct err *e)
{
	json_t *old = NULL;
	char key[24];
	_fd_ int lock = -1;
	int r = 0;

	inputs_key(key);
	if (current(st, s, key, &old))
		return 0;
	json_decref(old);
	old = NULL;
	lock = image_lock(c, IMAGE_PLATFORM, false, false, e);
	if (lock < 0)
		return err_add(e, "platform image");
	/* another command may have made it while we waited */
	if (!current(st, s, key, &old))
		r = make(c, st, s, lock, key, old, e);
	json_decref(old);
	return r < 0 ? err_add(e, "platform image") : 0;
}
