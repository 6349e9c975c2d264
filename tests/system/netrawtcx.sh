#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# All of netraw.sh with the other way of the ladder: the switch's program attached by tcx.
NET_ATTACH=tcx
. "$(dirname "$0")/netraw.sh"
