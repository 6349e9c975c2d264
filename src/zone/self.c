/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/self.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

bool zone_inside(void)
{
	_buf_ struct buf b = BUF_INIT;
	unsigned long in, out, n;

	if (file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &b, NULL) < 0)
		return false;
	return sscanf(buf_str(&b), "%lu %lu %lu", &in, &out, &n) == 3 && (in != 0 || out != 0 || n != 4294967295UL);
}

/* A zone has the file /.zonecontrol/zone, read-only, put there when it boots: lines "zonename NAME", "uuid UUID", …. */
int zone_self(const char *key, char **value, struct err *e)
{
	static const char *const places[] = {"/.zonecontrol/zone", "/native/.zonecontrol/zone"};
	size_t n = strlen(key);

	if (!zone_inside())
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_buf_ struct buf b = BUF_INIT;

		if (file_read(AT_FDCWD, places[i], 4096, &b, NULL) < 0)
			continue;
		for (char *save = NULL, *l = b.p ? strtok_r(b.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save)) {
			if (!strncmp(l, key, n) && l[n] == ' ') {
				*value = xstrdup(l + n + 1);
				return 1;
			}
		}
	}
	return err_set(e, ENOENT, "this is not the global zone, and %s does not say which one it is", places[0]);
}

/* Colons inside a field would be read as the next one. */
static void field(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_printf(out, "%s%c", *s == ':' || *s == '\\' ? "\\" : "", *s);
}

void zone_line_header(enum zone_line_form f, struct buf *out)
{
	if (f == ZONE_LINE_VERBOSE)
		buf_printf(out, "%4s %-36s %-13s %-44s %-14s %s\n", "ID", "NAME", "STATUS", "PATH", "BRAND", "IP");
}

void zone_line(const struct zone_line *z, enum zone_line_form f, struct buf *out)
{
	const char *ip = strcmp(z->name, "global") == 0 ? "shared" : "excl";
	char id[24] = "-";

	if (z->id != UINT64_MAX)
		snprintf(id, sizeof id, "%llu", (unsigned long long)z->id);
	switch (f) {
	case ZONE_LINE_NAME:
		buf_printf(out, "%s\n", z->name);
		break;
	case ZONE_LINE_PARSEABLE:
		buf_printf(out, "%s:", id);
		field(out, z->name);
		buf_printf(out, ":%s:", z->state);
		field(out, z->path);
		buf_printf(out, ":%s:%s:%s\n", z->uuid, z->brand, ip);
		break;
	case ZONE_LINE_VERBOSE:
		buf_printf(out, "%4s %-36s %-13s %-44s %-14s %s\n", id, z->name, z->state, z->path, z->brand, ip);
		break;
	}
}

int zone_self_list(const char *zone, enum zone_line_form f, struct buf *out, struct err *e)
{
	_free_ char *id = NULL, *name = NULL, *uuid = NULL, *brand = NULL;
	struct zone_line z = {.state = "running", .path = "/"};
	int r = zone_self("zoneid", &id, e);

	if (r <= 0)
		return r;
	if (str_to_u64(id, &z.id) < 0)
		return err_set(e, EINVAL, "zoneid \"%s\"", id);
	r = zone_self("uuid", &uuid, e);
	if (r > 0)
		r = zone_self("zonename", &name, e);
	if (r > 0)
		r = zone_self("brand", &brand, e);
	if (r <= 0)
		return r;
	if (zone && strcmp(zone, name) != 0 && strcmp(zone, uuid) != 0)
		return err_set(e, ENOENT, "%s: No such zone configured", zone);
	z.name = name;
	z.uuid = uuid;
	z.brand = brand;
	zone_line_header(f, out);
	zone_line(&z, f, out);
	return 1;
}
