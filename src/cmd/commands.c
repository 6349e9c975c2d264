/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The tables of commands and properties as text, for bash completion and for the test that every command stands in its manual page.
 * One line each command: prog, verb, synopsis, help, what its first operand is, the verb it is another name of; tabs between.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "model/prop.h"

static const char *const args[] = {[CMD_NONE] = "none", [CMD_VM] = "vm", [CMD_IMAGE] = "image", [CMD_FILE] = "file"};

static void line(const struct cmd *m, void *arg)
{
	if (!m->internal)
		printf("%s\t%s\t%s\t%s\t%s\t%s\n", m->prog, m->verb, m->synopsis, m->help, args[m->arg],
		       m->alias_of ? m->alias_of : "");
}

static int run(struct ctx *c, int argc, char **argv)
{
	size_t n;
	const struct prop *p = prop_all(&n);

	if (argc == 2 && !strcmp(argv[1], "properties")) {
		for (size_t i = 0; i < n; i++)
			if (!strchr(p[i].name, '*') && p[i].update)
				printf("%s\n", p[i].name);
		return 0;
	}
	if (argc != 1)
		return cmd_usage("cloister", "commands", NULL);
	cmd_each(line, NULL);
	return 0;
}

CMD(cloister_commands, "cloister", "commands", "[properties]", "print the table of commands, or the properties that update takes, for completion", CMD_NONE, run);
