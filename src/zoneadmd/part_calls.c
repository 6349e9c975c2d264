/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The zone's sched_getaffinity(2) and sysinfo(2), answered by the zone's numbers. One at a time: it is received into a page of
 * the run directory (should we be killed, the next worker answers it from there; the kernel tells of each once only), what
 * there is to say is put together, the hand writes it into the caller's memory, and the caller goes on.
 *
 * Whenever we have nothing better to say than the kernel, or can't say it (a mask that is as small as the zone's cap anyway, an
 * argument that the kernel refuses, no process of that number), the kernel makes the call itself. It asks nobody for rights
 * that it would not ask otherwise: nothing here decides what a zone may do, only what it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/share.h"
#include "kern/notify.h"
#include "kern/pidfd.h"
#include "kern/sock.h"
#include "zoneadmd/hand.h"
#include "zoneadmd/part.h"
#include "zoneadmd/view.h"
#include "zoneadmd/zoneadmd.h"

#ifndef NS_GET_PID_FROM_PIDNS /* Linux 6.11 */
#define NS_GET_PID_FROM_PIDNS _IOR(NSIO, 0x6, int)
#endif

#define MS     1000000ULL
#define AGE    (10 * MS)    /* of the numbers; those of processors are never older than the call */
#define PACKET 32           /* calls before others of our parts are looked after */
#define STUCK  (2000 * MS) /* what a write into the zone's memory may take */
#define IDLE   (10000 * MS) /* then the hand goes */
#define LATE   5            /* times too late: on a machine so starved the kernel answers */

/* What the next worker has to know, in a file: the call that is being answered, and the hand that may be writing. */
struct page {
	union {
		struct seccomp_notif n; /* id 0 = there is none */
		char room[NOTIFY_PAGE - 64];
	};
	uint64_t hand, hand_start; /* pid and when it began; 0 = there is none */
};
_Static_assert(sizeof(struct page) <= NOTIFY_PAGE, "one page");

static struct {
	struct page *page;
	int before;       /* pidfd of the hand of the worker before: while it lives it may write; -1 = it is dead */
	int epoll;        /* of all listeners */
	int listener;     /* of the call in page; -1 = there is none */
	int64_t value;    /* what it returns once it is written */
	bool given, left_over, blind, again; /* again: a hand has died of this call's job */
	unsigned late;                       /* how often it came to it too late */
	uint64_t began, last; /* the hand with its job; when it last was */
	bool overdue;         /* and is killed for it */
	struct share share;
	struct notify_numbers numbers;
	uint64_t made;
} calls = {.before = -1, .epoll = -1, .listener = -1};

static struct seccomp_notif *asked(void)
{
	return &calls.page->n;
}

static void answered(void)
{
	memset(&calls.page->room, 0, sizeof calls.page->room);
	calls.listener = -1;
	calls.given = calls.overdue = calls.again = false;
	calls.late = 0;
}

/* An answer that nobody waits for any more is none the worse. */
static void answer(int64_t value, int error)
{
	notify_answer(calls.listener, asked()->id, value, error);
	answered();
}

static void by_kernel(void)
{
	notify_continue(calls.listener, asked()->id);
	answered();
}

static void give(void)
{
	calls.began = clock_mono_ns();
	if (hand_start(view_uid()) < 0) {
		by_kernel();
		return;
	}
	/* on paper before it does anything */
	if (calls.page->hand != (uint64_t)hand_pid()) {
		calls.page->hand_start = pid_start(hand_pid(), NULL);
		calls.page->hand = (uint64_t)hand_pid();
	}
	/*
	 * As late as can be: its caller may have been killed since it asked, by a thread of its own that has the number now and
	 * another program at that address. The hand looks at the clock once more.
	 */
	hand_job.seen_ns = clock_mono_ns();
	if (!notify_valid(calls.listener, asked()->id)) {
		answered();
		return;
	}
	hand_give();
	calls.given = true;
}

/* ---- sysinfo ---- */

static int numbers(uint64_t now)
{
	struct notify_numbers *n = &calls.numbers;
	struct view_memory m;
	struct view_cpu c;
	struct view_load l;
	int r;

	if (calls.made && now - calls.made < AGE)
		return 0;
	r = view_memory(&m);
	if (r == 0)
		r = view_cpu(&c);
	if (r < 0)
		return r;
	view_load(&c, &l);
	*n = (struct notify_numbers){
		.total = m.total, .free = m.total > m.used ? m.total - m.used : 0, .shared = m.of[VM_SHMEM],
		.swap = m.swap_total, .swap_free = m.swap_total - m.swap_used, .procs = view_tasks(),
	};
	for (int i = 0; i < 3; i++)
		n->load[i] = l.avg[i] << (16 - VIEW_LOAD_SHIFT);
	calls.made = now;
	return 0;
}

static void tell_numbers(const struct notify_ask *a)
{
	if (numbers(clock_mono_ns()) < 0) {
		by_kernel();
		return;
	}
	calls.numbers.up_s = view_uptime();
	hand_job.len = notify_sysinfo(&calls.numbers, a->narrow, (uint8_t *)hand_job.bytes);
	calls.value = 0;
	give();
}

/* ---- sched_getaffinity ---- */

/*
 * The thread that the caller means, as we number it. Only those of the caller's pid namespace have a number there: it is never
 * one outside of the zone. Negative errno: there is none, or no way to tell (before Linux 6.11, except for itself).
 */
static pid_t meant(const struct notify_ask *a)
{
	char path[48];
	_fd_ int ns = -1;
	int r;

	if (a->pid == 0)
		return a->caller;
	snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)a->caller);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	r = ns < 0 ? -1 : ioctl(ns, NS_GET_PID_FROM_PIDNS, a->pid);
	/* after the fact: had the caller died, this could be the namespace of whoever has its number now */
	return r < 0 ? -errno : notify_valid(calls.listener, asked()->id) ? r : -ESRCH;
}

static void tell_processors(const struct notify_ask *a)
{
	struct cpus all = {{0}}, few;
	unsigned max = view_cpus_max(); /* read from the cgroup: once a call */
	pid_t pid;
	long n;

	if (!max || view_cpus_known() > CPUS_MAX || !notify_mask_fits(a, view_cpus_known()) || a->pid < 0) {
		by_kernel();
		return;
	}
	_Static_assert(sizeof hand_job.bytes >= sizeof all, "room for a mask");
	memset(hand_job.bytes, 0, sizeof hand_job.bytes);
	pid = meant(a);
	n = pid <= 0 ? -1 : syscall(SYS_sched_getaffinity, pid, sizeof hand_job.bytes, hand_job.bytes);
	memcpy(&all, hand_job.bytes, sizeof all);
	few = view_cpus_shown(&all, max);
	/* asked again: whose mask that was had that number all the while */
	if (n < 0 || cpus_equal(&all, &few) || meant(a) != pid || !notify_valid(calls.listener, asked()->id)) {
		by_kernel();
		return;
	}
	memcpy(hand_job.bytes, &few, sizeof few);
	hand_job.len = (size_t)n < a->len ? (size_t)n : a->len;
	calls.value = (int64_t)hand_job.len;
	give();
}

/* ---- one call ---- */

static void serve(void)
{
	struct notify_ask a;

	notify_parse(asked(), &a);
	hand_job.pid = a.caller;
	hand_job.addr = a.addr;
	if (calls.blind || a.what == NOTIFY_OTHER)
		by_kernel();
	else if (a.what == NOTIFY_SYSINFO)
		tell_numbers(&a);
	else
		tell_processors(&a);
}

/* The hand has tried. Where it may not write (a program that even the zone's root may not trace) the kernel does. */
static void written(void)
{
	calls.share.left -= (int64_t)hand_job.used_ns;
	if (hand_job.done == -ETIME && ++calls.late < LATE)
		give();
	else if (hand_job.done == (long)hand_job.len)
		answer(calls.value, 0);
	else if (hand_job.done >= 0 || hand_job.done == -EFAULT)
		answer(0, EFAULT);
	else
		by_kernel();
}

static void hand_ended(void)
{
	calls.page->hand = 0;
	hand_reap();
	if (!calls.given)
		return;
	if (calls.overdue || calls.again) {
		by_kernel();
		return;
	}
	calls.again = true;
	give(); /* somebody has killed it; or a host lets it not even begin, then once is enough */
}

static void look_after_hand(const struct pollfd *p, uint64_t now)
{
	if (p[1].revents) {
		hand_taken();
		calls.last = now;
		if (calls.given)
			written();
	}
	if (p[2].revents)
		hand_ended();
	if (calls.given && !calls.overdue && calls.began + STUCK <= now) {
		calls.overdue = true;
		hand_kill();
	}
	if (!calls.given && hand_dead_fd() >= 0 && calls.last + IDLE <= now)
		hand_kill();
}

/* ---- listeners ---- */

static void listen_to(int listener, void *arg)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener};

	(void)arg;
	epoll_ctl(calls.epoll, EPOLL_CTL_ADD, listener, &ev);
}

void calls_listen(int listener)
{
	listener = fd_up(listener);
	if (listener >= 0 && calls.epoll < 0)
		close(listener); /* the keeper has it, for the next worker */
	else if (listener >= 0)
		listen_to(listener, NULL);
}

/* 1 = there may be more. */
static int next(void)
{
	struct epoll_event ev;

	if (epoll_wait(calls.epoll, &ev, 1, 0) != 1)
		return 0;
	if (!(ev.events & EPOLLIN)) { /* all that had the filter are gone; the keeper has it still, so its name goes first */
		epoll_ctl(calls.epoll, EPOLL_CTL_DEL, ev.data.fd, NULL);
		close(ev.data.fd);
		return 1;
	}
	calls.listener = ev.data.fd;
	if (notify_recv(ev.data.fd, calls.page->room) < 0)
		answered(); /* its caller was killed before */
	else
		serve();
	return 1;
}

static void take_left_over(int listener, void *arg)
{
	(void)arg;
	if (calls.listener < 0 && notify_valid(listener, asked()->id))
		calls.listener = listener;
}

/* ---- the part ---- */

static int calls_poll(struct pollfd *p)
{
	bool wait = calls.before < 0 && !calls.given && calls.share.left > 0;

	p[0] = (struct pollfd){.fd = wait ? calls.epoll : -1, .events = POLLIN};
	p[1] = (struct pollfd){.fd = hand_done_fd(), .events = POLLIN};
	p[2] = (struct pollfd){.fd = hand_dead_fd(), .events = POLLIN};
	/* without a keeper there is nobody else to take them */
	p[3] = (struct pollfd){.fd = worker_kept() ? -1 : FD_CALLS, .events = POLLIN};
	p[4] = (struct pollfd){.fd = calls.before, .events = POLLIN};
	return 5;
}

static uint64_t calls_due(void)
{
	if (calls.before >= 0)
		return 0;
	if (calls.left_over)
		return 1;
	if (calls.given)
		return calls.overdue ? 0 : calls.began + STUCK;
	if (calls.share.left <= 0)
		return share_due(&calls.share);
	return hand_dead_fd() >= 0 ? calls.last + IDLE : 0;
}

static void calls_ready(const struct pollfd *p, int n, uint64_t now)
{
	uint64_t since = share_clock(), t;
	int fd;

	if (n < 5)
		return;
	share_refill(&calls.share, now);
	if (p[4].revents)
		own_fd(&calls.before);
	if (calls.before < 0 && calls.left_over) {
		calls.left_over = false;
		serve();
	}
	if (p[3].revents && sock_recv_fd(FD_CALLS, &fd) >= 0 && fd >= 0)
		calls_listen(fd);
	look_after_hand(p, now);
	for (int i = 0; i < PACKET && calls.before < 0 && !calls.given && calls.share.left > 0 && next(); i++) {
		t = share_clock();
		calls.share.left -= (int64_t)(t - since);
		since = t;
	}
	calls.share.left -= (int64_t)(share_clock() - since);
}

/* As the view's: with its pages, and one of our own where there is no room for it. */
static struct page *map_page(void)
{
	static struct page own;
	_fd_ int fd = openat(FD_RUN, "calls", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *p = MAP_FAILED;

	if (fd >= 0 && fallocate(fd, 0, 0, NOTIFY_PAGE) == 0)
		p = mmap(NULL, NOTIFY_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? &own : p;
}

static int calls_start(const struct worker *w)
{
	calls.blind = view_src_start(w->uuid) < 0;
	calls.page = map_page();
	calls.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (calls.epoll < 0)
		return -errno;
	calls.share = (struct share){.left = SHARE_SAVED, .filled = clock_mono_ns()};
	/* it had the worker's death for its own, but may still be on its way there */
	if (calls.page->hand)
		calls.before = pidfd_of((pid_t)calls.page->hand, calls.page->hand_start, NULL);
	calls.page->hand = 0;
	if (asked()->id)
		listeners_each(0, take_left_over, NULL);
	if (calls.listener >= 0)
		calls.left_over = true;
	else
		answered();
	listeners_each(0, listen_to, NULL);
	return 0;
}

static int calls_settings(const char *text)
{
	view_src_settings(text);
	calls.made = 0;
	return 0;
}

const struct part part_calls = {
	.name = "calls", .start = calls_start, .poll = calls_poll, .ready = calls_ready, .due = calls_due, .settings = calls_settings, .end = hand_kill,
};
