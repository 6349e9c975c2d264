/* SPDX-License-Identifier: MPL-2.0 */
/* What is left afterwards: to talk over the descriptors that it has, to take connections, memory and the clock. */
#include <unistd.h>

#include "base/own.h"
#include "kern/giveup.h"
#include "mdata/ask.h"
#include "mdatad/mdatad.h"

static const char *filter(void)
{
	static const int own[] = {
		SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(accept4), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(newfstatat), SCMP_SYS(fstat),
	};
	scmp_filter_ctx f = giveup_filter();

	return giveup_load(f, giveup_allow(f, own, ARRAY_LEN(own)));
}

const char *lock_in(uid_t uid)
{
	static const struct giveup_limit limit[] = {{RLIMIT_NOFILE, 64}, {RLIMIT_AS, 128 << 20}, {RLIMIT_FSIZE, 0}};
	/* without who answers there is nothing to do: it ends with its parent, whoever has us by then */
	const char *why = giveup(&(struct giveup){.root = MDATAD_FOLDER, .uid = uid, .mask = 077, .limit = limit, .nlimits = ARRAY_LEN(limit)});

	if (why)
		return why;
	close(MDATAD_FOLDER);
	return filter();
}
