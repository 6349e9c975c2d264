/* SPDX-License-Identifier: MPL-2.0 */
/* A fabric's file of hosts: what it takes is in bounds. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "net/fabric.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fabric f = {.vni = 1};
	struct err e = ERR_INIT;
	int r;

	fabric_ip("10.0.0.1", &f.local);
	r = fabric_parse((const char *)p, n, &f, &e);
	assert(r == 0 || (r < 0 && e.code));
	assert(f.nends <= FABRIC_ENDS && f.nhosts <= FABRIC_HOSTS);
	for (size_t i = 0; i < f.nhosts; i++)
		assert(f.hosts[i].end < f.nends && !(f.hosts[i].mac[0] & 1));
	fabric_done(&f);
	return 0;
}
