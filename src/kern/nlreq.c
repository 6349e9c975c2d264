/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/nlreq.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"

#define ANSWER 65536 /* of a dump: the kernel fills at most 32 KiB at a time */

void *nlreq_begin(struct nlreq *q, uint16_t type, uint16_t flags, size_t n)
{
	memset(q, 0, sizeof *q);
	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	q->h.nlmsg_len = NLMSG_LENGTH(n);
	return NLMSG_DATA(&q->h);
}

/* Room for n bytes behind what there is, padded: what a nest says of its length is within the message. NULL when it is full. */
static void *room(struct nlreq *q, size_t n)
{
	size_t at = NLMSG_ALIGN(q->h.nlmsg_len), end = at + NLMSG_ALIGN(n);

	if (q->full || end > sizeof q->bytes) {
		q->full = true;
		return NULL;
	}
	q->h.nlmsg_len = (uint32_t)end;
	return q->bytes + at;
}

struct rtattr *nlreq_put(struct nlreq *q, unsigned short type, const void *data, size_t n)
{
	struct rtattr *a = room(q, RTA_LENGTH(n));

	if (!a)
		return NULL;
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), data, n);
	return a;
}

void nlreq_text(struct nlreq *q, unsigned short type, const char *s)
{
	nlreq_put(q, type, s, strlen(s) + 1);
}

void nlreq_u32(struct nlreq *q, unsigned short type, uint32_t v)
{
	nlreq_put(q, type, &v, sizeof v);
}

struct rtattr *nlreq_nest(struct nlreq *q, unsigned short type)
{
	return nlreq_put(q, type, NULL, 0);
}

void nlreq_end(struct nlreq *q, struct rtattr *nest)
{
	if (nest && !q->full)
		nest->rta_len = (unsigned short)(q->bytes + NLMSG_ALIGN(q->h.nlmsg_len) - (char *)nest);
}

struct rtattr *nlattr_of(const struct nlmsghdr *h, size_t body, unsigned short type)
{
	int n = (int)h->nlmsg_len - (int)NLMSG_LENGTH(body);

	for (struct rtattr *a = (void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(body)); RTA_OK(a, n); a = RTA_NEXT(a, n))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

uint32_t nlattr_u32(const struct nlmsghdr *h, size_t body, unsigned short type)
{
	const struct rtattr *a = nlattr_of(h, body, type);
	uint32_t v = 0;

	if (a && RTA_PAYLOAD(a) >= sizeof v)
		memcpy(&v, RTA_DATA(a), sizeof v);
	return v;
}

/* The kernel's own words for an error, if it has any; in out, empty without. Nothing behind n is read. */
static void words(const struct nlmsghdr *h, size_t n, char out[128])
{
	const struct nlmsgerr *m = (const void *)((const char *)h + NLMSG_HDRLEN);
	size_t at = NLMSG_HDRLEN + sizeof *m;

	out[0] = 0;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || n < at)
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		at += m->msg.nlmsg_len > sizeof m->msg ? NLMSG_ALIGN(m->msg.nlmsg_len) - sizeof m->msg : 0;
	while (at + sizeof(struct nlattr) <= n) {
		const struct nlattr *a = (const void *)((const char *)h + at);
		const char *text = (const char *)(a + 1);

		if (a->nla_len < sizeof *a || at + a->nla_len > n)
			return;
		if ((a->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
			snprintf(out, 128, " (%.*s)", (int)strnlen(text, a->nla_len - sizeof *a), text);
		at += NLMSG_ALIGN(a->nla_len);
	}
}

int nlreq_send(int s, struct nlreq *q, const struct nlanswer *out, char why[128])
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	_free_ char *b = xalloc(ANSWER);
	uint64_t now = clock_mono_ns();
	ssize_t n;

	if (why)
		why[0] = 0;
	if (q->full)
		return -EMSGSIZE;
	/* an answer that came too late for its question is none to the next */
	q->h.nlmsg_seq = (uint32_t)now;
	do
		n = sendto(s, q->bytes, q->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof from;
		struct nlmsghdr *h = (void *)b;

		n = recvfrom(s, b, ANSWER, 0, (struct sockaddr *)&from, &len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		/* a process of that namespace, who may go on for ever */
		if (from.nl_pid != 0 && clock_mono_ns() - now > NLREQ_LIMIT_S * 1000000000ULL)
			return -ETIMEDOUT;
		if (from.nl_pid != 0)
			continue;
		for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != q->h.nlmsg_seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
				const struct nlmsgerr *m = NLMSG_DATA(h);

				if (m->error && why)
					words(h, h->nlmsg_len, why);
				return m->error;
			}
			if (out && h->nlmsg_type == out->type && h->nlmsg_len >= NLMSG_LENGTH(out->size))
				out->each(h, out->arg);
		}
	}
}
