/* SPDX-License-Identifier: MPL-2.0 */
/* nftables is run, not linked (its library is GPL). */
#include "net/nat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/netns.h"
#include "kern/nft.h"
#include "kern/rtnl.h"

static const char *nft(void)
{
	static const char *const at[] = {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"};

	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (access(at[i], X_OK) == 0)
			return at[i];
	return NULL;
}

static int load(int ns, const char *rules, struct err *e)
{
	const char *prog = nft();
	char *argv[] = {(char *)prog, (char *)"-f", (char *)"-", NULL};
	int r;

	if (!prog) {
		err_set(e, ENOENT, "nat needs nftables, and there is no nft here");
		return err_hint(e, "Install the package nftables.");
	}
	r = netns_run(ns, argv, rules, NULL, e);
	return r > 0 ? -EIO : r;
}

/* ---- the pair ---- */

static int end_up(int s, const char *name, const uint8_t ip[4], struct err *e)
{
	int index = rtnl_index(s, name, e), r = index;

	if (r > 0)
		r = rtnl_address(s, index, AF_INET, ip, 30, e);
	if (r == 0)
		r = rtnl_up(s, index, true, e);
	return r < 0 ? r : index;
}

static int pair(const struct nat *n, int router_ns, struct err *e)
{
	struct rtnl_veth v = {.name = n->host_if, .peer = NAT_UPLINK, .peer_ns = router_ns};
	_fd_ int host = rtnl_open(e), router = host < 0 ? -1 : rtnl_open_in(router_ns, e);
	int r = router < 0 ? -1 : 0;

	if (r < 0)
		return -EIO;
	if (rtnl_index(router, NAT_UPLINK, NULL) < 0)
		r = rtnl_veth(host, &v, e);
	if (r == 0)
		r = end_up(host, n->host_if, n->host_ip, e);
	if (r > 0)
		r = end_up(router, NAT_UPLINK, n->router_ip, e);
	return r < 0 ? r : rtnl_route(router, r, AF_INET, NULL, 0, n->host_ip, e);
}

static int forward_on(void *arg)
{
	return file_write(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1", NULL);
}

/* ---- forwarding at the host: of the pair's end, and of the interfaces of its default routes while it forwards nothing ---- */

static bool is_one(const char *path)
{
	_buf_ struct buf b = BUF_INIT;

	return file_read(AT_FDCWD, path, 16, &b, NULL) == 0 && buf_str(&b)[0] == '1';
}

static char *conf(const char *dev)
{
	return xprintf("/proc/sys/net/ipv4/conf/%s/forwarding", dev);
}

static void each_default(void (*each)(const char *dev, void *arg), void *arg)
{
	_buf_ struct buf b = BUF_INIT;
	char *save = NULL, dev[16];
	uint32_t to, mask, flags;

	if (file_read(AT_FDCWD, "/proc/self/net/route", 4 << 20, &b, NULL) < 0)
		return;
	for (char *line = b.p ? strtok_r(b.p, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%15s %x %*x %x %*d %*d %*d %x", dev, &to, &flags, &mask) == 4 && to == 0 && mask == 0 && (flags & 1) && !strchr(dev, '/'))
			each(dev, arg);
}

static void find_off(const char *dev, void *arg)
{
	_free_ char *path = conf(dev);

	if (!is_one(path))
		buf_printf(arg, "%s\n", dev);
}

static int turn_on(char *list)
{
	char *save = NULL;
	int r = 0;

	for (char *dev = list ? strtok_r(list, "\n", &save) : NULL; dev && r == 0; dev = strtok_r(NULL, "\n", &save)) {
		_free_ char *path = conf(dev);

		r = file_write(AT_FDCWD, path, "1", NULL);
	}
	return r;
}

/* Noted first, then turned on: a command that is killed between the two leaves nothing on that nobody turns off. */
static int forwarding(const struct nat *n, const char *dir, struct err *e)
{
	_free_ char *own = conf(n->host_if), *note = xprintf("%s/forwarding", dir);
	_buf_ struct buf off = BUF_INIT, list = BUF_INIT;
	int r = file_write(AT_FDCWD, own, "1", e);

	if (r < 0)
		return r;
	if (!is_one("/proc/sys/net/ipv4/ip_forward"))
		each_default(find_off, &off);
	if (!off.len)
		return 0;
	file_read(AT_FDCWD, note, 4096, &list, NULL);
	buf_puts(&list, off.p);
	r = file_replace(note, list.p, list.len, 0600, 0, e);
	if (r == 0 && (r = turn_on(off.p)) < 0)
		r = err_sys(e, r, "turn on forwarding of an interface of the default route");
	return r;
}

/* Somebody who has turned on forwarding of the whole host meanwhile counts on it. */
static void forwarding_back(const char *dir)
{
	_free_ char *note = xprintf("%s/forwarding", dir);
	_buf_ struct buf b = BUF_INIT;
	char *save = NULL;

	if (file_read(AT_FDCWD, note, 4096, &b, NULL) < 0)
		return;
	for (char *dev = b.p && !is_one("/proc/sys/net/ipv4/ip_forward") ? strtok_r(b.p, "\n", &save) : NULL; dev; dev = strtok_r(NULL, "\n", &save)) {
		_free_ char *path = conf(dev);

		file_write(AT_FDCWD, path, "0", NULL);
	}
	unlink(note);
}

/* ---- */

/* The host's rules stand before its end of the pair is there: nothing of a zone's comes by it unlooked at. */
int nat_up(const struct nat *n, const char *dir, int router_ns, struct err *e)
{
	_buf_ struct buf router = BUF_INIT, host = BUF_INIT;
	_free_ char *note = xprintf("%s/nat", dir);
	int r;

	nat_router_rules(n, &router);
	nat_host_rules(n, &host);
	r = load(router_ns, buf_str(&router), e);
	/* from here on there is something to take away at the host, or may be */
	if (r == 0)
		r = file_replace(note, n->host_if, strlen(n->host_if), 0600, 0, e);
	if (r == 0)
		r = load(-1, buf_str(&host), e);
	if (r == 0)
		r = pair(n, router_ns, e);
	if (r == 0)
		r = netns_do(router_ns, forward_on, NULL, e);
	if (r == 0)
		r = forwarding(n, dir, e);
	return r < 0 ? err_add(e, "nat") : 0;
}

int nat_refresh(const struct nat *n, const char *dir, struct err *e)
{
	_free_ char *note = xprintf("%s/nat", dir);
	int r;

	if (access(note, F_OK) < 0)
		return 0;
	r = forwarding(n, dir, e);
	if (r < 0)
		return err_add(e, "nat");
	return nft_has_table(n->table, NULL) == 0;
}

int nat_down(const struct nat *n, const char *dir, int router_ns, struct err *e)
{
	_free_ char *note = xprintf("%s/nat", dir), *away = xprintf("table inet %s {\n}\ndelete table inet %s\n", n->table, n->table);
	_fd_ int s = -1;
	int r, index;

	if (access(note, F_OK) < 0)
		return 0;
	s = rtnl_open(e);
	index = s < 0 ? s : rtnl_index(s, n->host_if, NULL);
	r = s < 0 ? s : index > 0 ? rtnl_delete(s, index, e) : 0;
	if (r == 0)
		forwarding_back(dir);
	if (r == 0)
		r = load(-1, away, e);
	if (r == 0 && router_ns >= 0)
		r = load(router_ns, "table inet cloister {\n}\ndelete table inet cloister\n", e);
	if (r == 0 && unlink(note) < 0 && errno != ENOENT)
		r = err_sys(e, errno, "%s", note);
	return r < 0 ? err_add(e, "nat") : 0;
}

struct look {
	const struct nat *n;
	struct buf *out;
	unsigned routes;
};

static void look_at(const char *dev, void *arg)
{
	_free_ char *path = conf(dev);
	struct look *l = arg;

	l->routes++;
	if (!is_one(path))
		buf_printf(l->out, "forwarding of %s is off, which a default route of this host goes by: set the sysctl net.ipv4.conf.%s.forwarding=1, "
				   "or net.ipv4.ip_forward=1\n",
			   dev, dev);
}

int nat_look(const struct nat *n, struct buf *out, struct err *e)
{
	char *argv[] = {(char *)nft(), (char *)"-j", (char *)"list", (char *)"ruleset", NULL};
	_buf_ struct buf json = BUF_INIT, legacy = BUF_INIT;
	struct look l = {n, out, 0};
	int r;

	each_default(look_at, &l);
	if (l.routes == 0)
		buf_puts(out, "this host has no default route: zones reach what it reaches, and nothing beyond\n");
	if (!argv[0])
		return err_set(e, ENOENT, "there is no nft here");
	r = netns_run(-1, argv, NULL, &json, e);
	if (r < 0)
		return r;
	if (r == 0 && !nat_look_table(buf_str(&json), n->table))
		buf_printf(out, "table inet %s of nftables is not there (as after `flush ruleset`), and zones reach this host's own services: `cloister net set "
				"TAG nat=on` loads it again\n",
			   n->table);
	if (r == 0)
		nat_look_rules(buf_str(&json), n->host_if, out);
	if (file_read(AT_FDCWD, "/proc/self/net/ip_tables_names", 4096, &legacy, NULL) == 0 && strstr(buf_str(&legacy), "filter"))
		buf_printf(out, "this host has rules of iptables-legacy, which are not looked into: iptables-legacy -S FORWARD must let %s pass both ways\n",
			   n->host_if);
	return 0;
}
