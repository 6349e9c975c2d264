/* SPDX-License-Identifier: MPL-2.0 */
/* For cloister-dhcp: what a server outside gave a NIC, or took. Its words come from a process that reads hostile packets, so each is looked at. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "model/vm.h"
#include "node/outside.h"

#define TAKEN 3 /* netd/dhcp_main.c: the server is told that the address can't be used */

static bool ip4(const char *s, struct net_ip *out)
{
	*out = (struct net_ip){.family = AF_INET, .prefix = 32};
	return inet_pton(AF_INET, s, out->ip) == 1;
}

static bool cidr(const char *s, unsigned least, struct net_ip *out)
{
	char addr[INET_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	uint64_t bits;

	if (!slash || slash - s >= (ptrdiff_t)sizeof addr || str_to_u64(slash + 1, &bits) < 0 || bits < least || bits > 32)
		return false;
	snprintf(addr, sizeof addr, "%.*s", (int)(slash - s), s);
	if (!ip4(addr, out))
		return false;
	out->prefix = (unsigned)bits;
	return true;
}

static bool put_ip(json_t *said, const char *key, const char *s)
{
	struct net_ip ip;

	return str_eq(s, "-") || (ip4(s, &ip) && json_object_set_new(said, key, json_string(s)) == 0);
}

static bool put_dns(json_t *said, char *s)
{
	json_t *list = json_array();
	char *save = NULL;
	struct net_ip ip;

	json_object_set_new(said, "dns", list);
	for (char *w = strtok_r(s, ",", &save); w && !str_eq(w, "-"); w = strtok_r(NULL, ",", &save))
		if (!ip4(w, &ip) || json_array_size(list) == 4 || json_array_append_new(list, json_string(w)) < 0)
			return false;
	return true;
}

static bool put_domain(json_t *said, const char *s)
{
	if (str_eq(s, "-"))
		return true;
	return strlen(s) <= 255 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(s) && json_object_set_new(said, "domain", json_string(s)) == 0;
}

static bool put_routes(json_t *said, char *s)
{
	json_t *list = json_array();
	char *save = NULL, to[INET_ADDRSTRLEN];
	struct net_ip net, via;

	json_object_set_new(said, "routes", list);
	for (char *w = strtok_r(s, ",", &save); w && !str_eq(w, "-"); w = strtok_r(NULL, ",", &save)) {
		char *by = strchr(w, '=');

		if (!by || json_array_size(list) == ROUTES_MAX)
			return false;
		*by = 0;
		if (!cidr(w, 1, &net) || !ip4(by + 1, &via) || !inet_ntop(AF_INET, net.ip, to, sizeof to))
			return false;
		json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "to", to, "bits", (int)net.prefix, "via", by + 1));
	}
	return true;
}

static bool read_got(char **w, struct outside_got *g)
{
	g->said = json_object();
	if (!cidr(w[0], 8, &g->ip) || str_to_u64(w[1], &g->until) < 0 || !put_ip(g->said, "server", w[2]) || !put_ip(g->said, "router", w[3]))
		return false;
	json_object_set_new(g->said, "bits", json_integer((json_int_t)g->ip.prefix));
	return put_dns(g->said, w[4]) && put_domain(g->said, w[5]) && put_routes(g->said, w[6]);
}

static bool is_mac(const char *s)
{
	return strlen(s) == 17 && strspn(s, "0123456789abcdef:") == 17;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct outside_got g = {.said = NULL};
	bool got = argc == 12 && str_eq(argv[4], "got");
	uint64_t zoneid;
	int r;

	if (argc < 5 || !uuid_valid(argv[1]) || !is_mac(argv[2]) || str_to_u64(argv[3], &zoneid) < 0 ||
	    (!got && (argc != 5 || (!str_eq(argv[4], "expired") && !str_eq(argv[4], "refused") && !str_eq(argv[4], "released")))))
		return cmd_usage("cloister", argv[0], NULL);
	if (got && !read_got(argv + 5, &g)) {
		json_decref(g.said);
		return cmd_usage("cloister", argv[0], "this can be no lease");
	}
	r = outside_news(c, argv[1], argv[2], zoneid, got ? &g : NULL, argv[4], &e);
	json_decref(g.said);
	if (r < 0)
		cmd_fail(c, &e);
	return r == -EADDRINUSE ? TAKEN : r < 0;
}

CMD_INTERNAL(cloister_zone_lease, "cloister", "zone-lease",
	     "<uuid> <mac> <zoneid> got <address/length> <until> <server> <router|-> <dns,…|-> <domain|-> <net/length=via,…|-> | expired | refused | released",
	     "for cloister-dhcp: what a DHCP server outside gave a NIC, or took", CMD_VM, run);
