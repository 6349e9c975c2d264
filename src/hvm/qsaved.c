/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qsaved.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "hvm/qlayout.h"
#include "model/vm.h"

static const char begins[] = "CLOISTER-STATE-1", ends[] = "CLOISTER-WHOLE-1";

void qsaved_begin(const json_t *head, struct buf *out)
{
	_free_ char *text = json_dumps(head, JSON_COMPACT);
	uint32_t n[2] = {htole32((uint32_t)strlen(text)), 0};

	buf_add(out, begins, 16);
	buf_add(out, n, sizeof n);
	buf_add(out, text, strlen(text));
}

void qsaved_end(const struct sum64 *s, unsigned char out[QSAVED_END])
{
	uint64_t n[2] = {htole64(s->n), htole64(sum64(s))};

	memcpy(out, ends, 16);
	memcpy(out + 16, n, sizeof n);
}

int qsaved_length(const unsigned char begin[QSAVED_BEGIN], uint32_t *n, struct err *e)
{
	uint32_t len[2];

	memcpy(len, begin + 16, sizeof len);
	if (memcmp(begin, begins, 16) || len[1])
		return err_set(e, EBADMSG, "it is no state of a machine, or its beginning is damaged");
	*n = le32toh(len[0]);
	return *n <= QSAVED_HEAD_MAX ? 0 : err_set(e, EBADMSG, "its beginning is damaged");
}

int qsaved_head(const char *text, size_t n, json_t **head, struct err *e)
{
	_json_ json_t *h = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *name = json_object_get(h, "snapshot"), *seed = json_object_get(h, "seed");
	int r;

	if (!json_is_object(h) || (seed && !json_is_string(seed)) || (name && (!json_is_string(name) || !vm_snapshot_name_ok(json_string_value(name)))))
		return err_set(e, EBADMSG, "its beginning is damaged");
	r = qlayout_check(json_object_get(h, "layout"), e);
	if (r == 0)
		*head = take(h);
	return r;
}

int qsaved_whole(const unsigned char end[QSAVED_END], uint64_t size, uint64_t *sum, struct err *e)
{
	uint64_t n[2];

	memcpy(n, end + 16, sizeof n);
	if (memcmp(end, ends, 16) || le64toh(n[0]) != size - QSAVED_END)
		return err_set(e, EBADMSG, "it ends too early");
	*sum = le64toh(n[1]);
	return 0;
}
