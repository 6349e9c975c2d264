/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/bootstrap.h"
#include "image/skel.h"
#include "unpack/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int all(const char *pkg, size_t n)
{
	return 1;
}

static void each(const char *path, size_t n, const char *md5, void *arg)
{
	const char *end = arg;

	assert(*path == '/' && n > 0 && md5 + 32 <= end);
}

/* dpkg's status, apt's source lists, names in archives: no reading past the end, no answer outside its limits. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *t = malloc(n + 1), out[100], clean[PATH_MAX];
	bool opaque, bad;

	memcpy(t, p, n);
	t[n] = 0;
	dpkg_conffiles((const char *)p, n, all, each, (void *)(uintptr_t)(p + n));
	if (apt_mirror(t, false, "bookworm", out, sizeof out) == 0)
		assert(strlen(out) < sizeof out);
	apt_mirror(t, true, "bookworm", out, sizeof out);
	if (!name_clean(t, clean)) {
		assert(*clean != '/' && !strstr(clean, "//") && strlen(clean) < PATH_MAX);
		assert(strcmp(clean, "..") && strncmp(clean, "../", 3) && !strstr(clean, "/../"));
	}
	name_link_leaves("a/b", t);
	name_whiteout(t, &opaque, &bad);
	free(t);
	return 0;
}
