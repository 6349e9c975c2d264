#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# A machine's memory to disk and back: its guest goes on where it was, with what was plugged in meanwhile where it is; a checkpoint while it writes, whose memory and
# disk agree after a rollback; the command killed at each step; states that are damaged; what may not change meanwhile.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
node hvmsuspend
pool
Z=/zones-$CLOISTER_NODE
upd() { vmadm update "$M" <<<"$1"; }
status() { vmadm info "$M" | jq -r '.machine.status.status // .status.status'; }
times_up() { console_log "$M" | grep -c 'GUEST READY'; }

mkguest "$T_TMP/g.raw" || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name g "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
check "a switch" nictagadm add -l sw0
mkzone P z1 '"nics":[{"nic_tag":"sw0","interface":"net0","ips":["10.9.0.1/24"]}]' || exit 1
run vmadm create <<<'{"brand":"kvm","ram":192,"quota":1,"alias":"m","nics":[{"nic_tag":"sw0","ips":["10.9.0.2/24"],"mac":"02:08:20:00:00:02"}],"disks":[{"boot":true,"model":"virtio","image_uuid":"'"$IMG"'"},{"model":"virtio","size":16}]}'
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
R=$Z/$M/root
check "its guest is up" guest_up "$M"

# ---- suspend, resume ----
# One that comes after the first is where a start would not put it.
check "a disk goes" upd "{\"remove_disks\":[\"$R/disk1\"]}"
check "two come" upd '{"add_disks":[{"model":"virtio","size":5},{"model":"virtio","size":6}]}'
check "and the first of them goes again" upd "{\"remove_disks\":[\"$R/disk1\"]}"
check "a NIC comes" upd '{"add_nics":[{"nic_tag":"sw0","ips":["10.9.0.3/24"],"mac":"02:08:20:00:00:03"}]}'
check "another" upd '{"add_nics":[{"nic_tag":"sw0","ips":["10.9.0.4/24"],"mac":"02:08:20:00:00:04"}]}'
check "the first of all goes" upd '{"remove_nics":["02:08:20:00:00:02"]}'
check "the last works" g "$M" 'for i in /sys/class/net/*; do test "$(cat $i/address)" = 02:08:20:00:00:04 && n=${i##*/}; done; ip addr add 10.9.0.4/24 dev $n && ip link set $n up && ping -c 2 -w 10 10.9.0.1'
check "an agent" g "$M" '/bin/agent ok & sleep 1'
check "what its memory has" g "$M" 'echo kept >/tmp/f; (n=0; while :; do n=$((n+1)); echo $n >/tmp/count; sleep 0.1; done) & sleep 1; test -s /tmp/count'
run vmadm resume "$M"
like "resume of one that runs" "$OUT" "already running"
check "suspend" vmadm suspend "$M"
eq "its state, everywhere" "$(vmstate "$M") $(vmadm get "$M" | jq -r '.state + " " + .zone_state') $(vmadm list -H -o state uuid="$M")" "suspended suspended installed suspended"
eq "nothing of it runs; its memory is beside its disks" "$(vmadm get "$M" | jq .pid) $(find "$R" -maxdepth 1 -name 'state*' -printf '%f ')" "null state "
le "which takes MiB" $(($(stat -c %s "$R/state") >> 20)) 400
run vmadm suspend "$M"
like "again: it is so" "$OUT" 'already suspended'
fails 1 'is suspended.*memory knows' upd '{"ram":256}'
fails 1 'is suspended.*memory knows' upd '{"add_disks":[{"model":"virtio","size":5}]}'
check "its alias may change" vmadm update "$M" alias=n
fails 1 'is suspended' vmadm start "$M" order=c
U=$(times_up)
check "resume" vmadm resume "$M"
eq "it runs" "$(vmstate "$M") $(status)" "running running"
check "what its memory had" g "$M" 'test "$(cat /tmp/f)" = kept && a=$(cat /tmp/count) && sleep 1 && test "$(cat /tmp/count)" -gt $a'
eq "its guest did not boot" "$(times_up)" "$U"
check "its disk is there" g "$M" 'echo more | dd of=/dev/vdb conv=fsync 2>/dev/null || { ls /dev/vd*; false; }'
check "its NIC works" g "$M" 'ping -c 2 -w 10 10.9.0.1'
run zlogin "$P" 'exec 3<>/dev/tcp/10.9.0.4/9'
like "a zone reaches it" "$OUT" refused
check "its agent was told the time" await 20 console_says "$M" CLOCK
eq "no state is left" "$(find "$R" -maxdepth 1 -name 'state*')" ""

# ---- a checkpoint while it writes, to memory and disk ----
# Thirty-two places on its disk and their sums in its memory: of any other instant than the disk's they are of other words.
check "a load" g "$M" '(while :; do cat /mod/*.ko >/tmp/big; done) & (i=0; while ! test -e /tmp/end; do i=$(((i+1)%32)); head -c 16384 /dev/urandom >/tmp/c; dd if=/tmp/c of=/dev/vdb bs=16384 seek=$i conv=fsync,notrunc 2>/dev/null; md5sum </tmp/c >/tmp/sum.$i; echo $i >>/tmp/done; done; : >/tmp/ended) & sleep 1; test -e /tmp/done'
check "it has gone round" g "$M" 'i=0; while [ $(wc -l </tmp/done) -lt 40 ] && [ $i -lt 150 ]; do sleep 0.1; i=$((i+1)); done; test $(wc -l </tmp/done) -ge 40'
run vmadm create-snapshot "$M" one -m
like "a checkpoint says for how long the guest stood" "$OUT" 'stood for [0-9]+ ms'
echo "# $(grep stood <<<"$OUT")"
eq "the guest runs on, nothing of it is left in its root" "$(status) $(find "$R" -maxdepth 1 -name 'state*' -o -maxdepth 1 -name checkpoint)" "running "
check "it writes on" g "$M" 'a=$(wc -l </tmp/done); i=0; while [ $(wc -l </tmp/done) -lt $((a+40)) ] && [ $i -lt 150 ]; do sleep 0.1; i=$((i+1)); done; test $(wc -l </tmp/done) -ge $((a+40)); echo later >/tmp/f'
check "a snapshot without" vmadm create-snapshot "$M" plain
U=$(times_up)
run vmadm rollback-snapshot "$M" one
like "rolled back to it" "$OUT" 'is suspended'
eq "it is suspended" "$(vmstate "$M")" suspended
check "start lets it go on" vmadm start "$M"
check "its memory and its disk are of one instant" g "$M" ': >/tmp/end; i=0; while ! test -e /tmp/ended && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; test "$(cat /tmp/f)" = kept && echo 3 >/proc/sys/vm/drop_caches && for i in $(seq 0 31); do test "$(dd if=/dev/vdb bs=16384 skip=$i count=1 2>/dev/null | md5sum)" = "$(cat /tmp/sum.$i)" || { echo place $i differs; exit 1; }; done'
eq "it did not boot" "$(times_up)" "$U"
check "once more, from one that runs" vmadm rollback-snapshot "$M" one
eq "it is suspended" "$(vmstate "$M")" suspended
check "the snapshot without drops that" vmadm rollback-snapshot "$M" plain
eq "it is stopped" "$(vmstate "$M")" stopped
check "start boots it" vmadm start "$M"
check "it is up" guest_up "$M" $((U + 1))
check "words for its memory" g "$M" 'echo kept >/tmp/f'

# ---- killed ----
check "it comes up with the host" vmadm update "$M" autoboot=true
for at in suspend-write suspend-commit suspend-commit+ suspend-halt; do
	run env CLOISTER_FAIL=$at:kill vmadm suspend "$M"
	eq "killed at $at" "$RC" 137
	run vmadm start "$M"
	eq "its guest runs, and no state is left" "$(await 20 eval '[ "$(status)" = running ]' && status) $(find "$R" -maxdepth 1 -name 'state*')" "running "
done
eq "and still would" "$(vmadm get "$M" | jq .autoboot)" true
(exec 3>"$T_TMP/k"; vmadm suspend "$M" 3>&- & echo $! >&3; wait) >/dev/null 2>&1 &
await 10 eval '[ -s "$T_TMP/k" ] && [ "$(stat -c %s "$R/state.new" 2>/dev/null || echo 0)" -gt 1000000 ]'
kill -KILL "$(cat "$T_TMP/k")"
check "killed while it writes: the guest runs on by itself" await 20 eval '[ "$(status)" = running ]'
vmadm list >/dev/null; vmadm update "$M" alias=killed >/dev/null
eq "the next command clears that away" "$(find "$R" -maxdepth 1 -name 'state*') $(vmstate "$M")" " running"
for at in checkpoint-written checkpoint-taken; do
	run env CLOISTER_FAIL=$at:kill vmadm create-snapshot "$M" "k-$at" -m
	eq "killed at $at" "$RC" 137
	vmadm update "$M" alias=$at >/dev/null
	eq "the next command lets its guest go on" "$(status) $(find "$R" -maxdepth 1 -name checkpoint)" "running "
done
check "halted" vmadm stop "$M" -F
run env CLOISTER_FAIL=rollback-memory:kill vmadm rollback-snapshot "$M" k-checkpoint-taken
eq "a rollback killed when the root is the snapshot's" "$RC" 137
vmadm update "$M" alias=back >/dev/null
eq "the next command makes its memory the state" "$(vmstate "$M")" suspended
check "start" vmadm start "$M"
check "which has what it had" g "$M" 'test "$(cat /tmp/f)" = kept'
eq "what was taken is whole" "$(vmadm get "$M" | jq -c '[.snapshots[].name | select(startswith("k-"))]')" '["k-checkpoint-taken"]'
run env CLOISTER_FAIL=suspend-commit:error vmadm suspend "$M"
eq "one that fails leaves a guest that runs" "$RC $(status)" "1 running"
check "its memory is what it was" g "$M" 'test "$(cat /tmp/f)" = kept'
for how in error kill; do
	run env CLOISTER_FAIL=halt-end:$how vmadm suspend "$M"
	vmadm update "$M" alias=$how >/dev/null
	eq "one that ends ($how) when its monitor is gone has its memory" "$(vmstate "$M") $(find "$R" -maxdepth 1 -name 'state*' -printf '%f ')" "suspended state "
	check "resume" vmadm resume "$M"
	check "which is what it was" g "$M" 'test "$(cat /tmp/f)" = kept'
done
check "suspend" vmadm suspend "$M"
run env CLOISTER_FAIL=resume-loaded:kill vmadm resume "$M"
eq "resume, killed when all is loaded" "$RC" 137
check "start lets it go on" vmadm start "$M"
check "where it was" g "$M" 'test "$(cat /tmp/f)" = kept'
eq "no state is left" "$(find "$R" -maxdepth 1 -name 'state*')" ""

run env CLOISTER_FAIL=checkpoint-taken:kill vmadm create-snapshot "$M" stale -m
eq "killed with its memory beside its disks" "$RC $(find "$R" -maxdepth 1 -name checkpoint -printf %f)" "137 checkpoint"
kill -KILL "$(vmadm get "$M" | jq .pid)"
check "and its monitor" await 20 is_state "$M" stopped
check "the snapshot goes" vmadm delete-snapshot "$M" stale
check "one of that name, of disks alone" vmadm create-snapshot "$M" stale
check "back to it" vmadm rollback-snapshot "$M" stale
eq "has no memory of an earlier instant" "$(vmstate "$M")" stopped
U=$(times_up)
check "start" vmadm start "$M"
check "it boots" guest_up "$M" $((U + 1))
check "words for its memory" g "$M" 'echo kept >/tmp/f'

# ---- damaged, too large ----
check "suspend" vmadm suspend "$M"
cp "$R/state" "$T_TMP/state"
truncate -s -100 "$R/state"
fails 1 'ends too early' vmadm resume "$M"
fails 1 'Nothing is changed' vmadm start "$M"
cp "$T_TMP/state" "$R/state"
printf X | dd of="$R/state" bs=1 seek=$(($(stat -c %s "$R/state") / 2)) conv=notrunc status=none
fails 1 'it is damaged' vmadm resume "$M"
eq "it stays" "$(vmstate "$M")" suspended
sed 's/pc-q35-7/pc-q35-9/' "$T_TMP/state" >"$R/state"
fails 1 'pc-q35-9|damaged' vmadm resume "$M"
if grep -aq '"accelerator":"kvm"' "$T_TMP/state"; then
	sed 's/"accelerator":"kvm"/"accelerator":"tcg"/' "$T_TMP/state" >"$R/state"
	fails 1 'processors would change|damaged' vmadm resume "$M"
else
	sed 's/"accelerator":"tcg"/"accelerator":"kvm"/' "$T_TMP/state" >"$R/state"
	fails 1 'KVM ran|damaged' vmadm resume "$M"
fi
head -c 100 /dev/urandom >"$R/state"
fails 1 'is no state' vmadm resume "$M"
cp "$T_TMP/state" "$R/state"
check "the right one" vmadm resume "$M"
check "where it was" g "$M" 'test "$(cat /tmp/f)" = kept'
n=0
while [ $n -lt 64 ] && fallocate -l 32M "$R/filler.$n" 2>/dev/null; do n=$((n + 1)); done
le "its quota is used but for less than 32 MiB" $n 63
fails 1 'write the memory: [0-9]+ of at most about 480 MiB.*(ENOSPC|EDQUOT)' vmadm suspend "$M"
eq "its guest runs on" "$(status) $(find "$R" -maxdepth 1 -name 'state*')" "running "
rm -f "$R"/filler.*
sync -f "$Z"
check "with room" vmadm suspend "$M"
run vmadm stop "$M"
like "stop has nothing to do" "$OUT" 'already stopped'
eq "it is suspended" "$(vmstate "$M")" suspended
check "stop -F gives it up" vmadm stop "$M" -F
eq "it is stopped" "$(vmstate "$M") $(find "$R" -maxdepth 1 -name 'state*')" "stopped "
fails 1 'is not suspended' vmadm resume "$M"
check "start" vmadm start "$M"
check "suspend" vmadm suspend "$M"
run env CLOISTER_FAIL=resume-loaded:kill vmadm resume "$M"
check "stop -F of one whose resume was killed" vmadm stop "$M" -F
eq "gives it up too" "$(vmstate "$M") $(find "$R" -maxdepth 1 -name 'state*')" "stopped "
check "delete" vmadm delete "$M"
