/* SPDX-License-Identifier: MPL-2.0 */
/* start, stop, reboot, kill, delete: one shape, so one file. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vmops.h"

struct opts {
	const char *word;
	bool force;
	int timeout, sig;
	char uuid[64];
};

/* 0, or the exit status after the usage was printed. */
static int options(int argc, char **argv, const char *spec, struct opts *o)
{
	uint64_t n;
	int opt;

	*o = (struct opts){.timeout = -1, .sig = SIGTERM};
	while ((opt = getopt_long(argc, argv, spec, (const struct option[]){{NULL, 0, NULL, 0}}, NULL)) != -1) {
		if (opt == 'F') {
			o->force = true;
		} else if (opt == 't') {
			if (str_to_u64(optarg, &n) < 0 || n > 86400)
				return cmd_usage("vmadm", argv[0], "-t: \"%s\" is not a number of seconds", optarg);
			o->timeout = (int)n;
		} else if (opt == 's') {
			if (vmadm_signal(optarg, &o->sig) < 0)
				return cmd_usage("vmadm", argv[0], "-s: \"%s\" is not a signal", optarg);
		} else {
			return cmd_usage("vmadm", argv[0], NULL);
		}
	}
	o->word = vmadm_operand(argc, argv);
	return o->word ? 0 : 2;
}

static int begin(struct ctx *c, int argc, char **argv, const char *spec, struct opts *o)
{
	struct err e = ERR_INIT;
	int r = options(argc, argv, spec, o);

	if (r)
		return r;
	if (node_recover(c, &e) < 0)
		return cmd_fail(c, &e);
	vmadm_uuid(c, o->word, o->uuid);
	return 0;
}

/* What stands behind the VM, cdrom=/iso/x.iso,ide and the like, is taken from the operands. */
static json_t *start_options(int *argc, char **argv)
{
	json_t *opts = json_array();
	int left = 1;

	for (int i = 1; i < *argc; i++) {
		char *eq = strchr(argv[i], '=');

		if (*argv[i] == '-' || !eq)
			argv[left++] = argv[i];
		else
			json_array_append_new(opts, json_pack("{s:s%, s:s}", "key", argv[i], (size_t)(eq - argv[i]), "value", eq + 1));
	}
	argv[left] = NULL;
	*argc = left;
	return opts;
}

static int start(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *opts = start_options(&argc, argv);
	struct err e = ERR_INIT;
	struct opts o;
	int r = begin(c, argc, argv, "", &o);

	if (r)
		return r;
	r = vm_start(c, o.word, opts, &e);
	return vmadm_done(c, "vmadm start", o.uuid, NULL, r, &e, r ? "VM %s is already running" : "Successfully started VM %s");
}

static int suspend(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct opts o;
	int r = begin(c, argc, argv, "", &o);

	if (r)
		return r;
	r = vm_suspend(c, o.word, &e);
	return vmadm_done(c, "vmadm suspend", o.uuid, NULL, r, &e, r ? "VM %s is already suspended" : "Successfully suspended VM %s");
}

static int resume(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct opts o;
	int r = begin(c, argc, argv, "", &o);

	if (r)
		return r;
	r = vm_resume(c, o.word, &e);
	return vmadm_done(c, "vmadm resume", o.uuid, NULL, r, &e, r ? "VM %s is already running" : "Successfully resumed VM %s");
}

static int stop(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct opts o;
	int r = begin(c, argc, argv, "Ft:", &o);

	if (r)
		return r;
	r = vm_stop(c, o.word, o.force, o.timeout, &e);
	return vmadm_done(c, "vmadm stop", o.uuid, NULL, r, &e,
			  r ? "VM %s is already stopped" : "Successfully completed stop for VM %s");
}

static int reboot(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct opts o;
	int r = begin(c, argc, argv, "F", &o);

	if (r)
		return r;
	r = vm_reboot(c, o.word, o.force, &e);
	return vmadm_done(c, "vmadm reboot", o.uuid, NULL, r, &e, "Successfully completed reboot for VM %s");
}

static int kill_init(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct opts o;
	char said[64];
	int r = begin(c, argc, argv, "s:", &o);

	if (r)
		return r;
	r = vm_kill(c, o.word, o.sig, &e);
	snprintf(said, sizeof said, "Successfully sent signal %s to VM %%s", sigabbrev_np(o.sig) ?: "");
	return vmadm_done(c, "vmadm kill", o.uuid, NULL, r, &e, said);
}

static int delete(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *before = NULL;
	struct err e = ERR_INIT;
	struct opts o;
	int r = begin(c, argc, argv, "", &o);

	if (r)
		return r;
	before = vmadm_record(c, o.word);
	r = vm_delete(c, o.word, &e);
	return vmadm_done(c, "vmadm delete", o.uuid, before, r, &e, "Successfully deleted VM %s");
}

CMD(vmadm_start, "vmadm", "start", "<uuid|alias> [order=cdn] [once=d] [cdrom=<path>[,<model>]] [disk=<path>[,<model>]]", "boot a VM and set autoboot", CMD_VM, start);
CMD_ALIAS(vmadm_boot, "vmadm", "boot", "start", start);
CMD(vmadm_suspend, "vmadm", "suspend", "<uuid|alias>", "a machine's memory to disk, and end it: start or resume lets it go on", CMD_VM, suspend);
CMD(vmadm_resume, "vmadm", "resume", "<uuid|alias>", "let a suspended machine go on where it was", CMD_VM, resume);
CMD(vmadm_stop, "vmadm", "stop", "<uuid|alias> [-F] [-t <seconds>]", "shut a VM down (-F: halt it) and clear autoboot", CMD_VM, stop);
CMD_ALIAS(vmadm_halt, "vmadm", "halt", "stop", stop);
CMD(vmadm_reboot, "vmadm", "reboot", "<uuid|alias> [-F]", "shut a VM down and boot it again", CMD_VM, reboot);
CMD(vmadm_kill, "vmadm", "kill", "[-s <signal>] <uuid|alias>", "send a signal to a VM's init (TERM unless told)", CMD_VM, kill_init);
CMD(vmadm_delete, "vmadm", "delete", "<uuid|alias>", "halt a VM and take it away with all its data", CMD_VM, delete);
CMD_ALIAS(vmadm_destroy, "vmadm", "destroy", "delete", delete);
