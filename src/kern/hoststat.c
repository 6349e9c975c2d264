/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/hoststat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/cgroup_stat.h"

int host_text_cpu(const char *t, uint64_t hz, struct host_stat *out)
{
	unsigned long long user, nice, sys, idle, iowait, irq, soft;
	uint64_t us = 1000000 / hz, boot = cg_text_keyed(t, "btime");

	/* a guest's time is in user and nice already */
	if (sscanf(t, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle, &iowait, &irq, &soft) != 7)
		return -EINVAL;
	out->user_us = (user + nice) * us;
	out->sys_us = (sys + irq + soft) * us;
	out->idle_us = (idle + iowait) * us;
	out->cpu_us = out->user_us + out->sys_us;
	out->boot_s = boot >= CGV_NONE ? 0 : boot;
	out->cpus = 0;
	for (const char *p = t; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		out->cpus += !strncmp(p, "cpu", 3) && p[3] >= '0' && p[3] <= '9';
	return out->cpus ? 0 : -EINVAL;
}

static uint64_t kib(const char *t, const char *key)
{
	const char *at = strstr(t, key);
	unsigned long long v = 0;

	return at && sscanf(at + strlen(key), " %llu", &v) == 1 ? v * 1024 : 0;
}

int host_text_memory(const char *t, struct host_stat *out)
{
	out->mem_total = kib(t, "MemTotal:");
	out->mem_free = kib(t, "MemFree:");
	out->mem_available = kib(t, "MemAvailable:");
	out->swap_total = kib(t, "SwapTotal:");
	out->swap_free = kib(t, "SwapFree:");
	return out->mem_total ? 0 : -EINVAL;
}

int host_text_load(const char *t, struct host_stat *out)
{
	unsigned long long whole[3], part[3], running, all;

	if (sscanf(t, "%llu.%2llu %llu.%2llu %llu.%2llu %llu/%llu", &whole[0], &part[0], &whole[1], &part[1], &whole[2], &part[2],
		   &running, &all) != 8)
		return -EINVAL;
	for (int i = 0; i < 3; i++)
		out->load[i] = whole[i] * 100 + part[i];
	out->running = running;
	out->lwps = all;
	return 0;
}

void host_text_disks(const char *t, bool (*whole)(const char *name), uint64_t out[4])
{
	memset(out, 0, 4 * sizeof *out);
	for (const char *l = t; *l; l += strcspn(l, "\n"), l += *l == '\n') {
		unsigned long long reads, in, writes, written;
		char name[64];

		if (sscanf(l, " %*u %*u %63s %llu %*u %llu %*u %llu %*u %llu", name, &reads, &in, &writes, &written) != 5 ||
		    !strncmp(name, "loop", 4) || !strncmp(name, "ram", 3) || !strncmp(name, "zram", 4) || !whole(name))
			continue;
		out[0] += in * 512;
		out[1] += written * 512;
		out[2] += reads;
		out[3] += writes;
	}
}

/* One with others below it is counted there: md, device-mapper. */
static bool is_disk(const char *name)
{
	char p[112];
	size_t n = (size_t)snprintf(p, sizeof p, "/sys/block/%s", name);
	_dir_ DIR *d = NULL;

	for (char *slash = p + strlen("/sys/block/"); (slash = strchr(slash, '/'));)
		*slash = '!'; /* as sysfs has it */
	if (access(p, F_OK) < 0)
		return false;
	snprintf(p + n, sizeof p - n, "/slaves");
	d = opendir(p);
	for (struct dirent *de; d && (de = readdir(d));)
		if (de->d_name[0] != '.')
			return false;
	return true;
}

void host_stat_io(struct host_stat *out)
{
	_buf_ struct buf b = BUF_INIT;

	if (file_read(AT_FDCWD, "/proc/diskstats", 4 << 20, &b, NULL) == 0)
		host_text_disks(buf_str(&b), is_disk, out->io);
	else
		for (int i = 0; i < 4; i++)
			out->io[i] = CGV_UNKNOWN;
}

int host_stat_read(struct host_stat *out, struct err *e)
{
	static const char *const pressure[] = {"/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io"};
	_buf_ struct buf cpu = BUF_INIT, mem = BUF_INIT, load = BUF_INIT;
	long hz = sysconf(_SC_CLK_TCK);
	int r = file_read(AT_FDCWD, "/proc/stat", 16 << 20, &cpu, e);

	if (r == 0)
		r = file_read(AT_FDCWD, "/proc/meminfo", 1 << 20, &mem, e);
	if (r == 0)
		r = file_read(AT_FDCWD, "/proc/loadavg", 4096, &load, e);
	if (r < 0)
		return r;
	if (host_text_cpu(buf_str(&cpu), hz > 0 ? (uint64_t)hz : 100, out) < 0 || host_text_memory(buf_str(&mem), out) < 0 ||
	    host_text_load(buf_str(&load), out) < 0)
		return err_set(e, EINVAL, "/proc/stat, /proc/meminfo or /proc/loadavg is not as Linux has it");
	for (int i = 0; i < 3; i++) {
		_buf_ struct buf p = BUF_INIT;

		(void)file_read(AT_FDCWD, pressure[i], 4096, &p, NULL);
		cg_text_pressure(buf_str(&p), out->pressure + 8 * i);
	}
	return 0;
}
