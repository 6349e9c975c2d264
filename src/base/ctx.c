/* SPDX-License-Identifier: MPL-2.0 */
#include "base/ctx.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#ifndef CLOISTER_LIBEXEC
#define CLOISTER_LIBEXEC "/usr/local/libexec/cloister"
#endif
#ifndef CLOISTER_BINDIR
#define CLOISTER_BINDIR "/usr/local/bin"
#endif

/*
 * Host ids: the default node owns 0x10000000 up to 0x80000000, named nodes a slot of 2,048 ranges each above that,
 * chosen by their name. Two names in one slot are told apart in node.conf.
 */
#define ID_DEFAULT_BASE  0x10000000u
#define ID_DEFAULT_COUNT 0x7000u
#define ID_NAMED_BASE    0x80000000u
#define ID_SLOT_COUNT    0x800u
#define ID_SLOTS         15u

#define BALLOON_BELOW 15 /* % */

static int name_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= NODE_NAME_MAX || s[0] == '-')
		return 0;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static int conf_line(struct node *n, char *line, struct err *e)
{
	char *v = strchr(line, '=');
	uint64_t num;

	if (!*line || *line == '#')
		return 0;
	if (!v)
		return err_set(e, EINVAL, "%s/node.conf: \"%s\" is not name=value", n->etc, line);
	*v++ = 0;
	if (!strcmp(line, "pool")) {
		if (*v != '/' || strlen(v) >= sizeof n->pool)
			return err_set(e, EINVAL, "%s/node.conf: pool \"%s\" is not an absolute path", n->etc, v);
		strcpy(n->pool, v);
		return 0;
	}
	if (!strcmp(line, "usage_interval") || !strcmp(line, "throttled_after")) {
		bool usage = line[0] == 'u';
		uint64_t max = usage ? 3600 : 86400;

		if (str_to_u64(v, &num) < 0 || num == 0 || num > max)
			return err_set(e, EINVAL, "%s/node.conf: %s: \"%s\" is not 1 to %u seconds", n->etc, line, v, (unsigned)max);
		*(usage ? &n->usage_s : &n->throttled_s) = (uint32_t)num;
		return 0;
	}
	if (!strcmp(line, "vnc_host")) {
		unsigned char a[16];

		if (strlen(v) >= sizeof n->vnc_host || (inet_pton(AF_INET, v, a) != 1 && inet_pton(AF_INET6, v, a) != 1))
			return err_set(e, EINVAL, "%s/node.conf: vnc_host: \"%s\" is no IP address", n->etc, v);
		strcpy(n->vnc_host, v);
		return 0;
	}
	if (!strcmp(line, "balloon_below")) {
		if (str_to_u64(v, &num) < 0 || num > 100)
			return err_set(e, EINVAL, "%s/node.conf: balloon_below: \"%s\" is not 0 to 100 percent", n->etc, v);
		n->balloon_below = (uint32_t)num;
		return 0;
	}
	if (!strcmp(line, "net_attach")) {
		if (strcmp(v, "clsact") && strcmp(v, "tcx"))
			return err_set(e, EINVAL, "%s/node.conf: net_attach: \"%s\" is neither clsact nor tcx", n->etc, v);
		strcpy(n->net_attach, v);
		return 0;
	}
	if (strcmp(line, "id_base") && strcmp(line, "id_count"))
		return err_set(e, EINVAL, "%s/node.conf: unknown setting \"%s\"", n->etc, line);
	if (str_to_u64(v, &num) < 0 || num > UINT32_MAX || num == 0)
		return err_set(e, EINVAL, "%s/node.conf: %s: \"%s\" is not a number it can take", n->etc, line, v);
	if (!strcmp(line, "id_base"))
		n->id_base = (uint32_t)num;
	else
		n->id_count = (uint32_t)num;
	return 0;
}

static int conf_read(struct node *n, struct err *e)
{
	_free_ char *path = xprintf("%s/node.conf", n->etc);
	_buf_ struct buf b = BUF_INIT;
	struct err le = ERR_INIT;
	int r = file_read(AT_FDCWD, path, 65536, &b, &le);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return err_set(e, r, "%s", le.msg);
	for (char *save = NULL, *l = strtok_r(b.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		r = conf_line(n, l, e);
		if (r < 0)
			return r;
	}
	if ((n->id_base & 0xffff) || n->id_base < 65536 || n->id_base + (uint64_t)n->id_count * 65536 > 0xffff0000u)
		return err_set(e, EINVAL, "%s/node.conf: id_base must be a multiple of 65536 and the ranges end below 0xffff0000",
			       n->etc);
	return 0;
}

int ctx_init(struct ctx *c, const char *name, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	const char *dash, *tail;

	memset(c, 0, sizeof *c);
	c->oplog = c->cancel = -1;
	c->libexec = secure_getenv("CLOISTER_LIBEXEC") ?: CLOISTER_LIBEXEC;
	c->self = secure_getenv("CLOISTER_SELF") ?: CLOISTER_BINDIR "/cloister";
	if (!name)
		name = secure_getenv("CLOISTER_NODE");
	if (!name || !*name)
		name = "default";
	if (!name_ok(name))
		return err_set(e, EINVAL, "node name \"%s\": use a-z, 0-9 and -, at most %d characters", name,
			       NODE_NAME_MAX - 1);
	strcpy(c->node.name, name);
	c->node.id_base = ID_DEFAULT_BASE;
	c->node.id_count = ID_DEFAULT_COUNT;
	c->node.usage_s = 60;
	c->node.throttled_s = 300;
	strcpy(c->node.vnc_host, "127.0.0.1");
	c->node.balloon_below = BALLOON_BELOW;
	dash = tail = "";
	if (strcmp(name, "default")) {
		dash = "-";
		tail = name;
		c->node.id_base = ID_NAMED_BASE + (uint32_t)(str_hash(name, strlen(name)) % ID_SLOTS) * ID_SLOT_COUNT * 65536u;
		c->node.id_count = ID_SLOT_COUNT;
	}
	snprintf(c->node.state, sizeof c->node.state, "/var/lib/cloister%s%s", dash, tail);
	snprintf(c->node.run, sizeof c->node.run, "/run/cloister%s%s", dash, tail);
	snprintf(c->node.etc, sizeof c->node.etc, "/etc/cloister%s%s", dash, tail);
	snprintf(c->node.log, sizeof c->node.log, "/var/log/cloister%s%s", dash, tail);
	snprintf(c->node.pool, sizeof c->node.pool, "/zones%s%s", dash, tail);
	snprintf(c->node.cgroup, sizeof c->node.cgroup, "cloister%s%s", dash, tail);
	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &b, e) < 0)
		return err_add(e, "boot id");
	snprintf(c->bootid, sizeof c->bootid, "%.36s", buf_str(&b));
	return conf_read(&c->node, e);
}

void ctx_done(struct ctx *c)
{
	own_fd(&c->oplog);
}

void ctx_log(const struct ctx *c, enum log_level l, const char *fmt, ...)
{
	char text[2048], when[CLOCK_TEXT], line[2200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->log)
		c->log(c, l, text);
	if (c->oplog < 0)
		return;
	n = snprintf(line, sizeof line, "%s %d %s\n", clock_iso(clock_wall_ns(), when), (int)getpid(), text);
	/* The log is for people; a full disk must not fail the operation that it describes. */
	if (n > 0 && write(c->oplog, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
		return;
}

int ctx_check(const struct ctx *c, struct err *e)
{
	struct pollfd p = {.fd = c->cancel, .events = POLLIN};

	if (c->cancel >= 0 && poll(&p, 1, 0) == 1)
		return err_set(e, ECANCELED, "interrupted");
	if (c->deadline && clock_mono_ns() > c->deadline)
		return err_set(e, ETIME, "the time limit of this operation has passed");
	return 0;
}
