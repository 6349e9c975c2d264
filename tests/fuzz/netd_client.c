/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client of DHCP and whoever is on the network outside: frames (each with two bytes of length before it) come between ticks of the clock. A NIC
 * never has an address that no host can have, nor one for longer than it was given, nor a question that is longer than its buffer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/clients.h"
#include "netd/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct hold *h, uint64_t now)
{
	if (!h->held)
		return;
	if (!client_host(h->has.ip, h->has.bits ? h->has.bits : 32) || h->until > now + (uint64_t)CLIENT_MOST_S * 1000 || h->has.ndns > CLIENT_DNS || h->has.nroutes > CLIENT_ROUTES)
		abort();
	if (h->state == HOLD_BOUND && !h->watch && !(h->t1 < h->t2 && h->t2 < h->until))
		abort();
	if (!memchr(h->has.domain, 0, sizeof h->has.domain) || strpbrk(h->has.domain, "\n\r \t#;"))
		abort();
	for (unsigned i = 0; i < h->has.nroutes; i++)
		if (!client_within(h->has.route[i].via, h->has.ip, h->has.bits) || h->has.route[i].bits == 0)
			abort();
}

static void ask(const struct question *q)
{
	uint8_t *out = malloc(CLIENT_FRAME);
	size_t n = out ? client_ask(q, out) : 0;

	if (n == 0 || n > CLIENT_FRAME)
		abort();
	free(out);
}

static void come(struct hold *h, uint64_t now, const uint8_t *f, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1), mac[6]; /* no byte behind it that could be read unseen */
	enum hold_news news;
	struct question q;
	struct asked a;
	struct offer o;
	const uint8_t *m;
	uint32_t xid;
	size_t len;

	if (!copy)
		abort();
	memcpy(copy, f, n);
	if (h->watch && client_asked(copy, n, &a) && !memcmp(a.mac, h->mac, 6))
		hold_asked(h, now, &a, &news);
	/* also what has no right checksum, or another's number: a chance finds neither */
	if (client_packet(copy, n, true, &m, &len) && client_about(m, len, mac, &xid) && client_answer(m, len, h->mac, xid, &o) &&
	    hold_answer(h, now, 99, &o, copy + 6, &q, &news))
		ask(&q);
	free(copy);
}

static void table(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct client_nic *list = NULL;
	size_t n = 0;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	if (clients_parse(text, size, &list, &n) == 0) {
		for (size_t i = 0; i < n; i++)
			if (list[i].uuid[36] || strlen(list[i].h.name) >= sizeof list[i].h.name)
				abort();
		free(list);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hold h = {.mac = {2, 8, 0x20, 0, 0, 0xa}};
	uint64_t now = 1000;
	enum hold_news news;
	struct question q;

	table(data, size);
	h.watch = size % 5 == 0;
	hold_begin(&h, now, (const uint8_t[]){10, 8, 0, 50}, size % 3 ? 0 : now + 60000);
	while (size >= 2) {
		size_t n = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		/* or the clock goes on */
		if (n >= 0x8000) {
			now = hold_due(&h) > now ? hold_due(&h) : now + (n & 0x7fff);
			if (now == UINT64_MAX)
				break;
			if (hold_tick(&h, now, (uint32_t)(n * 2654435761u), &q, &news))
				ask(&q);
		} else {
			n = n < size ? n : size;
			come(&h, now, data, n);
			data += n;
			size -= n;
		}
		look(&h, now);
	}
	if (hold_release(&h, &q))
		ask(&q);
	return 0;
}
