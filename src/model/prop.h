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

struct prop {
	const char *name; /* dotted with * for an index: "nics.*.mtu" */
	enum prop_type type;
	unsigned create, update, receive; /* brand bits for each verb (for rows of objects: create = when added) */
	int64_t min, max;                 /* PROP_INT */
	const char *dflt;                 /* as JSON text, NULL = none or derived */
	const char *help;                 /* one sentence */
	/* a check of its own beyond type and limits, may be NULL: 0 or -EINVAL; arg is the JSON value */
	int (*check)(const void *json_value);
	const char *needs; /* NULL, or the capability that is not there yet: "the network" */
};

const struct prop *prop_find(const char *name);    /* exact row name; NULL */
const struct prop *prop_nearest(const char *name); /* best guess for an unknown name; NULL if nothing is near */
const struct prop *prop_all(size_t *n);

#endif
