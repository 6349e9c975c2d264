/* SPDX-License-Identifier: MPL-2.0 */
#include "node/event.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup.h"
#include "kern/kmsg.h"
#include "node/outside.h"
#include "state/state.h"

#define VICTIMS 8 /* named in one event */
#define IDS     65536

static bool kind_valid(const char *kind)
{
	size_t n = strspn(kind, "abcdefghijklmnopqrstuvwxyz-");

	return n > 0 && n < 24 && !kind[n];
}

/* Its pid inside, if it has not been waited for yet: of that name still, and in that zone's cgroup. */
static int pid_inside(const struct cg_host *h, const char *uuid, const struct oom_kill *k)
{
	_buf_ struct buf b = BUF_INIT;
	const char *ns, *end;
	char path[40];
	size_t n = strlen(k->name);

	snprintf(path, sizeof path, "/proc/%d/status", (int)k->pid);
	if (!cg_zone_has(h, uuid, k->pid) || file_read(AT_FDCWD, path, 1 << 16, &b, NULL) < 0)
		return 0;
	if (strncmp(buf_str(&b), "Name:\t", 6) || strncmp(buf_str(&b) + 6, k->name, n) || buf_str(&b)[6 + n] != '\n')
		return 0;
	ns = strstr(buf_str(&b), "\nNSpid:\t");
	if (!ns)
		return 0;
	end = strchrnul(ns + 1, '\n');
	while (end > ns && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return atoi(end);
}

static json_t *victim(const struct cg_host *h, const char *uuid, const struct oom_kill *k, uint32_t id_base)
{
	int inside = h ? pid_inside(h, uuid, k) : 0;
	json_t *j = json_pack("{s:s, s:i, s:i, s:I}", "name", k->name, "host_pid", (int)k->pid, "uid", (int)(k->uid - id_base), "bytes",
			      (json_int_t)k->bytes);

	if (j && inside)
		json_object_set_new(j, "pid", json_integer(inside));
	if (j && k->host)
		json_object_set_new(j, "host_out_of_memory", json_true());
	return j;
}

/* Who was killed, how large it was, and at which limit. What can't be had is left out: the event itself must not be lost. */
static void add_oom(struct ctx *c, const char *uuid, uint32_t id_base, uint64_t count, json_t *d)
{
	struct oom_kill k[VICTIMS];
	struct cg_usage u;
	struct cg_host h;
	bool cg = cg_host_known(c, &h, NULL) == 0;
	int n = kmsg_oom_last(uuid, id_base, IDS, k, count < VICTIMS ? (size_t)count : VICTIMS);
	json_t *list = json_array();

	if (cg && cg_usage(&h, uuid, &u, NULL) == 0) {
		if (u.mem_limit != UINT64_MAX)
			json_object_set_new(d, "limit", json_integer((json_int_t)u.mem_limit));
		if (u.swap_limit != UINT64_MAX)
			json_object_set_new(d, "limit_with_swap", json_integer((json_int_t)u.swap_limit));
	}
	for (int i = 0; i < n; i++)
		json_array_append_new(list, victim(cg ? &h : NULL, uuid, &k[i], id_base));
	if (n > 0)
		json_object_set(d, "victims", list);
	json_decref(list);
}

static void add_lwps(struct ctx *c, const char *uuid, json_t *d)
{
	struct cg_usage u;
	struct cg_host h;

	if (cg_host_known(c, &h, NULL) == 0 && cg_usage(&h, uuid, &u, NULL) == 0 && u.pids_limit != UINT64_MAX)
		json_object_set_new(d, "limit", json_integer((json_int_t)u.pids_limit));
}

/* The node's, not the zone's whose worker has looked. It is told once, whichever worker is the next to look. */
static int pool_space(struct state *st, const json_t *d, struct err *e)
{
	_free_ char *was = NULL;
	char level[24];
	int r = state_begin(st, e);

	if (r < 0)
		return r;
	snprintf(level, sizeof level, "%lld", (long long)json_integer_value(json_object_get(d, "level")));
	r = state_kv_get(st, "pool_level", &was, e);
	if (r == 0 || r == -ENOENT)
		r = str_eq(was ?: "0", level) ? 0 : state_event(st, "pool-space", NULL, d, e);
	if (r == 0)
		r = state_kv_set(st, "pool_level", level, e);
	return state_end(st, r, e);
}

int event_zone(struct ctx *c, const char *uuid, const char *kind, uint64_t count, const char *detail, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	json_t *d = detail ? json_loads(detail, JSON_REJECT_DUPLICATES, NULL) : json_object();
	uint32_t id_base = 0;
	int r = 0;

	if (!kind_valid(kind))
		r = err_set(e, EINVAL, "\"%.64s\" is not a kind of event", kind);
	else if (!json_is_object(d))
		r = err_set(e, EINVAL, "the detail of an event is a JSON object");
	if (r == 0)
		r = state_open(c, STATE_WRITE, &st, e);
	if (r == 0 && str_eq(kind, "pool-space"))
		r = pool_space(st, d, e);
	else if (r == 0)
		r = state_vm_get(st, uuid, NULL, NULL, &id_base, e);
	if (r == 0 && !str_eq(kind, "pool-space")) {
		json_object_set_new(d, "count", json_integer((json_int_t)count));
		if (str_eq(kind, "oom"))
			add_oom(c, uuid, id_base, count, d);
		else if (str_eq(kind, "lwps-limit"))
			add_lwps(c, uuid, d);
		r = state_event(st, kind, uuid, d, e);
	}
	json_decref(d);
	state_close(&st);
	st = NULL;
	return r == 0 && str_eq(kind, "dhcp-stopped") ? outside_again(c, uuid, e) : r;
}
