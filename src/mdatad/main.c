/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdatad/mdatad.h"

int main(int argc, char **argv)
{
	const char *why;

	if (argc != 3 || (strcmp(argv[1], "socket") != 0 && strcmp(argv[1], "serial") != 0)) {
		fprintf(stderr, "cloister-mdatad is started by zoneadmd(8), never by hand.\n");
		return 2;
	}
	why = lock_in((uid_t)strtoul(argv[2], NULL, 10));
	if (why) {
		fprintf(stderr, "cloister-mdatad: can't give up its rights: %s: %m\n", why);
		return 1;
	}
	return serve(!strcmp(argv[1], "socket"));
}
