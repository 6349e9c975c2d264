/* SPDX-License-Identifier: MPL-2.0 */
/* Blocks are in the host's order of bytes, which the first one tells; each begins and ends with its length, a multiple of four. */
#include "net/pcap.h"

#include <string.h>

enum { B_SECTION = 0x0a0d0d0a, B_INTERFACE = 1, B_STATISTICS = 5, B_PACKET = 6 };
enum { O_END = 0, O_NAME = 2, O_FLAGS = 2, O_RECEIVED = 4, O_DROPPED = 5, O_TSRESOL = 9, O_FILTER = 11 };

static void u16(struct buf *b, uint16_t v)
{
	buf_add(b, &v, sizeof v);
}

static void u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof v);
}

static void padded(struct buf *b, const void *p, size_t n)
{
	static const char zero[4];

	buf_add(b, p, n);
	buf_add(b, zero, -n & 3);
}

static void option(struct buf *b, uint16_t code, const void *p, size_t n)
{
	u16(b, code);
	u16(b, (uint16_t)n);
	padded(b, p, n);
}

static size_t block(struct buf *b, uint32_t type)
{
	size_t at = b->len;

	u32(b, type);
	u32(b, 0);
	return at;
}

static void end(struct buf *b, size_t at)
{
	uint32_t n = (uint32_t)(b->len - at + 4);

	u32(b, n);
	memcpy(b->p + at + 4, &n, sizeof n);
}

void pcap_begin(struct buf *out, const char *name, const char *filter, uint32_t snaplen)
{
	static const uint8_t nano = 9;
	uint64_t unknown = UINT64_MAX;
	size_t at = block(out, B_SECTION), n = strlen(filter) < 1000 ? strlen(filter) : 0;
	char text[1001];

	u32(out, 0x1a2b3c4d);
	u16(out, 1);
	u16(out, 0);
	buf_add(out, &unknown, sizeof unknown);
	end(out, at);
	at = block(out, B_INTERFACE);
	u16(out, 1); /* Ethernet */
	u16(out, 0);
	u32(out, snaplen);
	option(out, O_NAME, name, strlen(name));
	option(out, O_TSRESOL, &nano, 1);
	text[0] = 0; /* a text */
	memcpy(text + 1, filter, n);
	if (n)
		option(out, O_FILTER, text, n + 1);
	option(out, O_END, "", 0);
	end(out, at);
}

void pcap_frame(struct buf *out, uint64_t wall_ns, bool received, const void *frame, uint32_t have, uint32_t whole)
{
	uint32_t flags = received ? 1 : 2;
	size_t at = block(out, B_PACKET);

	u32(out, 0);
	u32(out, (uint32_t)(wall_ns >> 32));
	u32(out, (uint32_t)wall_ns);
	u32(out, have);
	u32(out, whole);
	padded(out, frame, have);
	option(out, O_FLAGS, &flags, sizeof flags);
	option(out, O_END, "", 0);
	end(out, at);
}

void pcap_end(struct buf *out, uint64_t wall_ns, uint64_t frames, uint64_t lost)
{
	size_t at = block(out, B_STATISTICS);

	u32(out, 0);
	u32(out, (uint32_t)(wall_ns >> 32));
	u32(out, (uint32_t)wall_ns);
	option(out, O_RECEIVED, &frames, sizeof frames);
	option(out, O_DROPPED, &lost, sizeof lost);
	option(out, O_END, "", 0);
	end(out, at);
}
