/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-mdatad: reads what a zone or a guest says to the metadata service. It is started when something was said
 * (zoneadmd/part_mdata.c), by `cloister zone-mdata`, which answers its questions; and ends when nothing was for a while.
 */
#ifndef CLOISTER_MDATAD_MDATAD_H
#define CLOISTER_MDATAD_MDATAD_H

#include <stdbool.h>
#include <sys/types.h>

/* lockin.c: gives up all rights; NULL, or what could not be done. */
const char *lock_in(uid_t uid);
/* serve.c: until there is nothing to do. listening: the source is a listening socket, else a connected one. */
int serve(bool listening);

#endif
