/* SPDX-License-Identifier: MPL-2.0 */
/* A record, its brand and its image become the spec of a zone: the one place where properties turn into kernel objects. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/caps.h"
#include "kern/path.h"
#include "kern/seccomp.h"
#include "model/vm.h"
#include "node/snapshot.h"
#include "node/vm.h"

#define MIB        1048576ULL
#define LOG_MAX    (1 * MIB)
#define ZONE_PTYS  256
#define ZONE_FILES 65536

static void put_str(char ***list, unsigned *n, char *s)
{
	*list = xrealloc(*list, (*n + 2) * sizeof **list);
	(*list)[(*n)++] = s;
	(*list)[*n] = NULL;
}

static struct zmount *put_mount(struct zspec *z, enum zmount_kind k, const char *source, const char *target, char *data,
				unsigned flags)
{
	struct zmount *m;

	z->mounts = xrealloc(z->mounts, (z->nmounts + 1) * sizeof *z->mounts);
	m = &z->mounts[z->nmounts++];
	*m = (struct zmount){
		.kind = k,
		.source = xstrdup(source),
		.target = xstrdup(target),
		.fstype = xstrdup(k == ZM_TMPFS ? "tmpfs" : ""),
		.data = data ? data : xstrdup(""),
		.flags = flags,
	};
	return m;
}

static void put_sysctl(struct zspec *z, const char *name, char *value)
{
	z->sysctls = xrealloc(z->sysctls, (z->nsysctls + 1) * sizeof *z->sysctls);
	z->sysctls[z->nsysctls++] = (struct zsysctl){xstrdup(name), value};
}

static void put_file(struct zspec *z, const char *path, unsigned mode, char *text)
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

static void kernel_limits(const struct vm *v, struct zspec *z)
{
	uint64_t shm = (uint64_t)vm_int(v->rec, "max_shm_memory", vm_int(v->rec, "max_physical_memory", 256)) * MIB;

	put_sysctl(z, "kernel/shmmax", xprintf("%llu", (unsigned long long)shm));
	put_sysctl(z, "kernel/shmall", xprintf("%llu", (unsigned long long)(shm / 4096)));
	put_sysctl(z, "kernel/shmmni", xprintf("%lld", (long long)vm_int(v->rec, "max_shm_ids", 4096)));
	put_sysctl(z, "kernel/msgmni", xprintf("%lld", (long long)vm_int(v->rec, "max_msg_ids", 4096)));
	/* semmsl, semmns, semopm as the kernel has them; semmni is the property */
	put_sysctl(z, "kernel/sem", xprintf("32000 1024000000 500 %lld", (long long)vm_int(v->rec, "max_sem_ids", 4096)));
	z->memlock = (uint64_t)vm_int(v->rec, "max_locked_memory", 0) * MIB;
	z->nofile = ZONE_FILES;
	z->ptys = ZONE_PTYS;
}

static char *tmpfs_data(uint64_t mib, const char *mode)
{
	/* an inode costs about a KiB of kernel memory: one for every 4 KiB keeps them within the size too */
	return xprintf("size=%lluM,nr_inodes=%llu,mode=%s", (unsigned long long)mib, (unsigned long long)(mib * 256 + 64), mode);
}

static void standard_mounts(const struct vm *v, struct zspec *z)
{
	uint64_t phys = (uint64_t)vm_int(v->rec, "max_physical_memory", 256);
	uint64_t shm = (uint64_t)vm_int(v->rec, "max_shm_memory", (int64_t)phys);
	uint64_t tmpfs = (uint64_t)vm_int(v->rec, "tmpfs", (int64_t)phys);

	put_mount(z, ZM_TMPFS, "", "/run", tmpfs_data(phys / 4 ? phys / 4 : 1, "0755"), ZM_NODEV | ZM_NOSUID);
	put_mount(z, ZM_TMPFS, "", "/run/lock", tmpfs_data(5, "1777"), ZM_NODEV | ZM_NOSUID | ZM_NOEXEC);
	put_mount(z, ZM_TMPFS, "", "/dev/shm", tmpfs_data(shm ? shm : 1, "1777"), ZM_NODEV | ZM_NOSUID);
	if (tmpfs)
		put_mount(z, ZM_TMPFS, "", "/tmp", tmpfs_data(tmpfs, "1777"), ZM_NODEV | ZM_NOSUID);
}

static void sparse_mounts(const struct vm *v, struct zspec *z)
{
	const struct brand *b = v->brand;

	for (size_t i = 0; i < b->nshare; i++) {
		const struct brand_share *s = &b->share[i];
		unsigned f = ZM_RO | ZM_NODEV | ZM_IDMAP;

		f |= s->suid ? 0 : ZM_NOSUID;
		f |= s->optional ? ZM_OPTIONAL : 0;
		f |= s->file ? ZM_FILE : 0;
		if (s->optional && access(s->path, F_OK) < 0)
			continue;
		put_mount(z, ZM_BIND, s->path, s->path, NULL, f);
	}
	for (const char *const *m = b->mask; m && *m; m++)
		if (access(*m, F_OK) == 0)
			put_mount(z, ZM_TMPFS, "", *m, xstrdup("size=4k,nr_inodes=1,mode=0755"),
				  ZM_RO | ZM_NODEV | ZM_NOSUID | ZM_NOEXEC);
}

static int fs_option(const char *o, struct zmount *m, struct buf *data, struct err *e)
{
	static const struct {
		const char *word;
		unsigned set, clear;
	} words[] = {
		{"ro", ZM_RO, 0},          {"rw", 0, ZM_RO},         {"nodevices", ZM_NODEV, 0}, {"nodev", ZM_NODEV, 0},
		{"nosuid", ZM_NOSUID, 0},  {"nosetuid", ZM_NOSUID, 0}, {"noexec", ZM_NOEXEC, 0},   {"exec", 0, ZM_NOEXEC},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!strcmp(words[i].word, o)) {
			m->flags = (m->flags | words[i].set) & ~words[i].clear;
			return 0;
		}
	}
	if (m->kind == ZM_TMPFS && (str_starts(o, "size=") || str_starts(o, "mode="))) {
		buf_printf(data, "%s%s", data->len ? "," : "", o);
		return 0;
	}
	return err_set(e, EINVAL, "option \"%s\" is not one that a %s mount takes", o, m->fstype[0] ? m->fstype : "lofs");
}

int vm_fs_mount(const json_t *fs, struct zmount *m, struct err *e)
{
	const char *type = vm_str(fs, "type"), *source = vm_str(fs, "source"), *target = vm_str(fs, "target");
	_buf_ struct buf data = BUF_INIT;
	const json_t *o;
	size_t i;
	int r;

	/* a device node or a setuid file that the host has there is none of the zone's business unless asked for */
	*m = (struct zmount){.flags = ZM_NODEV | ZM_NOSUID};
	if (str_eq(type, "lofs")) {
		struct stat st;

		m->kind = ZM_BIND;
		m->flags |= ZM_IDMAP;
		if (stat(source ? source : "", &st) < 0)
			return err_sys(e, errno, "filesystem %s: source %s", target, source ? source : "(none)");
		if (!S_ISDIR(st.st_mode))
			m->flags |= ZM_FILE;
	} else {
		m->kind = str_eq(type, "tmpfs") ? ZM_TMPFS : ZM_FS;
		m->flags |= m->kind == ZM_FS ? ZM_IDMAP : 0;
	}
	m->fstype = xstrdup(m->kind == ZM_BIND ? "" : type);
	json_array_foreach(json_object_get(fs, "options"), i, o)
	{
		r = fs_option(json_string_value(o) ?: "", m, &data, e);
		if (r < 0) {
			free(m->fstype);
			return err_add(e, "filesystem %s", target);
		}
	}
	m->source = xstrdup(source ? source : "");
	m->target = xstrdup(target);
	m->data = buf_take(&data);
	return 0;
}

static int filesystems(const struct vm *v, struct zspec *z, struct err *e)
{
	const json_t *fs;
	size_t i;

	json_array_foreach(json_object_get(v->rec, "filesystems"), i, fs)
	{
		struct zmount m;
		int r = vm_fs_mount(fs, &m, e);

		if (r < 0)
			return r;
		m.flags |= ZM_LIVE;
		z->mounts = xrealloc(z->mounts, (z->nmounts + 1) * sizeof *z->mounts);
		z->mounts[z->nmounts++] = m;
	}
	return 0;
}

int vm_devices(const json_t *rec, struct cg_dev **cg, size_t *ncg, struct zdev **dev, unsigned *ndev, struct err *e)
{
	const json_t *list = json_object_get(rec, "devices"), *d;
	size_t n = json_array_size(list), i;
	size_t nstd;
	const struct cg_dev *std = cg_devices_default(&nstd);
	struct cg_dev *c = xalloc((nstd + n) * sizeof *c);
	struct zdev *z = xalloc((n + 1) * sizeof *z);

	memcpy(c, std, nstd * sizeof *std);
	json_array_foreach(list, i, d)
	{
		const char *match = vm_str(d, "match"), *mode = vm_str(d, "mode");
		struct stat st;

		if (lstat(match, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))) {
			int code = errno ? errno : ENODEV;

			for (size_t k = 0; k < i; k++)
				free(z[k].name);
			free(c);
			free(z);
			return err_sys(e, S_ISCHR(st.st_mode) ? code : ENODEV, "device %s", match);
		}
		c[nstd + i] = (struct cg_dev){S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev),
								 minor(st.st_rdev), 6};
		z[i] = (struct zdev){
			.name = xstrdup(match + strlen("/dev/")),
			.type = S_ISCHR(st.st_mode) ? 'c' : 'b',
			.major = major(st.st_rdev),
			.minor = minor(st.st_rdev),
			.mode = mode ? (unsigned)strtoul(mode, NULL, 8) : 0600,
		};
	}
	*cg = c;
	*ncg = nstd + n;
	*dev = z;
	*ndev = (unsigned)n;
	return 0;
}

/* The root's top folder as the zone's init is going to see it: for a shared root the upper layer goes before the image. */
static int read_init_link(const char *init, const char *tree, char *out, size_t n)
{
	_fd_ int root = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[256];

	if (root < 0)
		return -errno;
	snprintf(path, sizeof path, "%s", init);
	/* follow by hand for a few steps, each confined to the root, and keep the last name */
	for (int hop = 0; hop < 8; hop++) {
		_fd_ int fd = path_open_in(root, path, O_PATH | O_NOFOLLOW, 0, NULL);
		ssize_t len;

		if (fd < 0)
			return fd;
		len = readlinkat(fd, "", out, n - 1);
		if (len < 0) {
			snprintf(out, n, "%s", path);
			return 0;
		}
		out[len] = 0;
		if (out[0] == '/') {
			snprintf(path, sizeof path, "%s", out);
		} else {
			char *slash = strrchr(path, '/');
			size_t dir = slash ? (size_t)(slash + 1 - path) : 0;

			snprintf(path + dir, sizeof path - dir, "%s", out);
		}
	}
	return -ELOOP;
}

enum init_kind vm_init_kind(struct vm *v)
{
	const char *init = vm_str(v->rec, "init_name") ?: "/sbin/init";
	char link[256] = "";
	_free_ char *upper = NULL, *tree = NULL;

	if (v->brand->init == BRAND_INIT_ZINIT)
		return INIT_ZINIT;
	if (v->brand->init == BRAND_INIT_HOST && str_starts(init, "/sbin/"))
		return brand_init_kind(read_init_link(init, "/", link, sizeof link) == 0 ? link : init);
	if (str_eq(vm_str(v->rec, "image_sharing"), "private")) {
		tree = vm_path(v, "root/root");
	} else {
		upper = vm_path(v, "root/upper");
		if (vm_need_image(v, NULL) == 0)
			tree = xprintf("%s/%s/root", v->c->node.pool, v->image.dataset);
	}
	if (upper && read_init_link(init, upper, link, sizeof link) == 0)
		return brand_init_kind(link);
	if (tree && read_init_link(init, tree, link, sizeof link) == 0)
		return brand_init_kind(link);
	return brand_init_kind(init);
}

static void env_put(struct zspec *z, unsigned *n, const char *name, const char *value)
{
	put_str(&z->env, n, xprintf("%s=%s", name, value));
}

/* What an image's program counts on and the image need not say. */
static void env_default(struct zspec *z, unsigned *n, const char *name, const char *value)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < *n; i++)
		if (!strncmp(z->env[i], name, len) && z->env[i][len] == '=')
			return;
	env_put(z, n, name, value);
}

static int init_docker(struct vm *v, struct zspec *z, unsigned *nenv, struct err *e)
{
	_json_ json_t *oci = NULL;
	const json_t *x;
	unsigned n = 0;
	size_t i;
	int r = image_oci_config(&v->image, &oci, e);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(oci, "argv"), i, x)
		put_str(&z->argv, &n, xstrdup(json_string_value(x) ?: ""));
	json_array_foreach(json_object_get(oci, "env"), i, x)
		put_str(&z->env, nenv, xstrdup(json_string_value(x) ?: ""));
	if (vm_str(oci, "user") && *vm_str(oci, "user"))
		z->user = xstrdup(vm_str(oci, "user"));
	if (vm_str(oci, "cwd") && *vm_str(oci, "cwd"))
		z->cwd = xstrdup(vm_str(oci, "cwd"));
	if (n == 0 && !vm_str(v->rec, "init_name"))
		return err_set(e, ENOEXEC, "image %s has no entrypoint: give init_name", v->image.uuid);
	return 0;
}

static int init_program(struct vm *v, struct zspec *z, struct err *e)
{
	const char *name = vm_str(v->rec, "init_name");
	bool docker = vm_bool(v->rec, "docker", false);
	unsigned nargv = 0, nenv = 0;
	int r;

	env_put(z, &nenv, "container", "cloister");
	env_put(z, &nenv, "container_uuid", v->uuid);
	if (docker && v->have_image && vm_str(v->rec, "image_uuid")) {
		r = init_docker(v, z, &nenv, e);
		if (r < 0)
			return r;
		for (; z->argv && z->argv[nargv]; nargv++)
			;
	}
	if (docker) {
		env_default(z, &nenv, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		env_default(z, &nenv, "HOSTNAME", z->hostname);
	} else {
		env_put(z, &nenv, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		env_put(z, &nenv, "TERM", "linux");
		env_put(z, &nenv, "HOME", "/root");
	}
	if (v->brand->init == BRAND_INIT_ZINIT && !docker) {
		put_str(&z->argv, &nargv, xstrdup("/.zonecontrol/native/zinit"));
		if (name) {
			put_str(&z->argv, &nargv, xstrdup("--"));
			put_str(&z->argv, &nargv, xstrdup(name));
		}
	} else if (name) {
		for (unsigned i = 0; i < nargv; i++)
			free(z->argv[i]);
		nargv = 0;
		put_str(&z->argv, &nargv, xstrdup(name));
	} else if (nargv == 0 && docker) {
		return err_set(e, ENOEXEC, "a docker VM without a docker image: give init_name");
	} else if (nargv == 0) {
		put_str(&z->argv, &nargv, xstrdup("/sbin/init"));
	}
	return 0;
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
	r = caps_from_limit_priv(word, n, &z->caps, &words, e);
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

	z->cg_v2_zone = xprintf("%s/%s/%s/zone", v->cg.v2, v->cg.root, v->uuid);
	for (int i = 0; i < n; i++)
		if (strncmp(join[i], v->cg.v2, v2) || join[i][v2] != '/')
			put_str(&z->join, &k, xstrdup(join[i]));
	n = cg_join_paths(&v->cg, CG_PLACE_SUP, v->uuid, join);
	for (int i = 0; i < n; i++)
		put_str(&z->sup_join, &s, xstrdup(join[i]));
}

static void root_dataset(struct vm *v, struct zspec *z)
{
	unsigned n = 0;

	z->shared = !str_eq(vm_str(v->rec, "image_sharing"), "private");
	if (!z->shared) {
		z->root_path = vm_path(v, "root/root");
		return;
	}
	put_str(&z->lower, &n, xprintf("%s/%s/root", v->c->node.pool, v->image.dataset));
	z->upper = vm_path(v, "root/upper");
	z->work = vm_path(v, "root/work");
}

bool vm_restart_init(const json_t *rec)
{
	return vm_bool(rec, "restart_init", !vm_bool(rec, "docker", false));
}

int vm_spec(struct vm *v, struct zspec *z, struct err *e)
{
	const char *hostname = vm_str(v->rec, "hostname");
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
	z->log_max = (uint64_t)vm_int(v->rec, "zlog_max_size", LOG_MAX);
	z->bootid = xstrdup(v->c->bootid);
	z->cloister = xstrdup(v->c->self);
	z->node = xstrdup(v->c->node.name);
	z->docker = vm_bool(v->rec, "docker", false);
	z->restart_init = vm_restart_init(v->rec);
	r = next_zoneid(v->c, &z->zoneid, e);
	if (r == 0)
		r = vm_need_image(v, e);
	if (r < 0)
		return r;
	root_dataset(v, z);
	kernel_limits(v, z);
	standard_mounts(v, z);
	sparse_mounts(v, z);
	r = filesystems(v, z, e);
	if (r == 0)
		r = snapshot_mounts(v, z, e);
	if (r == 0)
		r = vm_devices(v->rec, &cg, &ncg, &z->devs, &z->ndevs, e);
	free(cg);
	if (r == 0)
		r = init_program(v, z, e);
	if (r == 0)
		r = privileges(v, z, e);
	if (r < 0)
		return r;
	if (vm_init_kind(v) == INIT_SYSTEMD && !z->docker)
		z->systemd = xstrdup("1");
	/* a distribution's init is up when it says so; it is asked while the VM is being provisioned, no longer */
	if (z->systemd && v->brand->init == BRAND_INIT_ROOT && str_eq(v->vmstate, "provisioning")) {
		unsigned n = 0;

		for (; z->env && z->env[n]; n++)
			;
		z->notify = true;
		env_put(z, &n, "NOTIFY_SOCKET", "/.zonecontrol/notify");
	}
	cgroups(v, z);
	put_file(z, "/etc/hostname", 0644, xprintf("%s\n", z->hostname));
	return dir_make(z->log_dir, 0700, e);
}
