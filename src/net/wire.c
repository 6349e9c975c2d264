/* SPDX-License-Identifier: MPL-2.0 */
#include "net/wire.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "net/port.h"

/* Few and seldom: a link of its own each, that an upgrade finds by its program's name. It attaches in the caller's network namespace. */
static int attach(struct net_switch *s, const struct wire *w, int index, struct err *e)
{
	_free_ char *bpf = xprintf("%s/bpf", s->dir), *links = xprintf("%s/bpf/links", s->dir);
	_fd_ int home = ns_open(0, "net", e), prog = -1, link = -1;

	if (home < 0)
		return home;
	prog = bpf_open(bpf, w->program, e);
	if (prog < 0)
		return prog;
	if (setns(s->ns, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter the switch's network namespace");
	link = bpf_attach_tcx(prog, index, e);
	ns_home(home);
	return link < 0 ? link : bpf_pin(link, links, w->port, e);
}

int wire_port(struct net_switch *s, const struct wire *w, int index, struct err *e)
{
	struct sw_port p = {.sw = w->id << 12, .flags = PORT_L2 | PORT_OUTSIDE, .vnic = w->number, .lists = (uint32_t)index}, old;
	_free_ struct sw_count *zero = calloc((size_t)bpf_cpus(), sizeof *zero);
	uint32_t key = (uint32_t)index;
	int r = 0;

	memcpy(p.mac, w->mac, 6);
	if (bpf_get(s->map[SWM_PORTS], &key, &old, NULL) == 0)
		return 0;
	if (!zero)
		return err_sys(e, ENOMEM, "counters");
	r = attach(s, w, index, e);
	if (r == 0)
		r = bpf_put(s->map[SWM_COUNTERS], &key, zero, e);
	return r < 0 ? r : bpf_put(s->map[SWM_PORTS], &key, &p, e);
}

int wire_set(struct net_switch *s, uint32_t id, const struct sw_wire *w, struct err *e)
{
	return bpf_put(s->map[SWM_WIRES], &id, w, e);
}

int wire_join(struct net_switch *s, const struct wire *w, int index, struct err *e)
{
	struct sw_wire to = {.kind = w->kind, .ifindex = (uint32_t)index};

	return wire_set(s, w->id, &to, e);
}

int wire_leave(struct net_switch *s, uint32_t id, const char *port, int index, struct err *e)
{
	_free_ char *pin = xprintf("%s/bpf/links/%s", s->dir, port);
	int r = bpf_del(s->map[SWM_WIRES], &id, e);

	if (r < 0 || index <= 0)
		return r;
	/* without its program it would hand frames to the namespace's own stack */
	r = rtnl_up(s->rtnl, index, false, e);
	if (r == 0)
		r = port_forget(s, (uint32_t)index, e);
	if (r == 0)
		unlink(pin);
	return r;
}
