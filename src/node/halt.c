/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The end of a zone: its processes, its cgroups, how it ended, its run directory. Of a zone that has been killed before
 * the database was opened, all but the last goes on in a thread beside that: one waits for the kernel, the other reads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "node/exit.h"
#include "node/nics.h"
#include "node/vm.h"

/* v's own fields are the command's; the thread has copies. */
struct vm_ending {
	struct ctx *c;
	pthread_t thread;
	struct cg_host cg;
	struct zone_run run;
	char uuid[37];
	int r;
	struct err e;
};

/* killed: as zone_end() has it */
static int end_zone(struct ctx *c, const struct cg_host *cg, const char *uuid, const struct zone_run *killed, struct err *e)
{
	struct err we = ERR_INIT;
	struct zone_run end;
	int w, r = zone_end(c, cg, uuid, killed, &end, e);

	if (r == 0)
		r = failpoint("halt-end", e);
	if (r < 0)
		return r;
	/* before the run directory goes, which knows it till then; and not while the zone's file systems have this to write out */
	w = exit_save(c, uuid, &end, &we);
	if (w < 0 && w != -ENOENT)
		ctx_log(c, LOG_WARN, "exit status of VM %s: %s", uuid, we.msg);
	return 0;
}

static void *ending_run(void *arg)
{
	struct vm_ending *n = arg;

	n->r = end_zone(n->c, &n->cg, n->uuid, &n->run, &n->e);
	return NULL;
}

void vm_halt_start(struct vm *v)
{
	struct vm_ending *n = xalloc(sizeof *n);

	*n = (struct vm_ending){.c = v->c, .cg = v->cg, .run = v->run, .e = ERR_INIT};
	memcpy(n->uuid, v->uuid, sizeof n->uuid);
	/* else vm_halt_zone() does it */
	if (pthread_create(&n->thread, NULL, ending_run, n) != 0)
		free(n);
	else
		v->ending = n;
}

int vm_halt_join(struct vm *v, struct err *e)
{
	struct vm_ending *n = v->ending;
	int r;

	if (!n)
		return 0;
	pthread_join(n->thread, NULL);
	r = n->r;
	if (r < 0 && e)
		*e = n->e;
	free(n);
	v->ending = NULL;
	return r;
}

int vm_halt_zone(struct vm *v, struct err *e)
{
	int r;

	zone_ahead_done(&v->ahead);
	r = vm_need_cg(v, e);
	if (r == 0)
		r = v->ending ? vm_halt_join(v, e) : end_zone(v->c, &v->cg, v->uuid, v->killed ? &v->run : NULL, e);
	if (r == 0)
		r = nics_down(v->c, v->uuid, e);
	if (r == 0)
		r = zone_forget(v->c, v->uuid, e);
	if (r == 0) {
		memset(&v->run, 0, sizeof v->run);
		v->killed = false;
	}
	return r;
}
