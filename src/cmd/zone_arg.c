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

/* A zone has a user namespace of its own; the global zone has the first one, where every id is itself. */
bool zone_inside(void)
{
	_buf_ struct buf b = BUF_INIT;
	unsigned long in, out, n;

	if (file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &b, NULL) < 0)
		return false;
	return sscanf(buf_str(&b), "%lu %lu %lu", &in, &out, &n) == 3 && (in != 0 || out != 0 || n != 4294967295UL);
}

/* A zone has the file /.zonecontrol/zone, read-only, put there when it boots: lines "zonename NAME", "uuid UUID", …. */
int zone_self(const char *key, char **value, struct err *e)
{
	static const char *const places[] = {"/.zonecontrol/zone", "/native/.zonecontrol/zone"};
	size_t n = strlen(key);

	if (!zone_inside())
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_buf_ struct buf b = BUF_INIT;

		if (file_read(AT_FDCWD, places[i], 4096, &b, NULL) < 0)
			continue;
		for (char *save = NULL, *l = b.p ? strtok_r(b.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save)) {
			if (!strncmp(l, key, n) && l[n] == ' ') {
				*value = xstrdup(l + n + 1);
				return 1;
			}
		}
	}
	return err_set(e, ENOENT, "this is not the global zone, and %s does not say which one it is", places[0]);
}
