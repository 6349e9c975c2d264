/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qmigrate.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

#define ANSWER_MS 30000 /* while it writes out its devices it does not listen, and an emulated host is slow */
#define LOOK_MS   20
#define CANCEL_MS 30000
#define NAME      "state"
#define FASTEST   (1LL << 40) /* bytes a second: as fast as the other side takes it */

static int capabilities(struct qmp *q, bool hold, bool slow, struct err *e)
{
	json_t *list = json_pack("[{s:s, s:b}, {s:s, s:b}, {s:s, s:b}]", "capability", "events", "state", 1, "capability", "pause-before-switchover", "state", hold,
				 "capability", "auto-converge", "state", slow);

	return qmp_do(q, "migrate-set-capabilities", json_pack("{s:o}", "capabilities", list), ANSWER_MS, NULL, e);
}

/* *status is of its caller, and "none" where there has been none. */
static int look(struct qmp *q, struct qmigrate_now *now, char status[32], char why[200], struct err *e)
{
	_json_ json_t *m = NULL;
	const json_t *ram;
	const char *text;
	size_t n = 0;
	int r = qmp_do(q, "query-migrate", NULL, ANSWER_MS, &m, e);

	if (r < 0)
		return r;
	snprintf(status, 32, "%s", vm_str(m, "status") ?: "none");
	for (text = vm_str(m, "error-desc") ?: ""; *text && n < 199; text++)
		why[n++] = *text >= 32 && *text < 127 ? *text : '?';
	why[n] = 0;
	ram = json_object_get(m, "ram");
	if (ram) {
		now->total = (uint64_t)vm_int(ram, "total", 0);
		now->sent = (uint64_t)vm_int(ram, "transferred", 0);
		now->left = (uint64_t)vm_int(ram, "remaining", 0);
		now->rounds = (uint64_t)vm_int(ram, "dirty-sync-count", 0);
	}
	now->downtime_ms = (unsigned)vm_int(m, "downtime", 0);
	return 0;
}

static bool over(const char *status)
{
	return str_eq(status, "none") || str_eq(status, "completed") || str_eq(status, "failed") || str_eq(status, "cancelled");
}

static int running(struct qmp *q, bool *runs, struct err *e)
{
	_json_ json_t *s = NULL;
	int r = qmp_do(q, "query-status", NULL, ANSWER_MS, &s, e);

	if (r == 0)
		*runs = json_is_true(json_object_get(s, "running"));
	return r;
}

bool qmigrate_stands(const char *status)
{
	static const char *const words[] = {"paused", "postmigrate", "finish-migrate", "save-vm"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(status, words[i]))
			return true;
	return false;
}

/* One that waits for its first instruction is not for this to let go, and what stopped itself (its disk is full, it is broken) not for this to go on. */
static int go_on(struct qmp *q, struct err *e)
{
	_json_ json_t *s = NULL;
	int r = qmp_do(q, "query-status", NULL, ANSWER_MS, &s, e);

	return r == 0 && qmigrate_stands(vm_str(s, "status")) ? qmp_do(q, "cont", NULL, ANSWER_MS, NULL, e) : r;
}

int qmigrate_undo(struct qmp *q, struct err *e)
{
	uint64_t until = clock_mono_ns() + CANCEL_MS * 1000000ULL;
	struct qmigrate_now now = {0};
	char status[32], why[200];
	int r = qmp_do(q, "migrate_cancel", NULL, ANSWER_MS, NULL, e);

	while (r == 0 && (r = look(q, &now, status, why, e)) == 0 && !over(status)) {
		if (clock_mono_ns() > until)
			return err_set(e, ETIME, "QEMU does not leave off writing out its state");
		qmp_event(q, "MIGRATION", LOOK_MS, NULL);
	}
	return r == 0 ? go_on(q, e) : r;
}

static int begin(struct qmp *q, const char *command, int fd, struct err *e)
{
	int r = qmp_do_fd(q, "getfd", json_pack("{s:s}", "fdname", NAME), fd, ANSWER_MS, NULL, e);

	if (r < 0)
		return r;
	r = qmp_do(q, command, json_pack("{s:s}", "uri", "fd:" NAME), ANSWER_MS, NULL, e);
	if (r < 0)
		qmp_do(q, "closefd", json_pack("{s:s}", "fdname", NAME), ANSWER_MS, NULL, NULL);
	return r;
}

/* Until it is over, one way or the other. */
static int follow(struct qmp *q, const struct qmigrate_opts *o, bool in, bool *held, struct qmigrate_now *now, struct err *e)
{
	uint64_t since = clock_mono_ns();
	int r;

	for (;;) {
		char status[32], why[200];

		r = look(q, now, status, why, e);
		if (r < 0)
			return r;
		now->ms = (unsigned)((clock_mono_ns() - since) / 1000000);
		now->stopped = now->stopped || str_eq(status, "pre-switchover") || str_eq(status, "device") || str_eq(status, "completed");
		r = o->progress ? o->progress(o->arg, now, e) : 0;
		if (r < 0)
			return r;
		if (str_eq(status, "completed"))
			return 0;
		/* one that waits has nothing to say until the first bytes come */
		if (over(status) && !(in && str_eq(status, "none")))
			return err_set(e, EIO, "QEMU did not bring its state across: %s", *why ? why : status);
		if (str_eq(status, "pre-switchover") && !*held) {
			r = o->stopped ? o->stopped(o->arg, e) : 0;
			*held = r == 0;
			if (r == 0)
				r = qmp_do(q, "migrate-continue", json_pack("{s:s}", "state", "pre-switchover"), ANSWER_MS, NULL, e);
		} else if (o->sent_max && now->sent > o->sent_max && !now->stopped) {
			r = qmp_do(q, "stop", NULL, ANSWER_MS, NULL, e);
			now->stopped = true;
		}
		if (r < 0)
			return r;
		/* what it says of itself in between is not waited for longer than this */
		qmp_event(q, "MIGRATION", LOOK_MS, NULL);
	}
}

int qmigrate_out(struct qmp *q, int fd, const struct qmigrate_opts *o, struct qmigrate_now *end, struct err *e)
{
	/* the last two: how much of its time a guest loses that writes faster than the stream takes it (auto-converge), at first and more each round */
	json_t *args = json_pack("{s:I, s:I, s:i, s:i}", "max-bandwidth", o->bandwidth ? (json_int_t)o->bandwidth : (json_int_t)FASTEST, "downtime-limit",
				 (json_int_t)(o->downtime_ms ?: 300), "cpu-throttle-initial", 40, "cpu-throttle-increment", 20);
	struct qmigrate_now now = {0};
	bool ran = false, held = false;
	int r = qmp_do(q, "migrate-set-parameters", args, ANSWER_MS, NULL, e);

	if (r == 0)
		r = capabilities(q, o->hold, o->slow, e);
	if (r == 0)
		r = running(q, &ran, e);
	if (r == 0)
		r = begin(q, "migrate", fd, e);
	if (r == 0) {
		r = follow(q, o, false, &held, &now, e);
		if (r < 0 && ran && !(held && o->stay))
			qmigrate_undo(q, NULL);
	}
	if (r == 0 && end)
		*end = now;
	return r < 0 ? err_add(e, "state of the machine") : 0;
}

int qmigrate_in(struct qmp *q, int fd, const struct qmigrate_opts *o, struct err *e)
{
	struct qmigrate_now now = {0};
	bool held = true;
	int r = capabilities(q, false, false, e);

	if (r == 0)
		r = begin(q, "migrate-incoming", fd, e);
	return r < 0 ? r : follow(q, o, true, &held, &now, e);
}
