#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 100
# How well limits hold on pure cgroup v2: parts of bench/limits.py, by hand and on a machine with nothing else to do:
#	sudo tests/host/run 6.12 plain host:bench-limits
# The table is in build/host/1/system/bench-limits.log. What the emulation distorts (overhead, watching) is left out, and
# bars are not asserted: tests/system asserts what the kernel holds. Fails if a part does not come to its end.
. "$(dirname "$0")/../system/lib.sh"
need_root
node bench
command -v python3 >/dev/null || skip "needs python3"
export POOL_SIZE=4G PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
parts=$(sed 's/.*limits_parts=\([a-z,]*\).*/\1/; t; d' /proc/cmdline | tr , ' ')
# shellcheck disable=SC2086
python3 "$T_SRC/bench/limits.py" --quick ${parts:-io dedicated memory caps} 2>&1 | sed 's/^/# /'
eq "it ran to its end" "${PIPESTATUS[0]}" 0
