/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of a zone's worker: each a few descriptors, a time when it wants to be called, and what it does then. One
 * thread runs them all, so a part never waits for anything: not for the zone, not for a client, not for a command. What
 * must outlive the worker is the keeper's, or in a file of the run directory (FD_RUN).
 *
 * Settings are lines "name value" in <run_dir>/settings, written by the command before the zone boots and again by
 * whoever changes one of them live (zone/settings.h); then each part's `settings` is called.
 */
#ifndef CLOISTER_ZONEADMD_PART_H
#define CLOISTER_ZONEADMD_PART_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define PART_FDS 20 /* the most that a part polls */

struct worker {
	const char *uuid, *log_dir;
	uint64_t log_max;
};

struct part {
	const char *name;
	/* Once. Negative errno: the worker goes on without this part. */
	int (*start)(const struct worker *w);
	/* Fills in what to wait for and returns how many; NULL = nothing. */
	int (*poll)(struct pollfd *p);
	/* CLOCK_MONOTONIC ns when `ready` is to be called although nothing came; 0 = never; NULL = never. */
	uint64_t (*due)(void);
	/* One of its descriptors has something, or it is due. p: as it filled them in. */
	void (*ready)(const struct pollfd *p, int n, uint64_t now);
	/*
	 * What is set (settings_u64): after start, and again when it was changed. "" for a zone whose boot wrote none. Negative errno
	 * if it can't be had: the command says so. NULL = it has none.
	 */
	int (*settings)(const char *text);
	/* The zone has ended, or the worker was told to. */
	void (*end)(void);
};

extern const struct part part_console, part_events, part_usage, part_burst, part_ioburst, part_view, part_calls, part_drops, part_mdata, part_screen, part_machine;

/* part_drops.c: whether the zone has a log in the switch now. For the part that wakes anyway. */
void drops_look(void);
/* part_usage.c: bytes that count in the zone's quota group, and its limit; false: it has none, or nothing has been looked at yet. */
bool usage_quota(uint64_t *used, uint64_t *limit);
/* dhcp_look.c: whether who asks for this zone's addresses outside lives; else it is started again. The same. */
void dhcp_look(const char *uuid);
/*
 * machine_balloon.c: a machine's balloon, for the part that has its monitor (fd): a line of it, the guest's begin anew, what is set, when a turn
 * is due (0 = never), and that turn.
 */
void machine_balloon_line(int fd, const char *line, size_t n);
void machine_balloon_reset(void);
int machine_balloon_settings(const char *text);
uint64_t machine_balloon_due(void);
void machine_balloon_turn(int fd, uint64_t now);
/* worker.c: whether there is a keeper. */
bool worker_kept(void);
/* part_calls.c: a listener that has come to be, of a login; owned. */
void calls_listen(int listener);
/* worker.c: reads the settings again and tells all parts; the first error of one. */
int worker_settings(void);
/* Its text, "" if there is none. Room for SETTINGS_MAX + 1. */
int worker_settings_read(char *text);

/* spec_scan.c: key and value of each record of the spec in the zone's run directory, until one returns true. Negative errno without a spec. */
int spec_scan(int run, bool (*each)(const char *key, const char *value, void *arg), void *arg);
/*
 * Opens a file of the cgroup of the zone with that run directory: of the v2 tree (there where its limits on memory and processes are, else above), of
 * its uppermost cgroup there (logins of any kind are in it), or of the first v1 hierarchy that has such a file. -ENOENT.
 */
enum zone_tree { ZONE_V1, ZONE_V2, ZONE_TOP };
int zone_cgroup_file(int run, enum zone_tree tree, const char *file, int flags);

struct usage_src;
/* part_usage.c: opens what counts for the zone with that run directory, all but devs. fsid: the pool's. Negative errno: it has no cgroup. */
int usage_src_open(int run, const char *fsid, struct usage_src *out);

#endif
