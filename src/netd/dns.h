/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS (RFC 1035, 6891): a question is read, and answered from the table or given back to be sent on. Nothing is kept, and of
 * another server's answer no more is read than whether it is one to what was asked. Pure.
 */
#ifndef CLOISTER_NETD_DNS_H
#define CLOISTER_NETD_DNS_H

#include "netd/table.h"

#define DNS_HEADER 12
#define DNS_UDP    512  /* what a client takes that says nothing */
#define DNS_LARGE  1232 /* and what we send at most by UDP of our own making */
#define DNS_QUERY  1024 /* no longer question is taken */

enum { DNS_A = 1, DNS_NS = 2, DNS_SOA = 6, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255 };
enum { DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

struct dns_question {
	char name[NAME_MAX_DNS + 1]; /* lower case, dotted, without the last dot; what is no letter, digit, - or _ is ! */
	unsigned type, class;
	size_t end;                  /* where what follows the question begins */
	size_t room;                 /* what its sender takes by UDP */
	bool edns;
};

enum dns_what { DNS_DROP, DNS_ANSWER, DNS_FORWARD };

/* One query: into out (cap ≥ DNS_UDP; *n its length) for DNS_ANSWER. udp: the answer is cut to what the asker takes. */
enum dns_what dns_answer(const struct table *t, const uint8_t *q, size_t nq, bool udp, uint8_t *out, size_t cap, size_t *n, struct dns_question *asked);
/* The question with this code and nothing else; returns its length (≤ nq). */
size_t dns_refuse(const uint8_t *q, size_t nq, unsigned rcode, uint8_t *out);
/* Whether n bytes answer the query q, as it was sent. */
bool dns_matches(const uint8_t *q, size_t nq, const uint8_t *a, size_t n);
/* Reads one question at the packet's start. 0, or the code that it is to be answered with, -1: with nothing. */
int dns_parse(const uint8_t *q, size_t n, struct dns_question *out);

#endif
