/* SPDX-License-Identifier: MPL-2.0 */
/* Shared by the files of this folder only: one pass over a payload, and what it finds wrong. */
#ifndef CLOISTER_MODEL_MODEL_H
#define CLOISTER_MODEL_MODEL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "model/prop.h"

enum mode { M_CREATE, M_UPDATE, M_RECEIVE, M_LOAD };

struct check {
	enum mode mode;
	unsigned brand;         /* one bit; B_ALL while it is not known */
	const char *brand_name; /* for messages, may be NULL */
	json_t *report;         /* owned: bad_values, bad_properties, missing_properties, maybe bad_brand */
	bool failed;
	char first[512]; /* the first thing found, in words */
};

#define CHECK_BAD_VALUE "bad_values"
#define CHECK_BAD_PROP  "bad_properties"
#define CHECK_MISSING   "missing_properties"

void check_init(struct check *ck, enum mode mode, const char *brand);
void check_done(struct check *ck);
#define _check_ __attribute__((cleanup(check_done)))
/* Notes that `path` is in the report's list, once, and keeps the first message. */
void check_note(struct check *ck, const char *list, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Ends a pass: 0, or -EINVAL with the message; hands the report out where it is wanted. */
int check_end(struct check *ck, json_t **report, struct err *e);
/* A name from outside, fit for a message: at most 64 printable ASCII bytes. */
const char *safe_name(const char *name, char out[68]);

/* One value: 0 with *out (new reference), 1 = unset (null, "" or an empty comma list), -EINVAL. Not for PROP_OBJECTS. */
int coerce(const struct prop *p, const json_t *v, json_t **out);
/*
 * Checks a whole payload, noting what is wrong; out gets the coerced members, and JSON null for those that the payload
 * unsets where the mode is M_UPDATE.
 */
void walk(struct check *ck, const json_t *payload, json_t *out);
/* walk() with the brand from the payload, what is missing, and cross_check(). */
void validate(struct check *ck, const json_t *payload, json_t *out);
/* What single values can't show: conflicts between members and between objects, in a payload or a whole record. */
void cross_check(struct check *ck, const json_t *rec);

/* Fills in what follows from other members: ip ↔ ips, names, addresses, primary. */
void nics_fill(json_t *nics, bool lx);
/* Of disks: bursts need a ceiling and a time; 0 takes a ceiling away. */
void disks_cross(struct check *ck, const json_t *rec);
void disk_tidy(json_t *disk);
void nic_changed(json_t *nic, const json_t *change);
/* set_x, remove_x, add_x, update_x of a coerced payload onto rec. */
void verbs_apply(struct check *ck, json_t *rec, const json_t *given);

bool ignored_in_update(const char *key);
/* What a VM of that brand has unless told. */
const char *limit_priv_of(unsigned brand);

#endif
