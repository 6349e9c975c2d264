/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "net/nat.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Lines key=value: what is taken is what is read back, and no byte of a name gets into a rule. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = xalloc(n + 1), *save = NULL;
	struct netset *s = xalloc(sizeof *s);
	struct router_port port = {.sw = 1 << 12, .set = s};
	struct buf out = BUF_INIT;
	json_t *o = json_object();
	struct err e = ERR_INIT;
	struct nat nat;

	memcpy(text, p, n);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *eq = strchr(line, '=');

		if (!eq)
			continue;
		*eq = 0;
		if (netset_put(o, line, eq + 1, &e) < 0)
			assert(*e.msg);
	}
	netset_defaults(o);
	if (netset_parse(o, s, &e) == 0) {
		nat_init(&nat, "default", &port, 1);
		nat_router_rules(&nat, &out);
		nat_host_rules(&nat, &out);
		for (unsigned i = 0; i < s->nforwards; i++)
			assert(s->forwards[i].port && s->forwards[i].to_port && strlen(s->forwards[i].to) < sizeof s->forwards[i].to);
		for (size_t i = 0; i < out.len; i++)
			assert(out.p[i] == '\n' || out.p[i] == '\t' || (out.p[i] >= ' ' && out.p[i] < 127));
	}
	buf_done(&out);
	json_decref(o);
	free(s);
	free(text);
	return 0;
}
