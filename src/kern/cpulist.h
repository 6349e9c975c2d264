/* SPDX-License-Identifier: MPL-2.0 */
/* Sets of processors, and their text as the kernel writes it: "0-3,8". Pure. */
#ifndef CLOISTER_KERN_CPULIST_H
#define CLOISTER_KERN_CPULIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX  1024
#define CPUS_TEXT 4096

struct cpus { uint64_t bits[CPUS_MAX / 64]; };

/* "" is the empty set. -EINVAL for no list, -ERANGE past CPUS_MAX; out is untouched then. */
int cpus_parse(const char *text, struct cpus *out);
char *cpus_text(const struct cpus *c, char out[CPUS_TEXT]);
unsigned cpus_count(const struct cpus *c);
bool cpus_has(const struct cpus *c, unsigned cpu);
struct cpus cpus_and(const struct cpus *a, const struct cpus *b);
struct cpus cpus_or(const struct cpus *a, const struct cpus *b);
struct cpus cpus_less(const struct cpus *a, const struct cpus *b); /* what of a is not in b */
bool cpus_equal(const struct cpus *a, const struct cpus *b);
/* n of them, the last ones: the first is where a host does most of its own work. Fewer than n if there are fewer. */
struct cpus cpus_last(const struct cpus *a, unsigned n);
/* n of them, those from number first on, and then round from 0. Fewer than n if there are fewer. */
struct cpus cpus_from(const struct cpus *a, unsigned n, unsigned first);

#endif
