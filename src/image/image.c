/* SPDX-License-Identifier: MPL-2.0 */
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/build.h"
#include "image/manifest.h"
#include "image/warm.h"

void image_done(struct image *i)
{
	json_decref(i->manifest);
	i->manifest = NULL;
}

int image_get(struct ctx *c, struct state *st, const char *uuid, const char *brand, struct image *out, struct err *e)
{
	_free_ char *istate = NULL, *text = NULL;
	struct image i = IMAGE_INIT;
	int r = state_image_get(st, uuid, &istate, &text, e);

	if (r == -ENOENT)
		err_hint(e, "`imgadm list` shows what is installed");
	if (r < 0)
		return r;
	if (strcmp(istate, "active"))
		return err_set(e, ENOENT, "image %s is being installed or deleted", uuid);
	r = manifest_parse(text, strlen(text), &i.manifest, e);
	if (r < 0)
		return err_add(e, "image %s", uuid);
	snprintf(i.uuid, sizeof i.uuid, "%s", uuid);
	snprintf(i.dataset, sizeof i.dataset, "images/%s", uuid);
	if (brand) {
		r = manifest_suits(i.manifest, brand, e);
		if (r < 0) {
			image_done(&i);
			return r;
		}
	}
	*out = i;
	return 0;
}

int image_oci_config(const struct image *i, json_t **out, struct err *e)
{
	json_t *o = json_object_get(i->manifest, "oci");

	if (!json_is_object(o))
		return err_set(e, ENOENT, "image %s has no entrypoint: it does not come from an OCI image", i->uuid);
	*out = json_incref(o);
	return 0;
}

int image_lock(const struct ctx *c, const char *uuid, bool shared, bool try, struct err *e)
{
	struct flock fl = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
	_free_ char *dir = xprintf("%s/locks", c->node.run), *path = xprintf("%s/image-%s", dir, uuid);
	_fd_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == ENOENT) {
		int r = dir_make(dir, 0700, e);

		if (r < 0)
			return r;
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	while (fcntl(fd, try ? F_OFD_SETLK : F_OFD_SETLKW, &fl) < 0) {
		int r = errno == EINTR ? ctx_check(c, e) : err_sys(e, errno, "lock image %s", uuid);

		if (r < 0)
			return r;
	}
	return take_fd(&fd);
}

int image_delete(struct ctx *c, struct state *st, struct store *s, const char *uuid, struct err *e)
{
	_free_ char *text = NULL, *name = xprintf("images/%s", uuid);
	_fd_ int lock = -1;
	int r;

	/* sparse zones stand on it without naming it */
	if (!strcmp(uuid, IMAGE_PLATFORM))
		return err_set(e, EPERM, "image %s is the built-in one of sparse zones: it is not deleted", uuid);
	lock = image_lock(c, uuid, false, false, e);
	if (lock < 0)
		return lock;
	r = state_image_get(st, uuid, NULL, &text, e);
	if (r == 0)
		r = state_image_users(st, uuid, e);
	/* from here on a kill leaves a row that image_recover() clears with its dataset */
	if (r == 0)
		r = state_image_put(st, uuid, "installing", text, e);
	if (r == 0)
		r = warm_drop(s, uuid, e);
	if (r == 0)
		r = upper_drop(s, uuid, e);
	if (r == 0)
		r = store_destroy(s, name, e);
	if (r == 0)
		r = state_image_delete(st, uuid, e);
	if (r == 0)
		state_event(st, "image-deleted", uuid, NULL, NULL);
	return r;
}
