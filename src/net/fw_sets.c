/* SPDX-License-Identifier: MPL-2.0 */
/* Sets of addresses that rules name: all are in one map, an element is a set's number and an address. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/fw.h"

#define AT_ONCE 4096

static struct sw_set_key key_of(uint32_t set, const struct fw_addr *a)
{
	struct sw_set_key k = {.set = set, .family = a->family};

	memcpy(k.ip, a->ip, a->family == 4 ? 4 : 16);
	return k;
}

static int check(const struct fw_addr *a, struct err *e)
{
	return a->family == 4 || a->family == 6 ? 0 : err_set(e, EINVAL, "firewall: an address of family %u", a->family);
}

int net_fw_set_add(struct net_switch *s, uint32_t set, const struct fw_addr *a, struct err *e)
{
	struct sw_set_key k = key_of(set, a);
	uint32_t yes = 1;
	int r = check(a, e);

	return r < 0 ? r : bpf_put(s->map[SWM_FW_SETS], &k, &yes, e);
}

int net_fw_set_remove(struct net_switch *s, uint32_t set, const struct fw_addr *a, struct err *e)
{
	struct sw_set_key k = key_of(set, a);

	return bpf_del(s->map[SWM_FW_SETS], &k, e);
}

struct keys {
	struct sw_set_key *k;
	size_t n;
};

/* What a set has now. */
static int read_set(struct net_switch *s, uint32_t set, struct keys *out, struct err *e)
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
		for (uint32_t i = 0; r >= 0 && i < n; i++)
			if (k[i].set == set) {
				out->k = xrealloc(out->k, (out->n + 1) * sizeof *out->k);
				out->k[out->n++] = k[i];
			}
	}
	free(k);
	free(v);
	return r;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sw_set_key));
}

int net_fw_set(struct net_switch *s, uint32_t set, const struct fw_addr *a, size_t n, struct err *e)
{
	struct keys old = {NULL, 0};
	struct sw_set_key *want = xalloc((n + 1) * sizeof *want);
	uint32_t *yes = xalloc((n + 1) * sizeof *yes);
	int r = read_set(s, set, &old, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = check(&a[i], e);
		want[i] = key_of(set, &a[i]);
		yes[i] = 1;
	}
	if (r == 0)
		r = bpf_put_all(s->map[SWM_FW_SETS], want, yes, (uint32_t)n, e);
	qsort(want, n, sizeof *want, compare);
	for (size_t i = 0; r == 0 && i < old.n; i++)
		if (!bsearch(&old.k[i], want, n, sizeof *want, compare))
			r = bpf_del(s->map[SWM_FW_SETS], &old.k[i], e);
	free(old.k);
	free(want);
	free(yes);
	return r;
}
