/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zone/balloon.h"
#include "zone/qevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void plain(const char *s)
{
	assert(strlen(s) < QEVENT_WORD);
	for (; *s; s++)
		assert(*s > ' ' && *s < 127 && *s != '"' && *s != '\\');
}

/* Whatever a monitor says: words that need no quoting in JSON, and nothing read behind the line's end. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *line = malloc(n + !n);
	struct qevent q;
	struct balloon_says says = BALLOON_SILENT;
	struct balloon b = {.floor = 1, .below = 50};

	assert(line);
	memcpy(line, p, n);
	if (qevent_read(line, n, &q) == 0) {
		assert(q.name[0]);
		plain(q.name);
		plain(q.reason);
		plain(q.action);
		plain(q.operation);
		plain(q.device);
	}
	(void)balloon_read(line, n, &says);
	balloon_step(&b, &says, &(struct balloon_host){100, 1, 0}, 1);
	assert(says.base == BALLOON_UNKNOWN || b.want <= says.base);
	strcpy(q.name, "-");
	if (qevent_status(line, n, q.name))
		plain(q.name);
	assert(q.name[0]);
	free(line);
	return 0;
}
