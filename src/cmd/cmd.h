/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A command is one file with one table entry; the entry is its usage, help, completion and man synopsis.
 * Entries register themselves in the "cmds" section, so adding a command touches one file (and meson.build).
 *
 *	static int run(struct ctx *c, int argc, char **argv) …        argv[0] is "vmadm start": getopt's messages begin with it
 *	CMD(vmadm_start, "vmadm", "start", "<uuid|alias>", "boot a VM", CMD_VM, run);
 *
 * run returns the exit status: 0, 1 failed (after cmd_fail()), 2 usage (cmd_usage()).
 */
#ifndef CLOISTER_CMD_CMD_H
#define CLOISTER_CMD_CMD_H

#include "base/ctx.h"

enum cmd_arg { CMD_NONE, CMD_VM, CMD_IMAGE, CMD_FILE }; /* what completion offers for the first operand */

struct cmd {
	const char *prog;     /* "vmadm" */
	const char *verb;     /* "start"; "" for a program without verbs */
	const char *synopsis; /* what follows the verb */
	const char *help;     /* one line */
	enum cmd_arg arg;
	int (*run)(struct ctx *c, int argc, char **argv);
	const char *alias_of; /* verb this one is another name of, or NULL */
	bool internal;        /* run by our own programs: not in the usage, not completed */
};

#define CMD(id, prog_, verb_, synopsis_, help_, arg_, run_)                                                       \
	static const struct cmd cmd_##id = {prog_, verb_, synopsis_, help_, arg_, run_, NULL, false};                     \
	static const struct cmd *const cmdp_##id __attribute__((used, section("cmds"))) = &cmd_##id
#define CMD_INTERNAL(id, prog_, verb_, synopsis_, help_, arg_, run_)                                              \
	static const struct cmd cmd_##id = {prog_, verb_, synopsis_, help_, arg_, run_, NULL, true};               \
	static const struct cmd *const cmdp_##id __attribute__((used, section("cmds"))) = &cmd_##id
#define CMD_ALIAS(id, prog_, verb_, of_, run_)                                                                    \
	static const struct cmd cmd_##id = {prog_, verb_, "", "", CMD_VM, run_, of_, false};                               \
	static const struct cmd *const cmdp_##id __attribute__((used, section("cmds"))) = &cmd_##id

/* Prints "prog verb: message" (and the hint) on standard error; returns 1. */
int cmd_fail(const struct ctx *c, const struct err *e);
/* Prints why (may be NULL) and the usage of this command; returns 2. */
int cmd_usage(const char *prog, const char *verb, const char *why, ...) __attribute__((format(printf, 3, 4)));
/* A line on standard error for people: "Successfully started VM …". */
void cmd_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const struct cmd *cmd_find(const char *prog, const char *verb);
/* The verb of argv[0], which cmd_usage() takes as it is. */
const char *cmd_verb(const char *called);
/* Walks all entries. */
void cmd_each(void (*each)(const struct cmd *, void *), void *arg);
/* Progress bar on standard error, only on a terminal and only after a second. */
void cmd_progress(const struct ctx *c, const char *what, uint64_t done, uint64_t total);
/* The audit record of the command that runs: before and after may be NULL (JSON text, secrets already taken out). */
void cmd_audit(const struct ctx *c, const char *what, const char *object, const char *before, const char *after, int result);

#endif
