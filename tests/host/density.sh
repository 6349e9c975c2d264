#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 900
# What an idle zone costs on a machine just booted: bench/density.py with as many zones as fit, by hand:
#	sudo HOST_APPEND=slab_nomerge tests/host/run 6.12 plain host:density
# ZONES=… is not handed in: 60. Fails if zones are not alive, or come and go at a cost.
. "$(dirname "$0")/../system/lib.sh"
need_root
node density
command -v python3 >/dev/null || skip "needs python3"
export POOL_SIZE=2G PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
python3 "$T_SRC/bench/density.py" minimal 60 2>&1 | tee out
eq "it ran to its end" "${PIPESTATUS[0]}" 0
like "all alive" "$(cat out)" 'zones not alive of 60 +0\.00 .*met'
