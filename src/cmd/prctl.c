/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Resource controls of a running zone by their illumos names. What is printed is what the kernel holds, never the
 * record. Setting one changes the record and, through it, the running zone.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/vmadm.h"
#include "cmd/zone_arg.h"
#include "model/vm.h"
#include "node/vmops.h"
#include "zone/limits.h"
#include "zone/zone.h"

#define MIB (1ULL << 20)

enum unit { COUNT, BYTES };

static const struct control {
	const char *name, *prop;
	enum unit unit;
	uint64_t system;      /* the most there can be */
	const char *flag, *action;
	size_t value, usage;  /* offsets in struct limits; usage 0 = not shown */
} controls[] = {
#define AT(f) offsetof(struct limits, f)
	{"zone.cpu-shares", "cpu_shares", COUNT, 65535, "-", "none", AT(cpu_shares), AT(cpu_shares)},
	{"zone.cpu-cap", "cpu_cap", COUNT, UINT32_MAX, "inf", "deny", AT(cpu_cap)},
	{"zone.cpu-baseline", "cpu_baseline", COUNT, UINT32_MAX, "inf", "none", AT(cpu_baseline)},
	{"zone.cpu-burst-time", "cpu_burst_time", COUNT, UINT32_MAX, "inf", "none", AT(cpu_burst_time), AT(bursting)},
	{"zone.max-lwps", "max_lwps", COUNT, INT32_MAX, "max", "deny", AT(lwps), AT(usage.pids)},
	{"zone.max-physical-memory", "max_physical_memory", BYTES, UINT64_MAX, "max", "deny", AT(memory), AT(usage.mem_bytes)},
	{"zone.max-swap", "max_swap", BYTES, UINT64_MAX, "max", "deny", AT(memory_and_swap), AT(usage.mem_swap_bytes)},
	{"zone.max-locked-memory", "max_locked_memory", BYTES, UINT64_MAX, "max", "deny", AT(locked)},
};

static const struct control *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(controls); i++)
		if (!strcmp(controls[i].name, name))
			return &controls[i];
	return NULL;
}

/* Three digits and a letter, as prctl(1) has them: 100, 65.5K, 2.15G; bytes by 1024: 256MB, 1.50GB, 16.0EB. */
static void scaled(uint64_t v, enum unit u, char number[8], char unit[4])
{
	double d = (double)v, step = u == BYTES ? 1024 : 1000;
	const char *letter = " KMGTPE";

	while (d >= step && letter[1]) {
		d /= step;
		letter++;
	}
	snprintf(number, 8, *letter == ' ' || d >= 100 ? "%.0f" : d >= 10 ? "%.1f" : "%.2f", d);
	if (u == BYTES)
		snprintf(unit, 4, "%.1s%s", *letter == ' ' ? "" : letter, "B");
	else
		snprintf(unit, 4, "%.1s", *letter == ' ' ? "" : letter);
}

static void row(const struct control *k, bool parseable, const char *priv, uint64_t v, const char *flag, const char *action)
{
	char n[8], u[4], text[16];

	if (parseable) {
		printf("%s %s %" PRIu64 " %s %s -\n", k->name, priv, v, flag, action);
		return;
	}
	scaled(v, k->unit, n, u);
	snprintf(text, sizeof text, "%s%s", n, k->unit == COUNT ? u : "");
	printf("        %-16s%5s%-3s%5s   %-33s%7s\n", priv, text, k->unit == BYTES ? u : "", flag, action, "-");
}

static void print(const struct control *k, const struct limits *l, const char *type, bool parseable)
{
	uint64_t v = *(const uint64_t *)((const char *)l + k->value);

	if (!parseable)
		printf("%s\n", k->name);
	if (k->usage && !type)
		row(k, parseable, "usage", *(const uint64_t *)((const char *)l + k->usage), parseable ? "-" : "", parseable ? "-" : "");
	if (v != UINT64_MAX && (!type || !strcmp(type, "privileged")))
		row(k, parseable, "privileged", v, "-", k->action);
	if (!type || !strcmp(type, "system"))
		row(k, parseable, "system", k->system, k->flag, k->action);
}

static int show(struct ctx *c, const char *word, const struct control *k, const char *type, bool parseable, struct err *e)
{
	struct zone_run run;
	struct cg_host h;
	struct limits l;
	char uuid[37];
	int r = zone_arg(c, word, uuid, e);

	if (r == 0)
		r = zone_status(c, uuid, &run, e);
	if (r == 0 && !run.running)
		r = err_set(e, ESRCH, "%s: No controllable process found in task, project, or zone", word);
	if (r == 0)
		r = cg_host_find(c, &h, e);
	if (r == 0)
		r = limits_get(&h, uuid, run.init_pid, &l, e);
	if (r < 0)
		return r;
	limits_burst(c->node.run, uuid, &l);
	printf("zone: %" PRIu64 ": %s\n", run.zoneid, word);
	if (!parseable)
		printf("NAME    PRIVILEGE       VALUE    FLAG   ACTION                       RECIPIENT\n");
	for (size_t i = 0; i < ARRAY_LEN(controls); i++)
		if (!k || k == &controls[i])
			print(&controls[i], &l, type, parseable);
	return 0;
}

static int set(struct ctx *c, const char *word, const struct control *k, const char *text, struct err *e)
{
	_json_ json_t *payload = NULL, *before = NULL, *later = NULL, *report = NULL;
	struct zone_run run;
	char uuid[37];
	uint64_t v;
	int r = k->unit == BYTES ? str_to_bytes(text, &v) : str_to_u64(text, &v);

	if (r < 0 || v > INT64_MAX)
		return err_set(e, EINVAL, "%s: \"%s\" is not a number", k->name, text);
	if (k->unit == BYTES && v % MIB)
		return err_set(e, EINVAL, "%s: %s is not a whole number of MiB", k->name, text);
	r = zone_arg(c, word, uuid, e);
	if (r == 0)
		r = zone_status(c, uuid, &run, e);
	if (r == 0 && !run.running)
		r = err_set(e, ESRCH, "%s: No controllable process found in task, project, or zone", word);
	if (r == 0)
		r = node_recover(c, e);
	if (r < 0)
		return r;
	payload = json_pack("{s:I}", k->prop, (json_int_t)(k->unit == BYTES ? v / MIB : v));
	before = vmadm_record(c, uuid);
	r = vm_update(c, uuid, payload, &later, &report, e);
	vmadm_audit(c, "prctl", uuid, before, r);
	if (r == 0 && json_array_size(later))
		cmd_say("%s: %s: at the next boot of the zone", word, k->name);
	return r;
}

static int run_prctl(struct ctx *c, int argc, char **argv)
{
	const char *name = NULL, *kind = NULL, *value = NULL, *type = NULL;
	const struct control *k = NULL;
	bool replace = false, parseable = false;
	struct err e = ERR_INIT;
	int o, status = 0;

	optind = 1;
	while ((o = getopt(argc, argv, "+n:i:v:t:rsP")) != -1) {
		switch (o) {
		case 'n':
			name = optarg;
			break;
		case 'i':
			kind = optarg;
			break;
		case 'v':
			value = optarg;
			break;
		case 't':
			type = optarg;
			break;
		case 'r':
		case 's':
			replace = true;
			break;
		case 'P':
			parseable = true;
			break;
		default:
			return cmd_usage("prctl", "", NULL);
		}
	}
	if (!kind || strcmp(kind, "zone"))
		return cmd_usage("prctl", "", "only zones have resource controls here: -i zone");
	if (optind == argc)
		return cmd_usage("prctl", "", "which zone?");
	if (type && strcmp(type, "privileged") && strcmp(type, "system"))
		return cmd_usage("prctl", "", "-t %s: a zone's controls are \"privileged\" or \"system\"", type);
	if (name && !(k = find(name)))
		return cmd_usage("prctl", "", "%s: no such resource control", name);
	if (replace != !!value || (replace && !k))
		return cmd_usage("prctl", "", "a control is set by -n CONTROL -r -v VALUE");
	if (replace && type && strcmp(type, "privileged"))
		return cmd_usage("prctl", "", "only the privileged value can be set");
	for (int i = optind; i < argc; i++) {
		int r = replace ? set(c, argv[i], k, value, &e) : show(c, argv[i], k, type, parseable, &e);

		if (r < 0)
			status = cmd_fail(c, &e);
	}
	return status;
}

CMD(prctl, "prctl", "", "[-P] [-t privileged|system] [-n control [-r -v value]] -i zone zone...",
    "read and set the resource controls of a running zone", CMD_VM, run_prctl);
