/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qsize.h"

#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu.h"
#include "model/vm.h"

#define ANSWER_MS 5000

static json_int_t number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 || n > 1LL << 60 ? 0 : n;
}

int qsize_room(struct qmp *q, struct qsize *s, struct err *e)
{
	_json_ json_t *devices = NULL;
	const json_t *d;
	size_t i;
	int r = qmp_do(q, "query-memory-devices", NULL, ANSWER_MS, &devices, e);

	if (r < 0)
		return r;
	s->room = s->asked = s->taken = 0;
	json_array_foreach(devices, i, d)
	{
		d = json_object_get(d, "data");
		if (!str_eq(vm_str(d, "id"), QEMU_ROOM))
			continue;
		s->room = number(d, "max-size");
		s->asked = number(d, "requested-size");
		s->taken = number(d, "size");
	}
	return 0;
}

int qsize_memory(struct qmp *q, struct qsize *s, struct err *e)
{
	_json_ json_t *sum = NULL;
	int r = qmp_do(q, "query-memory-size-summary", NULL, ANSWER_MS, &sum, e);

	if (r == 0)
		r = qsize_room(q, s, e);
	if (r == 0)
		s->base = number(sum, "base-memory");
	return r;
}

int qsize_cpus(struct qmp *q, struct qsize *s, struct err *e)
{
	const json_t *c;
	size_t i;
	int r;

	qsize_done(s);
	r = qmp_do(q, "query-hotpluggable-cpus", NULL, ANSWER_MS, &s->list, e);
	s->cpus = 0;
	s->cpus_most = json_array_size(s->list);
	if (r == 0 && s->cpus_most > QSIZE_CPUS)
		return err_set(e, EPROTO, "QEMU says that it has more than %d processors", QSIZE_CPUS);
	json_array_foreach(s->list, i, c)
		s->cpus += json_object_get(c, "qom-path") != NULL;
	return r;
}

void qsize_done(struct qsize *s)
{
	json_decref(s->list);
	s->list = NULL;
}

static json_int_t part(const json_t *place, const char *key)
{
	return number(place, key) & (QSIZE_CPUS - 1);
}

static json_int_t order(const json_t *c)
{
	const json_t *p = json_object_get(c, "props");

	return part(p, "socket-id") << 40 | part(p, "die-id") << 30 | part(p, "core-id") << 10 | part(p, "thread-id");
}

const json_t *qsize_place(const struct qsize *s, bool there)
{
	const json_t *c, *best = NULL;
	json_int_t best_at = 0;
	size_t i;

	json_array_foreach(s->list, i, c)
	{
		json_int_t at = order(c);

		if ((json_object_get(c, "qom-path") != NULL) != there || (best && (there ? at < best_at : at > best_at)))
			continue;
		best = c;
		best_at = at;
	}
	return best;
}

json_t *qsize_cores(const struct qsize *s)
{
	bool there[QSIZE_CPUS] = {false};
	json_t *cores;
	const json_t *c;
	size_t i;

	json_array_foreach(s->list, i, c)
	{
		const json_t *p = json_object_get(c, "props");
		json_int_t at = number(p, "core-id");

		if (at >= QSIZE_CPUS || order(c) != at << 10)
			return NULL;
		if (json_object_get(c, "qom-path"))
			there[at] = true;
	}
	cores = json_array();
	for (i = 0; i < QSIZE_CPUS; i++)
		if (there[i])
			json_array_append_new(cores, json_integer((json_int_t)i));
	return cores;
}
