#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# What happened to zones and in them, as the event log tells it: limits that are hit, inits that crash, what verbs did.
. "$(dirname "$0")/lib.sh"
need_root
node events
pool

events() { vmadm events -j -r "$@"; }
has() { # uuid jq-condition
	events "$1" | jq -e "select($2)" >/dev/null
}
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }

mkzone z e1 '"max_physical_memory":64,"max_swap":256,"max_lwps":60'
await 5 test -s "$NODE_RUN/$z/worker"

# memory
limit=$(jq -r .max_physical_memory <(vmadm get "$z"))
zlogin "$z" 'tail /dev/zero >/dev/null' >/dev/null 2>&1
check "an OOM kill is an event" await 20 has "$z" '.type == "oom"'
oom=$(events "$z" | jq -c 'select(.type == "oom")' | head -1)
eq "with the zone" "$(jq -r .zonename <<<"$oom")" "$z"
eq "the limit" "$(jq -r .detail.limit <<<"$oom")" $((limit * 1048576))
eq "the victim" "$(jq -r '.detail.victims[0].name' <<<"$oom")" tail
like "its size" "$(jq -r '.detail.victims[0].bytes' <<<"$oom")" '^[1-9][0-9]{6,8}$'
like "its pid on the host" "$(jq -r '.detail.victims[0].host_pid' <<<"$oom")" '^[1-9][0-9]*$'
