/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usage: bench_fwload OBJECT     (switch.bpf.o; as root)
 *
 * Loading the firewall of a node into maps of its own: 1,000 zones with 10 rules each, fresh and in place of others; one zone's rules, and
 * those of one that boots; one address into a set of 10,000 and out again; and all of it from the record store (fwrecords.c). No interface is
 * made. Prints medians.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf/switch.h"
#include "fwrecords.h"
#include "kern/bpf.h"
#include "net/fw.h"
#include "net/fw_lists.h"

#define ZONES 1000
#define RULES 10
#define RUNS  9
#define ADDRS 10000

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_size);
	return v[n / 2];
}

static int open_maps(const char *object, struct net_switch *s)
{
	static const struct {
		enum sw_map i;
		const char *name;
	} maps[] = {{SWM_PORTS, "ports"}, {SWM_FDB, "fdb"}, {SWM_COUNTERS, "counters"}, {SWM_FW_LISTS, "fw_lists"}, {SWM_FW_ZONES, "fw_zones"}, {SWM_FW_SPARE, "fw_spare"}, {SWM_FW_SETS, "fw_sets"}, {SWM_ADDRS, "addrs"},
		    {SWM_FLOWS, "flows"}, {SWM_FLOW_USE, "flow_use"}, {SWM_FLOW_SLOTS, "flow_slots"}, {SWM_FLOW_SHARED, "flow_shared"},
		    {SWM_LOG_RINGS, "log_rings"}, {SWM_LOG_USE, "log_use"}};
	struct bpf_object *o = bpf_object__open_file(object, NULL);

	if (!o || bpf_object__load(o) < 0)
		return -1;
	*s = NET_SWITCH_INIT;
	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
		s->map[maps[i].i] = bpf_object__find_map_fd_by_name(o, maps[i].name);
	return 0;
}

/* Five that let in, by address, set and port, and five that keep in. */
static void fill(struct fw_entry *e, unsigned zone)
{
	for (unsigned i = 0; i < RULES; i++) {
		memset(&e[i], 0, sizeof e[i]);
		memcpy(e[i].rule, &zone, sizeof zone);
		e[i].rule[8] = (uint8_t)i;
		e[i].dir = i < 5 ? FW_IN : FW_OUT;
		e[i].action = i < 5 ? FW_ALLOW : FW_BLOCK;
		e[i].proto = 6;
		e[i].npeers = 1;
		e[i].peer[0] = (struct fw_peer){.kind = i % 2 ? FW_PEER_SET : FW_PEER_NET, .set = zone % 7, .prefix = 24, .a = {.family = 4, .ip = {10, (uint8_t)i}}};
		e[i].nports = 2;
		e[i].port[0] = (struct fw_range){80, 80};
		e[i].port[1] = (struct fw_range){8000, 8100};
	}
}

/* As net_fw_warm() does it, of one. */
static int ready(struct net_switch *s, struct err *e)
{
	uint32_t number;
	int r = fw_list_numbers(s, &number, 1, e), fd = r < 0 ? r : bpf_array(sizeof(struct sw_rule), SW_LIST_ROOM, e);

	if (fd < 0)
		return fd;
	r = bpf_put(s->map[SWM_FW_LISTS], &number, &fd, e);
	close(fd);
	return r < 0 ? r : fw_spare_set(s, SW_SPARE_LIST, number, e);
}

static int fail(const struct err *e)
{
	fprintf(stderr, "%s\n", e->msg);
	return 1;
}

int main(int argc, char **argv)
{
	struct fw_entry *e = calloc(ZONES * RULES, sizeof *e);
	struct fw_list *l = calloc(ZONES, sizeof *l);
	double fresh[RUNS], again[RUNS], stored[RUNS], one[RUNS], boots[RUNS], *set = calloc(2 * ADDRS, sizeof *set);
	struct err err = ERR_INIT;
	struct net_switch s;

	if (argc != 2 || open_maps(argv[1], &s) < 0) {
		fprintf(stderr, "usage: bench_fwload OBJECT\n");
		return 2;
	}
	for (unsigned z = 0; z < ZONES; z++) {
		fill(e + z * RULES, z + 1);
		l[z] = (struct fw_list){.zone = z + 1, .entry = e + z * RULES, .n = RULES};
	}
	for (int run = 0; run < RUNS; run++) {
		double t = now_ms();

		if (net_fw_load(&s, l, ZONES, &err) < 0)
			return fail(&err);
		fresh[run] = now_ms() - t;
		t = now_ms();
		if (net_fw_load(&s, l, ZONES, &err) < 0)
			return fail(&err);
		again[run] = now_ms() - t;
		t = now_ms();
		if (net_fw_load(&s, l, 1, &err) < 0)
			return fail(&err);
		one[run] = now_ms() - t;
		if (ready(&s, &err) < 0)
			return fail(&err);
		t = now_ms();
		if (net_fw_first(&s, l, &err) < 0)
			return fail(&err);
		boots[run] = now_ms() - t;
		for (unsigned z = 0; z < ZONES; z++) /* others the next time */
			l[z].zone += ZONES;
	}
	for (unsigned i = 0; i < ADDRS; i++) {
		struct fw_addr a = {.family = 4, .ip = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
		double t = now_ms();

		if (net_fw_set_add(&s, 5, &a, &err) < 0)
			return fail(&err);
		set[i] = now_ms() - t;
		t = now_ms();
		if (net_fw_set_remove(&s, 5, &a, &err) < 0 || net_fw_set_add(&s, 5, &a, &err) < 0)
			return fail(&err);
		set[ADDRS + i] = (now_ms() - t) / 2;
	}
	if (records_ms(&s, RUNS, stored) < 0)
		return 1;
	{
		double all = median(fresh, RUNS), whole = median(stored, RUNS), swap = median(again, RUNS), single = median(one, RUNS), boot = median(boots, RUNS), us = median(set, 2 * ADDRS) * 1e3;

		printf("%d zones x %d rules: %.1f ms, in place of others %.1f ms; one zone: %.1f ms, one that boots %.2f; one element of a set: %.2f us; from the records: %.1f ms\n", ZONES, RULES,
		       all, swap, single, boot, us, whole);
		printf("{\"benchmark\": \"fwload\", \"figures\": {\"bars\": [{\"what\": \"firewall: %d zones x %d rules, ms\", \"value\": %.3f, "
		       "\"bar\": 50, \"met\": %s}, {\"what\": \"firewall: the same from the records, ms\", \"value\": %.3f, \"bar\": 50, \"met\": %s}, {\"what\": \"firewall: an element of a set, us\", \"value\": %.3f, \"bar\": 50, \"met\": %s}]}}\n",
		       ZONES, RULES, all, all <= 50 ? "true" : "false", whole, whole <= 50 ? "true" : "false", us, us <= 50 ? "true" : "false");
	}
	free(set);
	free(l);
	free(e);
	return 0;
}
