/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>

#include "cmd/cmd.h"

static int run(struct ctx *c, int argc, char **argv)
{
	printf("cloister %s\n", CLOISTER_VERSION);
	return 0;
}

CMD(cloister_version, "cloister", "version", "", "print the version", CMD_NONE, run);
