/* SPDX-License-Identifier: MPL-2.0 */
/* cloister files: what the processes of zones have open, from the global zone; or which of them have a file of the host open. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/safe.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/show.h"
#include "cmd/whose_record.h"
#include "kern/path.h"

#define UNREAD_SHOWN 8

struct options {
	bool bare, json;
	struct zone_pick zones;
	const char *glob, *path;
	char *real;       /* owned: path as it was found */
	struct stat want; /* of path */
	size_t n;         /* lines so far */
};

/* "r", "w", "rw", then a for append, d for direct; "-" where it is not known. */
static const char *mode_of(const struct open_file *f, char out[8])
{
	static const char *const access[] = {"r", "w", "rw", "?"};

	if (!f->known)
		return "-";
	snprintf(out, 8, "%s%s%s", f->flags & O_PATH ? "p" : access[f->flags & O_ACCMODE], f->flags & O_APPEND ? "a" : "",
		 f->flags & O_DIRECT ? "d" : "");
	return out;
}

static bool wanted(const struct options *o, const struct open_file *f)
{
	if (o->path) {
		if (f->ino != o->want.st_ino)
			return false;
		/* an overlay gives its files a device of its own: there the path has been looked at */
		return f->dev == o->want.st_dev || (f->host && !strcmp(f->host, o->path));
	}
	return !o->glob || fnmatch(o->glob, f->path, 0) == 0 || (f->host && fnmatch(o->glob, f->host, 0) == 0);
}

static void put_json(const struct options *o, const struct open_file *f)
{
	const struct zone_picked *z = &o->zones.z[f->p->zone];
	_buf_ struct buf path = BUF_INIT, host = BUF_INIT, comm = BUF_INIT;
	_free_ char *text = NULL;
	char mode[8];
	json_t *j;

	safe_add(&path, f->path, strlen(f->path));
	safe_add(&comm, f->p->stat.comm, f->p->stat.comm_len);
	if (f->host)
		safe_add(&host, f->host, strlen(f->host));
	j = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:s, s:s*}", "zone", z->name, "uuid", z->uuid, "pid", (int)f->p->pid, "command",
		      buf_str(&comm), "fd", f->fd, "type", f->type, "size", (json_int_t)f->size, "path", buf_str(&path), "host_path",
		      f->host ? buf_str(&host) : NULL);
	if (!f->looked)
		json_object_set_new(j, "size", json_null());
	if (f->known) {
		json_object_set_new(j, "mode", json_string(mode_of(f, mode)));
		json_object_set_new(j, "flags", json_integer(f->flags));
		json_object_set_new(j, "position", json_integer((json_int_t)f->pos));
	}
	if (f->p->ids.zone_pid)
		json_object_set_new(j, "zone_pid", json_integer(f->p->ids.zone_pid));
	json_object_set_new(j, "deleted", json_boolean(f->deleted));
	text = json_dumps(j, JSON_COMPACT);
	/* one by one: a process may have a million */
	printf("%s%s", o->n ? "," : "", text ? text : "{}");
	json_decref(j);
}

static int put(const struct open_file *f, void *arg)
{
	struct options *o = arg;
	_buf_ struct buf out = BUF_INIT, path = BUF_INIT, comm = BUF_INIT;
	char mode[8];

	if (!wanted(o, f))
		return 0;
	if (o->json) {
		put_json(o, f);
		o->n++;
		return ferror(stdout) ? -EPIPE : 0;
	}
	if (o->n++ == 0 && !o->bare)
		puts("ZONE                 PID COMMAND            FD TYPE MODE         SIZE     POSITION PATH");
	safe_add(&comm, f->p->stat.comm, f->p->stat.comm_len);
	safe_add(&path, f->path, strlen(f->path));
	show_cell(&out, o->zones.z[f->p->zone].name, 16);
	buf_printf(&out, " %7d ", (int)f->p->pid);
	show_cell(&out, buf_str(&comm), 15);
	buf_printf(&out, " %5s %-4s %-4s ", f->fd, f->type, mode_of(f, mode));
	if (f->looked)
		buf_printf(&out, "%12" PRIu64 " ", f->size);
	else
		buf_printf(&out, "%12s ", "-");
	if (f->known)
		buf_printf(&out, "%12" PRIu64 " ", f->pos);
	else
		buf_printf(&out, "%12s ", "-");
	buf_puts(&out, buf_str(&path));
	buf_puts(&out, f->deleted ? " (deleted)" : "");
	if (f->host && strcmp(f->host, f->path) != 0) {
		buf_puts(&out, " = ");
		safe_add(&out, f->host, strlen(f->host));
	}
	puts(out.p);
	return ferror(stdout) ? -EPIPE : 0;
}

static void found(const struct whose_record *w, void *arg)
{
	*(bool *)arg = true;
}

/* The file that is meant. What a zone can write to is looked at without following its links: they lead elsewhere on the host. */
static int find(struct ctx *c, struct options *o, struct err *e)
{
	_free_ char *tidy = whose_path_tidy(o->path);
	bool pool = whose_path_in_pool(c, tidy), up = strstr(tidy, "/../") || str_ends(tidy, "/.."), zones = pool;
	_fd_ int top = -1, fd = -1;
	int r = 0;

	if (pool && up)
		return err_set(e, EINVAL, "%s: name it without \"..\"", o->path);
	if (!pool && !up)
		r = whose_records(c, NET_LINK, NULL, tidy, found, &zones, e);
	if (r < 0)
		return r;
	if (!zones) {
		o->real = realpath(tidy, NULL);
		if (!o->real || stat(o->real, &o->want) < 0)
			return err_sys(e, errno, "%s", o->path);
		o->path = o->real;
		return 0;
	}
	top = open(pool ? c->node.pool : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = top < 0 ? -errno : path_open_nolink(top, tidy + (pool ? strlen(c->node.pool) : 0), O_PATH | O_CLOEXEC, 0, NULL);
	if (fd == -ELOOP)
		return err_set(e, ELOOP, "%s: a symbolic link is on the way, which its zone may have made: name the file itself", o->path);
	if (fd < 0 || fstat(fd, &o->want) < 0)
		return err_sys(e, fd < 0 ? fd : errno, "%s", o->path);
	o->real = tidy;
	o->path = tidy;
	tidy = NULL;
	return 0;
}

static int work(struct ctx *c, struct options *o, struct err *e)
{
	_clean_(procs_done) struct procs ps = {.p = NULL};
	_clean_(files_done) struct files_reader r = {.c = c, .zones = &o->zones, .want_host = true};
	int rc = 0;

	if (o->path)
		rc = find(c, o, e);
	if (rc < 0)
		return rc;
	rc = zone_pick_procs(c, &o->zones, &ps, o->json ? PROCS_IDS : 0, e);
	if (rc == 0 && o->json)
		printf("{\"v\":1,\"files\":[");
	if (rc == 0)
		rc = files_walk(&r, &ps, put, o, e);
	if (rc == 0 && o->json) {
		printf("],\"unread\":[");
		for (size_t i = 0; i < r.nunread; i++)
			printf("%s%d", i ? "," : "", (int)r.unread[i]->pid);
		puts("]}");
	}
	if (rc == 0 && r.nunread) {
		(void)fflush(stdout);
		for (size_t i = 0; i < r.nunread && i < UNREAD_SHOWN; i++)
			fprintf(stderr, "cloister files: process %d of zone %s makes whoever reads what it has open wait\n", (int)r.unread[i]->pid,
				o->zones.z[r.unread[i]->zone].name);
		rc = err_set(e, ETIME, "what %zu process%s ha%s open could not be read, or not to the end", r.nunread, r.nunread == 1 ? "" : "es",
			     r.nunread == 1 ? "s" : "ve");
	}
	return rc == -EPIPE ? 0 : rc;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct options o = {.n = 0};
	struct err e = ERR_INIT;
	int opt, r = 0;

	optind = 1;
	while (r == 0 && (opt = getopt(argc, argv, "+Hjz:")) != -1) {
		switch (opt) {
		case 'H': o.bare = true; break;
		case 'j': o.json = true; break;
		case 'z':
			if (zone_pick_add(c, &o.zones, optarg, &e) < 0)
				r = cmd_fail(c, &e);
			break;
		default: r = cmd_usage("cloister", "files", NULL);
		}
	}
	if (r == 0 && argc - optind > 1)
		r = cmd_usage("cloister", "files", o.zones.nwant ? "one pattern" : "one path");
	if (r == 0 && !o.zones.nwant && (argc == optind || argv[optind][0] != '/'))
		r = cmd_usage("cloister", "files", "a zone (-z), or the absolute path of a file of the host");
	if (r == 0) {
		*(o.zones.nwant ? &o.glob : &o.path) = argc > optind ? argv[optind] : NULL;
		r = work(c, &o, &e);
		r = r < 0 ? cmd_fail(c, &e) : o.n == 0;
	}
	zone_pick_done(&o.zones);
	free(o.real);
	return r;
}

CMD(cloister_files, "cloister", "files", "[-H | -j] path | -z zone... [pattern]", "show which files the processes of zones have open", CMD_FILE, run);
