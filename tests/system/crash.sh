#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# alone: it detaches pools
# What the world does to a node: a host that goes down, disks that are full or gone, records that are damaged, processes
# that are killed in the middle. (Commands killed at each of their steps: kill.sh.)
. "$(dirname "$0")/lib.sh"
need_root
node crash
pool 2G

cat >hold.py <<'P'
"""hold.py FILE: takes the lock that commands take on a VM, says so, keeps it until it is killed"""
import fcntl, os, signal, struct, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.fcntl(fd, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
print('held', flush=True)
signal.pause()
P
# Holds VM's lock until `release`.
hold() {
	: >held
	python3 "$T_TMP/hold.py" "$NODE_RUN/locks/$1" >held &
	holder=$!
	await 10 grep -q held held
}
release() {
	kill "$holder"
	wait "$holder" 2>/dev/null
}
sql() { python3 - "$NODE_STATE/node.db" "$@" <<'P'; }
import sqlite3, sys
d = sqlite3.connect(sys.argv[1], isolation_level=None)
for q in sys.argv[2:]:
    for row in d.execute(q):
        print(*row)
P
states() { vmadm list -H -o alias,state -s alias | awk '{print $1 "=" $2}' | tr '\n' ' '; }
keeper() { awk '/^keeper/ {print $2}' "$NODE_RUN/$1/zone"; }
workerof() { awk '{print $1}' "$NODE_RUN/$1/worker"; }

# ---- commands of one VM queue, those of others pass ----
mkzone a alpha
mkzone b beta
hold "$a"
vmadm update "$a" max_lwps=300 >a.out 2>&1 &
job=$!
check "another VM's update does not wait" timeout 20 vmadm update "$b" max_lwps=301
check "nor its stop and start" timeout 60 bash -c 'vmadm stop "$1" -F && vmadm start "$1"' - "$b"
check "nor a create" timeout 60 vmadm create <<<'{"brand":"joyent-minimal","alias":"gamma","autoboot":false}'
check "nor get and list" timeout 10 bash -c 'vmadm get "$1" && vmadm list' - "$a"
check "nor a login" timeout 10 zlogin "$a" true
check "the VM's own update waits" kill -0 "$job"
vmadm update "$a" max_lwps=400 >/dev/null 2>&1 &
job2=$!
release
wait "$job"
eq "and is done when it is let" "$?" 0
wait "$job2"
like "so is the one behind it" "$(vmadm get "$a" | jq .max_lwps)" '^(300|400)$'
eq "the kernel has what the record has" "$(cat "$(cgdir "$a" pids)/pids.max")" "$(vmadm get "$a" | jq .max_lwps)"

# ---- keeper and worker killed in the middle of what is done to their zone ----
mkzone v victim
for op in "stop -F" "stop" "reboot -F" "reboot" "delete"; do
	for who in keeper worker both; do
		k=$(keeper "$v") w=$(workerof "$v")
		vmadm ${op%% *} "$v" $(sed -n 's/^[a-z]* //p' <<<"$op") >op.out 2>&1 &
		job=$!
		case $who in keeper) kill -KILL "$k" ;; worker) kill -KILL "$w" ;; both) kill -KILL "$k" "$w" ;; esac 2>/dev/null
		wait "$job"
		rc=$?
		like "$op with its $who killed: done, or it says why not" "$rc $(cat op.out)" '^(0 |1 .*[a-z]{4})'
		if [ "$op" = delete ]; then
			eq "$op with its $who killed: nothing is left" \
				"$(vmadm list -H -o uuid | grep "$v")$(ls -d "$NODE_POOL/$v" "$NODE_RUN/$v" 2>/dev/null)$(find /sys/fs/cgroup -maxdepth 5 -name "$v" 2>/dev/null)$(pgrep -f "zoneadmd.*$v")" ""
			mkzone v victim
		else
			run vmadm start "$v"
			check "$op with its $who killed: it runs after a start" await 10 zlogin "$v" true
		fi
	done
done

# ---- the helper that a keeper calls when its zone has ended ----
hold "$v"
kill -KILL "$(vmadm get "$v" | jq .pid)"
check "a zone that ended is taken care of" await 10 pgrep -f "zone-ended $v"
for i in 1 2 3; do
	helper=$(pgrep -f "zone-ended $v" | head -1)
	kill -KILL "$helper"
	check "a killed helper is called again" await 10 bash -c 'p=$(pgrep -f "zone-ended $2" | head -1); [ -n "$p" ] && [ "$p" != "$1" ]' - "$helper" "$v"
done
release
check "and the zone is back" await 20 zlogin "$v" true
# adopted, it still tells how its zone ended
kill -KILL "$(keeper "$v")"
check "adopted by the next command" vmadm update "$v" restart_init=false
zlogin "$v" 'kill -TERM 1' >/dev/null 2>&1
kill -KILL "$(vmadm get "$v" | jq .pid)" 2>/dev/null
check "ends" await 20 eval '[ "$(vmstate "$v")" = stopped ]'
like "adoption keeps the exit status" "$(vmadm get "$v" | jq -c .exit_status)" '^-?[0-9]+$'
# a stop that is killed when the zone has ended has not lost how the zone ended: not before the next command, and not after it
vmadm start "$v" >/dev/null 2>&1
rm -f "$NODE_POOL/$v/config/lastexited.json"
CLOISTER_FAIL=halt-end:kill vmadm stop "$v" -F >/dev/null 2>&1
eq "a killed stop: its exit status is there" "$(vmadm get "$v" | jq .exit_status)" -9
vmadm start "$v" >/dev/null 2>&1
eq "a killed stop: and stays" "$(vmadm get "$v" | jq -c '[.state, .exit_status]')" '["running",-9]'
vmadm delete "$v" >/dev/null 2>&1

# ---- damaged records ----
mkzone d damaged '"autoboot":false'
good=$(sql "SELECT text FROM record WHERE uuid = '$d'")
for bad in '{' '' '[]' '{"uuid":"x"}' "$(printf '{"a":%.0s' {1..300})" 'null'; do
	sql "UPDATE record SET text = '$bad' WHERE uuid = '$d'"
	fails 1 "$d" vmadm get "$d"
	fails 1 "$d" vmadm start "$d"
	check "a damaged record does not stop the others" vmadm get "$a"
	check "nor the list" vmadm list
done
eq "a damaged record: nothing of it was lost" "$(ls -d "$NODE_POOL/$d/root")" "$NODE_POOL/$d/root"
check "import takes a damaged one back from the pool" cloister pool import
eq "as it was" "$(sql "SELECT text FROM record WHERE uuid = '$d'" | jq -cS .)" "$(jq -cS . <<<"$good")"
check "mended, it works" vmadm start "$d"
vmadm stop "$d" -F >/dev/null 2>&1
echo garbage >"$NODE_POOL/$d/config/lastexited.json"
check "a damaged exit status is no more than that" vmadm get "$d"
mkdir -p "$NODE_RUN/$d"
for f in zone ended worker; do head -c 300 /dev/urandom >"$NODE_RUN/$d/$f"; done
run vmadm get "$d"
run vmadm start "$d"
check "garbage in the run directory does not keep it from starting" zlogin "$d" true

# ---- schema and database file ----
zone_alive() { grep -q . "$(cgtop "$1")/cgroup.procs" 2>/dev/null; }
v0=$(sql 'PRAGMA user_version')
sql 'PRAGMA user_version = 99'
fails 1 'schema version 99.*knows up to' vmadm list
fails 1 'newer cloister' vmadm create <<<'{"brand":"joyent-minimal"}'
check "a newer schema: zones run on" test -d "/proc/$(awk '/^init/ {print $2}' "$NODE_RUN/$a/zone")"
fails 1 "$d was halted.*schema version 99" vmadm stop "$d" -F
check "an end that is asked for comes first" await 10 eval '! zone_alive "$d"'
sql "PRAGMA user_version = $v0"
check "back" vmadm list
eq "and it reads stopped" "$(vmstate "$d")" stopped
check "and starts" vmadm start "$d"
before=$(states)
sql 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
cp "$NODE_STATE/node.db" db.good
head -c 65536 /dev/urandom >"$NODE_STATE/node.db"
fails 1 'node.db' vmadm list
fails 1 'node.db' vmadm create <<<'{"brand":"joyent-minimal"}'
fails 1 'node.db' cloister boot
rm -f "$NODE_STATE"/node.db*
ids() { awk '$1 == 0 {print $2; exit}' "/proc/$(awk '/^init/ {print $2}' "$NODE_RUN/$1/zone")/uid_map"; }
groups=/sys/fs/btrfs/$(findmnt -no UUID "$NODE_POOL")/qgroups
group_of() { echo "1_$(($(ids "$1") >> 16))"; }
limit_of() { cat "$groups/$(group_of "$1")/max_referenced"; }
limits=$(limit_of "$a")
while :; do limit_of "$a"; done >limits.out 2>&1 &
watch=$!
check "the database gone: import has all from the pool" cloister pool import
kill "$watch"
wait "$watch" 2>/dev/null
eq "the same VMs in the same states" "$(states)" "$before"
eq "what runs keeps its user ids" "$(sql "SELECT id_base FROM vm WHERE uuid = '$a'")" "$(ids "$a")"
eq "and nobody else got them" "$(sql 'SELECT count(DISTINCT id_base) = count(*) FROM vm')" 1
eq "and its quota held all the time" "$(sort -u limits.out)" "$limits"
check "usable at once" vmadm update "$b" max_lwps=350

# ---- a full pool ----
i=0
for size in 512M 64M 4M 64K 4K; do
	while fallocate -l "$size" "$NODE_POOL/fill.$((i += 1))" 2>/dev/null && [ "$i" -lt 400 ]; do :; done
done
dd if=/dev/urandom of="$NODE_POOL/fill" bs=4k count=50000 2>/dev/null
run vmadm create <<<'{"brand":"joyent-minimal","alias":"late"}'
if [ "$RC" = 0 ]; then
	ok "full pool: create fits into the reserve"
	check "full pool: delete" vmadm delete late
else
	like "full pool: create says why" "$OUT" 'space|ENOSPC|full'
	eq "full pool: and nothing is left" "$(vmadm list -H -o alias | grep late)" ""
fi
for c in "update $b alias=fuller" "create-snapshot $b s" "stop $b -F" "start $b" "delete gamma"; do
	run vmadm $c
	like "full pool: ${c%% *} works or says why" "$RC $OUT" '^(0 |1 .*(space|ENOSPC|full))'
done
check "full pool: list, get" vmadm get "$b"
rm -f "$NODE_POOL"/fill*
sync -f "$NODE_POOL"
run vmadm start "$b"
check "room again: all is well" await 20 zlogin "$b" true

# ---- the pool goes away ----
before=$(states)
vmadm stop "$b" -F >/dev/null 2>&1
vmadm stop "$d" -F >/dev/null 2>&1
umount -l "$NODE_POOL"
like "a lost pool: what is stopped is missing" "$(states)" "missing"
fails 1 '.' vmadm start "$b"
check "what runs runs on" test -d "/proc/$(awk '/^init/ {print $2}' "$NODE_RUN/$a/zone")"
run cloister pool import
check "found again" await 5 mountpoint -q "$NODE_POOL"
check "and its VMs" vmadm start "$b"
check "with their data" zlogin "$b" true

# ---- the host goes down ----
for x in "$a" "$b"; do vmadm start "$x" >/dev/null 2>&1; done
mkzone e echo
vmadm update "$e" autoboot=false >/dev/null # runs, but is not to come back
vmadm stop "$d" -F >/dev/null 2>&1
eq "before" "$(states)" "alpha=running damaged=stopped echo=running fuller=running "
power_cut keep
umount -l "$NODE_POOL"
await 10 bash -c '! losetup -nO BACK-FILE | grep -q "'"$NODE_STATE"'"' || losetup -nO NAME,BACK-FILE | awk -v s="$NODE_STATE" 'index($2, s) {print $1}' | xargs -r losetup -d
cat /proc/sys/kernel/random/uuid >bootid
# Its run directory is that of the last boot, as on a host whose /run is a disk: what is in there must not be believed.
unshare -m --propagation private bash -c 'mount --bind bootid /proc/sys/kernel/random/boot_id && exec sleep 300' &
next=$!
await 10 bash -c 'cmp -s bootid /proc/'"$next"'/root/proc/sys/kernel/random/boot_id || nsenter -t '"$next"' -m cmp bootid /proc/sys/kernel/random/boot_id'
then_() { nsenter -t "$next" -m -- "$@"; }
unlike "after the crash nothing is said to run" "$(then_ vmadm list -H -o state)" running
hold "$a"
then_ cloister boot >boot.out 2>&1 &
job=$!
await 30 then_ zlogin "$b" true
eq "boot: the others start while one is held up" "$(then_ vmadm list -H -o state "uuid=$a") $(then_ vmadm list -H -o state "uuid=$b")" "stopped running"
release
wait "$job"
eq "boot: done" "$? $(grep -i error boot.out)" "0 "
check "boot: the one held up runs too" then_ zlogin "$a" true
eq "boot: what had autoboot runs, the others are off" "$(then_ vmadm list -H -o state "uuid=$e") $(then_ vmadm list -H -o state "uuid=$d")" "stopped stopped"
check "boot: data is there" then_ zlogin "$b" true
check "boot: twice is harmless" then_ cloister boot
auto() { then_ vmadm list -H -o autoboot -s alias | tr '\n' ' '; }
before=$(auto)
# whoever keeps the pool in a mount namespace of its own is named, and nothing is taken from under it
nsenter -t "$next" -m -- unshare -m --propagation private sleep 300 &
own=$!
await 10 eval '[ "$(readlink /proc/$own/ns/mnt)" != "$(readlink /proc/$next/ns/mnt)" ] && grep -q "^sleep" /proc/$own/comm'
fails 1 "process $own \(sleep\)" then_ cloister shutdown
check "the pool is still there" then_ mountpoint -q "$NODE_POOL"
kill "$own"
wait "$own" 2>/dev/null
check "shutdown" then_ cloister shutdown
unlike "shutdown: nothing runs" "$(pgrep -fa "zoneadmd.*($a|$b)")" .
check_not "shutdown: the pool is detached" then_ mountpoint -q "$NODE_POOL"
check "boot after that" then_ cloister boot
eq "shutdown left autoboot alone" "$(auto)" "$before"
check "and they run again" then_ zlogin "$a" true
for x in $(then_ vmadm list -H -o uuid); do check "delete" then_ vmadm delete "$x"; done
then_ cloister shutdown >/dev/null 2>&1
kill "$next"
wait "$next" 2>/dev/null

# ---- a full disk under /var/lib and /run ----
two=$CLOISTER_NODE-2
another_node "$two"
truncate -s 1G two.img
dev=$(losetup -f --show two.img)
mkdir -p "/var/lib/cloister-$two" "/run/cloister-$two"
mount -t tmpfs -o size=4m two "/var/lib/cloister-$two"
mount -t tmpfs -o size=2m two "/run/cloister-$two"
on() { CLOISTER_NODE=$two "$@"; }
check "a second node" on cloister pool create "$dev"
run on vmadm create <<<'{"brand":"joyent-minimal","alias":"one"}'
one=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
check "with a zone" on zlogin "$one" true
for where in "/var/lib/cloister-$two" "/run/cloister-$two"; do
	dd if=/dev/zero of="$where/fill" bs=4k 2>/dev/null
	run on vmadm create <<<'{"brand":"joyent-minimal","alias":"two"}'
	like "full $where: create says why" "$RC $OUT" '^1 .*(space|ENOSPC|full)'
	check "full $where: list" on vmadm list
	check "full $where: get" on vmadm get "$one"
	run on vmadm update "$one" max_lwps=333
	like "full $where: update works or says why" "$RC $OUT" '^(0 |1 .*(space|ENOSPC|full))'
	run on zlogin "$one" true
	like "full $where: a login works or says why" "$RC $OUT" '^(0|1 .*(space|ENOSPC|full))'
	rm -f "$where/fill"
	eq "room again in $where: one VM, no half one" "$(on vmadm list -H -o alias,state | tr -s ' ')" "one running"
	eq "and the kernel has what the record has" "$(cat "$(NODE=$two cgdir "$one" pids)/pids.max")" "$(on vmadm get "$one" | jq .max_lwps)"
	run on vmadm create <<<'{"brand":"joyent-minimal","alias":"two"}'
	check "and create works" test "$RC" = 0
	check "so does delete" on vmadm delete two
done
check "delete" on vmadm delete "$one"
on cloister pool destroy -y >/dev/null 2>&1
CLOISTER_NODE=$two node_clean "$two"
umount -l "/var/lib/cloister-$two" "/run/cloister-$two" 2>/dev/null
losetup -d "$dev" 2>/dev/null
