/* SPDX-License-Identifier: MPL-2.0 */
/* Whether a running machine is what its record says: a reset alone would leave it what it was started as. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu.h"
#include "node/machine.h"
#include "node/rtc.h"

/* Disks and NICs come and go while it runs; these don't, but for the first ones: what there is of processors and memory may. */
static const char *const fixed[] = {"-smp", "-m", "-cpu", "-machine", "-vga", "-vnc", "-rtc", NULL};
#define SIZES 2

/* The value of the first option of that name. */
static const char *value(char *const *argv, const char *name)
{
	for (; argv && argv[0] && argv[1]; argv++)
		if (!strcmp(argv[0], name))
			return argv[1];
	return "";
}

/* One that went on with a state has the type of its machine by its whole name ("pc-q35-7.2"); that is no change of the record. */
static bool same(const char *name, const char *a, const char *b)
{
	if (!strcmp(name, "-machine")) {
		a += strcspn(a, ",");
		b += strcspn(b, ",");
	}
	return !strcmp(a, b);
}

/* The time zone of its clock is in its environment alone. */
static int zone_changed(const struct vm *v, char *const *env, struct err *e)
{
	char zone[RTC_RULE];
	const char *had = "";
	int r = rtc_zone(v->rec, zone, e);

	for (; env && *env; env++)
		had = str_starts(*env, "TZ=") ? *env + 3 : had;
	return r < 0 ? r : !str_eq(had, zone);
}

int machine_changed(const struct vm *v, bool sizes, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/spec", v->c->node.run, v->uuid);
	_buf_ struct buf b = BUF_INIT;
	struct zspec z = {0};
	char **argv = NULL;
	int r = file_read(AT_FDCWD, path, 1 << 20, &b, e);

	if (r == 0)
		r = zspec_parse(buf_str(&b), b.len, &z, e);
	if (r == 0)
		r = qemu_args(v->rec, str_eq(value(z.argv, "-accel"), "kvm"), NULL, &argv, e);
	for (size_t i = sizes ? 0 : SIZES; r == 0 && fixed[i]; i++)
		r = !same(fixed[i], value(z.argv, fixed[i]), value(argv, fixed[i]));
	if (r == 0)
		r = zone_changed(v, z.env, e);
	qemu_args_free(argv);
	zspec_done(&z);
	return r;
}
