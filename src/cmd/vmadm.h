/* SPDX-License-Identifier: MPL-2.0 */
/* What vmadm's verbs share: payloads from standard input or a file, and the messages scripts look for. */
#ifndef CLOISTER_CMD_VMADM_H
#define CLOISTER_CMD_VMADM_H

#include <jansson.h>

#include "cmd/cmd.h"

/* file NULL or "-": standard input, which must not be a terminal (-ENOTTY). */
int vmadm_payload(const char *file, json_t **out, struct err *e);
/* The report as one JSON object on standard error. */
void vmadm_report(const json_t *report);
/* The uuid that a word names, for messages; the word itself if none does. */
void vmadm_uuid(const struct ctx *c, const char *word, char uuid[64]);
/* One operand, the VM, and nothing behind it. NULL after the usage was printed. */
const char *vmadm_operand(int argc, char **argv);
/* 0 with the signal's number for "TERM", "SIGTERM" or "15"; -EINVAL. */
int vmadm_signal(const char *word, int *sig);
/* Writes the audit record of a change of one VM: record before (may be NULL) and now. */
void vmadm_audit(const struct ctx *c, const char *verb, const char *word, json_t *before, int result);
/*
 * The end of a verb on one VM: the audit record (with the records before and now, unless before is NULL), then `said`, a
 * format for the uuid, or the error. Returns the exit status.
 */
int vmadm_done(const struct ctx *c, const char *verb, const char *uuid, json_t *before, int r, const struct err *e, const char *said);
/* Options of verbs that read a payload, "-f file" and, unless dry is NULL, "--dry-run". 0, or the exit status. */
int vmadm_options(int argc, char **argv, const char **file, bool *dry);
/* The VM's record with its secrets taken out, for the audit log; NULL if there is none. New reference. */
json_t *vmadm_record(struct ctx *c, const char *word);

#endif
