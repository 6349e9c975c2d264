/* SPDX-License-Identifier: MPL-2.0 */
/* Checks of single values: names, paths, words. Those of network objects are in check_net.c. */
#include "model/check.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static int verdict(bool good)
{
	return good ? 0 : -EINVAL;
}

/* All of s from the set, between min and max bytes. */
static bool made_of(const char *s, const char *set, size_t min, size_t max)
{
	size_t n = s ? strlen(s) : 0;

	return s && n >= min && n <= max && strspn(s, set) == n;
}

static bool one_of(const char *s, const char *const *words)
{
	for (; s && *words; words++) {
		if (strcmp(s, *words) == 0)
			return true;
	}
	return false;
}
#define ONE_OF(v, ...) verdict(one_of(json_string_value(v), (const char *const[]){__VA_ARGS__, NULL}))

static bool printable(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

static bool name_like(const char *s, size_t max)
{
	return made_of(s, LOWER UPPER DIGIT "_.-", 1, max) && strchr(LOWER UPPER DIGIT, s[0]);
}

int check_alias(const void *v)
{
	return verdict(name_like(json_string_value(v), 189));
}

/* RFC 1123: labels of letters, digits and inner hyphens, 1 to 63 each. */
static bool domain_like(const char *s, size_t max)
{
	size_t n = s ? strlen(s) : 0, label = 0;

	if (n < 1 || n > max)
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (i == n || s[i] == '.') {
			if (label == 0 || label > 63 || s[i - 1] == '-')
				return false;
			label = 0;
		} else {
			if (!strchr(LOWER UPPER DIGIT "-", s[i]) || (label == 0 && s[i] == '-'))
				return false;
			label++;
		}
	}
	return true;
}

/* 64 and not 255: more the kernel's UTS namespace does not hold. */
int check_hostname(const void *v)
{
	return verdict(domain_like(json_string_value(v), 64));
}

int check_domain(const void *v)
{
	return verdict(domain_like(json_string_value(v), 253));
}

int check_zonename(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(name_like(s, 63) && strcmp(s, "global") != 0 && !str_starts(s, "SUNW"));
}

int check_brand(const void *v)
{
	return ONE_OF(v, "joyent", "joyent-minimal", "lx", "kvm", "bhyve");
}

int check_uuid(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && uuid_valid(s));
}

bool path_clean(const char *s)
{
	if (!s || s[0] != '/' || strlen(s) >= 1024 || !printable(s))
		return false;
	if (!s[1])
		return true;
	while (*s) {
		size_t n = strcspn(++s, "/");

		if (n == 0 || n > 255 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += n;
	}
	return true;
}

int check_path(const void *v)
{
	return verdict(path_clean(json_string_value(v)));
}

int check_fs_source(const void *v)
{
	/* what a tmpfs is made of on SmartOS; here it is only a word */
	return str_eq(json_string_value(v), "swap") ? 0 : check_path(v);
}

int check_file(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(path_clean(s) && s[1]);
}

static bool below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == 0 || path[n] == '/');
}

/* What a zone must find as we made it, or finds its sockets under, is not mounted over. */
int check_target(const void *v)
{
	static const char *const ours[] = {"/dev", "/proc", "/sys", "/.zonecontrol", "/native", "/checkpoints"};
	const char *s = json_string_value(v);

	if (!path_clean(s) || !s[1])
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (below(s, ours[i]))
			return -EINVAL;
	}
	return 0;
}

int check_device(const void *v)
{
	static const char *const ours[] = {"/dev/pts", "/dev/ptmx", "/dev/shm",   "/dev/console", "/dev/fd",
					   "/dev/tty", "/dev/null", "/dev/zero",  "/dev/full",    "/dev/mqueue",
					   "/dev/log", "/dev/stdin", "/dev/stdout", "/dev/stderr",  "/dev/random",
					   "/dev/urandom"};
	const char *s = json_string_value(v);

	if (!path_clean(s) || !str_starts(s, "/dev/") || !made_of(s, LOWER UPPER DIGIT "/_.:-", 6, 255))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (below(s, ours[i]))
			return -EINVAL;
	}
	return 0;
}

int check_octal(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(made_of(s, "01234567", 3, 4) && (!s[3] || s[0] == '0'));
}

int check_fstype(const void *v)
{
	return ONE_OF(v, "lofs", "tmpfs", "ext4", "xfs", "btrfs");
}

int check_fsopt(const void *v)
{
	const char *s = json_string_value(v);
	uint64_t n;

	if (s && str_starts(s, "size="))
		return verdict(str_to_bytes(s + 5, &n) == 0 && n > 0);
	return ONE_OF(v, "ro", "rw", "nodevices", "nosuid", "noexec");
}

int check_word(const void *v)
{
	return verdict(made_of(json_string_value(v), LOWER DIGIT "_-", 1, 32));
}

int check_priv(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && made_of(s + (*s == '!' || *s == '-'), LOWER UPPER DIGIT "_", 1, 64));
}

int check_namespace(const void *v)
{
	return verdict(made_of(json_string_value(v), LOWER UPPER DIGIT "_.-", 1, 64));
}

int check_zpool(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(made_of(s, LOWER UPPER DIGIT "_.-", 1, 64) && strchr(LOWER UPPER, s[0]));
}

int check_pow2(const void *v)
{
	json_int_t n = json_integer_value(v);

	return verdict(n >= 512 && n <= 131072 && (n & (n - 1)) == 0);
}

int check_compression(const void *v)
{
	return ONE_OF(v, "on", "off", "lzjb", "gzip", "gzip-1", "gzip-2", "gzip-3", "gzip-4", "gzip-5", "gzip-6", "gzip-7",
		      "gzip-8", "gzip-9", "zle", "lz4", "zstd");
}

int check_sharing(const void *v)
{
	return ONE_OF(v, "shared", "private");
}

int check_cpu_view(const void *v)
{
	return ONE_OF(v, "host", "capped");
}

int check_accelerator(const void *v)
{
	return ONE_OF(v, "kvm", "tcg");
}

int check_priority(const void *v)
{
	return ONE_OF(v, "low", "medium", "high");
}

#define CPU_MOST 1023

/* A number as we would write it: no "00", which would not be the 0 that takes them away. */
static long cpu_number(const char **s)
{
	size_t n = strspn(*s, DIGIT);
	long v = 0;

	if (n == 0 || n > 4 || (n > 1 && **s == '0'))
		return -1;
	for (; n; n--)
		v = v * 10 + *(*s)++ - '0';
	return v > CPU_MOST ? -1 : v;
}

/* "0-3,8": numbers and ascending ranges. */
int check_cpus(const void *v)
{
	const char *s = json_string_value(v);

	if (!made_of(s, DIGIT "-,", 1, 255))
		return -EINVAL;
	for (;;) {
		long from = cpu_number(&s), to = from;

		if (from >= 0 && *s == '-') {
			s++;
			to = cpu_number(&s);
		}
		if (from < 0 || to < from)
			return -EINVAL;
		if (!*s)
			return 0;
		if (*s++ != ',')
			return -EINVAL;
	}
}

int check_text(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && strlen(s) < 4096 && printable(s));
}

int check_time(const void *v)
{
	uint64_t t;

	return verdict(json_string_value(v) && clock_parse_iso(json_string_value(v), &t) == 0);
}

int check_media(const void *v)
{
	return ONE_OF(v, "disk", "cdrom");
}

int check_nic_model(const void *v)
{
	return ONE_OF(v, "virtio", "e1000", "rtl8139");
}

int check_disk_model(const void *v)
{
	return ONE_OF(v, "virtio", "ide", "scsi", "ahci", "nvme");
}

int check_boot(const void *v)
{
	return verdict(made_of(json_string_value(v), LOWER DIGIT ",=", 1, 64));
}

int check_bootrom(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && (path_clean(s) || one_of(s, (const char *const[]){"bios", "uefi", NULL})));
}

/* It becomes a file's name: no dots, and no empty part. */
/* What Linux takes: COMMAND_LINE_SIZE of x86 is 2048, with the end of the string. */
int check_kernel_args(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && strlen(s) < 2048 && printable(s));
}

int check_sha256(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64);
}

int check_rtc(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(made_of(s, LOWER UPPER DIGIT "_+-/", 1, 64) && *s != '/' && s[strlen(s) - 1] != '/' && !strstr(s, "//"));
}

/* "bus:device:function", "device:function" or "device". */
int check_pci_slot(const void *v)
{
	const char *s = json_string_value(v);

	if (!made_of(s, DIGIT ":", 1, 12))
		return -EINVAL;
	for (int part = 0; part < 3; part++) {
		size_t n = strspn(s, DIGIT);

		if (n == 0 || n > 3)
			return -EINVAL;
		s += n;
		if (!*s)
			return 0;
		s++;
	}
	return -EINVAL;
}

int check_vnc_password(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && strlen(s) <= 8 && printable(s));
}

int check_meta_keys(const void *v)
{
	const char *key;
	json_t *val;

	json_object_foreach((json_t *)v, key, val)
	{
		if (!*key || strlen(key) > 255 || !printable(key))
			return -EINVAL;
	}
	return 0;
}
