/* SPDX-License-Identifier: MPL-2.0 */
#include "node/vmfield.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "model/prop.h"
#include "node/vmlive.h"

/* Headers and widths are SmartOS's: scripts cut columns by them. */
struct known {
	const char *name;
	unsigned width;
	const char *header; /* NULL = the name in upper case */
	enum vm_source src;
	enum vm_col col;
	unsigned parts;
};

static const struct known table[] = {
	{"uuid", 36, NULL, SRC_ROW, COL_UUID, 0},
	{"type", 4, NULL, SRC_ROW, COL_TYPE, 0},
	{"ram", 7, NULL, SRC_ROW, COL_RAM, 0},
	{"state", 16, NULL, SRC_RUN, COL_STATE, 0},
	{"alias", 10, NULL, SRC_ROW, COL_ALIAS, 0},
	{"accelerator_used", 4, "ACCEL", SRC_LIVE, COL_NONE, LIVE_RESTARTS},
	{"autoboot", 8, NULL, SRC_ROW, COL_AUTOBOOT, 0},
	{"billing_id", 36, NULL, SRC_RECORD, COL_NONE, 0},
	{"boot_timestamp", 24, NULL, SRC_RUN, COL_BOOTED, 0},
	{"brand", 14, NULL, SRC_ROW, COL_BRAND, 0},
	{"cpu_cap", 7, NULL, SRC_ROW, COL_CPU_CAP, 0},
	{"cpu_shares", 9, "CPU_SHARE", SRC_ROW, COL_CPU_SHARES, 0},
	{"cpu_type", 8, NULL, SRC_RECORD, COL_NONE, 0},
	{"create_timestamp", 24, NULL, SRC_ROW, COL_CREATED, 0},
	{"dns_domain", 32, "DOMAIN", SRC_RECORD, COL_NONE, 0},
	{"do_not_inventory", 5, "DNI", SRC_RECORD, COL_NONE, 0},
	{"exit_status", 11, NULL, SRC_LIVE, COL_NONE, LIVE_EXIT},
	{"exit_timestamp", 24, NULL, SRC_LIVE, COL_NONE, LIVE_EXIT},
	{"firewall_enabled", 16, NULL, SRC_RECORD, COL_NONE, 0},
	{"hostname", 32, NULL, SRC_RECORD, COL_NONE, 0},
	{"hvm", 5, NULL, SRC_ROW, COL_HVM, 0},
	{"image_uuid", 36, NULL, SRC_ROW, COL_IMAGE, 0},
	{"init_restarts", 13, NULL, SRC_LIVE, COL_NONE, LIVE_RESTARTS},
	{"machine_status", 8, "GUEST", SRC_LIVE, COL_NONE, LIVE_STATUS},
	{"max_locked_memory", 10, "MAX_LOCKED", SRC_RECORD, COL_NONE, 0},
	{"max_lwps", 7, "MAX_LWP", SRC_ROW, COL_MAX_LWPS, 0},
	{"max_physical_memory", 8, "MAX_PHYS", SRC_RECORD, COL_NONE, 0},
	{"max_swap", 8, NULL, SRC_RECORD, COL_NONE, 0},
	{"missing", 20, NULL, SRC_LIVE, COL_NONE, LIVE_MISSING},
	{"owner_uuid", 36, NULL, SRC_ROW, COL_OWNER, 0},
	{"pid", 6, NULL, SRC_RUN, COL_PID, 0},
	{"qemu_extra_opts", 15, NULL, SRC_RECORD, COL_NONE, 0},
	{"quota", 5, NULL, SRC_ROW, COL_QUOTA, 0},
	{"server_uuid", 36, NULL, SRC_ROW, COL_SERVER, 0},
	{"snapshots", 20, NULL, SRC_LIVE, COL_NONE, LIVE_SNAPSHOTS},
	{"tmpfs", 5, NULL, SRC_RECORD, COL_NONE, 0},
	{"transition_to", 13, NULL, SRC_LIVE, COL_NONE, 0},
	{"transition_expire", 17, NULL, SRC_LIVE, COL_NONE, 0},
	{"vcpus", 5, NULL, SRC_RECORD, COL_NONE, 0},
	{"zfs_io_priority", 11, "IO_PRIORITY", SRC_RECORD, COL_NONE, 0},
	{"zone_state", 10, NULL, SRC_RUN, COL_ZONE_STATE, 0},
	{"zoneid", 6, NULL, SRC_RUN, COL_ZONEID, 0},
	{"zonename", 12, NULL, SRC_ROW, COL_ZONENAME, 0},
	{"zonepath", 40, NULL, SRC_ROW, COL_ZONEPATH, 0},
	{"zpool", 12, NULL, SRC_RECORD, COL_NONE, 0},
};

static const struct known *find(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (!strncmp(table[i].name, name, n) && !table[i].name[n])
			return &table[i];
	return NULL;
}

static char *upper(const char *s)
{
	char *u = xstrdup(s);

	for (char *p = u; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return u;
}

static bool is_index(const char *s, size_t n, bool many)
{
	return (many && n == 1 && *s == '*') || (n > 0 && n < 6 && strspn(s, "0123456789") >= n);
}

static const struct prop *shown(const char *name)
{
	const struct prop *p = prop_find(name);

	return p && !(p->flags & (PF_VERB | PF_ONCE)) ? p : NULL;
}

/* Whether any VM can have "head.rest…"; pattern becomes the name to look for the nearest of. */
static bool dotted(const char *name, const char *dot, bool many, struct buf *pattern)
{
	_free_ char *head = xprintf("%.*s", (int)(dot - name), name);
	const struct prop *p = shown(head);
	const char *rest = dot + 1, *end = strchrnul(rest, '.');
	const struct prop *q;

	buf_puts(pattern, name);
	if (!p || !*rest)
		return false;
	switch (p->type) {
	case PROP_FLAT:
		return true; /* any key, dots and all */
	case PROP_LIST:
		return !*end && is_index(rest, (size_t)(end - rest), many);
	case PROP_OUTPUT:
		return str_eq(head, "snapshots") || str_eq(head, "missing");
	case PROP_OBJECTS:
		break;
	default:
		return false;
	}
	if (!is_index(rest, (size_t)(end - rest), many))
		return false;
	if (!*end)
		return true;
	pattern->len = 0;
	buf_printf(pattern, "%s.*%.*s", head, (int)strcspn(end + 1, ".") + 1, end);
	q = shown(buf_str(pattern));
	end = strchrnul(end + 1, '.');
	return q && (!*end || (q->type == PROP_LIST && is_index(end + 1, strlen(end + 1), many)));
}

/* What is shown only is not among what may be given, from which prop_nearest() chooses. */
static const char *nearest(const char *name)
{
	const struct prop *p = prop_nearest(name);
	const char *best = p && !(p->flags & (PF_VERB | PF_ONCE)) ? p->name : NULL;
	unsigned d = best ? str_distance(name, best) : 3;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		unsigned n = str_distance(name, table[i].name);

		if (n < d) {
			d = n;
			best = table[i].name;
		}
	}
	return best;
}

static int unknown(const char *name, const char *pattern, bool many, struct err *e)
{
	const char *near = nearest(pattern);

	if (!many && strstr(name, ".*"))
		return err_set(e, EINVAL, "\"%.64s\" names several values: that works as a filter only; a column needs a number, "
			       "as in nics.0.ip", name);
	if (near)
		return err_set(e, EINVAL, "unknown field \"%.64s\"; the nearest is %s", name, near);
	return err_set(e, EINVAL, "unknown field \"%.64s\"", name);
}

int vm_field_make(const char *name, bool many, struct vm_field *f, struct err *e)
{
	const char *dot = strchr(name, '.');
	const struct known *k = find(name, dot ? (size_t)(dot - name) : strlen(name));
	_buf_ struct buf pattern = BUF_INIT;

	if (dot ? !dotted(name, dot, many, &pattern) : !k && !shown(name))
		return unknown(name, dot ? buf_str(&pattern) : name, many, e);
	*f = (struct vm_field){.name = xstrdup(name), .src = SRC_RECORD, .width = 20};
	f->header = k && !dot && k->header ? xstrdup(k->header) : upper(name);
	if (k) {
		f->src = k->src;
		f->parts = k->parts;
		f->col = dot ? COL_NONE : k->col;
		if (!dot)
			f->width = k->width;
	} else if (!dot) {
		f->width = prop_find(name)->type == PROP_UUID ? 36 : prop_find(name)->type == PROP_INT ? 7 : 20;
	}
	if (f->width < strlen(f->header))
		f->width = (unsigned)strlen(f->header);
	return 0;
}

void vm_field_done(struct vm_field *f)
{
	free(f->name);
	free(f->header);
	*f = (struct vm_field){.name = NULL};
}
