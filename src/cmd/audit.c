/* SPDX-License-Identifier: MPL-2.0 */
/* The audit log: who changed what, and what came of it. JSON lines in <log>/audit.log, four files of 8 MiB at most. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "cmd/cmd.h"

#define AUDIT_MAX   (8 << 20)
#define AUDIT_FILES 4

static int open_log(const struct ctx *c)
{
	_free_ char *path = xprintf("%s/audit.log", c->node.log);
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size > AUDIT_MAX) {
		for (int i = AUDIT_FILES - 1; i > 0; i--) {
			_free_ char *to = xprintf("%s.%d", path, i);
			_free_ char *from = i > 1 ? xprintf("%s.%d", path, i - 1) : xstrdup(path);

			rename(from, to);
		}
	}
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void put_text(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(o, key, json_string(text));
}

static void put_json(json_t *o, const char *key, const char *text)
{
	json_t *v = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	if (v)
		json_object_set_new(o, key, v);
}

void cmd_audit(const struct ctx *c, const char *what, const char *object, const char *before, const char *after, int result)
{
	json_t *o = json_object();
	_buf_ struct buf login = BUF_INIT;
	_free_ char *line = NULL;
	_fd_ int fd = open_log(c);
	char when[CLOCK_TEXT];

	json_object_set_new(o, "time", json_string(clock_iso(clock_wall_ns(), when)));
	json_object_set_new(o, "uid", json_integer(getuid()));
	/* 4294967295: no login session stands behind it */
	if (file_read(AT_FDCWD, "/proc/self/loginuid", 32, &login, NULL) == 0 && strcmp(buf_str(&login), "4294967295"))
		put_text(o, "loginuid", buf_str(&login));
	put_text(o, "sudo_uid", secure_getenv("SUDO_UID"));
	put_text(o, "command", what);
	put_text(o, "object", object);
	put_json(o, "before", before);
	put_json(o, "after", after);
	put_text(o, "result", result < 0 ? err_name(result) : "ok");
	line = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (fd < 0 || !line || dprintf(fd, "%s\n", line) < 0)
		fprintf(stderr, "warning: %s/audit.log: %s\n", c->node.log, strerror(errno));
}
