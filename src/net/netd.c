/* SPDX-License-Identifier: MPL-2.0 */
/* The tables of responders and DHCP clients, each in a folder of its switch or uplink; netd_proc.c has the processes that read them. */
#include "net/netd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "net/netd_proc.h"

#define TABLE_MAX (64u << 20)

static const char *const folders[] = {[NETD_SERVES] = "netd", [NETD_ASKS] = "dhcp"};

static char *folder(const struct net_switch *s, enum netd_kind kind, uint32_t sw)
{
	char name[16];

	netd_ifname(kind, sw, name);
	return xprintf("%s/%s/%s", s->dir, folders[kind], name);
}

static bool is_zone(const char *line)
{
	return str_starts(line, "zone ");
}

static bool is_of(const char *line, const char *uuid)
{
	return is_zone(line) && uuid && strncmp(line + 5, uuid, UUID_LEN) == 0;
}

/* The new table from the old one. Returns how many zones it has. */
static size_t compose(char *old, const char *head, const char *uuid, const char *lines, struct buf *out)
{
	size_t zones = 0;
	char *save = NULL;

	if (head)
		buf_puts(out, head);
	for (char *l = strtok_r(old, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (is_zone(l) ? is_of(l, uuid) : head != NULL)
			continue;
		buf_puts(out, l);
		buf_puts(out, "\n");
		zones += is_zone(l);
	}
	if (lines && *lines) {
		buf_puts(out, lines);
		zones++;
	}
	return zones;
}

static int away(const char *dir, struct err *e)
{
	_free_ char *lock = xprintf("%s/lock", dir), *table = xprintf("%s/table", dir);
	_fd_ int held = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int r = 0;

	/* at its end it looks once more: who is in there no longer gives back what he has */
	if (access(table, F_OK) == 0)
		r = file_replace(table, "", 0, 0644, 0, e);
	r = r < 0 ? r : netd_proc_stop(dir, e);

	/* one that a killed command has just begun has it, and notes who it is in a moment */
	if (r == 0 && held >= 0 && netd_proc_lock(held, lock, NULL) < 0) {
		r = netd_proc_stop(dir, e);
		if (r == 0)
			r = netd_proc_lock(held, lock, e);
	}
	return r < 0 ? r : dir_remove(AT_FDCWD, dir, e);
}

bool netd_has(const struct net_switch *s, uint32_t sw)
{
	_free_ char *dir = folder(s, NETD_SERVES, sw), *path = xprintf("%s/table", dir);

	return access(path, F_OK) == 0;
}

static int put(const struct netd *d, uint32_t sw, const char *dir, const char *head, const char *uuid, const char *lines, struct err *e)
{
	_free_ char *path = xprintf("%s/table", dir);
	_buf_ struct buf was = BUF_INIT, out = BUF_INIT;
	bool same;
	int r = file_read(AT_FDCWD, path, TABLE_MAX, &was, NULL);

	if (r == -ENOENT && !head)
		return 0;
	if (r < 0 && r != -ENOENT)
		return err_sys(e, r, "%s", path);
	_free_ char *copy = xstrdup(buf_str(&was));

	if (compose(copy, head, uuid, lines, &out) == 0)
		return away(dir, e);
	same = str_eq(buf_str(&was), buf_str(&out));
	r = same ? 0 : dir_make(dir, 0700, e);
	/* it has another user id there, and nobody but it and root comes as far as this */
	if (r == 0 && !same && chmod(dir, 0755) < 0)
		r = err_sys(e, errno, "%s", dir);
	if (r == 0 && !same)
		r = file_replace(path, buf_str(&out), out.len, 0644, 0, e);
	return r < 0 ? r : netd_proc_ensure(d, sw, dir, !same, e);
}

int netd_put(const struct netd *d, uint32_t sw, const char *head, const char *uuid, const char *lines, struct err *e)
{
	_free_ char *dir = folder(d->s, d->kind, sw);
	int r = put(d, sw, dir, head, uuid, lines, e);

	return r < 0 ? err_add(e, d->kind == NETD_SERVES ? "responder of the switch" : "DHCP client of the uplink") : 0;
}

/* Calls each for the switches that have a folder. */
static int each_folder(const struct net_switch *s, enum netd_kind kind, int (*each)(uint32_t sw, const char *dir, void *arg), void *arg)
{
	_free_ char *path = xprintf("%s/%s", s->dir, folders[kind]);
	_dir_ DIR *d = opendir(path);
	struct dirent *o;
	int r = 0;

	while (d && r == 0 && (o = readdir(d))) {
		unsigned tag, vlan = 0;
		char end;

		if (kind == NETD_SERVES ? sscanf(o->d_name, "r%xv%u%c", &tag, &vlan, &end) == 2 : sscanf(o->d_name, "u%u%c", &tag, &end) == 1) {
			_free_ char *dir = xprintf("%s/%s", path, o->d_name);

			r = each((uint32_t)tag << 12 | vlan, dir, arg);
		}
	}
	return r;
}

struct drop {
	const struct netd *d;
	const char *uuid;
	const uint32_t *but;
	size_t nbut;
	struct err *e;
	int r; /* of the first that failed: the others are told all the same */
};

static int drop_one(uint32_t sw, const char *dir, void *arg)
{
	struct drop *a = arg;
	int r;

	for (size_t i = 0; i < a->nbut; i++)
		if (a->but[i] == sw)
			return 0;
	r = put(a->d, sw, dir, NULL, a->uuid, NULL, a->r < 0 ? NULL : a->e);
	a->r = a->r < 0 ? a->r : r;
	return 0;
}

int netd_drop_zone(const struct netd *d, const char *uuid, const uint32_t *but, size_t nbut, struct err *e)
{
	struct drop a = {d, uuid, but, nbut, e, 0};

	each_folder(d->s, d->kind, drop_one, &a);
	return a.r < 0 ? err_add(e, d->kind == NETD_SERVES ? "responder of a switch" : "DHCP client of an uplink") : 0;
}

int netd_end(struct net_switch *s, enum netd_kind kind, uint32_t sw, struct err *e)
{
	_free_ char *dir = folder(s, kind, sw);

	return access(dir, F_OK) < 0 ? 0 : away(dir, e);
}

struct sweep {
	const uint32_t *sw;
	size_t n;
	struct err *e;
};

static int sweep_one(uint32_t sw, const char *dir, void *arg)
{
	struct sweep *a = arg;

	for (size_t i = 0; i < a->n; i++)
		if (a->sw[i] == sw)
			return 0;
	return away(dir, a->e);
}

int netd_sweep(struct net_switch *s, enum netd_kind kind, const uint32_t *sw, size_t n, struct err *e)
{
	struct sweep a = {sw, n, e};

	return each_folder(s, kind, sweep_one, &a);
}
