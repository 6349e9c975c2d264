/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a zone has used, hour by hour, in a file of its own: <state>/usage/<uuid>, an array of records of fixed size.
 *
 *	slot      0          1          2          3          4
 *	     [ 08:00 #59 | 08:00 #60 | 09:00 #119| 09:00 #120| 10:00 #133 ]      #: number of the sample
 *
 * A record is an hour's sums up to a sample, together with the counters that the sample saw: so whoever samples next, a
 * worker, its successor or a command, adds the difference and nothing else. The hour's two newest records take turns in two
 * slots, so that one that was torn by a power cut leaves the other; of the records of one row (`first`) the one with the
 * highest number counts. Nothing is ever counted twice, because counters belong to a life (a boot of the host, a cgroup) and
 * only differences within it are added. A dataset is there whether its zone runs or not: its bytes are counted from record to
 * record whatever lies between, a stop, or a night without power.
 *
 * Libc only: the worker of each zone links it.
 */
#ifndef CLOISTER_ZONE_USAGE_H
#define CLOISTER_ZONE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USAGE_SLOTS   16384 /* of a file; then it becomes <uuid>.1, which has the year before */
#define USAGE_HOST    "host" /* the file of the whole host */
#define USAGE_UNKNOWN UINT64_MAX
#define USAGE_HOUR    3600

/* Counters: they only grow, in one life. Gauges: what is there now, in bytes; their sums are KiB × milliseconds. */
enum usage_counter { UC_CPU_US, UC_READ, UC_WRITTEN, UC_READS, UC_WRITES, UC_RECEIVED, UC_SENT, UC_THROTTLED_US, UC_COUNT };
enum usage_gauge { UG_MEMORY, UG_DATA, UG_COUNT };

struct usage_sample {
	uint64_t life[2];  /* whose counters these are */
	uint64_t age_ms;   /* since they began at 0 */
	bool from_now;     /* what they were before the first record of all is not ours to count */
	bool stopped;      /* the zone does not run: its dataset is all there is; age_ms: that of the VM, if this is its first record */
	uint64_t wall_ns, up_ns; /* now: of 1970, of the host's boot (CLOCK_BOOTTIME) */
	uint64_t counter[UC_COUNT], gauge[UG_COUNT]; /* or USAGE_UNKNOWN */
};

struct usage_rec {
	uint32_t magic, sum_of_all;
	uint8_t uuid[16];
	uint64_t first, seq; /* the row's first sample, and this one. A file's first is the µs of 1970: no uuid has a number twice */
	uint64_t hour;       /* when it began, in seconds of 1970 */
	uint64_t life[2], wall_ns, up_ns;
	uint64_t raw[UC_COUNT], gauge[UG_COUNT]; /* as the sample saw them */
	uint64_t used[UC_COUNT], area[UG_COUNT]; /* in this hour */
	uint64_t ms;         /* of the hour that were sampled */
	uint32_t known;      /* bits: counters, from bit 16 gauges */
	uint32_t reserved;
};
_Static_assert(sizeof(struct usage_rec) == 256, "a record in the file");

/* ---- pure ---- */
void usage_seal(struct usage_rec *r);
bool usage_valid(const struct usage_rec *r);
/*
 * The rows that a sample makes after the record `last` (NULL = the first ever), oldest first, at most max: more than one when hours have
 * passed since. Returns how many, at least one.
 */
unsigned usage_advance(const struct usage_rec *last, const uint8_t uuid[16], const struct usage_sample *s, struct usage_rec *out, unsigned max);
/* How old the counters are of a zone whose init began at that tick since the host's boot, 0 = not known: a clock of 1970 may be set while it runs. */
uint64_t usage_age(uint64_t up_ns, uint64_t start_ticks, uint64_t ticks_a_second);
void usage_uuid(const char *text, uint8_t out[16]); /* zeros for what is no uuid */
/* The numbers in cpu.stat, io.stat, diskstats of the devices of the pool. */
#define USAGE_DEVS 8
struct usage_devs {
	unsigned n;
	uint32_t dev[USAGE_DEVS][2]; /* major, minor */
};
void usage_text_cpu(const char *t, struct usage_sample *s);
void usage_text_io(const char *t, const struct usage_devs *d, struct usage_sample *s);

/* ---- files ---- */
#define USAGE_GAP     64   /* rows of one sample that take no memory */
#define USAGE_GAP_MAX 8784 /* rows at most: a year; what is older is in the first */
/*
 * Adds a sample to the file `name` of the folder. Negative errno; -EAGAIN: somebody else is at it, and wait is false.
 */
int usage_add(int dir, const char *name, const uint8_t uuid[16], const struct usage_sample *s, bool wait);
/*
 * The same for who comes again: the open file, its fd -1 at first. With go_on it neither makes a file nor begins a life: a sample
 * that does not follow one of the same life is not added, which is 0 too. That is for who has no hold on the zone, and may come when another has it.
 */
struct usage_file {
	int fd;
	bool go_on;
	uint64_t pushed_ns; /* when it was sent on to the disk last, by up_ns */
};
#define USAGE_FILE_INIT ((struct usage_file){.fd = -1})
int usage_add_to(struct usage_file *f, int dir, const char *name, const uint8_t uuid[16], const struct usage_sample *s, bool wait);

/* ---- sampling: descriptors that stay open; -1 = not counted here ---- */
struct usage_src {
	int cpu, memory, io, data;
	uint64_t ino; /* of cpu's file, once it is known */
	struct usage_devs devs;
};
#define USAGE_SRC_INIT ((struct usage_src){-1, -1, -1, -1, 0, {0, {{0}}}})
/* The devices of a btrfs, as sysfs lists them. */
void usage_devs_find(const char *fsid, struct usage_devs *out);
/* Opens what btrfs counts for the zone with that id range. */
int usage_data_open(const char *fsid, uint32_t id_base);
/*
 * 0; -ENODEV: its cgroup has gone. bootid: the kernel's. idle_us: 1 and nothing else read if the zone's processor time is still
 * that; USAGE_UNKNOWN = read all.
 */
int usage_read_unless(struct usage_src *src, const char *bootid, uint64_t idle_us, struct usage_sample *s);
int usage_read(struct usage_src *src, const char *bootid, struct usage_sample *s);
/* The host as a whole. fsid: the pool's, "" = none. */
int usage_read_host(const char *fsid, const char *bootid, struct usage_sample *s);
/* Of a zone that does not run: what its dataset has, by usage_data_open()'s descriptor. -ENODATA: that can't be read. */
int usage_read_stopped(int data, const char *bootid, struct usage_sample *s);
void usage_src_done(struct usage_src *src);

#endif
