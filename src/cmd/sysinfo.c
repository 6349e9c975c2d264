/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What this node is, under the names that SmartOS's sysinfo has. Everything is looked up at each call (some ms; where KVM is sick, half a second of a processor), so
 * there is no stored copy that could be old: -f has nothing to force, and -u nothing to write.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "hvm/accel.h"
#include "hvm/qemu.h"
#include "kern/cgroup.h"
#include "model/vm.h"
#include "state/state.h"
#include "store/store.h"

/* The file's first line, "" if there is none. */
static char *line_of(const char *fmt, const char *arg)
{
	_free_ char *path = xprintf(fmt, arg);
	_buf_ struct buf b = BUF_INIT;

	if (file_read(AT_FDCWD, path, 65536, &b, NULL) < 0)
		return xstrdup("");
	for (size_t n = strcspn(buf_str(&b), "\n"); n < b.len;)
		b.p[b.len = n] = 0;
	while (b.len && b.p[b.len - 1] == ' ')
		b.p[--b.len] = 0;
	return xstrdup(buf_str(&b));
}

static void put(json_t *o, const char *key, const char *value)
{
	/* firmware tables have whatever bytes their maker left there */
	json_t *s = json_string(value);

	json_object_set_new(o, key, s ? s : json_string(""));
}

static void put_file(json_t *o, const char *key, const char *path)
{
	_free_ char *v = line_of("%s", path);

	put(o, key, v);
}

static uint64_t line_number(const char *path, const char *key)
{
	_buf_ struct buf b = BUF_INIT;
	const char *at;
	unsigned long long v = 0;

	if (file_read(AT_FDCWD, path, 1 << 20, &b, NULL) == 0 && (at = strstr(buf_str(&b), key)))
		sscanf(at + strlen(key), "%llu", &v);
	return v;
}

/* ---- processors ---- */

static void cpus(json_t *o)
{
	_buf_ struct buf b = BUF_INIT;
	_free_ char *type = NULL;
	const char *virt = "none", *at;
	json_t *sockets = json_object();

	/* with some hundred processors the text has megabytes; the first one's part is enough */
	if (file_read(AT_FDCWD, "/proc/cpuinfo", 16 << 20, &b, NULL) == 0) {
		at = strstr(buf_str(&b), "model name");
		at = at ? strstr(at, ": ") : NULL;
		if (at)
			type = xprintf("%.*s", (int)strcspn(at + 2, "\n"), at + 2);
		at = strstr(buf_str(&b), "\nflags");
		if (at) {
			_free_ char *flags = xprintf("%.*s ", (int)strcspn(at + 1, "\n"), at + 1);

			virt = strstr(flags, " vmx ") ? "vmx" : strstr(flags, " svm ") ? "svm" : "none";
		}
	}
	for (int i = 0; i < get_nprocs_conf(); i++) {
		char n[16];
		_free_ char *id = NULL;

		snprintf(n, sizeof n, "%d", i);
		id = line_of("/sys/devices/system/cpu/cpu%s/topology/physical_package_id", n);
		if (*id)
			json_object_set_new(sockets, id, json_true());
	}
	put(o, "CPU Type", type ? type : "");
	put(o, "CPU Virtualization", virt);
	json_object_set_new(o, "CPU Physical Cores", json_integer(json_object_size(sockets) ? (json_int_t)json_object_size(sockets) : 1));
	json_object_set_new(o, "CPU Total Cores", json_integer(get_nprocs()));
	json_decref(sockets);
}

/* ---- pool, disks, network ---- */

static void pool(struct ctx *c, json_t *o)
{
	_buf_ struct buf devs = BUF_INIT;
	struct pool_status st;
	struct err e = ERR_INIT;

	if (pool_status(c, &st, &e) < 0)
		return; /* a node without a pool: so it is on SmartOS before its set-up */
	put(o, "Zpool", "zones");
	for (unsigned i = 0; i < st.ndevs; i++)
		buf_printf(&devs, "%s%s", i ? "," : "", st.dev[i].path);
	put(o, "Zpool Disks", st.ndevs ? buf_str(&devs) : st.backing);
	put(o, "Zpool Driver", st.driver);
	put(o, "Zpool State", st.state);
	json_object_set_new(o, "Zpool Size in GiB", json_integer((json_int_t)(st.size >> 30)));
}

static void disks(json_t *o)
{
	_dir_ DIR *d = opendir("/sys/block");
	json_t *all = json_object();

	for (struct dirent *de; d && (de = readdir(d));) {
		_free_ char *size = NULL, *dev = NULL;
		uint64_t sectors;

		/* a disk has a device behind it; loops and RAM do not */
		dev = xprintf("/sys/block/%s/device", de->d_name);
		if (de->d_name[0] == '.' || access(dev, F_OK) < 0)
			continue;
		size = line_of("/sys/block/%s/size", de->d_name);
		if (str_to_u64(size, &sectors) < 0 || sectors == 0)
			continue;
		json_object_set_new(all, de->d_name, json_pack("{s:I}", "Size in GB", (json_int_t)(sectors * 512 / 1000000000)));
	}
	json_object_set_new(o, "Disks", all);
}

static void nics(json_t *o)
{
	_dir_ DIR *d = opendir("/sys/class/net");
	json_t *real = json_object(), *virt = json_object();
	struct ifaddrs *ifs = NULL;

	for (struct dirent *de; d && (de = readdir(d));) {
		_free_ char *mac = NULL, *up = NULL, *dev = NULL;

		if (de->d_name[0] == '.' || !strcmp(de->d_name, "lo"))
			continue;
		mac = line_of("/sys/class/net/%s/address", de->d_name);
		up = line_of("/sys/class/net/%s/operstate", de->d_name);
		dev = xprintf("/sys/class/net/%s/device", de->d_name);
		json_object_set_new(access(dev, F_OK) == 0 ? real : virt, de->d_name,
				    json_pack("{s:s, s:s, s:s, s:[]}", "MAC Address", mac, "ip4addr", "", "Link Status",
					      !strcmp(up, "up") ? "up" : "down", "NIC Names"));
	}
	if (getifaddrs(&ifs) == 0) {
		for (struct ifaddrs *i = ifs; i; i = i->ifa_next) {
			json_t *n = json_object_get(real, i->ifa_name) ?: json_object_get(virt, i->ifa_name);
			char text[INET_ADDRSTRLEN];

			if (n && i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !*json_string_value(json_object_get(n, "ip4addr")) &&
			    inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, text, sizeof text))
				put(n, "ip4addr", text);
		}
		freeifaddrs(ifs);
	}
	json_object_set_new(o, "Network Interfaces", real);
	json_object_set_new(o, "Virtual Network Interfaces", virt);
	json_object_set_new(o, "Link Aggregations", json_object());
}

/* ---- all of it ---- */

static void identity(struct ctx *c, json_t *o)
{
	struct state *s = NULL;
	_free_ char *uuid = NULL;

	if (state_open(c, STATE_READ, &s, NULL) == 0)
		state_kv_get(s, "server_uuid", &uuid, NULL);
	state_close(&s);
	/* without a database yet: the firmware's, as SmartOS takes it */
	if (!uuid) {
		uuid = line_of("%s", "/sys/class/dmi/id/product_uuid");
		for (char *p = uuid; *p; p++)
			*p = (char)tolower((unsigned char)*p);
	}
	if (uuid_valid(uuid))
		put(o, "UUID", uuid);
}

static void kernel(struct ctx *c, json_t *o)
{
	struct cg_host h;

	if (cg_host_find(c, &h, NULL) < 0)
		return;
	put(o, "Cgroups", h.v1[CG_CPU][0] || h.v1[CG_MEMORY][0] || h.v1[CG_PIDS][0] ? "hybrid" : "v2");
	json_object_set_new(o, "Swap Accounting", json_boolean(h.swap));
}

/* What would run a machine's guest here, and why that is not KVM. */
static void accelerator(json_t *o)
{
	struct err why = ERR_INIT;
	bool qemu = qemu_there(&why) == 0, kvm = qemu && accel_kvm_probe(&why) == 0;

	put(o, "VM Accelerator", kvm ? "kvm" : qemu ? "tcg" : "none");
	put(o, "VM Accelerator Reason", kvm ? "" : why.msg);
}

static json_t *collect(struct ctx *c)
{
	json_t *o = json_object();
	struct utsname u;
	char t[32];

	uname(&u);
	put(o, "Live Image", CLOISTER_VERSION);
	put(o, "System Type", u.sysname);
	put(o, "Kernel Version", u.release);
	snprintf(t, sizeof t, "%" PRIu64, line_number("/proc/stat", "\nbtime "));
	put(o, "Boot Time", t);
	put_file(o, "Manufacturer", "/sys/class/dmi/id/sys_vendor");
	put_file(o, "Product", "/sys/class/dmi/id/product_name");
	put_file(o, "Serial Number", "/sys/class/dmi/id/product_serial");
	put_file(o, "SKU Number", "/sys/class/dmi/id/product_sku");
	put_file(o, "HW Version", "/sys/class/dmi/id/product_version");
	put_file(o, "HW Family", "/sys/class/dmi/id/product_family");
	json_object_set_new(o, "VM Capable", json_boolean(access("/dev/kvm", R_OK | W_OK) == 0));
	accelerator(o);
	cpus(o);
	identity(c, o);
	put(o, "Hostname", u.nodename);
	snprintf(t, sizeof t, "%" PRIu64, line_number("/proc/meminfo", "MemTotal:") / 1024);
	put(o, "MiB of Memory", t);
	pool(c, o);
	disks(o);
	kernel(c, o);
	nics(o);
	return o;
}

/* Name_With_Underscores='value', nested names joined, for eval in a shell. */
static void print_shell(const char *prefix, json_t *o)
{
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v) {
		_free_ char *name = xprintf("%s%s%s", prefix, *prefix ? "_" : "", key);

		for (char *p = name; *p; p++)
			if (!isalnum((unsigned char)*p))
				*p = '_';
		if (json_is_object(v)) {
			print_shell(name, v);
		} else if (json_is_string(v)) {
			printf("%s='", name);
			for (const char *p = json_string_value(v); *p; p++)
				fputs(*p == '\'' ? "'\\''" : (char[]){*p, 0}, stdout);
			printf("'\n");
		} else if (json_is_integer(v)) {
			printf("%s='%" JSON_INTEGER_FORMAT "'\n", name, json_integer_value(v));
		} else if (json_is_boolean(v)) {
			printf("%s='%s'\n", name, json_is_true(v) ? "true" : "false");
		}
	}
}

static int run(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *o = NULL;
	_free_ char *text = NULL;
	bool shell = false, quiet = false;
	int opt;

	optind = 1;
	while ((opt = getopt(argc, argv, "+fpu")) != -1) {
		if (opt == 'p')
			shell = true;
		else if (opt == 'u')
			quiet = true;
		else if (opt != 'f')
			return cmd_usage("sysinfo", "", NULL);
	}
	if (optind != argc)
		return cmd_usage("sysinfo", "", NULL);
	if (quiet)
		return 0;
	o = collect(c);
	if (shell) {
		print_shell("", o);
		return 0;
	}
	text = json_dumps(o, JSON_INDENT(2));
	puts(text ? text : "{}");
	return 0;
}

CMD(sysinfo, "sysinfo", "", "[-fpu]", "print what this node is: as JSON, or for the shell (-p)", CMD_NONE, run);
