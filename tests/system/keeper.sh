#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Keeper and worker: whichever of them is killed, the zone runs on and nothing is lost but what ARCHITECTURE.md names.
. "$(dirname "$0")/lib.sh"
need_root
node keeper
pool

field() { awk -v k="$2" -v n="$3" '$1 == k {print $n}' "$NODE_RUN/$1/zone"; }
keeper() { field "$1" keeper 2; }
init() { field "$1" init 2; }
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }
alive() { [ -d "/proc/$1" ] && [ "$(awk '{print $3}' "/proc/$1/stat" 2>/dev/null)" != Z ]; }
gone() { ! alive "$1"; }
other_than() { local n; n=$($2 "$3" 2>/dev/null) && [ -n "$n" ] && [ "$n" != "$1" ] && alive "$n"; }
private() { awk '/^Private_Dirty/ {s += $2} END {print s}' "/proc/$1/smaps_rollup"; } # not the program: which of the two has a page of it mapped says nothing

mkzone z k1 '"autoboot":true'
await 5 test -s "$NODE_RUN/$z/worker"
unlike "init has descriptors of its own only" "$(find "/proc/$(init "$z")/fd" -lname '/*' -printf '%l\n')" '^/(dev/null|dev/pts|zones|run/cl|proc|sys|tmp|root|home)'
like "keeper and worker are in their own cgroup, wherever the node has its own" \
	"$(cat "/proc/$(keeper "$z")/cgroup" "/proc/$(worker "$z")/cgroup" | grep '^0::' | sort -u | tr '\n' ' ')" "^0::(/cloister.slice/cloister-zones.service)?/cloister-$NODE/_sup $"
le "private memory of keeper and worker, KiB" $(($(private "$(keeper "$z")") + $(private "$(worker "$z")"))) 256
unlike "the build namespace has nothing of the host" \
	"$(awk '{print $5}' "/proc/$(init "$z")/mountinfo")" "$NODE_POOL|$NODE_RUN|^/sys/fs/cgroup/."

# the worker
check "the zone writes to its console" zlogin "$z" 'echo first words >/dev/console'
await 5 grep -q 'first words' "$NODE_LOG/vms/$z/console.log"
w=$(worker "$z") i=$(init "$z")
kill -KILL "$w"
check "a killed worker is started again" await 5 other_than "$w" worker "$z"
check "the zone has not noticed" alive "$i"
check "the console log goes on" zlogin "$z" 'echo second words >/dev/console'
check "behind what was there" await 5 grep -q 'second words' "$NODE_LOG/vms/$z/console.log"
like "scroll-back survives a worker" "$( (read -rt 1 <> <(:); printf '~.') | timeout 5 vmadm console "$z" 2>&1)" 'first words'

# the keeper
k=$(keeper "$z")
kill -KILL "$k"
await 5 gone "$k"
check "without its keeper the zone runs" alive "$i"
eq "and is running" "$(vmstate "$z")" running
check "zlogin works" zlogin "$z" true
check "any command that works on it adopts it" vmadm update "$z" alias=k2
check "there is another keeper" other_than "$k" keeper "$z"
eq "of the same init" "$(init "$z")" "$i"
check "the console works" zlogin "$z" 'echo third words >/dev/console'
check "and is logged" await 5 grep -q 'third words' "$NODE_LOG/vms/$z/console.log"
echo '{"add_filesystems":[{"type":"lofs","source":"/usr/share/doc","target":"/mnt/doc","options":["ro"]}]}' | run vmadm update "$z"
check "mounts can still be added live" test "$RC" = 0
check "and are there" zlogin "$z" 'test -d /mnt/doc'
check_not "with their flags locked" zlogin "$z" 'mount -o remount,rw,bind /mnt/doc'
run vmadm update "$z" <<<'{"remove_filesystems":["/mnt/doc"]}'
check_not "and be removed live" zlogin "$z" 'grep -q /mnt/doc /proc/mounts'

# both at once
k=$(keeper "$z") w=$(worker "$z")
kill -KILL "$k" "$w"
await 5 gone "$k"
await 5 gone "$w"
check "without keeper and worker the zone runs" alive "$i"
check "and stops" vmadm stop "$z" -F
eq "stopped" "$(vmstate "$z")" stopped
eq "nothing of it is left in the run directory" "$(ls "$NODE_RUN/$z" 2>/dev/null)" ""

# ends from inside
check "start" vmadm start "$z"
i=$(init "$z")
zlogin "$z" 'reboot -f' >/dev/null 2>&1 || zlogin "$z" 'kill -INT 1' >/dev/null 2>&1
check "reboot from inside" await 15 other_than "$i" init "$z"
await 5 test "$(vmstate "$z")" = running
i=$(init "$z")
kill -KILL "$i"
check "a killed init is started again" await 15 other_than "$i" init "$z"
zlogin "$z" 'kill -TERM 1' >/dev/null 2>&1
check "power-off from inside" await 15 eval '[ "$(vmstate "$z")" = stopped ]'
eq "leaves it off for good" "$(vmadm get "$z" | jq .autoboot)" false

# every stage of zoneadmd, killed and failing
for s in namespaces init ids go root dev kernel mounts pivot exec; do
	for how in kill error; do
		CLOISTER_FAIL="zone-$s:$how" run vmadm start "$z"
		check "zone-$s:$how: start fails" test "$RC" -gt 0 -a "$RC" -lt 128
		eq "zone-$s:$how: stopped" "$(vmstate "$z")" stopped
		eq "zone-$s:$how: nothing runs" "$(pgrep -f "zoneadmd.*$z")$(find /sys/fs/cgroup -maxdepth 4 -name "$z")" ""
	done
done
check "start after all that" vmadm start "$z"

# a root that was prepared against us
check "stop" vmadm stop "$z" -F
up=$NODE_POOL/$z/root/upper
for name in dev proc sys .zonecontrol; do
	rm -rf "${up:?}/$name"
	ln -s /etc "$up/$name"
	run vmadm start "$z"
	like "/$name as a link: refused by name" "$RC $OUT" "^[1-9][0-9]* .*/$name in the zone's root is not a folder"
	rm "$up/$name"
done
rm -rf "${up:?}/mnt"
ln -s ../../../../../../../../tmp "$up/mnt"
check "a link out of the root, for a mount target" vmadm start "$z"
check "a filesystem below it, live" vmadm update "$z" <<<'{"add_filesystems":[{"type":"lofs","source":"/usr/share/doc","target":"/mnt/x"}]}'
check "is followed inside only" zlogin "$z" 'grep -q " /tmp/x " /proc/mounts'
check_not "and not outside" test -e /tmp/x
check "delete" vmadm delete "$z"
