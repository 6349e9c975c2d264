/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/slots.h"

static struct slot *at(void *first, size_t stride, size_t i)
{
	return (void *)((char *)first + i * stride);
}

static unsigned count(void *first, size_t stride, size_t n, uint64_t who)
{
	unsigned of = 0;

	for (size_t i = 0; i < n; i++)
		of += at(first, stride, i)->used && at(first, stride, i)->who == who;
	return of;
}

struct slot *slot_for(void *first, size_t stride, size_t n, unsigned each, uint64_t who)
{
	unsigned his = count(first, stride, n, who), most = his;
	struct slot *victim = NULL;

	if (his >= each)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!at(first, stride, i)->used)
			return at(first, stride, i);
	for (size_t i = 0; i < n; i++) {
		struct slot *s = at(first, stride, i);
		unsigned of = victim && s->who == victim->who ? most : count(first, stride, n, s->who);

		if (of > most || (victim && of == most && s->who == victim->who && s->since < victim->since)) {
			most = of;
			victim = s;
		}
	}
	/* one more of his would only turn it round */
	return victim && most > his + 1 ? victim : NULL;
}
