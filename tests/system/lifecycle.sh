#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# A VM's life by vmadm's verbs: the messages and exit codes that scripts rely on, and the kernel's state behind them.
. "$(dirname "$0")/lib.sh"
need_root
node life
pool

mkzone z web01 '"max_lwps":200,"tags":{"role":"web"}'
eq "state after create" "$(vmstate "$z")" running
like "the zone's own init is pid 1" "$(zlogin "$z" cat /proc/1/comm)" '^zinit$'
eq "hostname" "$(zlogin "$z" uname -n)" web01
eq "its root is uid 0 inside" "$(zlogin "$z" id -u)" 0
pid=$(vmadm get "$z" | jq .pid)
like "and another outside" "$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")" '^[0-9]{9,}$'
eq "get shows the alias" "$(vmadm get "$z" | jq -r .alias)" web01
eq "get by alias" "$(vmadm get web01 | jq -r .uuid)" "$z"
eq "get by prefix" "$(vmadm get "${z:0:8}" | jq -r .uuid)" "$z"
eq "lookup by tag" "$(vmadm lookup tags.role=web)" "$z"

check "start of a running VM is no failure" vmadm start "$z"
like "and says so" "$OUT" 'already running'
zid=$(vmadm get "$z" | jq .zoneid)
check "reboot -F" vmadm reboot "$z" -F
like "message" "$OUT" "^Successfully completed reboot for VM $z"
check "a new zoneid" test "$(vmadm get "$z" | jq .zoneid)" -gt "$zid"
check "orderly reboot" vmadm reboot "$z"
check "stop" vmadm stop "$z"
like "message" "$OUT" "^Successfully completed stop for VM $z"
eq "state" "$(vmstate "$z")" stopped
eq "autoboot is off" "$(vmadm get "$z" | jq .autoboot)" false
eq "nothing of it runs" "$(cat "$(cgdir "$z" v2)"/cgroup.procs 2>/dev/null)" ""
check "stop again" vmadm stop "$z"
like "says so" "$OUT" 'already stopped'
fails 1 'not running' vmadm reboot "$z"
fails 1 'not running' vmadm kill "$z"
check "start" vmadm start web01
like "message" "$OUT" "^Successfully started VM $z"
eq "autoboot is on" "$(vmadm get "$z" | jq .autoboot)" true
check "stop -F" vmadm stop "$z" -F
check "start" vmadm start "$z"
fails 1 '-t is for' vmadm stop "$z" -t 3

# power-off and reboot from inside
zid=$(vmadm get "$z" | jq .zoneid)
zlogin "$z" reboot -f >/dev/null 2>&1 || zlogin "$z" busybox reboot -f >/dev/null 2>&1
check "a reboot from inside boots it again" await 20 bash -c "vmadm get $z | jq -e '.zoneid > $zid and .state == \"running\"'"
zlogin "$z" poweroff -f >/dev/null 2>&1
check "a power-off from inside stops it" await 20 bash -c "[ \$(vmadm get $z | jq -r .state) = stopped ]"
eq "and sets autoboot false" "$(vmadm get "$z" | jq .autoboot)" false
check "start after that" vmadm start "$z"
vmadm update "$z" autoboot=true >/dev/null 2>&1
chattr +i "$NODE_POOL/$z/config"
zlogin "$z" poweroff -f >/dev/null 2>&1
check "nor does a record that can't be written hold it up" await 20 bash -c "[ \$(vmadm get $z | jq -r .state) = stopped ]"
check "all of it has gone" await 5 test ! -e "$NODE_RUN/$z"
chattr -i "$NODE_POOL/$z/config"
check "start after that" vmadm start "$z"

# init dies: it is started again
pid=$(vmadm get "$z" | jq .pid)
check "kill -s KILL" vmadm kill -s KILL "$z"
check "a dead init is started again" await 20 bash -c "vmadm get $z | jq -e '.pid != null and .pid != $pid'"
vmadm stop "$z" -F
check "restart_init=false" vmadm update "$z" restart_init=false
check "start" vmadm start "$z"
check "kill" vmadm kill -s KILL "$z"
check "it stays down" await 20 bash -c "[ \$(vmadm get $z | jq -r .state) = stopped ]"
eq "exit_status is minus the signal" "$(vmadm get "$z" | jq .exit_status)" -9
like "exit_timestamp" "$(vmadm get "$z" | jq -r .exit_timestamp)" '^20[0-9-]+T[0-9:.]+Z$'

# update
check "start" vmadm start "$z"
check "update live" vmadm update "$z" max_lwps=123 cpu_cap=50 alias=web02
like "message" "$OUT" "^Successfully updated VM $z"
eq "pids limit in the kernel" "$(cat "$(cgdir "$z" pids)/pids.max")" 123
eq "alias" "$(vmadm get "$z" | jq -r .alias)" web02
vmadm get "$z" | jq '.max_lwps=150' >v.json
check "get | edit | update" vmadm update "$z" -f v.json
eq "pids limit in the kernel" "$(cat "$(cgdir "$z" pids)/pids.max")" 150
like "without a word, for these are its own uuid and brand" "$OUT" "^Successfully updated VM $z\$"
run vmadm update "$z" brand=lx uuid=11111111-2222-4333-8444-555555555555 max_lwps=150
like "another brand or uuid is not taken, and that is said" "$RC $OUT" "^0 .*uuid can't change: it is $z"
like "of both" "$OUT" "brand can't change: it is joyent"
fails 1 'max_lwps' vmadm update "$z" max_lwpz=3
eq "a refused update changes nothing" "$(vmadm get "$z" | jq .max_lwps)" 150
check "cpu_cap=0 takes the property away" vmadm update "$z" cpu_cap=0
eq "gone" "$(vmadm get "$z" | jq .cpu_cap)" null

# snapshots
zlogin "$z" 'echo one >/root/f; sync'
check "create-snapshot" vmadm create-snapshot "$z" s1
like "message" "$OUT" "^Created snapshot s1 for VM $z"
fails 1 'already' vmadm create-snapshot "$z" s1
fails 1 'snapshot name' vmadm create-snapshot "$z" ../x
fails 1 "letter than a dot" vmadm create-snapshot "$z" .x
eq "seen inside at /checkpoints" "$(zlogin "$z" cat /checkpoints/s1/root/f)" one
check_not "read-only there" zlogin "$z" touch /checkpoints/s1/root/g
zlogin "$z" 'echo two >/root/f; sync'
check "create-snapshot" vmadm create-snapshot "$z" s2
check "rollback of a running VM" vmadm rollback-snapshot "$z" s1
like "message" "$OUT" "^Rolled back snapshot s1 for VM $z"
eq "content is back" "$(zlogin "$z" cat /root/f)" one
check "to a newer one, in any order" vmadm rollback-snapshot "$z" s2
eq "content" "$(zlogin "$z" cat /root/f)" two
eq "get lists both" "$(vmadm get "$z" | jq -r '[.snapshots[].name] | sort | join(" ")')" "s1 s2"
check "delete-snapshot" vmadm delete-snapshot "$z" s1
fails 1 'no snapshot' vmadm delete-snapshot "$z" s1
mkzone pv private '"image_sharing":"private"'
for x in "$z" "$pv"; do
	for s in s3 s4 s5; do vmadm create-snapshot "$x" $s >/dev/null 2>&1; done
	zlogin "$x" 'mkdir /checkpoints/own; echo mine >/checkpoints/own/f'
	check "stopped" vmadm stop "$x" -F
	check "delete-snapshot of a stopped VM" vmadm delete-snapshot "$x" s4
	check "started" vmadm start "$x"
	eq "no folder of it is left, and nothing of the zone's is touched" \
		"$(zlogin "$x" 'ls /checkpoints | tr "\n" " "; cat /checkpoints/own/f')" "own $([ "$x" = "$pv" ] || echo 's2 ')s3 s5 mine"
	check "rolled back to one that is older than what was deleted" vmadm rollback-snapshot "$x" s5
	unlike "no folder comes back" "$(zlogin "$x" ls /checkpoints)" s4
done
check "delete" vmadm delete "$pv"
# with its quota used up by what snapshots hold, room is there when the command has returned
mkzone q quota '"quota":1'
fill() { zlogin "$q" "head -c ${1}m /dev/urandom >/root/fill && sync"; }
fill 950
vmadm create-snapshot "$q" full >/dev/null 2>&1
zlogin "$q" 'rm /root/fill; sync'
check_not "a snapshot holds the quota" fill 150
check "delete-snapshot" vmadm delete-snapshot "$q" full
check "and the room is there" fill 500
vmadm create-snapshot "$q" half >/dev/null 2>&1
zlogin "$q" "head -c 480m /dev/urandom >/root/more; sync" 2>/dev/null
check "rollback" vmadm rollback-snapshot "$q" half
check "and the room is there" zlogin "$q" 'head -c 400m /dev/urandom >/root/other && sync'
check "delete" vmadm delete "$q"

# delete
check "indestructible" vmadm update "$z" indestructible_zoneroot=true
fails 1 'indestructible_zoneroot' vmadm delete "$z"
check "clear it" vmadm update "$z" indestructible_zoneroot=false
check "delete of a running VM" vmadm delete "$z"
like "message" "$OUT" "^Successfully deleted VM $z"
fails 1 'No such zone configured' vmadm get "$z"
check_not "no zonepath" test -e "$NODE_POOL/$z"
eq "no cgroup" "$(find /sys/fs/cgroup -maxdepth 5 -name "$z" 2>/dev/null)" ""
check_not "no run directory" test -e "$NODE_RUN/$z"
for v in send receive; do fails 2 'usage' vmadm $v; done

# several at once, ambiguous names
check "an array makes several" vmadm create <<<'[{"brand":"joyent-minimal","alias":"twin"},{"brand":"joyent-minimal","alias":"twin"}]'
fails 1 'twin' vmadm get twin
eq "two of them" "$(vmadm lookup alias=twin | wc -l)" 2
fails 1 '' vmadm lookup -1 alias=twin
for u in $(vmadm lookup alias=twin); do check "delete" vmadm delete "$u"; done
eq "none is left" "$(vmadm list -H)" ""

# full quotas, which kernels before 6.7 have to use: the limit holds from the first moment, and after a snapshot
full=$CLOISTER_NODE-full
another_node "$full"
on() { CLOISTER_NODE=$full "$@"; }
check "a pool with full quotas" on cloister pool create --size 2G --quota full
on mkzone f full '"quota":1'
for when in "from the start" "after a snapshot"; do
	run on zlogin "$f" 'head -c 1100m /dev/urandom >/root/fill; sync /root/fill'
	like "full quotas: the limit holds $when" "$OUT" 'quota exceeded|No space left'
	on zlogin "$f" 'rm -f /root/fill; sync'
	check "full quotas: snapshot" on vmadm create-snapshot "$f" "s${when: -2}"
done
check "delete" on vmadm delete "$f"
