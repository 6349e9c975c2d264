/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister pgrep and pkill: processes of zones by what they call themselves, from the global zone. A signal goes to a
 * descriptor of the process, and only if that is in the zone: never to who has got its pid meanwhile.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/safe.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/zone_pick.h"
#include "kern/pidfd.h"
#include "stat/procs.h"

struct options {
	bool kill, every, full, exact, caseless, names, count, newest, oldest, zone_pids;
	int sig;
	struct zone_pick zones;
	regex_t re;
	bool has_re;
};

static const struct {
	const char *name;
	int sig;
} signals[] = {
	{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},   {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},
	{"BUS", SIGBUS},   {"FPE", SIGFPE},   {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
	{"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP},
	{"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU}, {"URG", SIGURG},   {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
	{"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO}, {"PWR", SIGPWR}, {"SYS", SIGSYS},
};

/* -1: there is none of that name. 0 tests only whether one could. */
static int signal_of(const char *word)
{
	uint64_t n;

	if (str_to_u64(word, &n) == 0)
		return n <= (uint64_t)SIGRTMAX ? (int)n : -1;
	if (!strncasecmp(word, "SIG", 3))
		word += 3;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (!strcasecmp(signals[i].name, word))
			return signals[i].sig;
	return -1;
}

static bool matches(const struct options *o, const struct procs_one *p)
{
	_buf_ struct buf t = BUF_INIT;
	regmatch_t m;

	/* matched as it is, not as it is shown; a NUL ends no pattern */
	if (o->full && p->args_len) {
		size_t n = p->args_len;

		while (n && !p->args[n - 1])
			n--;
		for (size_t i = 0; i < n; i++)
			buf_add(&t, p->args[i] ? &p->args[i] : " ", 1);
	} else {
		buf_add(&t, p->stat.comm, p->stat.comm_len);
	}
	if (p->stat.state == 'Z' || regexec(&o->re, buf_str(&t), 1, &m, 0) != 0)
		return false;
	return !o->exact || (m.rm_so == 0 && (size_t)m.rm_eo == t.len);
}

/* Leaves those that are meant; -n and -o one of them. */
static void choose(const struct options *o, struct procs *ps)
{
	size_t kept = 0;

	for (size_t i = 0; i < ps->n; i++)
		/* one that was put into its cgroup from outside has no pid in the zone */
		if ((!o->zone_pids || ps->p[i].ids.zone_pid) && matches(o, &ps->p[i]))
			ps->p[kept++] = ps->p[i];
	ps->n = kept;
	if (kept < 2 || !(o->newest || o->oldest))
		return;
	for (size_t i = 1; i < kept; i++) {
		const struct procs_one *a = &ps->p[0], *b = &ps->p[i];
		bool later = b->stat.start != a->stat.start ? b->stat.start > a->stat.start : b->pid > a->pid;

		if (later == o->newest)
			ps->p[0] = ps->p[i];
	}
	ps->n = 1;
}

static void list(const struct options *o, const struct procs *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		const struct procs_one *p = &ps->p[i];
		_buf_ struct buf t = BUF_INIT;

		buf_printf(&t, "%d", o->zone_pids ? (int)p->ids.zone_pid : (int)p->pid);
		if (o->names) {
			buf_printf(&t, " %s ", o->zones.z[p->zone].name);
			if (o->full && p->args_len)
				safe_add_args(&t, p->args, p->args_len);
			else
				safe_add(&t, p->stat.comm, p->stat.comm_len);
		}
		puts(t.p);
	}
}

/* How many got it, or the first failure that was not the process's own end. */
static int send_all(const struct ctx *c, const struct options *o, const struct procs *ps, size_t *sent, struct err *e)
{
	struct cg_host h;
	int r = cg_host_find(c, &h, e), first = 0;

	for (size_t i = 0; r == 0 && i < ps->n; i++) {
		const struct procs_one *p = &ps->p[i];
		_fd_ int fd = procs_hold(&h, o->zones.z[p->zone].uuid, p, NULL);
		int k = fd < 0 ? fd : pidfd_kill(fd, o->sig);

		*sent += k == 0;
		if (k < 0 && k != -ESRCH && first == 0)
			first = err_sys(e, k, "process %d of zone %s", (int)p->pid, o->zones.z[p->zone].name);
	}
	return r < 0 ? r : first;
}

/* What was asked for, in the words of the options. */
static char *audited(const struct options *o, const char *pattern)
{
	_buf_ struct buf shown = BUF_INIT;
	json_t *j = json_object();
	char *text;

	safe_add(&shown, pattern, strlen(pattern));
	json_object_set_new(j, "pattern", json_string(pattern) ?: json_string(buf_str(&shown)));
	json_object_set_new(j, "signal", json_integer(o->sig));
	if (o->full)
		json_object_set_new(j, "full", json_true());
	if (o->exact)
		json_object_set_new(j, "exact", json_true());
	if (o->caseless)
		json_object_set_new(j, "ignore_case", json_true());
	if (o->newest || o->oldest)
		json_object_set_new(j, "only", json_string(o->newest ? "newest" : "oldest"));
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

static int work(struct ctx *c, struct options *o, const char *verb, const char *pattern)
{
	_free_ char *what = NULL;
	_clean_(procs_done) struct procs ps = {.p = NULL};
	struct err e = ERR_INIT;
	size_t n;
	int r = zone_pick_procs(c, &o->zones, &ps, (o->full ? PROCS_ARGS : 0) | (o->zone_pids ? PROCS_IDS : 0), &e);

	if (r < 0)
		return cmd_fail(c, &e);
	choose(o, &ps);
	n = ps.n;
	if (o->kill) {
		n = 0;
		what = audited(o, pattern);
		r = send_all(c, o, &ps, &n, &e);
		for (size_t i = 0; i < o->zones.n; i++)
			cmd_audit(c, verb, o->zones.z[i].uuid, "{}", what, r);
	}
	if (o->count)
		printf("%zu\n", n);
	else if (!o->kill)
		list(o, &ps);
	return r < 0 ? cmd_fail(c, &e) : n == 0;
}

static int compile(struct options *o, const char *verb, const char *pattern)
{
	char why[200];
	int r = regcomp(&o->re, pattern, REG_EXTENDED | (o->caseless ? REG_ICASE : 0));

	o->has_re = r == 0;
	if (r == 0)
		return 0;
	regerror(r, &o->re, why, sizeof why);
	return cmd_usage("cloister", verb, "\"%s\": %s", pattern, why);
}

/* -9, -TERM, -SIGTERM in front, as kill(1) has it. */
static int take_signal(struct options *o, int *argc, char ***argv, const char *verb)
{
	const char *a = *argc > 1 ? (*argv)[1] : "";

	if (a[0] != '-' || !(isdigit((unsigned char)a[1]) || (isupper((unsigned char)a[1]) && isupper((unsigned char)a[2]))))
		return 0;
	o->sig = signal_of(a + 1);
	if (o->sig < 0)
		return cmd_usage("cloister", verb, "%s: no such signal", a);
	(*argv)[1] = (*argv)[0];
	(*argc)--;
	(*argv)++;
	return 0;
}

static int parse(struct ctx *c, struct options *o, int argc, char **argv, const char *verb)
{
	struct err e = ERR_INIT;
	int opt, r = o->kill ? take_signal(o, &argc, &argv, verb) : 0;

	optind = 1;
	while (r == 0 && (opt = getopt(argc, argv, o->kill ? "+ecfinos:xz:" : "+ecfilnoxz:Z")) != -1) {
		switch (opt) {
		case 'c': o->count = true; break;
		case 'e': o->every = true; break;
		case 'f': o->full = true; break;
		case 'i': o->caseless = true; break;
		case 'l': o->names = true; break;
		case 'n': o->newest = true; break;
		case 'o': o->oldest = true; break;
		case 'x': o->exact = true; break;
		case 'Z': o->zone_pids = true; break;
		case 's':
			o->sig = signal_of(optarg);
			if (o->sig < 0)
				r = cmd_usage("cloister", verb, "-s %s: no such signal", optarg);
			break;
		case 'z':
			if (zone_pick_add(c, &o->zones, optarg, &e) < 0)
				return cmd_fail(c, &e);
			break;
		default: return cmd_usage("cloister", verb, NULL);
		}
	}
	if (r != 0)
		return r;
	if (argc - optind != 1)
		return cmd_usage("cloister", verb, "one pattern");
	if (o->newest && o->oldest)
		return cmd_usage("cloister", verb, "-n is the newest, -o the oldest");
	if (o->every && o->zones.nwant)
		return cmd_usage("cloister", verb, "-e is every zone, -z some");
	if (o->kill && !o->every && !o->zones.nwant)
		return cmd_usage("cloister", verb, "in which zone? -z, or -e for every one");
	return compile(o, verb, argv[optind]);
}

static int both(struct ctx *c, int argc, char **argv, bool kill)
{
	struct options o = {.kill = kill, .sig = SIGTERM};
	const char *verb = kill ? "pkill" : "pgrep";
	int r = parse(c, &o, argc, argv, verb);

	if (r == 0)
		r = work(c, &o, verb, argv[argc - 1]); /* the only word behind the options */
	if (o.has_re)
		regfree(&o.re);
	zone_pick_done(&o.zones);
	return r;
}

static int run_pgrep(struct ctx *c, int argc, char **argv)
{
	return both(c, argc, argv, false);
}

static int run_pkill(struct ctx *c, int argc, char **argv)
{
	return both(c, argc, argv, true);
}

CMD(cloister_pgrep, "cloister", "pgrep", "[-cefilnoxZ] [-z zone]... pattern", "print the pids of processes of zones by a pattern", CMD_NONE,
    run_pgrep);
CMD(cloister_pkill, "cloister", "pkill", "[-signal | -s signal] [-cfinox] -e | -z zone... pattern",
    "send a signal to processes of zones by a pattern", CMD_NONE, run_pkill);
