/* SPDX-License-Identifier: MPL-2.0 */
/* The documents of an OCI image layout (image-spec 1.1), as outside input: pure, no I/O. Docker's types count too. */
#ifndef CLOISTER_IMAGE_OCI_H
#define CLOISTER_IMAGE_OCI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define OCI_DOC_MAX    (8u << 20)
#define OCI_LAYERS_MAX 512

struct oci_desc {
	char hex[65]; /* of "sha256:<hex>" */
	uint64_t size;
	bool index; /* it leads to a further index */
};
struct oci_manifest {
	struct oci_desc config;
	struct oci_desc *layer; /* owned */
	size_t nlayers;
};

/* The text of `oci-layout`. */
int oci_layout_check(const char *text, size_t n, struct err *e);
/*
 * The entry of an index for linux on arch ("amd64"); ref (may be NULL) is org.opencontainers.image.ref.name.
 * -ENOENT: none, the message lists what there is; -ENOTUNIQ: several.
 */
int oci_index_pick(const char *text, size_t n, const char *arch, const char *ref, struct oci_desc *out, struct err *e);
int oci_manifest_parse(const char *text, size_t n, struct oci_manifest *out, struct err *e);
void oci_manifest_done(struct oci_manifest *m);
/*
 * *run: {"argv":[…],"entrypoint":[…],"cmd":[…],"env":["A=b"…],"user":"0:0","cwd":"/","labels":{…}}. diff gets nlayers
 * digests of the unpacked layers (hex).
 */
int oci_config_parse(const char *text, size_t n, const char *arch, size_t nlayers, char (*diff)[65], json_t **run,
		     struct err *e);
/* This machine's word: "amd64", "arm64"… */
const char *oci_arch(void);

#endif
