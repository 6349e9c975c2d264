/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/migsnap.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

#define SIZE_MAX_DISK (1ULL << 50)
#define SIZE_MAX_VARS (4ULL << 20)

static const char *const others[] = {"efivars", "checkpoint", "state"};

int migsnap_file(const char *name)
{
	char same[16];
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_eq(others[i], name))
			return QDISK_NUMBERS + (int)i;
	if (!str_starts(name, "disk") || str_to_u64(name + 4, &n) < 0 || n >= QDISK_NUMBERS)
		return -1;
	snprintf(same, sizeof same, "disk%u", (unsigned)n);
	return str_eq(same, name) ? (int)n : -1;
}

void migsnap_put(const struct migsnap_head *h, unsigned char out[MIGSNAP_HEAD])
{
	uint32_t a[2] = {htole32((uint32_t)h->kind), htole32(h->n)};
	uint64_t at = htole64(h->at);

	memcpy(out, a, sizeof a);
	memcpy(out + sizeof a, &at, sizeof at);
}

static int wrong(struct err *e)
{
	return err_set(e, EPROTO, "its snapshots come in a way that can't be");
}

static uint64_t up(uint64_t n)
{
	return (n + MIGSNAP_BLOCK - 1) / MIGSNAP_BLOCK * MIGSNAP_BLOCK;
}

/* bytes: up to the end of a block, or the file's. */
static bool place(struct migsnap *s, uint64_t at, uint64_t bytes)
{
	if (!s->file || !bytes || at % MIGSNAP_BLOCK || at < s->next || at >= s->size || bytes > up(s->size) - at)
		return false;
	s->next = at + up(bytes);
	return true;
}

static int data(struct migsnap *s, const struct migsnap_head *h, struct err *e)
{
	if (h->n > MIGSNAP_PIECE || h->at > s->size || h->n > s->size - h->at || (h->n % MIGSNAP_BLOCK && h->at + h->n != s->size) || !place(s, h->at, h->n))
		return wrong(e);
	/* a part of a block is one, for the pool */
	if (up(h->n) > s->most - s->taken)
		return err_set(e, ENOSPC, "its snapshots come to more than %llu MiB, for which there is room", (unsigned long long)s->most >> 20);
	s->taken += up(h->n);
	return 0;
}

int migsnap_take(struct migsnap *s, const unsigned char head[MIGSNAP_HEAD], struct migsnap_head *h, struct err *e)
{
	uint32_t a[2];
	uint64_t at;
	bool ok = false;

	memcpy(a, head, sizeof a);
	memcpy(&at, head + sizeof a, sizeof at);
	if (s->over || le32toh(a[0]) >= MIGSNAP_KINDS)
		return wrong(e);
	*h = (struct migsnap_head){(enum migsnap_kind)le32toh(a[0]), le32toh(a[1]), le64toh(at)};
	switch (h->kind) {
	case MIGSNAP_STILL:
		ok = !h->n && !h->at;
		break;
	case MIGSNAP_SNAPSHOT:
		ok = !s->open && s->come < s->want && h->n && h->n <= MIGSNAP_NAME;
		break;
	case MIGSNAP_FILE:
		ok = s->open && h->n && h->n <= MIGSNAP_NAME && h->at <= SIZE_MAX_DISK;
		break;
	case MIGSNAP_DATA:
		return data(s, h, e);
	case MIGSNAP_ZERO:
		ok = place(s, h->at, (uint64_t)h->n * MIGSNAP_BLOCK);
		break;
	case MIGSNAP_END:
		ok = s->open && !h->n && !h->at;
		s->come += ok;
		s->open = s->file = false;
		break;
	case MIGSNAP_OVER:
		ok = !s->open && s->come == s->want && !h->n && !h->at;
		s->over = ok;
		break;
	case MIGSNAP_KINDS:
		break;
	}
	return ok ? 0 : wrong(e);
}

int migsnap_name(struct migsnap *s, const struct migsnap_head *h, const char *text, char name[MIGSNAP_NAME + 1], struct err *e)
{
	char got[MIGSNAP_NAME + 1] = "";
	int i;

	memcpy(got, text, h->n);
	if (strlen(got) != h->n)
		return wrong(e);
	if (h->kind == MIGSNAP_SNAPSHOT) {
		/* what begins with a dot no list of snapshots has */
		if (!vm_snapshot_name_ok(got) || *got == '.')
			return wrong(e);
		memset(s->seen, 0, sizeof s->seen);
		s->open = true;
	} else {
		i = migsnap_file(got);
		if (i < 0 || s->seen[i] || (str_eq(got, others[0]) && h->at > SIZE_MAX_VARS))
			return wrong(e);
		s->seen[i] = s->file = true;
		s->size = h->at;
		s->next = 0;
	}
	strcpy(name, got);
	return 0;
}
