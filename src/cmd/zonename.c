/* SPDX-License-Identifier: MPL-2.0 */
/* Which zone is this? In the global zone the answer is "global". */
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
#include "zone/self.h"
#include "zone/zone.h"

static int own_name(struct buf *out, struct err *e)
{
	_free_ char *name = NULL;
	int r = zone_self("zonename", &name, e);

	if (r >= 0)
		buf_puts(out, r ? name : "global");
	return r < 0 ? r : 0;
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
		puts(zone_inside() ? "exclusive" : "shared");
		return 0;
	}
	r = id ? name_of(c, id, &name, &e) : own_name(&name, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	puts(buf_str(&name));
	return 0;
}

CMD(zonename, "zonename", "", "[-t | -i id]", "print the name of this zone, or of the one with that id", CMD_NONE, run);
