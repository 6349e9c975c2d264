/* SPDX-License-Identifier: MPL-2.0 */
#include "node/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/iso.h"
#include "model/vm.h"

#define SEED_MAX (512u << 10) /* all of a spec is at most 1 MiB */
#define DISK_MAX (640 << 10) /* with what is around it, and the network: in base64 it goes in the head of a state */

static const char *datum(const json_t *rec, const char *key)
{
	return vm_str(json_object_get(rec, "customer_metadata"), key);
}

static char *text_of(json_t *j)
{
	char *text = json_dumps(j, JSON_INDENT(1) | JSON_SORT_KEYS);

	json_decref(j);
	return text ?: xstrdup("{}");
}

char *seed_meta(const json_t *rec)
{
	const char *uuid = vm_str(rec, "uuid"), *keys = datum(rec, "root_authorized_keys");
	json_t *meta = json_pack("{s:s, s:s}", "instance-id", uuid, "local-hostname", vm_str(rec, "hostname") ?: vm_str(rec, "alias") ?: uuid);
	_free_ char *copy = xstrdup(keys ?: "");
	char *save = NULL;

	if (keys)
		json_object_set_new(meta, "public-keys", json_array());
	for (char *k = strtok_r(copy, "\r\n", &save); k; k = strtok_r(NULL, "\r\n", &save))
		json_array_append_new(json_object_get(meta, "public-keys"), json_string(k));
	return text_of(meta);
}

char *seed_user(const json_t *rec)
{
	return xstrdup(datum(rec, "cloud-init:user-data") ?: "");
}

static void add_nic(json_t *all, const json_t *rec, const json_t *nic, size_t i)
{
	_free_ char *name = xprintf("net%zu", i);
	json_t *n = json_pack("{s:{s:s}}", "match", "macaddress", vm_str(nic, "mac") ?: ""), *list = json_array();
	const json_t *ip;
	size_t k;

	json_array_foreach(json_object_get(nic, "ips"), k, ip)
	{
		const char *s = json_string_value(ip);

		if (str_eq(s, "dhcp"))
			json_object_set_new(n, "dhcp4", json_true());
		else if (s && strcmp(s, "addrconf") != 0) /* that one the guest's kernel does by itself */
			json_array_append_new(list, json_string(s));
	}
	json_object_set_new(n, "addresses", list);
	if (vm_bool(nic, "primary", false) && vm_str(nic, "gateway"))
		json_object_set(n, "gateway4", json_object_get(nic, "gateway"));
	if (json_array_size(json_object_get(rec, "resolvers")))
		json_object_set_new(n, "nameservers", json_pack("{s:O}", "addresses", json_object_get(rec, "resolvers")));
	json_object_set_new(all, name, n);
}

char *seed_network(const json_t *rec)
{
	json_t *all = json_object();
	const json_t *nic;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, nic)
		add_nic(all, rec, nic, i);
	return text_of(json_pack("{s:i, s:o}", "version", 2, "ethernets", all));
}

int seed_check(const json_t *rec, struct err *e)
{
	_free_ char *meta = seed_meta(rec), *user = seed_user(rec);

	/* as they are written: JSON has six bytes for some of a key's */
	if (strlen(meta) + strlen(user) > SEED_MAX)
		return err_set(e, EFBIG, "cloud-init:user-data and root_authorized_keys: at most %u KiB together, as cloud-init gets them", SEED_MAX >> 10);
	return 0;
}

static char *seed_path(const struct vm *v)
{
	return xprintf("%s/%s/" SEED_FILE, v->c->node.run, v->uuid);
}

int seed_get(const struct vm *v, json_t **out, struct err *e)
{
	_free_ char *path = seed_path(v);
	_buf_ struct buf disk = BUF_INIT, text = BUF_INIT;
	int r = vm_bool(v->rec, "nocloud", false) ? file_read(AT_FDCWD, path, DISK_MAX, &disk, e) : -ENOENT;

	/* nocloud may have been set since it was started */
	if (r < 0 && r != -ENOENT)
		return r;
	base64_add(&text, disk.p, disk.len);
	*out = disk.len ? json_stringn(text.p, text.len) : NULL;
	return 0;
}

/* A disk that changes under a guest that has it mounted is a broken one. */
static int put_back(const struct vm *v, const char *path, struct err *e)
{
	_free_ char *disk = xstrdup(json_string_value(v->incoming.seed) ?: "");
	ssize_t n = base64_undo(disk, strlen(disk));

	return n < 0 || n > DISK_MAX ? err_set(e, EBADMSG, "its NoCloud disk is damaged") : file_replace(path, disk, (size_t)n, 0600, 0, e);
}

int seed_put(struct vm *v, struct err *e)
{
	_free_ char *path = seed_path(v);
	_free_ char *meta = seed_meta(v->rec), *network = seed_network(v->rec), *user = seed_user(v->rec);
	const struct iso_file files[] = {
		{"META-DATA", meta, strlen(meta)}, {"NETWORK-CONFIG", network, strlen(network)}, {"USER-DATA", user, strlen(user)}};
	_buf_ struct buf disk = BUF_INIT;
	int r = seed_check(v->rec, e);

	if (r < 0 || !vm_bool(v->rec, "nocloud", false))
		return r;
	if (v->incoming.seed)
		return put_back(v, path, e);
	iso_make("CIDATA", files, ARRAY_LEN(files), &disk);
	return file_replace(path, disk.p, disk.len, 0600, 0, e);
}
