/* SPDX-License-Identifier: MPL-2.0 */
/* Link properties as dladm writes them: "protection=mac-nospoof,ip-nospoof,maxbw=100M". */
#ifndef CLOISTER_CMD_DLADM_PROP_H
#define CLOISTER_CMD_DLADM_PROP_H

#include <jansson.h>

#include "cmd/dladm.h"

enum dl_prop { DLP_MAXBW, DLP_PRIORITY, DLP_PROTECTION, DLP_ALLOWED, DLP_MTU, DLP_ZONE, DLP_N };
struct dl_prop_row {
	const char *name, *perm, *dflt, *possible;
};
extern const struct dl_prop_row dl_prop_rows[DLP_N];
/* In the order of dladm(8); what in a NIC of a record takes each away. */
#define DL_PROTECTIONS 4
struct dl_protection {
	const char *name, *allow;
};
extern const struct dl_protection dl_protections[DL_PROTECTIONS];

#define DL_VALUES 64
struct dl_props {
	struct {
		enum dl_prop prop;
		char *value[DL_VALUES]; /* into text */
		unsigned nvalues;
	} p[DLP_N];
	unsigned n;
	char text[2048];
	size_t used;
};
/* Appends what text says; values: each has some (set), else none may (reset). -EINVAL. */
int dl_props_parse(struct dl_props *p, const char *text, bool values, struct err *e);
/* Into an object of kind "link" (NULL: only whether they can be): protection and allowed-ips. No values: the default. */
int dl_props_global(const struct dl_props *p, json_t *object, struct err *e);
/* A link's NIC in its VM's record, not the caller's; NULL: it has none. */
json_t *dl_nic_of(const json_t *rec, const struct link_view *v);
/* Applied to the global zone's link, and stored. */
int dl_props_store(struct ctx *c, struct state *st, const char *name, const struct dl_props *p, struct err *e);

#endif
