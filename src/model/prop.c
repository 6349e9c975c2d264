/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The property table. The rows stand in tbl/, in the order in which `vmadm get` shows them; everything else in this
 * folder walks them. A new property is one row there and the code that enforces it.
 */
#include "model/prop.h"

#include <stdbool.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/check.h"

#define STR     .type = PROP_STRING
#define INT     .type = PROP_INT
#define BOOL    .type = PROP_BOOL
#define UUID    .type = PROP_UUID
#define LIST    .type = PROP_LIST
#define FLAT    .type = PROP_FLAT
#define OBJECTS .type = PROP_OBJECTS
#define OUTPUT  .type = PROP_OUTPUT

#define CR(b)  .create = (b), .receive = (b)
#define CRU(b) .create = (b), .update = (b), .receive = (b)
#define U(b)   .update = (b)
/* Members: when the object is added (by create, receive and add_x), and by update_x. */
#define A(b)  .create = (b), .receive = (b)
#define AU(b) .create = (b), .update = (b), .receive = (b)

#define MIB_MAX   PROP_MIB_MAX
/* What the monitor's throttling takes: 10^15 a second. */
#define DISK_IO   INT, AU(B_KVM), .max = PROP_DISK_IO_MAX, .flags = PF_CLOISTER
#define UUID_ZERO "00000000-0000-0000-0000-000000000000"

#define N_BHYVE     "brand bhyve"
#define N_MIRROR    "a switch that mirrors"
#define N_LIMITS    "limits to come"
#define N_DELEGATED "delegated datasets"
#define N_ZFS       "a pool that can do it (ZFS)"

#define NEVER_OPTS  "the monitor's command line is the jail's own, and an option could name any file, socket or device of the host"
#define NEVER_SPICE "the screen of a machine is shown by VNC (vnc_port)"

#define R_PATH        "an absolute path without . and .. and //"
#define R_TEXT        "text without control characters"
#define R_ZONENAME    "1 to 63 of A-Z a-z 0-9 _ . -, the first a letter or digit; not global or SUNW…"
#define R_POOL        "1 to 64 of A-Z a-z 0-9 _ . -"
#define R_POW2        "a power of two from 512 to 131072"
#define R_COMPRESSION "on, off, lzjb, gzip, gzip-1 … gzip-9, zle, lz4 or zstd"
#define R_SLOT        "like 0:4:0, 4:0 or 4"
#define R_KEYS        "an object of strings, numbers and booleans, its keys 1 to 255 printable bytes"

static const struct prop rows[] = {
#include "model/tbl/vm.h"
#include "model/tbl/objects.h"
#include "model/tbl/rest.h"
};

const struct prop *prop_all(size_t *n)
{
	*n = ARRAY_LEN(rows);
	return rows;
}

const struct prop *prop_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].name[0] == name[0] && strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

const struct prop *prop_nearest(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t prefix = dot ? (size_t)(dot - name) + 1 : 0;
	size_t len = strlen(name + prefix);
	unsigned best = 2 + (unsigned)(len > 64 ? 64 : len) / 6;
	const struct prop *found = NULL;

	/* One edit in a word of three letters already makes another word: demand more likeness of short names. */
	if (len < 3)
		return NULL;
	if (len < 4)
		best = 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *n = rows[i].name;
		unsigned d;

		if (strncmp(n, name, prefix) != 0 || strchr(n + prefix, '.') || rows[i].type == PROP_OUTPUT)
			continue;
		d = str_distance(n + prefix, name + prefix);
		if (len >= 4 && d > 1 && str_starts(n + prefix, name + prefix))
			d = 1; /* vlan → vlan_id */
		if (d < best || (d == best && !found)) {
			best = d;
			found = &rows[i];
		}
	}
	return found;
}

unsigned prop_brand(const char *brand)
{
	static const struct {
		const char *name;
		unsigned bit;
	} brands[] = {{"joyent", B_JOYENT}, {"joyent-minimal", B_MINIMAL}, {"lx", B_LX}, {"kvm", B_KVM}, {"bhyve", B_BHYVE}};

	for (size_t i = 0; brand && i < ARRAY_LEN(brands); i++) {
		if (strcmp(brands[i].name, brand) == 0)
			return brands[i].bit;
	}
	return 0;
}

const char *prop_type_name(enum prop_type t)
{
	static const char *const names[] = {
		[PROP_STRING] = "string", [PROP_INT] = "integer",    [PROP_BOOL] = "boolean",         [PROP_UUID] = "uuid",
		[PROP_LIST] = "list",     [PROP_FLAT] = "flat object", [PROP_OBJECTS] = "array of objects", [PROP_OUTPUT] = "output only"};

	return names[t];
}
