/* SPDX-License-Identifier: MPL-2.0 */
#include "net/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/bpf.h"
#include "kern/netns.h"
#include "kern/rtnl.h"
#include "net/attach.h"
#include "net/shape.h"

#define OBJECT "switch.bpf.o"
#define OBJECT_MAX (16 << 20)
#define LAYOUT 3 /* netload's exit status: a pinned map has another layout */

static const char *const map_names[SW_MAPS] = {
	[SWM_PORTS] = "ports", [SWM_FDB] = "fdb", [SWM_NEIGHBOURS] = "neighbours", [SWM_ADDRS] = "addrs", [SWM_FLOOD] = "flood", [SWM_VRRP] = "vrrp_macs",
	[SWM_BLOCKED] = "blocked", [SWM_CIDS] = "cids", [SWM_COUNTERS] = "counters", [SWM_STORM] = "storm", [SWM_LEASES] = "leases",
	[SWM_WIRES] = "tag_wires", [SWM_ENDS] = "ends", [SWM_REMOTES] = "remotes", [SWM_PEERS] = "peers",
	[SWM_FW_LISTS] = "fw_lists", [SWM_FW_ZONES] = "fw_zones", [SWM_FW_SPARE] = "fw_spare", [SWM_FW_SETS] = "fw_sets", [SWM_FLOWS] = "flows", [SWM_FLOW_USE] = "flow_use",
	[SWM_FLOW_SLOTS] = "flow_slots", [SWM_FLOW_SHARED] = "flow_shared",
	[SWM_LOG_RINGS] = "log_rings", [SWM_LOG_USE] = "log_buckets",
	[SWM_SHAPES] = "shapes", [SWM_SHAPE_FLOWS] = "shape_flows", [SWM_SHAPE_SLOTS] = "shape_slots",
	[SWM_TRAFFIC] = "traffic", [SWM_TRAFFIC_PORTS] = "traffic_ports",
};

static void close_opened(struct net_switch *s)
{
	own_fd(&s->rtnl);
	own_fd(&s->ns);
	own_fd(&s->prog);
	for (int i = 0; i < SW_MAPS; i++)
		own_fd(&s->map[i]);
}

void switch_close(struct net_switch *s)
{
	close_opened(s);
	own_fd(&s->lock);
	free(take(s->dir));
}

static bool is_on(const char *path, long magic)
{
	struct statfs f;

	return statfs(path, &f) == 0 && f.f_type == magic;
}

/* ---- made ---- */

/* A namespace in which nothing answers for the host: interfaces there have no addresses of their own. */
static int quiet(void)
{
	static const char *const off[] = {"/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"};

	for (size_t i = 0; i < ARRAY_LEN(off); i++) {
		int r = file_write(AT_FDCWD, off[i], "1", NULL);

		if (r < 0 && r != -ENOENT) /* a host without IPv6 has no such file */
			return r;
	}
	return 0;
}

static int child_result(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Of the installed program: 0 if it can't be read, which loading it will say. */
static uint64_t object_sum(const struct ctx *c)
{
	_free_ char *object = xprintf("%s/%s", c->libexec, OBJECT);
	_buf_ struct buf b = BUF_INIT;

	return file_read(AT_FDCWD, object, OBJECT_MAX, &b, NULL) < 0 ? 0 : str_hash(b.p, b.len);
}

/* Of the one that runs; 0: not known. */
static uint64_t running_sum(const char *dir)
{
	_free_ char *path = xprintf("%s/object", dir);
	_buf_ struct buf b = BUF_INIT;
	uint64_t n = 0;

	return file_read(AT_FDCWD, path, 64, &b, NULL) < 0 || str_to_u64(buf_str(&b), &n) < 0 ? 0 : n;
}

static int note_sum(const char *dir, uint64_t sum, struct err *e)
{
	_free_ char *path = xprintf("%s/object", dir);
	_free_ char *text = xprintf("%" PRIu64, sum);

	return file_replace(path, text, strlen(text), 0600, 0, e);
}

static int run_netload(const struct ctx *c, const char *bpf, struct err *e)
{
	_free_ char *tool = xprintf("%s/cloister-netload", c->libexec);
	_free_ char *object = xprintf("%s/%s", c->libexec, OBJECT);
	char *argv[] = {tool, object, (char *)bpf, NULL}, text[600];
	size_t n = 0;
	ssize_t got;
	int p[2], status = 0, r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 2);
		execv(tool, argv);
		_exit(127);
	}
	r = pid < 0 ? -errno : 0;
	close(p[1]);
	while (r == 0 && (got = read(p[0], text + n, sizeof text - 1 - n)) != 0 && n < sizeof text - 1)
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			break;
	close(p[0]);
	text[n] = 0;
	if (r == 0)
		r = child_result(pid, &status);
	if (r < 0)
		return err_sys(e, r, "run %s", tool);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return err_set(e, ENOEXEC, "%s did not run", tool);
	if (WEXITSTATUS(status) == 0)
		return 0;
	text[strcspn(text, "\n")] = 0;
	if (WEXITSTATUS(status) == LAYOUT) {
		err_set(e, EBUSY, "the switch that runs keeps what it knows in another form (map %s): its program can't be replaced under its ports", text);
		return err_hint(e, "`cloister shutdown`, then `cloister boot` make a new one.");
	}
	return err_set(e, EOPNOTSUPP, "this kernel does not take the switch's program: %s", text);
}

static int make(const struct ctx *c, const char *dir, struct err *e)
{
	_free_ char *ns = xprintf("%s/ns", dir);
	_free_ char *bpf = xprintf("%s/bpf", dir);
	int r;

	r = netns_pinned(ns) ? 0 : netns_pin(ns, quiet, e);
	if (r == 0)
		r = dir_make(bpf, 0700, e);
	if (r == 0 && !is_on(bpf, BPF_FS_MAGIC) && mount("bpf", bpf, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		r = err_sys(e, errno, "mount the switch's bpffs at %s", bpf);
	return r < 0 ? r : run_netload(c, bpf, e);
}

/* ---- opened ---- */

static int open_parts(struct net_switch *s, struct err *e)
{
	_free_ char *ns = xprintf("%s/ns", s->dir);
	_free_ char *bpf = xprintf("%s/bpf", s->dir);

	if (!netns_pinned(ns) || !is_on(bpf, BPF_FS_MAGIC))
		return err_set(e, ENOENT, "this node has no switch");
	s->ns = open(ns, O_RDONLY | O_CLOEXEC);
	if (s->ns < 0)
		return err_sys(e, errno, "%s", ns);
	s->prog = bpf_open(bpf, "from_vnic", e);
	if (s->prog < 0)
		return s->prog;
	for (int i = 0; i < SW_MAPS; i++) {
		s->map[i] = bpf_open(bpf, map_names[i], e);
		/* programs without one of our maps are of another version of Cloister */
		if (s->map[i] == -ENOENT)
			return err_set(e, ESTALE, "its program knows no %s", map_names[i]);
		if (s->map[i] < 0)
			return s->map[i];
	}
	s->rtnl = rtnl_open_in(s->ns, e);
	return s->rtnl < 0 ? s->rtnl : 0;
}

static int open_all(struct net_switch *s, struct err *e)
{
	int r = open_parts(s, e);

	return r < 0 ? r : attach_read(s, e);
}

/*
 * The program from the installed object, loaded and before all ports; anew: with all that it stands in. While no sum is noted it is not
 * known which one runs: who is killed then leaves that to the next to open the switch.
 */
static int renew(const struct ctx *c, struct net_switch *s, bool anew, struct err *e)
{
	_free_ char *bpf = xprintf("%s/bpf", s->dir);
	_free_ char *note = xprintf("%s/object", s->dir);
	_free_ char *doubt = xprintf("%s/firewall-changing", bpf);
	uint64_t sum = object_sum(c), was = running_sum(s->dir);
	int r;

	unlink(note);
	r = anew ? make(c, s->dir, e) : run_netload(c, bpf, e);
	if (r < 0) {
		if (!anew && was)
			note_sum(s->dir, was, NULL); /* it goes on as it is */
		return r;
	}
	/* its sets hold what the last version put there: brought into force anew (node/fwsync.c) */
	if (!anew && mkdir(doubt, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "%s", doubt);
	close_opened(s);
	r = open_parts(s, e);
	if (r == 0)
		r = attach_choose(c, s, e);
	return r < 0 ? r : note_sum(s->dir, sum, e);
}

/* A wait in flock(2) knows neither deadline nor cancellation. Whoever holds it does so for a millisecond or some. */
static int wait_lock(const struct ctx *c, int fd, struct err *e)
{
	struct pollfd cancel = {.fd = c->cancel, .events = POLLIN};

	for (int ms = 1; flock(fd, LOCK_EX | LOCK_NB) < 0; ms = ms < 16 ? ms * 2 : ms) {
		int r = errno == EWOULDBLOCK || errno == EINTR ? ctx_check(c, e) : err_sys(e, errno, "lock");

		if (r < 0)
			return err_add(e, "waiting for its lock");
		poll(&cancel, 1, ms);
	}
	return 0;
}

void switch_unlock(struct net_switch *s)
{
	own_fd(&s->lock);
}

int switch_lock(const struct ctx *c, struct net_switch *s, struct err *e)
{
	_free_ char *path = xprintf("%s/lock", s->dir);

	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return s->lock < 0 ? err_sys(e, errno, "%s", path) : wait_lock(c, s->lock, e);
}

static int take_lock(const struct ctx *c, struct net_switch *s, struct err *e)
{
	int r;

	s->dir = xprintf("%s/net", c->node.run);
	r = dir_make(s->dir, 0700, e);
	return r < 0 ? r : switch_lock(c, s, e);
}

int switch_open(const struct ctx *c, bool may_make, struct net_switch *out, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct err miss = ERR_INIT;
	int r = take_lock(c, &s, e);

	if (r < 0)
		return err_add(e, "switch");
	r = open_all(&s, &miss);
	if (r == 0 && !running_sum(s.dir))
		r = -ESTALE;
	if ((r == -ENOENT && may_make) || r == -ESTALE)
		r = renew(c, &s, r == -ENOENT, e);
	else if (r < 0 && e)
		*e = miss;
	if (r < 0)
		return err_add(e, "switch");
	shape_settle(&s);
	*out = s;
	s = NET_SWITCH_INIT;
	return 0;
}

int switch_upgrade(const struct ctx *c, bool force, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	uint64_t sum;
	int r = switch_open(c, false, &s, e);

	if (r < 0)
		return r;
	sum = object_sum(c);
	if (!force && sum && sum == running_sum(s.dir))
		return 0;
	r = renew(c, &s, false, e);
	return r < 0 ? err_add(e, "switch") : 1;
}

int switch_look(const struct ctx *c, struct net_switch *out, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	int r;

	s.dir = xprintf("%s/net", c->node.run);
	r = open_all(&s, e);
	if (r < 0)
		return err_add(e, "switch");
	*out = s;
	s = NET_SWITCH_INIT;
	return 0;
}

int switch_remove(const struct ctx *c, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_free_ char *ns = NULL, *bpf = NULL, *attach = NULL;
	uint32_t ifindex;
	int r = take_lock(c, &s, e);

	if (r < 0)
		return err_add(e, "switch");
	ns = xprintf("%s/ns", s.dir);
	bpf = xprintf("%s/bpf", s.dir);
	attach = xprintf("%s/attach", s.dir);
	if (open_parts(&s, NULL) == 0 && bpf_next(s.map[SWM_PORTS], NULL, &ifindex, NULL) == 1)
		return err_set(e, EBUSY, "the switch has ports");
	/* who finds it without is who makes it */
	unlink(attach);
	if (is_on(bpf, BPF_FS_MAGIC) && umount2(bpf, MNT_DETACH) < 0)
		return err_sys(e, errno, "unmount %s", bpf);
	if (netns_pinned(ns) && umount2(ns, MNT_DETACH) < 0)
		return err_sys(e, errno, "unmount %s", ns);
	return 0;
}
