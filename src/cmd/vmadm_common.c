/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/vmadm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/vm.h"
#include "node/vmops.h"

int vmadm_payload(const char *file, json_t **out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	bool in = !file || !strcmp(file, "-") || !strcmp(file, "/dev/stdin");
	int r;

	if (in && isatty(0)) {
		err_set(e, ENOTTY, "standard input is a terminal");
		return err_hint(e, "Give a file with -f, or the JSON through a pipe or <.");
	}
	/* /proc, since not every host has the links in /dev */
	r = file_read(AT_FDCWD, in ? "/proc/self/fd/0" : file, VM_PAYLOAD_MAX, &b, e);
	if (r < 0)
		return err_add(e, "payload");
	if (strspn(buf_str(&b), " \t\r\n") == b.len) {
		err_set(e, EINVAL, "payload: %s is empty", in ? "standard input" : file);
		return err_hint(e, "It has to be a JSON object; `update` takes property=value behind the VM instead.");
	}
	return vm_parse(buf_str(&b), b.len, out, e);
}

void vmadm_report(const json_t *report)
{
	_free_ char *text = report ? json_dumps(report, JSON_INDENT(2)) : NULL;

	if (text)
		fprintf(stderr, "%s\n", text);
}

void vmadm_uuid(const struct ctx *c, const char *word, char uuid[64])
{
	struct state *st = NULL;

	snprintf(uuid, 64, "%.63s", word);
	if (uuid_valid(word))
		return;
	if (state_open(c, STATE_READ, &st, NULL) == 0)
		state_vm_find(st, word, uuid, NULL);
	state_close(&st);
}

const char *vmadm_operand(int argc, char **argv)
{
	if (argc - optind == 1)
		return argv[optind];
	cmd_usage("vmadm", argv[0], argc - optind < 1 ? "which VM?" : "one VM at a time");
	return NULL;
}

int vmadm_signal(const char *word, int *sig)
{
	uint64_t n;

	if (str_to_u64(word, &n) == 0) {
		if (n < 1 || n >= NSIG)
			return -EINVAL;
		*sig = (int)n;
		return 0;
	}
	if (!strncasecmp(word, "SIG", 3))
		word += 3;
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && !strcasecmp(name, word)) {
			*sig = i;
			return 0;
		}
	}
	return -EINVAL;
}

json_t *vmadm_record(struct ctx *c, const char *word)
{
	_vm_ struct vm v = VM_INIT;

	return vm_open(c, word, VM_LOOK, &v, NULL) < 0 ? NULL : vm_redact(v.rec);
}

/* What is the zone root's in such a folder is root's outside. It is allowed, but never without a word. */
static void lent(const struct ctx *c, const char *uuid, const json_t *before, const json_t *now)
{
	const json_t *fs, *old;
	size_t i, k;

	json_array_foreach(json_object_get(now, "filesystems"), i, fs)
	{
		const char *source = vm_str(fs, "source");
		_free_ char *text = NULL;
		bool known = false;

		json_array_foreach(json_object_get(before, "filesystems"), k, old)
			known = known || json_equal((json_t *)old, (json_t *)fs);
		if (known || !vm_fs_lends_suid(fs))
			continue;
		ctx_log(c, LOG_WARN,
			"VM %s: filesystem %s: a setuid file that the zone's root makes there is root's for the host's users; give it "
			"\"ro\", a folder below one of mode 0700, or one on a nosuid mount: %s has none of these",
			uuid, vm_str(fs, "target"), source);
		text = json_dumps(fs, JSON_COMPACT);
		cmd_audit(c, "warning: lofs without nosuid", uuid, NULL, text, 0);
	}
}

void vmadm_audit(const struct ctx *c, const char *verb, const char *word, json_t *before, int result)
{
	_json_ json_t *now = vmadm_record((struct ctx *)c, word);
	_free_ char *a = before ? vm_record_text(before) : NULL, *b = now ? vm_record_text(now) : NULL;

	cmd_audit(c, verb, word, a, b, result);
	if (result >= 0)
		lent(c, word, before, now);
}

int vmadm_done(const struct ctx *c, const char *verb, const char *uuid, json_t *before, int r, const struct err *e, const char *said)
{
	if (before)
		vmadm_audit(c, verb, uuid, before, r < 0 ? r : 0);
	else
		cmd_audit(c, verb, uuid, NULL, NULL, r < 0 ? r : 0);
	if (r < 0)
		return cmd_fail(c, e);
	cmd_say(said, uuid);
	return 0;
}

int vmadm_options(int argc, char **argv, const char **file, bool *dry)
{
	static const struct option longs[] = {{"dry-run", no_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, dry ? "f:n" : "f:", longs + !dry, NULL)) != -1) {
		if (opt == 'f')
			*file = optarg;
		else if (opt == 'n')
			*dry = true;
		else
			return cmd_usage("vmadm", argv[0], NULL);
	}
	return 0;
}
