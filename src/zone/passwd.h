/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A zone's user database, read from the text of its own /etc/passwd and /etc/group. The host's NSS is never asked
 * about a zone's users: it would answer with the host's, and run the host's modules on the zone's say. Pure; the
 * texts are hostile.
 */
#ifndef CLOISTER_ZONE_PASSWD_H
#define CLOISTER_ZONE_PASSWD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PASSWD_MAX    (4u << 20) /* bytes of a file that we look at */
#define PASSWD_ID_END 65536u     /* ids from here on have no meaning in a zone */

struct passwd_user {
	uid_t uid;
	gid_t gid;
	char name[64];
	char home[256];  /* absolute, "/" if the field is empty or is not */
	char shell[256]; /* absolute, "/bin/sh" if the field is empty or is not */
};

/*
 * The first well-formed line for this login name; a name of digits only that no line has is looked up as a uid.
 * -ENOENT. Lines that are not well-formed (fields, numbers ≥ PASSWD_ID_END, too long, control characters) don't count.
 */
int passwd_user(const char *text, size_t n, const char *name, struct passwd_user *out);
/* Supplementary groups of a user (the primary one first), each once, at most max; returns how many. */
size_t passwd_groups(const char *text, size_t n, const char *name, gid_t primary, gid_t *out, size_t max);
/* The gid of a group name, or of a number. -ENOENT. */
int passwd_group(const char *text, size_t n, const char *name, gid_t *out);

/* Whether a text like /etc/hosts gives some address that name. */
bool passwd_host(const char *text, size_t n, const char *name);

#endif
