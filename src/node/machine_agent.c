/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guest's own agent, asked to hold its file systems still for a moment. It is a program of the guest's: it may lie, refuse and be silent, and
 * costs a command seconds at most. Where QEMU knows that nobody in the guest has its port open, nobody is waited for.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu.h"
#include "model/vm.h"
#include "node/machine.h"

#define ANSWER_MS 5000
#define SYNC_MS   3000
#define FREEZE_MS 10000 /* it writes out what it has */
#define BEHIND_MS 100
#define WAKE_NS   500000000ULL
#define FREEZE    "guest-fsfreeze-freeze"
#define THAW      "guest-fsfreeze-thaw"

/* 1: the guest has the port open. */
static int listens(struct qmp *q, struct err *e)
{
	_json_ json_t *list = NULL;
	const json_t *d;
	size_t i;
	int r = qmp_do(q, "query-chardev", NULL, ANSWER_MS, &list, e);

	if (r < 0)
		return r;
	json_array_foreach(list, i, d)
		if (str_eq(json_string_value(json_object_get(d, "label")), "agent"))
			return json_is_true(json_object_get(d, "frontend-open"));
	return 0;
}

/* args: taken over, NULL = none. */
static int ask(struct vm *v, const char *command, json_t *args, json_t **ret, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" QEMU_AGENT_SOCK, v->c->node.run, v->uuid);
	_qmp_ struct qmp q = QMP_INIT;
	int r = qmp_agent(path, SYNC_MS, &q, e);

	if (r < 0)
		json_decref(args);
	if (r == -ETIME)
		return err_set(e, ETIME, "the guest's agent does not answer");
	if (r == 0)
		r = qmp_do(&q, command, args, FREEZE_MS, ret, e);
	/* it does one thing after the other: who freezes later than we wait thaws right behind that, though nobody is there to ask it then */
	if (r == -ETIME && str_eq(command, FREEZE))
		qmp_do(&q, THAW, NULL, BEHIND_MS, NULL, NULL);
	if (r == -ETIME)
		return err_set(e, ETIME, "the guest's agent did not do %s within %d s", command, FREEZE_MS / 1000);
	return r < 0 ? err_add(e, "the guest's agent") : 0;
}

int machine_agent(struct vm *v, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, ANSWER_MS, &q, e);

	return r < 0 ? r : listens(&q, e);
}

int machine_freeze(struct vm *v, struct err *e)
{
	_json_ json_t *n = NULL;
	int r = ask(v, FREEZE, NULL, &n, e);

	return r == 0 && !json_is_integer(n) ? err_set(e, EPROTO, "the guest's agent says of how many file systems it froze what is no number") : r;
}

int machine_thaw(struct vm *v, struct err *e)
{
	return ask(v, THAW, NULL, NULL, e);
}

int machine_set_clock(struct vm *v, struct qmp *q, struct err *e)
{
	uint64_t until = clock_mono_ns() + WAKE_NS, now;
	int r;

	/* that its port is open a monitor that has read the guest's state knows, and says, when the guest's clock has gone on for a moment */
	while ((r = listens(q, e)) == 0 && (now = clock_mono_ns()) < until)
		qmp_event(q, "VSERPORT_CHANGE", (int)((until - now) / 1000000) + 1, NULL);
	return r <= 0 ? r : ask(v, "guest-set-time", json_pack("{s:I}", "time", (json_int_t)clock_wall_ns()), NULL, e);
}
