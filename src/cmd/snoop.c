/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister snoop: the frames of one VNIC, both directions, as a capture file for tcpdump and wireshark. What it reads is a zone's: once
 * its sockets are open it has no capability left.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "cmd/cmd.h"
#include "cmd/dladm.h"
#include "cmd/zone_arg.h"
#include "kern/ns.h"
#include "kern/pidfd.h"
#include "kern/rtnl.h"
#include "net/capture.h"
#include "net/filter.h"
#include "net/pcap.h"
#include "net/vnic.h"
#include "zone/zone.h"

#define AT_ONCE 256 /* frames between two looks at signals and the reader */

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	ended = sig;
}

struct snoop {
	const char *zone, *file, *vnic;
	char name[96], link[32];
	uint64_t count, snaplen, frames;
	struct filter filter;
	char text[1000];
	int out, sends, receives, init; /* init: pidfd of the zone's; -1: the global zone */
	struct frame_seen *seen[2];     /* sent, received: the oldest of each that is not written yet */
};

static int options(int argc, char **argv, struct snoop *o, struct err *e)
{
	size_t n = 0;
	int ch;

	while ((ch = getopt(argc, argv, "c:o:s:z:")) >= 0) {
		if (ch == 'o')
			o->file = optarg;
		else if (ch == 'z')
			o->zone = optarg;
		else if (ch == 'c' && (str_to_u64(optarg, &o->count) < 0 || !o->count))
			return cmd_usage("cloister", "snoop", "-c takes a number of frames");
		else if (ch == 's' && (str_to_u64(optarg, &o->snaplen) < 0 || o->snaplen < 14 || o->snaplen > CAPTURE_MAX))
			return cmd_usage("cloister", "snoop", "-s takes 14 to %d bytes", CAPTURE_MAX);
		else if (ch == '?')
			return cmd_usage("cloister", "snoop", NULL);
	}
	if (optind >= argc)
		return cmd_usage("cloister", "snoop", "which VNIC?");
	o->vnic = argv[optind++];
	for (; optind < argc; optind++) {
		size_t len = strlen(argv[optind]);

		if (n + len + 2 > sizeof o->text)
			return cmd_usage("cloister", "snoop", "a filter has at most %zu bytes", sizeof o->text);
		n += (size_t)snprintf(o->text + n, sizeof o->text - n, "%s%s", n ? " " : "", argv[optind]);
	}
	return filter_parse(o->text, &o->filter, e) < 0 ? cmd_usage("cloister", "snoop", "%s", e->msg) : 0;
}

/* "net0" with -z, "web01/net0", or a link of the global zone. */
static int find(struct ctx *c, struct snoop *o, struct link_view *v, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	const char *slash = strrchr(o->vnic, '/');
	char uuid[37], zone[80];
	int r = 0;

	if (slash && !o->zone) {
		snprintf(zone, sizeof zone, "%.*s", (int)(slash - o->vnic), o->vnic);
		o->zone = zone;
	}
	snprintf(o->link, sizeof o->link, "%s", slash ? slash + 1 : o->vnic);
	if (o->zone && !str_eq(o->zone, "global"))
		r = zone_arg(c, o->zone, uuid, e);
	if (r == 0)
		r = state_open(c, STATE_READ, &st, e);
	if (r == 0)
		r = dl_link_one(c, st, o->link, !o->zone || str_eq(o->zone, "global") ? o->zone : uuid, v, e);
	o->zone = NULL;
	if (r == 0 && (v->class != LINK_CLASS_VNIC || (v->zoneid == 0 && !str_eq(v->zone, "global"))))
		r = err_set(e, ENOTSUP, "%s is no VNIC of a zone or of the global zone", v->name);
	snprintf(o->name, sizeof o->name, "%.63s/%.31s", v->zone, r == 0 ? v->name : "");
	return r;
}

static int open_sockets(struct ctx *c, struct snoop *o, const struct link_view *v, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_fd_ int ns = -1, rtnl = -1;
	struct zone_run run;
	struct sw_port p;
	int r = switch_look(c, &s, e), inside;

	if (r == 0 && v->zoneid) {
		r = zone_status(c, v->uuid, &run, e);
		if (r == 0)
			r = o->init = zone_pidfd(&run, e);
	}
	if (r < 0)
		return r;
	r = ns = ns_open(v->zoneid ? run.init_pid : 0, "net", e);
	/* it lived when its namespace was opened, so that was its own */
	if (r >= 0 && o->init >= 0 && pidfd_wait(o->init, 0) == 0)
		r = err_set(e, ESRCH, "the zone has ended");
	if (r >= 0)
		r = rtnl = rtnl_open_in(ns, e);
	if (r >= 0 && vnic_port(&s, v->ifindex, &p) == 1 && (p.flags & PORT_L2)) {
		r = o->receives = capture_open_out(s.ns, (int)v->ifindex, e);
	} else if (r >= 0) {
		r = inside = vnic_inside(&s, v->ifindex, rtnl, e);
		if (r >= 0)
			r = o->receives = capture_open(ns, inside, e);
	}
	if (r >= 0)
		r = o->sends = capture_open(s.ns, (int)v->ifindex, e);
	return r < 0 ? r : 0;
}

static int open_out(struct snoop *o, struct err *e)
{
	if (o->file && !str_eq(o->file, "-")) {
		o->out = open(o->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		return o->out < 0 ? err_sys(e, errno, "%s", o->file) : 0;
	}
	if (isatty(1)) {
		err_set(e, EINVAL, "standard output is a terminal");
		return err_hint(e, "Say -o <file>, or pipe it: cloister snoop %s | tcpdump -r -", o->vnic);
	}
	o->out = 1;
	return 0;
}

static int no_rights(struct err *e)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &h, d) < 0)
		return err_sys(e, errno, "give capabilities up");
	return 0;
}

/* 1 = the reader has gone, or a signal came. */
static int put(const struct snoop *o, struct buf *b, struct err *e)
{
	sigset_t none;
	size_t at = 0;

	sigemptyset(&none);
	while (at < b->len) {
		struct pollfd p = {.fd = o->out, .events = POLLOUT};
		ssize_t n;

		/* it takes a piece of a pipe's least size without a wait, so that only this one is interrupted */
		if (ppoll(&p, 1, NULL, &none) < 0 && errno == EINTR && ended)
			return 1;
		n = write(o->out, b->p + at, b->len - at < PIPE_BUF ? b->len - at : PIPE_BUF);
		if (n > 0)
			at += (size_t)n;
		else if (errno == EPIPE)
			return 1;
		else if (errno != EINTR)
			return err_sys(e, errno, "%s", o->file && o->out != 1 ? o->file : "standard output");
	}
	b->len = 0;
	return 0;
}

/* All there is now, in the order of time, as far as two queues tell it: 1 = enough, -ENETDOWN. */
static int take_all(struct snoop *o, struct buf *b, struct err *e)
{
	const int from[2] = {o->sends, o->receives};

	for (int n = 0; n < AT_ONCE; n++) {
		int which;

		for (int i = 0; i < 2; i++) {
			int r = o->seen[i]->full ? 1 : capture_next(from[i], (uint32_t)o->snaplen, o->seen[i]);

			if (r < 0)
				return r == -ENETDOWN ? 1 : err_sys(e, r, "%s", o->name);
		}
		if (!o->seen[0]->full && !o->seen[1]->full)
			return 0;
		which = !o->seen[0]->full || (o->seen[1]->full && o->seen[1]->wall_ns < o->seen[0]->wall_ns);
		o->seen[which]->full = false;
		if (!filter_match(&o->filter, o->seen[which]->bytes, o->seen[which]->have))
			continue;
		pcap_frame(b, o->seen[which]->wall_ns, which == 1, o->seen[which]->bytes, o->seen[which]->have, o->seen[which]->whole);
		if (++o->frames == o->count)
			return 1;
	}
	return 0;
}

static int loop(struct snoop *o, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	sigset_t open_mask;
	int r;

	sigemptyset(&open_mask);
	pcap_begin(&b, o->name, o->text, (uint32_t)o->snaplen);
	r = put(o, &b, e);
	while (r == 0 && !ended) {
		struct pollfd p[] = {{.fd = o->sends, .events = POLLIN}, {.fd = o->receives, .events = POLLIN}, {.fd = o->init, .events = POLLIN},
				     {.fd = o->out, .events = 0}};

		if (ppoll(p, ARRAY_LEN(p), o->seen[0]->full || o->seen[1]->full ? &(struct timespec){0} : NULL, &open_mask) < 0)
			break;
		r = take_all(o, &b, e);
		if (r >= 0) {
			int w = put(o, &b, e);

			r = w ? w : r;
		}
		/* the zone has ended, or the reader has */
		if (r == 0 && (p[2].revents || (p[3].revents & (POLLERR | POLLNVAL))))
			r = 1;
	}
	if (r < 0)
		return r;
	b.len = 0;
	pcap_end(&b, clock_wall_ns(), o->frames, capture_lost(o->sends) + capture_lost(o->receives));
	return put(o, &b, e) < 0 ? -EIO : 0;
}

static void catch_signals(void)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal}; /* without SA_RESTART: a write that waits for its reader ends too */
	sigset_t set;

	/* held but while it waits or writes, so that none falls between a look at `ended` and the wait */
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++) {
		sigaction(sigs[i], &sa, NULL);
		sigaddset(&set, sigs[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct snoop o = {.snaplen = CAPTURE_MAX, .out = -1, .sends = -1, .receives = -1, .init = -1};
	struct err e = ERR_INIT;
	struct link_view v;
	int r = options(argc, argv, &o, &e);

	if (r)
		return r;
	r = find(c, &o, &v, &e);
	if (r == 0)
		r = open_out(&o, &e);
	if (r == 0)
		r = open_sockets(c, &o, &v, &e);
	if (r == 0) {
		cmd_audit(c, "cloister snoop", o.name, NULL, NULL, 0);
		catch_signals();
		r = no_rights(&e);
	}
	if (r == 0) {
		o.seen[0] = xalloc(sizeof *o.seen[0]);
		o.seen[1] = xalloc(sizeof *o.seen[1]);
		cmd_say("snooping on %s", o.name);
		r = loop(&o, &e);
	}
	if (r == 0)
		cmd_say("%" PRIu64 " frames", o.frames);
	free(o.seen[0]);
	free(o.seen[1]);
	own_fd(&o.sends);
	own_fd(&o.receives);
	own_fd(&o.init);
	if (o.out > 1)
		own_fd(&o.out);
	return r < 0 ? cmd_fail(c, &e) : 0;
}
CMD(cloister_snoop, "cloister", "snoop", "[-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]",
    "the frames of one VNIC, both directions, for tcpdump and wireshark", CMD_NONE, run);
