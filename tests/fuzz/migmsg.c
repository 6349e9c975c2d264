/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "hvm/migmsg.h"
#include "hvm/migsnap.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void plain(const char *s, size_t size)
{
	assert(strlen(s) < size);
	for (; *s; s++)
		assert((unsigned char)*s >= 32 && *s != 127);
}

/* What another node says: a word that may be said, with members of their form, or nothing at all. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	struct err e = ERR_INIT;
	int r = migmsg_parse((const char *)p, n, &m, &e);

	assert(r == 0 || (r == -EPROTO && e.code == EPROTO && !m.json));
	if (r < 0)
		return 0;
	assert(m.json && m.word < MIG_WORDS && (m.word == MIG_OFFER || n <= MIGMSG_SHORT));
	plain(m.why, sizeof m.why);
	plain(m.hint, sizeof m.hint);
	assert(!*m.session || (strlen(m.session) == MIGMSG_SESSION && strspn(m.session, "0123456789abcdef") == MIGMSG_SESSION));
	assert(!strpbrk(m.node, "/. \n"));
	if (m.word == MIG_OFFER)
		assert(json_is_object(json_object_get(m.json, "record")) && json_is_object(json_object_get(m.json, "layout")) && *m.session);
	assert(m.snapshots <= MIGSNAP_MOST && m.snapshot_bytes <= INT64_MAX && (m.word == MIG_OFFER || !m.snapshots));
	if (m.word == MIG_ASK)
		assert(strlen(m.uuid) == 36);
	return 0;
}
