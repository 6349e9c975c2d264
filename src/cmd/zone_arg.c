/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/zone_arg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "state/state.h"
#include "zone/zone.h"

struct by_id {
	uint64_t id;
	char *uuid;
};

static int each_id(const char *uuid, const struct zone_run *run, void *arg)
{
	struct by_id *b = arg;

	if (!run->running || run->zoneid != b->id)
		return 0;
	memcpy(b->uuid, uuid, strnlen(uuid, UUID_LEN));
	b->uuid[UUID_LEN] = 0;
	return -EEXIST;
}

int zone_arg(const struct ctx *c, const char *word, char uuid[37], struct err *e)
{
	struct state *s = NULL;
	int r;

	if (uuid_valid(word)) {
		strcpy(uuid, word);
		return 0;
	}
	r = state_open(c, STATE_READ, &s, e);
	if (r == 0)
		r = state_vm_find(s, word, uuid, e);
	state_close(&s);
	if (r == -ENOENT) {
		struct by_id b = {.uuid = uuid};

		if (str_to_u64(word, &b.id) == 0 && zone_each(c, each_id, &b, NULL) == -EEXIST)
			return 0;
	}
	if (r == -ENOENT)
		return err_set(e, ENOENT, "zone '%s' unknown", word);
	return r;
}

char *zone_arg_state(const struct ctx *c, const char *uuid)
{
	struct zone_run r = {.running = false};
	struct state *s = NULL;
	char *stored = NULL;

	if (state_open(c, STATE_READ, &s, NULL) == 0)
		state_vm_get(s, uuid, NULL, &stored, NULL, NULL);
	state_close(&s);
	if (stored && zone_status(c, uuid, &r, NULL) == 0 && r.running) {
		free(stored);
		stored = xstrdup(r.halting ? "shutting_down" : "running");
	}
	return stored;
}
