/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Accounting: once a minute, and on the stroke of the hour, what the kernel has counted for the zone goes into its file
 * (zone/usage.h). Nothing is kept here: a worker that is killed loses no more than it had not sampled, and its successor
 * samples that. Of all workers of a node one leads, which samples the host too, and where the interval is short all zones:
 * then the others wake seldom (usage_lead.h).
 *
 * What no kernel gives notice of is looked at on the way: a full quota, a zone that its cpu_cap has held back for long, refused
 * forks (on v1), and the pool's last percents.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/file.h"
#include "base/own.h"
#include "zone/run.h"
#include "zone/usage.h"
#include "zoneadmd/event.h"
#include "zoneadmd/part.h"
#include "zoneadmd/usage_lead.h"
#include "zone/usage_net.h"
#include "zoneadmd/zoneadmd.h"

#define SECOND     1000000000ULL
#define FIRST_NS   (2 * SECOND) /* a zone's start is not the time for it */
#define LOOK_NS    (2 * SECOND) /* the rest is not looked at more often, however often the zone is sampled */
#define OWN_NS     (15 * SECOND) /* a worker does not wake more often for its own zone's sample: that is for the one that leads */
#define REMIND_NS  (3600 * SECOND)

static struct {
	struct usage_src src;
	struct usage_file file;
	int dir, throttle; /* <state>/usage; v1's cpu.stat */
	bool open;
	char uuid[37], bootid[40], fsid[40], pool[64];
	uint64_t every, due, looked, hosted; /* hosted: when the host was sampled last */
	uint64_t all_due; /* the next of all zones, 0 = that is not ours to do */
	uint64_t start; /* of init, ticks since the host's boot */
	/* what was found at the last sample */
	uint64_t throttled_us, throttled_at, held_since, held_us, held_told, patience;
	uint64_t data;
	uint32_t range; /* of ids, the number of its quota group */
	bool full;
	int level;
} u = {.src = {-1, -1, -1, -1, 0, {0, {{0}}}}, .file = {.fd = -1}, .dir = -1, .throttle = -1, .every = 60 * SECOND, .patience = 300 * SECOND, .level = -1};

struct found {
	char node[64];
	uint32_t id_base;
};

static bool look(const char *key, const char *value, void *arg)
{
	struct found *f = arg;

	if (!strcmp(key, "id_base"))
		f->id_base = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(key, "node"))
		snprintf(f->node, sizeof f->node, "%s", value);
	return f->id_base && f->node[0];
}

static void fsid_of(const char *pool, char out[40])
{
	struct btrfs_ioctl_fs_info_args a = {0};
	_fd_ int fd = open(pool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *p = out;

	*out = '\0';
	if (fd < 0 || ioctl(fd, BTRFS_IOC_FS_INFO, &a) < 0)
		return;
	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", a.fsid[i]);
}

/* The node's own settings; what is wrong in them is for a command to say. */
static int node_of(struct ctx *c, struct found *f)
{
	*f = (struct found){.id_base = 0};
	if (spec_scan(FD_RUN, look, f) < 0 || !f->node[0])
		return -ENOENT;
	return ctx_init(c, f->node, NULL);
}

static void take_settings(const struct ctx *c)
{
	u.every = c->node.usage_s * SECOND;
	if (u.every >= OWN_NS) {
		lead_forget();
		u.all_due = 0;
	}
	u.patience = c->node.throttled_s * SECOND;
}

static int usage_settings(const char *text)
{
	struct found f;
	struct ctx c;

	(void)text;
	if (!u.open || node_of(&c, &f) < 0) /* the first sample has them read */
		return 0;
	take_settings(&c);
	u.due = clock_mono_ns() + u.every;
	ctx_done(&c);
	return 0;
}

int usage_src_open(int run, const char *fsid, struct usage_src *out)
{
	struct found f = {.id_base = 0};

	if (spec_scan(run, look, &f) < 0 || (out->cpu = zone_cgroup_file(run, ZONE_TOP, "cpu.stat", O_RDONLY)) < 0)
		return -ENOENT;
	out->memory = zone_cgroup_file(run, ZONE_TOP, "memory.current", O_RDONLY);
	if (out->memory < 0)
		out->memory = zone_cgroup_file(run, ZONE_V1, "memory.usage_in_bytes", O_RDONLY);
	out->io = zone_cgroup_file(run, ZONE_TOP, "io.stat", O_RDONLY);
	out->data = usage_data_open(fsid, f.id_base);
	return 0;
}

static void open_all(void)
{
	struct found f;
	struct ctx c;
	struct run_zone z;
	_buf_ struct buf text = BUF_INIT;
	char path[80];

	if (node_of(&c, &f) < 0)
		return;
	memcpy(u.bootid, c.bootid, sizeof u.bootid);
	memcpy(u.pool, c.node.pool, sizeof u.pool);
	u.range = f.id_base >> 16;
	take_settings(&c);
	snprintf(path, sizeof path, "%s/usage", c.node.state);
	mkdir(path, 0700);
	u.dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	lead_open(u.dir);
	ctx_done(&c);
	fsid_of(u.pool, u.fsid);
	usage_devs_find(u.fsid, &u.src.devs);
	usage_src_open(FD_RUN, u.fsid, &u.src);
	u.throttle = zone_cgroup_file(FD_RUN, ZONE_V1, "cpu.stat", O_RDONLY);
	if (file_read(FD_RUN, "zone", 4096, &text, NULL) == 0 && run_zone_parse(buf_str(&text), &z) == 0)
		u.start = z.init.start;
	u.open = true;
}

/* ---- what is looked at on the way ---- */

static uint64_t throttled_v1(void)
{
	char t[512], *at;
	ssize_t n = u.throttle < 0 ? -1 : pread(u.throttle, t, sizeof t - 1, 0);

	if (n <= 0)
		return USAGE_UNKNOWN;
	t[n] = '\0';
	at = strstr(t, "throttled_time ");
	return at ? strtoull(at + 15, NULL, 10) / 1000 : USAGE_UNKNOWN;
}

/* Held back by its cap half of the time and more, for as long as the node's patience lasts; then once an hour. */
static void look_throttled(struct usage_sample *s)
{
	uint64_t was = u.throttled_us, at = u.throttled_at;
	char detail[EVENT_DETAIL];

	if (s->counter[UC_THROTTLED_US] == USAGE_UNKNOWN)
		s->counter[UC_THROTTLED_US] = throttled_v1();
	u.throttled_us = s->counter[UC_THROTTLED_US];
	u.throttled_at = s->up_ns;
	if (u.throttled_us == USAGE_UNKNOWN || !at || u.throttled_us < was || s->up_ns <= at)
		return;
	if ((u.throttled_us - was) * 1000 < (s->up_ns - at) / 2) {
		u.held_since = u.held_told = 0;
		return;
	}
	if (!u.held_since) {
		u.held_since = at;
		u.held_us = was;
	}
	if (s->up_ns - u.held_since < u.patience || (u.held_told && s->up_ns - u.held_told < REMIND_NS))
		return;
	u.held_told = s->up_ns;
	snprintf(detail, sizeof detail, "{\"seconds\":%llu,\"throttled\":%llu}", (unsigned long long)((s->up_ns - u.held_since) / SECOND),
		 (unsigned long long)((u.throttled_us - u.held_us) / 1000000));
	event_report("throttled", detail);
}

static uint64_t number_in(const char *path)
{
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char t[32] = "";

	return fd >= 0 && read(fd, t, sizeof t - 1) > 0 ? strtoull(t, NULL, 10) : 0;
}

/* btrfs tells nobody of a write that it refused. */
static void look_quota(uint64_t data)
{
	char path[128], detail[EVENT_DETAIL];
	uint64_t limit;

	if (data == USAGE_UNKNOWN || data == u.data)
		return;
	u.data = data;
	snprintf(path, sizeof path, "/sys/fs/btrfs/%s/qgroups/1_%u/max_referenced", u.fsid, u.range);
	limit = number_in(path);
	if (!limit || limit == UINT64_MAX || data < limit / 100 * (u.full ? 95 : 99)) {
		u.full = false;
		return;
	}
	snprintf(detail, sizeof detail, "{\"used\":%llu,\"limit\":%llu}", (unsigned long long)data, (unsigned long long)limit);
	if (!u.full)
		event_report("quota-limit", detail);
	u.full = true;
}

bool usage_quota(uint64_t *used, uint64_t *limit)
{
	char path[128];

	if (!u.open || u.src.data < 0 || pread(u.src.data, path, sizeof path, 0) <= 0)
		return false;
	*used = strtoull(path, NULL, 10);
	snprintf(path, sizeof path, "/sys/fs/btrfs/%s/qgroups/1_%u/max_referenced", u.fsid, u.range);
	*limit = number_in(path);
	return *limit && *limit != UINT64_MAX;
}

static int level_of(unsigned percent, int now)
{
	static const int levels[] = {95, 90, 80};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (percent >= (unsigned)(levels[i] - (now >= levels[i])))
			return levels[i];
	return 0;
}

static void look_pool(void)
{
	struct statvfs v;
	char detail[EVENT_DETAIL];
	unsigned percent;
	int level;

	if (statvfs(u.pool, &v) < 0 || v.f_blocks == 0)
		return;
	percent = (unsigned)((v.f_blocks - v.f_bavail) * 100 / v.f_blocks);
	level = level_of(percent, u.level);
	/* what the worker before told last is not known here: zone-event compares, and forgets a level that we tell is over */
	if (level == u.level)
		return;
	u.level = level;
	snprintf(detail, sizeof detail, "{\"level\":%d,\"percent\":%u,\"free\":%llu}", level, percent,
		 (unsigned long long)v.f_bavail * v.f_frsize);
	event_report("pool-space", detail);
}

static void sample_host(void)
{
	static const uint8_t none[16];
	struct usage_sample s;

	if (usage_read_host(u.fsid, u.bootid, &s) == 0)
		usage_add(u.dir, USAGE_HOST, none, &s, false);
	look_pool();
}

/* What is for one worker of the node to do. */
static void try_lead(uint64_t now)
{
	if (!lead_take())
		return;
	if (now - u.hosted >= LOOK_NS) {
		u.hosted = now;
		sample_host();
	}
	if (!u.all_due && u.every < OWN_NS)
		u.all_due = now + u.every;
}

static void sample_all(uint64_t now)
{
	_fd_ int run = openat(FD_RUN, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct lead_node n = {u.dir, run, u.bootid, u.fsid};

	if (run >= 0 && lead_sample(&n))
		return; /* and at once on with it, when our zone has been served */
	u.all_due = u.all_due + u.every > now ? u.all_due + u.every : now + u.every;
	try_lead(now);
}

static void sample(uint64_t now, bool ending)
{
	struct usage_sample s;
	uint8_t uuid[16];
	char net[40];

	if (u.dir < 0 || u.src.cpu < 0 || usage_read(&u.src, u.bootid, &s) < 0)
		return;
	s.age_ms = usage_age(s.up_ns, u.start, (uint64_t)sysconf(_SC_CLK_TCK));
	snprintf(net, sizeof net, "/proc/self/fd/%d/../net", FD_RUN);
	usage_net_read(net, u.uuid, &s);
	usage_uuid(u.uuid, uuid);
	usage_add_to(&u.file, u.dir, u.uuid, uuid, &s, false);
	if (s.up_ns - u.looked < LOOK_NS && !ending)
		return;
	u.looked = s.up_ns;
	events_sample();
	drops_look();
	dhcp_look(u.uuid);
	look_throttled(&s);
	look_quota(s.gauge[UG_DATA]);
	if (ending)
		u.hosted = 0;
	try_lead(now);
}

/* Hours begin with a sample, so that each has what is its own. */
static void plan(uint64_t now)
{
	uint64_t hour = USAGE_HOUR * SECOND, left = hour - clock_wall_ns() % hour;
	/* what is wanted more often is seen to by who leads, if there is one */
	uint64_t every = u.every < OWN_NS && lead_known() ? OWN_NS : u.every;

	u.due = now + (left < every ? left : every);
}

static int usage_start(const struct worker *w)
{
	snprintf(u.uuid, sizeof u.uuid, "%s", w->uuid);
	u.due = clock_mono_ns() + FIRST_NS;
	return 0;
}

static uint64_t usage_due(void)
{
	return u.all_due && u.all_due < u.due ? u.all_due : u.due;
}

static int usage_poll(struct pollfd *p)
{
	*p = (struct pollfd){.fd = u.every < OWN_NS ? lead_fd() : -1, .events = POLLIN};
	return 1;
}

static void usage_ready(const struct pollfd *p, int n, uint64_t now)
{
	if (n > 0 && p[0].revents) { /* who led has gone */
		try_lead(now);
		if (!lead_known())
			u.due = now + u.every;
	}
	if (u.all_due && u.all_due <= now)
		sample_all(now);
	if (u.due > now)
		return;
	if (!u.open)
		open_all();
	sample(now, false);
	plan(now);
}

/*
 * What it used last: if the command that ended it was quicker, its cgroup has gone, and the command has done this. A
 * command that waits for us always does; where we have not even begun to count, all that there is to say is in its sample.
 */
static void usage_end(void)
{
	if (!u.open && run_halting())
		return;
	if (!u.open)
		open_all();
	sample(clock_mono_ns(), true);
}

const struct part part_usage = {
	.name = "usage", .start = usage_start, .poll = usage_poll, .ready = usage_ready, .due = usage_due, .settings = usage_settings, .end = usage_end,
};
