/* SPDX-License-Identifier: MPL-2.0 */
/* migrate, send and receive: a machine goes to another node while it runs. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/vmadm.h"
#include "node/migrate.h"
#include "node/vmops.h"

struct args {
	struct migrate_opts o;
	bool resume, back;
};

/* From now on ^C and an ordinary kill are a wish, and not the end. */
static int wishes(struct ctx *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return c->cancel = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int seconds(const char *verb, const char *what, unsigned *out)
{
	uint64_t n;

	if (str_to_u64(optarg, &n) < 0 || n < 1 || n > 604800)
		return cmd_usage("vmadm", verb, "%s: \"%s\" is not a number of seconds", what, optarg);
	*out = (unsigned)n;
	return 0;
}

static int options(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {{"downtime", required_argument, NULL, 'd'}, {"bandwidth", required_argument, NULL, 'b'},
					      {"limit", required_argument, NULL, 'l'},    {"keep", no_argument, NULL, 'k'},
					      {"stall", required_argument, NULL, 'S'},
					      {"without-snapshots", no_argument, NULL, 's'}, {"resume", no_argument, NULL, 'r'},
					      {"back", no_argument, NULL, 'B'},           {NULL, 0, NULL, 0}};
	uint64_t n;
	int opt, r;

	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (opt) {
		case 'd':
			if (str_to_u64(optarg, &n) < 0 || n < 1 || n > 60000)
				return cmd_usage("vmadm", argv[0], "--downtime: \"%s\" is not 1 to 60000 milliseconds", optarg);
			a->o.downtime_ms = (unsigned)n;
			break;
		case 'b':
			if (str_to_bytes(optarg, &n) < 0 || n < 65536)
				return cmd_usage("vmadm", argv[0], "--bandwidth: \"%s\" is not a number of bytes a second, 64K at least", optarg);
			a->o.bandwidth = n;
			break;
		case 'l':
			r = seconds(argv[0], "--limit", &a->o.limit_s);
			if (r)
				return r;
			break;
		case 'S':
			r = seconds(argv[0], "--stall", &a->o.stall_s);
			if (r)
				return r;
			break;
		case 'k': a->o.keep = true; break;
		case 's': a->o.without_snapshots = true; break;
		case 'r': a->resume = true; break;
		case 'B': a->back = true; break;
		default: return cmd_usage("vmadm", argv[0], NULL);
		}
	}
	return 0;
}

static int settle(struct ctx *c, const char *word, const char *where, const struct args *a)
{
	struct err e = ERR_INIT;
	char uuid[64];
	int r;

	vmadm_uuid(c, word, uuid);
	r = vm_migrate_settle(c, word, where, a->back, a->o.keep, &e);
	return vmadm_done(c, "vmadm migrate", uuid, NULL, r, &e,
			  r == 1 ? a->o.keep ? "VM %s runs there, and is kept here" : "VM %s runs there, and is gone here" : "VM %s is this node's");
}

static int migrate(struct ctx *c, int argc, char **argv)
{
	struct migrate_done d = {.peer = ""};
	struct args a = {.resume = false};
	char uuid[64], memory[16], disks[16];
	struct err e = ERR_INIT;
	int r = options(argc, argv, &a);

	if (r)
		return r;
	if (argc - optind < 1 || argc - optind > 2 || (a.resume && a.back) || (argc - optind == 1 && !a.resume && !a.back))
		return cmd_usage("vmadm", argv[0], argc - optind < 1 ? "which VM?" : argc - optind == 1 ? "where to?" : NULL);
	if (node_recover(c, &e) < 0)
		return cmd_fail(c, &e);
	if (a.resume || a.back)
		return settle(c, argv[optind], argv[optind + 1], &a);
	_fd_ int wish = wishes(c);
	vmadm_uuid(c, argv[optind], uuid);
	r = vm_migrate(c, argv[optind], argv[optind + 1], &a.o, &d, &e);
	c->cancel = -1;
	cmd_audit(c, "vmadm migrate", uuid, NULL, NULL, r);
	if (r < 0)
		return cmd_fail(c, &e);
	if (d.snapshots)
		printf("snapshots %u with %s, ", d.snapshots, str_from_bytes(d.snapshot_bytes, disks));
	printf("total %u ms, memory %s, disks %s, downtime %u ms (target %u ms)\n", d.ms, str_from_bytes(d.memory, memory), str_from_bytes(d.disks, disks),
	       d.downtime_ms, d.limit_ms);
	cmd_say("Successfully migrated VM %s to %s%s", uuid, d.peer, a.o.keep ? "; it is kept here, stopped" : "");
	return wish < 0;
}

static void said(const char *text)
{
	cmd_say("%s", text);
}

static int receive(struct ctx *c, int argc, char **argv)
{
	_fd_ int listening = -1;
	const char *where = NULL;
	struct err e = ERR_INIT;
	static const struct option longs[] = {{"limit", required_argument, NULL, 'L'}, {"stall", required_argument, NULL, 'S'}, {NULL, 0, NULL, 0}};
	struct receive_opts o = {.said = said};
	char own[PEER_PRINT + 1];
	int opt, r;

	while ((opt = getopt_long(argc, argv, "l:a", longs, NULL)) != -1) {
		r = 0;
		switch (opt) {
		case 'l': where = optarg; break;
		case 'a': o.many = true; break;
		case 'L': r = seconds(argv[0], "--limit", &o.limit_s); break;
		case 'S': r = seconds(argv[0], "--stall", &o.stall_s); break;
		default: return cmd_usage("vmadm", argv[0], NULL);
		}
		if (r)
			return r;
	}
	if (optind < argc || !where)
		return cmd_usage("vmadm", argv[0], where ? "unexpected \"%s\"" : "where to listen?", argv[optind]);
	if (node_recover(c, &e) < 0 || peer_own(c, own, &e) < 0)
		return cmd_fail(c, &e);
	listening = peer_listen(where, &e);
	if (listening < 0)
		return cmd_fail(c, &e);
	_fd_ int wish = wishes(c);
	cmd_say("Listening at %s; this node is %s", where, own);
	r = vm_receive(c, listening, &o, &e);
	c->cancel = -1;
	/* who waits for any number has to be told to end */
	if (r == -ECANCELED && o.many)
		return 0;
	return r < 0 ? cmd_fail(c, &e) : wish < 0;
}

CMD(vmadm_migrate, "vmadm", "migrate",
    "<uuid|alias> <host:port> [--downtime <ms>] [--bandwidth <bytes>] [--limit <seconds>] [--stall <seconds>] [--keep] [--without-snapshots] | <uuid|alias> --resume|--back",
    "move a machine that runs to another node", CMD_VM, migrate);
CMD(vmadm_receive, "vmadm", "receive", "-l <address:port> [-a] [--limit <seconds>] [--stall <seconds>]", "take a machine that another node sends (-a: any number)", CMD_NONE, receive);
CMD_ALIAS(vmadm_recv, "vmadm", "recv", "receive", receive);
CMD_ALIAS(vmadm_send, "vmadm", "send", "migrate", migrate);
