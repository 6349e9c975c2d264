/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mdata/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What there is to say to a line is whole lines, and to one with a key it is what its other end takes for the answer. */
static void heard(const struct mdata_request *r)
{
	struct buf out = BUF_INIT, value = BUF_INIT;
	enum mdata_status status = MDATA_FAILURE;
	const char *text;
	size_t len;

	if (r->op == MDATA_GET || r->op == MDATA_PUT || r->op == MDATA_DELETE)
		assert(mdata_key_ok(r->key, r->key_len));
	mdata_answer(r, MDATA_SUCCESS, r->value ? r->value : r->key, r->value ? r->value_len : r->key_len, &out);
	assert(r->op == MDATA_NONE ? out.len == 0 : out.p[out.len - 1] == '\n');
	if (r->op >= MDATA_GET && r->v2) {
		assert(mdata_reply_v2(out.p, out.len - 1, r->id, &status, &text, &len) && status == MDATA_SUCCESS);
		assert(len == (r->value ? r->value_len : r->key_len) && !memcmp(text, r->value ? r->value : r->key, len));
	} else if (r->op == MDATA_GET) {
		char *at = memchr(out.p, '\n', out.len), *nl;

		for (at++; (nl = memchr(at, '\n', (size_t)(out.p + out.len - at))); at = nl + 1)
			if (mdata_reply_v1(at, (size_t)(nl - at), &value))
				break;
		assert(value.len == r->key_len && !memcmp(value.p, r->key, value.len));
	}
	buf_done(&out);
	buf_done(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	while (n) {
		const uint8_t *nl = memchr(p, '\n', n);
		size_t k = nl ? (size_t)(nl - p) : n, len = 0;
		enum mdata_status status = MDATA_FAILURE;
		struct buf value = BUF_INIT;
		char *line = malloc(k ? k : 1);
		const char *text = "";
		struct mdata_request r;

		if (!line)
			abort();
		memcpy(line, p, k);
		if (mdata_reply_v2(line, k, "0f00ba12", &status, &text, &len))
			assert(text >= line && text + len <= line + k);
		memcpy(line, p, k);
		mdata_reply_v1(line, k, &value);
		mdata_request(line, k, &r);
		heard(&r);
		buf_done(&value);
		free(line);
		p += k + (nl != NULL);
		n -= k + (nl != NULL);
	}
	return 0;
}
