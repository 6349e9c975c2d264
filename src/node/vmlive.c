/* SPDX-License-Identifier: MPL-2.0 */
#include "node/saved.h"
#include "node/vmlive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "node/exit.h"
#include "node/vmstate.h"
#include "zone/spec.h"

static void put_str(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, json_string(value));
}

static void put_time(json_t *o, const char *key, uint64_t ns)
{
	char t[CLOCK_TEXT];

	put_str(o, key, clock_iso(ns, t));
}

static void warn(const struct ctx *c, const char *uuid, const char *what, const char *why)
{
	ctx_log(c, LOG_WARN, "VM %s: %s: %s", uuid, what, why);
}

/*
 * How init ended last: <zonepath>/config/lastexited.json, whose members are the properties; or what its keeper found,
 * while no command has put it there.
 */
static void put_exit(const struct ctx *c, const char *uuid, const struct zone_run *run, json_t *o)
{
	_free_ char *path = xprintf("%s/%s/config/lastexited.json", c->node.pool, uuid);
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	json_t *last, *v;
	int r = run && exit_text(run, &b) ? 0 : file_read(AT_FDCWD, path, 4096, &b, &e);

	if (r == -ENOENT || r == -ENOTDIR)
		return;
	last = r < 0 ? NULL : json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(last))
		warn(c, uuid, "exit status", r < 0 ? e.msg : "the file lastexited.json is damaged");
	v = json_object_get(last, "exit_status");
	if (json_is_integer(v))
		json_object_set(o, "exit_status", v);
	v = json_object_get(last, "exit_timestamp");
	if (json_is_string(v))
		json_object_set(o, "exit_timestamp", v);
	json_decref(last);
}

static void put_restarts(const struct ctx *c, const char *uuid, bool hvm, json_t *o)
{
	_free_ char *path = xprintf("%s/%s/spec", c->node.run, uuid);
	_buf_ struct buf b = BUF_INIT;
	struct zspec z = {0};

	if (file_read(AT_FDCWD, path, 1 << 20, &b, NULL) == 0 && zspec_parse(buf_str(&b), b.len, &z, NULL) == 0) {
		json_object_set_new(o, "init_restarts", json_integer((json_int_t)z.init_restarts));
		for (char **a = z.argv; hvm && a && a[0] && a[1]; a++)
			if (str_eq(a[0], "-accel"))
				put_str(o, "accelerator_used", str_starts(a[1], "kvm") ? "kvm" : "tcg");
	}
	zspec_done(&z);
}

/* As its worker has heard (zoneadmd/part_machine.c): nobody is asked, so a list of many costs a file each. */
static void put_status(const struct ctx *c, const char *uuid, json_t *o)
{
	_free_ char *path = xprintf("%s/%s/paused", c->node.run, uuid);
	_buf_ struct buf b = BUF_INIT;

	put_str(o, "machine_status", file_read(AT_FDCWD, path, 64, &b, NULL) == 0 && str_starts(buf_str(&b), "io-error") ? "io-error" :
				     b.len ? "paused" : "running");
}

static int put_snapshot(const char *name, uint64_t created_ns, void *arg)
{
	json_t *one = json_object();

	put_str(one, "name", name);
	put_time(one, "created_at", created_ns);
	return json_array_append_new(arg, one);
}

static void put_snapshots(const struct ctx *c, struct store *s, const char *uuid, json_t *o)
{
	_free_ char *dir = xprintf("%s/snap", uuid);
	struct err e = ERR_INIT;
	json_t *all = json_array();
	int r = store_each(s, dir, put_snapshot, all, &e);

	if (r < 0 && r != -ENOENT)
		warn(c, uuid, "snapshots", e.msg);
	json_object_set_new(o, "snapshots", all);
}

/* Its root dataset, where it should have one. */
static void put_missing(struct store *s, const struct vm_row *row, json_t *o)
{
	_free_ char *root = xprintf("%s/root", row->uuid);

	if (!str_eq(row->state, "installed") || (s && store_exists(s, root)))
		return;
	json_object_set_new(o, "missing", json_pack("{s:[s+]}", "datasets", "zones/", row->uuid));
	put_str(o, "state", "missing");
}

json_t *vm_live_of_row(struct ctx *c, const struct vm_facts *f, unsigned parts)
{
	const struct vm_row *row = f->row;
	const char *state = vm_state_name(row->state, row->state_ns, f->now_ns, f->run, !f->store, str_eq(row->type, "KVM") && saved_there(c, row->uuid));
	bool up = f->run && f->run->running, hvm = str_eq(row->type, "KVM") || str_eq(row->type, "BHYV");
	json_t *o = json_object();

	put_str(o, "state", state);
	put_str(o, "zone_state", vm_zone_state_name(row->state, f->run));
	json_object_set_new(o, "hvm", json_boolean(hvm));
	json_object_set_new(o, "zonepath", json_sprintf("%s/%s", c->node.pool, row->uuid));
	if (f->server_uuid)
		put_str(o, "server_uuid", f->server_uuid);
	if (up) {
		json_object_set_new(o, "pid", json_integer(f->run->init_pid));
		json_object_set_new(o, "zoneid", json_integer((json_int_t)f->run->zoneid));
		put_time(o, "boot_timestamp", f->run->boot_ns);
	}
	if (str_eq(state, "provisioning")) {
		put_str(o, "transition_to", row->autoboot ? "running" : "stopped");
		json_object_set_new(o, "transition_expire", json_integer((row->state_ns + VM_PROVISION_NS) / 1000000));
	}
	if ((parts & LIVE_EXIT) && f->store)
		put_exit(c, row->uuid, f->run, o);
	if ((parts & LIVE_RESTARTS) && (up || (f->run && f->run->keeper)))
		put_restarts(c, row->uuid, hvm && up, o);
	if ((parts & LIVE_STATUS) && hvm && up)
		put_status(c, row->uuid, o);
	if ((parts & LIVE_SNAPSHOTS) && f->store)
		put_snapshots(c, f->store, row->uuid, o);
	if ((parts & LIVE_MISSING) && !up)
		put_missing(f->store, row, o);
	return o;
}

struct one {
	struct ctx *c;
	struct vm_facts f;
	unsigned parts;
	json_t *out;
};

static int one_row(const struct vm_row *row, void *arg)
{
	struct one *o = arg;

	o->f.row = row;
	o->out = vm_live_of_row(o->c, &o->f, o->parts);
	return 0;
}

int vm_live(struct ctx *c, struct state *st, const char *uuid, const struct zone_run *run, unsigned parts, json_t **out,
	    struct err *e)
{
	struct one o = {.c = c, .f = {.run = run, .now_ns = clock_wall_ns()}, .parts = parts};
	_free_ char *server = NULL;
	struct zone_run looked;
	int r;

	if (!run) {
		r = zone_status(c, uuid, &looked, e);
		if (r < 0)
			return r;
		o.f.run = &looked;
	}
	if (state_kv_get(st, "server_uuid", &server, NULL) == 0)
		o.f.server_uuid = server;
	/* Without a pool there is still a VM to tell about. */
	if (store_open(c, &o.f.store, NULL) < 0)
		o.f.store = NULL;
	r = state_vm_row(st, uuid, one_row, &o, e);
	if (r == 0)
		*out = o.out;
	store_close(&o.f.store);
	return r;
}
