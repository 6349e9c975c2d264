/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small file tree in memory: what the platform image is made of, so that it can be hashed before it is written.
 * The host's files are read through here too; none of it ever comes from a zone.
 */
#ifndef CLOISTER_IMAGE_SKEL_H
#define CLOISTER_IMAGE_SKEL_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct skel_item {
	char *path; /* relative, owned */
	mode_t mode; /* with the kind */
	uid_t uid;
	gid_t gid;
	char *data; /* a file's bytes or a link's target, owned */
	size_t len;
};
struct skel {
	struct skel_item *v;
	size_t n, cap;
};
#define SKEL_INIT ((struct skel){.v = NULL})
void skel_done(struct skel *s);

void skel_dir(struct skel *s, const char *path, mode_t mode, uid_t uid, gid_t gid);
void skel_file(struct skel *s, const char *path, mode_t mode, uid_t uid, gid_t gid, const void *p, size_t n);
void skel_text(struct skel *s, const char *path, const char *text); /* root's, 0644 */
void skel_link(struct skel *s, const char *path, const char *target);
/* The host's file, if it is there; 0 or -ENOENT. */
int skel_copy(struct skel *s, const char *path, const char *from);

uint64_t skel_hash(const struct skel *s);
/* Writes all of it below the (empty) folder root; missing parents become root's, 0755. */
int skel_write(const struct skel *s, int root, struct err *e);

/* platform_etc.c: what goes into the platform image. Pure but for reading the host's files. */
int platform_plan(struct skel *s, struct err *e);
/* platform_dpkg.c: unmodified configuration files of packages: the distribution's defaults, never the host's state. */
int platform_conffiles(struct skel *s, struct err *e);
/* Pure: walks "Conffiles:" of dpkg's status for the packages it is asked for. md5 is 32 hex digits. */
void dpkg_conffiles(const char *status, size_t n, int (*wanted)(const char *pkg, size_t len),
		    void (*each)(const char *path, size_t len, const char *md5, void *arg), void *arg);
/* platform_users.c: passwd, shadow, group, gshadow; certificates. */
int platform_users(struct skel *s, struct err *e);
void platform_certificates(struct skel *s);
/* MD5 of bytes, hex: only to compare with dpkg's own list. */
void md5_hex(const void *p, size_t n, char out[33]);

#endif
