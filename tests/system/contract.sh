#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# What an operator's scripts count on: messages, exit statuses, limits that hold for logins too, and no property that is
# stored and has no effect.
. "$(dirname "$0")/lib.sh"
need_root
node contract
pool

said() { # pattern command…: on standard error, with nothing on standard output
	local pat=$1 out
	shift
	out=$("$@" 2>"$T_TMP/err")
	eq "nothing on standard output: ${*:1:3}" "$out" ''
	like "message on standard error: ${*:1:3}" "$(cat "$T_TMP/err")" "$pat"
}
create() { vmadm create <<<"$1"; }
update() { vmadm update "$1" <<<"$2"; }

# ---- nothing stored and ignored ----
refused() { # what json-member
	fails 1 "$1 is not available yet" create "{\"brand\":\"joyent-minimal\",$2}"
}
refused cpu_view '"cpu_cap":100,"cpu_view":"capped"'
refused archive_on_delete '"archive_on_delete":true'
eq "none of them left a VM" "$(vmadm list -H)" ''

# ---- locked memory: of init, of logins, also after a live change, also none ----
mkzone z a1 '"max_locked_memory":4' || exit 1
memlock() { awk '/^Max locked memory/ {print $4}' "/proc/$(vmadm get "$z" | jq .pid)/limits"; }
eq "init's locked memory" "$(memlock)" 4194304
eq "a login's" "$(zlogin "$z" ulimit -l)" 4096
check "lower it live" vmadm update a1 max_locked_memory=2
eq "init's is lowered" "$(memlock)" 2097152
eq "a later login's too" "$(zlogin "$z" ulimit -l)" 2048
eq "prctl reads the same" "$(prctl -P -t privileged -n zone.max-locked-memory -i zone "$z" | awk '{print $3}' | tail -1)" 2097152
check "and to nothing" vmadm update a1 max_locked_memory=0
eq "a login can lock nothing" "$(zlogin "$z" ulimit -l)" 0
check "reboot" vmadm reboot a1
eq "nor after a boot" "$(zlogin "$z" ulimit -l)" 0

# ---- messages, and the times of steps ----
said "^Successfully completed stop for VM $z\$" vmadm stop a1
said "^VM $z is already stopped\$" vmadm stop a1
said "^Successfully started VM $z\$" vmadm start a1
said "^VM $z is already running\$" vmadm start a1
said "^Created snapshot s1 for VM $z\$" vmadm create-snapshot a1 s1
said "^Deleted snapshot s1 for VM $z\$" vmadm delete-snapshot a1 s1
said "^Successfully updated VM $z\$" vmadm update a1 max_lwps=50
said "^zoneadm: 00000000-0000-0000-0000-000000000001: No such zone configured\$" vmadm get 00000000-0000-0000-0000-000000000001
fails 1 'is for docker' vmadm stop -t 5 a1
check "stop, with its times" vmadm -v stop a1
like "each step's" "$OUT" 'halt-zone +[0-9.]+ ms'
like "and the whole" "$OUT" 'stop .*: done in [0-9.]+ ms'
check "a snapshot, with its time" vmadm -v create-snapshot a1 s2
like "its time" "$OUT" 'create-snapshot .*: done in [0-9.]+ ms'
like "the operation log has them" "$(cat "$NODE_LOG/operation.log")" "stop $z: done in"
fails 1 'is not running' vmadm reboot a1

# ---- get | edit | update ----
vmadm get a1 | vmadm update a1 >/dev/null 2>"$T_TMP/err"
eq "what get prints can be given to update" "$?" 0
vmadm get a1 | jq '.ram = 512 | .alias = "a2"' >"$T_TMP/edited"
check "and edited" vmadm update a1 -f "$T_TMP/edited"
eq "it is so" "$(vmadm get a2 | jq -c '[.ram, .max_physical_memory, .max_swap, .tmpfs]')" '[512,512,512,512]'

# ---- a zone has a name of its own where it was given one: what takes a zone takes that name ----
mkzone y zz '"zonename":"myzone"' || exit 1
eq "zlogin by the zone's name" "$(zlogin myzone cat /.zonecontrol/zone | head -1)" 'zonename myzone'
like "zoneadm" "$(zoneadm -z myzone list -p)" "^[0-9]+:myzone:running:$NODE_POOL/$y:$y:joyent-minimal:excl\$"
like "zonecfg" "$(zonecfg -z myzone info zonename)" '^zonename: myzone$'
like "prctl" "$(prctl -n zone.cpu-shares -i zone myzone)" '^zone: [0-9]+: myzone$'
eq "vmadm" "$(vmadm get myzone | jq -r .uuid)" "$y"
fails 1 "zonename \"myzone\" is taken by VM $y" create '{"brand":"joyent-minimal","zonename":"myzone"}'

# ---- restart_init is looked at when init ends: at once, and says so ----
check "restart_init off" vmadm update zz restart_init=false
unlike "holds at once" "$OUT" 'next boot'
check "init is killed" vmadm kill -s KILL zz
await 10 is_state zz stopped
eq "it stays down, and says why" "$(vmadm get zz | jq -c '[.state, .exit_status, .autoboot]')" '["stopped",-9,true]'

# ---- every name that a snapshot may have, seen inside at once and after a boot ----
mkzone s snap || exit 1
long=$(printf 'a%.0s' {1..64})
for n in 'A:%_.-1' : % "$long" -; do
	check "snapshot $n" vmadm create-snapshot snap -- "$n"
	unlike "without a warning" "$OUT" warning
done
fails 1 'use 1 to 64' vmadm create-snapshot snap "a$long"
fails 1 'use 1 to 64' vmadm create-snapshot snap ..
all=$(zlogin "$s" ls -A /checkpoints)
eq "all are seen" "$(wc -l <<<"$all")" 5
check "reboot" vmadm reboot snap
eq "and after a boot" "$(zlogin "$s" ls -A /checkpoints)" "$all"
check "one is looked into" zlogin "$s" 'test -d "/checkpoints/A:%_.-1/etc"'
check "rolled back to" vmadm rollback-snapshot snap 'A:%_.-1'
check "and taken away" vmadm delete-snapshot snap 'A:%_.-1'
eq "inside too" "$(zlogin "$s" ls -A /checkpoints | wc -l)" 4

# ---- imgadm: messages too ----
vmadm stop snap 2>/dev/null
said '^Created image [0-9a-f-]{36}$' imgadm create snap name=mine version=1
said '^Deleted image [0-9a-f-]{36}$' imgadm delete "$(imgadm list -Ho uuid name=mine)"
