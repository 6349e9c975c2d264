/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zoneadmd/zoneadmd.h"

int main(int argc, char **argv)
{
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "--boot"))
		return boot_main(argv[2], argv[3], argv[4]);
	if (argc == 3 && !strcmp(argv[1], "--adopt"))
		return adopt_main(argv[2]);
	if (argc == 6 && !strcmp(argv[1], "--keep"))
		return keeper_main(argv[2], atoi(argv[3]), argv[4][0] == '1', strtoull(argv[5], NULL, 10));
	if (argc == 5 && !strcmp(argv[1], "--worker"))
		return worker_main(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	if (argc >= 3 && !strcmp(argv[1], "--live"))
		return live_main(argc, argv);
	static const char usage[] = "zoneadmd is started by vmadm(8), never by hand.\n";
	return write(2, usage, sizeof usage - 1) < 0 ? 1 : 2;
}
