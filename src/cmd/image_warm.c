/* SPDX-License-Identifier: MPL-2.0 */
/* cloister image-warm: what `vmadm create` leaves behind, so that the next create finds a clone ready. */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "image/warm.h"
#include "kern/cgroup.h"

static int refill(struct ctx *c, const char *uuid, bool private, struct err *e)
{
	_fd_ int lock = image_lock(c, uuid, true, false, e);
	struct image i = IMAGE_INIT;
	struct state *st = NULL;
	struct store *s = NULL;
	int r = lock < 0 ? lock : state_open(c, STATE_READ, &st, e);

	if (r == 0)
		r = store_open(c, &s, e);
	if (r == 0)
		r = image_get(c, st, uuid, NULL, &i, e);
	if (r == 0)
		r = warm_refill(c, s, &i, private, e);
	image_done(&i);
	store_close(&s);
	state_close(&st);
	return r;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct cg_host h;

	if (argc != 3 || !uuid_valid(argv[1]) || (strcmp(argv[2], "private") && strcmp(argv[2], "shared")))
		return cmd_usage("cloister", argv[0], NULL);
	/* beside the supervisors: it must not die with the session that made a VM */
	if (cg_host_find(c, &h, &e) < 0 || cg_join(&h, CG_PLACE_SUP, NULL, getpid(), &e) < 0)
		return cmd_fail(c, &e);
	setpriority(PRIO_PROCESS, 0, 10);
	return refill(c, argv[1], !strcmp(argv[2], "private"), &e) < 0 ? cmd_fail(c, &e) : 0;
}

CMD_INTERNAL(cloister_image_warm, "cloister", "image-warm", "<image> shared|private", "for `vmadm create`: keep a few clones of an image ready",
    CMD_IMAGE, run);
