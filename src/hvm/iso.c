/* SPDX-License-Identifier: MPL-2.0 */
/*
 * In blocks of 2,048 bytes:
 *
 *	16 volume   17 end of volumes   18, 19 path tables, of one folder   20 the folder   21… files
 *
 * Numbers are there in both orders of bytes. Times are none: the same record makes the same disk.
 */
#include "hvm/iso.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 2048, VOLUME = 16, END, PATHS_LE, PATHS_BE, ROOT, FILES, PATHS_LEN = 10 };

static void le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void be32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[3 - i] = (uint8_t)(v >> 8 * i);
}

static void both32(uint8_t *p, uint32_t v)
{
	le32(p, v);
	be32(p + 4, v);
}

static void both16(uint8_t *p, uint16_t v)
{
	p[0] = p[3] = (uint8_t)v;
	p[1] = p[2] = (uint8_t)(v >> 8);
}

static uint32_t blocks(size_t n)
{
	return (uint32_t)((n + BLOCK - 1) / BLOCK);
}

/* An entry of the folder; how long it is. */
static size_t entry(uint8_t *p, uint32_t at, uint32_t size, int folder, const char *name, size_t len)
{
	size_t n = 33 + len + (len % 2 == 0);

	p[0] = (uint8_t)n;
	both32(p + 2, at);
	both32(p + 10, size);
	p[18] = 70; /* 1 January 1970 */
	p[19] = p[20] = 1;
	p[25] = folder ? 2 : 0;
	both16(p + 28, 1);
	p[32] = (uint8_t)len;
	memcpy(p + 33, name, len);
	return n;
}

static void volume(uint8_t *p, const char *label, uint32_t size)
{
	p[0] = 1;
	memcpy(p + 1, "CD001\1", 6);
	memset(p + 8, ' ', 64);
	memcpy(p + 40, label, strlen(label));
	both32(p + 80, size);
	both16(p + 120, 1);
	both16(p + 124, 1);
	both16(p + 128, BLOCK);
	both32(p + 132, PATHS_LEN);
	le32(p + 140, PATHS_LE);
	be32(p + 148, PATHS_BE);
	entry(p + 156, ROOT, BLOCK, 1, "", 1);
	memset(p + 190, ' ', 623);
	for (int i = 0; i < 4; i++)
		memset(p + 813 + 17 * i, '0', 16);
	p[881] = 1;
}

void iso_make(const char *label, const struct iso_file *files, size_t n, struct buf *out)
{
	static const uint8_t none[BLOCK];
	uint8_t head[FILES - VOLUME][BLOCK] = {{0}}, *root = head[ROOT - VOLUME];
	uint32_t at = FILES;

	assert(n <= ISO_FILES && strlen(label) <= 32);
	root += entry(root, ROOT, BLOCK, 1, "\0", 1);
	root += entry(root, ROOT, BLOCK, 1, "\1", 1);
	for (size_t i = 0; i < n; i++) {
		char name[64];
		size_t len = strlen(files[i].name);

		assert(len < sizeof name - 3);
		memcpy(name, files[i].name, len);
		memcpy(name + len, ".;1", 3);
		root += entry(root, at, (uint32_t)files[i].len, 0, name, len + 3);
		at += blocks(files[i].len);
	}
	volume(head[0], label, at);
	memcpy(head[END - VOLUME], "\377CD001\1", 7);
	head[PATHS_LE - VOLUME][0] = head[PATHS_BE - VOLUME][0] = 1;
	le32(head[PATHS_LE - VOLUME] + 2, ROOT);
	be32(head[PATHS_BE - VOLUME] + 2, ROOT);
	head[PATHS_LE - VOLUME][6] = head[PATHS_BE - VOLUME][7] = 1;
	for (int i = 0; i < VOLUME; i++)
		buf_add(out, none, BLOCK);
	buf_add(out, head, sizeof head);
	for (size_t i = 0; i < n; i++) {
		buf_add(out, files[i].data, files[i].len);
		buf_add(out, none, blocks(files[i].len) * BLOCK - files[i].len);
	}
}
