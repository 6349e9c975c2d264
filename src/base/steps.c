/* SPDX-License-Identifier: MPL-2.0 */
#include "base/steps.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static int fail_at(const char *name, int after, struct err *e)
{
	const char *f = secure_getenv("CLOISTER_FAIL");
	size_t n = strlen(name);

	if (!f || strncmp(f, name, n))
		return 0;
	f += n;
	if (after && *f++ != '+')
		return 0;
	if (!strcmp(f, ":kill"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(f, ":stop"))
		kill(getpid(), SIGSTOP);
	else if (!strcmp(f, ":error"))
		return err_sys(e, EIO, "failpoint %s", name);
	return 0;
}

int failpoint(const char *name, struct err *e)
{
	return fail_at(name, 0, e);
}

static void undo_from(struct ctx *c, const char *what, const struct step *s, size_t n, void *op, struct err *first)
{
	while (n-- > 0) {
		struct err ue = ERR_INIT;

		if (!s[n].undo)
			continue;
		if (s[n].undo(c, op, &ue) < 0) {
			ctx_log(c, LOG_WARN, "%s: undo of %s: %s", what, s[n].name, ue.msg);
			if (first && first->code == 0)
				*first = ue;
		}
	}
}

int steps_run(struct ctx *c, const char *what, const struct step *s, size_t n, void *op, struct err *e)
{
	uint64_t begin = clock_mono_ns();
	struct err le = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		uint64_t t0 = clock_mono_ns(), t1;
		int r = fail_at(s[i].name, 0, &le);

		if (r == 0)
			r = s[i].run(c, op, &le);
		t1 = clock_mono_ns();
		if (r == 0) {
			r = fail_at(s[i].name, 1, &le);
			ctx_log(c, LOG_DEBUG, "%s: %-16s %8.3f ms", what, s[i].name, (double)(t1 - t0) / 1e6);
			if (r < 0)
				undo_from(c, what, s, i + 1, op, NULL);
		} else {
			/* the failing step's own undo runs too: it may have got half way */
			undo_from(c, what, s, i + 1, op, NULL);
		}
		if (r < 0) {
			ctx_log(c, LOG_INFO, "%s: failed in %s after %.3f ms: %s", what, s[i].name,
				(double)(clock_mono_ns() - begin) / 1e6, le.msg);
			if (e)
				*e = le;
			return r;
		}
	}
	ctx_log(c, LOG_INFO, "%s: done in %.3f ms", what, (double)(clock_mono_ns() - begin) / 1e6);
	return 0;
}

int steps_undo(struct ctx *c, const char *what, const struct step *s, size_t n, void *op, struct err *e)
{
	struct err first = ERR_INIT;

	undo_from(c, what, s, n, op, &first);
	if (first.code == 0)
		return 0;
	if (e)
		*e = first;
	return -first.code;
}
