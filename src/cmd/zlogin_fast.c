/* SPDX-License-Identifier: MPL-2.0 */
/*
 * /usr/local/bin/zlogin: `zlogin UUID command` is what scripts and monitoring run thousands of times, and half of its time
 * went into loading the libraries of the multi-call program, none of which it needs. So this small static program does
 * that one case (a whole uuid, a command, no terminal) and becomes `cloister zlogin`, which has all the rest and says
 * all that there is to say about wrong command lines, whenever it is another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "zone/enter.h"

#define SPEC_MAX (1u << 20)

static void log_stderr(const struct ctx *c, enum log_level l, const char *text)
{
	if (l == LOG_WARN)
		fprintf(stderr, "warning: %s\n", text);
}

static int whole(char **argv)
{
	const char *self = secure_getenv("CLOISTER_SELF") ?: CLOISTER_BINDIR "/cloister";
	int code;

	argv[0] = (char *)"zlogin";
	execv(self, argv);
	code = errno;
	fprintf(stderr, "zlogin: %s: %s\n", self, strerror(code));
	return code == ENOENT ? 127 : 126;
}

/* The command's place in argv if this is the simple case, else 0. */
static int simple(int argc, char **argv, struct enter *en)
{
	int k;

	opterr = 0;
	while ((k = getopt(argc, argv, "+:EQSl:nq")) != -1) {
		if (k == 'S')
			en->safe = true;
		else if (k == 'l')
			en->user = optarg;
		else if (k == 'n')
			en->in = -1;
		else if (k == '?' || k == ':')
			return 0;
	}
	return optind + 1 < argc && uuid_valid(argv[optind]) ? optind + 1 : 0;
}

int main(int argc, char **argv)
{
	static const char *const none[] = {NULL};
	struct enter en = {.in = 0, .out = 1, .err = 2, .env = none};
	_free_ char *path = NULL;
	_buf_ struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	struct zspec z = {.uuid = NULL};
	struct zone_run r = {.running = false};
	struct cg_host h;
	struct ctx c;
	int at = simple(argc, argv, &en), n;

	if (!at || geteuid() != 0 || ctx_init(&c, NULL, &e) < 0)
		return whole(argv);
	c.log = log_stderr;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	path = xprintf("%s/%s/spec", c.node.run, argv[at - 1]);
	if (zone_status(&c, argv[at - 1], &r, &e) < 0 || !r.running || file_read(AT_FDCWD, path, SPEC_MAX, &text, &e) < 0 ||
	    zspec_parse(buf_str(&text), text.len, &z, &e) < 0 || z.root_empty || cg_host_known(&c, &h, &e) < 0)
		return whole(argv);
	en.argv = (const char *const *)argv + at;
	n = zone_enter(&c, &h, &r, &z, &en, &e);
	zspec_done(&z);
	if (n == -ESRCH)
		return whole(argv); /* ended a moment ago: it says in which state it is now */
	if (n < 0)
		fprintf(stderr, "zlogin: %s\n", e.msg);
	return n < 0 ? 1 : n;
}
