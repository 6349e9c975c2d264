/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/whose_record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "state/state.h"

struct search {
	const struct ctx *c;
	enum net_kind kind;
	const struct net_item *want;
	const char *path;
	void (*each)(const struct whose_record *, void *arg);
	void *arg;
};

/* path is that folder or below it; *rest what follows it. */
static bool below(const char *path, const char *folder, const char **rest)
{
	size_t n = strlen(folder);

	while (n > 1 && folder[n - 1] == '/')
		n--;
	if (strncmp(path, folder, n) != 0 || (path[n] && path[n] != '/' && n > 1))
		return false;
	*rest = path + n;
	return true;
}

static void tell(const struct search *s, const struct vm_row *row, const char *what, const char *where)
{
	s->each(&(struct whose_record){row->uuid, row->alias ? row->alias : row->zonename ? row->zonename : row->uuid, what, where}, s->arg);
}

static bool same_addr(const struct net_item *want, const char *text)
{
	char t[INET6_ADDRSTRLEN + 1];
	size_t n = strcspn(text, "/");
	uint8_t a[16];

	if (n >= sizeof t)
		return false;
	memcpy(t, text, n);
	t[n] = 0;
	return inet_pton(want->family, t, a) == 1 && !memcmp(a, want->addr, want->family == AF_INET ? 4 : 16);
}

static bool same_mac(const struct net_item *want, const char *text)
{
	char t[20];

	snprintf(t, sizeof t, "%02x:%02x:%02x:%02x:%02x:%02x", want->addr[0], want->addr[1], want->addr[2], want->addr[3], want->addr[4],
		 want->addr[5]);
	return strcasecmp(t, text) == 0;
}

static bool nic_has(const struct search *s, const json_t *nic)
{
	const char *mac = json_string_value(json_object_get(nic, "mac")), *ip = json_string_value(json_object_get(nic, "ip"));
	const json_t *list, *one;
	size_t i;

	if (s->kind == NET_LINK)
		return mac && same_mac(s->want, mac);
	list = json_object_get(nic, "ips");
	json_array_foreach(list, i, one)
		if (json_is_string(one) && same_addr(s->want, json_string_value(one)))
			return true;
	return ip && same_addr(s->want, ip);
}

static void in_nics(const struct search *s, const struct vm_row *row, const json_t *rec)
{
	const json_t *nics = json_object_get(rec, "nics"), *nic;
	size_t i;

	json_array_foreach(nics, i, nic) {
		const char *name = json_string_value(json_object_get(nic, "interface"));

		if (nic_has(s, nic)) {
			_free_ char *where = xprintf("%s of its record", name ? name : "a NIC");

			tell(s, row, s->kind == NET_LINK ? "mac" : "ip", where);
		}
	}
}

static void in_folders(const struct search *s, const struct vm_row *row, const json_t *rec)
{
	_free_ char *pool = xprintf("%s/%s", s->c->node.pool, row->uuid), *run = xprintf("%s/%s", s->c->node.run, row->uuid),
	       *log = xprintf("%s/vms/%s", s->c->node.log, row->uuid);
	const json_t *all = json_object_get(rec, "filesystems"), *one;
	const char *rest;
	size_t i;

	if (below(s->path, pool, &rest))
		tell(s, row, s->path, "its zonepath");
	if (below(s->path, run, &rest) || below(s->path, log, &rest))
		tell(s, row, s->path, "of its supervisor");
	json_array_foreach(all, i, one) {
		const char *source = json_string_value(json_object_get(one, "source")), *target = json_string_value(json_object_get(one, "target")),
			   *type = json_string_value(json_object_get(one, "type"));

		if (source && target && type && *source == '/' && !strcmp(type, "lofs") && below(s->path, source, &rest)) {
			_free_ char *where = xprintf("lent to it as %s%s", target, rest);

			tell(s, row, s->path, where);
		}
	}
}

char *whose_path_tidy(const char *path)
{
	char *out = xalloc(strlen(path) + 2), *to = out;

	for (const char *p = path; *p;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n && !(n == 1 && *p == '.')) {
			*to++ = '/';
			memcpy(to, p, n);
			to += n;
		}
		p += n;
	}
	if (to == out)
		*to++ = '/';
	*to = 0;
	return out;
}

bool whose_path_in_pool(const struct ctx *c, const char *tidy)
{
	const char *rest;

	return below(tidy, c->node.pool, &rest) && *rest;
}

static int each_row(const struct vm_row *row, void *arg)
{
	const struct search *s = arg;
	json_t *rec = row->record ? json_loadb(row->record, row->record_len, 0, NULL) : NULL;

	if (s->path)
		in_folders(s, row, rec);
	else
		in_nics(s, row, rec);
	json_decref(rec);
	return 0;
}

int whose_records(struct ctx *c, enum net_kind k, const struct net_item *want, const char *path,
		  void (*each)(const struct whose_record *, void *arg), void *arg, struct err *e)
{
	struct search s = {c, k, want, path, each, arg};
	_clean_(state_close) struct state *st = NULL;
	int r = state_open(c, STATE_READ, &st, e);

	if (r == 0)
		r = state_vm_each(st, STATE_RECORD, each_row, &s, e);
	return r == -ENOENT ? 0 : r;
}
