/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/steps.h"
#include "hvm/qdisk.h"
#include "model/vm.h"
#include "node/disks.h"
#include "node/migrate_in.h"

#define AGREE_MS 30000
#define LOOK_MS  50

int migrate_disks_check(struct vm *v, uint64_t *bytes, struct err *e)
{
	json_t *d;
	size_t i;

	*bytes = 0;
	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		_free_ char *path = disk_path(v->c, v->rec, d);
		struct stat st;

		if (qdisk_number(v->rec, d) < 0 || qdisk_cdrom(d)) {
			err_set(e, ENOTSUP, "disks.%zu: %s is a file of this host, which can't come along", i, path);
			return err_hint(e, "Take it away first: vmadm update %s <<< '{\"remove_disks\": [\"%s\"]}'", v->uuid, path);
		}
		if (stat(path, &st) < 0)
			return err_sys(e, errno, "disks.%zu: %s", i, path);
		*bytes += (uint64_t)st.st_blocks * 512;
	}
	return 0;
}

int migrate_stream(struct ctx *c, const struct migrate_mark *to, enum migmsg_word word, const char *node, struct peer *p, struct err *e)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	int r = peer_connect(c, to->where, p, e);

	if (r < 0)
		return r;
	/* who else is known here, and stands on the way, gets neither the session's name nor a byte of the guest's */
	r = wire_same(p, to->print, e);
	if (r == 0)
		r = wire_say(p->fd, word, json_pack("{s:s, s:s*}", "session", to->session, "node", node), e);
	if (r == 0)
		r = wire_hear_last(p->fd, AGREE_MS, &m, e);
	if (r == 0 && m.word != MIG_OK)
		r = wire_refused(&m, e);
	if (r < 0)
		peer_close(p);
	return r < 0 ? err_add(e, "a connection for %s", node ?: word == MIG_MEMORY ? "its memory" : "them") : 0;
}

static int begin(struct migrate_mirrors *m, struct err *e)
{
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(m->v->rec, "disks"), i, d)
	{
		_peer_ struct peer p = PEER_INIT;
		qdisk_name name;
		int r;

		qdisk_name_of(m->v->rec, d, name);
		r = migrate_stream(m->v->c, m->to, MIG_DISK, name, &p, e);
		if (r == 0)
			r = qmirror_begin(m->q, name, p.fd, m->bandwidth, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int migrate_mirror(struct migrate_mirrors *m, struct err *e)
{
	struct qmirror_now now = {0};
	int r = begin(m, e);

	if (r == 0)
		r = failpoint("migrate-mirrors", e);
	while (r == 0) {
		r = qmirror_look(m->q, &now, e);
		m->bytes = now.done;
		if (r < 0 || now.level == now.jobs)
			break;
		r = m->each(m->arg, now.done, now.total, e);
		if (r == 0)
			qmp_event(m->q, "BLOCK_JOB_READY", LOOK_MS, NULL);
	}
	return r < 0 ? err_add(e, "its disks") : 0;
}
