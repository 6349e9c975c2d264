/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/ns.h"

#define DEVICE "/dev/net/tun"

static int make(const char *name, struct err *e)
{
	/* exclusive: one that somebody has made persistent under this name is not ours to go on with */
	struct ifreq q = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (short)IFF_TUN_EXCL};
	_fd_ int fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		err_sys(e, errno, DEVICE);
		return err_hint(e, "The kernel's module tun is needed: modprobe tun");
	}
	snprintf(q.ifr_name, sizeof q.ifr_name, "%s", name);
	if (ioctl(fd, TUNSETIFF, &q) < 0)
		return err_sys(e, errno == EBUSY ? EEXIST : errno, "tap %s", name);
	/* one without an owner is anybody's who has a descriptor of another tap of that namespace, once it is persistent and its own is closed */
	if (ioctl(fd, TUNSETOWNER, (unsigned long)geteuid()) < 0)
		return err_sys(e, errno, "tap %s: its owner", name);
	return take_fd(&fd);
}

int tun_open(int ns, const char *name, struct err *e)
{
	_fd_ int home = ns_open(0, "net", e);
	int fd;

	if (home < 0)
		return home;
	if (setns(ns, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter a network namespace");
	fd = make(name, e);
	ns_home(home);
	return fd;
}
