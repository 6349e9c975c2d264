/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fuse.h>

#include "kern/cgroup_stat.h"
#include "kern/fusedev.h"

/* What the kernel would get for a text of 10 bytes. */
static size_t text_reply(uint64_t offset, uint32_t size, char *out, size_t room)
{
	struct fusedev_ask a = {.op = FUSE_READ, .unique = 8, .node = 2, .offset = offset, .size = size};
	struct fuse_out_header h;
	int p[2];
	ssize_t n;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(fusedev_text(p[1], &a, "123456789\n", 10), 0);
	close(p[1]);
	assert_int_equal(read(p[0], &h, sizeof h), sizeof h);
	n = read(p[0], out, room);
	close(p[0]);
	assert_true(n >= 0 && h.len == sizeof h + (size_t)n && h.unique == 8 && h.error == 0);
	return (size_t)n;
}

static void texts(void **state)
{
	char out[8192];

	assert_int_equal(text_reply(0, 4096, out, sizeof out), 4096);
	assert_memory_equal(out, "123456789\n\n\n", 12);
	assert_int_equal(out[4095], '\n');
	assert_int_equal(text_reply(0, 65536, out, sizeof out), 4096);
	assert_int_equal(text_reply(4, 3, out, sizeof out), 3);
	assert_memory_equal(out, "567", 3);
	assert_int_equal(text_reply(10, 4096, out, sizeof out), 0);
	assert_int_equal(text_reply(UINT64_MAX, UINT32_MAX, out, sizeof out), 0);
}

static void requests(void **state)
{
	struct {
		struct fuse_in_header h;
		char body[64];
	} q = {.h = {.len = sizeof q.h + 8, .opcode = FUSE_LOOKUP, .unique = 4, .nodeid = 1}, .body = "stat"};
	struct fusedev_ask a;

	assert_int_equal(fusedev_parse(&q, sizeof q, &a), 0);
	assert_string_equal(a.name, "stat");
	q.h.len = sizeof q.h + 4; /* its end is not in the request */
	assert_int_equal(fusedev_parse(&q, sizeof q, &a), -EPROTO);
	q.h.len = sizeof q + 1;
	assert_int_equal(fusedev_parse(&q, sizeof q, &a), -EPROTO);
	assert_int_equal(fusedev_parse(&q, sizeof q.h - 1, &a), -EPROTO);
	assert_false(fusedev_wants_answer(FUSE_FORGET));
	assert_true(fusedev_wants_answer(FUSE_GETATTR));
}

static void lines(void **state)
{
	static const char *const key[] = {"anon", "", "file", "absent", "none"};
	uint64_t v[5];

	cg_text_lines("anonymous 1\nanon 5\n 9\nfile 7", key, 5, v);
	assert_int_equal(v[0], 5);
	assert_int_equal(v[1], 0);
	assert_int_equal(v[2], 7);
	assert_int_equal(v[3], 0);
	cg_text_lines("none\nnone x\n", key, 5, v);
	assert_int_equal(v[4], 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(texts), cmocka_unit_test(requests), cmocka_unit_test(lines)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
