/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Capabilities of a zone. Its root has them within the zone's own user namespace only, so most of what is left out
 * here could do nothing to the host anyway; it is left out so that programs see at once that they can't (systemd skips
 * what it has no capability for), and so that a hole in one place is not a hole in two.
 */
#include "kern/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/seccomp.h"

#define BIT(c) (1ULL << (c))

/* Every capability has its row: in the default set or not, grantable or not, and why. */
enum { NO, OPTIONAL, DEFAULT };
static const struct {
	const char *name;
	int how;
	const char *reason; /* why it is not there, or can't be */
} caps[] = {
	[CAP_CHOWN] = {"chown", DEFAULT},
	[CAP_DAC_OVERRIDE] = {"dac_override", DEFAULT},
	[CAP_DAC_READ_SEARCH] = {"dac_read_search", DEFAULT},
	[CAP_FOWNER] = {"fowner", DEFAULT},
	[CAP_FSETID] = {"fsetid", DEFAULT},
	[CAP_KILL] = {"kill", DEFAULT},
	[CAP_SETGID] = {"setgid", DEFAULT},
	[CAP_SETUID] = {"setuid", DEFAULT},
	[CAP_SETPCAP] = {"setpcap", DEFAULT},
	[CAP_LINUX_IMMUTABLE] = {"linux_immutable", NO, "the kernel asks for it in the global zone's user namespace"},
	[CAP_NET_BIND_SERVICE] = {"net_bind_service", DEFAULT},
	[CAP_NET_BROADCAST] = {"net_broadcast", DEFAULT},
	/* neighbours, policies, classes, links' tables: what it makes in the kernel is charged to nobody and has no end */
	[CAP_NET_ADMIN] = {"net_admin", OPTIONAL, NULL},
	[CAP_NET_RAW] = {"net_raw", DEFAULT},
	[CAP_IPC_LOCK] = {"ipc_lock", DEFAULT},
	[CAP_IPC_OWNER] = {"ipc_owner", DEFAULT},
	[CAP_SYS_MODULE] = {"sys_module", NO, "kernel modules are the host's"},
	[CAP_SYS_RAWIO] = {"sys_rawio", NO, "ports and raw memory are the host's"},
	[CAP_SYS_CHROOT] = {"sys_chroot", DEFAULT},
	[CAP_SYS_PTRACE] = {"sys_ptrace", DEFAULT},
	[CAP_SYS_PACCT] = {"sys_pacct", NO, "process accounting is one for the host"},
	[CAP_SYS_ADMIN] = {"sys_admin", DEFAULT},
	[CAP_SYS_BOOT] = {"sys_boot", DEFAULT}, /* reboots its own pid namespace: the zone */
	[CAP_SYS_NICE] = {"sys_nice", DEFAULT},
	/* with it the zone's root could raise the limits in /proc/sys/user that are set for the zone; hard rlimits it could not */
	[CAP_SYS_RESOURCE] = {"sys_resource", NO, "limits of the zone are set from the global zone"},
	[CAP_SYS_TIME] = {"sys_time", NO, "the clock is one for the host"},
	[CAP_SYS_TTY_CONFIG] = {"sys_tty_config", NO, "the kernel asks for it in the global zone's user namespace"},
	[CAP_MKNOD] = {"mknod", NO, "device nodes are named one by one in the VM's devices"},
	[CAP_LEASE] = {"lease", DEFAULT},
	[CAP_AUDIT_WRITE] = {"audit_write", DEFAULT},
	[CAP_AUDIT_CONTROL] = {"audit_control", NO, "the audit system is one for the host"},
	[CAP_SETFCAP] = {"setfcap", DEFAULT},
	[CAP_MAC_OVERRIDE] = {"mac_override", NO, "security modules are the host's"},
	[CAP_MAC_ADMIN] = {"mac_admin", NO, "security modules are the host's"},
	[CAP_SYSLOG] = {"syslog", NO, "the kernel log is the host's"},
	[CAP_WAKE_ALARM] = {"wake_alarm", NO, "the kernel asks for it in the global zone's user namespace"},
	[CAP_BLOCK_SUSPEND] = {"block_suspend", NO, "the kernel asks for it in the global zone's user namespace"},
	[CAP_AUDIT_READ] = {"audit_read", NO, "the audit system is one for the host"},
	[CAP_PERFMON] = {"perfmon", NO, "performance events see the whole host"},
	[CAP_BPF] = {"bpf", NO, "eBPF programs run in the host's kernel"},
	/* would let root change its ns_last_pid and reads others' maps: nothing needs it by default */
	[CAP_CHECKPOINT_RESTORE] = {"checkpoint_restore", OPTIONAL, NULL},
};

uint64_t caps_default(void)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < ARRAY_LEN(caps); i++)
		if (caps[i].how == DEFAULT)
			set |= BIT(i);
	return set;
}

/*
 * SmartOS's words (privileges(5) there). caps: what it is on Linux. A word that is in the default set may be added
 * again; taking it away must mean something, or it is refused by name.
 */
enum { W_DEFAULT, W_OPTIONAL, W_REQUIRED, W_NEVER, W_FIXED /* always there on Linux: can be named, not taken away */ };
static const struct word {
	const char *name;
	int how;
	uint64_t caps;
	uint64_t widen, narrow; /* seccomp words when added, when taken away */
	const char *reason;     /* W_NEVER, W_FIXED; ours: what it gives */
} words[] = {
	{"contract_event", W_FIXED, .reason = "contracts do not exist on Linux"},
	{"contract_identity", W_FIXED, .reason = "contracts do not exist on Linux"},
	{"contract_observer", W_FIXED, .reason = "contracts do not exist on Linux"},
	{"cpc_cpu", W_NEVER, .reason = "performance counters see the whole host"},
	{"dtrace_kernel", W_NEVER, .reason = "the kernel is traced from the global zone only"},
	{"dtrace_proc", W_DEFAULT, BIT(CAP_SYS_PTRACE)},
	{"dtrace_user", W_DEFAULT, BIT(CAP_SYS_PTRACE)},
	{"file_chown", W_DEFAULT, BIT(CAP_CHOWN)},
	{"file_chown_self", W_NEVER, .reason = "Linux has no privilege to give one's own files away"},
	{"file_dac_execute", W_DEFAULT, BIT(CAP_DAC_OVERRIDE)},
	{"file_dac_read", W_DEFAULT, BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_DAC_OVERRIDE)},
	{"file_dac_search", W_DEFAULT, BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_DAC_OVERRIDE)},
	{"file_dac_write", W_DEFAULT, BIT(CAP_DAC_OVERRIDE)},
	{"file_downgrade_sl", W_NEVER, .reason = "labels do not exist on Linux"},
	{"file_flag_set", W_NEVER, .reason = "the kernel asks for it in the global zone's user namespace"},
	{"file_link_any", W_FIXED, .reason = "Linux has no such privilege (see fs.protected_hardlinks)"},
	{"file_owner", W_DEFAULT, BIT(CAP_FOWNER)},
	{"file_read", W_FIXED, .reason = "every process on Linux has it"},
	{"file_setid", W_DEFAULT, BIT(CAP_FSETID)},
	{"file_upgrade_sl", W_NEVER, .reason = "labels do not exist on Linux"},
	{"file_write", W_FIXED, .reason = "every process on Linux has it"},
	{"graphics_access", W_NEVER, .reason = "give the zone the device instead"},
	{"graphics_map", W_NEVER, .reason = "give the zone the device instead"},
	{"ipc_dac_read", W_DEFAULT, BIT(CAP_IPC_OWNER)},
	{"ipc_dac_write", W_DEFAULT, BIT(CAP_IPC_OWNER)},
	{"ipc_owner", W_DEFAULT, BIT(CAP_IPC_OWNER)},
	{"net_access", W_FIXED, .reason = "every process on Linux has it; a zone without NICs reaches nothing"},
	{"net_bindmlp", W_NEVER, .reason = "labels do not exist on Linux"},
	{"net_icmpaccess", W_DEFAULT, BIT(CAP_NET_RAW)},
	{"net_mac_aware", W_NEVER, .reason = "labels do not exist on Linux"},
	{"net_mac_implicit", W_NEVER, .reason = "labels do not exist on Linux"},
	{"net_observability", W_DEFAULT, BIT(CAP_NET_RAW)},
	{"net_privaddr", W_DEFAULT, BIT(CAP_NET_BIND_SERVICE)},
	{"net_rawaccess", W_DEFAULT, BIT(CAP_NET_RAW)},
	{"proc_audit", W_DEFAULT, BIT(CAP_AUDIT_WRITE)},
	{"proc_chroot", W_DEFAULT, BIT(CAP_SYS_CHROOT)},
	{"proc_clock_highres", W_FIXED, .reason = "every process on Linux has high-resolution timers"},
	{"proc_exec", W_REQUIRED},
	{"proc_fork", W_REQUIRED},
	{"proc_info", W_FIXED, .reason = "what others may see of a process is said by how /proc is mounted"},
	{"proc_lock_memory", W_DEFAULT, BIT(CAP_IPC_LOCK), .narrow = SECCOMP_NO_LOCK_MEMORY},
	{"proc_owner", W_DEFAULT, BIT(CAP_KILL) | BIT(CAP_SYS_PTRACE)},
	{"proc_priocntl", W_NEVER, .reason = "real-time classes and negative nice values are the global zone's to give"},
	{"proc_prioup", W_NEVER, .reason = "real-time classes and negative nice values are the global zone's to give"},
	{"proc_session", W_FIXED, .reason = "every process on Linux has it"},
	{"proc_setid", W_DEFAULT, BIT(CAP_SETUID) | BIT(CAP_SETGID)},
	{"proc_taskid", W_FIXED, .reason = "tasks and projects do not exist on Linux"},
	{"proc_zone", W_NEVER, .reason = "a zone does not see others"},
	{"sys_acct", W_NEVER, .reason = "process accounting is one for the host"},
	{"sys_admin", W_REQUIRED, BIT(CAP_SYS_ADMIN)},
	{"sys_audit", W_NEVER, .reason = "the audit system is one for the host"},
	{"sys_config", W_NEVER, .reason = "the host is configured from the global zone"},
	{"sys_devices", W_NEVER, .reason = "device nodes are named one by one in the VM's devices"},
	{"sys_dl_config", W_NEVER, .reason = "links are made in the global zone"},
	{"sys_flow_config", W_NEVER, .reason = "flows are made in the global zone"},
	{"sys_ip_config", W_OPTIONAL, BIT(CAP_NET_ADMIN)},
	{"sys_ipc_config", W_NEVER, .reason = "the sizes of message queues are set from the global zone"},
	{"sys_iptun_config", W_OPTIONAL, BIT(CAP_NET_ADMIN)},
	{"sys_linkdir", W_NEVER, .reason = "Linux has no links to directories"},
	{"sys_mount", W_REQUIRED, BIT(CAP_SYS_ADMIN)},
	{"sys_net_config", W_NEVER, .reason = "the host's network is configured from the global zone"},
	{"sys_nfs", W_NEVER, .reason = "the kernel's NFS server is the host's"},
	{"sys_ppp_config", W_OPTIONAL, BIT(CAP_NET_ADMIN)},
	{"sys_res_bind", W_DEFAULT, BIT(CAP_SYS_NICE)},
	{"sys_res_config", W_NEVER, .reason = "processor sets are made in the global zone"},
	{"sys_resource", W_NEVER, .reason = "limits of the zone are set from the global zone"},
	{"sys_share", W_NEVER, .reason = "the kernel's file servers are the host's"},
	{"sys_smb", W_NEVER, .reason = "the kernel's file servers are the host's"},
	{"sys_suser_compat", W_NEVER, .reason = "Linux has no such privilege"},
	{"sys_time", W_NEVER, .reason = "the clock is one for the host"},
	{"sys_trans_label", W_NEVER, .reason = "labels do not exist on Linux"},
	{"virt_manage", W_NEVER, .reason = "hardware VMs are managed from the global zone"},
	/* ours */
	{"aio", W_OPTIONAL, 0, SECCOMP_AIO, 0, "io_submit(2) and its like: memory of the host that is charged to nobody"},
	{"io_uring", W_OPTIONAL, 0, SECCOMP_IO_URING, 0, "io_uring_setup(2) and its like: a second way to most system calls, which the filter does not see"},
	{"i386_socketcall", W_OPTIONAL, 0, SECCOMP_SOCKETCALL, 0, "old 32-bit programs make sockets by socketcall(2), of any family: the filter does not see which"},
};

bool caps_word(size_t n, struct caps_word *out)
{
	static const enum caps_how cap_how[] = {[NO] = CAPS_NEVER, [OPTIONAL] = CAPS_OPTIONAL, [DEFAULT] = CAPS_DEFAULT};
	static const enum caps_how word_how[] = {[W_DEFAULT] = CAPS_DEFAULT, [W_OPTIONAL] = CAPS_OPTIONAL,
		[W_REQUIRED] = CAPS_REQUIRED, [W_NEVER] = CAPS_NEVER, [W_FIXED] = CAPS_FIXED};

	if (n < ARRAY_LEN(words)) {
		*out = (struct caps_word){words[n].name, word_how[words[n].how], false, words[n].caps, words[n].reason};
		return true;
	}
	n -= ARRAY_LEN(words);
	if (n >= ARRAY_LEN(caps))
		return false;
	*out = (struct caps_word){caps[n].name, cap_how[caps[n].how], true, BIT(n), caps[n].reason};
	return true;
}

const char *caps_name(unsigned cap)
{
	return cap < ARRAY_LEN(caps) ? caps[cap].name : NULL;
}

static int apply_cap(const char *w, bool remove, unsigned n, uint64_t *set, struct err *e)
{
	if (remove)
		*set &= ~BIT(n);
	else if (caps[n].how == NO)
		return err_set(e, ENOTSUP, "limit_priv: \"%s\" can't be given to a zone: %s", w, caps[n].reason);
	else
		*set |= BIT(n);
	return 0;
}

static int apply_word(const struct word *w, bool remove, uint64_t *set, uint64_t *sec, struct err *e)
{
	if (!remove) {
		if (w->how == W_NEVER)
			return err_set(e, ENOTSUP, "limit_priv: \"%s\" can't be given to a zone: %s", w->name, w->reason);
		*set |= w->caps;
		*sec = (*sec | w->widen) & ~w->narrow;
		return 0;
	}
	if (w->how == W_REQUIRED)
		return err_set(e, EINVAL, "limit_priv: \"%s\" can't be taken away: a zone needs it to boot", w->name);
	if (w->how == W_FIXED)
		return err_set(e, ENOTSUP, "limit_priv: \"%s\" can't be taken away: %s", w->name, w->reason);
	*set &= ~w->caps;
	*sec = (*sec & ~w->widen) | w->narrow;
	return 0;
}

static int apply(const char *word, uint64_t *set, uint64_t *sec, struct err *e)
{
	bool remove = word[0] == '!' || word[0] == '-';
	const char *w = remove ? word + 1 : word;

	if (!strcmp(w, "default") || !strcmp(w, "basic") || !strcmp(w, "zone")) {
		if (remove)
			return err_set(e, EINVAL, "limit_priv: \"%s\": a whole set can't be taken away", word);
		*set |= caps_default(); /* "basic" alone would not boot: every set starts from the default one */
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i].name, w))
			return apply_word(&words[i], remove, set, sec, e);
	if (!strncmp(w, "cap_", 4) || !strncmp(w, "CAP_", 4))
		w += 4;
	for (unsigned i = 0; i < ARRAY_LEN(caps); i++)
		if (!strcasecmp(caps[i].name, w)) {
			if (remove && (i == CAP_SYS_ADMIN))
				return err_set(e, EINVAL, "limit_priv: \"%s\" can't be taken away: a zone needs it to boot", w);
			return apply_cap(w, remove, i, set, e);
		}
	return err_set(e, EINVAL, "limit_priv: \"%.64s\" is neither a privilege nor a Linux capability", word);
}

/* A word may be a list itself: limit_priv is written "default,dtrace_user" as well as ["default", "dtrace_user"]. */
static int apply_list(const char *list, uint64_t *set, uint64_t *sec, struct err *e)
{
	char w[128];

	for (const char *p = list;;) {
		size_t n = strcspn(p, ",");
		int r = 0;

		if (n >= sizeof w)
			return err_set(e, EINVAL, "limit_priv: \"%.64s…\" is neither a privilege nor a Linux capability", p);
		memcpy(w, p, n);
		w[n] = 0;
		if (*w)
			r = apply(w, set, sec, e);
		if (r < 0 || p[n] == 0)
			return r;
		p += n + 1;
	}
}

int caps_from_limit_priv(const char *const *word, size_t n, uint64_t *bounding, uint64_t *seccomp_words, struct err *e)
{
	uint64_t set = caps_default(), sec = 0;
	int r;

	/*
	 * Words only ever start from the default set: a set spelled out word by word on SmartOS has no equal here, and
	 * a zone with half a set does not boot.
	 */
	for (size_t i = 0; i < n; i++) {
		r = apply_list(word[i], &set, &sec, e);
		if (r < 0)
			return r;
	}
	*bounding = set;
	*seccomp_words = sec;
	return 0;
}

int caps_limit(uint64_t keep, struct err *e)
{
	struct __user_cap_header_struct hd = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	for (int c = 0; c < 64; c++) {
		int has = prctl(PR_CAPBSET_READ, c, 0, 0, 0);

		if (has < 0)
			break; /* past the last one that this kernel knows */
		if (has && !(keep & BIT(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return err_sys(e, errno, "drop capability %d (%s)", c, c < (int)ARRAY_LEN(caps) ? caps[c].name : "new");
		if (!(keep & BIT(c)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) == 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, c, 0, 0) < 0)
			return err_sys(e, errno, "drop ambient capability %d", c);
	}
	if (syscall(SYS_capget, &hd, d) < 0)
		return err_sys(e, errno, "capget");
	for (int i = 0; i < 2; i++) {
		uint32_t k = (uint32_t)(keep >> (32 * i));

		d[i].effective &= k;
		d[i].permitted &= k;
		d[i].inheritable &= k;
	}
	if (syscall(SYS_capset, &hd, d) < 0)
		return err_sys(e, errno, "capset");
	return 0;
}
