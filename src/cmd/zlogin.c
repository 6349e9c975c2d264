/* SPDX-License-Identifier: MPL-2.0 */
/* zlogin: a shell or a command in a running zone, or its console. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/zone_arg.h"
#include "zone/enter.h"

#define SPEC_MAX (1u << 20)

struct options {
	const char *user, *zone;
	bool console, interactive, no_stdin, safe, quiet;
	char escape;
};

/* 0, or the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int k;

	*o = (struct options){.escape = '~'};
	optind = 1;
	while ((k = getopt(argc, argv, "+:CEINQSde:il:nq")) != -1) {
		switch (k) {
		case 'C':
			o->console = true;
			break;
		case 'E':
			o->escape = 0;
			break;
		case 'Q':
		case 'q':
			o->quiet = true;
			break;
		case 'S':
			o->safe = true;
			break;
		case 'd':
			break; /* leave the console when the zone halts: it always does */
		case 'e':
			if (strlen(optarg) != 1)
				return cmd_usage("zlogin", "", "-e takes one character, not \"%s\"", optarg);
			o->escape = *optarg;
			break;
		case 'i':
			o->interactive = true;
			break;
		case 'l':
			o->user = optarg;
			break;
		case 'n':
			o->no_stdin = true;
			break;
		case 'I':
		case 'N':
			return cmd_usage("zlogin", "", "-%c: a docker zone's standard streams go to its console here: use -C", k);
		case ':':
			return cmd_usage("zlogin", "", "-%c wants a value", optopt);
		default:
			return cmd_usage("zlogin", "", "unknown option -%c", optopt);
		}
	}
	if (optind >= argc)
		return cmd_usage("zlogin", "", "which zone?");
	o->zone = argv[optind];
	if (o->console && (o->safe || o->user || o->interactive || o->no_stdin || optind + 1 < argc))
		return cmd_usage("zlogin", "", "-C takes no user, no command, and none of -S, -i, -n");
	return 0;
}

static int not_running(const struct ctx *c, const struct options *o, const char *uuid)
{
	_free_ char *state = zone_arg_state(c, uuid);

	if (!state)
		fprintf(stderr, "zlogin: zone '%s' unknown\n", o->zone);
	else
		fprintf(stderr, "zlogin: login allowed only to running zones (%s is '%s').\n", o->zone, state);
	return 1;
}

static int login(struct ctx *c, const struct options *o, const char *uuid, const char *const *command)
{
	_free_ char *path = xprintf("%s/%s/spec", c->node.run, uuid), *term = NULL;
	const char *env[] = {NULL, NULL}, *t = getenv("TERM");
	_buf_ struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	struct zspec z = {.uuid = NULL};
	struct zone_run r = {.running = false};
	struct cg_host h;
	struct enter en = {.user = o->user, .argv = command, .safe = o->safe, .in = 0, .out = 1, .err = 2};
	int n = zone_status(c, uuid, &r, &e);

	if (n == 0 && !r.running)
		return not_running(c, o, uuid);
	if (n == 0)
		n = file_read(AT_FDCWD, path, SPEC_MAX, &text, &e);
	if (n == 0)
		n = zspec_parse(buf_str(&text), text.len, &z, &e);
	if (n == 0 && z.root_empty) {
		n = err_set(&e, ENOTSUP, "%s is a machine: nobody but its guest can log you in", o->zone);
		err_hint(&e, "Its console: zlogin -C %s", o->zone);
	}
	if (n < 0) {
		zspec_done(&z);
		return cmd_fail(c, &e);
	}
	en.pty = o->interactive || (!command && !o->no_stdin && isatty(0) && isatty(1));
	en.escape = isatty(0) ? o->escape : 0;
	en.announce = o->quiet ? NULL : o->zone;
	if (o->no_stdin)
		en.in = -1;
	if (en.pty && t && strlen(t) < 64)
		env[0] = term = xprintf("TERM=%s", t);
	en.env = env;
	n = cg_host_known(c, &h, &e);
	if (n == 0)
		n = zone_enter(c, &h, &r, &z, &en, &e);
	zspec_done(&z);
	/* Sessions of people. Commands are not recorded: a script's thousands would push everything else out of the log. */
	if (en.pty)
		cmd_audit(c, "zlogin", uuid, NULL, o->user ?: "root", n);
	if (n == -ESRCH)
		return not_running(c, o, uuid);
	return n < 0 ? cmd_fail(c, &e) : n;
}

static int console(struct ctx *c, const struct options *o, const char *uuid)
{
	struct zone_run run = {.running = false};
	struct err e = ERR_INIT;
	int r = zone_status(c, uuid, &run, &e);

	if (r == 0 && !run.running)
		return not_running(c, o, uuid);
	if (r < 0)
		return cmd_fail(c, &e);
	if (!o->quiet)
		cmd_say("[Connected to zone '%s' console]", o->zone);
	r = zone_console(c, uuid, 0, 1, o->escape, &e);
	cmd_audit(c, "zlogin -C", uuid, NULL, NULL, r);
	if (r == -ESRCH)
		return not_running(c, o, uuid);
	if (r < 0)
		return cmd_fail(c, &e);
	if (!o->quiet)
		cmd_say("\n[%sonnection to zone '%s' console closed]", r == 1 ? "NOTICE: Zone halted; c" : "C", o->zone);
	return r > 1 ? r : 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct options o;
	char uuid[UUID_LEN + 1];
	int r = parse(argc, argv, &o);

	if (r)
		return r;
	if (geteuid() != 0) {
		err_set(&e, EPERM, "You lack sufficient privilege to run this command (all privs required)");
		return cmd_fail(c, &e);
	}
	if (!strcmp(o.zone, "global")) {
		err_set(&e, EINVAL, "'global' is where you are");
		return cmd_fail(c, &e);
	}
	if (zone_arg(c, o.zone, uuid, &e) < 0)
		return cmd_fail(c, &e);
	if (o.console)
		return console(c, &o, uuid);
	return login(c, &o, uuid, optind + 1 < argc ? (const char *const *)argv + optind + 1 : NULL);
}

CMD(zlogin, "zlogin", "", "[-CEQSinq] [-e char] [-l user] <uuid|alias> [command...]",
    "log in to a zone, run a command in it, or (-C) use its console", CMD_VM, run);
