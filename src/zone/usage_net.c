/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/usage_net.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"

#define LIST_MAX (1 << 16)

bool nic_line(const char **t, struct nic_line *out)
{
	size_t n = strcspn(*t, "\n");
	char line[80], mark[4] = "";

	*out = (struct nic_line){.ifindex = 0};
	if (n == 0 || n >= sizeof line)
		return false;
	memcpy(line, *t, n);
	line[n] = 0;
	*t += n + ((*t)[n] == '\n');
	if (sscanf(line, "#gone %" SCNu64 " %" SCNu64, &out->received, &out->sent) == 2)
		return true;
	if (line[0] == '#' || sscanf(line, "%15s %u %3s", out->port, &out->ifindex, mark) < 2)
		return false;
	out->counted = mark[0] == '-';
	return true;
}

static int port_counts(int map, unsigned ifindex, uint64_t *received, uint64_t *sent)
{
	int cpus = bpf_cpus(), r;
	_free_ struct sw_count *c = calloc((size_t)cpus, sizeof *c);
	uint32_t key = ifindex;

	if (!c)
		return -ENOMEM;
	r = bpf_get(map, &key, c, NULL);
	if (r < 0)
		return r;
	*received = *sent = 0;
	for (int i = 0; i < cpus; i++) {
		*received += c[i].rbytes;
		*sent += c[i].obytes;
	}
	return 0;
}

static int counters(const char *net)
{
	_free_ char *dir = xprintf("%s/bpf", net);

	return bpf_open(dir, "counters", NULL);
}

int usage_net_port(const char *net, unsigned ifindex, uint64_t *received, uint64_t *sent)
{
	_fd_ int map = counters(net);

	return map < 0 ? map : port_counts(map, ifindex, received, sent);
}

void usage_net_read(const char *net, const char *uuid, struct usage_sample *s)
{
	_free_ char *path = xprintf("%s/%s", net, uuid);
	_buf_ struct buf b = BUF_INIT;
	uint64_t in = 0, out = 0, i, o;
	_fd_ int map = -1;
	struct nic_line l;
	const char *t;

	if (file_read(AT_FDCWD, path, LIST_MAX, &b, NULL) < 0)
		return;
	map = counters(net);
	if (map < 0)
		return;
	t = buf_str(&b);
	while (nic_line(&t, &l)) {
		if (!l.port[0]) {
			in += l.received;
			out += l.sent;
		} else if (l.ifindex && !l.counted && port_counts(map, l.ifindex, &i, &o) == 0) {
			in += i;
			out += o;
		}
	}
	s->counter[UC_RECEIVED] = in;
	s->counter[UC_SENT] = out;
}
