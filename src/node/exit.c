/* SPDX-License-Identifier: MPL-2.0 */
#include "node/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "model/vm.h"

int exit_save(const struct ctx *c, const char *uuid, const struct zone_run *r, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/config/lastexited.json", c->node.pool, uuid);
	_buf_ struct buf b = BUF_INIT;
	char when[CLOCK_TEXT];

	if (r->ended == ZONE_END_NONE)
		return 0;
	buf_printf(&b, "{\"exit_timestamp\":\"%s\"", clock_iso(r->end_ns ? r->end_ns : clock_wall_ns(), when));
	/* reboot(2) in a pid namespace shows as death by SIGHUP or SIGINT, but is an orderly end */
	if (r->ended == ZONE_END_EXIT)
		buf_printf(&b, ",\"exit_status\":%d", r->end_status);
	else if (r->ended == ZONE_END_SIGNAL)
		buf_printf(&b, ",\"exit_status\":%d", -r->end_status);
	else if (r->ended == ZONE_END_REBOOT || r->ended == ZONE_END_HALT)
		buf_puts(&b, ",\"exit_status\":0");
	buf_puts(&b, "}\n");
	return file_replace(path, b.p, b.len, 0600, 0, e);
}

int exit_load(const struct ctx *c, const char *uuid, int *status, int *known, char when[72], struct err *e)
{
	_free_ char *path = xprintf("%s/%s/config/lastexited.json", c->node.pool, uuid);
	_buf_ struct buf b = BUF_INIT;
	_json_ json_t *o = NULL;
	int r = file_read(AT_FDCWD, path, 4096, &b, e);

	if (r < 0)
		return r;
	o = json_loadb(b.p, b.len, 0, NULL);
	if (!o || !vm_str(o, "exit_timestamp"))
		return err_set(e, EINVAL, "%s is damaged", path);
	*known = json_is_integer(json_object_get(o, "exit_status"));
	*status = (int)vm_int(o, "exit_status", 0);
	snprintf(when, CLOCK_TEXT, "%s", vm_str(o, "exit_timestamp"));
	return 0;
}
