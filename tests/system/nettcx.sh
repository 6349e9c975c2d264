#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# All of net.sh with the other way of the ladder: the switch's program attached by tcx.
NET_ATTACH=tcx
. "$(dirname "$0")/net.sh"
