/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A tap as a port of the switch, for tests/system/netraw.sh: machines will have such ones. Node: CLOISTER_NODE.
 *
 *	netraw PORT     a tap that may do what that port may, by its entry as it is at each frame
 *
 * Reads frames in hexadecimal, one on a line, and says after each why the switch dropped it, or "none".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"
#include "net/attach.h"
#include "net/drop.h"

static struct net_switch sw = NET_SWITCH_INIT;
static struct sw_count *count, *was;
static struct err e = ERR_INIT;

static int must(int r)
{
	if (r >= 0)
		return r;
	fprintf(stderr, "netraw: %s\n", e.msg);
	exit(1);
}

static int tap(const char *name)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(&e, errno, "/dev/net/tun");
	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	return ioctl(fd, TUNSETIFF, &req) < 0 ? err_sys(&e, errno, "tap %s", name) : fd;
}

static const char *why(uint32_t ifindex)
{
	const char *name = "none";

	memcpy(was, count, sizeof *was * (size_t)bpf_cpus());
	must(bpf_get(sw.map[SWM_COUNTERS], &ifindex, count, &e));
	for (unsigned i = 1; i < DROP_REASONS; i++)
		for (int cpu = 0; cpu < bpf_cpus(); cpu++)
			if (count[cpu].drops[i] != was[cpu].drops[i])
				name = drop_name(i);
	return name;
}

static void frames(int fd, uint32_t like, uint32_t ifindex)
{
	char line[2048];

	while (fgets(line, sizeof line, stdin)) {
		struct sw_port p;
		uint8_t b[1024];
		size_t n = 0;
		int used;

		for (char *t = line; n < sizeof b && sscanf(t, " %2hhx%n", &b[n], &used) == 1; t += used)
			n++;
		must(bpf_get(sw.map[SWM_PORTS], &like, &p, &e));
		p.flags |= PORT_L2;
		must(bpf_put(sw.map[SWM_PORTS], &ifindex, &p, &e));
		if (write(fd, b, n) != (ssize_t)n)
			must(err_sys(&e, errno, "write %zu bytes to the tap", n));
		puts(why(ifindex));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct ctx c;
	uint32_t like, ifindex;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: netraw PORT\n");
		return 2;
	}
	count = calloc((size_t)bpf_cpus(), sizeof *count);
	was = calloc((size_t)bpf_cpus(), sizeof *was);
	must(ctx_init(&c, NULL, &e));
	must(switch_open(&c, false, &sw, &e));
	like = (uint32_t)must(rtnl_index(sw.rtnl, argv[1], &e));
	if (setns(sw.ns, CLONE_NEWNET) < 0)
		must(err_sys(&e, errno, "the switch's namespace"));
	fd = must(tap("rawtap"));
	ifindex = (uint32_t)must(rtnl_index(sw.rtnl, "rawtap", &e));
	must(attach_port(&sw, "rawtap", (int)ifindex, &e));
	must(bpf_put(sw.map[SWM_COUNTERS], &ifindex, count, &e));
	must(rtnl_up(sw.rtnl, (int)ifindex, true, &e));
	close(sw.lock); /* commands change the port meanwhile */
	sw.lock = -1;
	puts("ready");
	fflush(stdout);
	frames(fd, like, ifindex);
	bpf_del(sw.map[SWM_PORTS], &ifindex, NULL);
	bpf_del(sw.map[SWM_COUNTERS], &ifindex, NULL);
	attach_gone(&sw, "rawtap");
	switch_close(&sw);
	ctx_done(&c);
	return 0;
}
