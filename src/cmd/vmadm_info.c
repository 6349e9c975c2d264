/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vmops.h"

#define TYPES_MAX 16

/* "block,vnc cpus": as words, in one text that is cut up. NULL-terminated, NULL = none were given. */
static const char *const *types_of(int argc, char **argv, char *text, size_t size, const char **list)
{
	size_t n = 0, k = 0;

	for (int i = optind + 1; i < argc && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s,", argv[i]);
	for (char *save = NULL, *w = strtok_r(text, ",", &save); w && k < TYPES_MAX; w = strtok_r(NULL, ",", &save))
		list[k++] = w;
	list[k] = NULL;
	return k ? list : NULL;
}

static int run(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *o = NULL;
	struct err e = ERR_INIT;
	const char *list[TYPES_MAX + 1];
	char text[256] = "";
	int r;

	if (getopt_long(argc, argv, "", (const struct option[]){{NULL, 0, NULL, 0}}, NULL) != -1 || optind >= argc)
		return cmd_usage("vmadm", argv[0], NULL);
	r = vm_info(c, argv[optind], types_of(argc, argv, text, sizeof text, list), &o, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	if (r == 0)
		return 0;
	err_set(&e, EIO, "what its monitor was to say is missing: %s", json_string_value(json_object_get(o, "monitor")));
	return cmd_fail(c, &e);
}

static int sysrq(struct ctx *c, int argc, char **argv)
{
	_free_ char *said = NULL;
	struct err e = ERR_INIT;

	if (getopt_long(argc, argv, "", (const struct option[]){{NULL, 0, NULL, 0}}, NULL) != -1)
		return cmd_usage("vmadm", argv[0], NULL);
	if (argc - optind != 2)
		return cmd_usage("vmadm", argv[0], "a VM, and nmi or screenshot, please");
	if (strcmp(argv[optind + 1], "nmi") && strcmp(argv[optind + 1], "screenshot"))
		return cmd_usage("vmadm", argv[0], "\"%s\" is neither nmi nor screenshot", argv[optind + 1]);
	if (vm_sysrq(c, argv[optind], argv[optind + 1], &said, &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("%s", said);
	return 0;
}

CMD(vmadm_info, "vmadm", "info", "<uuid|alias> [<type>,…]", "what the kernel holds for a running VM: zone, usage, limits, and what each NIC has carried and dropped; of a machine: accelerator, all, balloon, block, blockstats, chardev, cpus, kvm, memory, pci, status, version, vnc", CMD_VM, run);
CMD(vmadm_sysrq, "vmadm", "sysrq", "<uuid|alias> nmi|screenshot", "interrupt a machine's processors, or keep what its screen shows in root/tmp/vm.ppm below its zonepath", CMD_VM, sysrq);
