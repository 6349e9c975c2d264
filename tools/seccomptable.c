/* SPDX-License-Identifier: MPL-2.0 */
/* Writes cloister-seccomp(7): system calls and capabilities of a zone, and what limit_priv's words do, from their tables. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "kern/caps.h"
#include "kern/seccomp.h"
#include "mdoc.h"

static const struct {
	uint64_t bit;
	const char *word;
} words[] = {{SECCOMP_IO_URING, "io_uring"}, {SECCOMP_SOCKETCALL, "i386_socketcall"}, {SECCOMP_NO_LOCK_MEMORY, "!proc_lock_memory"}, {SECCOMP_AIO, "aio"}};
/* for no word, but a brand's */
#define MONITOR "in the zone of a machine of brand kvm"

static void with(const char *before, uint64_t bits)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (bits & words[i].bit)
			printf("%s\n.Cm %s .\n", before, words[i].word);
	if (bits & SECCOMP_MONITOR)
		printf("%.*s " MONITOR ".\n", (int)strcspn(before, " "), before);
}

static void rows(enum seccomp_act act)
{
	size_t n;
	const struct seccomp_row *r = seccomp_rows(&n);

	printf(".Bl -bullet\n");
	for (size_t i = 0; i < n; i++) {
		if (r[i].act != act)
			continue;
		printf(".It\n");
		mdoc_text(r[i].names);
		printf(".br\n.Em Why :\n");
		mdoc_sentence(r[i].reason);
		with("Allowed with", r[i].allow_with);
		with("Denied with", r[i].deny_with);
	}
	printf(".El\n");
}

static void arguments(void)
{
	size_t n;
	const struct seccomp_arg *a = seccomp_args(&n);

	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < n; i++) {
		printf(".It %s , argument %u\n", a[i].name, a[i].arg + 1);
		mdoc_sentence(a[i].reason);
		for (size_t k = 0; k < a[i].n; k++) {
			static const char *const say[] = {[SECCOMP_EQ_OK] = "allowed:", [SECCOMP_EQ_DENY] = "denied:",
				[SECCOMP_SET_DENY] = "denied where set:", [SECCOMP_UNSET_DENY] = "denied where not set:", [SECCOMP_TYPE] = "denied but for the next:",
				[SECCOMP_CMD] = "allowed:", [SECCOMP_ELSE_DENY] = "denied:"};

			printf(".br\n%s\n", say[a[i].tests[k].test]);
			mdoc_text(a[i].tests[k].what);
		}
		printf(".br\nA denial says\n.Er %s", err_name(a[i].error));
		if (a[i].type_error)
			printf(" ,\nby type\n.Er %s", err_name(a[i].type_error));
		printf(" .\n");
		with("Switched off by", a[i].off_with);
		if (a[i].only_with)
			printf("Only " MONITOR ".\n");
	}
	printf(".El\n");
}

static void list_words(const char *intro, enum caps_how how, bool native, bool first)
{
	struct caps_word w;

	if (!first)
		printf(".Pp\n");
	mdoc_text(intro);
	printf(".Bl -tag -width Ds -compact\n");
	for (size_t i = 0; caps_word(i, &w); i++) {
		if (w.how != how || w.native != native)
			continue;
		printf(".It Cm %s\n", w.name);
		if (w.reason)
			mdoc_sentence(w.reason);
		else if (!native)
			for (unsigned c = 0; caps_name(c); c++)
				if (w.caps & 1ULL << c)
					printf("%s\n", caps_name(c));
	}
	printf(".El\n");
}

int main(void)
{
	mdoc_head("CLOISTER-SECCOMP", "cloister-seccomp", "privileges of a zone: capabilities and system calls");
	printf(".Sh DESCRIPTION\n");
	mdoc_text("Root of a zone has capabilities in the zone's own user namespace only, at most those below, and every "
		  "process of a zone meets one table of system calls. A call that is not in the table, as one of a newer "
		  "kernel, says ENOSYS. 32-bit calls meet the same table; a call of the x32 kind kills the process.");
	printf(".Pp\nThe property\n.Cm limit_priv\n");
	mdoc_text("changes both: a list of words, beginning with default. A word adds a privilege, and with ! in front it "
		  "takes one away.");
	printf(".Sh CAPABILITIES\n");
	list_words("There unless taken away:", CAPS_DEFAULT, true, true);
	list_words("May be added:", CAPS_OPTIONAL, true, false);
	list_words("Can't be given to a zone:", CAPS_NEVER, true, false);
	printf(".Sh WORDS OF SMARTOS\n");
	list_words("There unless taken away; what each is on Linux:", CAPS_DEFAULT, false, true);
	list_words("May be added:", CAPS_OPTIONAL, false, false);
	list_words("A zone needs them to boot:", CAPS_REQUIRED, false, false);
	list_words("Always there, can't be taken away:", CAPS_FIXED, false, false);
	list_words("Can't be given to a zone:", CAPS_NEVER, false, false);
	printf(".Sh SYSTEM CALLS\n.Ss Denied: the call says EPERM\n");
	rows(SECCOMP_ROW_EPERM);
	printf(".Ss Absent: the call says ENOSYS\n");
	rows(SECCOMP_ROW_ENOSYS);
	printf(".Ss Allowed but for some arguments\n");
	arguments();
	printf(".Ss Allowed\n");
	rows(SECCOMP_ROW_ALLOW);
	printf(".Sh SEE ALSO\n.Xr cloister-properties 7 ,\n.Xr cloister 8 ,\n.Xr vmadm 8\n");
	return 0;
}
