/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qmirror.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

#define ANSWER_MS 30000
#define END_MS    60000 /* to write out what is under way, and to have it flushed there */
#define LOOK_MS   5
#define JOB       "mirror-"
#define NODE      "to-"

int qmirror_begin(struct qmp *q, const char *disk, int fd, uint64_t speed, struct err *e)
{
	_free_ char *node = xprintf(NODE "%s", disk), *job = xprintf(JOB "%s", disk);
	json_t *args;
	int r = qmp_do_fd(q, "getfd", json_pack("{s:s}", "fdname", node), fd, ANSWER_MS, NULL, e);

	/* what is a hole, or zeroes, is one there too */
	args = json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s}", "driver", "nbd", "node-name", node, "server", "type", "fd", "str", node, "export", disk,
			 "discard", "unmap", "detect-zeroes", "unmap");
	if (r == 0)
		r = qmp_do(q, "blockdev-add", json_incref(args), ANSWER_MS, NULL, e);
	json_decref(args);
	if (r == 0)
		r = qmp_do(q, "blockdev-mirror",
			   json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:b}", "job-id", job, "device", disk, "target", node, "sync", "full", "copy-mode",
				     "write-blocking", "speed", (json_int_t)speed, "auto-dismiss", 0),
			   ANSWER_MS, NULL, e);
	return r < 0 ? err_add(e, "mirror %s", disk) : 0;
}

/* Ours of all its jobs. New reference. */
static int jobs(struct qmp *q, json_t **out, struct err *e)
{
	_json_ json_t *all = NULL;
	const json_t *j;
	size_t i;
	int r = qmp_do(q, "query-jobs", NULL, ANSWER_MS, &all, e);

	if (r < 0)
		return r;
	*out = json_array();
	json_array_foreach(all, i, j)
		if (vm_str(j, "id") && str_starts(vm_str(j, "id"), JOB))
			json_array_append(*out, (json_t *)j);
	return 0;
}

static bool over(const json_t *job)
{
	const char *s = vm_str(job, "status") ?: "";

	return str_eq(s, "concluded") || str_eq(s, "null") || str_eq(s, "aborting");
}

static void printable(const char *s, char out[200])
{
	size_t n = 0;

	for (; *s && n < 199; s++)
		out[n++] = *s >= 32 && *s < 127 ? *s : '?';
	out[n] = 0;
}

static int failed(const json_t *job, struct err *e)
{
	char why[200], name[200];

	printable(vm_str(job, "error") ?: "the link was cut", why);
	printable(vm_str(job, "id"), name);
	return err_set(e, EIO, "%s: %s", name, why);
}

int qmirror_look(struct qmp *q, struct qmirror_now *now, struct err *e)
{
	_json_ json_t *list = NULL;
	struct qmirror_now n = {0};
	const json_t *j;
	size_t i;
	int r = jobs(q, &list, e);

	json_array_foreach(list, i, j)
	{
		if (over(j))
			return failed(j, e);
		n.jobs++;
		n.level += str_eq(vm_str(j, "status"), "ready");
		n.done += (uint64_t)vm_int(j, "current-progress", 0);
		n.total += (uint64_t)vm_int(j, "total-progress", 0);
	}
	if (r == 0)
		*now = n;
	return r;
}

/* Each is asked to end, by force or when it is level; until all have. A job that failed on the way is an error where it mattered. */
static int end(struct qmp *q, bool force, struct err *e)
{
	uint64_t until = clock_mono_ns() + END_MS * 1000000ULL;
	bool asked = false, bad = false;
	struct err why = ERR_INIT;

	for (;;) {
		_json_ json_t *list = NULL;
		size_t left = 0, i;
		const json_t *j;
		int r = jobs(q, &list, e);

		if (r < 0)
			return r;
		json_array_foreach(list, i, j)
		{
			const char *id = vm_str(j, "id");

			if (str_eq(vm_str(j, "status"), "concluded")) {
				if (vm_str(j, "error") && !force && !bad) {
					bad = true;
					failed(j, &why);
				}
				r = qmp_do(q, "job-dismiss", json_pack("{s:s}", "id", id), ANSWER_MS, NULL, e);
			} else if (!asked) {
				left++;
				r = qmp_do(q, "block-job-cancel", json_pack("{s:s, s:b}", "device", id, "force", force), ANSWER_MS, NULL, e);
			} else {
				left++;
			}
			if (r < 0 && r != -EREMOTEIO) /* it has ended in between */
				return r;
			if (clock_mono_ns() > until)
				return err_set(e, ETIME, "QEMU does not bring its disks' mirrors to an end");
		}
		asked = true;
		if (left == 0)
			break;
		if (clock_mono_ns() > until)
			return err_set(e, ETIME, "QEMU does not bring its disks' mirrors to an end");
		qmp_event(q, "JOB_STATUS_CHANGE", LOOK_MS, NULL);
	}
	if (bad && e)
		*e = why;
	return bad ? -EIO : 0;
}

/* The connections. */
static int drop_nodes(struct qmp *q, struct err *e)
{
	_json_ json_t *nodes = NULL;
	const json_t *n;
	uint64_t until = clock_mono_ns() + END_MS * 1000000ULL;
	size_t i;
	int r = qmp_do(q, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), ANSWER_MS, &nodes, e);

	json_array_foreach(nodes, i, n)
	{
		const char *name = vm_str(n, "node-name");

		if (r == 0 && clock_mono_ns() > until)
			return err_set(e, ETIME, "QEMU does not let go of its disks' mirrors");
		if (r == 0 && name && str_starts(name, NODE))
			r = qmp_do(q, "blockdev-del", json_pack("{s:s}", "node-name", name), ANSWER_MS, NULL, e);
	}
	return r;
}

int qmirror_end(struct qmp *q, struct err *e)
{
	int r = end(q, false, e);

	return r < 0 ? r : drop_nodes(q, e);
}

int qmirror_undo(struct qmp *q, struct err *e)
{
	int r = end(q, true, e);

	return r < 0 ? r : drop_nodes(q, e);
}

int qmirror_serve(struct qmp *q, int listening, unsigned clients, struct err *e)
{
	int r = qmp_do_fd(q, "getfd", json_pack("{s:s}", "fdname", "mirrors"), listening, ANSWER_MS, NULL, e);

	if (r == 0)
		r = qmp_do(q, "nbd-server-start",
			   json_pack("{s:{s:s, s:{s:s}}, s:i}", "addr", "type", "fd", "data", "str", "mirrors", "max-connections", (int)clients), ANSWER_MS,
			   NULL, e);
	return r;
}

int qmirror_export(struct qmp *q, const char *disk, struct err *e)
{
	return qmp_do(q, "block-export-add",
		      json_pack("{s:s, s:s, s:s, s:s, s:b}", "type", "nbd", "id", disk, "node-name", disk, "name", disk, "writable", 1), ANSWER_MS, NULL, e);
}

int qmirror_unserve(struct qmp *q, struct err *e)
{
	return qmp_do(q, "nbd-server-stop", NULL, ANSWER_MS, NULL, e);
}
