/* SPDX-License-Identifier: MPL-2.0 */
/* Where images come from. Each makes one image as build.h says; uuid[37] gets the new one's. */
#ifndef CLOISTER_IMAGE_IMPORT_H
#define CLOISTER_IMAGE_IMPORT_H

#include "image/image.h"

#define IMAGE_BYTES_MAX   (64ULL << 30) /* unpacked, unless the options say otherwise */
#define IMAGE_ENTRIES_MAX 4000000ULL

struct import_opts {
	const char *name, *version, *type, *uuid, *description, *origin; /* NULL = from what is imported */
	const char *ref;      /* which image of an OCI layout */
	uint64_t max_bytes, max_entries; /* of the unpacked tree, 0 = default */
};

/* A manifest and its file: digests and size must agree. */
int image_install(struct ctx *c, struct state *st, struct store *s, const char *manifest, const char *file,
		  const struct import_opts *o, char uuid[37], struct err *e);
/* A root filesystem tarball, or an OCI image layout as a folder or tarball. "-" is standard input. */
int image_import(struct ctx *c, struct state *st, struct store *s, const char *path, const struct import_opts *o, char uuid[37],
		 struct err *e);
/*
 * Debian (or a relative of it) made here from its packages by debootstrap. suite NULL: this machine's own; include:
 * "openssh-server,curl" or NULL. Its output is kept in <node.log>/bootstrap.log.
 */
int image_bootstrap(struct ctx *c, struct state *st, struct store *s, const char *suite, const char *mirror, const char *include,
		    const struct import_opts *o, char uuid[37], struct err *e);

/* A stopped VM, whose lock the caller holds. */
struct capture_from {
	const char *dataset; /* "<uuid>/root" */
	const char *image;   /* shared root: the image's dataset; NULL: a private one */
	const char *name, *type;
	const char *disk;    /* instead of both: the file of a machine's disk */
	uint64_t disk_mib;   /* as large as its record says: its monitor could make the file any size */
	const json_t *oci;   /* kept from the image it was made from, or NULL */
};
/* overrides: members that replace the manifest's own, or NULL. */
int image_capture(struct ctx *c, struct state *st, struct store *s, const struct capture_from *from, const json_t *overrides,
		  const struct import_opts *o, char uuid[37], struct err *e);

/* A new manifest from the options, these where they are open. */
int import_manifest(const struct import_opts *o, const char *name, const char *type, json_t **out, struct err *e);
/* oci_fill.c: the image of the layout at `layout` (a descriptor) into the folder root; manifest gets "oci". */
int oci_fill(struct ctx *c, int layout, int root, const struct import_opts *o, json_t *manifest, struct err *e);
/* The description from the tree's /etc/os-release, unless the options have one. */
void import_describe(int root, const struct import_opts *o, json_t *manifest);

#endif
