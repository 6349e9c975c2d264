/* SPDX-License-Identifier: MPL-2.0 */
/* What a zone is told of its network beside its links: resolvers (a file) and static routes (its kernel's). */
#ifndef CLOISTER_NODE_NETCONF_H
#define CLOISTER_NODE_NETCONF_H

#include "node/vm.h"

/*
 * The text of /etc/resolv.conf for its zone, to be freed; NULL = none is to be written. Without resolvers of its own a VM has those of
 * its primary NIC's switch. At boot: the first of a root, and each one if maintain_resolvers is set.
 */
char *resolvers_at_boot(struct vm *v);
/* Reads what that needs of the database now: for who has another thread commit while it boots. */
void resolvers_look(struct vm *v);
/* The zone has booted with them, if its spec has any. */
void resolvers_written(struct vm *v);
/* Of a running zone, if it is maintained and differs. What the zone itself is in the way of is a warning: its next boot does it. */
void resolvers_live(struct vm *v, const json_t *from, const json_t *to);

/* A lease has come, or says otherwise: the file of a zone that is maintained, or has none of ours yet. */
void resolvers_leased(struct vm *v);

/* Whether each route's gateway is on one of the VM's NICs. */
int routes_check(const json_t *rec, struct err *e);
/* All of them, in the zone's network namespace, behind its NICs. */
int routes_up(const json_t *rec, int ns, struct err *e);
/* Of a running zone: from those of one record to those of another. As above a warning. */
void routes_live(struct vm *v, const json_t *from, const json_t *to);

#endif
