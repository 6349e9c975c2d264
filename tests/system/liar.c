/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Stands in QEMU's place, in its guest's hands: does as it is told with the memory of its guest, and says at every opportunity that it is to have a TiB more than
 * it was told. 64 MiB is what it started with. Static: its zone has nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_QMP = 20 };

static long long taken; /* bytes that were added */
static bool runs;

static bool line(int s, char *out, size_t n)
{
	size_t len = 0;

	while (len < n - 1 && read(s, out + len, 1) == 1)
		if (out[len++] == '\n')
			break;
	out[len] = 0;
	return len > 0;
}

static void answer(const char *asked, char *out, size_t n)
{
	const char *value = strstr(asked, "\"value\":");

	runs |= strstr(asked, "\"cont\"") != NULL;
	if (strstr(asked, "requested-size") && value)
		taken = atoll(value + strlen("\"value\":"));
	if (strstr(asked, "query-memory-size-summary"))
		snprintf(out, n, "{\"return\": {\"base-memory\": %d, \"plugged-memory\": %lld}}\r\n", 64 << 20, taken);
	else if (strstr(asked, "query-memory-devices"))
		snprintf(out, n, "{\"return\": [{\"type\": \"virtio-mem\", \"data\": {\"id\": \"room\", \"max-size\": %d, \"size\": %lld, \"requested-size\": %lld}}]}\r\n", 192 << 20,
			 taken, taken + (1LL << 40));
	else if (strstr(asked, "query-status"))
		snprintf(out, n, "{\"return\": {\"status\": \"%s\", \"running\": %s}}\r\n", runs ? "running" : "prelaunch", runs ? "true" : "false");
	else
		snprintf(out, n, "{\"return\": {}}\r\n");
}

int main(void)
{
	char asked[8192], said[512];

	signal(SIGPIPE, SIG_IGN);
	listen(FD_QMP, 4);
	fcntl(FD_QMP, F_SETFL, fcntl(FD_QMP, F_GETFL) & ~O_NONBLOCK);
	for (;;) {
		int s = accept(FD_QMP, NULL, NULL);
		const char *hello = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";

		if (s < 0)
			return 1;
		send(s, hello, strlen(hello), 0);
		while (line(s, asked, sizeof asked)) {
			answer(asked, said, sizeof said);
			send(s, said, strlen(said), 0);
		}
		close(s);
	}
}
