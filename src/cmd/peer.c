/* SPDX-License-Identifier: MPL-2.0 */
/* cloister peer: which other nodes this one talks to. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "node/peer.h"

static int show(struct ctx *c, struct err *e)
{
	char print[PEER_PRINT + 1];
	int r = peer_own(c, print, e);

	if (r == 0)
		puts(print);
	return r;
}

static int row(const char *name, const char *print, void *arg)
{
	printf("%-20s %s\n", name, print);
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct err e = ERR_INIT;
	int r;

	if (!strcmp(verb, "show") && argc == 2) {
		r = show(c, &e);
	} else if (!strcmp(verb, "list") && argc == 2) {
		r = peer_each(c, row, NULL, &e);
	} else if (!strcmp(verb, "add") && argc == 4) {
		r = peer_add(c, argv[2], argv[3], &e);
		cmd_audit(c, "peer add", argv[2], NULL, argv[3], r);
	} else if (!strcmp(verb, "remove") && argc == 3) {
		r = peer_remove(c, argv[2], &e);
		cmd_audit(c, "peer remove", argv[2], NULL, NULL, r);
	} else {
		return cmd_usage("cloister", argv[0], NULL);
	}
	return r < 0 ? cmd_fail(c, &e) : 0;
}

CMD(cloister_peer, "cloister", "peer", "show | list | add <name> <fingerprint> | remove <name>", "say which other nodes this one talks to", CMD_NONE, run);
