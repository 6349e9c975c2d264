/* SPDX-License-Identifier: MPL-2.0 */
#include "net/attach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/bpf.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "kern/tc.h"
#include "net/shape.h"

#define BLOCK  1 /* of all ports whose frames from_vnic judges; 2 and 3 are of shape_wire.c */
#define ANCHOR 1 /* lo, down and without addresses: keeps the block while there is no port */

static const char *const names[] = {[ATTACH_CLSACT] = "clsact", [ATTACH_TCX] = "tcx"};

const char *attach_name(enum net_attach a)
{
	return names[a];
}

/* ---- clsact ---- */

static int clsact_begin(struct net_switch *s, struct err *e)
{
	int r = tc_join(s->rtnl, ANCHOR, BLOCK, e);

	if (r < 0 && r != -EEXIST)
		return r;
	r = tc_program(s->rtnl, BLOCK, s->prog, "from_vnic", e);
	return r < 0 ? r : shape_wires_program(s, e);
}

/* ---- tcx ---- */

/* A link attaches in the network namespace of the caller. */
int attach_tcx(struct net_switch *s, int prog, int ifindex, struct err *e)
{
	_fd_ int home = ns_open(0, "net", e), link = -1;

	if (home < 0)
		return home;
	if (setns(s->ns, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter the switch's network namespace");
	link = bpf_attach_tcx(prog, ifindex, e);
	ns_home(home);
	return link < 0 ? link : take_fd(&link);
}

static int tcx_port(struct net_switch *s, const char *port, int ifindex, struct err *e)
{
	_free_ char *links = xprintf("%s/bpf/links", s->dir);
	_fd_ int link = attach_tcx(s, s->prog, ifindex, e);

	return link < 0 ? link : bpf_pin(link, links, port, e);
}

static int tcx_begin(struct net_switch *s, struct err *e)
{
	_fd_ int link = attach_tcx(s, s->prog, ANCHOR, e);

	return link < 0 ? link : 0;
}

/* ---- which ---- */

static char *chosen_path(const struct net_switch *s)
{
	return xprintf("%s/attach", s->dir);
}

static int begin(struct net_switch *s, enum net_attach a, struct err *e)
{
	int r = a == ATTACH_CLSACT ? clsact_begin(s, e) : tcx_begin(s, e);

	return r < 0 ? err_add(e, "%s", names[a]) : 0;
}

int attach_choose(const struct ctx *c, struct net_switch *s, struct err *e)
{
	_free_ char *path = chosen_path(s);
	enum net_attach first = ATTACH_CLSACT, last = ATTACH_TCX, a;
	struct err why = ERR_INIT;
	int r = -EOPNOTSUPP;

	if (attach_read(s, NULL) == 0)
		return begin(s, s->attach, e);
	for (a = 0; c->node.net_attach[0] && a < ARRAY_LEN(names); a++)
		if (strcmp(c->node.net_attach, names[a]) == 0)
			first = last = a;
	for (a = first; a <= last && r < 0; a++) {
		why = ERR_INIT;
		r = begin(s, a, &why);
		if (r == 0)
			s->attach = a;
	}
	if (r < 0)
		return err_set(e, EOPNOTSUPP, "this kernel puts no program before a port: %s", why.msg);
	return file_replace(path, names[s->attach], strlen(names[s->attach]), 0600, 0, e);
}

int attach_read(struct net_switch *s, struct err *e)
{
	_free_ char *path = chosen_path(s);
	_buf_ struct buf b = BUF_INIT;
	int r = file_read(AT_FDCWD, path, 64, &b, e);

	if (r < 0)
		return r;
	for (enum net_attach a = 0; a < ARRAY_LEN(names); a++)
		if (strcmp(buf_str(&b), names[a]) == 0) {
			s->attach = a;
			return 0;
		}
	return err_set(e, ENOENT, "%s", path);
}

int attach_port(struct net_switch *s, const char *port, int ifindex, struct err *e)
{
	return s->attach == ATTACH_CLSACT ? tc_join(s->rtnl, ifindex, BLOCK, e) : tcx_port(s, port, ifindex, e);
}

void attach_gone(struct net_switch *s, const char *port)
{
	_free_ char *path = s->attach == ATTACH_TCX ? xprintf("%s/bpf/links/%s", s->dir, port) : NULL;

	if (path)
		unlink(path);
}

int attach_sweep(struct net_switch *s, struct err *e)
{
	_free_ char *links = xprintf("%s/bpf/links", s->dir);
	_dir_ DIR *d = s->attach == ATTACH_TCX ? opendir(links) : NULL;
	int n = 0;

	for (struct dirent *de; d && (de = readdir(d));) {
		/* also NAME-new, of a command that was killed between pin and rename: no interface bears that name */
		if (de->d_name[0] == '.' || rtnl_index(s->rtnl, de->d_name, NULL) != -ENODEV)
			continue;
		if (unlinkat(dirfd(d), de->d_name, 0) == 0)
			n++;
	}
	return n;
}
