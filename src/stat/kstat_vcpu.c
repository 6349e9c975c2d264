/* SPDX-License-Identifier: MPL-2.0 */
/* The statistics of a machine's processors, in the order of their names: those of illumos's vmm that Linux can tell. Nanoseconds. */
#include "base/own.h"
#include "stat/kstat.h"

enum { RUN, SCHED, WHICH };
struct row {
	const char *name;
	int at; /* one of these, or what the caller fills in */
};
static const struct row one[] = {
	{"class", -KV_TEXT}, {"crtime", -KV_SECONDS}, {"snaptime", -KV_SECONDS}, {"time_run", RUN}, {"time_sched", SCHED}, {"vcpu", WHICH}, {"zonename", -KV_TEXT},
};
static const struct row all[] = {
	{"class", -KV_TEXT}, {"crtime", -KV_SECONDS}, {"snaptime", -KV_SECONDS}, {"time_run", RUN}, {"time_sched", SCHED}, {"vcpus", WHICH},
	{"vm_name", -KV_TEXT}, {"zonename", -KV_TEXT},
};

bool kstat_vcpu_stat(unsigned n, const struct stat_vcpus *c, size_t i, struct kstat_item *out)
{
	const struct row *rows = i < c->n ? one : all;

	if (n >= (i < c->n ? ARRAY_LEN(one) : ARRAY_LEN(all)))
		return false;
	out->stat = rows[n].name;
	out->kind = rows[n].at < 0 ? (unsigned)-rows[n].at : KV_NUMBER;
	switch (rows[n].at) {
	case RUN: out->number = i < c->n ? c->v[i].ran : c->ran; break;
	case SCHED: out->number = i < c->n ? c->v[i].waited : c->now; break;
	case WHICH: out->number = i < c->n ? c->v[i].id : c->n; break;
	default: out->number = 0;
	}
	return true;
}
