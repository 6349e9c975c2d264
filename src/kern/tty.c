/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/own.h"
#include "kern/path.h"

int tty_raw(int fd, struct tty_saved *s, struct err *e)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return 0;
	s->old = t;
	cfmakeraw(&t);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSADRAIN, &t) < 0)
		return err_sys(e, errno, "set the terminal to raw mode");
	s->fd = fd;
	s->on = true;
	return 0;
}

void tty_restore(struct tty_saved *s)
{
	int err = errno;

	if (s->on)
		tcsetattr(s->fd, TCSADRAIN, &s->old);
	s->on = false;
	errno = err;
}

void tty_copy_settings(const struct tty_saved *from, int fd)
{
	if (from->on)
		tcsetattr(fd, TCSANOW, &from->old);
}

void tty_copy_size(int from, int to)
{
	struct winsize w;

	if (ioctl(from, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col)
		ioctl(to, TIOCSWINSZ, &w);
}

/* The other end, straight from the master: no path that someone could have replaced. Takes over master. */
static int pair_of(int m, int *master, int *slave, char name[32], struct err *e)
{
	_fd_ int mfd = m;
	int zero = 0, n, s;

	if (ioctl(mfd, TIOCSPTLCK, &zero) < 0 || ioctl(mfd, TIOCGPTN, &n) < 0)
		return err_sys(e, errno, "unlock a new pseudo terminal");
	s = ioctl(mfd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s < 0)
		return err_sys(e, errno, "open the other end of a new pseudo terminal");
	snprintf(name, 32, "/dev/pts/%d", n);
	*slave = s;
	*master = take_fd(&mfd);
	return 0;
}

int tty_pair(int *master, int *slave, char name[32], struct err *e)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (m < 0)
		return err_sys(e, errno, "/dev/ptmx");
	return pair_of(m, master, slave, name, e);
}

int tty_pair_in(int rootfd, uid_t uid, gid_t gid, int *master, int *slave, char name[32], struct err *e)
{
	_fd_ int p = path_open_nolink(rootfd, "dev/pts/ptmx", O_PATH | O_CLOEXEC, 0, e);
	char self[40];
	struct statfs fs;
	struct stat st;
	int m, err;

	if (p < 0)
		return err_add(e, "the zone's pseudo terminals");
	if (fstatfs(p, &fs) < 0 || fstat(p, &st) < 0)
		return err_sys(e, errno, "the zone's /dev/pts/ptmx");
	if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		return err_set(e, EPERM, "the zone's /dev/pts/ptmx is not what it should be: something is mounted over it");
	snprintf(self, sizeof self, "/proc/self/fd/%d", p);
	/* The pty belongs to whoever opens it: as the zone's root, so that the zone can chown it to the user who logs in. */
	setfsgid(gid);
	setfsuid(uid);
	m = open(self, O_RDWR | O_NOCTTY | O_CLOEXEC);
	err = errno;
	setfsuid(0);
	setfsgid(0);
	if (m < 0)
		return err_sys(e, err, "a new pseudo terminal in the zone");
	return pair_of(m, master, slave, name, e);
}
