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

struct maps {
	int counters, ports, traffic; /* the last two -1: a switch of before they were */
};

static void maps_close(struct maps *m)
{
	own_fd(&m->counters);
	own_fd(&m->ports);
	own_fd(&m->traffic);
}

static int maps_open(const char *net, struct maps *m)
{
	_free_ char *dir = xprintf("%s/bpf", net);

	m->counters = bpf_open(dir, "counters", NULL);
	if (m->counters < 0)
		return m->counters;
	m->ports = bpf_open(dir, "ports", NULL);
	m->traffic = bpf_open(dir, "traffic", NULL);
	return 0;
}

/* What a port with a place has beside its counters (net/traffic.h). */
static int place_counts(const struct maps *m, uint32_t ifindex, int cpus, uint64_t *received, uint64_t *sent)
{
	_free_ struct sw_traffic *t = calloc((size_t)cpus, sizeof *t);
	struct sw_port p;
	uint32_t place;
	int r;

	if (m->ports < 0 || m->traffic < 0)
		return 0;
	r = t ? bpf_get(m->ports, &ifindex, &p, NULL) : -ENOMEM;
	if (r < 0)
		return r;
	place = SW_PLACE(p.flags);
	r = place ? bpf_get(m->traffic, &place, t, NULL) : 0;
	for (int i = 0; r == 0 && i < cpus; i++) {
		*received += t[i].rbytes;
		*sent += t[i].obytes;
	}
	return r;
}

static int port_counts(const struct maps *m, unsigned ifindex, uint64_t *received, uint64_t *sent)
{
	int cpus = bpf_cpus(), r;
	_free_ struct sw_count *c = calloc((size_t)cpus, sizeof *c);
	uint64_t in = 0, out = 0;
	uint32_t key = ifindex;

	if (!c)
		return -ENOMEM;
	r = bpf_get(m->counters, &key, c, NULL);
	if (r == 0)
		r = place_counts(m, ifindex, cpus, &in, &out);
	if (r < 0)
		return r;
	for (int i = 0; i < cpus; i++) {
		in += c[i].rbytes;
		out += c[i].obytes;
	}
	*received = in;
	*sent = out;
	return 0;
}

int usage_net_port(const char *net, unsigned ifindex, uint64_t *received, uint64_t *sent)
{
	_clean_(maps_close) struct maps m = {-1, -1, -1};
	int r = maps_open(net, &m);

	return r < 0 ? r : port_counts(&m, ifindex, received, sent);
}

void usage_net_read(const char *net, const char *uuid, struct usage_sample *s)
{
	_free_ char *path = xprintf("%s/%s", net, uuid);
	_buf_ struct buf b = BUF_INIT;
	uint64_t in = 0, out = 0, i, o;
	_clean_(maps_close) struct maps m = {-1, -1, -1};
	struct nic_line l;
	const char *t;

	if (file_read(AT_FDCWD, path, LIST_MAX, &b, NULL) < 0)
		return;
	if (maps_open(net, &m) < 0)
		return;
	t = buf_str(&b);
	while (nic_line(&t, &l)) {
		if (!l.port[0]) {
			in += l.received;
			out += l.sent;
		} else if (l.ifindex && !l.counted && port_counts(&m, l.ifindex, &i, &o) == 0) {
			in += i;
			out += o;
		}
	}
	s->counter[UC_RECEIVED] = in;
	s->counter[UC_SENT] = out;
}
