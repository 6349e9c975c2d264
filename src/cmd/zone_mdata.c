/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister zone-mdata: the end of the metadata service that has rights. A zone's worker starts it when the zone, or its guest,
 * has said something; cloister-mdatad, its child, reads that and asks (mdata/ask.h). It ends when that does.
 *
 * Its child may be the zone's by now: a question is checked in full, and answered within a share of a processor and of the
 * disk, whatever the child thinks of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/share.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "mdata/ask.h"
#include "node/mdata.h"

#define OWNER     "4294901761" /* 0xffff0001: no zone's: those end below 0xffff0000 (base/ctx.c) */
#define CPU_MORE  2            /* seconds of a processor beyond the double of its share: the kernel counts whole ones */
#define WRITES    64           /* changes at once … */
#define WRITE_NS  250000000ULL /* … and then one in this time: each is a flush to the disk that all zones share */

struct side {
	struct ctx *c;
	struct state *st;
	const char *uuid;
	int fd;
	bool told; /* of a failure of ours; a zone may have it come again and again */
	struct share share;
	unsigned writes;       /* that may be made */
	uint64_t writes_since; /* CLOCK_MONOTONIC ns */
};

/* 1, 0 at the end of what is there, or negative errno. */
static int hear(int fd, void *p, size_t n)
{
	for (char *at = p; n;) {
		ssize_t k = read(fd, at, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : 0;
		at += k;
		n -= (size_t)k;
	}
	return 1;
}

static void await(uint64_t ms)
{
	poll(NULL, 0, (int)ms);
}

/* Who asks more than its share waits here. */
static void pace(struct side *s, bool write)
{
	uint64_t now = clock_mono_ns(), more, due;

	share_refill(&s->share, now);
	if (s->share.left <= 0)
		await((share_due(&s->share) - now) / 1000000 + 1);
	if (!write)
		return;
	more = (now - s->writes_since) / WRITE_NS;
	s->writes_since += more * WRITE_NS;
	s->writes = more > WRITES - s->writes ? WRITES : s->writes + (unsigned)more;
	if (s->writes) {
		s->writes--;
		return;
	}
	for (due = s->writes_since + WRITE_NS; (now = clock_mono_ns()) < due;)
		await((due - now) / 1000000 + 1);
	s->writes_since = due; /* that time has been had */
}

static int act(struct side *s, const struct mdata_ask *q, const char *key, const char *value, struct buf *out, struct err *e)
{
	switch (q->op) {
	case MDATA_GET:
		return mdata_get(s->c, s->st, s->uuid, key, out, e);
	case MDATA_KEYS:
		return mdata_keys(s->st, s->uuid, out, e);
	case MDATA_PUT:
		return mdata_put(s->c, s->st, s->uuid, key, value, q->value_len, e);
	default:
		return mdata_delete(s->c, s->st, s->uuid, key, e);
	}
}

static bool sane(const struct mdata_ask *q)
{
	bool key = q->key_len > 0 && q->key_len <= MDATA_KEY_MAX;

	switch (q->op) {
	case MDATA_GET:
	case MDATA_DELETE:
		return key && !q->value_len;
	case MDATA_PUT:
		return key && q->value_len <= MDATA_LINE_MAX;
	case MDATA_KEYS:
		return !q->key_len && !q->value_len;
	default:
		return false;
	}
}

/* 1 = go on. */
static int one(struct side *s)
{
	_buf_ struct buf out = BUF_INIT;
	_free_ char *value = NULL;
	char key[MDATA_KEY_MAX + 1] = "";
	struct err e = ERR_INIT;
	struct mdata_ask q;
	struct mdata_said a = {0};
	uint64_t from;
	int r = hear(s->fd, &q, sizeof q);

	if (r <= 0)
		return r;
	if (!sane(&q))
		return -EPROTO;
	value = xalloc(q.value_len + 1);
	if (hear(s->fd, key, q.key_len) <= 0 || hear(s->fd, value, q.value_len) <= 0)
		return 0;
	if (q.key_len && !mdata_key_ok(key, q.key_len))
		return -EPROTO;
	pace(s, q.op == MDATA_PUT || q.op == MDATA_DELETE);
	from = share_clock();
	r = act(s, &q, key, value, &out, &e);
	a.status = r == 0 ? MDATA_SUCCESS : r == -ENOENT ? MDATA_NOTFOUND : MDATA_FAILURE;
	if (r < 0)
		buf_done(&out);
	if (r == -EROFS || r == -EINVAL || r == -EFBIG || r == -EDQUOT || r == -EBUSY) {
		buf_puts(&out, e.msg);
	} else if (a.status == MDATA_FAILURE) {
		buf_puts(&out, "the host could not do it");
		if (!s->told)
			ctx_log(s->c, LOG_WARN, "VM %s: metadata: %s", s->uuid, e.msg); /* to the zone's platform.log */
		s->told = true;
	}
	if (r == 0 && (q.op == MDATA_PUT || q.op == MDATA_DELETE))
		buf_puts(&out, "OK");
	a.len = (uint32_t)out.len;
	a.used_ns = share_clock() - from;
	s->share.left -= (int64_t)a.used_ns;
	if (fd_write_all(s->fd, &a, sizeof a) < 0 || fd_write_all(s->fd, buf_str(&out), out.len) < 0)
		return 0;
	return 1;
}

/*
 * What our child keeps to by itself it is held to by the kernel: it gets more when it asks something, and never above what was its own by then. One
 * that spins is ended, and its worker waits ever longer before there is another (zoneadmd/part_mdata.c).
 */
static void allow(pid_t pid, uint64_t since)
{
	rlim_t s = (rlim_t)((clock_mono_ns() - since) / 1000000000 * 2 / SHARE_PART + CPU_MORE);
	const struct rlimit cpu = {s, s + 1};

	prlimit(pid, RLIMIT_CPU, &cpu, NULL);
}

static pid_t child(struct ctx *c, const char *mode, int source, int ask, struct err *e)
{
	_free_ char *path = xprintf("%s/cloister-mdatad", c->libexec), *empty = xprintf("%s/empty", c->node.run);
	char *argv[] = {(char *)"cloister-mdatad", (char *)mode, (char *)OWNER, NULL};
	int r = dir_make(empty, 0555, e);
	_fd_ int folder = r < 0 ? -1 : open(empty, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	pid_t pid;

	if (folder < 0)
		return r < 0 ? r : err_sys(e, errno, "%s", empty);
	pid = fork();
	if (pid == 0) {
		/* numbers above those that it gets, so that none of them is hit before it is copied */
		int from[] = {fcntl(source, F_DUPFD, 64), fcntl(ask, F_DUPFD, 64), fcntl(folder, F_DUPFD, 64)};

		for (int i = 0; i < 3; i++)
			if (from[i] < 0 || dup2(from[i], MDATAD_SOURCE + i) < 0)
				_exit(127);
		close_range(MDATAD_FOLDER + 1, ~0U, 0);
		allow(0, clock_mono_ns());
		execve(path, argv, (char *const[]){NULL});
		_exit(127);
	}
	return pid < 0 ? err_sys(e, errno, "fork") : pid;
}

static int serve(struct ctx *c, const char *uuid, const char *mode, struct err *e)
{
	struct side s = {.c = c, .uuid = uuid, .share = {SHARE_SAVED, clock_mono_ns()}, .writes = WRITES, .writes_since = clock_mono_ns()};
	int sv[2], source = MDATAD_SOURCE, r = state_open(c, STATE_READ, &s.st, e);
	uint64_t since = clock_mono_ns();
	pid_t pid;
	int st = 0;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0) {
		state_close(&s.st);
		return err_sys(e, errno, "socketpair");
	}
	pid = child(c, mode, source, sv[1], e);
	close(sv[1]);
	close(source); /* nothing of the zone's is open here */
	s.fd = sv[0];
	while (pid > 0 && (r = one(&s)) > 0)
		allow(pid, since);
	close(sv[0]);
	if (pid > 0) {
		kill(pid, SIGKILL); /* one that keeps to what is agreed has ended by itself */
		waitpid(pid, &st, 0);
	}
	state_close(&s.st);
	if (WIFSIGNALED(st) && WTERMSIG(st) == SIGXCPU)
		return err_set(e, EDQUOT, "metadata of VM %s: cloister-mdatad took more of a processor than its share, and was ended", uuid);
	return pid < 0 ? pid : r < 0 ? err_sys(e, r, "metadata of VM %s: cloister-mdatad", uuid) : 0;
}

/* Descriptor 3 is what the zone speaks through: the worker's, of which this is a copy. */
static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc != 3 || !uuid_valid(argv[1]) || (!str_eq(argv[2], "socket") && !str_eq(argv[2], "serial")))
		return cmd_usage("cloister", argv[0], NULL);
	own_fd(&c->oplog); /* a zone that puts without end has no claim on the log of all */
	return serve(c, argv[1], argv[2], &e) < 0 ? cmd_fail(c, &e) : 0;
}

CMD_INTERNAL(cloister_zone_mdata, "cloister", "zone-mdata", "<uuid> socket|serial", "for zoneadmd: answers a zone's metadata requests", CMD_VM, run);
