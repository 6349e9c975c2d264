/* SPDX-License-Identifier: MPL-2.0 */
/* "user", "user:group", "uid:gid" of an image, by the zone's own /etc/passwd and /etc/group: hostile text, opened inside. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "zone/passwd.h"
#include "zoneadmd/zoneadmd.h"

/* Not there is the same as empty; a fifo, a device or a file without end is refused, not waited for. */
static int slurp(const char *path, struct buf *out, struct err *e)
{
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char chunk[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > PASSWD_MAX)
		return err_set(e, EINVAL, "%s is not a plain file of at most %u bytes", path, PASSWD_MAX);
	while (out->len < PASSWD_MAX && (n = read(fd, chunk, sizeof chunk)) > 0)
		buf_add(out, chunk, (size_t)n);
	return 0;
}

static int number(const char *s, uint32_t *out)
{
	uint64_t n;

	if (str_to_u64(s, &n) < 0 || n >= PASSWD_ID_END)
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

int init_user(const char *spec, struct init_ids *out, struct err *e)
{
	_buf_ struct buf pw = BUF_INIT, gr = BUF_INIT;
	_free_ char *user = xstrdup(spec);
	char *group = strchr(user, ':');
	struct passwd_user u;
	int r;

	if (group)
		*group++ = 0;
	r = slurp("/etc/passwd", &pw, e);
	if (r == 0)
		r = slurp("/etc/group", &gr, e);
	if (r < 0)
		return r;
	*out = (struct init_ids){0};
	r = passwd_user(buf_str(&pw), pw.len, *user ? user : "0", &u);
	if (r == 0) {
		out->uid = u.uid;
		out->gid = u.gid;
		snprintf(out->home, sizeof out->home, "%s", u.home);
		out->ngroups = passwd_groups(buf_str(&gr), gr.len, u.name, u.gid, out->groups, ARRAY_LEN(out->groups));
	} else if (number(user, &out->uid) < 0) {
		return err_set(e, ENOENT, "user \"%s\" is not in the zone's /etc/passwd", user);
	}
	if (group && *group) {
		out->ngroups = 1;
		if (passwd_group(buf_str(&gr), gr.len, group, &out->gid) < 0 && number(group, &out->gid) < 0)
			return err_set(e, ENOENT, "group \"%s\" is not in the zone's /etc/group", group);
		out->groups[0] = out->gid;
	}
	return 0;
}
