/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine's screen. QEMU speaks VNC at a unix socket (vm.vnc in the run directory, root's alone) and nowhere else: a TCP socket of
 * the host's, in the hands of a QEMU that a guest has taken over, could be connected anew to whatever the host reaches. So TCP
 * ends in the zone's worker, which passes bytes on (zoneadmd/part_screen.c).
 */
#ifndef CLOISTER_NODE_SCREEN_H
#define CLOISTER_NODE_SCREEN_H

#include "base/buf.h"
#include "hvm/qmp.h"
#include "node/vm.h"

#define SCREEN_SOCK "vm.vnc"

/* What can't be: a port beyond this host without a password. */
int screen_check(const struct ctx *c, const json_t *rec, struct err *e);
/* Its lines for the worker. */
void screen_settings(const struct ctx *c, const json_t *rec, struct buf *out);
/* Before the guest runs: QEMU gets its socket and the password, and the worker has the port, or the error says who has it. */
int screen_open(struct vm *v, struct qmp *q, struct err *e);
/* Another password, on what runs; and whether it may be seen where the record says. What is about the port follows by settings_live(). */
int screen_change(struct vm *v, const json_t *old, const json_t *rec, struct err *e);
/* The same of a worker that could not take them, r: the error names the port if it was that. */
int screen_port_failed(const struct ctx *c, const json_t *rec, int r, struct err *e);
/* Whether the change of password takes effect without a boot. */
bool screen_password_live(const json_t *old, const json_t *rec);
/* {host, port, display, socket, password, clients}; host, port and display where it has a port. */
int screen_info(const struct vm *v, struct qmp *q, json_t **out, struct err *e);
/* What it shows now, as a PPM file in /tmp of the root dataset; *path: free(). */
int screen_shot(struct vm *v, struct qmp *q, char **path, struct err *e);

#endif
