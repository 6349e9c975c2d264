/* SPDX-License-Identifier: MPL-2.0 */
#include "brand/brand.h"

#include <signal.h>
#include <string.h>

#include "base/own.h"

/*
 * /usr keeps its setuid bits: it is idmapped, so they give the zone's own root and no other, and without them su,
 * sudo and passwd would not work in a sparse zone. Everything else is nosuid.
 */
static const struct brand_share sparse[] = {
	{"/usr", false, false, true},
	{"/etc/alternatives", true, false, false},
	{"/etc/ld.so.cache", true, true, false},
	{"/etc/ssl/certs", true, false, false},
	{"/var/lib/dpkg", true, false, false},
};
static const char *const sparse_mask[] = {"/usr/local", "/usr/src", NULL};

/* QEMU, what it is linked with, and the firmware that it reads when it starts: there until it has started. */
static const struct brand_share monitor[] = {
	{"/usr", false, false, false},
	{"/lib", true, false, false},
	{"/lib64", true, false, false},
	{"/etc/alternatives", true, false, false},
};

static const struct brand brands[] = {
	{
		.name = "joyent",
		.type = "OS",
		.init = BRAND_INIT_HOST,
		.share = sparse,
		.nshare = ARRAY_LEN(sparse),
		.mask = sparse_mask,
	},
	{
		.name = "joyent-minimal",
		.type = "OS",
		.init = BRAND_INIT_ZINIT,
		.share = sparse,
		.nshare = ARRAY_LEN(sparse),
		.mask = sparse_mask,
	},
	{
		.name = "lx",
		.type = "LX",
		.needs_image = true,
		.init = BRAND_INIT_ROOT,
	},
	{
		.name = "kvm",
		.type = "KVM",
		.init = BRAND_INIT_MONITOR,
		.share = monitor,
		.nshare = ARRAY_LEN(monitor),
	},
};

const struct brand *brand_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(brands); i++)
		if (!strcmp(brands[i].name, name))
			return &brands[i];
	return NULL;
}

enum init_kind brand_init_kind(const char *link_target)
{
	const char *base = strrchr(link_target, '/') ? strrchr(link_target, '/') + 1 : link_target;

	if (!strcmp(base, "systemd"))
		return INIT_SYSTEMD;
	if (!strncmp(base, "busybox", 7))
		return INIT_BUSYBOX;
	if (!strcmp(base, "zinit"))
		return INIT_ZINIT;
	return INIT_OTHER;
}

int brand_halt_signal(enum init_kind k)
{
	switch (k) {
	case INIT_SYSTEMD:
		return SIGRTMIN + 4; /* systemd(1): starts poweroff.target */
	case INIT_BUSYBOX:
		return SIGUSR2; /* init/init.c: power off */
	case INIT_ZINIT:
		return SIGTERM;
	case INIT_OTHER:
		break;
	}
	return SIGPWR; /* what sysvinit, OpenRC and s6 take for "the power goes" */
}

int brand_reboot_signal(enum init_kind k)
{
	switch (k) {
	case INIT_SYSTEMD:
		return SIGRTMIN + 5;
	case INIT_BUSYBOX:
		return SIGTERM;
	case INIT_ZINIT:
	case INIT_OTHER:
		break;
	}
	return SIGINT; /* what CTRL-ALT-DEL sends */
}
