/* SPDX-License-Identifier: MPL-2.0 */
/* The parsers of what images bring: manifests, OCI documents, dpkg's and apt's files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "image/bootstrap.h"
#include "image/manifest.h"
#include "image/oci.h"
#include "image/skel.h"

#define U   "11111111-2222-4333-8444-555555555555"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *t, struct err *e)
{
	json_t *m = NULL;
	int r = manifest_parse(t, strlen(t), &m, e);

	json_decref(m);
	return r;
}

static void manifests(void **s)
{
	static const char head[] = "{\"v\":2,\"uuid\":\"" U "\",\"name\":\"a\",\"version\":\"1\",\"os\":\"linux\"";
	static const struct {
		const char *tail, *why;
	} bad[] = {
		{"}", "\"type\" is missing"},
		{",\"type\":\"lx\"}", "must be zone-dataset"},
		{",\"type\":7}", "printable"},
		{",\"type\":\"other\",\"origin\":\"x\"}", "origin"},
		{",\"type\":\"other\",\"tags\":[]}", "tags"},
		{",\"type\":\"other\",\"public\":\"yes\"}", "public"},
		{",\"type\":\"other\",\"files\":[1]}", "objects"},
		{",\"type\":\"other\",\"files\":[{\"sha1\":\"x\",\"size\":1}]}", "sha1"},
		{",\"type\":\"other\",\"files\":[{\"sha256\":\"" HEX "\",\"size\":-1}]}", "size"},
		{",\"type\":\"other\",\"files\":[{\"sha256\":\"" HEX "\",\"sha1\":\"1\",\"size\":1}]}", "digest"},
		{",\"type\":\"other\",\"files\":[{\"sha256\":\"" HEX "\",\"size\":1,\"compression\":\"rar\"}]}", "compression"},
		{",\"type\":\"other\",\"files\":[{},{}]}", "one file"},
		{",\"type\":\"other\",\"type\":\"other\"}", "duplicate"},
		{",\"type\":\"other\"} x", "end of file"},
	};
	struct err e = ERR_INIT;
	char t[1024];

	snprintf(t, sizeof t, "%s,\"type\":\"lx-dataset\",\"origin\":null,\"files\":[{\"sha256\":\"" HEX "\",\"size\":5,\"compression\":\"xz\"}]}",
		 head);
	assert_int_equal(parse(t, &e), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(t, sizeof t, "%s%s", head, bad[i].tail);
		assert_true(parse(t, &e) < 0);
		if (!strstr(e.msg, bad[i].why))
			fail_msg("%s: \"%s\" does not say \"%s\"", t, e.msg, bad[i].why);
	}
	assert_true(parse("[]", &e) < 0);
	assert_true(parse("{\"v\":1}", &e) < 0);
}

static void brands(void **s)
{
	json_t *m = manifest_make(U, "n", "1", "zone-dataset", "2026-01-01T00:00:00.000Z", NULL);
	struct err e = ERR_INIT;

	assert_non_null(m);
	assert_int_equal(manifest_suits(m, "joyent", &e), 0);
	assert_int_equal(manifest_suits(m, "joyent-minimal", &e), 0);
	assert_int_equal(manifest_suits(m, "lx", &e), -EINVAL);
	assert_non_null(strstr(e.msg, "joyent and joyent-minimal"));
	json_decref(m);
}

static void os_release(void **s)
{
	static const char t[] = "ID=debian\nNAME='A \x1b b'\nPRETTY_NAME=\"Debian 12\"\nEMPTY=\nIDX=no\n";
	char v[32];

	assert_int_equal(os_release_value(t, "ID", v, sizeof v), 0);
	assert_string_equal(v, "debian");
	assert_int_equal(os_release_value(t, "PRETTY_NAME", v, sizeof v), 0);
	assert_string_equal(v, "Debian 12");
	assert_int_equal(os_release_value(t, "NAME", v, sizeof v), 0);
	assert_string_equal(v, "A ? b");
	assert_int_equal(os_release_value(t, "EMPTY", v, sizeof v), -ENOENT);
	assert_int_equal(os_release_value(t, "PRETTY_NAME", v, 5), -ENOENT);
}

static void index_pick(void **s)
{
#define ENTRY(hex, more) "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:" hex "\",\"size\":9" more "}"
#define PLAT(o, a) ",\"platform\":{\"os\":\"" o "\",\"architecture\":\"" a "\"}"
#define REF(n) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" n "\"}"
#define HEX2 "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	static const char multi[] = "{\"manifests\":[" ENTRY(HEX, PLAT("linux", "arm64")) "," ENTRY(HEX2, PLAT("linux", "amd64")) ","
				    ENTRY(HEX, PLAT("unknown", "unknown")) "]}",
			  named[] = "{\"manifests\":[" ENTRY(HEX, REF("a")) "," ENTRY(HEX2, REF("b")) "]}",
			  path[] = "{\"manifests\":[" ENTRY("../../x", "") "]}";
	struct oci_desc d;
	struct err e = ERR_INIT;

	assert_int_equal(oci_index_pick(multi, sizeof multi - 1, "amd64", NULL, &d, &e), 0);
	assert_string_equal(d.hex, HEX2);
	assert_true(d.size == 9 && !d.index);
	assert_int_equal(oci_index_pick(multi, sizeof multi - 1, "mips", NULL, &d, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "linux/arm64"));
	assert_int_equal(oci_index_pick(named, sizeof named - 1, "amd64", NULL, &d, &e), -ENOTUNIQ);
	assert_int_equal(oci_index_pick(named, sizeof named - 1, "amd64", "b", &d, &e), 0);
	assert_string_equal(d.hex, HEX2);
	assert_int_equal(oci_index_pick(named, sizeof named - 1, "amd64", "c", &d, &e), -ENOENT);
	assert_int_equal(oci_index_pick(path, sizeof path - 1, "amd64", NULL, &d, &e), -EINVAL);
	assert_int_equal(oci_index_pick("{}", 2, "amd64", NULL, &d, &e), -EINVAL);
}

static void config(void **s)
{
	static const char t[] = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]},"
				"\"config\":{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\",\"d\"],\"Env\":[\"A=b\"],\"User\":\"\",\"WorkingDir\":\"\"}}",
			  bare[] = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]},"
				   "\"config\":null}";
	char diff[1][65];
	json_t *run = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(oci_config_parse(t, sizeof t - 1, "amd64", 1, diff, &run, &e), 0);
	assert_string_equal(diff[0], HEX);
	assert_int_equal(json_array_size(json_object_get(run, "argv")), 3);
	assert_string_equal(json_string_value(json_object_get(run, "user")), "0:0");
	assert_string_equal(json_string_value(json_object_get(run, "cwd")), "/");
	json_decref(run);
	assert_int_equal(oci_config_parse(t, sizeof t - 1, "arm64", 1, diff, &run, &e), -EINVAL);
	assert_int_equal(oci_config_parse(t, sizeof t - 1, "amd64", 2, diff, &run, &e), -EINVAL);
	assert_int_equal(oci_config_parse(bare, sizeof bare - 1, "amd64", 1, diff, &run, &e), 0);
	assert_int_equal(json_array_size(json_object_get(run, "argv")), 0);
	json_decref(run);
}

static void md5(void **s)
{
	char h[33], a[130];

	md5_hex("", 0, h);
	assert_string_equal(h, "d41d8cd98f00b204e9800998ecf8427e");
	md5_hex("abc", 3, h);
	assert_string_equal(h, "900150983cd24fb0d6963f7d28e17f72");
	md5_hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890", 80, h);
	assert_string_equal(h, "57edf4a22be3c955ac49da2e2107b67a");
	memset(a, 'a', sizeof a);
	md5_hex(a, 56, h);
	assert_string_equal(h, "3b0c8ac703f828b04c6c197006d17218");
	md5_hex(a, 64, h);
	assert_string_equal(h, "014842d480b571495a4a0363793f7367");
}

static int only_bash(const char *pkg, size_t n)
{
	return n == 4 && !memcmp(pkg, "bash", 4);
}

static void collect(const char *path, size_t n, const char *sum, void *arg)
{
	char *out = arg;

	sprintf(out + strlen(out), "%.*s=%.4s;", (int)n, path, sum);
}

static void conffiles(void **s)
{
	static const char t[] = "Package: apt\nConffiles:\n /etc/apt 0123456789abcdef0123456789abcdef\n\n"
				"Package: bash\nStatus: ok\nConffiles:\n /etc/bash.bashrc 89269e1298235f1b12b4c16e4065ad0d\n"
				" /etc/old 0123456789abcdef0123456789abcdef obsolete\n /etc/skel/.p ee35a240758f374832e809ae0ea4883a\n"
				"Description: x\n /etc/not 0123456789abcdef0123456789abcdef\n\nPackage: c\nConffiles:\n /etc/c 12";
	char out[512] = "";

	dpkg_conffiles(t, sizeof t - 1, only_bash, collect, out);
	assert_string_equal(out, "/etc/bash.bashrc=8926;/etc/skel/.p=ee35;");
}

static void mirrors(void **s)
{
	static const char one[] = "# deb http://no/ bookworm main\ndeb-src http://src/ bookworm main\n"
				  "deb [arch=amd64 signed-by=/x] http://a/debian bookworm main contrib\n",
			  two[] = "Types: deb\nURIs: http://sec/\nSuites: bookworm-security\nComponents: main\n\n"
				  "Types: deb deb-src\nURIs: http://b/debian http://c/\nSuites: bookworm bookworm-updates\nComponents: main\n",
			  off[] = "Enabled: no\nTypes: deb\nURIs: http://b/\nSuites: bookworm\nComponents: main\n";
	char m[64];

	assert_int_equal(apt_mirror(one, false, "bookworm", m, sizeof m), 0);
	assert_string_equal(m, "http://a/debian");
	assert_int_equal(apt_mirror(one, false, "trixie", m, sizeof m), -ENOENT);
	assert_int_equal(apt_mirror(two, true, "bookworm", m, sizeof m), 0);
	assert_string_equal(m, "http://b/debian");
	assert_int_equal(apt_mirror(off, true, "bookworm", m, sizeof m), -ENOENT);
	assert_true(apt_word_ok("bookworm-updates", "-._"));
	assert_false(apt_word_ok("--variant", "-._"));
	assert_false(apt_word_ok("a b", "-._"));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(manifests), cmocka_unit_test(brands), cmocka_unit_test(os_release), cmocka_unit_test(index_pick),
		cmocka_unit_test(config), cmocka_unit_test(md5), cmocka_unit_test(conffiles), cmocka_unit_test(mirrors),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
