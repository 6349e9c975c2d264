/* SPDX-License-Identifier: MPL-2.0 */
/* The two shaper wires of a switch: veth pairs whose near ends have HTB, and whose far ends have a program (bpf/shape.h). */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "kern/bpf.h"
#include "kern/qdisc.h"
#include "kern/rtnl.h"
#include "kern/tc.h"
#include "net/attach.h"
#include "net/shape.h"

#define MTU    65535 /* never the narrowest place */
#define FRAMES 256   /* small ones that wait in one class: a queue that no limit in bytes was given takes as many as the interface says */

struct wire {
	const char *near, *far, *prog;
	uint32_t block; /* where the program is a clsact filter */
};

static const struct wire out_wire = {"shaper-out0", "shaper-out1", "from_wire_out", 2}, in_wire = {"shaper-in0", "shaper-in1", "from_wire_in", 3};

static int far_end(struct net_switch *s, const struct wire *w, const char *pins, struct err *e)
{
	_free_ char *bpf = xprintf("%s/bpf", s->dir);
	_fd_ int prog = bpf_open(bpf, w->prog, e), link = -1;
	int r = prog < 0 ? prog : rtnl_index(s->rtnl, w->far, e), far = r;

	if (r > 0 && s->attach == ATTACH_TCX)
		r = link = attach_tcx(s, prog, far, e);
	else if (r > 0)
		r = tc_join(s->rtnl, far, w->block, e);
	if (r >= 0 && s->attach == ATTACH_CLSACT)
		r = tc_program(s->rtnl, w->block, prog, w->prog, e);
	if (r >= 0)
		r = rtnl_up(s->rtnl, far, true, e);
	/* the program itself where there is no link: what is pinned says that the wire is whole */
	return r < 0 ? r : bpf_pin(link >= 0 ? link : prog, pins, w->prog, e);
}

/* A half-made one is taken away first: its pin, which comes last, says that it is whole. */
static int make(struct net_switch *s, const struct wire *w, const char *pins, struct err *e)
{
	struct rtnl_veth v = {.name = w->near, .peer = w->far, .peer_ns = -1, .mtu = MTU, .txqlen = FRAMES};
	int near = rtnl_index(s->rtnl, w->near, NULL), r;

	r = near > 0 ? rtnl_delete(s->rtnl, near, e) : 0;
	if (r == 0)
		r = rtnl_veth(s->rtnl, &v, e);
	if (r == 0)
		r = near = rtnl_index(s->rtnl, w->near, e);
	if (r > 0)
		r = qdisc_htb(s->rtnl, near, e);
	if (r == 0)
		r = rtnl_up(s->rtnl, near, true, e);
	if (r == 0)
		r = far_end(s, w, pins, e);
	if (r < 0 && near > 0)
		rtnl_delete(s->rtnl, near, NULL);
	return r < 0 ? r : near;
}

static int one(struct net_switch *s, const struct wire *w, const char *pins, struct err *e)
{
	_free_ char *pin = xprintf("%s/%s", pins, w->prog);
	int near = access(pin, F_OK) == 0 ? rtnl_index(s->rtnl, w->near, NULL) : -ENOENT;

	return near > 0 ? near : make(s, w, pins, e);
}

int shape_wires(struct net_switch *s, uint32_t *out, uint32_t *in, struct err *e)
{
	_free_ char *pins = xprintf("%s/bpf/shapers", s->dir);
	int r = dir_make(pins, 0700, e), o;

	if (r == 0)
		r = one(s, &out_wire, pins, e);
	o = r;
	if (r > 0)
		r = one(s, &in_wire, pins, e);
	if (r < 0)
		return err_add(e, "shaper wire");
	*out = (uint32_t)o;
	*in = (uint32_t)r;
	return 0;
}

int shape_wires_program(struct net_switch *s, struct err *e)
{
	_free_ char *bpf = xprintf("%s/bpf", s->dir);
	const struct wire *const all[] = {&out_wire, &in_wire};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(all); i++) {
		_fd_ int prog = -1;

		if (rtnl_index(s->rtnl, all[i]->far, NULL) < 0)
			continue;
		prog = bpf_open(bpf, all[i]->prog, e);
		r = prog < 0 ? prog : tc_program(s->rtnl, all[i]->block, prog, all[i]->prog, e);
	}
	return r;
}
