/* SPDX-License-Identifier: MPL-2.0 */
/* pool.conf: the copy in the pool comes with a disk that somebody hands over. */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "store/pool_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	_buf_ struct buf b = BUF_INIT;
	struct pool_conf c;
	struct err e = ERR_INIT;

	buf_add(&b, p, n);
	if (pool_conf_parse(buf_str(&b), &c, &e) == 0 && (c.ndevs > POOL_DEVS_MAX || !memchr(c.fsid, 0, sizeof c.fsid)))
		__builtin_trap();
	return 0;
}
