#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 200
# Many commands at once on few VMs, a quarter of them killed wherever they are: the database stays whole, nothing
# is left but VMs in named states, and delete clears those. (Every step one by one: kill.sh.)
. "$(dirname "$0")/lib.sh"
need_root
node race
pool 2G

rounds=12
# Runs a command on a VM; every fourth is killed somewhere in its first 20 ms.
maybe() { # log command…
	local log=$1 p
	shift
	"$@" >>"$log" 2>&1 &
	p=$!
	[ $((RANDOM % 4)) != 0 ] || { sleep "0.0$((RANDOM % 20 + 10))"; kill -KILL "$p" 2>/dev/null; }
	wait "$p" 2>/dev/null
}
tenant() { # number
	local i=$1 u c
	for ((n = 0; n < rounds; n++)); do
		u=$(cat /proc/sys/kernel/random/uuid)
		echo '{"brand":"joyent-minimal","uuid":"'"$u"'","alias":"r'"$i"'","quota":1}' >"payload$i"
		maybe "log$i" vmadm create -f "payload$i"
		for c in "update $u max_lwps=$((RANDOM % 100 + 50))" "update $u alias=s$i" "start $u" "create-snapshot $u a" "stop $u -F" "delete $u"; do
			# shellcheck disable=SC2086
			maybe "log$i" vmadm $c
		done
		[ $((n % 4)) = 3 ] || vmadm delete "$u" >>"log$i" 2>&1
	done
	echo "$n" >"done$i"
}
for i in 1 2 3 4 5 6; do tenant "$i" 2>/dev/null & done
while [ "$(cat done* 2>/dev/null | wc -l)" -lt 6 ]; do
	vmadm list >/dev/null 2>>loglist
	zoneadm list -cp >/dev/null 2>>loglist
done
wait
eq "the database is whole" "$(python3 -c 'import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute("pragma integrity_check").fetchone())' "$NODE_STATE/node.db")" ok
eq "nobody found it damaged" "$(grep -h -iE 'damaged|malformed|assert|corrupt' log*)" ""
eq "list had nothing to say" "$(cat loglist)" ""
le "most commands did their work" $((rounds * 6 * 2)) "$(cat log* | grep -c '^Successfully')"
unlike "what is left has a named state" "$(vmadm list -H -o state | grep -vxE '(running|stopped|failed|provisioning|incomplete|configured) *')" .
for u in $(vmadm list -H -o uuid); do check "delete clears it" vmadm delete "$u"; done
check "boot clears what was never recorded" cloister boot
eq "no root is left" "$(find "$NODE_POOL" -mindepth 1 -maxdepth 1 -type d -name '*-*-*-*-*')" ""
eq "no run directory" "$(find "$NODE_RUN" -mindepth 1 -maxdepth 1 -type d -name '*-*-*-*-*')" ""
eq "no cgroup" "$(for cg in $(node_cgroups "$NODE"); do find "$cg" -mindepth 1 -maxdepth 1 -type d -name '*-*-*-*-*'; done)" ""
