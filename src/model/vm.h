/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A VM record as plain data: a JSON object (jansson) that holds the stored properties only, already coerced, checked
 * and filled in. Everything about a property (type, limits, default, brands, verbs, help) stands in one row of
 * prop.c; the functions here walk that table. No I/O, no clock, no randomness but uuid_make().
 */
#ifndef CLOISTER_MODEL_VM_H
#define CLOISTER_MODEL_VM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define _json_ __attribute__((cleanup(vm_json_done)))
void vm_json_done(json_t **j); /* json_decref, NULL is fine */

#define VM_PAYLOAD_MAX (8u << 20) /* bytes; larger input is refused before parsing */
#define VM_DEPTH_MAX   32

enum vm_verb { VM_CREATE, VM_UPDATE, VM_RECEIVE };

/*
 * Text to payload: an object, or (for create) an array of objects. Duplicate keys, trailing bytes, depth over
 * VM_DEPTH_MAX and size over VM_PAYLOAD_MAX are refused; the message has line and column.
 */
int vm_parse(const char *text, size_t n, json_t **out, struct err *e);
/* "key=value" of the update command line: JSON value where it parses as one, else a string. */
int vm_parse_pair(const char *pair, json_t *into, struct err *e);

/*
 * Checks a payload against the table. On failure (-EINVAL) *report (new reference, may be passed NULL) is the object
 * that `vmadm validate` prints: bad_brand, bad_properties, bad_values, missing_properties, and e->msg says the first
 * of them in words, an unknown property with its nearest known name.
 * brand: the VM's for update, NULL to take it from the payload.
 */
int vm_validate(const json_t *payload, enum vm_verb verb, const char *brand, json_t **report, struct err *e);

/*
 * Of a record as json_dumps(JSON_COMPACT) has written it those members that names (NULL at its end) asks for, new reference; of what is written in
 * another way all of them. NULL: it is no JSON.
 */
json_t *vm_members(const char *text, size_t len, const char *const *names);

/*
 * payload → complete record: coercion ("1" → true…), defaults, memory derivations, names, a uuid if none, v=1.
 * now_iso becomes create_timestamp and last_modified. Validates first. *rec is a new reference.
 */
int vm_record_create(const json_t *payload, const char *now_iso, json_t **rec, json_t **report, struct err *e);

/*
 * A record after an update. Applies set_x, remove_x, add_x, update_x, derivations and unsetting ("" and null, 0 for
 * cpu_cap and quota); ignores what contract.md says is ignored. *changed: array of the names of stored properties
 * that differ. Both are new references; the old record is untouched.
 */
int vm_record_update(const json_t *rec, const json_t *payload, const char *now_iso, json_t **out, json_t **changed,
		     json_t **report, struct err *e);

/*
 * The first property of a record that needs a capability this build does not have yet (nics, disks, brand kvm,
 * firewall_enabled true, delegate_dataset, zfs_io_priority other than the default, …): -ENOTSUP with its name and
 * what is missing, else 0. Nothing that is stored is ever ignored silently.
 */
int vm_available(const json_t *rec, struct err *e);

/* When an update of this property takes effect on a running VM. */
enum vm_live { VM_LIVE_NOW, VM_LIVE_BOOT, VM_LIVE_STOPPED };
enum vm_live vm_live_of(const char *prop, const char *brand);

/*
 * The object that `vmadm get` prints: known keys in SmartOS's order, nothing else. live: run time facts
 * (state, zone_state, pid, zoneid, boot_timestamp, exit_status, snapshots, …) from the caller, may be NULL. New reference.
 */
json_t *vm_output(const json_t *rec, const json_t *live);
/* A record read back from a file or the database: checked again as outside input. */
int vm_record_load(const char *text, size_t n, json_t **rec, struct err *e);
char *vm_record_text(const json_t *rec); /* compact, sorted keys; free() */

/* "OS", "LX", "KVM", "BHYV": list's TYPE column. */
const char *vm_type(const json_t *rec);
const char *vm_str(const json_t *rec, const char *key);                 /* NULL if absent */
int64_t vm_int(const json_t *rec, const char *key, int64_t otherwise);
bool vm_bool(const json_t *rec, const char *key, bool otherwise); /* of a payload too: takes 1, "1" and "true" for true */
/* A field for list and lookup: "tags.x", "nics.0.ip", "nics.*.ip"; calls each for every match. */
void vm_field(const json_t *obj, const char *path, void (*each)(const json_t *v, void *arg), void *arg);
bool vm_snapshot_name_ok(const char *name);
/* A copy of a record or payload for the audit log: passwords and internal metadata are "<hidden>". New reference. */
json_t *vm_redact(const json_t *rec);

#endif
