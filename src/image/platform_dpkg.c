/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which files of the host's /etc a zone may have: those of the packages below that are byte for byte as the package
 * brought them. What the host's owner has changed may hold secrets, and is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "image/skel.h"

static const char *const packages[] = {
	"adduser", "base-files", "bash", "bash-completion", "bsdmainutils", "bsdutils", "ca-certificates", "dbus", "dbus-session-bus-common",
	"dbus-system-bus-common", "debianutils", "dpkg", "e2fsprogs", "git", "iproute2", "less", "libc-bin", "libpam-cap",
	"libpam-modules", "libpam-modules-bin", "libpam-runtime", "libpam-systemd", "libssl3", "login", "logrotate", "manpages",
	"man-db", "mawk", "mount", "nano", "ncurses-base", "ncurses-term", "netbase", "openssh-client", "openssh-server",
	"openssh-sftp-server", "openssl", "passwd", "perl", "perl-base", "procps", "python3-minimal", "python3.11-minimal", "readline-common",
	"rsyslog", "screen", "sudo", "systemd", "systemd-sysv", "tmux", "udev", "util-linux", "util-linux-extra", "vim-common", "vim-tiny",
	"wget", "xz-utils", "libaudit-common", "libgssapi-krb5-2", "krb5-locales", "media-types", "mime-support", "zsh", "zsh-common",
};
/* the host's services and jobs, not a zone's */
static const char *const skip[] = {"/etc/cron.", "/etc/init.d/", "/etc/alternatives/", "/etc/apt/", "/etc/kernel/",
				   "/etc/logcheck/", "/etc/ufw/", "/etc/apparmor"};

static int wanted(const char *pkg, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(packages); i++)
		if (strlen(packages[i]) == len && !memcmp(packages[i], pkg, len))
			return 1;
	return 0;
}

void dpkg_conffiles(const char *status, size_t n, int (*want)(const char *pkg, size_t len),
		    void (*each)(const char *path, size_t len, const char *md5, void *arg), void *arg)
{
	const char *end = status + n, *next;
	int mine = 0, in = 0;

	for (const char *l = status; l < end; l = next) {
		const char *eol = memchr(l, '\n', (size_t)(end - l)), *sp;
		size_t len = (size_t)((eol ?: end) - l);

		next = eol ? eol + 1 : end;
		if (len > 9 && !memcmp(l, "Package: ", 9)) {
			mine = want(l + 9, len - 9);
			in = 0;
		} else if (len == 10 && !memcmp(l, "Conffiles:", 10)) {
			in = mine;
		} else if (len == 0 || *l != ' ') {
			in = 0;
		} else if (in && len > 35 && l[1] == '/') {
			/* " /etc/x <md5>", with " obsolete" or " remove-on-upgrade" behind it: no longer the package's */
			sp = memchr(l + 1, ' ', len - 1);
			if (sp && (size_t)(l + len - sp) == 33 && !memchr(l + 1, 0, len - 1))
				each(l + 1, (size_t)(sp - l - 1), sp + 1, arg);
		}
	}
}

static void take_one(const char *path, size_t len, const char *md5, void *arg)
{
	_free_ char *name = xprintf("%.*s", (int)len, path);
	_buf_ struct buf b = BUF_INIT;
	struct skel *s = arg;
	char sum[33];

	if (strncmp(name, "/etc/", 5) || strstr(name, "/../"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(skip); i++)
		if (!strncmp(name, skip[i], strlen(skip[i])))
			return;
	if (file_read(AT_FDCWD, name, 1 << 20, &b, NULL) < 0)
		return;
	md5_hex(buf_str(&b), b.len, sum);
	if (!memcmp(sum, md5, 32))
		skel_copy(s, name + 1, name);
}

int platform_conffiles(struct skel *s, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r = file_read(AT_FDCWD, "/var/lib/dpkg/status", 64 << 20, &b, e);

	if (r == -ENOENT)
		return 0; /* no dpkg: the skeleton alone */
	if (r < 0)
		return r;
	dpkg_conffiles(buf_str(&b), b.len, wanted, take_one, s);
	return 0;
}
