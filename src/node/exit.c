/* SPDX-License-Identifier: MPL-2.0 */
#include "node/exit.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"

bool exit_text(const struct zone_run *r, struct buf *out)
{
	char when[CLOCK_TEXT];

	if (r->running || r->ended == ZONE_END_NONE)
		return false;
	buf_printf(out, "{\"exit_timestamp\":\"%s\"", clock_iso(r->end_ns ? r->end_ns : clock_wall_ns(), when));
	/* reboot(2) in a pid namespace shows as death by SIGHUP or SIGINT, but is an orderly end */
	if (r->ended == ZONE_END_EXIT)
		buf_printf(out, ",\"exit_status\":%d", r->end_status);
	else if (r->ended == ZONE_END_SIGNAL)
		buf_printf(out, ",\"exit_status\":%d", -r->end_status);
	else if (r->ended == ZONE_END_REBOOT || r->ended == ZONE_END_HALT)
		buf_puts(out, ",\"exit_status\":0");
	buf_puts(out, "}\n");
	return true;
}

int exit_save(const struct ctx *c, const char *uuid, const struct zone_run *r, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/config/lastexited.json", c->node.pool, uuid);
	_buf_ struct buf b = BUF_INIT;

	return exit_text(r, &b) ? file_replace(path, b.p, b.len, 0600, 0, e) : 0;
}
