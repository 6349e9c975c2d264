/* SPDX-License-Identifier: MPL-2.0 */
#include "node/commit.h"

#include "base/err.h"

static void *commit_run(void *arg)
{
	struct commit *m = arg;

	state_borrow(m->st);
	m->r = state_end(m->st, 0, &m->e);
	state_borrow(NULL);
	return NULL;
}

void commit_start(struct commit *m, struct state *st)
{
	m->st = st;
	m->e = ERR_INIT;
	state_lend(st, true);
	m->running = pthread_create(&m->thread, NULL, commit_run, m) == 0;
	if (m->running)
		return;
	commit_run(m);
	state_lend(st, false); /* there is no thread that has it */
}

int commit_join(struct commit *m, struct err *e)
{
	if (m->running)
		pthread_join(m->thread, NULL);
	if (m->st)
		state_lend(m->st, false);
	m->running = false;
	m->st = NULL;
	if (m->r < 0 && e)
		*e = m->e;
	return m->r;
}
