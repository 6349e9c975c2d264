/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kept: file capabilities, user.*, POSIX ACLs. Dropped: trusted.* and other systems' words. Refused: overlayfs's own,
 * by which an image could make its files say "look elsewhere" or "deleted" when it becomes the lower of an overlay.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "unpack/unpack.h"

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

static int by_tag(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;

	if (x->tag != y->tag)
		return le16toh(x->tag) < le16toh(y->tag) ? -1 : 1;
	return x->id == y->id ? 0 : le32toh(x->id) < le32toh(y->id) ? -1 : 1;
}

static uint16_t tag_of(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return 0x01;
	case ARCHIVE_ENTRY_ACL_USER:
		return 0x02;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return 0x04;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return 0x08;
	case ARCHIVE_ENTRY_ACL_MASK:
		return 0x10;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return 0x20;
	default:
		return 0;
	}
}

static void set(int fd, const char *name, const void *p, size_t n, const char *path)
{
	if (fsetxattr(fd, name, p, n, 0) < 0)
		fail(errno, "%s: attribute %.100s: %s", path, name, strerror(errno));
}

/* The kernel's form: version 2, then entries in order of tag and id, little endian. */
static void acl(int fd, struct archive_entry *ae, int type, const char *name, const char *path)
{
	int count = archive_entry_acl_reset(ae, type), t, perm, tag, id;
	struct acl_entry *out;
	size_t n = 0, bytes;
	char *blob;
	const char *who;

	if (count <= 0)
		return;
	if (count > 1024)
		fail(E2BIG, "%s: ACL with %d entries", path, count);
	bytes = 4 + (size_t)(count + 3) * sizeof *out;
	blob = need(calloc(1, bytes));
	blob[0] = 2;
	out = (struct acl_entry *)(void *)(blob + 4);
	while (n < (size_t)count + 3 && archive_entry_acl_next(ae, type, &t, &perm, &tag, &id, &who) == ARCHIVE_OK) {
		uint16_t k = tag_of(tag);

		if (!k)
			continue;
		if ((k == 2 || k == 8) && (id < 0 || id >= ID_LIMIT))
			fail(ERANGE, "%s: ACL for id %d, a zone has the ids 0 to %d", path, id, ID_LIMIT - 1);
		out[n].tag = htole16(k);
		out[n].perm = htole16((uint16_t)(perm & 7));
		out[n++].id = htole32(k == 2 || k == 8 ? (uint32_t)id : UINT32_MAX);
	}
	qsort(out, n, sizeof *out, by_tag);
	set(fd, name, blob, 4 + n * sizeof *out, path);
	free(blob);
}

void entry_xattrs(int fd, struct archive_entry *ae, const char *path)
{
	bool regular = archive_entry_filetype(ae) == AE_IFREG;
	const char *name;
	const void *p;
	size_t n;

	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &name, &p, &n) == ARCHIVE_OK) {
		if (!strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13))
			fail(EPERM, "%s: attribute %.100s would steer the overlay", path, name);
		if (strlen(name) > 255 || n > 65536)
			fail(E2BIG, "%s: attribute %.100s is too large", path, name);
		if (!strncmp(name, "user.", 5) || (regular && !strcmp(name, "security.capability")))
			set(fd, name, p, n, path);
	}
	acl(fd, ae, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", path);
	if (!regular)
		acl(fd, ae, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", path);
}
