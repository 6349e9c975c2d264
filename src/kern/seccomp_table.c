/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The system call table of a zone: what may be called, and why, or why not. A call that has no row does not exist in a
 * zone (ENOSYS), so a kernel that gains one opens nothing. Rows are read by seccomp.c, and by the man page's maker.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <sched.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include "base/own.h"
#include "kern/seccomp.h"

static const struct seccomp_row rows[] = {
	{SECCOMP_ROW_ALLOW,
	 "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 open openat openat2 creat close "
	 "close_range dup dup2 dup3 lseek _llseek flock sendfile sendfile64 splice tee vmsplice "
	 "copy_file_range fadvise64 fadvise64_64 readahead fallocate truncate truncate64 ftruncate ftruncate64 fsync "
	 "fdatasync sync syncfs sync_file_range",
	 "files the zone can name or was given"},
	{SECCOMP_ROW_ALLOW,
	 "access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx oldstat oldlstat "
	 "oldfstat statfs statfs64 fstatfs fstatfs64 ustat getdents getdents64 readdir readlink readlinkat getcwd "
	 "name_to_handle_at chdir fchdir chroot umask statmount listmount file_getattr cachestat",
	 "names and attributes"},
	{SECCOMP_ROW_ALLOW,
	 "mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat mknod mknodat chmod "
	 "fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat utime utimes utimensat utimensat_time64 "
	 "futimesat setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr "
	 "lremovexattr fremovexattr setxattrat getxattrat listxattrat removexattrat file_setattr",
	 "changing the tree; device nodes are refused by the kernel in a user namespace"},
	{SECCOMP_ROW_ALLOW,
	 "mmap mmap2 munmap mremap mprotect pkey_alloc pkey_free pkey_mprotect brk madvise process_madvise msync mincore "
	 "mbind get_mempolicy set_mempolicy set_mempolicy_home_node migrate_pages move_pages remap_file_pages "
	 "memfd_create memfd_secret membarrier process_mrelease mseal map_shadow_stack",
	 "own memory"},
	{SECCOMP_ROW_ALLOW, "mlock mlock2 mlockall munlock munlockall", "locked memory, within max_locked_memory",
	 .deny_with = SECCOMP_NO_LOCK_MEMORY},
	{SECCOMP_ROW_ALLOW,
	 "execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill rt_sigaction rt_sigprocmask "
	 "rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	 "rt_sigtimedwait_time64 sigaction sigprocmask sigpending sigreturn sigsuspend signal sgetmask ssetmask "
	 "sigaltstack pause alarm setitimer getitimer restart_syscall",
	 "processes and signals, within the zone's pid namespace"},
	{SECCOMP_ROW_ALLOW, "fork vfork pidfd_open pidfd_send_signal pidfd_getfd", "the same: more processes than one",
	 .deny_with = SECCOMP_MONITOR},
	{SECCOMP_ROW_ALLOW,
	 "getpid getppid gettid getpgid getpgrp setpgid getsid setsid getuid getuid32 geteuid geteuid32 getgid getgid32 "
	 "getegid getegid32 getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid setgid32 setreuid "
	 "setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid "
	 "setfsgid32 getgroups getgroups32 setgroups setgroups32 capget capset prctl arch_prctl set_tid_address "
	 "set_robust_list get_robust_list set_thread_area get_thread_area modify_ldt rseq seccomp getcpu",
	 "identity, threads, and filters of one's own"},
	{SECCOMP_ROW_ALLOW,
	 "sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler "
	 "sched_setscheduler sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min "
	 "sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority nice ioprio_get ioprio_set",
	 "scheduling: upwards the kernel asks for a capability in the global zone"},
	{SECCOMP_ROW_ALLOW, "getrlimit ugetrlimit setrlimit prlimit64 getrusage times sysinfo uname olduname oldolduname",
	 "resources: hard limits can't be raised in a zone"},
	{SECCOMP_ROW_ALLOW,
	 "futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create "
	 "epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 "
	 "signalfd signalfd4 timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime timerfd_gettime64 "
	 "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch pipe pipe2",
	 "waiting"},
	{SECCOMP_ROW_ALLOW,
	 "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep "
	 "clock_nanosleep_time64 nanosleep timer_create timer_settime timer_settime64 timer_gettime timer_gettime64 "
	 "timer_getoverrun timer_delete getrandom",
	 "reading clocks, timers, random bytes"},
	{SECCOMP_ROW_ALLOW, "adjtimex clock_adjtime clock_adjtime64",
	 "reading how the clock is kept; the kernel refuses to change it from a user namespace"},
	{SECCOMP_ROW_ALLOW,
	 "listen accept accept4 getsockname getpeername getsockopt shutdown send sendto sendmsg "
	 "sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64",
	 "the zone's own network"},
	{SECCOMP_ROW_ALLOW, "bind connect sethostname setdomainname", "the same, and its host name", .deny_with = SECCOMP_MONITOR},
	{SECCOMP_ROW_ALLOW,
	 "shmget shmat shmdt shmctl semget semop semtimedop semtimedop_time64 semctl msgget msgsnd msgrcv msgctl ipc "
	 "mq_open mq_unlink mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify "
	 "mq_getsetattr",
	 "the zone's own IPC, within max_shm_memory and the like", .deny_with = SECCOMP_MONITOR},
	{SECCOMP_ROW_ALLOW,
	 "mount umount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr "
	 "mount_setattr",
	 "mounts in the zone's own namespace; what the global zone mounted is locked there", .deny_with = SECCOMP_MONITOR},
	{SECCOMP_ROW_ALLOW, "ptrace process_vm_readv process_vm_writev kcmp",
	 "strace, gdb: of processes of the zone", .deny_with = SECCOMP_MONITOR},
	{SECCOMP_ROW_ALLOW, "reboot", "the kernel ends the zone's pid namespace: it reboots or halts the zone alone",
	 .deny_with = SECCOMP_MONITOR},
	{SECCOMP_ROW_ALLOW, "landlock_create_ruleset landlock_add_rule landlock_restrict_self",
	 "sandboxes of one's own without privileges"},
	{SECCOMP_ROW_ALLOW, "lsm_get_self_attr lsm_list_modules", "which security modules there are"},
	{SECCOMP_ROW_ALLOW, "uretprobe uprobe", "made by the kernel itself in a process that the global zone traces"},
	{SECCOMP_ROW_ALLOW, "fanotify_init fanotify_mark", "the kernel grants a zone the unprivileged part only",
	 .deny_with = SECCOMP_MONITOR},
	{SECCOMP_ROW_ALLOW, "riscv_flush_icache arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush "
			    "set_tls",
	 "needed by every program on those machines"},

	{SECCOMP_ROW_ARGS, "clone unshare setns socket socketpair socketcall setsockopt fcntl fcntl64 "
	 "ioctl personality", "by argument: see below"},

	{SECCOMP_ROW_ENOSYS, "clone3", "its flags are in memory, out of a filter's sight: libc goes back to clone"},
	{SECCOMP_ROW_ENOSYS, "add_key keyctl request_key",
	 "keys are not all separate per user namespace: programs take it for a kernel without keyrings"},
	{SECCOMP_ROW_ENOSYS, "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64",
	 "asynchronous I/O: requests that wait are the host's memory, charged to nobody, and their number is one for all: databases "
	 "do without", SECCOMP_AIO},
	{SECCOMP_ROW_ENOSYS, "nfsservctl uselib sysfs _sysctl get_kernel_syms query_module create_module bdflush idle ftime "
			     "afs_syscall break getpmsg putpmsg gtty stty lock mpx prof profil security tuxcall ulimit "
			     "vserver",
	 "gone from the kernel, or long dead"},
	{SECCOMP_ROW_EPERM, "io_uring_setup io_uring_enter io_uring_register",
	 "a second way to most system calls, which a filter does not see, and a large surface", SECCOMP_IO_URING},
	{SECCOMP_ROW_EPERM, "userfaultfd", "holds the kernel in the middle of a copy: makes races in it easy to win"},
	{SECCOMP_ROW_EPERM, "perf_event_open bpf", "they see, or run in, the host's kernel"},
	{SECCOMP_ROW_EPERM, "kexec_load kexec_file_load init_module finit_module delete_module", "the kernel is the host's"},
	{SECCOMP_ROW_EPERM, "open_by_handle_at", "opens files by number, around every path a zone is confined to"},
	{SECCOMP_ROW_EPERM, "swapon swapoff acct quotactl quotactl_fd lookup_dcookie vhangup "
			    "lsm_set_self_attr", "one for the host"},
	{SECCOMP_ROW_EPERM, "settimeofday stime clock_settime clock_settime64", "the clock is one for the host"},
	{SECCOMP_ROW_EPERM, "iopl ioperm vm86 vm86old pciconfig_read pciconfig_write pciconfig_iobase",
	 "ports and modes of the processor"},
	{SECCOMP_ROW_EPERM, "syslog", "the kernel's log is the host's"},
};

const struct seccomp_row *seccomp_rows(size_t *n)
{
	*n = ARRAY_LEN(rows);
	return rows;
}

/* ---- by argument ---- */

#ifndef CLONE_NEWUSER
#define CLONE_NEWUSER 0x10000000
#endif

static const struct seccomp_arg_test no_userns[] = {
	{SECCOMP_SET_DENY, CLONE_NEWUSER, "CLONE_NEWUSER"},
};
static const struct seccomp_arg_test threads[] = {
	{SECCOMP_SET_DENY, CLONE_NEWUSER, "CLONE_NEWUSER"},
	{SECCOMP_UNSET_DENY, CLONE_THREAD, "CLONE_THREAD"},
};
static const struct seccomp_arg_test none[] = {
	{SECCOMP_ELSE_DENY, 0, "all"},
};
static const struct seccomp_arg_test families[] = {
	{SECCOMP_EQ_OK, AF_UNIX, "AF_UNIX"},       {SECCOMP_EQ_OK, AF_INET, "AF_INET"},
	{SECCOMP_EQ_OK, AF_INET6, "AF_INET6"},     {SECCOMP_EQ_OK, AF_NETLINK, "AF_NETLINK"},
	{SECCOMP_EQ_OK, AF_PACKET, "AF_PACKET"},   {SECCOMP_ELSE_DENY, 0, "every other family"},
};
static const struct seccomp_arg_test socketcall[] = {
	{SECCOMP_EQ_DENY, 1, "SYS_SOCKET"},
	{SECCOMP_EQ_DENY, 8, "SYS_SOCKETPAIR"},
	{SECCOMP_EQ_DENY, 14, "SYS_SETSOCKOPT"},
};
/* By the option's level, not by the family: socket(AF_INET, SOCK_PACKET) is a packet socket too. */
static const struct seccomp_arg_test sockopts[] = {
	{SECCOMP_EQ_DENY, SOL_PACKET, "SOL_PACKET"},
};
#ifndef F_SETDELEG /* Linux 6.19 */
#define F_GETDELEG 1039
#define F_SETDELEG 1040
#endif
/* The files of a sparse zone's /usr are the host's own inodes, and idmapped: to the kernel the zone's root is their owner. */
static const struct seccomp_arg_test leases[] = {
	{SECCOMP_EQ_DENY, F_SETLEASE, "F_SETLEASE"},
	{SECCOMP_EQ_DENY, F_SETDELEG, "F_SETDELEG"},
	{SECCOMP_EQ_DENY, F_GETDELEG, "F_GETDELEG"},
};
/*
 * Of btrfs's ioctls only those that work on a file, or tell about one's own filesystem. The rest answers ENOTTY, not
 * EPERM: so a filesystem without subvolumes answers, and systemd-tmpfiles and others then make a directory instead. By the
 * whole command: START_SYNC and SUBVOL_CREATE_V2 have the same number and differ in the direction alone.
 */
static const struct seccomp_arg_test ioctls[] = {
	{SECCOMP_EQ_DENY, 0x5412, "TIOCSTI"},
	{SECCOMP_EQ_DENY, 0x541c, "TIOCLINUX"},
	{SECCOMP_TYPE, BTRFS_IOCTL_MAGIC, "btrfs (type 0x94)"},
	{SECCOMP_CMD, BTRFS_IOC_DEFRAG, "BTRFS_IOC_DEFRAG"},
	{SECCOMP_CMD, BTRFS_IOC_SYNC, "BTRFS_IOC_SYNC"},
	{SECCOMP_CMD, FICLONE, "FICLONE"},
	{SECCOMP_CMD, FICLONERANGE, "FICLONERANGE"},
	{SECCOMP_CMD, BTRFS_IOC_DEFRAG_RANGE, "BTRFS_IOC_DEFRAG_RANGE"},
	{SECCOMP_CMD, BTRFS_IOC_INO_LOOKUP, "BTRFS_IOC_INO_LOOKUP"},
	{SECCOMP_CMD, BTRFS_IOC_SPACE_INFO, "BTRFS_IOC_SPACE_INFO"},
	{SECCOMP_CMD, BTRFS_IOC_WAIT_SYNC, "BTRFS_IOC_WAIT_SYNC"},
	{SECCOMP_CMD, BTRFS_IOC_START_SYNC, "BTRFS_IOC_START_SYNC"},
	{SECCOMP_CMD, BTRFS_IOC_FS_INFO, "BTRFS_IOC_FS_INFO"},
	{SECCOMP_CMD, FS_IOC_GETFSLABEL, "FS_IOC_GETFSLABEL"},
	{SECCOMP_CMD, FIDEDUPERANGE, "FIDEDUPERANGE"},
	{SECCOMP_CMD, BTRFS_IOC_GET_FEATURES, "BTRFS_IOC_GET_FEATURES"},
	{SECCOMP_CMD, BTRFS_IOC_GET_SUPPORTED_FEATURES, "BTRFS_IOC_GET_SUPPORTED_FEATURES"},
	{SECCOMP_CMD, BTRFS_IOC_GET_SUBVOL_INFO, "BTRFS_IOC_GET_SUBVOL_INFO"},
};
static const struct seccomp_arg_test personalities[] = {
	{SECCOMP_EQ_OK, 0xffffffff, "the query"},
	{SECCOMP_SET_DENY, ~(uint32_t)(PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT),
	 "all but PER_LINUX, PER_LINUX32, UNAME26, ADDR_NO_RANDOMIZE and ADDR_COMPAT_LAYOUT"},
};

#define TESTS(t) (t), ARRAY_LEN(t)
static const struct seccomp_arg args[] = {
	{"ioctl", 1, EPERM, ENOTTY, TESTS(ioctls), "typing into a terminal from outside; subvolumes, quotas and send of the pool"},
	{"clone", 0, EPERM, 0, TESTS(threads), "a monitor has threads, and no other process", .only_with = SECCOMP_MONITOR},
	{"unshare", 0, EPERM, 0, TESTS(none), "nor another namespace", .only_with = SECCOMP_MONITOR},
	{"setns", 0, EPERM, 0, TESTS(none), "the same", .only_with = SECCOMP_MONITOR},
	{"socket", 0, EACCES, 0, TESTS(none), "nor a socket but those that it was given", .only_with = SECCOMP_MONITOR},
	{"socketcall", 0, EACCES, 0, TESTS(none), "the same", .only_with = SECCOMP_MONITOR},
	{"clone", 0, EPERM, 0, TESTS(no_userns), "a nested user namespace opens most of the kernel's known holes"},
	{"unshare", 0, EPERM, 0, TESTS(no_userns), "the same"},
	{"setns", 1, EPERM, 0, TESTS(no_userns), "the same"},
	{"socket", 0, EAFNOSUPPORT, 0, TESTS(families), "the other families reach the host (vsock, alg, xdp) or are rarely used code"},
	{"socketpair", 0, EAFNOSUPPORT, 0, TESTS(families), "the same"},
	{"socketcall", 0, EAFNOSUPPORT, 0, TESTS(socketcall),
	 "32-bit programs: the arguments are in memory, out of a filter's sight, so they use socket(2) and setsockopt(2) only",
	 SECCOMP_SOCKETCALL},
	{"fcntl", 1, EINVAL, 0, TESTS(leases),
	 "leases: on a program of the shared /usr one makes the host and every zone wait 45 seconds to start it"},
	{"fcntl64", 1, EINVAL, 0, TESTS(leases), "the same"},
	{"setsockopt", 1, ENOPROTOOPT, 0, TESTS(sockopts),
	 "rings of packet sockets (PACKET_RX_RING): gigabytes of the host's memory in one call, charged to nobody"},
	{"personality", 0, EPERM, 0, TESTS(personalities), "executable data, a mapped page zero, and other systems' ways"},
};

const struct seccomp_arg *seccomp_args(size_t *n)
{
	*n = ARRAY_LEN(args);
	return args;
}
