#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 100
# systemd as process 1 is the single writer of cgroups: our limits stay below the unit that it delegates, through
# reloads, re-execution and restarts of other units; and a zone belongs to no session.
. "$(dirname "$0")/../system/lib.sh"
. "$(dirname "$0")/held.inc"
need_root
[ "$(cat /proc/1/comm)" = systemd ] || skip "process 1 is not systemd"
node sysd
unit=cloister-zones.service
is() { [ "$(systemctl show -P "$2" "$1")" = "$3" ]; } # unit property value
# Of $z, all; of the node, its weight.
limits() {
	local d n
	d=$(cgdir "$z" v2) n=${d%/*}
	echo "weight $(cat "$d/cpu.weight") max $(cat "$d/cpu.max") memory $(cat "$d/all/memory.max") swap $(cat "$d/all/memory.swap.max")" \
		"pids $(cat "$d/all/pids.max") node $(cat "$n/cpu.weight") controllers $(cat "$d/cgroup.controllers")"
	held "$d"
}
same() { eq "$1" "$(diff <(echo "$before") <(limits))" ""; } # what
alive() { [ "$(zlogin "$z" cat /proc/uptime | cut -d. -f1)" -ge "$(((SECONDS - born) / 2))" ]; } # the same boot of the zone

# ---- without the unit: a zone that somebody makes on a machine where nothing was enabled ----
check "the unit is known" systemctl cat $unit
pool
mkzone early early '"max_lwps":77' || exit 1
like "the zone is in the delegated unit: it was started when it was needed" "$(cgdir "$early" v2)" "/cloister.slice/$unit/"
check "the unit runs" is $unit ActiveState active
check "delete" vmadm delete "$early"

# ---- limits and systemd's own work ----
born=$SECONDS
mkzone z web '"cpu_shares":250,"cpu_cap":50,"max_physical_memory":128,"max_swap":256,"max_lwps":300' || exit 1
before=$(limits)
like "the limits stand" "$before" '^weight 250 max 50000 100000 memory 134217728 swap 134217728 pids 300 node '
check "daemon-reload" systemctl daemon-reload
same "limits after daemon-reload"
check "daemon-reexec" systemctl daemon-reexec
check "process 1 is back" await 20 systemctl is-active --quiet $unit
same "limits after daemon-reexec"
check "other units restart" systemctl restart systemd-journald systemd-logind
same "limits after that"
check "a unit with limits of its own comes and goes" systemd-run --quiet --wait --collect -p CPUWeight=10 -p MemoryMax=64M -p TasksMax=20 -p IOWeight=20 true
check "so does one in our slice" systemd-run --quiet --wait --collect --slice=cloister.slice -p CPUWeight=10 -p MemoryMax=64M true
same "limits after that"
check "set-property on our slice" systemctl set-property --runtime cloister.slice CPUWeight=300
check "set-property on our unit" systemctl set-property --runtime $unit CPUWeight=200
check "daemon-reload" systemctl daemon-reload
same "limits after that"
check_not "the unit is not stopped by hand" systemctl stop $unit
check "a live update" vmadm update "$z" cpu_shares=111 cpu_cap=70 max_physical_memory=160 max_lwps=222
before=$(limits)
like "stands" "$before" '^weight 111 max 70000 100000 memory 167772160 swap [0-9]* pids 222 '
check "daemon-reload" systemctl daemon-reload
same "limits after daemon-reload"
check "the zone has run all the time" alive

# ---- the unit's process is killed ----
pid=$(systemctl show -P MainPID $unit)
check "kill -9 of the unit's process" kill -KILL "$pid"
check "systemd saw it" await 20 bash -c "[ \"\$(systemctl show -P MainPID $unit)\" != $pid ]"
check "systemd is at rest" await 30 bash -c "systemctl show -P ActiveState $unit | grep -qE '^(active|failed)$'"
same "limits after that"
check "the zone runs" alive
check "a login" zlogin "$z" true
check "another zone" mkzone y other '"max_lwps":99'
eq "its limit" "$(cat "$(cgdir "$y" pids)/pids.max")" 99
check "daemon-reload" systemctl daemon-reload
same "limits after that"
check "stop" vmadm stop "$y" -F
check "start" vmadm start "$y"
check "delete" vmadm delete "$y"

# ---- a zone belongs to no session ----
mkdir -p /run/sshd
check "sshd" systemd-run --quiet --unit=testhost-sshd /usr/sbin/sshd -D -o UsePAM=yes
over_ssh() {
	ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 \
		env PATH="$PATH" CLOISTER_NODE="$NODE" CLOISTER_LIBEXEC="$CLOISTER_LIBEXEC" CLOISTER_SELF="$CLOISTER_SELF" "$@"
}
check "ssh" await 30 over_ssh true
like "a login by ssh is a session" "$(over_ssh cat /proc/self/cgroup)" 'session-.*\.scope'
# A session that lasts: it makes a zone, leaves a process behind and stays. Then systemd ends it, with all that is in it.
over_ssh "vmadm create >$T_TMP/made 2>&1; setsid sleep 4241 >/dev/null 2>&1 </dev/null & cut -d: -f3 /proc/self/cgroup >$T_TMP/scope; sleep 4243" \
	<<<'{"brand":"joyent-minimal","alias":"held","max_lwps":66}' >/dev/null 2>&1 &
check "a session that makes a zone and stays" await 30 bash -c "grep -q session- $T_TMP/scope && pgrep -f 'sleep 424[1]'"
s=$(sed -n 's/^Successfully created VM //p' "$T_TMP/made") scope=$(sed 's/.*session-\(.*\)\.scope.*/\1/' "$T_TMP/scope")
like "its zone" "$(cat "$T_TMP/made")" '^Successfully created VM'
check "loginctl knows the session" loginctl show-session "$scope"
check "and ends it" loginctl terminate-session "$scope"
check "all that was in it is gone" await 30 bash -c '! pgrep -f "sleep 424[13]"'
check "but the zone" zlogin "$s" true
keeper=$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$s/zone")
like "its keeper is in the node's cgroup" "$(cat "/proc/$keeper/cgroup")" "^0::/cloister.slice/$unit/.*/_sup$"
eq "and has no terminal" "$(awk '{print $7}' "/proc/$keeper/stat")" 0
eq "its limit" "$(cat "$(cgdir "$s" pids)/pids.max")" 66
check "stop" vmadm stop "$s" -F
check "delete" vmadm delete "$s"
check "a session may leave a process behind" over_ssh sh -c "'setsid sleep 4242 >/dev/null 2>&1 </dev/null & sleep 1; pgrep -f sleep.424[2]'" </dev/null
run over_ssh vmadm create <<<'{"brand":"joyent-minimal","alias":"remote","max_lwps":88}'
r=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
like "a zone made over ssh" "$OUT" '^Successfully created VM'
check "all that sessions have left is killed" systemctl kill --kill-who=all -s KILL user.slice
check "which is so" await 20 bash -c '! pgrep -f "sleep 424[2]"'
check "the zone runs" zlogin "$r" true
eq "none of it is in a session" "$(for p in $(pgrep -f "$r") $(vmadm get "$r" | jq .pid); do cat "/proc/$p/cgroup"; done | grep -c user.slice)" 0
le "both supervisors of both zones are there" 4 "$(wc -l <"$(dirname "$(cgdir "$r" v2)")/_sup/cgroup.procs")"
check "stop over ssh" over_ssh vmadm stop "$r"
check "start over ssh" over_ssh vmadm start "$r"
check "all that sessions have left is killed" systemctl kill --kill-who=all -s KILL user.slice
check "the zone runs" zlogin "$r" true
eq "its limit" "$(cat "$(cgdir "$r" pids)/pids.max")" 88
check "delete" vmadm delete "$r"
check "delete" vmadm delete "$z"
eq "no cgroup is left" "$(find /sys/fs/cgroup -name "$z" -o -name "$r")" ""
