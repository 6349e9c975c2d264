/* SPDX-License-Identifier: MPL-2.0 */
#include "image/manifest.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static const struct {
	const char *type, *brands[3];
} types[] = {
	{"zone-dataset", {"joyent", "joyent-minimal"}},
	{"lx-dataset", {"lx"}},
	{"docker", {"lx"}},
	{"zvol", {"kvm", "bhyve"}},
	{"other", {NULL}},
};

const char *manifest_str(const json_t *m, const char *key)
{
	return json_string_value(json_object_get(m, key));
}

bool manifest_type_ok(const char *type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (str_eq(types[i].type, type))
			return true;
	return false;
}

int manifest_suits(const json_t *m, const char *brand, struct err *e)
{
	const char *type = manifest_str(m, "type");

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const char *const *b = types[i].brands;

		if (!str_eq(types[i].type, type))
			continue;
		if (str_eq(b[0], brand) || str_eq(b[1], brand))
			return 0;
		return err_set(e, EINVAL, "image %s is of type %s: it suits %s%s%s, not brand %s", manifest_str(m, "uuid"), type,
			       b[0] ? b[0] : "no brand", b[1] ? " and " : "", b[1] ? b[1] : "", brand);
	}
	return err_set(e, EINVAL, "image %s has no type", manifest_str(m, "uuid"));
}

/* Printable, not empty, at most max bytes: names end up on terminals and in tables. */
static bool text_ok(const char *s, size_t max)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0 || n > max)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < 32 || *s == 127 || ((unsigned char)*s == 0xc2 && (unsigned char)s[1] < 0xa0))
			return false; /* U+0080 to U+009F are controls too: U+009B is ESC [ */
	return true;
}

static int need_text(const json_t *m, const char *key, size_t max, struct err *e)
{
	if (!json_object_get(m, key))
		return err_set(e, EINVAL, "\"%s\" is missing", key);
	if (!text_ok(manifest_str(m, key), max))
		return err_set(e, EINVAL, "\"%s\" must be a text of 1 to %zu printable characters", key, max);
	return 0;
}

static int want_kind(const json_t *m, const char *key, json_type t, const char *kind, struct err *e)
{
	const json_t *v = json_object_get(m, key);

	if (!v || json_is_null(v) || json_typeof(v) == t || (t == JSON_TRUE && json_is_false(v)))
		return 0;
	return err_set(e, EINVAL, "\"%s\" must be %s", key, kind);
}

static bool is_hex(const char *s, size_t n)
{
	return s && strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static int check_file(const json_t *f, struct err *e)
{
	static const char *const how[] = {"none", "gzip", "bzip2", "xz", "zst", "zstd"};
	const json_t *size = json_object_get(f, "size");
	const char *s1 = manifest_str(f, "sha1"), *s2 = manifest_str(f, "sha256"), *comp = manifest_str(f, "compression");

	if (!json_is_object(f))
		return err_set(e, EINVAL, "\"files\" must hold objects");
	if (!is_hex(s1, 40) && !is_hex(s2, 64))
		return err_set(e, EINVAL, "\"files\": sha1 (40) or sha256 (64 lower-case hex digits) is missing");
	if ((json_object_get(f, "sha1") && !is_hex(s1, 40)) || (json_object_get(f, "sha256") && !is_hex(s2, 64)))
		return err_set(e, EINVAL, "\"files\": a digest is not lower-case hex of its length");
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(e, EINVAL, "\"files\": size must be a number of bytes");
	if (!json_object_get(f, "compression"))
		return 0;
	for (size_t i = 0; i < sizeof how / sizeof *how; i++)
		if (str_eq(comp, how[i]))
			return 0;
	return err_set(e, EINVAL, "\"files\": compression must be gzip, bzip2, xz, zst or none");
}

static int check(const json_t *m, struct err *e)
{
	const json_t *v = json_object_get(m, "v"), *files = json_object_get(m, "files"), *origin = json_object_get(m, "origin");
	int r;

	if (!json_is_object(m))
		return err_set(e, EINVAL, "a manifest is a JSON object");
	if (!json_is_integer(v) || json_integer_value(v) != 2)
		return err_set(e, EINVAL, "\"v\" must be 2");
	v = json_object_get(m, "image_size");
	if (json_is_integer(v) && (json_integer_value(v) < 1 || json_integer_value(v) > 1LL << 33))
		return err_set(e, EINVAL, "\"image_size\" is no size of a disk");
	if (!manifest_str(m, "uuid") || !uuid_valid(manifest_str(m, "uuid")))
		return err_set(e, EINVAL, "\"uuid\" must be a uuid in lower case");
	if ((r = need_text(m, "name", 512, e)) < 0 || (r = need_text(m, "version", 128, e)) < 0 ||
	    (r = need_text(m, "os", 32, e)) < 0 || (r = need_text(m, "type", 32, e)) < 0)
		return r;
	if (!manifest_type_ok(manifest_str(m, "type")))
		return err_set(e, EINVAL, "\"type\" must be zone-dataset, lx-dataset, docker, zvol or other, not \"%s\"",
			       manifest_str(m, "type"));
	if (origin && !json_is_null(origin) && (!json_is_string(origin) || !uuid_valid(json_string_value(origin))))
		return err_set(e, EINVAL, "\"origin\" must be a uuid");
	if ((r = want_kind(m, "tags", JSON_OBJECT, "an object", e)) < 0 ||
	    (r = want_kind(m, "requirements", JSON_OBJECT, "an object", e)) < 0 ||
	    (r = want_kind(m, "image_size", JSON_INTEGER, "a number of MiB", e)) < 0 ||
	    (r = want_kind(m, "disk_driver", JSON_STRING, "a text", e)) < 0 || (r = want_kind(m, "nic_driver", JSON_STRING, "a text", e)) < 0 ||
	    (r = want_kind(m, "cpu_type", JSON_STRING, "a text", e)) < 0 ||
	    (r = want_kind(m, "oci", JSON_OBJECT, "an object", e)) < 0 ||
	    (r = want_kind(m, "users", JSON_ARRAY, "an array", e)) < 0 ||
	    (r = want_kind(m, "files", JSON_ARRAY, "an array", e)) < 0 ||
	    (r = want_kind(m, "public", JSON_TRUE, "true or false", e)) < 0 ||
	    (r = want_kind(m, "disabled", JSON_TRUE, "true or false", e)) < 0 ||
	    (r = want_kind(m, "state", JSON_STRING, "a text", e)) < 0 ||
	    (r = want_kind(m, "owner", JSON_STRING, "a text", e)) < 0 ||
	    (r = want_kind(m, "published_at", JSON_STRING, "a time", e)) < 0)
		return r;
	if (json_array_size(files) > 1)
		return err_set(e, EINVAL, "\"files\" must hold one file");
	if (json_array_size(files) == 1 && (r = check_file(json_array_get(files, 0), e)) < 0)
		return r;
	return 0;
}

int manifest_parse(const char *text, size_t n, json_t **out, struct err *e)
{
	json_error_t je;
	json_t *m;
	int r;

	if (n > MANIFEST_MAX)
		return err_set(e, EFBIG, "manifest: more than %u bytes", MANIFEST_MAX);
	m = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
	if (!m)
		return err_set(e, EINVAL, "manifest: line %d, column %d: %s", je.line, je.column, je.text);
	r = check(m, e);
	if (r < 0) {
		json_decref(m);
		err_add(e, "manifest");
		return r;
	}
	*out = m;
	return 0;
}

json_t *manifest_make(const char *uuid, const char *name, const char *version, const char *type, const char *published,
		      const char *description)
{
	json_t *m = json_pack("{s:i s:s s:s s:s s:s s:s s:b s:b s:s s:s s:s s:{}}", "v", 2, "uuid", uuid, "owner",
			      "00000000-0000-0000-0000-000000000000", "name", name, "version", version, "state", "active", "disabled",
			      0, "public", 0, "published_at", published, "type", type, "os", "linux", "tags");

	if (m && description)
		json_object_set_new(m, "description", json_string(description));
	return m;
}

int os_release_value(const char *text, const char *key, char *out, size_t n)
{
	size_t k = strlen(key), len;

	for (const char *l = text; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
		const char *v = l + k + 1;

		if (strncmp(l, key, k) || l[k] != '=')
			continue;
		if (*v == '"' || *v == '\'') {
			v++;
			len = strcspn(v, "\"'\n");
		} else {
			len = strcspn(v, "\n");
		}
		if (len == 0 || len >= n)
			return -ENOENT;
		for (size_t i = 0; i < len; i++)
			out[i] = (unsigned char)v[i] < 32 || v[i] == 127 ? '?' : v[i];
		out[len] = 0;
		return 0;
	}
	return -ENOENT;
}
