/* SPDX-License-Identifier: MPL-2.0 */
/* A request to the kernel by netlink: header, the family's own struct, attributes, which may be nested; and its answer. */
#ifndef CLOISTER_KERN_NLREQ_H
#define CLOISTER_KERN_NLREQ_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NLREQ_LIMIT_S 5

struct nlreq {
	union {
		struct nlmsghdr h;
		char bytes[1024];
	};
	bool full; /* nlreq_send() tells */
};

/* Begins one; the family's struct, of n bytes, zeros. */
void *nlreq_begin(struct nlreq *q, uint16_t type, uint16_t flags, size_t n);
/* An attribute; NULL when it is full. */
struct rtattr *nlreq_put(struct nlreq *q, unsigned short type, const void *data, size_t n);
void nlreq_text(struct nlreq *q, unsigned short type, const char *s);
void nlreq_u32(struct nlreq *q, unsigned short type, uint32_t v);
/* What is put between the two is in it. */
struct rtattr *nlreq_nest(struct nlreq *q, unsigned short type);
void nlreq_end(struct nlreq *q, struct rtattr *nest);

/* An attribute of a message whose struct has so many bytes, NULL: it has none of that type; and its number, 0 likewise. */
struct rtattr *nlattr_of(const struct nlmsghdr *h, size_t body, unsigned short type);
uint32_t nlattr_u32(const struct nlmsghdr *h, size_t body, unsigned short type);

struct nlanswer {
	uint16_t type; /* each message of this type… */
	size_t size;   /* …that has a struct of so many bytes… */
	void (*each)(const struct nlmsghdr *h, void *arg);
	void *arg;
};
/* Sends it and waits for the end of its answer, also of a dump's (NLM_F_DUMP). out may be NULL. 0 or -errno, with the kernel's own words, if it has any, in why (which may be NULL). */
int nlreq_send(int s, struct nlreq *q, const struct nlanswer *out, char why[128]);

#endif
