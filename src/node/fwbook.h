/* SPDX-License-Identifier: MPL-2.0 */
/* Rules that were read once, for however many lists: by uuid, and by the sets that they name. */
#ifndef CLOISTER_NODE_FWBOOK_H
#define CLOISTER_NODE_FWBOOK_H

#include "base/str.h"
#include "node/fwset.h"

#define BUCKETS 4096

/* A rule is read and parsed once, and so is what names a set, for however many VMs. */
struct page {
	char uuid[UUID_LEN + 1];
	char scope[UUID_LEN + 1];
	uint8_t id[16];
	bool log;
	struct fw_rule rule;
	uint64_t turn; /* whose list it was last added to */
	struct page *next;
};

struct use {
	char *set;
	struct page **page;
	size_t n;
	uint32_t id; /* where all are read */
	char bad[UUID_LEN + 1]; /* "", or one that can't be read: who is in the set is not given a list without it */
	struct use *next;
};

struct fwbook {
	struct page *bucket[BUCKETS];
	struct use *use[BUCKETS];
	uint64_t turn;
	json_t *bad; /* uuids of rules that can't be read */
};

/* What is known of a set; NULL behind it: nothing yet. */
struct use **fwbook_at(struct fwlists *l, const char *set);
/* The rules that name it; *out NULL: none does. */
int fwbook_uses(struct fwlists *l, const char *set, const struct use **out, struct err *e);
/* For state_net_each(): the names, into the JSON object arg. */
int fwbook_note(const char *uuid, const json_t *value, void *arg);

#endif
