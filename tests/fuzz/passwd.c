/* SPDX-License-Identifier: MPL-2.0 */
/* A zone's passwd and group files: its root writes them. First line: the name that is asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zone/passwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *nl = memchr(data, '\n', size);
	size_t n = nl ? (size_t)(nl - (const char *)data) : size, len = nl ? size - n - 1 : 0;
	char *name = malloc(n + 1), *text = malloc(len ? len : 1); /* exact, so that a read past the end is seen */
	struct passwd_user u;
	gid_t g[4], one;

	if (!name || !text)
		abort();
	memcpy(name, data, n);
	name[n] = 0;
	if (len)
		memcpy(text, nl + 1, len);
	if (passwd_user(text, len, name, &u) == 0 &&
	    (u.uid >= PASSWD_ID_END || u.gid >= PASSWD_ID_END || *u.home != '/' || *u.shell != '/' || !u.name[0]))
		abort();
	if (passwd_groups(text, len, name, 7, g, 4) > 4 || g[0] != 7)
		abort();
	if (passwd_group(text, len, name, &one) == 0 && one >= PASSWD_ID_END)
		abort();
	free(name);
	free(text);
	return 0;
}
