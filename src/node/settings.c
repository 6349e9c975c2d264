/* SPDX-License-Identifier: MPL-2.0 */
/* What the worker of a zone has to know of its record (zone/settings.h). A zone that wants nothing of it has no lines. */
#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/cgroup.h"
#include "model/vm.h"
#include "node/io.h"
#include "node/screen.h"
#include "node/settings.h"
#include "zone/settings.h"

static void bursting(const struct vm *v, const json_t *rec, struct buf *out)
{
	int64_t baseline = vm_int(rec, "cpu_baseline", 0);
	const char *cpu = v->cg.v1[CG_CPU][0] ? v->cg.v1[CG_CPU] : v->cg.v2;

	if (!baseline)
		return;
	buf_printf(out, "cpu_baseline %lld\ncpu_burst_time %lld\ncpu_cap %lld\ncpus %d\n", (long long)baseline,
		   (long long)vm_int(rec, "cpu_burst_time", 0), (long long)vm_int(rec, "cpu_cap", 0), get_nprocs());
	buf_printf(out, "cpu_v2 %d\ncpu_dir %s/%s/%s\nuse_dir %s/%s/%s\n", !v->cg.v1[CG_CPU][0], cpu, v->cg.root, v->uuid, v->cg.v2,
		   v->cg.root, v->uuid);
}

/* A machine's balloon may hold what lies above its memory_reservation; without one, or with one that is all of its memory, nothing. */
static void balloon(const struct vm *v, const json_t *rec, struct buf *out)
{
	int64_t floor = vm_int(rec, "memory_reservation", 0);

	if (brand_hvm(v->brand) && floor > 0 && floor < vm_int(rec, "ram", 0) && v->c->node.balloon_below)
		buf_printf(out, "balloon_floor %lld\nballoon_below %u\n", (long long)floor << 20, v->c->node.balloon_below);
}

static int lines(const struct vm *v, const json_t *cpu, const json_t *io, const json_t *screen, char **out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r;

	bursting(v, cpu, &b);
	balloon(v, cpu, &b);
	screen_settings(v->c, screen, &b);
	r = io_settings(v, io, &b, e);
	if (r == 0)
		*out = b.len ? xstrdup(buf_str(&b)) : NULL;
	return r;
}

int settings_of(const struct vm *v, const json_t *rec, char **out, struct err *e)
{
	return lines(v, rec, rec, rec, out, e);
}

/* Nobody watches it now: the next worker goes on where the last one was; until then it has what it always has. */
static int unwatched(struct vm *v, const json_t *cpu, const json_t *io, struct err *e)
{
	uint64_t base = (uint64_t)vm_int(cpu, "cpu_baseline", 0);
	int r = base ? cg_set_cpu_cap(&v->cg, v->uuid, base, e) : 0;

	return r == 0 && io_bursts(io) ? io_clamp(v, io, e) : r;
}

int settings_live(struct vm *v, const json_t *cpu, const json_t *io, const json_t *screen, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" SETTINGS_FILE, v->c->node.run, v->uuid);
	_free_ char *text = NULL;
	struct err te = ERR_INIT;
	int r = lines(v, cpu, io, screen, &text, e);

	if (r < 0 || (!text && access(path, F_OK) < 0))
		return r;
	r = settings_put(v->c, v->uuid, text ?: "", e);
	if (r == 0)
		r = settings_tell(v->c, v->uuid, &te);
	if (r == -ESRCH)
		return unwatched(v, cpu, io, e);
	if (r < 0 && e && te.code)
		*e = te;
	return r;
}
