/* SPDX-License-Identifier: MPL-2.0 */
/* The property table: one row per property. Parser, validator, defaults, help, man page and completion come from it. */
#ifndef CLOISTER_MODEL_PROP_H
#define CLOISTER_MODEL_PROP_H

#include <stddef.h>
#include <stdint.h>

enum prop_type {
	PROP_STRING, PROP_INT, PROP_BOOL, PROP_UUID, PROP_LIST, PROP_FLAT, /* flat object of string, number, boolean */
	PROP_OBJECTS,                                                       /* array of objects, rows "name.*.x" */
	PROP_OUTPUT                                                         /* shown by get, never given */
};

/* Brand bits. OS is both of the first two. */
enum { B_JOYENT = 1, B_MINIMAL = 2, B_LX = 4, B_KVM = 8, B_BHYVE = 16, B_OS = 3, B_ZONE = 7, B_HVM = 24, B_ALL = 31 };
/* When it may be given. */
enum { P_CREATE = 1, P_UPDATE = 2, P_RECEIVE = 4, P_ADD = 8 };

#define PROP_DISK_IO_MAX 1000000000000000LL /* of a disk's ceilings: the most that the monitor's throttling takes */
#define PROP_MIB_MAX (1LL << 33) /* 8 PiB: the most that a property in MiB can say */

struct prop {
	const char *name; /* dotted with * for an index: "nics.*.mtu" */
	enum prop_type type;
	unsigned create, update, receive; /* brand bits for each verb (for rows of objects: create = when added) */
	int64_t min, max;                 /* PROP_INT: limits, max 0 = none; PROP_LIST, PROP_OBJECTS: max = how many, 0 = no bound */
	int64_t given;                    /* PROP_INT: the most that may be given, where records of an older version may have up to max; 0 = max */
	const char *dflt;                 /* as JSON text, NULL = none or derived */
	const char *help;                 /* one sentence */
	/* a check of its own beyond type and limits, may be NULL: 0 or -EINVAL; arg is the JSON value (of a list: each item) */
	int (*check)(const void *json_value);
	const char *rule;  /* what a good value is, for the message when check says no */
	const char *needs; /* NULL, or the capability that is not there yet: "the virtual network" */
	const char *never; /* NULL, or why it is refused for good */
	unsigned flags;
	char live;         /* when an update of a running VM takes effect: 'n' now, 'b' next boot, 's' only when stopped */
	unsigned required; /* brand bits for which create (or adding the object) must give it */
};

enum {
	PF_IMPLICIT = 1, /* the default is not written into the record: absent means the default */
	PF_ONCE = 2,     /* steers one command, never stored */
	PF_COMMA = 4,    /* PROP_LIST that is stored and shown as one comma-separated string */
	PF_HIDDEN = 8,   /* SmartOS-internal: known, never shown */
	PF_KEEP = 16,    /* PROP_OUTPUT that lives in the record (last_modified) */
	PF_VERB = 32,    /* set_x, remove_x, add_x, update_x */
	PF_SECRET = 64,  /* blanked in the audit log */
	PF_CLOISTER = 128, /* not SmartOS's: ours */
	PF_NUMBER = 256,   /* PROP_STRING that may be written as an integer */
};

const struct prop *prop_find(const char *name);    /* exact row name; NULL */
const struct prop *prop_nearest(const char *name); /* best guess for an unknown name; NULL if nothing is near */
const struct prop *prop_all(size_t *n); /* in the order in which get shows them */
/* "joyent" → B_JOYENT; 0 for a brand that is not ours. */
unsigned prop_brand(const char *brand);
const char *prop_type_name(enum prop_type t); /* "string", "integer", … */

#endif
