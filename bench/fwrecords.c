/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From records to in force: a store with 1,000 VMs that have a firewall and ten rules each, and run folders that say that all of them run.
 * What is measured is what a command does that finds the switch half changed: every set, and the list of each VM, by what is stored.
 */
#include "fwrecords.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "model/vm.h"
#include "node/fwset.h"
#include "zone/index.h"

#define VMS   1000
#define RULES 10

static const char *const texts[RULES] = {
	"FROM any TO vm %s ALLOW tcp PORT 80", "FROM any TO vm %s ALLOW tcp PORT 443", "FROM subnet 10.99.0.0/16 TO vm %s ALLOW tcp PORT 22",
	"FROM tag role = app TO vm %s ALLOW tcp PORT 5432", "FROM any TO vm %s ALLOW icmp TYPE 8", "FROM tag role = metrics TO vm %s ALLOW tcp PORTS 9100-9110",
	"FROM vm %s TO any BLOCK tcp PORT 25", "FROM vm %s TO any BLOCK udp PORT 1900", "FROM vm %s TO subnet 192.0.2.0/24 BLOCK tcp PORT all",
	"FROM ip 192.0.2.7 TO vm %s BLOCK tcp PORT all PRIORITY 10"};

static void name_of(unsigned i, const char *kind, char out[37])
{
	snprintf(out, 37, "be9c0000-0000-4000-%s-%012u", kind, i);
}

static int a_vm(struct state *st, unsigned i, struct err *e)
{
	char uuid[37], owner[37];
	_json_ json_t *p = NULL, *rec = NULL, *report = NULL;
	uint32_t base = 0;
	int r;

	name_of(i, "8000", uuid);
	name_of(i / 10, "9000", owner); /* ten zones each */
	p = json_pack("{s:s s:s s:s s:b s:{s:s} s:[{s:s s:[o]}]}", "brand", "joyent-minimal", "uuid", uuid, "owner_uuid", owner, "firewall_enabled", 1, "tags",
		      "role", "app", "nics", "nic_tag", "s", "ips", json_sprintf("10.85.%u.%u/16", 1 + i / 200, i % 200 + 1));
	r = vm_record_create(p, "2026-01-01T00:00:00.000Z", &rec, &report, e);
	return r < 0 ? r : state_vm_insert(st, rec, "installed", NULL, 0, &base, e);
}

static int rules_of(json_t *list, unsigned i, struct err *e)
{
	char uuid[37], owner[37], text[160];

	name_of(i, "8000", uuid);
	name_of(i / 10, "9000", owner);
	for (int k = 0; k < RULES; k++) {
		_json_ json_t *p = NULL;
		json_t *o = NULL;
		int r;

		snprintf(text, sizeof text, texts[k], uuid);
		p = json_pack("{s:s s:s s:b}", "rule", text, "owner_uuid", owner, "enabled", 1);
		r = fwobj_rule(p, NULL, &o, e);
		if (r < 0)
			return r;
		json_array_append_new(list, o);
	}
	return 0;
}

/* As if this process were each zone's keeper and init. */
static int runs(const struct ctx *c, unsigned i, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	_free_ char *dir = NULL, *file = NULL;
	struct run_zone z = {.zoneid = i + 1, .boot_ns = 1};
	char uuid[37];

	name_of(i, "8000", uuid);
	strcpy(z.bootid, c->bootid);
	run_proc_of(getpid(), &z.init);
	z.keeper = z.init;
	run_zone_write(&z, "", &b);
	dir = xprintf("%s/%s", c->node.run, uuid);
	file = xprintf("%s/zone", dir);
	if (mkdir(dir, 0700) < 0)
		return -1;
	return file_replace(file, b.p, b.len, 0600, 0, e);
}

static int fill(struct ctx *c, struct state *st, struct net_switch *s, struct err *e)
{
	_json_ json_t *rules = json_array();
	struct fw_change ch = {.rules = rules};
	struct fw_list *none = calloc(VMS, sizeof *none);
	int r = state_begin(st, e);

	for (unsigned i = 0; r >= 0 && i < VMS; i++)
		r = a_vm(st, i, e);
	r = state_end(st, r, e);
	for (unsigned i = 0; r == 0 && i < VMS; i++)
		r = rules_of(rules, i, e);
	if (r == 0)
		r = fw_change_apply(c, st, &ch, e);
	for (unsigned i = 0; r == 0 && i < VMS; i++) {
		r = runs(c, i, e);
		none[i].zone = i + 1;
	}
	if (r == 0) /* one that has none has its firewall stopped */
		r = net_fw_load(s, none, VMS, e);
	free(none);
	return r;
}

static int measure(struct ctx *c, struct state *st, struct net_switch *s, int n, double *ms, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		struct timespec a, b;

		clock_gettime(CLOCK_MONOTONIC, &a);
		r = fwsync_begin(s, e);
		if (r == 0)
			r = fwsync(c, st, s, e);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ms[i] = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	}
	return r;
}

static int count(const uint8_t rule[16], enum fw_dir dir, enum fw_action action, uint64_t packets, uint64_t bytes, void *arg)
{
	++*(int *)arg;
	return 0;
}

int records_ms(struct net_switch *s, int n, double *ms)
{
	char dir[] = "/tmp/bench-fw.XXXXXX";
	_free_ char *bpf = NULL;
	struct ctx c = {.oplog = -1, .cancel = -1, .bootid = "bench"};
	struct state *st = NULL;
	struct err e = ERR_INIT;
	int r = mkdtemp(dir) ? 0 : -1, rules = 0;

	snprintf(c.node.state, sizeof c.node.state, "%s/db", dir);
	snprintf(c.node.run, sizeof c.node.run, "%s/run", dir);
	strcpy(c.node.name, "bench");
	c.node.id_base = 0x10000000;
	c.node.id_count = 12000;
	s->dir = dir;
	bpf = xprintf("%s/bpf", dir);
	if (r == 0 && (mkdir(bpf, 0700) < 0 || mkdir(c.node.run, 0700) < 0))
		r = -1;
	if (r == 0)
		r = state_open(&c, STATE_WRITE, &st, &e);
	if (r == 0)
		r = fill(&c, st, s, &e);
	if (r == 0)
		r = measure(&c, st, s, n, ms, &e);
	if (r == 0)
		r = net_fw_stats(s, VMS, count, &rules, &e);
	/* of the ten VMs of an owner each may be sent to by the others, itself too; and what no rule decides, in and out */
	if (r == 0 && rules != RULES + 10 + 2)
		r = err_set(&e, EINVAL, "the last zone has %d rules in force", rules - 2);
	if (r < 0)
		fprintf(stderr, "from the records: %s\n", e.msg);
	state_close(&st);
	dir_remove(AT_FDCWD, dir, NULL);
	return r < 0 ? -1 : 0;
}
