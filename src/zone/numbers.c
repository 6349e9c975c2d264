/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define FIRST "numbers 1\n"

#define Z(value) offsetof(struct zone_numbers, v) + (value) * sizeof(uint64_t)
#define H(field) offsetof(struct zone_numbers, host) + offsetof(struct host_stat, field)
static const struct {
	const char *name;
	size_t at;
	unsigned n;
} lines[] = {
	{"time", offsetof(struct zone_numbers, mono_ns), 1},
	{"cpu", Z(CGV_CPU), 1},
	{"cpu_user", Z(CGV_CPU_USER), 1},
	{"cpu_sys", Z(CGV_CPU_SYS), 1},
	{"cpu_shares", Z(CGV_CPU_SHARES), 1},
	{"cpu_quota", Z(CGV_CPU_QUOTA), 1},
	{"cpu_period", Z(CGV_CPU_PERIOD), 1},
	{"periods", Z(CGV_PERIODS), 1},
	{"throttled", Z(CGV_THROTTLED), 1},
	{"throttled_us", Z(CGV_THROTTLED_US), 1},
	{"memory", Z(CGV_MEM), 1},
	{"memory_cap", Z(CGV_MEM_CAP), 1},
	{"memory_over", Z(CGV_MEM_OVER), 1},
	{"both", Z(CGV_BOTH), 1},
	{"both_cap", Z(CGV_BOTH_CAP), 1},
	{"swap", Z(CGV_SWAP), 1},
	{"oom", Z(CGV_OOM), 1},
	{"anon", Z(CGV_ANON), 1},
	{"file", Z(CGV_FILE), 1},
	{"faults", Z(CGV_FAULTS), 1},
	{"majfaults", Z(CGV_MAJFAULTS), 1},
	{"pagedout", Z(CGV_PAGEDOUT), 1},
	{"refaults", Z(CGV_REFAULTS), 1},
	{"lwps", Z(CGV_LWPS), 1},
	{"lwps_cap", Z(CGV_LWPS_CAP), 1},
	{"lwps_over", Z(CGV_LWPS_OVER), 1},
	{"read", Z(CGV_READ), 1},
	{"written", Z(CGV_WRITTEN), 1},
	{"reads", Z(CGV_READS), 1},
	{"writes", Z(CGV_WRITES), 1},
	{"pressure_cpu", Z(CGV_PSI_CPU), 8},
	{"pressure_memory", Z(CGV_PSI_MEM), 8},
	{"pressure_io", Z(CGV_PSI_IO), 8},
	{"host_cpus", offsetof(struct zone_numbers, cpus), 1},
	{"host_cpu", H(cpu_us), 1},
	{"host_cpu_user", H(user_us), 1},
	{"host_cpu_sys", H(sys_us), 1},
	{"host_cpu_idle", H(idle_us), 1},
	{"host_boot", H(boot_s), 1},
	{"host_memory", H(mem_total), 1},
	{"host_memory_free", H(mem_free), 1},
	{"host_memory_available", H(mem_available), 1},
	{"host_swap", H(swap_total), 1},
	{"host_swap_free", H(swap_free), 1},
	{"host_lwps", H(lwps), 1},
	{"host_running", H(running), 1},
	{"host_load", H(load), 3},
	{"host_pressure", H(pressure), 24},
};

static uint64_t *place(struct zone_numbers *n, size_t line)
{
	return (uint64_t *)(void *)((char *)n + lines[line].at);
}

void numbers_write(const struct zone_numbers *n, struct buf *out)
{
	struct zone_numbers all = *n;

	all.cpus = n->host.cpus;
	buf_puts(out, FIRST);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const uint64_t *v = place(&all, i);

		if (lines[i].n == 1 && *v == CGV_UNKNOWN)
			continue;
		buf_puts(out, lines[i].name);
		for (unsigned k = 0; k < lines[i].n; k++)
			if (v[k] == CGV_UNKNOWN)
				buf_puts(out, " -");
			else if (v[k] == CGV_NONE)
				buf_puts(out, " max");
			else
				buf_printf(out, " %" PRIu64, v[k]);
		buf_puts(out, "\n");
	}
}

static void take_line(const char *l, struct zone_numbers *n)
{
	size_t len = strcspn(l, " ");

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		uint64_t *v = place(n, i);

		if (strlen(lines[i].name) != len || memcmp(l, lines[i].name, len) != 0)
			continue;
		l += len;
		for (unsigned k = 0; k < lines[i].n && *l == ' '; k++) {
			size_t word = strcspn(++l, " ");

			v[k] = *l == '-' ? CGV_UNKNOWN : cg_text_number(l);
			l += word;
		}
		return;
	}
}

int numbers_parse(const char *text, size_t n, struct zone_numbers *out)
{
	_free_ char *copy = xalloc(n + 1);
	struct zone_numbers all;

	memcpy(copy, text, n);
	if (strncmp(copy, FIRST, strlen(FIRST)) != 0)
		return -EINVAL;
	memset(&all, 0, sizeof all);
	for (int i = 0; i < CGV_COUNT; i++)
		all.v[i] = CGV_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LEN(all.host.pressure); i++)
		all.host.pressure[i] = CGV_UNKNOWN;
	for (char *l = copy + strlen(FIRST), *nl; (nl = strchr(l, '\n')); l = nl + 1) {
		*nl = 0;
		take_line(l, &all);
	}
	if (all.mono_ns == 0 || all.mono_ns >= CGV_NONE || all.cpus == 0 || all.cpus > 65536)
		return -EINVAL;
	all.host.cpus = (unsigned)all.cpus;
	*out = all;
	return 0;
}
