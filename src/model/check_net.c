/* SPDX-License-Identifier: MPL-2.0 */
/* Checks of network values. inet_pton() only: no resolver, no locale. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/str.h"
#include "model/check.h"

#define HEX    "0123456789abcdefABCDEF"
#define LETTER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT  "0123456789"

static int verdict(bool good)
{
	return good ? 0 : -EINVAL;
}

static bool is_ip(const char *s, int family)
{
	struct in6_addr a;

	return s && inet_pton(family, s, &a) == 1;
}

/* "addr/len"; the length may be missing when optional. */
static bool is_cidr(const char *s, bool optional)
{
	char addr[64];
	const char *slash = s ? strchr(s, '/') : NULL;
	uint64_t len;
	size_t n;

	if (!s || (!slash && !optional))
		return false;
	n = slash ? (size_t)(slash - s) : strlen(s);
	if (n >= sizeof addr)
		return false;
	memcpy(addr, s, n);
	addr[n] = 0;
	if (!is_ip(addr, AF_INET) && !is_ip(addr, AF_INET6))
		return false;
	return !slash || (str_to_u64(slash + 1, &len) == 0 && len <= (is_ip(addr, AF_INET) ? 32 : 128));
}

/* Unicast, six pairs. */
int check_mac(const void *v)
{
	const char *s = json_string_value(v);

	if (!s || strlen(s) != 17 || str_eq(s, "00:00:00:00:00:00"))
		return -EINVAL;
	for (int i = 0; i < 17; i++) {
		if (i % 3 == 2 ? s[i] != ':' : !strchr("0123456789abcdef", s[i]))
			return -EINVAL;
	}
	return verdict(strchr("02468ace", s[1]) != NULL);
}

int check_nic_tag(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && *s && strlen(s) <= 31 && s[strspn(s, LETTER DIGIT "_/")] == 0);
}

int check_ip4(const void *v)
{
	return verdict(is_ip(json_string_value(v), AF_INET));
}

int mask_to_prefix(const char *mask)
{
	struct in_addr a;
	uint32_t m;

	if (!mask || inet_pton(AF_INET, mask, &a) != 1)
		return -1;
	m = ntohl(a.s_addr);
	if (~m & (~m + 1))
		return -1;
	return __builtin_popcount(m);
}

int check_netmask(const void *v)
{
	return verdict(mask_to_prefix(json_string_value(v)) >= 0);
}

int check_ip(const void *v)
{
	return verdict(is_ip(json_string_value(v), AF_INET) || is_ip(json_string_value(v), AF_INET6));
}

int check_ip_or_dhcp(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && (strcmp(s, "dhcp") == 0 || is_ip(s, AF_INET)));
}

int check_ips(const void *v)
{
	const char *s = json_string_value(v);

	return verdict(s && (strcmp(s, "dhcp") == 0 || strcmp(s, "addrconf") == 0 || is_cidr(s, false)));
}

int check_allowed_ip(const void *v)
{
	return verdict(is_cidr(json_string_value(v), true));
}

int check_cid(const void *v)
{
	const char *s = json_string_value(v);
	size_t n = s ? strlen(s) : 0;

	return verdict(n >= 2 && n <= 2 * 255 && n % 2 == 0 && strspn(s, HEX) == n);
}

int check_interface(const void *v)
{
	const char *s = json_string_value(v);
	size_t n = s ? strlen(s) : 0;

	return verdict(n >= 2 && n <= 15 && strchr(LETTER, s[0]) && strspn(s, LETTER DIGIT "_") == n && strchr(DIGIT, s[n - 1]));
}

int check_port(const void *v)
{
	const char *s = json_string_value(v);
	uint64_t n;

	return verdict(s && str_to_u64(s, &n) == 0 && n >= 1 && n <= 65535);
}

/* { "10.2.0.0/16": "10.1.1.1" or "nics[0]" } */
int check_routes(const void *v)
{
	const char *key, *to;
	json_t *val;

	json_object_foreach((json_t *)v, key, val)
	{
		to = json_string_value(val);
		if (!is_cidr(key, true) || !to)
			return -EINVAL;
		if (is_ip(to, AF_INET) || is_ip(to, AF_INET6))
			continue;
		if (!str_starts(to, "nics[") || strspn(to + 5, DIGIT) < 1 || strspn(to + 5, DIGIT) > 2 ||
		    strcmp(to + 5 + strspn(to + 5, DIGIT), "]") != 0)
			return -EINVAL;
	}
	return 0;
}
