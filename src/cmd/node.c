/* SPDX-License-Identifier: MPL-2.0 */
/* cloister boot, shutdown, and what they and the keepers run for one VM each. */
#include <string.h>

#include "base/str.h"
#include "cmd/cmd.h"
#include "model/vm.h"
#include "node/event.h"
#include "node/saved.h"
#include "node/scripts.h"
#include "node/stop.h"
#include "node/vm.h"
#include "node/outside.h"
#include "node/vmops.h"

static int run_boot(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc != 1)
		return cmd_usage("cloister", argv[0], NULL);
	return node_boot(c, &e) < 0 ? cmd_fail(c, &e) : 0;
}

static int run_shutdown(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc != 1)
		return cmd_usage("cloister", argv[0], NULL);
	return node_shutdown(c, &e) < 0 ? cmd_fail(c, &e) : 0;
}

/* What zoneadmd, `cloister boot` and `cloister shutdown` call with a VM's uuid. */
static int on_uuid(struct ctx *c, int argc, char **argv, int (*f)(struct ctx *, const char *uuid, struct err *))
{
	struct err e = ERR_INIT;

	if (argc != 2 || !uuid_valid(argv[1]))
		return cmd_usage("cloister", argv[0], NULL);
	return f(c, argv[1], &e) < 0 ? cmd_fail(c, &e) : 0;
}

static int boot_one(struct ctx *c, const char *uuid, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	json_t *d;
	int r = vm_open(c, uuid, VM_LOCK | VM_WRITE, &v, e);

	if (r < 0 || v.run.running)
		return r;
	r = saved_boot(&v, e);
	d = r < 0 ? json_pack("{s:s, s:s}", "by", "boot", "error", e->msg) : json_pack("{s:s}", "by", "boot");
	state_event(v.st, r < 0 ? "boot-failed" : "start", v.uuid, d, NULL);
	json_decref(d);
	return r < 0 ? r : 0;
}

/* seconds: what a machine's power button has, -1 = as always. */
static int halt_one(struct ctx *c, const char *uuid, int seconds, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	json_t *d;
	int r = vm_open(c, uuid, VM_LOCK | VM_WRITE, &v, e);

	if (r < 0 || !v.run.running)
		return r;
	r = vm_take_down(&v, false, brand_hvm(v.brand) ? seconds : -1, false, e);
	if (r == 0) {
		outside_leave(&v);
		d = json_pack("{s:s}", "by", "shutdown");
		state_event(v.st, "stop", v.uuid, d, NULL);
		json_decref(d);
	}
	return r;
}

static int run_ended(struct ctx *c, int argc, char **argv)
{
	return on_uuid(c, argc, argv, vm_ended);
}

static int run_ready(struct ctx *c, int argc, char **argv)
{
	return on_uuid(c, argc, argv, vm_ready);
}

static int run_scripts(struct ctx *c, int argc, char **argv)
{
	return on_uuid(c, argc, argv, scripts_run);
}

static int run_zone_boot(struct ctx *c, int argc, char **argv)
{
	return on_uuid(c, argc, argv, boot_one);
}

static int run_zone_halt(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	uint64_t seconds = 0;

	if (argc < 2 || argc > 3 || !uuid_valid(argv[1]) || (argc == 3 && (str_to_u64(argv[2], &seconds) < 0 || seconds > 86400)))
		return cmd_usage("cloister", argv[0], NULL);
	return halt_one(c, argv[1], argc == 3 ? (int)seconds : -1, &e) < 0 ? cmd_fail(c, &e) : 0;
}

static int run_event(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	uint64_t count;

	if (argc < 4 || argc > 5 || !uuid_valid(argv[1]) || str_to_u64(argv[3], &count) < 0 || count == 0)
		return cmd_usage("cloister", argv[0], NULL);
	return event_zone(c, argv[1], argv[2], count, argc == 5 ? argv[4] : NULL, &e) < 0 ? cmd_fail(c, &e) : 0;
}

CMD(cloister_boot, "cloister", "boot", "", "attach the pool and start the VMs that have autoboot set", CMD_NONE, run_boot);
CMD(cloister_shutdown, "cloister", "shutdown", "", "stop all VMs in order and detach the pool; autoboot stays as it is",
    CMD_NONE, run_shutdown);
CMD_INTERNAL(cloister_zone_ended, "cloister", "zone-ended", "<uuid>", "for zoneadmd: what follows the end of a zone's init", CMD_VM,
    run_ended);
CMD_INTERNAL(cloister_zone_ready, "cloister", "zone-ready", "<uuid>", "for zoneadmd: a new zone's init is up, or its time is", CMD_VM, run_ready);
CMD_INTERNAL(cloister_zone_scripts, "cloister", "zone-scripts", "<uuid>", "for zoneadmd: runs what a zone's metadata asks for at its boot", CMD_VM,
	     run_scripts);
CMD_INTERNAL(cloister_zone_event, "cloister", "zone-event", "<uuid> <kind> <count> [JSON]", "for zoneadmd: an event of a zone", CMD_VM,
	     run_event);
CMD_INTERNAL(cloister_zone_boot, "cloister", "zone-boot", "<uuid>", "for `cloister boot`: boot one VM", CMD_VM, run_zone_boot);
CMD_INTERNAL(cloister_zone_halt, "cloister", "zone-halt", "<uuid> [<seconds>]", "for `cloister shutdown`: stop one VM; a machine within that time", CMD_VM, run_zone_halt);
