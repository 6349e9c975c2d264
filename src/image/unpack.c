/* SPDX-License-Identifier: MPL-2.0 */
#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "image/child.h"

struct reader {
	struct ctx *c;
	const struct unpack_job *j;
	struct unpack_done done;
	bool ok, failed;
	struct err why;
};

static void heard(char *line, void *arg)
{
	struct reader *r = arg;
	unsigned long long a, b, s;

	if (sscanf(line, "p %llu", &a) == 1) {
		if (r->c->progress)
			r->c->progress(r->c, r->j->what, a, r->j->total);
	} else if (!strncmp(line, "e ", 2) && !r->failed) {
		char *text;
		long code = strtol(line + 2, &text, 10);

		r->failed = true;
		err_set(&r->why, code > 0 && code < 4096 ? (int)code : EBADMSG, "%s", text + strspn(text, " "));
	} else if (sscanf(line, "ok %llu %llu %llu %64[0-9a-f]", &a, &b, &s, r->done.sha256) == 4) {
		r->done.entries = a;
		r->done.bytes = b;
		r->done.size = s;
		r->ok = true;
	}
}

static int hint(struct err *e, int code)
{
	if (code == ENOTSUP && strstr(e->msg, "zfs send"))
		err_hint(e, "make a tarball of it where zfs runs: zfs receive it, then tar -C /pool/dataset/root --numeric-owner "
			    "--xattrs -czf image.tar.gz .");
	return -code;
}

int unpack_run(struct ctx *c, const struct unpack_job *j, struct unpack_done *out, struct err *e)
{
	_clean_(child_end) struct child k = CHILD_INIT;
	_free_ char *prog = xprintf("%s/cloister-unpack", c->libexec), *size = xprintf("%lld", (long long)j->size),
		     *mb = xprintf("%llu", (unsigned long long)j->max_bytes),
		     *me = xprintf("%llu", (unsigned long long)j->max_entries);
	const char *argv[20] = {prog}, *const env[] = {"LC_ALL=C", NULL};
	struct reader rd = {.c = c, .j = j, .why = ERR_INIT};
	struct child_lines lines = {.line = heard, .arg = &rd, .log = -1};
	_fd_ int rfd = -1;
	int fds[6] = {-1, -1, 2, j->in, j->root, -1}, pipefd[2], n = 1, r;

	if (j->root < 0)
		argv[n++] = "--digest";
	if (j->disk)
		argv[n++] = "--disk";
	if (j->layer)
		argv[n++] = "--layer";
	if (j->sha256)
		argv[n++] = "--sha256", argv[n++] = j->sha256;
	if (j->sha1)
		argv[n++] = "--sha1", argv[n++] = j->sha1;
	if (j->diff)
		argv[n++] = "--diff", argv[n++] = j->diff;
	if (j->size >= 0)
		argv[n++] = "--size", argv[n++] = size;
	if (j->max_bytes)
		argv[n++] = "--max-bytes", argv[n++] = mb;
	if (j->max_entries)
		argv[n++] = "--max-entries", argv[n++] = me;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	rfd = pipefd[0];
	fds[5] = pipefd[1];
	if (c->progress)
		c->progress(c, j->what, 0, j->total);
	r = child_start(&k, argv, env, fds, 6, e);
	close(pipefd[1]);
	if (r == 0)
		r = child_listen(c, rfd, &lines, e);
	if (r < 0)
		return r;
	r = child_wait(&k);
	if (r == 0 && rd.ok) {
		if (c->progress)
			c->progress(c, j->what, rd.done.size, rd.done.size);
		*out = rd.done;
		return 0;
	}
	if (rd.failed) {
		if (e)
			*e = rd.why;
		return e ? hint(e, rd.why.code) : -rd.why.code;
	}
	if (r > 128)
		return err_set(e, EIO, "cloister-unpack was ended by signal %d", r - 128);
	return err_set(e, EIO, "cloister-unpack ended with status %d and no reason", r);
}
