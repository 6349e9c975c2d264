/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A sparse zone's own user database. The distribution's own accounts come from base-passwd; those of packaged services
 * keep the numbers that they have on the host, because files below the shared /usr belong to them. No person's account,
 * no password and no membership of the host's is taken. Root is locked.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/skel.h"

#define SHADOW_GID 42
#define SERVICE_MAX 1000

static const char passwd_min[] = "root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		  group_min[] = "root:*:0:\nadm:*:4:\ntty:*:5:\nmail:*:8:\nshadow:*:42:\nutmp:*:43:\nstaff:*:50:\nnogroup:*:65534:\n";

/* Accounts that maintainer scripts make; others are named in sysusers.d. */
static const char *const known[] = {"messagebus", "sshd", "_ssh", "ssh", "crontab", "_apt", "polkitd", "uuidd", "tcpdump",
				    "systemd-coredump", "ssl-cert", "Debian-exim", "postdrop", "mlocate", "plocate", "rdma"};

static void sysusers(struct buf *names)
{
	_dir_ DIR *d = opendir("/usr/lib/sysusers.d");

	for (struct dirent *de; d && (de = readdir(d));) {
		_buf_ struct buf b = BUF_INIT;
		char kind[4], name[64];

		if (!str_ends(de->d_name, ".conf") || file_read(dirfd(d), de->d_name, 65536, &b, NULL) < 0)
			continue;
		for (char *save = NULL, *l = b.p ? strtok_r(b.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save))
			if (sscanf(l, "%3s %63s", kind, name) == 2 && (*kind == 'u' || *kind == 'g'))
				buf_printf(names, "\n%s\n", name);
	}
}

static bool listed(const struct buf *names, const char *name)
{
	_free_ char *key = xprintf("\n%s\n", name);

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(known[i], name))
			return true;
	return strstr(buf_str(names), key) != NULL;
}

static bool has_line(const struct buf *b, const char *name)
{
	size_t n = strlen(name);

	for (const char *l = buf_str(b); l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL)
		if (!strncmp(l, name, n) && l[n] == ':')
			return true;
	return false;
}

/* "name:x:id:…" of a service: 0 and its fields, else -1. */
static int service(char *line, const struct buf *names, const struct buf *have, char *field[7])
{
	uint64_t id;
	int n = 0;

	for (char *s; n < 7 && (s = strsep(&line, ":"));)
		field[n++] = s;
	if (n < 3 || str_to_u64(field[2], &id) < 0 || id >= SERVICE_MAX || has_line(have, field[0]) || !listed(names, field[0]))
		return -1;
	for (; n < 7; n++)
		field[n] = (char *)(uintptr_t)"";
	return 0;
}

static void read_or(const char *path, const char *otherwise, struct buf *b)
{
	if (file_read(AT_FDCWD, path, 1 << 20, b, NULL) < 0)
		buf_puts(b, otherwise);
}

/* "a:*:…" → "a:x:…" for each line. */
static void shadowed(const char *text, struct buf *out, struct buf *shadow, const char *tail)
{
	_free_ char *copy = xstrdup(text);

	for (char *save = NULL, *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *name = strsep(&l, ":");

		if (!l || !strsep(&l, ":") || !l)
			continue;
		buf_printf(out, "%s:x:%s\n", name, l);
		buf_printf(shadow, "%s:%s", name, tail);
	}
}

int platform_users(struct skel *s, struct err *e)
{
	_buf_ struct buf names = BUF_INIT, passwd = BUF_INIT, group = BUF_INIT, hp = BUF_INIT, hg = BUF_INIT, p = BUF_INIT, g = BUF_INIT,
			 sp = BUF_INIT, sg = BUF_INIT;
	char *f[7];

	sysusers(&names);
	read_or("/usr/share/base-passwd/passwd.master", passwd_min, &passwd);
	read_or("/usr/share/base-passwd/group.master", group_min, &group);
	read_or("/etc/passwd", "", &hp);
	read_or("/etc/group", "", &hg);
	for (char *save = NULL, *l = hp.p ? strtok_r(hp.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save))
		if (service(l, &names, &passwd, f) == 0)
			buf_printf(&passwd, "%s:*:%s:%s::/nonexistent:/usr/sbin/nologin\n", f[0], f[2], f[3]);
	for (char *save = NULL, *l = hg.p ? strtok_r(hg.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save))
		if (service(l, &names, &group, f) == 0)
			buf_printf(&group, "%s:*:%s:\n", f[0], f[2]);
	/* no date of a last change: passwords do not expire, and the image is the same every day */
	shadowed(buf_str(&passwd), &p, &sp, "*:19000:0:99999:7:::\n");
	shadowed(buf_str(&group), &g, &sg, "*::\n");
	skel_file(s, "etc/passwd", 0644, 0, 0, buf_str(&p), p.len);
	skel_file(s, "etc/group", 0644, 0, 0, buf_str(&g), g.len);
	skel_file(s, "etc/shadow", 0640, 0, SHADOW_GID, buf_str(&sp), sp.len);
	skel_file(s, "etc/gshadow", 0640, 0, SHADOW_GID, buf_str(&sg), sg.len);
	return 0;
}

/* ---- certificates: the packaged ones; what the host's owner added stays the host's ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool target_of(int dir, const char *name, char out[512])
{
	ssize_t n = readlinkat(dir, name, out, 511);

	if (n <= 0)
		return false;
	out[n] = 0;
	return true;
}

void platform_certificates(struct skel *s)
{
	static const char packaged[] = "/usr/share/ca-certificates/";
	_fd_ int dir = open("/etc/ssl/certs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_buf_ struct buf all = BUF_INIT;
	struct dirent **list = NULL;
	int n = dir < 0 ? 0 : scandirat(dir, ".", &list, NULL, by_name);

	for (int i = 0; i < n; i++) {
		_free_ char *path = xprintf("etc/ssl/certs/%s", list[i]->d_name);
		char to[512], on[512];
		bool direct;

		if (target_of(dir, list[i]->d_name, to)) {
			direct = !strncmp(to, packaged, sizeof packaged - 1);
			/* "<hash>.0" → "Name.pem" → the packaged file */
			if (direct || (!strchr(to, '/') && target_of(dir, to, on) && !strncmp(on, packaged, sizeof packaged - 1)))
				skel_link(s, path, to);
			if (direct)
				file_read(AT_FDCWD, to, 1 << 20, &all, NULL);
		}
		free(list[i]);
	}
	free(list);
	if (all.len)
		skel_file(s, "etc/ssl/certs/ca-certificates.crt", 0644, 0, 0, all.p, all.len);
}
