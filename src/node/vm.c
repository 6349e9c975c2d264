/* SPDX-License-Identifier: MPL-2.0 */
#include "node/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/lock.h"
#include "node/provision.h"
#include "node/vmops.h"

static int open_state(struct vm *v, unsigned flags, struct err *e)
{
	int r = state_open(v->c, flags & VM_WRITE ? STATE_WRITE : STATE_READ, &v->st, e);

	if (r == -ENOENT)
		return 0;
	return r;
}

static int no_such(const char *word, struct err *e)
{
	return err_set(e, ENOENT, "%s: No such zone configured", word);
}

static int read_record(struct vm *v, const char *word, struct err *e)
{
	int r = state_vm_get(v->st, v->uuid, &v->rec, &v->vmstate, &v->id_base, e);

	if (r == -ENOENT)
		return no_such(word, e);
	if (r < 0)
		return err_add(e, "VM %s", v->uuid);
	v->brand = brand_find(vm_str(v->rec, "brand"));
	return 0;
}

int vm_open_held(struct vm *v, struct err *e)
{
	int r = open_state(v, VM_WRITE, e);

	if (r < 0)
		return r;
	return v->st ? read_record(v, v->uuid, e) : no_such(v->uuid, e);
}

void vm_ahead(struct vm *v)
{
	zone_start_ahead(v->c, NULL, v->uuid, v->lock, true, &v->ahead);
}

int vm_ahead_drop(struct vm *v, struct err *e)
{
	zone_ahead_done(&v->ahead);
	if (!v->ahead.cgroups)
		return 0;
	v->ahead.cgroups = false;
	if (cg_zone_populated(&v->ahead.h, v->uuid))
		return 0; /* whoever is in there was not started by us */
	return cg_zone_destroy(&v->ahead.h, v->uuid, 1000, e);
}

/*
 * Before the database is open, only a uuid says which VM. One that has a zonepath exists: should we be killed, its next
 * start or its delete takes the cgroups over.
 */
static int open_ahead(struct vm *v, const char *uuid, struct err *e)
{
	_free_ char *running = xprintf("%s/%s/zone", v->c->node.run, uuid);
	_free_ char *path = NULL, *disk = NULL;

	if (!uuid_valid(uuid))
		return 0;
	snprintf(v->uuid, sizeof v->uuid, "%s", uuid);
	path = vm_path(v, "");
	if (access(path, F_OK) < 0)
		return 0;
	v->lock = lock_take(v->c, uuid, e);
	if (v->lock < 0)
		return v->lock;
	if (access(running, F_OK) == 0)
		return 0;
	/*
	 * Whose first disk is there is a machine, or a zone that has made it look so: then this is in vain. Before the rest, for it
	 * gets a copy of all descriptors.
	 */
	disk = vm_path(v, "root/disk0");
	if (faccessat(AT_FDCWD, disk, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		accel_probe_start(&v->probe, NULL);
	vm_ahead(v);
	return 0;
}

int vm_open(struct ctx *c, const char *word, unsigned flags, struct vm *v, struct err *e)
{
	char uuid[sizeof v->uuid];
	int r = 0;

	*v = VM_INIT;
	v->c = c;
	if (flags & VM_BOOT)
		r = open_ahead(v, word, e);
	if (r == 0)
		r = open_state(v, flags, e);
	if (r < 0)
		return r;
	if (!v->st)
		return no_such(word, e);
	/* a whole uuid is looked for but once; not by who would lock a VM that is not there */
	if (!(flags & VM_LOCK) && uuid_valid(word))
		memcpy(uuid, word, sizeof uuid);
	else
		r = state_vm_find(v->st, word, uuid, e);
	if (r == -ENOENT)
		return no_such(word, e);
	if (r < 0)
		return r;
	if (v->lock >= 0 && strcmp(uuid, v->uuid)) { /* the uuid was another one's alias */
		vm_ahead_drop(v, NULL);
		own_fd(&v->lock);
	}
	strcpy(v->uuid, uuid);
	if (flags & VM_LOCK && v->lock < 0) {
		v->lock = lock_take(c, v->uuid, e);
		if (v->lock < 0)
			return v->lock;
	}
	if (flags & VM_LOCK && flags & VM_WRITE)
		node_recover_held(c, v->uuid, v->lock);
	r = read_record(v, word, e);
	if (r < 0)
		return r;
	r = zone_status(c, v->uuid, &v->run, e);
	/* Its keeper was killed: another takes over before anything is done to the VM. Without one the zone still runs. */
	if (r == 0 && (flags & VM_LOCK) && v->run.running && !v->run.keeper) {
		struct err ae = ERR_INIT;

		if (zone_adopt(c, v->uuid, &ae) < 0)
			ctx_log(c, LOG_WARN, "VM %s: adopt: %s", v->uuid, ae.msg);
		r = zone_status(c, v->uuid, &v->run, e);
	}
	/* its init has said that it is up, but those who were told were killed */
	if (r == 0 && (flags & VM_LOCK) && (flags & VM_WRITE))
		r = provision_down(v, false, e);
	if (r < 0)
		return err_add(e, "VM %s", v->uuid);
	return 0;
}

void vm_close(struct vm *v)
{
	vm_halt_join(v, NULL);
	accel_probe_done(&v->probe);
	if (v->have_image)
		image_done(&v->image);
	vm_ahead_drop(v, NULL);
	if (v->spec)
		zspec_done(v->spec);
	free(v->spec);
	store_close(&v->store);
	state_close(&v->st);
	json_decref(v->rec);
	free(v->vmstate);
	free(v->resolvers);
	own_fd(&v->lock);
	*v = VM_INIT;
}

int vm_need_store(struct vm *v, struct err *e)
{
	return v->store ? 0 : store_open(v->c, &v->store, e);
}

int vm_need_cg(struct vm *v, struct err *e)
{
	int r;

	if (v->have_cg)
		return 0;
	r = cg_host_known(v->c, &v->cg, e);
	if (r < 0)
		return r;
	v->have_cg = true;
	return 0;
}

int vm_find_cg(struct vm *v, struct err *e)
{
	int r = cg_host_find(v->c, &v->cg, e);

	v->have_cg = r == 0;
	return r;
}

int vm_need_image(struct vm *v, struct err *e)
{
	const char *uuid = vm_str(v->rec, "image_uuid");
	int r;

	if (v->have_image || brand_hvm(v->brand)) /* its disks hold all of it */
		return 0;
	if (!uuid) {
		uuid = IMAGE_PLATFORM;
		r = vm_need_store(v, e);
		if (r == 0)
			r = image_platform(v->c, v->st, v->store, e);
		if (r < 0)
			return err_add(e, "the platform image");
	}
	r = image_get(v->c, v->st, uuid, vm_str(v->rec, "image_uuid") ? vm_str(v->rec, "brand") : NULL, &v->image, e);
	if (r < 0)
		return r;
	v->have_image = true;
	return 0;
}

char *vm_path(const struct vm *v, const char *below)
{
	return xprintf("%s/%s%s%s", v->c->node.pool, v->uuid, *below ? "/" : "", below);
}

char *vm_name(const struct vm *v)
{
	const char *alias = v->rec ? vm_str(v->rec, "alias") : NULL;

	return alias ? xprintf("%s (%s)", alias, v->uuid) : xstrdup(v->uuid);
}

int vm_record_save(struct vm *v, struct err *e)
{
	_free_ char *text = vm_record_text(v->rec);
	_free_ char *path = vm_path(v, "config/record.json");
	int r = file_replace(path, text, strlen(text), 0600, 0, e);

	if (r == -ENOSPC && vm_need_store(v, NULL) == 0 && store_make_room(v->store, NULL) > 0)
		r = file_replace(path, text, strlen(text), 0600, 0, e);
	return r < 0 ? err_add(e, "record of VM %s", v->uuid) : 0;
}
