/* SPDX-License-Identifier: MPL-2.0 */
#include "node/mdata.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "mdata/proto.h"
#include "model/vm.h"
#include "node/lock.h"
#include "node/vm.h"
#include "node/vmlive.h"
#include "node/vmops.h"

#define LOCK_MS 5000 /* then the VM hears that it failed: another command may be at work on it for minutes */
#define LOOK_MS 50

/* Of what `vmadm get` shows: nothing that is a secret, or that says more of the host than its uuid. */
static const char *const sdc_fields[] = {
	"alias", "autoboot", "billing_id", "brand", "cpu_cap", "cpu_shares", "create_timestamp", "datacenter_name", "dns_domain",
	"do_not_inventory", "fs_allowed", "image_uuid", "internal_metadata_namespaces", "last_modified", "limit_priv",
	"maintain_resolvers", "max_locked_memory", "max_lwps", "max_physical_memory", "max_swap", "mdata_exec_timeout", "nics",
	"owner_uuid", "package_name", "package_version", "quota", "ram", "resolvers", "server_uuid", "state", "tags", "tmpfs", "uuid",
	"vcpus", "vnc_port", "zfs_io_priority", "zonename", "zonepath",
};

static const char *internal_namespace(const json_t *rec, const char *key)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(rec, "internal_metadata_namespaces"), i, v)
	{
		const char *name = json_string_value(v);
		size_t n = name ? strlen(name) : 0;

		if (n && !strncmp(key, name, n) && key[n] == ':')
			return name;
	}
	return NULL;
}

static bool internal(const json_t *rec, const char *key)
{
	return str_ends(key, "_pw") || !strcmp(key, "operator-script") || internal_namespace(rec, key);
}

/* A text as it is, all else as JSON. */
static int put_value(const json_t *v, struct buf *out)
{
	_free_ char *text = NULL;

	if (!v || json_is_null(v))
		return -ENOENT;
	if (json_is_string(v)) {
		buf_add(out, json_string_value(v), json_string_length(v));
		return 0;
	}
	text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!text)
		return -ENOMEM;
	buf_puts(out, text);
	return 0;
}

static const json_t *nic_of(const json_t *rec, const char *gateway)
{
	unsigned i;
	int end = 0;

	if (sscanf(gateway, "nics[%3u]%n", &i, &end) != 1 || !end || gateway[end])
		return NULL;
	return json_array_get(json_object_get(rec, "nics"), i);
}

/* As guests of SmartOS get them: [{"linklocal": false, "dst": "10.2.0.0/16", "gateway": "10.1.0.1"}] */
static json_t *routes(const json_t *rec)
{
	json_t *out = json_array(), *to;
	const char *dst;

	json_object_foreach(json_object_get(rec, "routes"), dst, to)
	{
		const char *gateway = json_string_value(to) ?: "";
		bool local = str_starts(gateway, "nics[");

		if (local)
			gateway = vm_str(nic_of(rec, gateway), "ip");
		if (gateway && *gateway && !str_eq(gateway, "dhcp"))
			json_array_append_new(out, json_pack("{s:b, s:s, s:s}", "linklocal", local, "dst", dst, "gateway", gateway));
	}
	return out;
}

static void first(const json_t *v, void *arg)
{
	const json_t **out = arg;

	if (!*out)
		*out = v;
}

static int sdc(struct ctx *c, struct state *st, const json_t *rec, const char *key, struct buf *out, struct err *e)
{
	const char *uuid = vm_str(rec, "uuid");
	size_t head = strcspn(key, ".");
	_json_ json_t *live = NULL, *all = NULL, *list = NULL;
	const json_t *v = NULL;
	int r;

	if (!strcmp(key, "operator-script"))
		return put_value(json_object_get(json_object_get(rec, "internal_metadata"), key), out);
	if (!strcmp(key, "hostname")) { /* the one that it boots with, which a guest is told by DHCP too */
		buf_puts(out, vm_str(rec, "hostname") ?: vm_str(rec, "alias") ?: uuid);
		return 0;
	}
	if (!strcmp(key, "routes")) {
		list = routes(rec);
		return put_value(list, out);
	}
	for (size_t i = 0; i < ARRAY_LEN(sdc_fields); i++) {
		if (strlen(sdc_fields[i]) != head || strncmp(key, sdc_fields[i], head) != 0)
			continue;
		r = vm_live(c, st, uuid, NULL, 0, &live, e);
		if (r < 0)
			return r;
		all = vm_output(rec, live);
		vm_field(all, key, first, &v);
		return put_value(v, out);
	}
	return -ENOENT;
}

int mdata_get(struct ctx *c, struct state *st, const char *uuid, const char *key, struct buf *out, struct err *e)
{
	_json_ json_t *rec = NULL;
	int r = state_vm_get(st, uuid, &rec, NULL, NULL, e);

	if (r < 0)
		return r;
	if (str_starts(key, "sdc:"))
		return sdc(c, st, rec, key + 4, out, e);
	return put_value(json_object_get(json_object_get(rec, internal(rec, key) ? "internal_metadata" : "customer_metadata"), key), out);
}

static void add_keys(const json_t *rec, const char *list, bool inside, struct buf *out)
{
	const char *key;
	json_t *v;

	json_object_foreach(json_object_get(rec, list), key, v)
		if (internal(rec, key) == inside && (!inside || strcmp(key, "operator-script") != 0))
			buf_printf(out, "%s%s", out->len ? "\n" : "", key);
}

int mdata_keys(struct state *st, const char *uuid, struct buf *out, struct err *e)
{
	_json_ json_t *rec = NULL;
	int r = state_vm_get(st, uuid, &rec, NULL, NULL, e);

	if (r < 0)
		return r;
	add_keys(rec, "customer_metadata", false, out);
	add_keys(rec, "internal_metadata", true, out);
	return 0;
}

/* ---- what the VM changes ---- */

static int may_write(const json_t *rec, const char *key, struct err *e)
{
	const char *name = internal_namespace(rec, key);

	if (!mdata_key_ok(key, strlen(key)))
		return err_set(e, EINVAL, "a key is 1 to %d printable bytes", MDATA_KEY_MAX);
	if (str_starts(key, "sdc:"))
		return err_set(e, EROFS, "keys that begin with sdc: can only be read");
	/* it is what sdc:operator-script tells, and runs before what the VM's own user has put there */
	if (!strcmp(key, "operator-script"))
		return err_set(e, EROFS, "operator-script can only be read");
	return name ? err_set(e, EROFS, "keys that begin with %s: can only be read", name) : 0;
}

static size_t room(const json_t *rec, const char *list, const char *but, size_t *keys)
{
	size_t n = 0;
	const char *key;
	json_t *v;

	json_object_foreach(json_object_get(rec, list), key, v)
	{
		if (!strcmp(key, but))
			continue;
		n += strlen(key) + (json_is_string(v) ? json_string_length(v) : 8);
		(*keys)++;
	}
	return n;
}

/* Every command that looks at this VM reads its record: a VM can't make it grow without end. */
static int fits(const json_t *rec, const char *key, size_t n, struct err *e)
{
	size_t keys = 1, all = strlen(key) + n;

	all += room(rec, "customer_metadata", key, &keys) + room(rec, "internal_metadata", key, &keys);
	if (n > MDATA_VALUE_MAX)
		return err_set(e, EFBIG, "a value is at most %u KiB", MDATA_VALUE_MAX >> 10);
	if (all > MDATA_ALL_MAX || keys > MDATA_KEYS_MAX)
		return err_set(e, EDQUOT, "a VM's metadata is at most %u KiB and %d keys", MDATA_ALL_MAX >> 10, MDATA_KEYS_MAX);
	return 0;
}

/* What vm_update() waits for without end: that it is free. A command that takes it in between is waited for, which is seldom. 1: and left half done. */
static int await_lock(struct ctx *c, const char *uuid, struct err *e)
{
	uint64_t until = clock_mono_ns() + LOCK_MS * 1000000ULL;
	bool left;
	int fd;

	while ((fd = lock_try(c, uuid, NULL)) == -EAGAIN && clock_mono_ns() < until)
		poll(NULL, 0, LOOK_MS);
	if (fd == -EAGAIN)
		return err_set(e, EBUSY, "another command is at work on this VM");
	if (fd < 0)
		return err_sys(e, fd, "lock");
	left = intent_there(c, uuid); /* whoever set it is dead */
	close(fd);
	return left;
}

/* What a command that was killed has left is cleared up first, as other commands do: an update would put its own intent in that one's place. */
static int await_turn(struct ctx *c, const char *uuid, struct err *e)
{
	int r = await_lock(c, uuid, e);

	if (r == 1 && (r = node_recover_update(c, uuid, e)) == 0)
		r = await_lock(c, uuid, e);
	return r == 1 ? err_set(e, EBUSY, "a command on this VM was cut off: the host has to clear up after it first") : r;
}

static int change(struct ctx *c, const char *uuid, const char *verb, const json_t *rec, const char *key, json_t *what, struct err *e)
{
	_free_ char *name = xprintf("%s_%s_metadata", verb, internal(rec, key) ? "internal" : "customer");
	_json_ json_t *payload = json_pack("{s:o}", name, what);
	int r = payload ? await_turn(c, uuid, e) : err_set(e, ENOMEM, "no memory");

	return r < 0 ? r : vm_update(c, uuid, payload, NULL, NULL, e);
}

static const json_t *stored(const json_t *rec, const char *key)
{
	return json_object_get(json_object_get(rec, internal(rec, key) ? "internal_metadata" : "customer_metadata"), key);
}

int mdata_put(struct ctx *c, struct state *st, const char *uuid, const char *key, const char *value, size_t n, struct err *e)
{
	_json_ json_t *rec = NULL, *text = memchr(value, 0, n) ? NULL : json_stringn(value, n);
	json_t *set;
	int r = state_vm_get(st, uuid, &rec, NULL, NULL, e);

	if (r == 0)
		r = may_write(rec, key, e);
	if (r == 0)
		r = fits(rec, key, n, e);
	if (r == 0 && !text)
		r = err_set(e, EINVAL, "a value is text in UTF-8");
	if (r < 0 || json_equal(stored(rec, key), text))
		return r;
	set = json_object();
	if (json_object_set(set, key, text) < 0) {
		json_decref(set);
		return err_set(e, EINVAL, "a key is text in UTF-8");
	}
	return change(c, uuid, "set", rec, key, set, e);
}

int mdata_delete(struct ctx *c, struct state *st, const char *uuid, const char *key, struct err *e)
{
	_json_ json_t *rec = NULL;
	int r = state_vm_get(st, uuid, &rec, NULL, NULL, e);

	if (r == 0)
		r = may_write(rec, key, e);
	if (r < 0 || !stored(rec, key))
		return r;
	return change(c, uuid, "remove", rec, key, json_pack("[s]", key), e);
}
