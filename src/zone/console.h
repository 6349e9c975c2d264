/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The console protocol at <run_dir>/console.sock: SOCK_SEQPACKET, each packet a type byte and its payload, at most
 * CONSOLE_PACKET bytes in all. Both ways: CONSOLE_DATA bytes. From the client: CONSOLE_SIZE, struct console_size.
 * After connecting the client gets the scroll-back as data, then what comes. A client that does not read loses output
 * (never the zone's time): the gap is marked by CONSOLE_LOST with no payload. CONSOLE_SETTINGS with no payload makes the worker
 * read the zone's settings again (zone/settings.h); its answer has the same type, and one byte: an errno, 0 = they are taken.
 */
#ifndef CLOISTER_ZONE_CONSOLE_H
#define CLOISTER_ZONE_CONSOLE_H

#include <stdint.h>

#define CONSOLE_SOCK   "console.sock"
#define CONSOLE_PACKET 4096
#define CONSOLE_DATA   'd'
#define CONSOLE_SIZE   'w'
#define CONSOLE_LOST   'l'
#define CONSOLE_SETTINGS 's'

struct console_size {
	uint16_t rows, cols; /* host byte order: both ends are on one machine */
};

#endif
