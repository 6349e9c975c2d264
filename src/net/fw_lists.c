/* SPDX-License-Identifier: MPL-2.0 */
#include "net/fw_lists.h"

#include <errno.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/bpf.h"

int fw_spare_read(struct net_switch *s, struct fw_spare *p, struct err *e)
{
	uint32_t key[ARRAY_LEN(p->at)], n = ARRAY_LEN(p->at), place = 0;
	int r = bpf_batch(s->map[SWM_FW_SPARE], key, p->at, &n, &place, true, e);

	return r < 0 ? r : 0;
}

int fw_spare_set(struct net_switch *s, uint32_t i, uint32_t value, struct err *e)
{
	return bpf_put(s->map[SWM_FW_SPARE], &i, &value, e);
}

/* Its number: 1; 0: it has none. A program of before has put a zone's under the zone's own. */
static int number_of(struct net_switch *s, uint32_t zone, uint32_t *number, struct err *e)
{
	struct err miss = ERR_INIT;
	uint64_t place;
	uint32_t id;
	int r = bpf_get(s->map[SWM_FW_ZONES], &zone, &place, &miss);

	if (r == 0)
		*number = (uint32_t)(place >> 32);
	if (r == -ENOENT && (r = bpf_get(s->map[SWM_FW_LISTS], &zone, &id, &miss)) == 0)
		*number = zone;
	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int fw_list_open(struct net_switch *s, uint32_t zone, struct err *e)
{
	uint32_t number;
	int r = number_of(s, zone, &number, e);

	return r < 0 ? r : r == 0 ? err_set(e, ENOENT, "zone %u has no list", zone) : bpf_inner(s->map[SWM_FW_LISTS], &number, e);
}

int fw_list_has(struct net_switch *s, uint32_t zone, struct err *e)
{
	uint32_t number;

	return number_of(s, zone, &number, e);
}

int fw_list_take(struct net_switch *s, uint32_t *number, size_t n, struct err *e)
{
	struct fw_spare p;
	size_t have = 0;
	int r = fw_spare_read(s, &p, e);

	for (uint32_t i = SW_SPARE_LIST; i < ARRAY_LEN(p.at); i++)
		have += p.at[i] != 0;
	if (r < 0 || have < n)
		return r;
	/* taken before it is filled: one that nobody has is made ready again, one that two have would be no zone's own */
	for (uint32_t i = SW_SPARE_LIST; r == 0 && n > 0; i++)
		if (p.at[i]) {
			number[--n] = p.at[i];
			r = fw_spare_set(s, i, 0, e);
		}
	return r < 0 ? r : 1;
}

int fw_list_numbers(struct net_switch *s, uint32_t *number, size_t n, struct err *e)
{
	uint32_t at = SW_SPARE_NUMBER, next;
	int r = bpf_get(s->map[SWM_FW_SPARE], &at, &next, e);

	if (r < 0)
		return r;
	if (n > SW_LIST_FIRST - 1 - next)
		return err_set(e, EOVERFLOW, "this switch has had too many lists of rules");
	for (size_t i = 0; i < n; i++)
		number[i] = SW_LIST_FIRST + next++;
	return fw_spare_set(s, SW_SPARE_NUMBER, next, e);
}

/* For who is to clear up some time. */
static int add_left(struct net_switch *s, size_t n, struct err *e)
{
	uint32_t at = SW_SPARE_LEFT, left;
	int r = n ? bpf_get(s->map[SWM_FW_SPARE], &at, &left, e) : 0;

	return r < 0 || n == 0 ? r : fw_spare_set(s, SW_SPARE_LEFT, left + (uint32_t)n, e);
}

int fw_list_give(struct net_switch *s, const uint32_t *zone, const uint32_t *number, size_t n, size_t left, struct err *e)
{
	_free_ uint64_t *place = xalloc((n + 1) * sizeof *place);
	int r = add_left(s, left, e);

	for (size_t i = 0; i < n; i++)
		place[i] = (uint64_t)number[i] << 32 | zone[i];
	return r < 0 ? r : bpf_put_all(s->map[SWM_FW_ZONES], zone, place, (uint32_t)n, e);
}

int fw_list_leave(struct net_switch *s, uint32_t zone, struct err *e)
{
	uint32_t number;
	int r = number_of(s, zone, &number, e);

	if (r <= 0)
		return r;
	r = number == zone ? 0 : add_left(s, 1, e);
	if (r == 0)
		r = bpf_del(s->map[SWM_FW_ZONES], &zone, e);
	/* or one of a program of before stands behind it */
	if (r == 0 && (r = number_of(s, zone, &number, e)) == 1)
		r = bpf_del(s->map[SWM_FW_LISTS], &zone, e);
	return r;
}
