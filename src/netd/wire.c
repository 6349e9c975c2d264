/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/wire.h"

#include <string.h>

void wire_put(struct wire *w, const void *p, size_t n)
{
	if (w->full || n > w->cap - w->n) {
		w->full = true;
		return;
	}
	if (n)
		memcpy(w->p + w->n, p, n);
	w->n += n;
}

void wire_u16(struct wire *w, uint32_t v)
{
	wire_put(w, (const uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

void wire_u32(struct wire *w, uint32_t v)
{
	wire_u16(w, v >> 16);
	wire_u16(w, v & 0xffff);
}

void wire_option(struct wire *w, uint8_t code, const void *p, size_t n)
{
	if (n > 255 || n + 2 > w->cap - w->n)
		w->full = true;
	wire_put(w, (const uint8_t[]){code, (uint8_t)n}, 2);
	wire_put(w, p, n);
}

void wire_option6(struct wire *w, uint32_t code, const void *p, size_t n)
{
	if (n > 0xffff || n + 4 > w->cap - w->n)
		w->full = true;
	wire_u16(w, code);
	wire_u16(w, (uint32_t)n);
	wire_put(w, p, n);
}

size_t wire_name(const char *name, uint8_t *out)
{
	size_t n = 0;

	while (*name) {
		size_t len = strcspn(name, ".");

		if (len == 0 || len > 63 || n + len + 2 > 255)
			return 0;
		out[n++] = (uint8_t)len;
		memcpy(out + n, name, len);
		n += len;
		name += len + (name[len] == '.');
	}
	out[n++] = 0;
	return n;
}

uint32_t wire_add(uint32_t sum, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)b[i] << 8 | b[i + 1];
	if (n & 1)
		sum += (uint32_t)b[n - 1] << 8;
	return sum;
}

uint16_t wire_sum(uint32_t sum, const void *p, size_t n)
{
	sum = wire_add(sum, p, n);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
