/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The audit log, one JSON object a line: who did what to which object, what it was before and after, and how it ended.
 * audit.log is the newest; at AUDIT_MAX it becomes audit.log.1, up to audit.log.4. Secrets are taken out by the caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

#define AUDIT_MAX  (8 << 20)
#define AUDIT_KEEP 4
#define NO_LOGIN   4294967295u

static char *log_path(const struct ctx *c, int n)
{
	return n == 0 ? xprintf("%s/audit.log", c->node.log) : xprintf("%s/audit.log.%d", c->node.log, n);
}

/* JSON as JSON, and what is none as a string: the log must not depend on its content. */
static json_t *as_json(const char *text)
{
	json_t *j = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	return text && !j ? json_stringn_nocheck(text, strlen(text)) : j;
}

static json_t *number_of(const char *text)
{
	uint64_t n;

	return text && str_to_u64(text, &n) == 0 && n < NO_LOGIN ? json_integer((json_int_t)n) : NULL;
}

static json_t *login_uid(void)
{
	_buf_ struct buf b = BUF_INIT;

	if (file_read(AT_FDCWD, "/proc/self/loginuid", 32, &b, NULL) < 0 || !b.len)
		return NULL;
	return number_of(b.p);
}

/* Under a lock, so that two commands do not both rotate; the file may have been rotated while we waited. */
static int append(const struct ctx *c, const char *line, size_t n, struct err *e)
{
	_free_ char *path = log_path(c, 0);
	_fd_ int dir = -1, fd = -1;
	struct stat st;
	int r = dir_make(c->node.log, 0700, e);

	if (r < 0)
		return r;
	dir = open(c->node.log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", c->node.log);
	if (stat(path, &st) == 0 && st.st_size + (off_t)n > AUDIT_MAX) {
		for (int i = AUDIT_KEEP - 1; i >= 0; i--) {
			_free_ char *from = log_path(c, i), *to = log_path(c, i + 1);

			if (rename(from, to) < 0 && errno != ENOENT)
				return err_sys(e, errno, "rotate %s", from);
		}
	}
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	/* A line cut short by a full disk or a kill must not take the next one with it. */
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		_fd_ int in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		char last;

		if (in >= 0 && pread(in, &last, 1, st.st_size - 1) == 1 && last != '\n')
			fd_write_all(fd, "\n", 1);
	}
	r = fd_write_all(fd, line, n);
	return r < 0 ? err_sys(e, r, "%s", path) : 0;
}

void cmd_audit(const struct ctx *c, const char *what, const char *object, const char *before, const char *after, int result)
{
	json_t *o = json_object();
	_free_ char *text = NULL;
	_buf_ struct buf line = BUF_INIT;
	struct err e = ERR_INIT;
	char when[CLOCK_TEXT];

	json_object_set_new(o, "time", json_string(clock_iso(clock_wall_ns(), when)));
	json_object_set_new(o, "loginuid", login_uid());
	json_object_set_new(o, "sudo_uid", number_of(getenv("SUDO_UID")));
	json_object_set_new(o, "uid", json_integer(getuid()));
	json_object_set_new(o, "command", json_string(what));
	if (object)
		json_object_set_new(o, "object", json_stringn_nocheck(object, strlen(object)));
	json_object_set_new(o, "before", as_json(before));
	json_object_set_new(o, "after", as_json(after));
	json_object_set_new(o, "result", json_integer(result));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	buf_printf(&line, "%s\n", text ? text : "{\"command\":\"unprintable\"}");
	if (append(c, line.p, line.len, &e) < 0)
		ctx_log(c, LOG_WARN, "audit log: %s", e.msg);
}

/* ---- showing it ---- */

struct lines {
	const char **v; /* the last n, in order; they point into text[] */
	size_t n;
	char *text[AUDIT_KEEP + 1];
};

/* The last `want` lines of all files, from the newest file backwards. */
static int read_last(const struct ctx *c, size_t want, struct lines *l, struct err *e)
{
	size_t cap = 0;

	for (int f = 0; f <= AUDIT_KEEP && l->n < want; f++) {
		_free_ char *path = log_path(c, f);
		_buf_ struct buf b = BUF_INIT;
		struct err le = ERR_INIT;
		int r = file_read(AT_FDCWD, path, 2 * AUDIT_MAX, &b, &le);
		char *text, *end;

		if (r == -ENOENT || r == -ENOTDIR)
			break;
		if (r < 0)
			return err_set(e, r, "%s", le.msg);
		text = l->text[f] = xstrdup(buf_str(&b));
		for (end = text + strlen(text); end > text && l->n < want;) {
			char *nl;

			if (end[-1] == '\n')
				*--end = 0;
			nl = memrchr(text, '\n', (size_t)(end - text));
			if (l->n == cap) {
				cap = cap ? cap * 2 : 256;
				l->v = xrealloc(l->v, cap * sizeof *l->v);
			}
			l->v[l->n++] = nl ? nl + 1 : text;
			end = nl ? nl + 1 : text;
		}
	}
	return 0;
}

/* By the file, not by the name service: we are linked statically. */
static bool user_name(uid_t uid, char out[64])
{
	FILE *f = fopen("/etc/passwd", "re");
	bool found = false;

	for (struct passwd *pw; f && !found && (pw = fgetpwent(f));) {
		found = pw->pw_uid == uid;
		if (found)
			snprintf(out, 64, "%.60s", pw->pw_name);
	}
	if (f)
		fclose(f);
	return found;
}

static const char *who(const json_t *o, char out[64])
{
	static const char *const keys[] = {"loginuid", "sudo_uid", "uid"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *v = json_object_get(o, keys[i]);

		if (!json_is_integer(v))
			continue;
		if (!user_name((uid_t)json_integer_value(v), out))
			snprintf(out, 64, "%lld", (long long)json_integer_value(v));
		return out;
	}
	return "-";
}

static void add_value(struct buf *line, const json_t *v)
{
	_free_ char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	if (text && strlen(text) > 60)
		strcpy(text + 57, "...");
	show_add(line, text ? text : "-");
}

/* Members that differ: "ram: 256 → 512". */
static void add_changes(struct buf *line, const json_t *before, const json_t *after)
{
	const char *sep = "  ", *key;
	json_t *v;

	if (!json_is_object(before) || !json_is_object(after))
		return;
	json_object_foreach((json_t *)after, key, v)
	{
		if (!strcmp(key, "last_modified") || json_equal(v, json_object_get(before, key)))
			continue;
		buf_printf(line, "%s%s: ", sep, key);
		add_value(line, json_object_get(before, key));
		buf_puts(line, " → ");
		add_value(line, v);
		sep = ", ";
	}
	json_object_foreach((json_t *)before, key, v)
	{
		if (json_object_get(after, key))
			continue;
		buf_printf(line, "%s%s: ", sep, key);
		add_value(line, v);
		buf_puts(line, " → -");
		sep = ", ";
	}
}

static int show_line(const char *text, bool json)
{
	_buf_ struct buf line = BUF_INIT;
	json_t *o = json_loads(text, 0, NULL), *r;
	char name[64];

	if (!json_is_object(o)) {
		json_decref(o);
		fprintf(stderr, "cloister audit: a damaged line was skipped\n");
		return 1;
	}
	if (json) {
		puts(text);
		json_decref(o);
		return 0;
	}
	show_cell(&line, json_string_value(json_object_get(o, "time")) ?: "-", 24);
	buf_puts(&line, "  ");
	show_cell(&line, who(o, name), 10);
	buf_puts(&line, "  ");
	show_cell(&line, json_string_value(json_object_get(o, "command")) ?: "-", 18);
	buf_puts(&line, "  ");
	show_cell(&line, json_string_value(json_object_get(o, "object")) ?: "-", 36);
	r = json_object_get(o, "result");
	if (json_integer_value(r) < 0)
		buf_printf(&line, "  %s", err_name((int)json_integer_value(r)));
	else
		buf_puts(&line, json_integer_value(r) > 0 ? "  failed" : "  ok");
	add_changes(&line, json_object_get(o, "before"), json_object_get(o, "after"));
	puts(buf_str(&line));
	json_decref(o);
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	static const struct option longs[] = {{"json", 0, NULL, 'j'}, {NULL, 0, NULL, 0}};
	struct lines l = {.n = 0};
	struct err e = ERR_INIT;
	uint64_t n = 50;
	bool json = false;
	int ch, r, bad = 0;

	while ((ch = getopt_long(argc, argv, "n:j", longs, NULL)) != -1) {
		switch (ch) {
		case 'n':
			if (str_to_u64(optarg, &n) < 0)
				return cmd_usage("cloister", argv[0], "-n: \"%s\" is not a number", optarg);
			break;
		case 'j': json = true; break;
		default: return cmd_usage("cloister", argv[0], NULL);
		}
	}
	if (optind < argc)
		return cmd_usage("cloister", argv[0], "it takes no operands");
	r = read_last(c, n, &l, &e);
	for (size_t i = l.n; r == 0 && i-- > 0;)
		bad |= show_line(l.v[i], json);
	for (size_t i = 0; i < ARRAY_LEN(l.text); i++)
		free(l.text[i]);
	free(l.v);
	return r < 0 ? cmd_fail(c, &e) : bad;
}

CMD(cloister_audit, "cloister", "audit", "[-n N] [--json]", "show the last N (50) entries of the audit log", CMD_NONE, run);
