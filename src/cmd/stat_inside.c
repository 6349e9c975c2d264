/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zonestat, zonememstat and kstat as a zone has them: itself, and all the rest as [system]. The numbers come from its
 * supervisor, a text for each sample, since the host's cgroups are not to be seen in here. Libc only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/stat_zones.h"
#include "cmd/zone_arg.h"
#include "zone/numbers.h"
#include "zone/self.h"

#define AGAIN_NS  10000000ULL /* the supervisor makes a new text every 50 ms at most, and the kernel keeps it as long */
#define AGAIN_MAX 30

extern const struct cmd *const __start_cmds[];
extern const struct cmd *const __stop_cmds[];
static const struct cmd *running;
static uint64_t offset; /* of the zone's monotonic clock from the host's, which the texts have */

int cmd_fail(const struct ctx *c, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", running->prog, e->msg);
	if (e->hint[0])
		fprintf(stderr, "  %s\n", e->hint);
	return 1;
}

int cmd_usage(const char *prog, const char *verb, const char *why, ...)
{
	va_list ap;

	if (why) {
		fprintf(stderr, "%s: ", prog);
		va_start(ap, why);
		vfprintf(stderr, why, ap);
		va_end(ap);
		fputc('\n', stderr);
	}
	fprintf(stderr, "usage:\n  %s %s\n", running->prog, running->synopsis);
	return 2;
}

int zone_arg(const struct ctx *c, const char *word, char uuid[37], struct err *e)
{
	static const char *const keys[] = {"uuid", "zonename", "zoneid"};
	_free_ char *own = NULL;
	int r = zone_self("uuid", &own, e);

	if (r <= 0)
		return r < 0 ? r : err_set(e, EINVAL, "this is the global zone");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		_free_ char *v = NULL;

		if (zone_self(keys[i], &v, NULL) > 0 && !strcmp(v, word)) {
			snprintf(uuid, 37, "%s", own);
			return 0;
		}
	}
	return err_set(e, ENOENT, "zone '%s' unknown: a zone sees itself and no other", word);
}

int stat_zones_init(const struct ctx *c, unsigned groups, struct stat_sample *s, struct err *e)
{
	*s = (struct stat_sample){.groups = groups & ~(unsigned)CGS_IO, .part = true}; /* the texts do not have the host's disks */
	if (!zone_inside())
		return err_set(e, EINVAL, "this is the global zone: its %s is another program", running->prog);
	return 0;
}

static int ask(char *text, size_t room, struct err *e)
{
	static const char *const places[] = {"/.zonecontrol/" NUMBERS_FILE, "/native/.zonecontrol/" NUMBERS_FILE};
	_fd_ int fd = -1;
	size_t len = 0;
	ssize_t n = 1;

	for (size_t i = 0; i < ARRAY_LEN(places) && fd < 0; i++) {
		fd = open(places[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno != ENOENT)
			break;
	}
	if (fd < 0 && errno == ENXIO) /* a socket */
		return err_set(e, EPROTO, "the zone's supervisor is of another version: it knows this after the zone's next boot");
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "nobody tells this zone its numbers: its host has no /dev/fuse, or had none when the zone booted");
	while (fd >= 0 && len < room && (n = read(fd, text + len, room - len)) != 0) {
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	if (fd < 0 || n < 0)
		return err_sys(e, errno, "%s", places[0]);
	return len && len < room ? (int)len : err_set(e, EIO, "the zone's supervisor does not say what it counts");
}

/* What was known of the zone before it was sampled first. */
static int make(struct stat_sample *s, struct err *e)
{
	struct stat_zone *z = xalloc(sizeof *z);
	_free_ char *id = NULL, *uuid = NULL;
	struct timespec up;
	int r;

	s->z = xalloc(sizeof *s->z);
	s->z[0] = z;
	s->n = s->cap = 1;
	r = zone_self("uuid", &uuid, e);
	if (r > 0)
		r = zone_self("zonename", &z->name, e);
	if (r > 0)
		r = zone_self("zoneid", &id, e);
	if (r <= 0)
		return r < 0 ? r : err_set(e, EINVAL, "this is the global zone");
	if (str_to_u64(id, &z->zoneid) < 0)
		return err_set(e, EINVAL, "zoneid \"%s\"", id);
	snprintf(z->uuid, sizeof z->uuid, "%s", uuid);
	clock_gettime(CLOCK_BOOTTIME, &up); /* the zone's own */
	z->boot_ns = clock_wall_ns() - ((uint64_t)up.tv_sec * 1000000000 + (uint64_t)up.tv_nsec);
	z->init = 1;
	return 0;
}

int stat_zones_take(const struct ctx *c, struct stat_sample *s, struct err *e)
{
	struct zone_numbers n;
	char text[NUMBERS_MAX + 1];
	int r = s->z ? 0 : make(s, e);

	for (int i = 0; r >= 0 && i < AGAIN_MAX; i++) {
		if (i)
			stat_sleep(clock_mono_ns(), AGAIN_NS, 1);
		r = ask(text, sizeof text, e);
		if (r >= 0 && numbers_parse(text, (size_t)r, &n) < 0)
			r = err_set(e, EPROTO, "the zone's supervisor is of another version: it knows this after the zone's next boot");
		if (r >= 0 && s->rounds == 0)
			offset = clock_mono_ns() - n.mono_ns;
		if (r >= 0 && n.mono_ns + offset != s->now_ns)
			break;
	}
	if (r < 0)
		return r;
	memcpy(s->z[0]->before, s->z[0]->now, sizeof s->z[0]->before);
	memcpy(s->z[0]->now, n.v, sizeof n.v);
	s->host_before = s->host;
	s->host = n.host;
	s->before_ns = s->now_ns;
	s->now_ns = n.mono_ns + offset;
	s->rounds++;
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL, *name = slash ? slash + 1 : argc ? argv[0] : "";
	struct ctx c = {.oplog = -1, .cancel = -1};
	int r;

	for (const struct cmd *const *p = __start_cmds; p < __stop_cmds; p++)
		if (!running || !strcmp((*p)->prog, name))
			running = *p;
	r = running->run(&c, argc, argv);
	if (fflush(stdout) != 0 && r == 0) {
		perror(running->prog);
		r = 1;
	}
	return r;
}
