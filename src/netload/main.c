/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usage: cloister-netload OBJECT DIR     (DIR is on a bpffs of ours)
 *
 * Loads a switch's programs and pins them and their maps in DIR; run by the command that makes the switch, and again for an
 * upgrade: maps that are there and of the same shape stay, with what is in them, and every link in DIR/links gets the
 * new program in one step, so that no frame meets none. A program of its own, so that the others need no libbpf.
 * Exit 0, or 1 with the reason on standard error.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The links of an interface that has gone are of no use to anybody: their pins go. */
static int replace_links(int prog, const char *dir)
{
	char path[4096];
	struct dirent *d;
	int bad = 0;
	DIR *list;

	snprintf(path, sizeof path, "%s/links", dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail("make", path);
	list = opendir(path);
	if (!list)
		return fail("read", path);
	while ((d = readdir(list))) {
		int link, r;

		if (d->d_name[0] == '.' || snprintf(path, sizeof path, "%s/links/%s", dir, d->d_name) >= (int)sizeof path)
			continue;
		link = bpf_obj_get(path);
		if (link < 0)
			continue;
		r = bpf_link_update(link, prog, NULL);
		if (r == -ENOLINK)
			unlink(path);
		else if (r < 0)
			bad = fail("replace the program of", d->d_name);
		close(link);
	}
	closedir(list);
	return bad;
}

/* The ends of the shaper wires: each link bears its program's name. */
static int replace_wire(struct bpf_program *p, const char *dir)
{
	char path[4096];
	int link, r;

	snprintf(path, sizeof path, "%s/wires/%s", dir, bpf_program__name(p));
	link = bpf_obj_get(path);
	if (link < 0)
		return 0;
	r = bpf_link_update(link, bpf_program__fd(p), NULL);
	close(link);
	return r < 0 ? fail("replace the program of", path) : 0;
}

int main(int argc, char **argv)
{
	struct bpf_program *p, *entry;
	struct bpf_object *o;
	struct bpf_map *m;

	if (argc != 3) {
		fprintf(stderr, "usage: cloister-netload OBJECT DIR\n");
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(say);
	o = bpf_object__open_file(argv[1], NULL);
	if (!o)
		return fail("open", argv[1]);
	bpf_object__for_each_map(m, o) {
		char path[4096];

		if (bpf_map__is_internal(m))
			continue;
		snprintf(path, sizeof path, "%s/%s", argv[2], bpf_map__name(m));
		if (bpf_map__set_pin_path(m, path) < 0)
			return fail("pin", path);
	}
	if (bpf_object__load(o) < 0)
		return fail("load", argv[1]);
	bpf_object__for_each_program(p, o)
		if (pin_program(p, argv[2]) < 0)
			return fail("pin", bpf_program__name(p));
	bpf_object__for_each_program(p, o)
		if (replace_wire(p, argv[2]))
			return 1;
	entry = bpf_object__find_program_by_name(o, "from_vnic");
	if (!entry)
		return fail("find from_vnic in", argv[1]);
	return replace_links(bpf_program__fd(entry), argv[2]);
}
