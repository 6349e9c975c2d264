/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a VNIC would say of an address that it has had from somebody else: a gratuitous ARP request (RFC 5227), an unsolicited neighbour
 * advertisement (RFC 4861, 7.2.6). The switch's program is run on it as if the VNIC had sent it, so it goes where its broadcasts go: that of the
 * senders' wire's far end, since where there is a ceiling the other one hands the frame to the wire, which a trial run doesn't do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/bpf.h"
#include "kern/ns.h"
#include "net/vnic.h"

static size_t arp(const struct vnic *v, const struct net_ip *a, uint8_t f[86])
{
	static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};

	memset(f, 0, 60);
	memset(f, 0xff, 6);
	memcpy(f + 6, v->mac, 6);
	memcpy(f + 12, head, sizeof head);
	memcpy(f + 22, v->mac, 6);
	memcpy(f + 28, a->ip, 4);
	memcpy(f + 38, a->ip, 4);
	return 60;
}

/* Sum of 16-bit words (RFC 1071); n is even. */
static uint32_t sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	return s;
}

static size_t advert(const struct vnic *v, const struct net_ip *a, uint8_t f[86])
{
	static const uint8_t all[16] = {0xff, 2, [15] = 1}, eth[] = {0x33, 0x33, 0, 0, 0, 1};
	uint32_t s;

	memset(f, 0, 86);
	memcpy(f, eth, 6);
	memcpy(f + 6, v->mac, 6);
	f[12] = 0x86, f[13] = 0xdd;
	f[14] = 0x60, f[19] = 32, f[20] = 58, f[21] = 255;
	memcpy(f + 22, a->ip, 16);
	memcpy(f + 38, all, 16);
	f[54] = 136, f[58] = 0x20; /* override */
	memcpy(f + 62, a->ip, 16);
	f[78] = 2, f[79] = 1;
	memcpy(f + 80, v->mac, 6);
	s = sum(f + 22, 64, 32 + 58);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	f[56] = (uint8_t)(~s >> 8);
	f[57] = (uint8_t)~s;
	return 86;
}

static bool had(const struct vnic *old, const struct net_ip *a)
{
	for (size_t i = 0; old && i < old->nips; i++)
		if (old->ips[i].family == a->family && memcmp(old->ips[i].ip, a->ip, sizeof a->ip) == 0)
			return true;
	return false;
}

int vnic_announce(struct net_switch *s, const struct vnic *v, const struct vnic *old, uint32_t ifindex, struct err *e)
{
	_free_ char *bpf = xprintf("%s/bpf", s->dir);
	_fd_ int home = ns_open(0, "net", e), prog = -1;
	uint8_t f[86];

	if (home < 0)
		return home;
	prog = bpf_open(bpf, "from_wire_out", e);
	if (prog < 0)
		return prog;
	if (setns(s->ns, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter the switch's network namespace");
	for (size_t i = 0; i < v->nips; i++)
		if (!had(old, &v->ips[i])) {
			size_t n = v->ips[i].family == AF_INET ? arp(v, &v->ips[i], f) : advert(v, &v->ips[i], f);

			bpf_try(prog, f, n, ifindex, ifindex, NULL, NULL, NULL);
		}
	ns_home(home);
	return 0;
}
