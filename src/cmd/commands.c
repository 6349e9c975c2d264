/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of commands as text, for bash completion and for the test that every command stands in its manual page.
 * One line each: prog, verb, synopsis, help, what its first operand is, the verb it is another name of; tabs between.
 */
#include <stdio.h>

#include "cmd/cmd.h"

static const char *const args[] = {[CMD_NONE] = "none", [CMD_VM] = "vm", [CMD_IMAGE] = "image", [CMD_FILE] = "file"};

static void line(const struct cmd *m, void *arg)
{
	printf("%s\t%s\t%s\t%s\t%s\t%s\n", m->prog, m->verb, m->synopsis, m->help, args[m->arg],
	       m->alias_of ? m->alias_of : "");
}

static int run(struct ctx *c, int argc, char **argv)
{
	if (argc != 1)
		return cmd_usage("cloister", "commands", NULL);
	cmd_each(line, NULL);
	return 0;
}

CMD(cloister_commands, "cloister", "commands", "", "print the table of commands, for completion", CMD_NONE, run);
