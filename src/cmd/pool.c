/* SPDX-License-Identifier: MPL-2.0 */
/* cloister pool: the node's storage. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cmd/cmd.h"
#include "store/store.h"

static int create(struct ctx *c, int argc, char **argv)
{
	static const struct option lo[] = {{"size", 1, NULL, 's'}, {"file", 1, NULL, 'f'}, {"mirror", 0, NULL, 'm'},
		{"mount", 1, NULL, 'M'}, {"force", 0, NULL, 'F'}, {"quota", 1, NULL, 'q'}, {0}};
	struct pool_spec p = {0};
	struct err e = ERR_INIT;

	for (int o; (o = getopt_long(argc, argv, "s:f:mM:Fq:", lo, NULL)) != -1;) {
		switch (o) {
		case 's':
			if (str_to_bytes(optarg, &p.size) < 0)
				return cmd_usage("cloister", "pool", "size \"%s\"", optarg);
			break;
		case 'f':
			p.file = optarg;
			break;
		case 'm':
			p.mirror = true;
			break;
		case 'M':
			p.mount = optarg;
			break;
		case 'F':
			p.force = true;
			break;
		case 'q':
			p.quota = optarg;
			break;
		default:
			return cmd_usage("cloister", "pool", NULL);
		}
	}
	p.devs = (const char *const *)argv + optind;
	p.ndevs = (size_t)(argc - optind);
	if (pool_create(c, &p, &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("Created the pool at %s", c->node.pool);
	return 0;
}

static int destroy(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (pool_destroy(c, &e) < 0)
		return cmd_fail(c, &e);
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	if (argc < 2)
		return cmd_usage("cloister", "pool", NULL);
	argc--, argv++;
	if (!strcmp(argv[0], "create"))
		return create(c, argc, argv);
	if (!strcmp(argv[0], "destroy"))
		return destroy(c, argc, argv);
	return cmd_usage("cloister", "pool", "unknown verb \"%s\"", argv[0]);
}

CMD(cloister_pool, "cloister", "pool", "create [-s SIZE] [-f FILE | -M MOUNT | [-m] DEVICE…]", "the node's storage pool", CMD_NONE, run);
