/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The record store: node.db (SQLite, WAL, synchronous=FULL). Authoritative for VM records and allocations; what runs
 * is never read from here. Each function is one short transaction (BEGIN IMMEDIATE with a time limit for writes), none
 * spans a kernel step. A schema older than ours is backed up and migrated at open, a newer one is refused.
 */
#ifndef CLOISTER_STATE_STATE_H
#define CLOISTER_STATE_STATE_H

#include <jansson.h>
#include <stdint.h>

#include "base/ctx.h"

struct state;

enum state_mode { STATE_READ, STATE_WRITE }; /* WRITE creates the file and its folder */

/* -ENOENT for READ of a node that has none yet. */
int state_open(const struct ctx *c, enum state_mode m, struct state **out, struct err *e);
void state_close(struct state **s); /* NULL is fine; usable as a cleanup */

/*
 * Several calls as one transaction (one flush to the disk): all of them or none. Each call between the two still
 * undoes what it began when it fails. state_end() commits for r >= 0, rolls back for r < 0, and returns r or why the
 * commit failed. No kernel step in between: all writers of the node wait.
 */
int state_begin(struct state *s, struct err *e);
int state_end(struct state *s, int r, struct err *e);
/*
 * While it is lent to another thread, which says state_borrow() (NULL: no more), every call of this one fails with -EDEADLK: a handle that two
 * threads use loses writes.
 */
void state_lend(struct state *s, bool on);
void state_borrow(struct state *s);

/* One VM as a row: what list needs without parsing the record. Strings live until the callback returns. */
struct vm_row {
	const char *uuid, *alias, *brand, *owner, *type; /* alias may be NULL */
	const char *zonename, *image;                    /* image may be NULL */
	const char *state;                               /* stored part: "installed", "provisioning", "failed", … */
	int64_t state_ns;                                /* wall time since which it is so */
	int64_t ram, quota, cpu_cap, cpu_shares, max_lwps; /* -1 = the record has none */
	int autoboot;
	uint32_t id_base;    /* host uid of the zone's uid 0 */
	int64_t create_ns;
	const char *record;  /* JSON text; NULL if not wanted, or lost */
	size_t record_len;
};

/* ---- VM records ---- */
/*
 * Inserts the record in state `state` and allocates a uid range: first free one of the node's, skipping ranges that
 * /etc/subuid, /etc/subgid and passwd use (given by the caller as skip[], multiples of 65536). -EEXIST names what is
 * taken (uuid, zonename, mac, ip, vrid). *id_base, where it is not 0, is the range that it has to be.
 */
int state_vm_insert(struct state *s, const json_t *rec, const char *state, const uint32_t *skip, size_t nskip,
		    uint32_t *id_base, struct err *e);
/* Replaces the record's text and columns. */
int state_vm_replace(struct state *s, const json_t *rec, struct err *e);
int state_vm_set_state(struct state *s, const char *uuid, const char *state, struct err *e);
/* Sets autoboot in the row and the record; 1 if it changed, 0 if it was so already (then nothing is written). */
int state_vm_set_autoboot(struct state *s, const char *uuid, int on, struct err *e);
/* -ENOENT if there is none. rec, vmstate (free()) and id_base may be NULL. */
int state_vm_get(struct state *s, const char *uuid, json_t **rec, char **vmstate, uint32_t *id_base, struct err *e);
/* The row of one VM, for the length of the callback; returns what it returns. -ENOENT. */
int state_vm_row(struct state *s, const char *uuid, int (*each)(const struct vm_row *, void *arg), void *arg, struct err *e);
/* Deletes the row and "exit:<uuid>"; the uid range is free again. -ENOENT. */
int state_vm_delete(struct state *s, const char *uuid, struct err *e);
/*
 * All rows, by uuid. A negative return of each ends the walk and is returned. want: STATE_RECORD fills record, else
 * NULL; STATE_SLIM fills only uuid, alias, type, state, state_ns, ram, autoboot and id_base: half the time.
 */
enum { STATE_RECORD = 1, STATE_SLIM = 2 };
int state_vm_each(struct state *s, int want, int (*each)(const struct vm_row *, void *arg), void *arg, struct err *e);
/* 1 = there is a VM of this uuid, 0 = there is none. */
int state_vm_has(struct state *s, const char *uuid, struct err *e);
/*
 * A uuid, an alias, a zonename, or a uuid prefix of at least 8 characters → uuid[37]. -ENOENT; -ENOTUNIQ with the
 * matches in the message.
 */
int state_vm_find(struct state *s, const char *word, char uuid[37], struct err *e);

/* ---- small persistent things ---- */
/*
 * A counter that only grows ("zoneid"). Returns the new value through *out. Not flushed: a number may come again
 * after a power loss, when nothing runs any more that bears it.
 */
int state_next(struct state *s, const char *counter, uint64_t *out, struct err *e);
/* Named texts ("exit:<uuid>", "server_uuid": made with the database); NULL deletes; get gives -ENOENT. */
int state_kv_set(struct state *s, const char *key, const char *value, struct err *e);
/* Of "<what>:<uuid>" those whose VM is not here and whose value has a number below that from byte `at` on (1 = the first): they go. Below 1,000,000,000 it is no time. */
int state_kv_trim(struct state *s, const char *what, unsigned at, uint64_t below, struct err *e);
/* Where there is one of that key: of its value the first `keep` bytes, a space, and that number. */
int state_kv_stamp(struct state *s, const char *key, unsigned keep, uint64_t number, struct err *e);
int state_kv_get(struct state *s, const char *key, char **value, struct err *e);

/* ---- images ---- */
/* Text is the manifest v2 JSON; state "installing" or "active". */
int state_image_put(struct state *s, const char *uuid, const char *istate, const char *manifest, struct err *e);
int state_image_get(struct state *s, const char *uuid, char **istate, char **manifest, struct err *e); /* -ENOENT */
int state_image_each(struct state *s, int (*each)(const char *uuid, const char *istate, const char *manifest, void *arg),
		     void *arg, struct err *e);
/* 0 if nobody uses it, else -EBUSY as below. */
int state_image_users(struct state *s, const char *uuid, struct err *e);
/* -EBUSY with the VMs (by their image_uuid) or child images (by origin) that use it. */
int state_image_delete(struct state *s, const char *uuid, struct err *e);

/* ---- nic tags ---- */
enum { STATE_TAG_NAME = 32 };
struct state_nictag {
	char name[STATE_TAG_NAME];
	uint32_t id;       /* 1…2^20-1 */
	bool etherstub;
	uint32_t mtu;      /* the most that a NIC on it may have */
};
/* -EEXIST; the id is given here. */
int state_nictag_add(struct state *s, const char *name, bool etherstub, uint32_t mtu, struct err *e);
int state_nictag_get(struct state *s, const char *name, struct state_nictag *out, struct err *e); /* -ENOENT */
int state_nictag_each(struct state *s, int (*each)(const struct state_nictag *, void *arg), void *arg, struct err *e);
int state_nictag_delete(struct state *s, const char *name, struct err *e); /* -ENOENT */

/* ---- what else the network has: a JSON object for each name of a kind ("switch", "rule", "rvm", "flow", "fabric", "link") ---- */
int state_net_put(struct state *s, const char *kind, const char *name, const json_t *value, struct err *e);     /* made or replaced */
int state_net_get(struct state *s, const char *kind, const char *name, json_t **value, struct err *e);          /* -ENOENT; the caller's to free */
/* By name. value is borrowed. A negative return of each ends the walk and is returned. */
int state_net_each(struct state *s, const char *kind, int (*each)(const char *name, const json_t *value, void *arg), void *arg, struct err *e);
/* The same, with the text of each that state_net_put() has written: for who reads ten thousand. */
int state_net_each_text(struct state *s, const char *kind, int (*each)(const char *name, const char *text, void *arg), void *arg, struct err *e);
int state_net_delete(struct state *s, const char *kind, const char *name, struct err *e); /* 0, also if there was none */

/*
 * Calls each for every VM that has this address in its record or as a lease, on whatever switch, or a NIC with this link address; at NULL: for those
 * with a prefix in allowed_ips. It may be called twice for one. For who may write: the index may have to be made.
 */
int state_holders(struct state *s, const char *at, int (*each)(const char *uuid, void *arg), void *arg, struct err *e);

/* Whether the NICs of a record have nothing that another VM has which has not failed: -EEXIST. Inserting and replacing look again. */
int state_nics_free(struct state *s, const json_t *rec, struct err *e);

/* ---- leases: addresses for NICs that ask for one, kept as long as the NIC is its VM's ---- */
struct lease_ask {
	const char *vm, *mac, *tag;
	unsigned vlan, prefix; /* 1 to 30 */
	uint32_t net, gateway; /* in the host's order; the gateway is never given away */
};
/* The one that it has, or a new one: nobody else's, lease or static, of that switch. -ENOSPC. */
int state_lease_take(struct state *s, const struct lease_ask *q, uint32_t *ip, struct err *e);
/* 1 = it has one that state_lease_take() would replace. */
int state_lease_stale(struct state *s, const struct lease_ask *q, struct err *e);
/* A change of the record that was taken back: leases that NICs of from took and those of to don't ask for. */
int state_lease_back(struct state *s, const char *uuid, const json_t *from, const json_t *to, struct err *e);
/* 1 with its VM and address, 0: it has none on that switch; tag NULL: on none. */
int state_lease_get(struct state *s, const char *mac, const char *tag, unsigned vlan, char vm[37], uint32_t *ip, struct err *e);

/*
 * Of a NIC whose switch has no server of ours: the address that one outside gave it, with "outside": what that said. It is the NIC's alone while it is
 * bound, and what it asks for first when it is not.
 */
struct lease_outside {
	const char *vm, *mac, *tag;
	unsigned vlan;
	uint32_t ip;
	json_t *said; /* borrowed; has "until", seconds since 1970 */
};
/* -EEXIST: another NIC of this host has it; one whose time is over has it no more. */
int state_lease_learn(struct state *s, const struct lease_outside *l, struct err *e);
/* It has it no more, and asks for it the next time. 0, also if it has none. */
int state_lease_lose(struct state *s, const char *mac, const char *vm, struct err *e);
/* 1 and the whole object, the caller's to free; 0: it has none from outside on that switch. */
int state_lease_from(struct state *s, const char *mac, const char *tag, unsigned vlan, json_t **out, struct err *e);

/* ---- events ---- */
/*
 * Appends; seq and time are the store's, numbers follow each other without a gap. 100,000 are kept: beyond that the VMs with most (and
 * more than 1,000) lose their oldest, then the oldest of all go. detail: JSON object or NULL. Not flushed, unless
 * it is inside state_begin(): an event is no reason to wait for the disk. Each commit with events changes the times of
 * <state>/events, for who follows the feed.
 */
int state_event(struct state *s, const char *kind, const char *uuid, const json_t *detail, struct err *e);
int state_event_first(struct state *s, uint64_t *seq, struct err *e); /* of those that are kept; 0 = none */
/* All of that VM's up to *seq were dropped because they were too many; 0 = none. */
int state_event_cut(struct state *s, const char *uuid, uint64_t *seq, struct err *e);
int state_event_last(struct state *s, uint64_t *seq, struct err *e); /* 0 = none yet */
int state_event_each(struct state *s, uint64_t since_seq, const char *uuid_or_null,
		     int (*each)(uint64_t seq, uint64_t wall_ns, const char *kind, const char *uuid, const char *detail, void *arg),
		     void *arg, struct err *e);

#endif
