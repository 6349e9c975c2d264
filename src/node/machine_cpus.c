/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Steal of a machine's processors, from outside: how long their threads were ready and did not run. It is what KVM tells a guest as steal, and is to be had
 * of one that is translated as well. Which threads they are the monitor says; it can name none but its own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/own.h"
#include "hvm/qmp.h"
#include "kern/proc.h"
#include "node/machine.h"
#include "node/vm.h"
#include "zone/zone.h"

#define ANSWER_MS   5000
#define THREADS_MAX 4096

/* Of one thread, in a folder of its process's tasks: its id in the zone. 0: it has ended, or the kernel does not count. */
static pid_t waited(int tasks, const char *tid, uint64_t *ran, uint64_t *steal)
{
	_fd_ int dir = openat(tasks, tid, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[4096];
	struct proc_ids ids;
	ssize_t n = dir < 0 ? -1 : proc_read(dir, "status", text, sizeof text);

	return n > 0 && proc_text_status(text, (size_t)n, &ids) == 0 && proc_waits(dir, ran, steal) == 0 ? ids.zone_pid : 0;
}

/* Each thread once, however many processors the monitor claims to have. */
static void add(int tasks, json_t *cpus)
{
	int fd = openat(tasks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *t;
	json_t *cpu;
	size_t i;

	for (unsigned n = 0; d && n < THREADS_MAX && (t = readdir(d)); n++) {
		uint64_t ran, steal;
		pid_t inside = *t->d_name == '.' ? 0 : waited(tasks, t->d_name, &ran, &steal);

		if (inside <= 0)
			continue;
		json_array_foreach(cpus, i, cpu)
			if (json_integer_value(json_object_get(cpu, "thread-id")) == inside) {
				json_object_set_new(cpu, "ran_ns", json_integer((json_int_t)ran));
				json_object_set_new(cpu, "steal_ns", json_integer((json_int_t)steal));
			}
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

int machine_cpus(const struct vm *v, struct qmp *q, json_t **out, struct err *e)
{
	_fd_ int proc = -1, tasks = -1, init = -1;
	json_t *all = NULL;
	int r = qmp_do(q, "query-cpus-fast", NULL, ANSWER_MS, &all, e);

	if (r < 0)
		return r;
	proc = proc_open(v->run.init_pid);
	tasks = proc < 0 ? -1 : openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	init = zone_pidfd(&v->run, NULL); /* whose folder it is */
	if (tasks >= 0 && init >= 0)
		add(tasks, all);
	*out = all;
	return 0;
}
