/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Brands of zones as data: where the root comes from, which program is init, and how it is asked to end.
 * Nothing here acts; src/node/spec.c turns a record, its brand and its image into the spec of a zone.
 */
#ifndef CLOISTER_BRAND_BRAND_H
#define CLOISTER_BRAND_BRAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum brand_init {
	BRAND_INIT_ZINIT,  /* our own small init, which runs init_name or the zone's services */
	BRAND_INIT_HOST,   /* the host's init system, seen through the shared /usr */
	BRAND_INIT_ROOT,   /* /sbin/init of the zone's own root */
	BRAND_INIT_MONITOR, /* a machine monitor: the zone is its jail, the guest's disks are its data */
};

/* A part of the host that every sparse zone sees read-only. Optional ones are skipped where the host has none. */
struct brand_share {
	const char *path;
	bool optional, file, suid;
};

struct brand {
	const char *name; /* "joyent-minimal" */
	const char *type; /* list's TYPE column */
	bool needs_image;
	enum brand_init init;
	const struct brand_share *share; /* NULL = nothing of the host */
	size_t nshare;
	const char *const *mask; /* paths below the shares that stay hidden, NULL-terminated */
};

/* NULL for an unknown brand and for those that are not there yet (bhyve). */
const struct brand *brand_find(const char *name);

static inline bool brand_hvm(const struct brand *b)
{
	return b && b->init == BRAND_INIT_MONITOR;
}

/* What kind of init system a program is, told from the last name its symbolic link resolves to ("systemd", "busybox"). */
enum init_kind { INIT_OTHER, INIT_SYSTEMD, INIT_BUSYBOX, INIT_ZINIT };
enum init_kind brand_init_kind(const char *link_target);
/* Signal that asks such an init to power off; to reboot. */
int brand_halt_signal(enum init_kind k);
int brand_reboot_signal(enum init_kind k);

#endif
