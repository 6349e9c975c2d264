/* SPDX-License-Identifier: MPL-2.0 */
#include "image/oci.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

const char *oci_arch(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__riscv)
	return "riscv64";
#elif defined(__powerpc64__)
	return "ppc64le";
#elif defined(__s390x__)
	return "s390x";
#else
	return "unknown";
#endif
}

static int load(const char *what, const char *text, size_t n, json_t **out, struct err *e)
{
	json_error_t je;
	json_t *j;

	if (n > OCI_DOC_MAX)
		return err_set(e, EFBIG, "%s: more than %u bytes", what, OCI_DOC_MAX);
	j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
	if (!json_is_object(j)) {
		if (!j)
			err_set(e, EINVAL, "%s: line %d, column %d: %s", what, je.line, je.column, je.text);
		else
			err_set(e, EINVAL, "%s: not an object", what);
		json_decref(j);
		return -EINVAL;
	}
	*out = j;
	return 0;
}

static int digest(const char *s, char hex[65], struct err *e)
{
	if (!s)
		return err_set(e, EINVAL, "a digest is missing");
	if (strncmp(s, "sha256:", 7))
		return err_set(e, ENOTSUP, "digest \"%.80s\": only sha256 is supported", s);
	s += 7;
	if (strlen(s) != 64 || strspn(s, "0123456789abcdef") != 64)
		return err_set(e, EINVAL, "digest \"sha256:%.80s\" is not 64 lower-case hex digits", s);
	memcpy(hex, s, 65);
	return 0;
}

static int desc(const json_t *d, struct oci_desc *out, struct err *e)
{
	const json_t *size = json_object_get(d, "size");
	const char *type = text_of(d, "mediaType");
	int r = digest(text_of(d, "digest"), out->hex, e);

	if (r < 0)
		return r;
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(e, EINVAL, "sha256:%s: size is missing", out->hex);
	out->size = (uint64_t)json_integer_value(size);
	out->index = type && (str_eq(type, "application/vnd.oci.image.index.v1+json") ||
			      str_eq(type, "application/vnd.docker.distribution.manifest.list.v2+json"));
	return 0;
}

int oci_layout_check(const char *text, size_t n, struct err *e)
{
	json_t *j = NULL;
	const char *v;
	int r = load("oci-layout", text, n, &j, e);

	if (r < 0)
		return r;
	v = text_of(j, "imageLayoutVersion");
	if (!v || strncmp(v, "1.", 2))
		r = err_set(e, ENOTSUP, "oci-layout: version %.20s, this is for 1.x", v ? v : "missing");
	json_decref(j);
	return r;
}

static bool is_image(const char *type)
{
	return !type || str_eq(type, "application/vnd.oci.image.index.v1+json") ||
	       str_eq(type, "application/vnd.oci.image.manifest.v1+json") ||
	       str_eq(type, "application/vnd.docker.distribution.manifest.v2+json") ||
	       str_eq(type, "application/vnd.docker.distribution.manifest.list.v2+json");
}

static bool platform_fits(const json_t *p, const char *arch)
{
	return !p || json_is_null(p) || (str_eq(text_of(p, "os"), "linux") && str_eq(text_of(p, "architecture"), arch));
}

static void offer(struct buf *b, const json_t *m)
{
	const json_t *p = json_object_get(m, "platform");
	const char *name = text_of(json_object_get(m, "annotations"), "org.opencontainers.image.ref.name");

	if (b->len > 300)
		return;
	buf_printf(b, "%s%.60s", b->len ? ", " : "", name ? name : p ? "" : "(no name)");
	if (p)
		buf_printf(b, " %.20s/%.20s", text_of(p, "os") ?: "?", text_of(p, "architecture") ?: "?");
}

static int pick(const json_t *list, const char *arch, const char *ref, struct oci_desc *out, struct err *e)
{
	_buf_ struct buf seen = BUF_INIT;
	struct oci_desc got = {.size = 0};
	bool have = false;
	const json_t *m;
	size_t i;
	int r;

	if (!json_is_array(list))
		return err_set(e, EINVAL, "\"manifests\" is missing");
	json_array_foreach(list, i, m) {
		const char *name = text_of(json_object_get(m, "annotations"), "org.opencontainers.image.ref.name");
		struct oci_desc d = {.size = 0};

		if (!is_image(text_of(m, "mediaType")))
			continue;
		offer(&seen, m);
		if (!platform_fits(json_object_get(m, "platform"), arch) || (ref && !str_eq(name, ref)))
			continue;
		r = desc(m, &d, e);
		if (r < 0)
			return r;
		if (have && strcmp(d.hex, got.hex)) {
			err_set(e, ENOTUNIQ, "several images fit: %s", buf_str(&seen));
			return err_hint(e, "say which with --ref NAME");
		}
		got = d;
		have = true;
	}
	if (!have)
		return err_set(e, ENOENT, "no image for linux/%s%s%s in it (it has: %s)", arch, ref ? " named " : "", ref ? ref : "",
			       seen.len ? buf_str(&seen) : "none");
	*out = got;
	return 0;
}

int oci_index_pick(const char *text, size_t n, const char *arch, const char *ref, struct oci_desc *out, struct err *e)
{
	json_t *j = NULL;
	int r = load("index", text, n, &j, e);

	if (r < 0)
		return r;
	r = pick(json_object_get(j, "manifests"), arch, ref, out, e);
	json_decref(j);
	if (r < 0)
		err_add(e, "index");
	return r;
}

static int layer_type(const char *t, struct err *e)
{
	static const char *const good[] = {
		"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.zstd",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (str_eq(t, good[i]))
			return 0;
	return err_set(e, ENOTSUP, "layer of type \"%.100s\": only plain, gzip and zstd tar layers are supported", t ? t : "");
}

static int manifest(const json_t *j, struct oci_manifest *out, struct err *e)
{
	const json_t *layers = json_object_get(j, "layers"), *v = json_object_get(j, "schemaVersion"), *l;
	size_t i;
	int r;

	if (!json_is_integer(v) || json_integer_value(v) != 2)
		return err_set(e, ENOTSUP, "schemaVersion must be 2");
	if (!is_image(text_of(j, "mediaType")))
		return err_set(e, ENOTSUP, "type \"%.100s\"", text_of(j, "mediaType"));
	r = desc(json_object_get(j, "config"), &out->config, e);
	if (r < 0) {
		err_add(e, "config");
		return r;
	}
	if (!json_is_array(layers) || json_array_size(layers) == 0 || json_array_size(layers) > OCI_LAYERS_MAX)
		return err_set(e, EINVAL, "\"layers\" must hold 1 to %d layers", OCI_LAYERS_MAX);
	out->layer = xalloc(json_array_size(layers) * sizeof *out->layer);
	json_array_foreach(layers, i, l) {
		if ((r = layer_type(text_of(l, "mediaType"), e)) < 0 || (r = desc(l, &out->layer[i], e)) < 0)
			return r;
		out->nlayers++;
	}
	return 0;
}

int oci_manifest_parse(const char *text, size_t n, struct oci_manifest *out, struct err *e)
{
	struct oci_manifest m = {.nlayers = 0};
	json_t *j = NULL;
	int r = load("manifest", text, n, &j, e);

	if (r < 0)
		return r;
	r = manifest(j, &m, e);
	json_decref(j);
	if (r < 0) {
		oci_manifest_done(&m);
		err_add(e, "manifest");
		return r;
	}
	*out = m;
	return 0;
}

void oci_manifest_done(struct oci_manifest *m)
{
	free(m->layer);
	*m = (struct oci_manifest){.nlayers = 0};
}

/* An array of texts, an empty one for null or absent. */
static int texts(const json_t *c, const char *key, json_t **out, struct err *e)
{
	const json_t *a = json_object_get(c, key), *v;
	size_t i;

	if (!a || json_is_null(a)) {
		*out = json_array();
		return 0;
	}
	if (!json_is_array(a) || json_array_size(a) > 4096)
		return err_set(e, EINVAL, "\"%s\" must be a list of texts", key);
	json_array_foreach(a, i, v)
		if (!json_is_string(v))
			return err_set(e, EINVAL, "\"%s\" must be a list of texts", key);
	*out = json_deep_copy(a);
	return 0;
}

static int runtime(const json_t *c, json_t *run, struct err *e)
{
	json_t *ep = NULL, *cmd = NULL, *env = NULL, *argv;
	const char *user = text_of(c, "User"), *cwd = text_of(c, "WorkingDir");
	const json_t *labels = json_object_get(c, "Labels");
	int r;

	if ((r = texts(c, "Entrypoint", &ep, e)) < 0 || (r = texts(c, "Cmd", &cmd, e)) < 0 || (r = texts(c, "Env", &env, e)) < 0)
		goto out;
	if (cwd && *cwd && *cwd != '/') {
		r = err_set(e, EINVAL, "\"WorkingDir\" must be an absolute path");
		goto out;
	}
	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *s = json_string_value(json_array_get(env, i));

		if (!strchr(s, '=') || *s == '=') {
			r = err_set(e, EINVAL, "\"Env\": \"%.60s\" is not NAME=value", s);
			goto out;
		}
	}
	argv = json_deep_copy(ep);
	json_array_extend(argv, cmd);
	json_object_set_new(run, "argv", argv);
	json_object_set(run, "entrypoint", ep);
	json_object_set(run, "cmd", cmd);
	json_object_set(run, "env", env);
	json_object_set_new(run, "user", json_string(user && *user ? user : "0:0"));
	json_object_set_new(run, "cwd", json_string(cwd && *cwd ? cwd : "/"));
	if (text_of(c, "StopSignal"))
		json_object_set(run, "stop_signal", json_object_get(c, "StopSignal"));
	if (json_is_object(labels))
		json_object_set_new(run, "labels", json_deep_copy(labels));
	r = 0;
out:
	json_decref(ep);
	json_decref(cmd);
	json_decref(env);
	return r;
}

static int config(const json_t *j, const char *arch, size_t nlayers, char (*diff)[65], json_t *run, struct err *e)
{
	const json_t *fs = json_object_get(j, "rootfs"), *ids = json_object_get(fs, "diff_ids"),
		     *c = json_object_get(j, "config");
	const char *a = text_of(j, "architecture");
	int r;

	if (!str_eq(text_of(j, "os"), "linux") || !a)
		return err_set(e, EINVAL, "the image is for %.20s/%.20s, not linux/%s", text_of(j, "os") ?: "?", a ?: "?", arch);
	if (strcmp(a, arch))
		return err_set(e, EINVAL, "the image is for linux/%.20s, this machine is %s", a, arch);
	if (!str_eq(text_of(fs, "type"), "layers") || !json_is_array(ids))
		return err_set(e, EINVAL, "\"rootfs\" must hold layers and their diff_ids");
	if (json_array_size(ids) != nlayers)
		return err_set(e, EINVAL, "%zu diff_ids for %zu layers", json_array_size(ids), nlayers);
	for (size_t i = 0; i < nlayers; i++)
		if ((r = digest(json_string_value(json_array_get(ids, i)), diff[i], e)) < 0)
			return r;
	if (c && !json_is_null(c) && !json_is_object(c))
		return err_set(e, EINVAL, "\"config\" must be an object");
	return runtime(c, run, e);
}

int oci_config_parse(const char *text, size_t n, const char *arch, size_t nlayers, char (*diff)[65], json_t **run,
		     struct err *e)
{
	json_t *j = NULL, *out;
	int r = load("config", text, n, &j, e);

	if (r < 0)
		return r;
	out = json_object();
	r = config(j, arch, nlayers, diff, out, e);
	json_decref(j);
	if (r < 0) {
		json_decref(out);
		err_add(e, "config");
		return r;
	}
	*run = out;
	return 0;
}
