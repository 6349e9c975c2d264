/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "unpack/qcow2.h"

#define MAX (1ULL << 36)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A header, and then entries of tables: nothing that is let through points behind the file, or is more than a cluster. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t size = n << 9, at, entry;
	struct qcow2_cluster k;
	const char *why = "";
	struct qcow2 q;

	assert(qcow2_frame(p, n) <= n);
	if (qcow2_header(p, n, MAX, &q, &why) < 0) {
		assert(*why);
		return 0;
	}
	assert(q.size && q.size <= MAX && q.cluster_bits >= 9 && q.cluster_bits <= 21 && q.l1_entries);
	/* the first table covers the disk, and no entry of it is for nothing: who reads it reads no more than that */
	assert((uint64_t)q.l1_entries << (2 * q.cluster_bits - 3) >= q.size);
	assert((uint64_t)(q.l1_entries - 1) << (2 * q.cluster_bits - 3) < q.size);
	for (size_t i = QCOW2_HEAD; i + 8 <= n; i += 8) {
		memcpy(&entry, p + i, 8);
		if (qcow2_table(&q, entry, size, &at, &why) == 0)
			assert(at == 0 || (at < size && at % (1ULL << q.cluster_bits) == 0));
		if (qcow2_entry(&q, entry, size, &k, &why) == 0 && k.kind != QCOW2_ZERO) {
			assert(k.at < size && k.at + k.len <= size && k.len > 0);
			assert(k.len <= (k.kind == QCOW2_PLAIN ? 1ULL : 2ULL) << q.cluster_bits || k.len <= (2ULL << q.cluster_bits) + 512);
		}
	}
	return 0;
}
