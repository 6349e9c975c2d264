/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/clients.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 10

static int by_mac(const void *a, const void *b)
{
	return memcmp(((const struct client_nic *)a)->h.mac, ((const struct client_nic *)b)->h.mac, 6);
}

static bool number(const char *s, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && errno == 0 && *out <= max;
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool id(const char *s, struct hold *h)
{
	size_t n = strlen(s);

	if (!strcmp(s, "-"))
		return true;
	/* of one byte it is none (RFC 2132, 9.14) */
	if (n % 2 || n < 4 || n > 2 * sizeof h->cid)
		return false;
	for (size_t i = 0; i < n / 2; i++) {
		int a = hex(s[2 * i]), b = hex(s[2 * i + 1]);

		if (a < 0 || b < 0)
			return false;
		h->cid[i] = (uint8_t)(a << 4 | b);
	}
	h->ncid = (uint8_t)(n / 2);
	return true;
}

/* It goes out in a packet: letters, digits and - of one label. */
static bool name(const char *s, struct hold *h)
{
	size_t n = strlen(s);

	if (!strcmp(s, "-"))
		return true;
	if (n == 0 || n >= sizeof h->name)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-')
			return false;
	memcpy(h->name, s, n + 1);
	return true;
}

static bool line(char **w, struct client_nic *c)
{
	struct hold *h = &c->h;
	struct tip ip = {0};
	uint64_t vlan, zoneid;
	int at = 0;

	if (strcmp(w[0], "zone") || strlen(w[1]) != sizeof c->uuid - 1 || strspn(w[1], "0123456789abcdef-") != sizeof c->uuid - 1)
		return false;
	memcpy(c->uuid, w[1], sizeof c->uuid);
	if (sscanf(w[2], "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &h->mac[0], &h->mac[1], &h->mac[2], &h->mac[3], &h->mac[4], &h->mac[5], &at) != 6 || w[2][at])
		return false;
	if (!number(w[3], 4094, &vlan) || !name(w[4], h) || !id(w[5], h))
		return false;
	h->vlan = (uint16_t)vlan;
	if (strcmp(w[6], "-") && (!tip_parse(w[6], &ip) || ip.family != 4 || strchr(w[6], '/')))
		return false;
	/* one that is no host's is no reason not to ask for the others */
	if (client_host(ip.ip, 32))
		memcpy(c->ip, ip.ip, 4);
	h->watch = !strcmp(w[8], "watch");
	if (!h->watch && strcmp(w[8], "ask"))
		return false;
	if (!number(w[9], UINT32_MAX, &zoneid))
		return false;
	c->zoneid = (uint32_t)zoneid;
	return !strcmp(w[7], "-") || number(w[7], UINT64_MAX, &c->until);
}

int clients_parse(char *text, size_t n, struct client_nic **out, size_t *count)
{
	struct client_nic *list = NULL;
	size_t have = 0;
	int at = 0;

	for (char *p = text, *next; p < text + n; p = next) {
		char *w[WORDS], *save, *end = memchr(p, '\n', (size_t)(text + n - p));
		int words = 0;

		next = end ? end + 1 : text + n;
		if (end)
			*end = 0;
		at++;
		for (char *s = strtok_r(p, " ", &save); s && words <= WORDS; s = strtok_r(NULL, " ", &save))
			if (words++ < WORDS)
				w[words - 1] = s;
		if (words == 0)
			continue;
		if ((have & (have - 1)) == 0) {
			struct client_nic *more = realloc(list, (have ? 2 * have : 1) * sizeof *list);

			if (!more)
				abort(); /* some KB, and nothing can be asked without */
			list = more;
		}
		memset(&list[have], 0, sizeof *list);
		if (words != WORDS || have == CLIENTS_MAX || !line(w, &list[have])) {
			free(list);
			return at;
		}
		have++;
	}
	if (have)
		qsort(list, have, sizeof *list, by_mac);
	*out = list;
	*count = have;
	return 0;
}

struct client_nic *clients_mac(struct client_nic *list, size_t n, const uint8_t mac[6])
{
	struct client_nic k;

	memcpy(k.h.mac, mac, 6);
	return n ? bsearch(&k, list, n, sizeof k, by_mac) : NULL;
}
