/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister whose: which zone has this process, port, address or path? The kernel is asked and the records, never a zone.
 */
#include "cmd/whose.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/safe.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/whose_record.h"
#include "zone/self.h"

struct options {
	bool pid, json;
	const char *word;
	json_t *owners;
	size_t n; /* answers so far */
};

/* One answer: what it is, whose, and where in it. zone NULL: the global zone's. All but the zone's names may be NULL. */
static void say(struct options *o, const char *what, const char *zone, const char *uuid, const char *where, pid_t pid, const char *name)
{
	_buf_ struct buf b = BUF_INIT, shown = BUF_INIT, safe_what = BUF_INIT, safe_where = BUF_INIT;

	o->n++;
	safe_add(&safe_what, what, strlen(what));
	what = buf_str(&safe_what);
	if (where) {
		safe_add(&safe_where, where, strlen(where));
		where = buf_str(&safe_where);
	}
	if (name)
		safe_add(&shown, name, strlen(name));
	if (o->json) {
		json_t *j = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "what", what, "zone", zone ? zone : "global", "uuid", uuid, "where",
				      where, "command", name ? buf_str(&shown) : NULL);

		if (pid)
			json_object_set_new(j, "pid", json_integer(pid));
		json_array_append_new(o->owners, j);
		return;
	}
	buf_printf(&b, "%s: ", what);
	if (zone && !strcmp(zone, uuid))
		buf_printf(&b, "zone %s", uuid);
	else if (zone)
		buf_printf(&b, "zone %s (%s)", zone, uuid);
	else
		buf_puts(&b, "the global zone's");
	if (where)
		buf_printf(&b, ", %s", where);
	if (pid)
		buf_printf(&b, ", pid %d", (int)pid);
	if (name)
		buf_printf(&b, ": %s", buf_str(&shown));
	puts(b.p);
}

/* Its name in t, as it says itself. */
static const char *comm_of(pid_t pid, char t[65])
{
	_fd_ int dir = pid ? proc_open(pid) : -1;
	char text[1024];
	struct proc_stat st;
	ssize_t n = dir < 0 ? -1 : proc_read(dir, "stat", text, sizeof text);

	if (n < 0 || proc_text_stat(text, (size_t)n, &st) < 0)
		return NULL;
	memcpy(t, st.comm, st.comm_len);
	t[st.comm_len] = 0;
	return t;
}

/* ---- a process ---- */

static bool same_users(pid_t pid)
{
	struct stat own, its;
	char p[40];

	snprintf(p, sizeof p, "/proc/%d/ns/user", (int)pid);
	return stat("/proc/self/ns/user", &own) < 0 || stat(p, &its) < 0 || (own.st_ino == its.st_ino && own.st_dev == its.st_dev);
}

static int whose_pid(struct options *o, struct whose *w, pid_t pid, struct err *e)
{
	_fd_ int dir = proc_open(pid);
	char text[4096], uuid[37], what[32], where[40], name[65];
	ssize_t n = dir < 0 ? dir : proc_read(dir, "cgroup", text, sizeof text - 1);

	if (n < 0)
		return n == -ESRCH ? 0 : err_sys(e, (int)n, "/proc/%d/cgroup", (int)pid);
	text[n] = 0;
	snprintf(what, sizeof what, "pid %d", (int)pid);
	if (!cg_text_zone(text, w->h.root, uuid)) {
		say(o, what, NULL, NULL, same_users(pid) ? NULL : "in namespaces of its own that are no zone's of this node", 0, comm_of(pid, name));
		return 0;
	}
	{
		_clean_(procs_done) struct procs ps = {.p = xalloc(sizeof *ps.p), .n = 1, .cap = 1};
		_clean_(zone_pick_done) struct zone_pick zp = {.z = NULL};
		int r = zone_pick_add(w->c, &zp, uuid, e);

		ps.p[0].pid = pid;
		if (r == 0)
			r = zone_pick_find(w->c, &zp, e);
		/* a process that was left, or that somebody has put there */
		if (r == -ESRCH) {
			say(o, what, uuid, uuid, "of a zone that does not run", 0, comm_of(pid, name));
			return 0;
		}
		if (r == 0)
			r = procs_read(&ps, &w->h, zone_pick_uuid, &zp, PROCS_IDS, e);
		if (r < 0 || ps.n == 0)
			return r == -ESRCH ? 0 : r;
		snprintf(where, sizeof where, "pid %d in it", (int)ps.p[0].ids.zone_pid);
		memcpy(name, ps.p[0].stat.comm, ps.p[0].stat.comm_len);
		name[ps.p[0].stat.comm_len] = 0;
		say(o, what, zp.z[0].name, uuid, ps.p[0].ids.zone_pid ? where : NULL, 0, name);
	}
	return 0;
}

/* ---- the network ---- */

static int all_zones(struct whose *w, struct err *e)
{
	return w->zones.n ? 0 : zone_pick_procs(w->c, &w->zones, &w->ps, 0, e);
}

static void say_net(struct options *o, struct whose *w, const char *what, const struct whose_answer *a)
{
	const struct zone_picked *z = a->zone == WHOSE_GLOBAL ? NULL : &w->zones.z[a->zone];
	_buf_ struct buf where = BUF_INIT;
	char name[65];

	if (a->item.kind == NET_LINK)
		buf_printf(&where, "interface %.*s", (int)sizeof a->item.name, a->item.name);
	else if (a->item.kind == NET_ADDR)
		buf_printf(&where, "interface %d", a->item.index);
	say(o, what, z ? z->name : NULL, z ? z->uuid : NULL, where.p, a->pid, comm_of(a->pid, name));
}

static int whose_port(struct options *o, struct whose *w, uint16_t port, bool tcp, bool udp, struct err *e)
{
	struct net_item want = {.port = port};
	int r = all_zones(w, e);

	w->n = 0;
	if (r == 0 && tcp)
		r = whose_net(w, NET_TCP, &want, e);
	if (r == 0 && udp)
		r = whose_net(w, NET_UDP, &want, e);
	if (r == 0)
		whose_sockets(w);
	for (size_t i = 0; r == 0 && i < w->n; i++) {
		const struct net_item *it = &w->a[i].item;
		char addr[INET6_ADDRSTRLEN] = "?", what[96];

		inet_ntop(it->family, it->addr, addr, sizeof addr);
		snprintf(what, sizeof what, it->family == AF_INET6 ? "%s [%s]:%u" : "%s %s:%u", it->kind == NET_TCP ? "tcp" : "udp", addr, port);
		say_net(o, w, what, &w->a[i]);
	}
	return r;
}

static void say_record(const struct whose_record *f, void *arg)
{
	struct options *o = arg;

	say(o, f->what, f->name, f->uuid, f->where, 0, NULL);
}

static int whose_addr(struct options *o, struct whose *w, enum net_kind k, const struct net_item *want, struct err *e)
{
	int r = whose_records(w->c, k, want, NULL, say_record, o, e);

	if (r == 0)
		r = all_zones(w, e);
	if (r == 0)
		r = whose_net(w, k, want, e);
	for (size_t i = 0; r == 0 && i < w->n; i++)
		say_net(o, w, o->word, &w->a[i]);
	return r;
}

/* ---- a path of the host ---- */

static int whose_path(struct options *o, struct whose *w, struct err *e)
{
	_free_ char *tidy = whose_path_tidy(o->word), *real = NULL;
	bool zones = whose_path_in_pool(w->c, tidy);
	int r = 0;

	/* a zone's links are not followed: they lead elsewhere on the host, and its root makes them */
	if (strstr(tidy, "/../") || str_ends(tidy, "/..")) {
		if (zones)
			return err_set(e, EINVAL, "%s: name it without \"..\"", o->word);
	} else {
		/* a zone that has been lent a file may have it open: cloister files says who does */
		r = whose_records(w->c, NET_LINK, NULL, tidy, say_record, o, e);
	}
	if (r < 0 || o->n || zones)
		return r;
	real = realpath(tidy, NULL);
	if (!real && errno != ENOENT)
		return err_sys(e, errno, "%s", o->word);
	return real && strcmp(real, tidy) != 0 ? whose_records(w->c, NET_LINK, NULL, real, say_record, o, e) : 0;
}

/* ---- the word ---- */

static bool is_mac(const char *s, struct net_item *out)
{
	unsigned b[6];
	int end = 0;

	*out = (struct net_item){.kind = NET_LINK};
	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || s[end])
		return false;
	for (int i = 0; i < 6; i++)
		out->addr[i] = (uint8_t)b[i];
	return true;
}

static bool is_ip(const char *s, struct net_item *out)
{
	*out = (struct net_item){.kind = NET_ADDR, .family = AF_INET};
	if (inet_pton(AF_INET, s, out->addr) == 1)
		return true;
	out->family = AF_INET6;
	return inet_pton(AF_INET6, s, out->addr) == 1;
}

/* ":80", "80/tcp", "80/udp", "80". */
static bool is_number(const char *s, uint64_t *n, bool *port, bool *tcp, bool *udp)
{
	_free_ char *t = xstrdup(s + (*s == ':'));
	char *slash = strchr(t, '/');

	*tcp = !slash || !strcmp(slash, "/tcp");
	*udp = !slash || !strcmp(slash, "/udp");
	*port = *s == ':' || slash;
	if (slash)
		*slash = 0;
	return (*tcp || *udp) && str_to_u64(t, n) == 0 && *n > 0 && *n <= INT32_MAX && (!*port || *n <= 65535);
}

static int ask(struct options *o, struct whose *w, struct err *e)
{
	static const uint8_t loop6[16] = {[15] = 1};
	bool port, tcp, udp;
	struct net_item it;
	uint64_t n;
	int r = 0;

	if (*o->word == '/')
		return whose_path(o, w, e);
	if (is_mac(o->word, &it))
		return whose_addr(o, w, NET_LINK, &it, e);
	if (is_ip(o->word, &it)) {
		if (it.family == AF_INET ? it.addr[0] == 127 : !memcmp(it.addr, loop6, sizeof loop6)) {
			if (!o->json)
				printf("%s: each zone's own, and the global zone's: it never leaves a host\n", o->word);
			o->n++;
			return 0;
		}
		return whose_addr(o, w, NET_ADDR, &it, e);
	}
	if (!is_number(o->word, &n, &port, &tcp, &udp))
		return cmd_usage("cloister", "whose", "\"%s\" is no pid, port, address or absolute path", o->word);
	if (!port)
		r = whose_pid(o, w, (pid_t)n, e);
	if (r == 0 && !o->pid && n <= 65535)
		r = whose_port(o, w, (uint16_t)n, tcp, udp, e);
	return r;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct options o = {.n = 0};
	struct whose w = {.c = c};
	struct err e = ERR_INIT;
	int opt, r = 0;

	optind = 1;
	while ((opt = getopt(argc, argv, "+jp")) != -1) {
		switch (opt) {
		case 'j': o.json = true; break;
		case 'p': o.pid = true; break;
		default: return cmd_usage("cloister", "whose", NULL);
		}
	}
	if (argc - optind != 1)
		return cmd_usage("cloister", "whose", "whose what?");
	o.word = argv[optind];
	o.owners = json_array();
	if (zone_inside())
		r = err_set(&e, ENOTSUP, "this command works in the global zone only");
	if (r == 0)
		r = cg_host_find(c, &w.h, &e);
	if (r == 0)
		r = ask(&o, &w, &e);
	if (r == 0 && o.json) {
		json_t *j = json_pack("{s:i, s:s, s:O}", "v", 1, "asked", o.word, "owners", o.owners);
		_free_ char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

		puts(text ? text : "{}");
		json_decref(j);
	} else if (r == 0 && o.n == 0) {
		printf("%s: nobody's\n", o.word);
	}
	json_decref(o.owners);
	zone_pick_done(&w.zones);
	procs_done(&w.ps);
	free(w.a);
	return r < 0 ? cmd_fail(c, &e) : r > 0 ? r : o.n == 0;
}

CMD(cloister_whose, "cloister", "whose", "[-jp] pid|port|:port|port/tcp|port/udp|mac|ip|path", "say whose a process, a port, an address or a path is",
    CMD_FILE, run);
