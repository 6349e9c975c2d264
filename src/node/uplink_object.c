/* SPDX-License-Identifier: MPL-2.0 */
#include "node/uplink_in.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

static char *to_hex(const struct buf *b)
{
	char *out = xalloc(b->len * 2 + 1);

	for (size_t i = 0; i < b->len; i++)
		snprintf(out + i * 2, 3, "%02x", (unsigned char)b->p[i]);
	return out;
}

static int from_hex(const char *s, struct buf *out)
{
	unsigned char byte;

	for (; *s; s += 2) {
		if (!s[1] || sscanf(s, "%2hhx", &byte) != 1)
			return -EUCLEAN;
		buf_add(out, &byte, 1);
	}
	return 0;
}

static json_t *to_json(const struct ctx *c, const struct uplink *u, int64_t until)
{
	_free_ char *saved = to_hex(&u->saved);
	char mac[18];
	json_t *o;

	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", u->mac[0], u->mac[1], u->mac[2], u->mac[3], u->mac[4], u->mac[5]);
	o = json_pack("{s:I, s:I, s:s, s:s, s:b, s:s}", "id", (json_int_t)u->id, "mtu", (json_int_t)u->mtu, "device", u->device, "mac", mac, "host",
		      u->host, "saved", saved);
	if (o && until) {
		json_object_set_new(o, "until", json_integer(until));
		json_object_set_new(o, "boot", json_string(c->bootid));
	}
	return o;
}

int uplink_from(const char *tag, const json_t *o, struct uplink *u, struct err *e)
{
	const char *mac = vm_str(o, "mac"), *device = vm_str(o, "device");

	*u = UPLINK_INIT;
	u->id = (uint32_t)vm_int(o, "id", 0);
	u->mtu = (uint32_t)vm_int(o, "mtu", 1500);
	u->host = vm_bool(o, "host", false);
	if (!mac || !device || strlen(device) >= sizeof u->device || u->id == 0 ||
	    sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &u->mac[0], &u->mac[1], &u->mac[2], &u->mac[3], &u->mac[4], &u->mac[5]) != 6 ||
	    from_hex(vm_str(o, "saved") ?: "", &u->saved) < 0)
		return err_set(e, EUCLEAN, "uplink of %s: what is kept of it can't be read", tag);
	strcpy(u->device, device);
	return 0;
}

int uplink_keep(const struct ctx *c, struct state *st, const char *tag, const struct uplink *u, int64_t until, struct err *e)
{
	json_t *o = to_json(c, u, until);
	int r = o ? state_net_put(st, UPLINK_KIND, tag, o, e) : err_sys(e, ENOMEM, "uplink of %s", tag);

	json_decref(o);
	return r;
}

int64_t uplink_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

int64_t uplink_left(const struct ctx *c, const json_t *o)
{
	int64_t until = vm_int(o, "until", 0), now = uplink_now();

	if (until == 0)
		return -1;
	return !str_eq(vm_str(o, "boot"), c->bootid) || until <= now ? 0 : until - now;
}

int uplink_show(struct state *st, const char *tag, char device[16], char mac[18])
{
	struct err none = ERR_INIT;
	json_t *o = NULL;

	if (!st || state_net_get(st, UPLINK_KIND, tag, &o, &none) < 0)
		return 0;
	snprintf(device, 16, "%s", vm_str(o, "device") ?: "-");
	snprintf(mac, 18, "%s", vm_str(o, "mac") ?: "-");
	json_decref(o);
	return 1;
}
