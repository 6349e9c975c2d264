/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Stands in QEMU's place: answers at the control socket until it is told to let the guest run, and then tries what a guest
 * would that has taken its monitor over. QEMU's own sandbox is not there, so what is shown is the zone's alone. Writes to the console
 * a line for each thing that it found open, in a word and what of it; at the end "TRIED", and waits to be killed.
 *
 * Static: its zone has nothing. "monitor freely" tries at once: in a zone that is no jail it must find something.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { FD_QMP = 20, FD_DISK = 32, DEPTH = 12 };

static void found(const char *what, const char *which)
{
	printf("%s %s\n", what, which);
}

/* ---- until the guest may run ---- */

static void say(int s, const char *text)
{
	if (send(s, text, strlen(text), MSG_NOSIGNAL) < 0)
		printf("ERROR send: %s\n", strerror(errno));
}

/* One line; false: no more. */
static bool line(int s, char *out, size_t n)
{
	size_t len = 0;

	while (len < n - 1 && read(s, out + len, 1) == 1)
		if (out[len++] == '\n')
			break;
	out[len] = 0;
	return len > 0;
}

/* true: it was told "cont". */
static bool client(int s)
{
	char text[4096];
	bool go = false;

	say(s, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
	while (line(s, text, sizeof text)) {
		go |= strstr(text, "\"cont\"") != NULL;
		if (!strstr(text, "query-status"))
			say(s, "{\"return\": {}}\r\n");
		else
			say(s, go ? "{\"return\": {\"status\": \"running\", \"running\": true}}\r\n"
				  : "{\"return\": {\"status\": \"prelaunch\", \"running\": false}}\r\n");
	}
	return go;
}

static void until_cont(void)
{
	listen(FD_QMP, 4);
	fcntl(FD_QMP, F_SETFL, fcntl(FD_QMP, F_GETFL) & ~O_NONBLOCK);
	for (bool go = false; !go;) {
		int s = accept(FD_QMP, NULL, NULL);

		if (s < 0) {
			printf("ERROR accept: %s\n", strerror(errno));
			exit(1);
		}
		go = client(s);
		close(s);
	}
}

/* ---- files ---- */

/* Where something of the host would be. /dev is looked at node by node, /proc and /sys are what every zone has (escapes.sh). */
static void files(const char *dir, int depth)
{
	DIR *d = opendir(dir);

	for (struct dirent *f; d && (f = readdir(d));) {
		char path[4096];
		struct stat st;

		if (!strcmp(f->d_name, ".") || !strcmp(f->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%s/%s", strcmp(dir, "/") ? dir : "", f->d_name);
		if (!strcmp(path, "/proc") || !strcmp(path, "/sys") || lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0) {
			files(path, depth - 1);
		} else if (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)) {
			int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

			if (fd >= 0)
				found(S_ISREG(st.st_mode) ? "FILE" : "NODE", path);
			if (fd >= 0)
				close(fd);
			fd = S_ISREG(st.st_mode) ? open(path, O_WRONLY | O_NONBLOCK) : -1;
			if (fd >= 0)
				found("WRITABLE", path);
			if (fd >= 0)
				close(fd);
		}
	}
	if (d)
		closedir(d);
}

static void writing(void)
{
	static const char *const dirs[] = {"/", "/tmp", "/run", "/dev", "/dev/shm", "/dev/mqueue", "/var", "/.zonecontrol", "/root", "/proc", "/sys",
		"/sys/fs/cgroup"};
	static const char *const there[] = {"/proc/self/exe", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/hostname", "/proc/self/oom_score_adj",
		"/sys/kernel/uevent_helper", "/sys/power/state"};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		char path[64];

		snprintf(path, sizeof path, "%s/x", dirs[i]);
		if (open(path, O_WRONLY | O_CREAT, 0600) >= 0 || mkdir(path, 0700) == 0 || symlink("/", path) == 0 ||
		    mknod(path, S_IFCHR | 0600, 0x101) == 0 || mknod(path, S_IFIFO | 0600, 0) == 0)
			found("MADE", path);
		if (open(dirs[i], O_TMPFILE | O_RDWR, 0600) >= 0)
			found("TMPFILE", dirs[i]);
	}
	for (size_t i = 0; i < sizeof there / sizeof *there; i++)
		/* lowering one's own chances to be killed needs a capability; raising them is everybody's */
		if (strcmp(there[i], "/proc/self/oom_score_adj") ? open(there[i], O_WRONLY) >= 0 :
								   dprintf(open(there[i], O_WRONLY), "-999") > 0)
			found("WRITABLE", there[i]);
}

/* ---- what it holds ---- */

static void descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");

	for (struct dirent *f; d && (f = readdir(d));) {
		char link[320], to[4096];
		ssize_t n;

		if (f->d_name[0] == '.' || atoi(f->d_name) == dirfd(d))
			continue;
		snprintf(link, sizeof link, "/proc/self/fd/%s", f->d_name);
		n = readlink(link, to, sizeof to - 1);
		to[n < 0 ? 0 : n] = 0;
		printf("FD %s %s\n", f->d_name, strchr(to, ':') ? strtok(to, ":") : strrchr(to, '/') ? strrchr(to, '/') : to);
	}
	if (d)
		closedir(d);
}

static void disk(void)
{
	struct btrfs_ioctl_vol_args v = {.name = "x"};
	int flags = FS_IMMUTABLE_FL;

	if (ioctl(FD_DISK, FS_IOC_SETFLAGS, &flags) == 0)
		found("DISK", "flags");
	if (fchmod(FD_DISK, 0777) == 0 || fchown(FD_DISK, 1000, 1000) == 0)
		found("DISK", "owner and mode");
	if (linkat(FD_DISK, "", AT_FDCWD, "/x", AT_EMPTY_PATH) == 0 || linkat(AT_FDCWD, "/proc/self/fd/32", AT_FDCWD, "/x", AT_SYMLINK_FOLLOW) == 0)
		found("DISK", "another name");
	if (openat(FD_DISK, "..", O_RDONLY) >= 0 || openat(FD_DISK, "/proc/self/fd/32/..", O_RDONLY) >= 0)
		found("DISK", "the folder that it is in");
	if (ioctl(FD_DISK, BTRFS_IOC_SUBVOL_CREATE, &v) == 0 || ioctl(FD_DISK, BTRFS_IOC_SNAP_CREATE, &v) == 0)
		found("DISK", "subvolumes");
}

/* ---- others ---- */

static void processes(void)
{
	DIR *d = opendir("/proc");
	int pid;

	for (struct dirent *f; d && (f = readdir(d));)
		if (f->d_name[0] >= '0' && f->d_name[0] <= '9' && atoi(f->d_name) != getpid())
			found("PROCESS", f->d_name);
	if (d)
		closedir(d);
	pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		found("FORK", "fork");
	pid = (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		found("FORK", "clone");
	if (ptrace(PTRACE_CONT, 1 << 30, 0, 0) < 0 && errno == ESRCH)
		found("CALL", "ptrace");
	for (pid = 2; pid < 32768; pid++)
		if (kill(pid, 0) == 0)
			found("SIGNAL", "to a process");
}

static void sockets(void)
{
	for (int family = 1; family < 48; family++)
		for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
			int s = socket(family, type, 0);
			char name[32];

			snprintf(name, sizeof name, "family %d type %d", family, type);
			if (s >= 0)
				found("SOCKET", name);
			if (s >= 0)
				close(s);
		}
}

static void rights(void)
{
	static const int space[] = {CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, 0x02000000 /* cgroup */,
		0x00000080 /* time */};
	static const struct {
		const char *name;
		long nr;
	} calls[] = {{"bpf", SYS_bpf}, {"perf_event_open", SYS_perf_event_open}, {"io_uring_setup", SYS_io_uring_setup}, {"userfaultfd", SYS_userfaultfd},
		{"keyctl", SYS_keyctl}, {"add_key", SYS_add_key}, {"open_by_handle_at", SYS_open_by_handle_at}, {"init_module", SYS_init_module},
		{"kexec_load", SYS_kexec_load}, {"swapon", SYS_swapon}, {"syslog", SYS_syslog}, {"iopl", SYS_iopl}, {"quotactl", SYS_quotactl},
		{"fsopen", SYS_fsopen}, {"open_tree", SYS_open_tree}, {"pivot_root", SYS_pivot_root}, {"shmget", SYS_shmget}, {"pidfd_getfd", 438}};

	for (size_t i = 0; i < sizeof space / sizeof *space; i++)
		if (unshare(space[i]) == 0)
			found("NAMESPACE", "by unshare");
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (syscall(calls[i].nr, 0, 0, 0, 0, 0) >= 0 || (errno != EPERM && errno != ENOSYS))
			found("CALL", calls[i].name);
	if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 || setgroups(0, NULL) == 0)
		found("RIGHT", "another user");
	for (int c = 0; c < 64; c++)
		if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) > 0)
			found("RIGHT", "a capability in its bounding set");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		found("RIGHT", "new ones");
	if (chroot("/proc/self/root") == 0 || mount("none", "/", "tmpfs", 0, NULL) == 0 || umount2("/proc", MNT_DETACH) == 0)
		found("RIGHT", "mounts");
	if (ioctl(0, TIOCSTI, "x") == 0)
		found("RIGHT", "typing at its console");
	if (sethostname("x", 1) == 0)
		found("RIGHT", "host name");
}

int main(int argc, char **argv)
{
	bool freely = argc == 2 && !strcmp(argv[1], "freely");

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!freely)
		until_cont();
	descriptors();
	files("/", DEPTH);
	writing();
	disk();
	processes();
	sockets();
	rights();
	printf("TRIED\n");
	while (!freely)
		pause();
	return 0;
}
