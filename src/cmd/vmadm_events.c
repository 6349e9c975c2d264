/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vmadm events: the feed of what happened to VMs. Following waits on the times of <state>/events, which every commit
 * with events changes after it can be read; so nothing is missed and nothing is polled.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "state/state.h"

#define RECENT 50
#define BATCH  512

struct feed {
	bool json;
	bool all;      /* what was dropped since `last` is missed */
	uint64_t last; /* seen */
	unsigned n;    /* in this batch */
	const char *uuid;
	struct buf out;
	struct {
		uint64_t from, to, n; /* n of these are not there */
	} lost;
};

/* What was to be read has been dropped: the log is bounded, and its reader shall know. A program hears of each hole. */
static void gap(struct feed *f, uint64_t first)
{
	if (!f->lost.n)
		f->lost.from = f->last + 1;
	f->lost.to = first - 1;
	f->lost.n += first - 1 - f->last;
	if (f->json)
		buf_printf(&f->out, "{\"type\":\"events-dropped\",\"since\":%llu,\"first\":%llu}\n", (unsigned long long)f->last,
			   (unsigned long long)first);
	f->last = first - 1;
}

/* People once, however many holes there are: a zone that has lost its oldest events leaves one between any two of others'. */
static void say_lost(struct feed *f)
{
	unsigned long long from = f->lost.from, to = f->lost.to, n = f->lost.n;

	if (n && n == to - from + 1)
		cmd_say("events %llu to %llu%s are no longer kept", from, to, f->uuid ? " of this VM" : "");
	else if (n)
		cmd_say("%llu of the events %llu to %llu are no longer kept", n, from, to);
	f->lost.n = 0;
}

static int show(uint64_t seq, uint64_t wall_ns, const char *kind, const char *uuid, const char *detail, void *arg)
{
	struct feed *f = arg;
	char when[CLOCK_TEXT];

	if (f->n == BATCH)
		return -ECANCELED; /* the rest when this is written */
	f->n++;
	/* numbers follow each other: what is not there was dropped. Of one VM it is only known up to where. */
	if (f->all && !f->uuid && seq > f->last + 1)
		gap(f, seq);
	clock_iso(wall_ns, when);
	f->last = seq;
	if (f->json) {
		json_t *d = detail ? json_loads(detail, 0, NULL) : NULL;
		json_t *o = json_pack("{s:I, s:s, s:s, s:s*, s:o*}", "seq", (json_int_t)seq, "date", when, "type", kind, "zonename",
				      uuid, "detail", d);

		char *text = json_dumps(o, JSON_COMPACT);

		buf_printf(&f->out, "%s\n", text);
		free(text);
		json_decref(o);
	} else {
		buf_printf(&f->out, "%8llu  %s  %-36s  ", (unsigned long long)seq, when, uuid ? uuid : "-");
		show_cell(&f->out, kind, detail ? 18 : 0);
		if (detail) {
			buf_puts(&f->out, "  ");
			show_add(&f->out, detail);
		}
		buf_puts(&f->out, "\n");
	}
	return 0;
}

/* Another process may make the file and its folder after we have begun: then their parent tells. */
static int watch(const struct ctx *c, int in, struct err *e)
{
	_free_ char *file = xprintf("%s/events", c->node.state);
	_free_ char *up = xstrdup(c->node.state);
	const char *try[] = {file, c->node.state, up};

	*strrchr(up, '/') = 0;
	for (size_t i = 0; i < ARRAY_LEN(try); i++) {
		if (inotify_add_watch(in, try[i], i == 0 ? IN_ATTRIB | IN_MODIFY | IN_DELETE_SELF : IN_CREATE | IN_MOVED_TO) >= 0)
			return (int)i;
		if (errno != ENOENT)
			return err_sys(e, errno, "watch %s", try[i]);
	}
	return err_sys(e, ENOENT, "watch %s", file);
}

static int wait_change(const struct ctx *c, int in, struct err *e)
{
	struct pollfd p[2] = {{.fd = in, .events = POLLIN}, {.fd = c->cancel, .events = POLLIN}};
	char drop[4096] __attribute__((aligned(8)));

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for events");
	if (p[1].revents)
		return err_set(e, ECANCELED, "interrupted");
	return read(in, drop, sizeof drop) < 0 ? err_sys(e, errno, "wait for events") : 0;
}

/* The same of one VM: its own oldest go where it had too many, and the oldest of all. */
static int say_gap(struct feed *f, struct state *s, struct err *e)
{
	uint64_t first = 0, cut = 0;
	int r = state_event_first(s, &first, e);

	if (r == 0)
		r = state_event_cut(s, f->uuid, &cut, e);
	if (r == 0 && cut + 1 > first)
		first = cut + 1;
	if (r == 0 && first > f->last + 1)
		gap(f, first);
	return r;
}

/*
 * Up to BATCH events, into memory: whoever reads our output may be slow, and a database that is held open for reading would
 * grow for as long as he is.
 */
static int batch(const struct ctx *c, struct feed *f, struct err *e)
{
	_clean_(state_close) struct state *s = NULL;
	uint64_t last = 0;
	int r = state_open(c, STATE_READ, &s, e);

	f->n = 0;
	if (r == -ENOENT)
		return 0;
	if (r == 0 && f->all && f->uuid)
		r = say_gap(f, s, e);
	if (r == 0)
		r = state_event_last(s, &last, e);
	if (r == 0)
		r = state_event_each(s, f->last, f->uuid, show, f, e);
	if (r == 0 && last > f->last)
		f->last = last; /* of other VMs */
	return r == -ECANCELED && f->n == BATCH ? 1 : r;
}

static int catch_up(const struct ctx *c, struct feed *f, struct err *e)
{
	int r;

	do {
		r = batch(c, f, e);
		if (r >= 0)
			fwrite(buf_str(&f->out), 1, f->out.len, stdout);
		f->out.len = 0;
		if (r > 0 && ctx_check(c, e) < 0)
			return -e->code;
	} while (r > 0 && !ferror(stdout));
	say_lost(f);
	return r < 0 ? r : 0;
}

/* A closed output (a pipe whose reader has gone) ends it: what is written is flushed after every batch. */
static int follow(const struct ctx *c, struct feed *f, struct err *e)
{
	_fd_ int in = inotify_init1(IN_CLOEXEC);
	int r = in < 0 ? err_sys(e, errno, "inotify") : watch(c, in, e);

	while (r >= 0) {
		int level = r;

		r = catch_up(c, f, e);
		f->all = true;
		if (r == 0 && fflush(stdout) != 0)
			return errno == EPIPE ? 0 : err_sys(e, errno, "standard output");
		if (r == 0)
			r = wait_change(c, in, e);
		if (r == 0)
			r = level > 0 ? watch(c, in, e) : 0;
	}
	return r;
}

/* Where to begin, and the whole uuid of what the operand names. */
static int begin(const struct ctx *c, const char *word, bool recent, bool following, char uuid[37], struct feed *f, struct err *e)
{
	_clean_(state_close) struct state *s = NULL;
	uint64_t last = 0;
	int r = state_open(c, STATE_READ, &s, e);

	/* A uuid that is gone, or not there yet, has events all the same. */
	if (word && uuid_valid(word))
		f->uuid = word;
	if (r == -ENOENT && (!word || f->uuid))
		return 0;
	if (r == 0 && word && !f->uuid) {
		r = state_vm_find(s, word, uuid, e);
		f->uuid = uuid;
	}
	if (r == 0 && f->last == 0 && !recent)
		r = state_event_last(s, &last, e);
	if (r < 0)
		return r;
	if (last > 0)
		f->last = following ? last : f->uuid || last < RECENT ? 0 : last - RECENT;
	return 0;
}

static int events(const char *prog, struct ctx *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{"follow", 0, NULL, 'f'}, {"json", 0, NULL, 'j'}, {"all", 0, NULL, 'r'}, {"since", 1, NULL, 's'}, {NULL, 0, NULL, 0}};
	bool following = false, all = false;
	struct feed f = {.out = BUF_INIT};
	struct err e = ERR_INIT;
	char uuid[37];
	int ch, r;

	while ((ch = getopt_long(argc, argv, "fjr", longs, NULL)) != -1) {
		switch (ch) {
		case 'f': following = true; break;
		case 'j': f.json = true; break;
		case 'r': all = true; break;
		case 's':
			if (str_to_u64(optarg, &f.last) < 0 || f.last > INT64_MAX)
				return cmd_usage(prog, argv[0], "--since: \"%s\" is not the number of an event", optarg);
			all = f.all = true;
			break;
		default: return cmd_usage(prog, argv[0], NULL);
		}
	}
	if (argc - optind > 1)
		return cmd_usage(prog, argv[0], "one VM at most");
	r = begin(c, argv[optind], all, following, uuid, &f, &e);
	if (r == 0)
		r = following ? follow(c, &f, &e) : catch_up(c, &f, &e);
	buf_done(&f.out);
	return r < 0 ? cmd_fail(c, &e) : 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	return events("vmadm", c, argc, argv);
}

static int run_cloister(struct ctx *c, int argc, char **argv)
{
	return events("cloister", c, argc, argv);
}

CMD(vmadm_events, "vmadm", "events", "[-fjr] [--since SEQ] [uuid|alias]",
    "print events: the newest 50 (of one VM: all), -r all that are kept, --since those after SEQ; -f follows", CMD_VM, run);
CMD(cloister_events, "cloister", "events", "[-fjr] [--since SEQ] [uuid|alias]", "print events of VMs and of the node, as `vmadm events` does", CMD_VM,
    run_cloister);
