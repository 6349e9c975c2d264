/* SPDX-License-Identifier: MPL-2.0 */
/* Whether a running machine is what its record says: a reset alone would leave it what it was started as. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu.h"
#include "hvm/qemu_nic.h"
#include "model/vm.h"
#include "node/machine.h"
#include "node/kernel.h"
#include "node/rtc.h"

/*
 * Disks and NICs come and go while it runs; these don't, but for the first ones: what there is of processors and memory may. What it boots
 * from waits for a start: one that was given a CD-ROM keeps it.
 */
static const char *const fixed[] = {"-smp", "-m", "-cpu", "-machine", "-vga", "-vnc", "-rtc", "-append", NULL};
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

/* Of what kind a device of that id is; "" = there is none. Its address may be another where it went on with a state. */
static void kind(char *const *argv, const char *id, char out[32])
{
	_free_ char *want = xprintf(",id=%s,", id);

	*out = 0;
	for (; argv && argv[0] && argv[1]; argv++)
		if (!strcmp(argv[0], "-device") && strstr(argv[1], want))
			snprintf(out, 32, "%.*s", (int)strcspn(argv[1], ","), argv[1]);
}

/* NICs that it was started with and has still, of another model. */
static bool nics_changed(const json_t *rec, char *const *had, char *const *now)
{
	const json_t *nic;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, nic)
	{
		char name[QEMU_NIC_NAME], a[32], b[32];

		qemu_nic_name(nic, name);
		kind(had, name, a);
		kind(now, name, b);
		if (*a && *b && strcmp(a, b) != 0)
			return true;
	}
	return false;
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
		r = !kernel_started_with(v, &z);
	/* what came and went since it was started is asked of the machine itself by who writes its state, and its clock goes along in that */
	if (r == 0 && sizes)
		r = nics_changed(v->rec, z.argv, argv);
	if (r == 0 && sizes)
		r = zone_changed(v, z.env, e);
	qemu_args_free(argv);
	zspec_done(&z);
	return r;
}
