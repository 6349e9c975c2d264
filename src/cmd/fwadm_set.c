/* SPDX-License-Identifier: MPL-2.0 */
/* fwadm delete, delete-rvm, enable, disable. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/fwadm.h"
#include "model/vm.h"

static int options(int argc, char **argv, struct fwadm_do *how)
{
	static const struct option longs[] = {{"dry-run", no_argument, NULL, 'n'}, {"dryrun", no_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	int o;

	while ((o = getopt_long(argc, argv, "nj", longs, NULL)) >= 0) {
		if (o == 'n')
			how->dry = true;
		else if (o == 'j')
			how->json = true;
		else
			return cmd_usage("fwadm", argv[0], NULL);
	}
	return optind == argc ? cmd_usage("fwadm", argv[0], "no uuid") : 0;
}

static int gone(struct ctx *c, int argc, char **argv, const char *kind, const char *audit)
{
	_clean_(state_close) struct state *st = NULL;
	_json_ json_t *list = json_array();
	struct fwadm_do how = {.what = "Deleted", .audit = audit};
	bool rvm = !strcmp(kind, "rvm");
	struct fw_change ch = {.gone_rules = rvm ? NULL : list, .gone_rvms = rvm ? list : NULL};
	struct err e = ERR_INIT;
	int r = options(argc, argv, &how);

	if (r == 0)
		r = fwadm_open(c, STATE_WRITE, &st);
	if (r)
		return r;
	for (; optind < argc; optind++) {
		_json_ json_t *o = NULL;

		int got = fwadm_get(st, kind, argv[optind], &o, &e);

		/* a rule that can't be read goes like any other */
		if (got < 0 && (rvm || got != -EUCLEAN))
			return cmd_fail(c, &e);
		json_array_append_new(list, json_string(argv[optind]));
	}
	return fwadm_apply(c, st, &ch, &how);
}

static int run_delete(struct ctx *c, int argc, char **argv)
{
	return gone(c, argc, argv, "rule", "fwadm delete");
}
CMD(fwadm_delete, "fwadm", "delete", "<rule uuid>… [--dry-run] [-j]", "delete rules", CMD_NONE, run_delete);

static int run_delete_rvm(struct ctx *c, int argc, char **argv)
{
	return gone(c, argc, argv, "rvm", "fwadm delete-rvm");
}
CMD(fwadm_delete_rvm, "fwadm", "delete-rvm", "<remote VM uuid>… [--dry-run] [-j]", "delete remote VMs", CMD_NONE, run_delete_rvm);

static int turn(struct ctx *c, int argc, char **argv, bool on, const char *audit)
{
	_clean_(state_close) struct state *st = NULL;
	_json_ json_t *list = json_array(), *seen = json_object(), *payload = json_pack("{s:b}", "enabled", on);
	struct fwadm_do how = {.what = on ? "Enabled" : "Disabled", .audit = audit};
	struct fw_change ch = {.rules = list, .expect = FW_PRESENT, .seen = seen};
	struct err e = ERR_INIT;
	int r = options(argc, argv, &how);

	if (r == 0)
		r = fwadm_open(c, STATE_WRITE, &st);
	if (r)
		return r;
	do {
		json_array_clear(list);
		for (int i = optind; i < argc; i++) {
			_json_ json_t *old = NULL, *now = NULL;

			if (fwadm_get(st, "rule", argv[i], &old, &e) < 0 || fwobj_rule(payload, old, &now, &e) < 0)
				return cmd_fail(c, &e);
			json_array_append(list, now);
			json_object_set(seen, argv[i], old);
		}
		r = fwadm_apply(c, st, &ch, &how);
	} while (r == FWADM_AGAIN);
	return r;
}

static int run_enable(struct ctx *c, int argc, char **argv)
{
	return turn(c, argc, argv, true, "fwadm enable");
}
CMD(fwadm_enable, "fwadm", "enable", "<rule uuid>… [--dry-run] [-j]", "bring rules into force", CMD_NONE, run_enable);

static int run_disable(struct ctx *c, int argc, char **argv)
{
	return turn(c, argc, argv, false, "fwadm disable");
}
CMD(fwadm_disable, "fwadm", "disable", "<rule uuid>… [--dry-run] [-j]", "take rules out of force, and keep them", CMD_NONE, run_disable);
