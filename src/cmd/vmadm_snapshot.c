/* SPDX-License-Identifier: MPL-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vmops.h"

typedef int snap_fn(struct ctx *, const char *, const char *, struct err *);

static int snap(struct ctx *c, int argc, char **argv, snap_fn *fn, const char *said)
{
	struct err e = ERR_INIT;
	char uuid[64], what[64];
	int r;

	if (getopt_long(argc, argv, "", (const struct option[]){{NULL, 0, NULL, 0}}, NULL) != -1)
		return cmd_usage("vmadm", argv[0], NULL);
	if (argc - optind != 2)
		return cmd_usage("vmadm", argv[0], "a VM and a snapshot name, please");
	if (node_recover(c, &e) < 0)
		return cmd_fail(c, &e);
	vmadm_uuid(c, argv[optind], uuid);
	r = fn(c, argv[optind], argv[optind + 1], &e);
	snprintf(what, sizeof what, "%s %s", argv[0], r < 0 ? "" : argv[optind + 1]);
	cmd_audit(c, what, uuid, NULL, NULL, r);
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_say("%s snapshot %s for VM %s", said, argv[optind + 1], uuid);
	if (r == 1)
		cmd_say("It has the machine's memory, too: VM %s is suspended, vmadm start lets it go on from there", uuid);
	return 0;
}

static int create_alone(struct ctx *c, const char *word, const char *name, struct err *e)
{
	return vm_snapshot_create(c, word, name, NULL, e);
}

static int create_memory(struct ctx *c, const char *word, const char *name, struct err *e)
{
	unsigned ms = 0;
	int r = vm_snapshot_create(c, word, name, &ms, e);

	if (r == 0)
		cmd_say("The machine stood for %u ms", ms);
	return r;
}

/* Where the option stands does not matter. */
static bool memory_option(int *argc, char **argv)
{
	bool found = false;
	int left = 1;

	for (int i = 1; i < *argc; i++)
		if (!strcmp(argv[i], "-m"))
			found = true;
		else
			argv[left++] = argv[i];
	argv[left] = NULL;
	*argc = left;
	return found;
}

static int create(struct ctx *c, int argc, char **argv)
{
	return snap(c, argc, argv, memory_option(&argc, argv) ? create_memory : create_alone, "Created");
}

static int rollback(struct ctx *c, int argc, char **argv)
{
	return snap(c, argc, argv, vm_snapshot_rollback, "Rolled back");
}

static int delete(struct ctx *c, int argc, char **argv)
{
	return snap(c, argc, argv, vm_snapshot_delete, "Deleted");
}

static int reprovision(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *payload = NULL, *before = NULL;
	const char *file = NULL, *word;
	struct err e = ERR_INIT;
	char uuid[64];
	int r = vmadm_options(argc, argv, &file, NULL);

	if (r)
		return r;
	word = vmadm_operand(argc, argv);
	if (!word)
		return 2;
	if (vmadm_payload(file, &payload, &e) < 0 || node_recover(c, &e) < 0)
		return cmd_fail(c, &e);
	vmadm_uuid(c, word, uuid);
	before = vmadm_record(c, word);
	r = vm_reprovision(c, word, payload, &e);
	return vmadm_done(c, "vmadm reprovision", uuid, before, r, &e, "Successfully reprovisioned VM %s");
}

CMD(vmadm_create_snapshot, "vmadm", "create-snapshot", "<uuid|alias> <name> [-m]", "keep a VM's root as it is now (-m: and a machine's memory)", CMD_VM, create);
CMD(vmadm_rollback_snapshot, "vmadm", "rollback-snapshot", "<uuid|alias> <name>",
    "put a snapshot in the root's place; a running VM is halted and started again", CMD_VM, rollback);
CMD(vmadm_delete_snapshot, "vmadm", "delete-snapshot", "<uuid|alias> <name>", "take a snapshot away", CMD_VM, delete);
CMD(vmadm_reprovision, "vmadm", "reprovision", "<uuid|alias> [-f <file>]",
    "a new root from {\"image_uuid\": ...}; record and quota stay, snapshots go", CMD_VM, reprovision);
