/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The tree of the platform image: what a sparse zone has of its own around the host's /usr. Everything is the
 * distribution's default or written here; nothing of this host's own settings, names, keys or passwords.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "image/skel.h"

enum { MAIL = 8, UTMP = 43, STAFF = 50 }; /* fixed by base-passwd */

static const struct {
	const char *path;
	mode_t mode;
	gid_t gid;
} dirs[] = {
	{"boot", 0755, 0}, {"dev", 0755, 0}, {"etc", 0755, 0}, {"home", 0755, 0}, {"media", 0755, 0}, {"mnt", 0755, 0},
	{"opt", 0755, 0}, {"proc", 0555, 0}, {"root", 0700, 0}, {"run", 0755, 0}, {"srv", 0755, 0}, {"sys", 0555, 0},
	{"tmp", 01777, 0}, {"usr", 0755, 0}, {"checkpoints", 0700, 0}, {"etc/alternatives", 0755, 0}, {"etc/default", 0755, 0},
	{"etc/opt", 0755, 0}, {"etc/profile.d", 0755, 0}, {"etc/skel", 0755, 0}, {"etc/ssh", 0755, 0}, {"etc/ssl", 0755, 0},
	{"etc/ssl/certs", 0755, 0}, {"etc/ssl/private", 0700, 0}, {"etc/systemd/system", 0755, 0}, {"etc/tmpfiles.d", 0755, 0},
	{"etc/sysctl.d", 0755, 0}, {"etc/ld.so.conf.d", 0755, 0},
	{"var", 0755, 0}, {"var/backups", 0755, 0}, {"var/cache", 0755, 0}, {"var/lib", 0755, 0}, {"var/lib/dpkg", 0755, 0},
	{"var/lib/misc", 0755, 0}, {"var/lib/pam", 0755, 0}, {"var/lib/systemd", 0755, 0}, {"var/lib/dbus", 0755, 0},
	{"var/local", 02775, STAFF}, {"var/log", 0755, 0}, {"var/log/journal", 0755, 0}, {"var/mail", 02775, MAIL}, {"var/opt", 0755, 0},
	{"var/spool", 0755, 0}, {"var/tmp", 01777, 0},
};

static const struct {
	const char *path, *target;
} links[] = {
	{"var/run", "/run"}, {"var/lock", "/run/lock"}, {"var/spool/mail", "../mail"}, {"etc/mtab", "../proc/self/mounts"},
	{"etc/os-release", "../usr/lib/os-release"}, {"etc/localtime", "/usr/share/zoneinfo/Etc/UTC"},
	{"var/lib/dbus/machine-id", "/etc/machine-id"},
};

static const struct {
	const char *path, *from;
} copies[] = {
	{"etc/nsswitch.conf", "/usr/share/libc-bin/nsswitch.conf"}, {"etc/profile", "/usr/share/base-files/profile"},
	{"etc/motd", "/usr/share/base-files/motd"}, {"root/.bashrc", "/usr/share/base-files/dot.bashrc"},
	{"root/.profile", "/usr/share/base-files/dot.profile"}, {"etc/ssh/sshd_config", "/usr/share/openssh/sshd_config"},
	{"etc/inputrc", "/usr/share/readline/inputrc"},
};

/* What pam-auth-update makes of the packaged profiles; the host's own may name modules and servers of the host's. */
static const char pam_auth[] = "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n"
			       "auth\trequisite\t\t\tpam_deny.so\n"
			       "auth\trequired\t\t\tpam_permit.so\n",
		  pam_account[] = "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so\n"
				  "account\trequisite\t\t\tpam_deny.so\n"
				  "account\trequired\t\t\tpam_permit.so\n",
		  pam_password[] = "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\n"
				   "password\trequisite\t\t\tpam_deny.so\n"
				   "password\trequired\t\t\tpam_permit.so\n",
		  pam_session[] = "session\t[default=1]\t\t\tpam_permit.so\n"
				  "session\trequisite\t\t\tpam_deny.so\n"
				  "session\trequired\t\t\tpam_permit.so\n"
				  "session\trequired\t\t\tpam_unix.so\n",
		  /* the leading - : in a zone without systemd's module it says nothing */
		  pam_systemd[] = "-session\toptional\t\t\tpam_systemd.so\n";

static int merged(struct skel *s, struct err *e)
{
	static const char *const top[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
	char to[64], path[16];

	for (size_t i = 0; i < ARRAY_LEN(top); i++) {
		ssize_t n;

		snprintf(path, sizeof path, "/%s", top[i]);
		n = readlink(path, to, sizeof to - 1);
		if (n < 0 && errno == ENOENT)
			continue;
		if (n > 0)
			to[n] = 0;
		if (n <= 0 || !(str_starts(to, "usr/") || str_starts(to, "/usr/")))
			return err_set(e, ENOTSUP, "/%s is not a link to /usr/%s: sparse zones need a host with a merged /usr", top[i], top[i]);
		skel_link(s, top[i], to);
	}
	return 0;
}

static void pam(struct skel *s)
{
	_free_ char *session = xprintf("%s%s", pam_session, pam_systemd);

	skel_text(s, "etc/pam.d/common-auth", pam_auth);
	skel_text(s, "etc/pam.d/common-account", pam_account);
	skel_text(s, "etc/pam.d/common-password", pam_password);
	skel_text(s, "etc/pam.d/common-session", session);
	skel_text(s, "etc/pam.d/common-session-noninteractive", pam_session);
}

static void shells(struct skel *s)
{
	static const char *const all[] = {"/bin/sh", "/bin/bash", "/usr/bin/bash", "/bin/rbash", "/usr/bin/rbash", "/bin/dash",
					  "/usr/bin/dash", "/usr/bin/sh", "/bin/zsh", "/usr/bin/zsh", "/usr/bin/tmux", "/usr/bin/screen"};
	_buf_ struct buf b = BUF_INIT;

	buf_puts(&b, "# /etc/shells: valid login shells\n");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (access(all[i], X_OK) == 0)
			buf_printf(&b, "%s\n", all[i]);
	skel_text(s, "etc/shells", buf_str(&b));
}

int platform_plan(struct skel *s, struct err *e)
{
	int r;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		skel_dir(s, dirs[i].path, dirs[i].mode, 0, dirs[i].gid);
	r = merged(s, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		skel_link(s, links[i].path, links[i].target);
	r = platform_conffiles(s, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(copies); i++)
		skel_copy(s, copies[i].path, copies[i].from);
	pam(s);
	shells(s);
	r = platform_users(s, e);
	if (r < 0)
		return r;
	platform_certificates(s);
	skel_text(s, "etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	skel_text(s, "etc/fstab", "# A zone's file systems are its `filesystems` property.\n");
	skel_text(s, "etc/environment", "");
	skel_text(s, "etc/default/locale", "LANG=C.UTF-8\n");
	skel_text(s, "etc/timezone", "Etc/UTC\n");
	skel_text(s, "etc/networks", "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n");
	skel_text(s, "etc/resolv.conf", "");
	skel_text(s, "etc/subuid", "");
	skel_text(s, "etc/subgid", "");
	/* empty, not missing: systemd makes one and does not take this for a first boot that enables everything */
	skel_file(s, "etc/machine-id", 0444, 0, 0, NULL, 0);
	skel_file(s, "var/log/wtmp", 0664, 0, UTMP, NULL, 0);
	skel_file(s, "var/log/btmp", 0660, 0, UTMP, NULL, 0);
	skel_file(s, "var/log/lastlog", 0664, 0, UTMP, NULL, 0);
	return 0;
}
