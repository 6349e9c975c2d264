/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The server of the zone's view: one request at a time from the kernel, which asks for a file's attributes when those it has
 * are older than AGE, and for its pages if they have changed.
 *
 * A request lies in a page of the run directory, not in our memory: should we be killed between reading and answering, the
 * next worker finds it there and answers it, so that nobody waits for ever (Linux 6.9 could be asked to send it again; this
 * works everywhere, and at most one can be lost). Answering twice does no harm.
 *
 * A zone that reads without end gets a share of our time, no more, and waits in its own: nothing here is shared with others.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/share.h"
#include "zoneadmd/part.h"
#include "zoneadmd/view.h"
#include "zoneadmd/zoneadmd.h"

#define MS     1000000
#define AGE    (10 * MS)
#define AGE_NUMBERS (50 * MS) /* many files are read for it */
#define PACKET 32         /* requests before others of our parts are looked after */
#define AGAIN  (1000ULL * MS)

struct text {
	struct buf b;
	uint64_t made, changed; /* monotonic and wall clock, ns */
	int r;                  /* why it could not be made */
};

static struct {
	char *in; /* FUSEDEV_IN bytes of a file; of our own if there is no room for one */
	struct text text[VIEW_END];
	struct share share;
	uint64_t again;         /* when to read again after an error, 0 = at once */
	bool gone, blind;       /* its mounts are; nothing is known of the zone */
} view;

/*
 * Made anew. It never gets shorter: the kernel learns a file's length before its pages, and two that read at once could see
 * one's length with the other's pages. Blanks before the last newline do no reader harm.
 */
static int make(struct text *t, enum view_file f)
{
	_buf_ struct buf b = BUF_INIT;
	int r = view_text(f, &b);

	if (r < 0)
		return r;
	while (b.len && b.len < t->b.len) {
		b.p[b.len - 1] = ' ';
		buf_add(&b, "\n", 1);
	}
	if (t->changed && b.len == t->b.len && !memcmp(buf_str(&b), buf_str(&t->b), b.len))
		return 0;
	buf_done(&t->b);
	t->b = b;
	b = BUF_INIT;
	t->changed = clock_wall_ns();
	return 0;
}

static int64_t age(enum view_file f)
{
	return f == VIEW_NUMBERS ? AGE_NUMBERS : AGE;
}

/* What can't be made is not tried again sooner than what can. */
static int fresh(enum view_file f, uint64_t now)
{
	struct text *t = &view.text[f];

	if (!t->made || now - t->made >= (uint64_t)age(f)) {
		t->made = now;
		t->r = view.blind ? -EIO : make(t, f);
	}
	return t->r;
}

static int attributes(const struct fusedev_ask *a, uint64_t now)
{
	struct text *t = &view.text[a->node];
	struct fusedev_node n = {.id = a->node, .mode = 0100444, .uid = view_uid()};
	int r = fresh((enum view_file)a->node, now);

	if (r < 0)
		return fusedev_fail(FD_VIEW, a->unique, -r);
	n.size = t->b.len;
	n.mtime_ns = t->changed;
	n.valid_ns = (uint64_t)(view.share.left < SHARE_SAVED / 2 ? 10 * AGE : age((enum view_file)a->node));
	return fusedev_attr(FD_VIEW, a->unique, &n);
}

static int content(const struct fusedev_ask *a, uint64_t now)
{
	struct text *t = &view.text[a->node];
	int r = t->changed ? 0 : fresh((enum view_file)a->node, now);

	return r < 0 ? fusedev_fail(FD_VIEW, a->unique, -r) : fusedev_text(FD_VIEW, a, buf_str(&t->b), t->b.len);
}

static void serve(size_t n)
{
	struct fusedev_ask a;
	int r = fusedev_parse(view.in, n, &a);

	if (r == 0 && view_names(FD_VIEW, &a, view.in, n, view_uid()) == 1) {
		uint64_t now = clock_mono_ns();

		if (a.op == FUSE_GETATTR)
			attributes(&a, now);
		else
			content(&a, now);
	}
	memset(view.in, 0, sizeof(struct fuse_in_header));
}

static int view_poll(struct pollfd *p)
{
	p[0] = (struct pollfd){.fd = view.gone || view.again || view.share.left <= 0 ? -1 : FD_VIEW, .events = POLLIN};
	return 1;
}

static uint64_t view_due(void)
{
	uint64_t idle = view_numbers_due(), t = view.again;

	if (!view.gone && !t && view.share.left <= 0)
		t = share_due(&view.share);

	return !t || (idle && idle < t) ? idle : t;
}

static void view_ready(const struct pollfd *p, int n, uint64_t now)
{
	uint64_t since = share_clock(), t;

	share_refill(&view.share, now);
	if (view_numbers_due() <= now)
		view_numbers_forget();
	if (view.again <= now)
		view.again = 0;
	if (n < 1 || !p[0].revents)
		return;
	for (int i = 0; i < PACKET && view.share.left > 0; i++) {
		ssize_t k = read(FD_VIEW, view.in, FUSEDEV_IN);

		if (k < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (k < 0) {
			view.gone = errno == ENODEV || errno == ECONNABORTED;
			view.again = view.gone || errno == EAGAIN ? 0 : now + AGAIN;
			break;
		}
		serve((size_t)k);
		t = share_clock();
		view.share.left -= (int64_t)(t - since);
		since = t;
	}
}

/* With its pages: where there is no room for them, writing to one would be a signal. */
static int map_in(void)
{
	_fd_ int fd = openat(FD_RUN, "view", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || fallocate(fd, 0, 0, FUSEDEV_IN) < 0)
		return -errno;
	view.in = mmap(NULL, FUSEDEV_IN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return view.in == MAP_FAILED ? -errno : 0;
}

static int view_start(const struct worker *w)
{
	static char own[FUSEDEV_IN];
	struct fuse_in_header h;
	struct stat st;

	if (fstat(FD_VIEW, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(10, 229))
		return -ENODEV;
	/* whatever fails from here on, who reads gets an answer */
	view.blind = view_src_start(w->uuid) < 0;
	if (map_in() < 0)
		view.in = own;
	view.share = (struct share){.left = SHARE_SAVED, .filled = clock_mono_ns()};
	memcpy(&h, view.in, sizeof h);
	if (h.len && h.len <= FUSEDEV_IN)
		serve(h.len);
	return 0;
}

static int view_settings(const char *text)
{
	view_src_settings(text);
	return 0;
}

const struct part part_view = {
	.name = "view", .start = view_start, .poll = view_poll, .ready = view_ready, .due = view_due, .settings = view_settings, .end = view_numbers_forget,
};
