/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sets of addresses that rules name. All are in two maps: an address is an element of the one, under the set's number; a prefix, which
 * seldom somebody has, of the trie that ports' prefixes are in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/fw.h"

#define AT_ONCE 4096

/* A key of either map: without bits it is the other's, from its list on. */
_Static_assert(sizeof(struct sw_addr_key) - offsetof(struct sw_addr_key, list) == sizeof(struct sw_set_key), "the one has the other in it");

static int key_of(uint32_t set, const struct fw_addr *a, struct sw_addr_key *k, struct err *e)
{
	unsigned whole = a->family == 4 ? 32 : 128;

	if ((a->family != 4 && a->family != 6) || a->part > whole + 1)
		return err_set(e, EINVAL, "firewall: an address of family %u", a->family);
	*k = (struct sw_addr_key){.list = set, .family = a->family};
	memcpy(k->ip, a->ip, whole / 8);
	if (a->part && a->part <= whole) {
		k->bits = 64 + a->part - 1u;
		k->family |= SW_OF_SET;
	}
	return 0;
}

static int put(struct net_switch *s, const struct sw_addr_key *k, struct err *e)
{
	uint32_t yes = 1;

	return k->bits ? bpf_put(s->map[SWM_ADDRS], k, &yes, e) : bpf_put(s->map[SWM_FW_SETS], &k->list, &yes, e);
}

static int drop(struct net_switch *s, const struct sw_addr_key *k, struct err *e)
{
	return k->bits ? bpf_del(s->map[SWM_ADDRS], k, e) : bpf_del(s->map[SWM_FW_SETS], &k->list, e);
}

int net_fw_set_add(struct net_switch *s, uint32_t set, const struct fw_addr *a, struct err *e)
{
	struct sw_addr_key k;
	int r = key_of(set, a, &k, e);

	return r < 0 ? r : put(s, &k, e);
}

int net_fw_set_remove(struct net_switch *s, uint32_t set, const struct fw_addr *a, struct err *e)
{
	struct sw_addr_key k;
	int r = key_of(set, a, &k, e);

	return r < 0 ? r : drop(s, &k, e);
}

int net_fw_members(struct net_switch *s, const struct fw_member *m, size_t n, struct err *e)
{
	struct sw_set_key *keys = xalloc((n + 1) * sizeof *keys);
	uint32_t *yes = xalloc((n + 1) * sizeof *yes), nkeys = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct sw_addr_key k;

		r = key_of(m[i].set, &m[i].a, &k, e);
		if (r == 0 && k.bits)
			r = put(s, &k, e);
		if (r < 0 || k.bits)
			continue;
		memcpy(&keys[nkeys], &k.list, sizeof *keys);
		yes[nkeys++] = 1;
	}
	if (r == 0 && nkeys)
		r = bpf_put_all(s->map[SWM_FW_SETS], keys, yes, nkeys, e);
	free(keys);
	free(yes);
	return r;
}

/* ---- what is there ---- */

struct keys {
	struct sw_addr_key *k;
	size_t n, cap;
};

static struct sw_addr_key *another(struct keys *out)
{
	if (out->n == out->cap) {
		out->cap = out->cap * 2 + 256;
		out->k = xrealloc(out->k, out->cap * sizeof *out->k);
	}
	return &out->k[out->n++];
}

static int read_addresses(struct net_switch *s, struct keys *out, struct err *e)
{
	uint32_t place = 0, room = AT_ONCE, n;
	struct sw_set_key *k = NULL;
	uint32_t *v = NULL;
	int r = 1;

	for (bool first = true; r == 1; first = false) {
		do {
			n = room;
			k = xrealloc(k, n * sizeof *k);
			v = xrealloc(v, n * sizeof *v);
			r = bpf_batch(s->map[SWM_FW_SETS], k, v, &n, &place, first, e);
			room *= r == -ENOSPC ? 2 : 1;
		} while (r == -ENOSPC && room < SW_ADDRS);
		for (uint32_t i = 0; r >= 0 && i < n; i++) {
			struct sw_addr_key *to = another(out);

			to->bits = 0;
			memcpy(&to->list, &k[i], sizeof k[i]);
		}
	}
	free(k);
	free(v);
	return r;
}

static int read_prefixes(struct net_switch *s, struct keys *out, struct err *e)
{
	struct sw_addr_key k, next;
	int r;

	for (bool first = true; (r = bpf_next(s->map[SWM_ADDRS], first ? NULL : &k, &next, e)) == 1; first = false) {
		k = next;
		if (k.family & SW_OF_SET)
			*another(out) = k;
	}
	return r;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sw_addr_key));
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int net_fw_sets(struct net_switch *s, const uint32_t *set, size_t nsets, const struct fw_member *m, size_t n, struct err *e)
{
	struct keys old = {NULL, 0, 0};
	struct sw_addr_key *want = xalloc((n + 1) * sizeof *want);
	uint32_t *sets = xalloc((nsets + 1) * sizeof *sets);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = key_of(m[i].set, &m[i].a, &want[i], e);
	if (r == 0)
		r = read_addresses(s, &old, e);
	if (r == 0)
		r = read_prefixes(s, &old, e);
	/* what is missing first: nobody is out meanwhile who stays in */
	if (r == 0)
		r = net_fw_members(s, m, n, e);
	for (size_t i = 0; set && i < nsets; i++)
		sets[i] = set[i];
	qsort(sets, nsets, sizeof *sets, by_number);
	qsort(want, n, sizeof *want, by_key);
	for (size_t i = 0; r == 0 && i < old.n; i++)
		if ((!set || bsearch(&old.k[i].list, sets, nsets, sizeof *sets, by_number)) && !bsearch(&old.k[i], want, n, sizeof *want, by_key))
			r = drop(s, &old.k[i], e);
	free(old.k);
	free(want);
	free(sets);
	return r;
}
