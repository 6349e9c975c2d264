/* SPDX-License-Identifier: MPL-2.0 */
/* A record, its brand and its image become the spec of a zone: the one place where properties turn into kernel objects. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/caps.h"
#include "kern/overlay.h"
#include "kern/seccomp.h"
#include "kern/slice.h"
#include "model/vm.h"
#include "node/machine.h"
#include "node/netconf.h"
#include "node/scripts.h"
#include "node/settings.h"
#include "node/snapshot.h"
#include "node/spec_in.h"

#define MIB        1048576ULL
#define LOG_MAX    (1 * MIB)
#define ZONE_PTYS  256
#define ZONE_FILES 65536

void spec_word(char ***list, unsigned *n, char *s)
{
	*list = xrealloc(*list, (*n + 2) * sizeof **list);
	(*list)[(*n)++] = s;
	(*list)[*n] = NULL;
}

static void put_sysctl(struct zspec *z, const char *name, char *value)
{
	z->sysctls = xrealloc(z->sysctls, (z->nsysctls + 1) * sizeof *z->sysctls);
	z->sysctls[z->nsysctls++] = (struct zsysctl){xstrdup(name), value};
}

void spec_file(struct zspec *z, const char *path, unsigned mode, char *text)
{
	z->files = xrealloc(z->files, (z->nfiles + 1) * sizeof *z->files);
	z->files[z->nfiles++] = (struct zfile){xstrdup(path), mode, text};
}

/* A number that no zone of this boot has had: a counter in /run, as on SmartOS it starts again with the machine. */
static int next_zoneid(const struct ctx *c, uint64_t *id, struct err *e)
{
	_free_ char *path = xprintf("%s/zoneid", c->node.run);
	_fd_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char text[24] = "";
	ssize_t n;

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	if (flock(fd, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", path);
	n = pread(fd, text, sizeof text - 1, 0);
	if (n < 0)
		return err_sys(e, errno, "read %s", path);
	*id = strtoull(text, NULL, 10) + 1;
	n = snprintf(text, sizeof text, "%llu\n", (unsigned long long)*id);
	if (pwrite(fd, text, (size_t)n, 0) != n)
		return err_sys(e, errno ? errno : EIO, "write %s", path);
	return 0;
}

/*
 * How many namespaces a zone may have. A network namespace costs the host some 250 KiB that no cgroup is charged for, and
 * one of IPC comes with limits as the kernel makes them instead of the zone's: that one is the zone's own alone.
 */
static const struct {
	const char *name;
	unsigned max;
} namespaces[] = {
	{"user/max_user_namespaces", 0},   {"user/max_ipc_namespaces", 1},  {"user/max_net_namespaces", 32},
	{"user/max_mnt_namespaces", 1024}, {"user/max_pid_namespaces", 256}, {"user/max_uts_namespaces", 256},
	{"user/max_cgroup_namespaces", 256}, {"user/max_time_namespaces", 256},
};

static void kernel_limits(const struct vm *v, struct zspec *z)
{
	uint64_t shm = (uint64_t)vm_int(v->rec, "max_shm_memory", vm_int(v->rec, "max_physical_memory", 256)) * MIB;

	put_sysctl(z, "kernel/shmmax", xprintf("%llu", (unsigned long long)shm));
	put_sysctl(z, "kernel/shmall", xprintf("%llu", (unsigned long long)(shm / 4096)));
	put_sysctl(z, "kernel/shmmni", xprintf("%lld", (long long)vm_int(v->rec, "max_shm_ids", 4096)));
	put_sysctl(z, "kernel/msgmni", xprintf("%lld", (long long)vm_int(v->rec, "max_msg_ids", 4096)));
	/* semmsl, semmns, semopm as the kernel has them; semmni is the property */
	put_sysctl(z, "kernel/sem", xprintf("32000 1024000000 500 %lld", (long long)vm_int(v->rec, "max_sem_ids", 4096)));
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
		put_sysctl(z, namespaces[i].name, xprintf("%u", namespaces[i].max));
	/* 0 would be "as the host has it" to the spec; less than a page is what the property's 0 means */
	z->memlock = (uint64_t)vm_int(v->rec, "max_locked_memory", 0) * MIB ?: 1;
	z->slice = slice_of_shares((uint64_t)vm_int(v->rec, "cpu_shares", 100));
	z->nofile = ZONE_FILES;
	z->ptys = ZONE_PTYS;
}

static int privileges(struct vm *v, struct zspec *z, struct err *e)
{
	/* stored as SmartOS shows it: "default,!proc_info" */
	_free_ char *list = xstrdup(vm_str(v->rec, "limit_priv") ?: "default");
	const char *word[64];
	char path[128], *save = NULL;
	uint64_t words = 0;
	size_t n = 0;
	int r;

	for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (n == ARRAY_LEN(word))
			return err_set(e, E2BIG, "limit_priv: more than %zu words", ARRAY_LEN(word));
		word[n++] = w;
	}
	/* a machine monitor has none, whatever SmartOS's words for it are */
	if (brand_hvm(v->brand)) {
		words = SECCOMP_MONITOR;
		r = 0;
	} else {
		r = caps_from_limit_priv(word, n, &z->caps, &words, e);
	}
	if (r < 0)
		return err_add(e, "limit_priv");
	r = seccomp_cached(v->c, words, path, e);
	if (r < 0)
		return err_add(e, "system call filter");
	z->seccomp = xstrdup(path);
	return 0;
}

static void cgroups(struct vm *v, struct zspec *z)
{
	char join[CG_JOIN_MAX][256];
	unsigned k = 0, s = 0;
	int n = cg_join_paths(&v->cg, CG_PLACE_ZONE, v->uuid, join);
	size_t v2 = strlen(v->cg.v2);

	z->cg_v2_zone = xprintf("%s/%s/%s/%s", v->cg.v2, v->cg.root, v->uuid, cg_zone_below(&v->cg));
	for (int i = 0; i < n; i++)
		if (strncmp(join[i], v->cg.v2, v2) || join[i][v2] != '/')
			spec_word(&z->join, &k, xstrdup(join[i]));
	n = cg_join_paths(&v->cg, CG_PLACE_SUP, v->uuid, join);
	for (int i = 0; i < n; i++)
		spec_word(&z->sup_join, &s, xstrdup(join[i]));
}

static void root_dataset(struct vm *v, struct zspec *z)
{
	unsigned n = 0;

	z->shared = !str_eq(vm_str(v->rec, "image_sharing"), "private");
	if (!z->shared) {
		z->root_path = vm_path(v, "root/root");
		return;
	}
	spec_word(&z->lower, &n, xprintf("%s/%s/root", v->c->node.pool, v->image.dataset));
	z->upper = vm_path(v, "root/upper");
	z->work = vm_path(v, "root/work");
}

bool vm_restart_init(const json_t *rec)
{
	return vm_bool(rec, "restart_init", !vm_bool(rec, "docker", false));
}

/* Name of the unit for a mount point, as systemd.unit(5) has it. */
static void systemd_unit(struct buf *b, const char *target)
{
	for (const char *p = target + 1; *p; p++) {
		if (*p == '/')
			buf_puts(b, "-");
		else if (strchr(":_.", *p) ? p > target + 1 || *p != '.' : isalnum((unsigned char)*p))
			buf_printf(b, "%c", *p);
		else
			buf_printf(b, "\\x%02x", (unsigned char)*p);
	}
	buf_puts(b, ".mount");
}

/* What is mounted for a zone is locked in it: systemd must not try to unmount it at the end, and fail on the console. */
static void systemd_mount(struct zspec *z, const char *target)
{
	_buf_ struct buf b = BUF_INIT;

	buf_puts(&b, "/run/systemd/system/");
	systemd_unit(&b, target);
	buf_puts(&b, ".d/zone.conf");
	spec_file(z, buf_str(&b), 0644, xstrdup("[Unit]\nDefaultDependencies=no\n"));
}

/*
 * A mount that services ask for (PrivateTmp=: /tmp and /var/tmp) may be looked for before systemd has read that far in
 * mountinfo; without a file it is then "not found", and when it turns up its drop-ins are not looked for again.
 */
static void systemd_mount_known(struct zspec *z, const char *target)
{
	_buf_ struct buf b = BUF_INIT;

	buf_puts(&b, "/run/systemd/system/");
	systemd_unit(&b, target);
	spec_file(z, buf_str(&b), 0644, xprintf("[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=zone\nWhere=%s\n", target));
}

static void systemd_mounts(struct zspec *z)
{
	for (unsigned i = 0; i < z->nmounts; i++)
		if (!(z->mounts[i].flags & ZM_LIVE) && !str_starts(z->mounts[i].target, "/run") &&
		    !str_starts(z->mounts[i].target, "/dev"))
			systemd_mount(z, z->mounts[i].target);
	for (const char *const *n = overlay_natives; *n; n++) {
		_free_ char *target = xprintf("/%s", *n);

		if (z->shared && !zspec_covers(z, *n))
			systemd_mount(z, target);
		if (z->shared || zspec_covers(z, *n))
			systemd_mount_known(z, target);
	}
	systemd_mount(z, "/.zonecontrol");
	systemd_mount(z, "/.zonecontrol/native");
	systemd_mount(z, "/.zonecontrol/numbers");
	if (str_eq(z->brand, "lx")) {
		systemd_mount(z, "/native");
		systemd_mount(z, "/native/.zonecontrol");
	}
}

int vm_spec(struct vm *v, struct zspec *z, struct err *e)
{
	const char *hostname = vm_str(v->rec, "hostname");
	char *resolv;
	struct cg_dev *cg = NULL;
	size_t ncg;
	int r;

	memset(z, 0, sizeof *z);
	z->uuid = xstrdup(v->uuid);
	z->zonename = xstrdup(vm_str(v->rec, "zonename") ?: v->uuid);
	z->hostname = xstrdup(hostname ?: vm_str(v->rec, "alias") ?: v->uuid);
	z->domain = xstrdup(vm_str(v->rec, "dns_domain") ?: "local");
	z->brand = xstrdup(v->brand->name);
	z->id_base = v->id_base;
	z->run_dir = xprintf("%s/%s", v->c->node.run, v->uuid);
	z->log_dir = xprintf("%s/vms/%s", v->c->node.log, v->uuid);
	z->log_max = (uint64_t)vm_int(v->rec, "zlog_max_size", 0) ?: LOG_MAX;
	z->bootid = xstrdup(v->c->bootid);
	z->cloister = xstrdup(v->c->self);
	z->node = xstrdup(v->c->node.name);
	z->docker = vm_bool(v->rec, "docker", false);
	z->restart_init = vm_restart_init(v->rec);
	z->nics = json_array_size(json_object_get(v->rec, "nics")) > 0;
	r = next_zoneid(v->c, &z->zoneid, e);
	if (r == 0)
		r = vm_need_image(v, e);
	if (r < 0)
		return r;
	if (!brand_hvm(v->brand))
		root_dataset(v, z);
	kernel_limits(v, z);
	r = spec_mounts(v, z, e);
	if (r == 0)
		r = snapshot_mounts(v, z, e);
	if (r == 0)
		r = vm_devices(v->rec, &cg, &ncg, &z->devs, &z->ndevs, e);
	free(cg);
	if (r == 0)
		r = brand_hvm(v->brand) ? machine_spec(v, z, e) : spec_init(v, z, e);
	if (r == 0)
		r = privileges(v, z, e);
	if (r < 0)
		return r;
	if (vm_init_kind(v) == INIT_SYSTEMD && !z->docker)
		z->systemd = xstrdup("1");
	if (z->systemd)
		systemd_mounts(z);
	/* a distribution's init is up when it says so; it is asked while the VM is being provisioned, no longer */
	if (z->systemd && v->brand->init == BRAND_INIT_ROOT && str_eq(v->vmstate, "provisioning")) {
		unsigned n = 0;

		for (; z->env && z->env[n]; n++)
			;
		z->notify = true;
		spec_env(z, &n, "NOTIFY_SOCKET", "/.zonecontrol/notify");
	}
	cgroups(v, z);
	r = settings_of(v, v->rec, &z->settings, e);
	if (r < 0 || brand_hvm(v->brand))
		return r;
	r = scripts_spec(v, z, vm_init_kind(v), e);
	if (r < 0)
		return r;
	spec_file(z, "/etc/hostname", 0644, xprintf("%s\n", z->hostname));
	resolv = resolvers_at_boot(v);
	if (resolv)
		spec_file(z, "/etc/resolv.conf", 0644, resolv);
	return 0;
}
