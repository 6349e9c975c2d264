/* SPDX-License-Identifier: MPL-2.0 */
/* cloister net fabric: switches that have ports on several hosts. */
#include "cmd/net_fabric.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/nictag.h"
#include "node/fabric.h"

#define FILE_MAX (8 << 20)

static int number(const char *key, const char *text, uint64_t least, uint64_t most, uint32_t *out, struct err *e)
{
	uint64_t n;

	if (str_to_u64(text, &n) < 0 || n < least || n > most)
		return err_set(e, EINVAL, "%s: %u to %u", key, (unsigned)least, (unsigned)most);
	*out = (uint32_t)n;
	return 0;
}

static int ends_of(const char *list, struct fabric *f, struct err *e)
{
	_free_ char *copy = xstrdup(list);
	char *save = NULL;
	int r = 0;

	for (char *t = strtok_r(copy, ",", &save); t && r >= 0; t = strtok_r(NULL, ",", &save)) {
		struct net_ip ip;

		r = fabric_ip(t, &ip) < 0 ? err_set(e, EINVAL, "\"%s\" is no address", t) : fabric_end(f, &ip, e);
		if (r < 0)
			err_add(e, "peers: %s", t);
	}
	return r < 0 ? r : 0;
}

static int file_of(const char *path, struct fabric *f, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r = file_read(AT_FDCWD, path, FILE_MAX, &b, e);

	if (r >= 0)
		r = fabric_parse(buf_str(&b), b.len, f, e);
	if (r >= 0 && f->nhosts == 0)
		r = err_set(e, EINVAL, "no line \"mac ip end\"");
	return r < 0 ? err_add(e, "%s", path) : 0;
}

/* local first: of its family the ends are. */
static int parse(int argc, char **argv, struct fabric *f, struct err *e)
{
	const char *local = NULL, *peers = NULL, *file = NULL, *v;
	int r = 0;

	for (int i = 0; i < argc && r == 0; i++) {
		v = strchr(argv[i], '=');
		v = v ? v + 1 : "";
		if (str_starts(argv[i], "vni="))
			r = number("vni", v, 1, (1 << 24) - 1, &f->vni, e);
		else if (str_starts(argv[i], "mtu="))
			r = number("mtu", v, 576, 9000, &f->mtu, e);
		else if (str_starts(argv[i], "local="))
			local = v;
		else if (str_starts(argv[i], "peers="))
			peers = v;
		else if (str_starts(argv[i], "file="))
			file = v;
		else
			r = err_set(e, EINVAL, "\"%s\": vni=, local=, peers=, file= or mtu=", argv[i]);
	}
	if (r == 0 && (!f->vni || !local || (!peers && !file)))
		r = err_set(e, EINVAL, "it needs vni=, local=, and peers= or file=");
	if (r == 0 && fabric_ip(local, &f->local) < 0)
		r = err_set(e, EINVAL, "local: \"%s\" is no address", local);
	if (r == 0 && peers)
		r = ends_of(peers, f, e);
	return r == 0 && file ? file_of(file, f, e) : r;
}

static int show(const char *tag, const struct fabric *f, void *arg)
{
	char text[INET6_ADDRSTRLEN] = "";
	const bool *for_program = arg;

	inet_ntop(f->local.family, f->local.ip, text, sizeof text);
	printf(*for_program ? "%s\t%u\t%u\t%s\t" : "%-15s %8u %5u %-15s ", tag, f->vni, f->mtu, text);
	for (size_t i = 0; i < f->nends; i++)
		printf("%s%s", i ? "," : "", inet_ntop(f->ends[i].family, f->ends[i].ip, text, sizeof text) ?: "-");
	printf(*for_program ? "\t%zu\n" : " %zu\n", f->nhosts);
	return 0;
}

int net_fabric(struct ctx *c, int argc, char **argv)
{
	_clean_(fabric_done) struct fabric f = {.id = 0};
	const char *verb = argc > 1 ? argv[1] : "";
	struct err e = ERR_INIT;
	bool parsable = argc == 3 && str_eq(argv[2], "-p");
	int r;

	if (str_eq(verb, "list") && (argc == 2 || parsable)) {
		if (!parsable)
			printf("%-15s %8s %5s %-15s ENDS HOSTS\n", "NAME", "VNI", "MTU", "LOCAL");
		return fabric_each(c, show, &parsable, &e) < 0 ? cmd_fail(c, &e) : 0;
	}
	if (str_eq(verb, "add") && argc > 3) {
		r = nictag_name(argv[2], &e);
		if (r == 0)
			r = parse(argc - 3, argv + 3, &f, &e);
		if (r == 0)
			r = fabric_add(c, argv[2], &f, &e);
	} else if (str_eq(verb, "delete") && argc == 3) {
		r = fabric_delete(c, argv[2], &e);
	} else {
		return cmd_usage("cloister", "net", "fabric add NAME vni=N local=ADDRESS peers=ADDRESS[,...]|file=FILE [mtu=N], fabric list [-p], or fabric delete NAME");
	}
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, str_eq(verb, "add") ? "net fabric add" : "net fabric delete", argv[2], NULL, NULL, 0);
	return 0;
}
