/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usage: cloister-netload OBJECT DIR     (DIR is on a bpffs of ours)
 *
 * Loads a switch's programs and pins them and their maps in DIR; run by the command that makes the switch, and again for an
 * upgrade: maps that are there stay, with what is in them, and every link in DIR/links gets the new program of the name that
 * its old one has, in one step, so that no frame meets none. A map of another layout: nothing is changed. A program of its
 * own, so that the others need no libbpf.
 * Exit 0, 1 with the reason on standard error, or 3: a map there has another layout, which standard error names.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"

static int say(enum libbpf_print_level l, const char *fmt, va_list ap)
{
	return l == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static int fail(const char *what, const char *which)
{
	fprintf(stderr, "%s %s: %s\n", what, which, strerror(errno));
	return 1;
}

static int pin_program(struct bpf_program *p, const char *dir)
{
	char path[4096], fresh[4096];

	snprintf(path, sizeof path, "%s/%s", dir, bpf_program__name(p));
	if (snprintf(fresh, sizeof fresh, "%s-new", path) >= (int)sizeof fresh)
		return -1;
	unlink(fresh);
	if (bpf_program__pin(p, fresh) < 0)
		return -1;
	return rename(fresh, path);
}

/* The program of this object that has the name of the one which link runs now. NULL: there is none, or the interface has gone. */
static struct bpf_program *successor(struct bpf_object *o, int link)
{
	struct bpf_link_info l = {0};
	struct bpf_prog_info p = {0};
	__u32 n = sizeof l;
	int fd, r;

	if (bpf_obj_get_info_by_fd(link, &l, &n) < 0)
		return NULL;
	fd = bpf_prog_get_fd_by_id(l.prog_id);
	if (fd < 0)
		return NULL;
	n = sizeof p;
	r = bpf_obj_get_info_by_fd(fd, &p, &n);
	close(fd);
	return r < 0 ? NULL : bpf_object__find_program_by_name(o, p.name);
}

/* What stands for a shaper wire where that has no link is pinned itself (net/shape_wire.c), and its filter is set by who runs us. */
static bool is_program(int fd)
{
	char path[64], what[64];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, what, sizeof what - 1);
	what[n < 0 ? 0 : n] = 0;
	return strstr(what, "bpf-prog") != NULL;
}

static int replace_program(struct bpf_object *o, const char *dir, const char *sub, const char *name)
{
	struct bpf_program *p = bpf_object__find_program_by_name(o, name);
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", dir, sub);
	errno = ESRCH;
	return p && pin_program(p, path) == 0 ? 0 : fail("pin the program of", name);
}

/* sub: where such links are pinned. Those of an interface that has gone are of no use to anybody: their pins go. */
static int replace_links(struct bpf_object *o, const char *dir, const char *sub)
{
	char path[4096];
	struct dirent *d;
	int bad = 0;
	DIR *list;

	snprintf(path, sizeof path, "%s/%s", dir, sub);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail("make", path);
	list = opendir(path);
	if (!list)
		return fail("read", path);
	while ((d = readdir(list))) {
		struct bpf_program *p;
		int link, r;

		if (d->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s/%s", dir, sub, d->d_name) >= (int)sizeof path)
			continue;
		link = bpf_obj_get(path);
		if (link < 0)
			continue;
		if (is_program(link)) {
			/* a pin that a killed one of us has left beside it has a name that no program has */
			if (!strchr(d->d_name, '-'))
				bad |= replace_program(o, dir, sub, d->d_name);
			close(link);
			continue;
		}
		p = successor(o, link);
		errno = ESRCH;
		r = p ? bpf_link_update(link, bpf_program__fd(p), NULL) : -ESRCH;
		if (r == -ENOLINK)
			unlink(path);
		else if (r < 0)
			bad = fail("replace the program of", d->d_name);
		close(link);
	}
	closedir(list);
	return bad;
}

/* Each map is where those are that it stays with. 0, or the exit status. */
static int take_maps(struct bpf_object *o, const char *dir)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, o) {
		char path[4096];
		int r;

		if (bpf_map__is_internal(m))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, bpf_map__name(m));
		r = layout_same(o, m, path);
		if (r == 0) {
			fprintf(stderr, "%s\n", bpf_map__name(m));
			return 3;
		}
		if (r < 0 || bpf_map__set_pin_path(m, path) < 0)
			return fail("pin", path);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_program *p;
	struct bpf_object *o;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: cloister-netload OBJECT DIR\n");
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(say);
	o = bpf_object__open_file(argv[1], NULL);
	if (!o)
		return fail("open", argv[1]);
	r = take_maps(o, argv[2]);
	if (r)
		return r;
	if (bpf_object__load(o) < 0)
		return fail("load", argv[1]);
	bpf_object__for_each_program(p, o)
		if (pin_program(p, argv[2]) < 0)
			return fail("pin", bpf_program__name(p));
	if (replace_links(o, argv[2], "shapers"))
		return 1;
	return replace_links(o, argv[2], "links");
}
