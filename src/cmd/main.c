/* SPDX-License-Identifier: MPL-2.0 */
/* The multi-call program: finds its command by the name it was called by, or by its first word. */
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

extern const struct cmd *const __start_cmds[];
extern const struct cmd *const __stop_cmds[];

static const struct cmd *running; /* of this program, for messages; the library does not see it */

const struct cmd *cmd_find(const char *prog, const char *verb)
{
	for (const struct cmd *const *p = __start_cmds; p < __stop_cmds; p++)
		if (!strcmp((*p)->prog, prog) && !strcmp((*p)->verb, verb))
			return *p;
	return NULL;
}

const char *cmd_verb(const char *called)
{
	const char *space = strrchr(called, ' ');

	return space ? space + 1 : called;
}

void cmd_each(void (*each)(const struct cmd *, void *), void *arg)
{
	for (const struct cmd *const *p = __start_cmds; p < __stop_cmds; p++)
		each(*p, arg);
}

void cmd_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cmd_fail(const struct ctx *c, const struct err *e)
{
	const char *sep = running && *running->verb ? " " : "";

	fprintf(stderr, "%s%s%s: %s\n", running ? running->prog : "cloister", sep, running ? running->verb : "",
		e->code ? e->msg : "failed, and the reason was not recorded");
	if (e->hint[0])
		fprintf(stderr, "  %s\n", e->hint);
	return 1;
}

static void usage_line(const struct cmd *m, FILE *f)
{
	fprintf(f, "  %s%s%s%s%s\n", m->prog, *m->verb ? " " : "", m->verb, *m->synopsis ? " " : "", m->synopsis);
}

struct usage {
	const char *prog;
	FILE *f;
};

static void usage_each(const struct cmd *m, void *arg)
{
	struct usage *u = arg;

	if (!strcmp(m->prog, u->prog) && !m->alias_of && !m->internal) {
		usage_line(m, u->f);
		if (*m->help)
			fprintf(u->f, "        %s\n", m->help);
	}
}

static int usage_prog(const char *prog, FILE *f, int status)
{
	struct usage u = {prog, f};

	fprintf(f, "usage:\n");
	cmd_each(usage_each, &u);
	return status;
}

int cmd_usage(const char *prog, const char *verb, const char *why, ...)
{
	const struct cmd *m;

	verb = cmd_verb(verb);
	m = cmd_find(prog, verb);
	if (m && m->alias_of)
		m = cmd_find(prog, m->alias_of);
	if (why) {
		va_list ap;

		fprintf(stderr, "%s%s%s: ", prog, *verb ? " " : "", verb);
		va_start(ap, why);
		vfprintf(stderr, why, ap);
		va_end(ap);
		fputc('\n', stderr);
	}
	if (!m)
		return usage_prog(prog, stderr, 2);
	fprintf(stderr, "usage:\n");
	usage_line(m, stderr);
	return 2;
}

struct near {
	const char *prog, *word, *verb;
	unsigned d;
};

/* A word that is a part of the verb is near as well: snapshot, create-snapshot. */
static void near_each(const struct cmd *m, void *arg)
{
	struct near *n = arg;
	unsigned d;

	if (strcmp(m->prog, n->prog) || m->internal)
		return;
	d = strlen(n->word) > 3 && strstr(m->verb, n->word) ? 1 : str_distance(m->verb, n->word);
	if (d < n->d || (d == n->d && n->verb && strcmp(m->verb, n->verb) < 0)) {
		n->d = d;
		n->verb = m->verb;
	}
}

/* Short: the list of all verbs would carry the message off the screen. */
static int unknown(const char *prog, const char *word)
{
	struct near n = {prog, word, NULL, strlen(word) < 4 ? 2 : 3};

	cmd_each(near_each, &n);
	fprintf(stderr, "%s: unknown command \"%s\"", prog, word);
	if (n.verb)
		fprintf(stderr, ": did you mean %s?", n.verb);
	fprintf(stderr, "\n  `%s help` lists them all\n", prog);
	return 2;
}

static bool has_prog(const char *prog)
{
	for (const struct cmd *const *p = __start_cmds; p < __stop_cmds; p++)
		if (!strcmp((*p)->prog, prog))
			return true;
	return false;
}

static int help(const char *prog, const char *verb)
{
	const struct cmd *m = verb ? cmd_find(prog, verb) : NULL;

	if (!verb)
		return usage_prog(prog, stdout, 0);
	if (!m && !strcmp(prog, "cloister") && has_prog(verb))
		return usage_prog(verb, stdout, 0);
	if (m && m->alias_of)
		m = cmd_find(prog, m->alias_of);
	if (!m || m->internal)
		return unknown(prog, verb);
	printf("usage:\n");
	usage_line(m, stdout);
	printf("        %s\n", m->help);
	return 0;
}

static void log_stderr(const struct ctx *c, enum log_level l, const char *text)
{
	if (l == LOG_WARN || (c->verbose && l != LOG_ERROR))
		fprintf(stderr, "%s%s\n", l == LOG_WARN ? "warning: " : "", text);
}

#define OPLOG_MAX (8 << 20)

static void open_oplog(struct ctx *c)
{
	_free_ char *path = xprintf("%s/operation.log", c->node.log);
	_free_ char *old = xprintf("%s.1", path);
	struct stat st;

	if (geteuid() != 0)
		return;
	if (stat(path, &st) == 0 && st.st_size > OPLOG_MAX)
		rename(path, old);
	c->oplog = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->oplog < 0 && errno == ENOENT && dir_make(c->node.log, 0700, NULL) == 0)
		c->oplog = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int main(int argc, char **argv)
{
	const char *prog = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], *node = NULL;
	struct ctx c;
	struct err e = ERR_INIT;
	bool verbose = false;
	char called[64];
	int r;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored by the caller, it would take our children's statuses away */
	argc--, argv++;
	if (!has_prog(prog))
		prog = "cloister";
	for (; argc > 0; argc--, argv++) {
		if (!strcmp(argv[0], "-v") || !strcmp(argv[0], "--verbose")) {
			verbose = true;
		} else if (!strcmp(argv[0], "--node") && argc > 1) {
			node = argv[1];
			argc--, argv++;
		} else if (!strcmp(prog, "cloister") && has_prog(argv[0]) && strcmp(argv[0], "cloister")) {
			prog = argv[0];
		} else {
			break;
		}
	}
	running = cmd_find(prog, "");
	if (!running) {
		if (argc == 0)
			return usage_prog(prog, stderr, 2);
		if (!strcmp(argv[0], "help") || !strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
			return help(prog, argc > 1 ? argv[1] : NULL);
		running = cmd_find(prog, argv[0]);
		if (!running)
			return unknown(prog, argv[0]);
	} else {
		argc++, argv--;
	}
	/* what getopt says of a wrong option begins with it */
	snprintf(called, sizeof called, "%s%s%s", prog, *running->verb ? " " : "", running->verb);
	argv[0] = called;
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?")))
		return help(prog, running->verb);
	r = ctx_init(&c, node, &e);
	if (r < 0)
		return cmd_fail(&c, &e);
	c.verbose = verbose;
	c.log = log_stderr;
	c.progress = cmd_progress;
	open_oplog(&c);
	r = running->run(&c, argc, argv);
	if (fflush(stdout) != 0 && r == 0) {
		err_sys(&e, errno, "standard output");
		r = cmd_fail(&c, &e);
	}
	ctx_done(&c);
	return r;
}
