/* SPDX-License-Identifier: MPL-2.0 */
/* Records of /dev/kmsg: the names of processes in them are their own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kern/kmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + !size); /* of its very size: a read past the end is found */
	struct oom_kill k;
	char uuid[37];
	pid_t pid;

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (kmsg_oom(text, size, &k) && (k.pid <= 0 || !memchr(k.name, 0, sizeof k.name)))
		abort();
	if (kmsg_oom_where(text, size, &pid, uuid) && (pid <= 0 || (uuid[0] && !uuid_valid(uuid))))
		abort();
	free(text);
	return 0;
}
