/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Samples of all running zones and of the host, one after the other. Who runs is the caller's to say, since a zone's
 * run time files belong to another room:
 *
 *	stat_begin(s, generation, e);
 *	stat_take(s, uuid, zoneid, &z) for each running zone
 *	stat_end(s, e);                 the host; zones that were not taken are forgotten
 *
 * Nothing is forked and nothing is allocated for a zone that was there before.
 */
#ifndef CLOISTER_STAT_SAMPLE_H
#define CLOISTER_STAT_SAMPLE_H

#include <stdbool.h>
#include <sys/types.h>

#include "bpf/switch.h"
#include "kern/cgroup_stat.h"
#include "kern/hoststat.h"
#include "stat/guest.h"
#include "stat/vcpus.h"

#define STAT_BURST (1u << 16) /* beside CGS_*: what the zones' workers keep */
#define STAT_NET   (1u << 17) /* and what the switch counts */
#define STAT_GUEST (1u << 18) /* and what machines' monitors tell */
#define STAT_VCPU  (1u << 19) /* and how their processors are served, by the kernel */

/* A VNIC, the caller's to add with stat_link(). */
struct stat_link {
	char name[16];
	struct sw_count n;
};
struct stat_links {
	struct stat_link *l;
	size_t n, cap;
	uint64_t now[2], before[2]; /* bytes received and sent by all of them */
};

struct stat_zone {
	char uuid[37];
	char *name, *alias; /* the caller's to fill when NULL; freed here. alias may stay NULL */
	uint64_t zoneid, boot_ns;
	pid_t init;
	uint64_t now[CGV_COUNT], before[CGV_COUNT]; /* before is 0 for one that came since the last sample */
	/* Of a zone with a cpu_baseline (STAT_BURST), the caller's to fill anew each time; percent, ns. */
	struct stat_burst {
		bool on;
		uint64_t cap, baseline, effective, limit_ns, spent_ns, above_ns, below_ns;
	} burst;
	/* Of one with io_burst_time, likewise; a second, seconds. max 0 = that ceiling has no burst. */
	struct stat_ioburst {
		uint64_t limit_s, base[4], max[4], now[4], spent_s[4];
	} ioburst;
	struct stat_links net;
	struct stat_guest *guest; /* of a machine that was asked (STAT_GUEST); the caller's to fill, freed here */
	struct stat_vcpus vcpus;  /* of a machine (STAT_VCPU): stat_vcpus_read() */
	struct cg_files *files;
	bool plain; /* no machine: for who finds that out to keep, until it boots again */
	bool taken;
};

struct stat_sample {
	struct cg_host cg;
	unsigned groups, room;
	struct cg_reader *reader;
	struct stat_zone **z; /* by uuid */
	size_t n, cap;
	bool part;                  /* only some of the zones that run are in it: inside one */
	unsigned rounds;           /* samples taken */
	uint64_t now_ns, before_ns; /* CLOCK_MONOTONIC */
	struct host_stat host, host_before;
	bool netted;           /* links have been read */
	struct stat_links net; /* the global zone's */
	struct stat_zone **ids; /* z by zoneid, for stat_link() */
};

/* groups: CGS_*. room: descriptors that may stay open. */
void stat_init(struct stat_sample *s, const struct cg_host *h, unsigned groups, unsigned room);
void stat_done(struct stat_sample *s);
/* limits: a number that has been another one since somebody set a limit (limits_generation()). */
int stat_begin(struct stat_sample *s, uint64_t limits, struct err *e);
/* 1 with *out for a zone that was read, 0 for one that has gone meanwhile. */
int stat_take(struct stat_sample *s, const char *uuid, uint64_t zoneid, struct stat_zone **out, struct err *e);
int stat_end(struct stat_sample *s, struct err *e);

/* Before the first of a round: links of the round before are forgotten. */
void stat_links_begin(struct stat_sample *s);
/* One that a zone (by its id, 0 = the global zone's) has; nothing for one of a zone that was not taken. */
void stat_link(struct stat_sample *s, uint64_t zoneid, const char *name, const struct sw_count *n);
/* Bytes received (0) or sent (1) since the sample before; CGV_UNKNOWN as below. */
uint64_t stat_net_grown(const struct stat_sample *s, const struct stat_links *l, int way);
/* Nanoseconds that a machine's processors waited, together. */
uint64_t stat_steal_grown(const struct stat_sample *s, const struct stat_zone *z);

/* Growth since the sample before; CGV_UNKNOWN where it is not counted, or there was no sample before. */
uint64_t stat_grown(const struct stat_sample *s, const struct stat_zone *z, enum cg_value v);

#endif
