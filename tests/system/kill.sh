#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# Kills a command before and after every step of every operation; then either nothing is left of it, or a VM in a named
# state that `vmadm delete` clears. Steps are found from the operation log, so a new step is tested the day it is born.
. "$(dirname "$0")/lib.sh"
need_root
node kill
pool

steps_of() { # prefix: the names of the steps a -v run prints
	sed -nE "s/^[a-z-]+ [0-9a-f-]{36}: ([a-z-]+) +[0-9.]+ ms$/\1/p" <<<"$1" | sort -u
}

leftovers() { # uuid
	find /sys/fs/cgroup -maxdepth 5 -name "$1" 2>/dev/null
	ls -d "$NODE_POOL/$1" "$NODE_RUN/$1" "$NODE_LOG/vms/$1" 2>/dev/null
	grep -F "$1" /proc/self/mountinfo
	pgrep -fa "zoneadmd.*$1"
	vmadm list -H -o uuid | grep -F "$1"
	ls "$NODE_RUN/intents" 2>/dev/null | grep -F "$1"
}

u=11111111-2222-4333-8444-000000000001
json="{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}"
other='{"brand":"joyent-minimal","alias":"other","autoboot":false}'
out=$(vmadm -v create <<<"$json" 2>&1)
steps=$(steps_of "$out" | grep -E '^(create|boot)-')
check "there are steps to kill at" test "$(wc -l <<<"$steps")" -ge 9
check "delete it" vmadm delete "$u"

n=2
for s in $steps; do
	for at in "$s" "$s+"; do
		u=$(printf '11111111-2222-4333-8444-%012d' $n)
		n=$((n + 1))
		CLOISTER_FAIL="$at:kill" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}" >/dev/null 2>&1
		# any next command that changes something clears up
		vmadm create <<<"$other" >/dev/null 2>&1
		vmadm delete other >/dev/null 2>&1
		if vmadm get "$u" >/dev/null 2>&1; then
			state=$(vmstate "$u")
			like "killed at $at: a named state" "$state" '^(provisioning|failed|running|stopped)$'
			check "killed at $at: delete clears it" vmadm delete "$u"
		fi
		eq "killed at $at: nothing is left" "$(leftovers "$u")" ""
	done
	u=$(printf '11111111-2222-4333-8444-%012d' $n)
	n=$((n + 1))
	CLOISTER_FAIL="$s:error" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}" >/dev/null 2>&1
	eq "failing at $s: nothing is left" "$(leftovers "$u")" ""
done

# A zoneadmd that gets no further than some stage, and whose command is killed meanwhile: who wants the VM next ends it first.
stalled() { # uuid command…: starts it, waits until its zoneadmd has stopped, kills the command; $straggler
	local u=$1 pid
	shift
	"$@" >/dev/null 2>&1 &
	pid=$!
	straggler=
	await 20 eval 'for p in $(pgrep -f "zoneadmd --boot $u"); do [ "$(sed "s/.*) //" /proc/$p/stat | cut -c1)" != T ] || straggler=$p; done; [ -n "$straggler" ]'
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	[ -n "$straggler" ]
}
creating() { exec vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$1\"}"; }
for s in namespaces init ids go root dev kernel mounts net pivot exec; do
	u=$(printf '11111111-2222-4333-8444-%012d' $n)
	n=$((n + 1))
	CLOISTER_FAIL=zone-$s:stop check "zoneadmd stopped at zone-$s, its create killed" stalled "$u" creating "$u"
	vmadm create <<<"$other" >/dev/null 2>&1
	vmadm delete other >/dev/null 2>&1
	eq "stopped at zone-$s: nothing is left" "$(leftovers "$u")" ""
	kill -CONT "$straggler" 2>/dev/null && await 5 eval "! kill -0 $straggler"
	eq "stopped at zone-$s: and nothing comes after" "$(leftovers "$u")" ""
done

# create, killed before it knows whether there is such a VM: what is there stays, what is not leaves nothing
u=11111111-2222-4333-8444-999999999999
for at in create-known create-begin; do
	CLOISTER_FAIL="$at:kill" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}" >/dev/null 2>&1
	vmadm create <<<"$other" >/dev/null 2>&1
	vmadm delete other >/dev/null 2>&1
	eq "killed at $at: nothing is left" "$(leftovers "$u")" ""
	CLOISTER_FAIL="$at:error" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}" >/dev/null 2>&1
	eq "failing at $at: nothing is left" "$(leftovers "$u")" ""
done
mkzone z twice
for state in running stopped; do
	[ $state = running ] || vmadm stop "$z" -F >/dev/null 2>&1
	CLOISTER_FAIL=create-known:kill vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$z\"}" >/dev/null 2>&1
	vmadm create <<<"$other" >/dev/null 2>&1
	vmadm delete other >/dev/null 2>&1
	eq "the uuid of a $state VM, killed: that VM is as it was" "$(vmstate "$z")" $state
	fails 1 'exists already' vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$z\"}"
	eq "the uuid of a $state VM, refused: that VM is as it was" "$(vmstate "$z")" $state
done
eq "and a stopped one has no cgroup" "$(find /sys/fs/cgroup -maxdepth 5 -name "$z" 2>/dev/null)" ""
check "it starts" vmadm start "$z"
check "delete it" vmadm delete "$z"
eq "nothing is left" "$(leftovers "$z")" ""

# delete: killed anywhere, the next command finishes it
mkzone z victim
out=$(vmadm -v delete "$z" 2>&1)
for s in $(steps_of "$out" | grep '^delete-'); do
	for at in "$s" "$s+"; do
		mkzone z victim
		CLOISTER_FAIL="$at:kill" vmadm delete "$z" >/dev/null 2>&1
		vmadm create <<<"$other" >/dev/null 2>&1
		vmadm delete other >/dev/null 2>&1
		! vmadm get "$z" >/dev/null 2>&1 || vmadm delete "$z" >/dev/null 2>&1
		eq "delete killed at $at: nothing is left" "$(leftovers "$z")" ""
	done
done

# start, killed anywhere: the VM can be started or deleted
mkzone z life
vmadm stop "$z" -F >/dev/null 2>&1
out=$(vmadm -v start "$z" 2>&1)
for s in $(steps_of "$out" | grep '^boot-'); do
	for at in "$s" "$s+"; do
		vmadm stop "$z" -F >/dev/null 2>&1
		CLOISTER_FAIL="$at:kill" vmadm start "$z" >/dev/null 2>&1
		check "start killed at $at: the next start works" vmadm start "$z"
		check "and it runs" zlogin "$z" true
	done
done
starting() { exec vmadm start "$1"; }
for s in namespaces ids root exec; do
	vmadm stop "$z" -F >/dev/null 2>&1
	CLOISTER_FAIL=zone-$s:stop check "zoneadmd stopped at zone-$s, its start killed" stalled "$z" starting "$z"
	check "the next start works" vmadm start "$z"
	check "and it runs" zlogin "$z" true
done

# stop -F, whose first step is the end of the zone: cut off anywhere, the VM reads stopped and is as free as any other
for at in stop-killed:kill stop-killed:error halt-end:kill halt-end:error; do
	vmadm start "$z" >/dev/null 2>&1
	CLOISTER_FAIL="$at" vmadm stop "$z" -F >/dev/null 2>&1
	check "stop at $at: it reads stopped" await 10 eval '[ "$(vmstate "$z")" = stopped ]'
	check "stop at $at: the next start works" vmadm start "$z"
	check "and it runs" zlogin "$z" true
done
CLOISTER_FAIL=stop-killed:kill vmadm stop "$z" -F >/dev/null 2>&1
check "stop killed, then delete" vmadm delete "$z"
eq "nothing is left" "$(leftovers "$z")" ""
mkzone z life

# update and rollback: before or after, never between
out=$(vmadm -v update "$z" max_lwps=300 quota=5 2>&1)
for s in $(steps_of "$out" | grep '^update-'); do
	for at in "$s" "$s+"; do
		vmadm update "$z" max_lwps=300 >/dev/null 2>&1
		CLOISTER_FAIL="$at:kill" vmadm update "$z" max_lwps=200 >/dev/null 2>&1
		check "update killed at $at: update again" vmadm update "$z" max_lwps=300
		eq "and the kernel agrees" "$(cat "$(cgdir "$z" pids)/pids.max")" 300
	done
done
zlogin "$z" 'echo kept >/root/f; sync'
vmadm create-snapshot "$z" s >/dev/null 2>&1
out=$(vmadm -v rollback-snapshot "$z" s 2>&1)
for s in $(steps_of "$out" | grep '^rollback-'); do
	for at in "$s" "$s+"; do
		CLOISTER_FAIL="$at:kill" vmadm rollback-snapshot "$z" s >/dev/null 2>&1
		vmadm start "$z" >/dev/null 2>&1
		eq "rollback killed at $at: the root is whole" "$(zlogin "$z" cat /root/f)" kept
	done
done
check "delete" vmadm delete "$z"

# every process of ours killed at any time
mkzone z sup
eval "$(sed -n 's/^keeper[_ =]*\([0-9]*\).*/keeper=\1/p' "$NODE_RUN/$z/zone" | head -1)"
if [ -n "${keeper:-}" ]; then
	worker=$(pgrep -P "$keeper" | while read -r p; do grep -q worker "/proc/$p/cmdline" 2>/dev/null && echo "$p"; done | head -1)
	if [ -n "$worker" ]; then
		kill -KILL "$worker"
		check "a killed worker comes back" await 10 bash -c "pgrep -P $keeper | grep -vx $worker"
		check "the zone runs on" zlogin "$z" true
	fi
	kill -KILL "$keeper"
	check "with its keeper dead the zone runs on" zlogin "$z" true
	eq "and is seen running" "$(vmstate "$z")" running
	check "and can be rebooted" vmadm reboot "$z" -F
	check "zlogin after that" zlogin "$z" true
fi
check "delete" vmadm delete "$z"
eq "nothing is left" "$(leftovers "$z")" ""
