/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What cloister-mdatad, which has no rights, and `cloister zone-mdata`, which has them, say to each other over a stream
 * socket: a question with its key and value behind it, then its answer with the text behind it. One at a time. The end
 * with rights believes nothing of it and checks all of it.
 */
#ifndef CLOISTER_MDATA_ASK_H
#define CLOISTER_MDATA_ASK_H

#include <stdint.h>

#include "mdata/proto.h"

struct mdata_ask {
	uint32_t op; /* enum mdata_op: GET, KEYS, PUT, DELETE */
	uint32_t key_len, value_len;
};
struct mdata_said {
	uint32_t status; /* enum mdata_status */
	uint32_t len;
	uint64_t used_ns; /* processor time that it took */
};

/* Descriptors that cloister-mdatad is born with: what it hears (a listening socket, or a connected one), the other end, an empty folder. */
enum { MDATAD_SOURCE = 3, MDATAD_ASK = 4, MDATAD_FOLDER = 5 };

#endif
