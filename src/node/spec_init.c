/* SPDX-License-Identifier: MPL-2.0 */
/* A zone's first program: which one, of what kind, with which arguments and environment. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/path.h"
#include "model/vm.h"
#include "node/spec_in.h"

/* The root's top folder as the zone's init is going to see it: for a shared root the upper layer goes before the image. */
static int read_init_link(const char *init, const char *tree, char *out, size_t n)
{
	_fd_ int root = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[256];

	if (root < 0)
		return -errno;
	snprintf(path, sizeof path, "%s", init);
	/* follow by hand for a few steps, each confined to the root, and keep the last name */
	for (int hop = 0; hop < 8; hop++) {
		_fd_ int fd = path_open_in(root, path, O_PATH | O_NOFOLLOW, 0, NULL);
		ssize_t len;

		if (fd < 0)
			return fd;
		len = readlinkat(fd, "", out, n - 1);
		if (len < 0) {
			snprintf(out, n, "%s", path);
			return 0;
		}
		out[len] = 0;
		if (out[0] == '/') {
			snprintf(path, sizeof path, "%s", out);
		} else {
			char *slash = strrchr(path, '/');
			size_t dir = slash ? (size_t)(slash + 1 - path) : 0;

			snprintf(path + dir, sizeof path - dir, "%s", out);
		}
	}
	return -ELOOP;
}

enum init_kind vm_init_kind(struct vm *v)
{
	const char *init = vm_str(v->rec, "init_name") ?: "/sbin/init";
	char link[256] = "";
	_free_ char *upper = NULL, *tree = NULL;

	if (v->brand->init == BRAND_INIT_ZINIT)
		return INIT_ZINIT;
	if (brand_hvm(v->brand))
		return INIT_OTHER;
	if (v->brand->init == BRAND_INIT_HOST && str_starts(init, "/sbin/"))
		return brand_init_kind(read_init_link(init, "/", link, sizeof link) == 0 ? link : init);
	if (str_eq(vm_str(v->rec, "image_sharing"), "private")) {
		tree = vm_path(v, "root/root");
	} else {
		upper = vm_path(v, "root/upper");
	}
	/* shared, or about to be made of the image */
	if ((upper || access(tree, F_OK) < 0) && vm_need_image(v, NULL) == 0) {
		free(tree);
		tree = xprintf("%s/%s/root", v->c->node.pool, v->image.dataset);
	}
	if (upper && read_init_link(init, upper, link, sizeof link) == 0)
		return brand_init_kind(link);
	if (tree && read_init_link(init, tree, link, sizeof link) == 0)
		return brand_init_kind(link);
	return brand_init_kind(init);
}

void spec_env(struct zspec *z, unsigned *n, const char *name, const char *value)
{
	spec_word(&z->env, n, xprintf("%s=%s", name, value));
}

/* What an image's program counts on and the image need not say. */
static void env_default(struct zspec *z, unsigned *n, const char *name, const char *value)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < *n; i++)
		if (!strncmp(z->env[i], name, len) && z->env[i][len] == '=')
			return;
	spec_env(z, n, name, value);
}

static int init_docker(struct vm *v, struct zspec *z, unsigned *nenv, struct err *e)
{
	_json_ json_t *oci = NULL;
	const json_t *x;
	unsigned n = 0;
	size_t i;
	int r = image_oci_config(&v->image, &oci, e);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(oci, "argv"), i, x)
		spec_word(&z->argv, &n, xstrdup(json_string_value(x) ?: ""));
	json_array_foreach(json_object_get(oci, "env"), i, x)
		spec_word(&z->env, nenv, xstrdup(json_string_value(x) ?: ""));
	if (vm_str(oci, "user") && *vm_str(oci, "user"))
		z->user = xstrdup(vm_str(oci, "user"));
	if (vm_str(oci, "cwd") && *vm_str(oci, "cwd"))
		z->cwd = xstrdup(vm_str(oci, "cwd"));
	if (n == 0 && !vm_str(v->rec, "init_name"))
		return err_set(e, ENOEXEC, "image %s has no entrypoint: give init_name", v->image.uuid);
	return 0;
}

int spec_init(struct vm *v, struct zspec *z, struct err *e)
{
	const char *name = vm_str(v->rec, "init_name");
	bool docker = vm_bool(v->rec, "docker", false);
	unsigned nargv = 0, nenv = 0;
	int r;

	spec_env(z, &nenv, "container", "cloister");
	spec_env(z, &nenv, "container_uuid", v->uuid);
	if (docker && v->have_image && vm_str(v->rec, "image_uuid")) {
		r = init_docker(v, z, &nenv, e);
		if (r < 0)
			return r;
		for (; z->argv && z->argv[nargv]; nargv++)
			;
	}
	if (docker) {
		env_default(z, &nenv, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		env_default(z, &nenv, "HOSTNAME", z->hostname);
	} else {
		spec_env(z, &nenv, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		spec_env(z, &nenv, "TERM", "linux");
		spec_env(z, &nenv, "HOME", "/root");
	}
	if (v->brand->init == BRAND_INIT_ZINIT && !docker) {
		spec_word(&z->argv, &nargv, xstrdup("/.zonecontrol/native/zinit"));
		if (name) {
			if (!vm_restart_init(v->rec))
				spec_word(&z->argv, &nargv, xstrdup("--once"));
			spec_word(&z->argv, &nargv, xstrdup("--"));
			spec_word(&z->argv, &nargv, xstrdup(name));
		}
	} else if (name) {
		for (unsigned i = 0; i < nargv; i++)
			free(z->argv[i]);
		nargv = 0;
		spec_word(&z->argv, &nargv, xstrdup(name));
	} else if (nargv == 0 && docker) {
		return err_set(e, ENOEXEC, "a docker VM without a docker image: give init_name");
	} else if (nargv == 0) {
		spec_word(&z->argv, &nargv, xstrdup("/sbin/init"));
	}
	return 0;
}
