/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which zone is this? In the global zone the answer is "global". A zone has the file /.zonecontrol/zone, read-only, put
 * there when it boots: lines "zonename NAME", "uuid UUID", ….
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "model/vm.h"
#include "state/state.h"
#include "zone/zone.h"

/* A zone has a user namespace of its own; the global zone has the first one, where every id is itself. */
static bool in_zone(void)
{
	_buf_ struct buf b = BUF_INIT;
	unsigned long in, out, n;

	if (file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &b, NULL) < 0)
		return false;
	return sscanf(buf_str(&b), "%lu %lu %lu", &in, &out, &n) == 3 && (in != 0 || out != 0 || n != 4294967295UL);
}

static int own_name(struct buf *out, struct err *e)
{
	static const char *const places[] = {"/.zonecontrol/zone", "/native/.zonecontrol/zone"};
	static const char key[] = "zonename ";

	if (!in_zone()) {
		buf_puts(out, "global");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_buf_ struct buf b = BUF_INIT;

		if (file_read(AT_FDCWD, places[i], 4096, &b, NULL) < 0)
			continue;
		for (char *save = NULL, *l = b.p ? strtok_r(b.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save)) {
			if (str_starts(l, key)) {
				buf_puts(out, l + strlen(key));
				return 0;
			}
		}
	}
	return err_set(e, ENOENT, "this is not the global zone, and %s does not say which one it is", places[0]);
}

struct by_id {
	uint64_t id;
	char uuid[UUID_LEN + 1];
};

static int match(const char *uuid, const struct zone_run *r, void *arg)
{
	struct by_id *b = arg;

	if (r->running && r->zoneid == b->id)
		snprintf(b->uuid, sizeof b->uuid, "%s", uuid);
	return 0;
}

static int name_of(const struct ctx *c, const char *word, struct buf *out, struct err *e)
{
	struct by_id b = {.uuid = ""};
	struct state *s = NULL;
	_json_ json_t *rec = NULL;
	int r;

	if (str_to_u64(word, &b.id) < 0)
		return err_set(e, EINVAL, "\"%s\" is not a zone id", word);
	if (b.id == 0) {
		buf_puts(out, "global");
		return 0;
	}
	r = zone_each(c, match, &b, e);
	if (r == 0 && !b.uuid[0])
		r = err_set(e, ENOENT, "no zone with id %s is running", word);
	if (r == 0)
		r = state_open(c, STATE_READ, &s, e);
	if (r == 0)
		r = state_vm_get(s, b.uuid, &rec, NULL, NULL, e);
	if (r == 0)
		buf_puts(out, vm_str(rec, "zonename") ?: b.uuid);
	state_close(&s);
	return r;
}

static int run(struct ctx *c, int argc, char **argv)
{
	_buf_ struct buf name = BUF_INIT;
	struct err e = ERR_INIT;
	const char *id = NULL;
	bool type = false;
	int o, r;

	optind = 1;
	while ((o = getopt(argc, argv, "+i:t")) != -1) {
		if (o == 'i')
			id = optarg;
		else if (o == 't')
			type = true;
		else
			return cmd_usage("zonename", "", NULL);
	}
	if (optind != argc || (id && type))
		return cmd_usage("zonename", "", NULL);
	if (type) {
		puts(in_zone() ? "exclusive" : "shared");
		return 0;
	}
	r = id ? name_of(c, id, &name, &e) : own_name(&name, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	puts(buf_str(&name));
	return 0;
}

CMD(zonename, "zonename", "", "[-t | -i id]", "print the name of this zone, or of the one with that id", CMD_NONE, run);
