/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An OCI image layout becomes a tree. Every blob is named by its digest and checked against it: documents are read
 * into a sealed copy that is hashed and then parsed, layers are hashed while they are unpacked (compressed and plain).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "image/import.h"
#include "image/oci.h"
#include "image/unpack.h"
#include "kern/path.h"

#define INDEX_DEPTH 4

/* A regular file of the layout, which is outside input too: no link, no fifo. */
static int open_file(int layout, const char *path, uint64_t *size, struct err *e)
{
	_fd_ int fd = path_open_nolink(layout, path, O_RDONLY | O_NONBLOCK, 0, e);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: not a regular file", path);
	*size = (uint64_t)st.st_size;
	return take_fd(&fd);
}

static int read_file(int layout, const char *path, struct buf *out, struct err *e)
{
	uint64_t size;
	_fd_ int fd = open_file(layout, path, &size, e);
	_free_ char *self = xprintf("/proc/self/fd/%d", fd);
	int r;

	if (fd < 0)
		return fd;
	r = file_read(AT_FDCWD, self, OCI_DOC_MAX, out, e);
	return r < 0 ? err_add(e, "%s", path) : 0;
}

/* The document a descriptor names, as bytes that have been hashed. */
static int read_blob(struct ctx *c, int layout, const struct oci_desc *d, struct buf *out, struct err *e)
{
	struct ctx quiet = *c;
	struct unpack_job j = {.what = "digest", .root = -1, .sha256 = d->hex, .size = (int64_t)d->size};
	struct unpack_done done;
	_free_ char *path = xprintf("blobs/sha256/%s", d->hex);
	_fd_ int fd = -1;
	int r;

	if (d->size > OCI_DOC_MAX)
		return err_set(e, EFBIG, "sha256:%s: a document of %llu bytes", d->hex, (unsigned long long)d->size);
	r = read_file(layout, path, out, e);
	if (r < 0)
		return r;
	fd = memfd_create("blob", MFD_CLOEXEC);
	if (fd < 0 || (r = fd_write_all(fd, out->p, out->len)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, fd < 0 || r == 0 ? errno : r, "memfd");
	j.in = fd;
	quiet.progress = NULL;
	r = unpack_run(&quiet, &j, &done, e);
	return r < 0 ? err_add(e, "%s", path) : 0;
}

static int find_manifest(struct ctx *c, int layout, const char *ref, struct buf *out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	struct oci_desc d;
	int r = read_file(layout, "oci-layout", &b, e);

	if (r == 0)
		r = oci_layout_check(buf_str(&b), b.len, e);
	if (r < 0)
		return r;
	buf_done(&b);
	b = BUF_INIT;
	r = read_file(layout, "index.json", &b, e);
	for (int depth = 0; r == 0; depth++) {
		r = oci_index_pick(buf_str(&b), b.len, oci_arch(), ref, &d, e);
		if (r < 0)
			return r;
		buf_done(&b);
		b = BUF_INIT;
		ref = NULL; /* names stand in the outermost index */
		if (!d.index)
			return read_blob(c, layout, &d, out, e);
		if (depth == INDEX_DEPTH)
			return err_set(e, ELOOP, "indexes more than %d deep", INDEX_DEPTH);
		r = read_blob(c, layout, &d, &b, e);
	}
	return r;
}

static int layers(struct ctx *c, int layout, int root, const struct oci_manifest *m, char (*diff)[65], const struct import_opts *o,
		  struct err *e)
{
	uint64_t left = o->max_bytes, entries = o->max_entries;

	for (size_t i = 0; i < m->nlayers; i++) {
		_free_ char *path = xprintf("blobs/sha256/%s", m->layer[i].hex), *what = xprintf("layer %zu of %zu", i + 1, m->nlayers);
		uint64_t size;
		_fd_ int fd = open_file(layout, path, &size, e);
		struct unpack_job j = {
			.what = what, .in = fd, .root = root, .layer = true, .sha256 = m->layer[i].hex, .diff = diff[i],
			.size = (int64_t)m->layer[i].size, .total = m->layer[i].size, .max_bytes = left, .max_entries = entries,
		};
		struct unpack_done d;
		int r = fd < 0 ? fd : unpack_run(c, &j, &d, e);

		if (r < 0)
			return err_add(e, "layer %zu of %zu", i + 1, m->nlayers);
		/* the limits are the image's, not each layer's; 0 would mean the default */
		left = d.bytes < left ? left - d.bytes : 1;
		entries = d.entries < entries ? entries - d.entries : 1;
	}
	return 0;
}

static int fill(struct ctx *c, int layout, int root, const struct import_opts *o, const struct oci_manifest *om, json_t *manifest,
		struct err *e)
{
	_free_ char (*diff)[65] = xalloc(om->nlayers * sizeof *diff);
	_buf_ struct buf b = BUF_INIT;
	json_t *run = NULL;
	int r = read_blob(c, layout, &om->config, &b, e);

	if (r == 0)
		r = oci_config_parse(buf_str(&b), b.len, oci_arch(), om->nlayers, diff, &run, e);
	if (r == 0)
		r = layers(c, layout, root, om, diff, o, e);
	if (r < 0) {
		json_decref(run);
		return r;
	}
	json_object_set_new(manifest, "oci", run);
	/* as imgadm does for images from a Docker registry */
	if (!o->type)
		json_object_set_new(manifest, "type", json_string("docker"));
	import_describe(root, o, manifest);
	return 0;
}

int oci_fill(struct ctx *c, int layout, int root, const struct import_opts *o, json_t *manifest, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	struct oci_manifest om;
	struct import_opts lim = *o;
	int r = find_manifest(c, layout, o->ref, &b, e);

	if (r == 0)
		r = oci_manifest_parse(buf_str(&b), b.len, &om, e);
	if (r < 0)
		return r;
	lim.max_bytes = o->max_bytes ?: IMAGE_BYTES_MAX;
	lim.max_entries = o->max_entries ?: IMAGE_ENTRIES_MAX;
	r = fill(c, layout, root, &lim, &om, manifest, e);
	oci_manifest_done(&om);
	return r;
}
