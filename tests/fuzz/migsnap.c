/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "hvm/migsnap.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define WANT 3
#define MOST (64u << 10)

static void name_plain(const char *s, bool file)
{
	assert(*s && *s != '.' && !strchr(s, '/') && strlen(s) <= MIGSNAP_NAME);
	assert(!file || migsnap_file(s) >= 0);
}

/* Records as another node sends them: none is taken that is outside of its file, comes twice, or is more than was announced. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct migsnap s = {.want = WANT, .most = MOST};
	uint64_t size = 0, next = 0, taken = 0, sum = 0;
	unsigned ends = 0;

	while (n >= MIGSNAP_HEAD) {
		struct migsnap_head h;
		struct err e = ERR_INIT;
		char name[MIGSNAP_NAME + 1];
		unsigned char back[MIGSNAP_HEAD];
		int r = migsnap_take(&s, p, &h, &e);

		assert(r == 0 || ((r == -EPROTO || r == -ENOSPC) && e.code == -r));
		if (r < 0)
			return 0;
		migsnap_put(&h, back);
		assert(!memcmp(back, p, MIGSNAP_HEAD));
		p += MIGSNAP_HEAD;
		n -= MIGSNAP_HEAD;
		if (h.kind == MIGSNAP_SNAPSHOT || h.kind == MIGSNAP_FILE) {
			assert(h.n && h.n <= MIGSNAP_NAME);
			if (h.n > n || migsnap_name(&s, &h, (const char *)p, name, &e) < 0)
				return 0;
			name_plain(name, h.kind == MIGSNAP_FILE);
			size = h.at;
			next = 0;
		}
		if (h.kind == MIGSNAP_DATA) {
			assert(s.open && s.file && h.n && h.n <= MIGSNAP_PIECE && h.at >= next && h.at + h.n <= size && h.at % MIGSNAP_BLOCK == 0);
			next = h.at + h.n;
			sum += h.n;
			if (h.n > n)
				return 0;
		}
		if (h.kind == MIGSNAP_ZERO) {
			assert(s.open && s.file && h.n && h.at >= next && h.at < size && h.at + (uint64_t)h.n * MIGSNAP_BLOCK < size + MIGSNAP_BLOCK);
			next = h.at + (uint64_t)h.n * MIGSNAP_BLOCK;
		}
		if (h.kind == MIGSNAP_END)
			ends++;
		if (h.kind == MIGSNAP_OVER)
			assert(ends == WANT);
		assert(s.taken >= taken && s.taken <= MOST && sum <= s.taken && s.come == ends && ends <= WANT);
		taken = s.taken;
		if (h.kind == MIGSNAP_SNAPSHOT || h.kind == MIGSNAP_FILE || h.kind == MIGSNAP_DATA) {
			p += h.n;
			n -= h.n;
		}
	}
	return 0;
}
