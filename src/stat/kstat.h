/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Statistics by the names that illumos gives them, module:instance:name:statistic. The instance of a zone's is its id.
 * One table (kstat.c) says what there is; a later part adds a row. Pure, but for the reading that stat/sample.h does.
 */
#ifndef CLOISTER_STAT_KSTAT_H
#define CLOISTER_STAT_KSTAT_H

#include <regex.h>

#include "stat/sample.h"

enum { KS_MODULE, KS_INSTANCE, KS_NAME, KS_STAT, KS_CLASS, KS_FIELDS };

/* What to match in each field: shell patterns, or /extended regular expressions/. An empty one is anything. */
struct kstat_pattern {
	char *glob[KS_FIELDS]; /* owned; NULL = anything */
	regex_t *re[KS_FIELDS];
};
/* "module:instance:name:statistic", from the left; -EINVAL for more fields or a wrong regular expression. */
int kstat_pattern_parse(const char *text, struct kstat_pattern *p, struct err *e);
/* One field, in place of what it had. */
int kstat_pattern_field(struct kstat_pattern *p, int field, const char *text, struct err *e);
void kstat_pattern_done(struct kstat_pattern *p);
bool kstat_match(const struct kstat_pattern *p, int field, const char *s);
bool kstat_match_name(const struct kstat_pattern *p, const char *s); /* whole, or cut to illumos's 30 bytes */

struct kstat_item {
	const char *module, *name, *stat, *class;
	uint64_t instance;
	double snaptime; /* seconds since the host's boot */
	enum { KV_NUMBER, KV_TEXT, KV_SECONDS, KV_PERCENT } kind;
	uint64_t number;  /* KV_SECONDS: nanoseconds; KV_PERCENT: hundredths */
	const char *text;
};

/* Reasons of drops by their names, for the next. */
void kstat_link_order(unsigned order[DROP_REASONS]);
/* Statistic n of a link, by name: false behind the last. Texts, crtime and snaptime are the caller's to fill; text may become the name's room. */
bool kstat_link_stat(unsigned n, const unsigned order[DROP_REASONS], const struct sw_count *c, struct kstat_item *out, char text[40]);

/* The same of a machine's disk. */
bool kstat_disk_stat(unsigned n, const struct stat_disk *d, struct kstat_item *out);
/* The same of the i'th of a machine's processors; behind the last: of all. */
bool kstat_vcpu_stat(unsigned n, const struct stat_vcpus *c, size_t i, struct kstat_item *out);

/* What has to be sampled for these patterns (CGS_*); *rate: some of it is a rate, and needs two samples. */
unsigned kstat_needs(const struct kstat_pattern *p, size_t n, bool *rate);
/*
 * Each statistic that matches one of the patterns, by module, instance, name and statistic. What this kernel does not
 * count is left out. A negative return ends the walk and is returned.
 */
int kstat_each(const struct stat_sample *s, const struct kstat_pattern *p, size_t n,
	       int (*each)(const struct kstat_item *, void *arg), void *arg);

#endif
