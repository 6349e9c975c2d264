/* SPDX-License-Identifier: MPL-2.0 */
/* Private to bootstrap: what apt's own configuration says (pure), and what becomes of a root that is a machine's. */
#ifndef CLOISTER_IMAGE_BOOTSTRAP_H
#define CLOISTER_IMAGE_BOOTSTRAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/ctx.h"

/*
 * The first address in an apt source list (one-line or deb822, told by deb822) that serves `suite` with component
 * main. 0 or -ENOENT.
 */
int apt_mirror(const char *text, bool deb822, const char *suite, char *out, size_t n);
/* Names that reach a command line: a suite, a package list. */
bool apt_word_ok(const char *s, const char *extra);


/* ---- bootstrap_disk.c: of type zvol ---- */
/* What a machine has beside the packages of a zone. debootstrap sees no names that packages provide: of cloud-init's one is named here. */
#define BOOTSTRAP_DISK "linux-image-cloud-amd64,initramfs-tools,udev,kmod,systemd-resolved,openssh-server,sudo,cloud-init,python3-cffi-backend,cloud-guest-utils,qemu-guest-agent"
/* The programs that it takes are installed; else which package has them. */
int bootstrap_disk_tools(struct err *e);
/* The root in the folder tree of the dataset ds (its path: dir) becomes root/disk, which boots; the folder goes. */
int bootstrap_disk(struct ctx *c, const char *dir, int ds, json_t *manifest, struct err *e);

#endif
