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
