/* SPDX-License-Identifier: MPL-2.0 */
#include "node/machine_words.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#define LOG_MAX (1u << 22)
#define WAIT_NS 1000000000ULL

static const char name[] = "qemu-system-x86_64: ";

static char *log_folder(const struct vm *v)
{
	return xprintf("%s/vms/%s", v->c->node.log, v->uuid);
}

void machine_words_begin(struct vm *v)
{
	_free_ char *dir = log_folder(v), *path = xprintf("%s/console.log", dir);
	struct stat st;

	v->log_mark = stat(path, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/* true: something of the monitor's is there. */
static bool look(const struct vm *v, const char *path, struct buf *b)
{
	buf_done(b);
	if (file_read(AT_FDCWD, path, LOG_MAX, b, NULL) < 0)
		return false;
	/* of an earlier start is what was there before this one; a log that is shorter by now has been begun anew */
	if (v->log_mark && v->log_mark <= b->len)
		memmove(b->p, b->p + v->log_mark, (b->len -= v->log_mark) + 1);
	return b->len && memmem(b->p, b->len, name, strlen(name));
}

/* The zone's worker writes it down, after the monitor's end too. Where the folder can't be watched, all of the time is waited. */
static void await(const struct vm *v, struct buf *b)
{
	_free_ char *dir = log_folder(v), *path = xprintf("%s/console.log", dir);
	_fd_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd p = {.fd = watch, .events = POLLIN};
	uint64_t until = clock_mono_ns() + WAIT_NS, now;
	char events[4096];

	if (watch >= 0) /* ahead of the first look: nothing is written between the two */
		inotify_add_watch(watch, dir, IN_CREATE | IN_MODIFY);
	while (!look(v, path, b) && (now = clock_mono_ns()) < until) {
		poll(&p, 1, (int)((until - now) / 1000000) + 1);
		while (watch >= 0 && read(watch, events, sizeof events) > 0)
			;
	}
}

void machine_words(const struct vm *v, char out[MACHINE_WORDS])
{
	_buf_ struct buf b = BUF_INIT;
	const char *words = "it did not say why";
	char *save = NULL;
	size_t n = 0;
	bool its = false;

	await(v, &b);
	for (char *line = b.len ? strtok_r(b.p, "\r\n", &save) : NULL; line; line = strtok_r(NULL, "\r\n", &save)) {
		bool mine = str_starts(line, name);

		if (!mine && its)
			continue;
		its = mine;
		words = mine ? line + strlen(name) : line;
	}
	for (; *words && n < MACHINE_WORDS - 1; words++)
		if (*words >= 32 && *words < 127)
			out[n++] = *words;
	out[n] = 0;
}
