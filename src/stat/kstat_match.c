/* SPDX-License-Identifier: MPL-2.0 */
/* Which statistics an operator means: one pattern for each part of the name. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "stat/kstat.h"

#define ILLUMOS_NAME 30 /* what a name is cut to there: patterns that were are fine here too */

static void field_clear(struct kstat_pattern *p, int i)
{
	free(p->glob[i]);
	if (p->re[i])
		regfree(p->re[i]);
	free(p->re[i]);
	p->glob[i] = NULL;
	p->re[i] = NULL;
}

int kstat_pattern_field(struct kstat_pattern *p, int field, const char *text, struct err *e)
{
	size_t n = strlen(text);
	int r;

	field_clear(p, field);
	if (n == 0)
		return 0;
	p->glob[field] = xstrdup(text);
	if (n > 2 && text[0] == '/' && text[n - 1] == '/') {
		_free_ char *inner = xprintf("%.*s", (int)n - 2, text + 1);
		char why[128];

		p->re[field] = xalloc(sizeof(regex_t));
		r = regcomp(p->re[field], inner, REG_EXTENDED | REG_NOSUB);
		if (r != 0) {
			regerror(r, p->re[field], why, sizeof why);
			free(p->re[field]);
			p->re[field] = NULL;
			return err_set(e, EINVAL, "%s is not a regular expression: %s", text, why);
		}
	}
	return 0;
}

int kstat_pattern_parse(const char *text, struct kstat_pattern *p, struct err *e)
{
	_free_ char *copy = xstrdup(text);
	char *rest = copy, *word;
	int r = 0;

	for (int i = 0; r == 0 && (word = strsep(&rest, ":")); i++)
		r = i > KS_STAT ? err_set(e, EINVAL, "\"%.200s\" is not module:instance:name:statistic", text)
				: kstat_pattern_field(p, i, word, e);
	return r;
}

void kstat_pattern_done(struct kstat_pattern *p)
{
	for (int i = 0; i < KS_FIELDS; i++)
		field_clear(p, i);
}

bool kstat_match(const struct kstat_pattern *p, int field, const char *s)
{
	if (!p->glob[field])
		return true;
	return p->re[field] ? regexec(p->re[field], s, 0, NULL, 0) == 0 : fnmatch(p->glob[field], s, 0) == 0;
}

bool kstat_match_name(const struct kstat_pattern *p, const char *s)
{
	char cut[ILLUMOS_NAME + 1];

	if (kstat_match(p, KS_NAME, s))
		return true;
	snprintf(cut, sizeof cut, "%.*s", ILLUMOS_NAME, s);
	return kstat_match(p, KS_NAME, cut);
}
