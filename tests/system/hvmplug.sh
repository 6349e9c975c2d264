#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Disks of a machine whose guest knows them: a Linux guest sees one come, grow and go; what it writes lasts; a full quota stops it and no more;
# a snapshot while it writes; its agent, and agents that are enemies; one start with a CD-ROM, or in another order.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
node hvmplug
pool
Z=/zones-$CLOISTER_NODE
field() { vmadm get "$1" | jq -rc "$2"; }
upd() { vmadm update "$M" <<<"$1"; }
worker() { cut -d" " -f1 "$NODE_RUN/$M/worker" 2>/dev/null; }
status() { vmadm info "$M" | jq -r '.machine.status.status // .status.status'; }

mkguest "$T_TMP/g.raw" || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name g "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
truncate -s 3M "$T_TMP/cd.iso"
printf 'a CD' | dd of="$T_TMP/cd.iso" conv=notrunc status=none
run vmadm create <<<'{"brand":"kvm","ram":192,"quota":1,"alias":"m","disks":[{"boot":true,"model":"virtio","image_uuid":"'"$IMG"'"},{"model":"virtio","size":16}]}'
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
D=$Z/$M/root/disk
check "its guest is up" guest_up "$M"
check "and has two disks" g "$M" 'test "$(cat /sys/block/vdb/size)" = 32768 && ! test -e /sys/block/vdc'
check "and a source of random numbers" g "$M" 'grep virtio_rng /sys/class/misc/hw_random/rng_current && test "$(head -c 8 /dev/hwrng | wc -c)" = 8'
check "what it writes" g "$M" 'echo words | dd of=/dev/vdb bs=512 seek=7 conv=fsync && sync'
eq "is in the file" "$(dd if="${D}1" bs=512 skip=7 count=1 status=none | head -c 5)" words

# ---- plugged in and out ----
check "one is made larger" upd "{\"update_disks\":[{\"path\":\"${D}1\",\"size\":24}]}"
check "the guest sees that" g "$M" 'i=0; while [ $i -lt 50 ] && ! test "$(cat /sys/block/vdb/size)" = 49152; do sleep 0.1; i=$((i+1)); done; test "$(cat /sys/block/vdb/size)" = 49152'
check "one is added" upd '{"add_disks":[{"model":"virtio","size":5}]}'
check "the guest has it" g "$M" 'i=0; while [ $i -lt 100 ] && ! test -e /sys/block/vdc; do sleep 0.1; i=$((i+1)); done; test "$(cat /sys/block/vdc/size)" = 10240 && echo more | dd of=/dev/vdc conv=fsync'
eq "and its file what is written" "$(head -c 4 "${D}2")" more
check "removed: the guest lets go of it" upd "{\"remove_disks\":[\"${D}2\"]}"
check "it is gone from the guest" g "$M" '! test -e /sys/block/vdc'
eq "from the record, the pool, the monitor" "$(field "$M" '.disks | length') $(ls "$Z/$M/root" | tr '\n' ' ')$(ls -l "/proc/$(field "$M" .pid)/fd" | grep -c 'disk2')" "2 disk0 disk1 0"
check "so does one that was there from the start" upd "{\"remove_disks\":[\"${D}1\"]}"
check "it is gone" g "$M" '! test -e /sys/block/vdb'
check "nvme" upd '{"add_disks":[{"model":"nvme","size":6}]}'
check "the guest has that" g "$M" 'i=0; while [ $i -lt 100 ] && ! test -e /sys/block/nvme0n1; do sleep 0.1; i=$((i+1)); done; test "$(cat /sys/block/nvme0n1/size)" = 12288'
check "and lets go of it" upd "{\"remove_disks\":[\"${D}1\"]}"

# ---- a removal that is killed, and its guest lets go later ----
there() { echo "i=0; while [ \$i -lt 150 ] && ! test -e /sys/block/$1; do sleep 0.1; i=\$((i+1)); done; test -e /sys/block/$1"; }
gone() { echo "i=0; while [ \$i -lt 150 ] && test -e /sys/block/$1; do sleep 0.1; i=\$((i+1)); done; ! test -e /sys/block/$1"; }
check "a disk" upd '{"add_disks":[{"model":"virtio","size":6}]}'
check "with words on it" g "$M" "$(there vdb) && echo old | dd of=/dev/vdb conv=fsync"
(CLOISTER_FAIL=update-plug:kill upd "{\"remove_disks\":[\"${D}1\"]}") >/dev/null 2>&1
check "the next command asks for it, and waits for no guest" vmadm update "$M" autoboot=false
check "the guest lets go of it" g "$M" "$(gone vdb)"
check "another one is added" upd '{"add_disks":[{"model":"virtio","size":8}]}'
N=$(field "$M" '.disks[-1].path')
check "it is another, and empty" g "$M" "$(there vdb) && test \"\$(cat /sys/block/vdb/size)\" = 16384 && ! test \"\$(head -c 3 /dev/vdb)\" = old && echo new | dd of=/dev/vdb conv=fsync"
eq "what the guest writes is in its file" "$(head -c 3 "$N")" new
eq "and the pool has that, and not the removed one" "$(ls "$Z/$M/root" | tr '\n' ' ')" "disk0 ${N##*/} "
cp "$N" "$T_TMP/other" && printf its | dd of="$T_TMP/other" conv=notrunc status=none
mv "$T_TMP/other" "$N"
check "the machine has one of that name whose file is another" upd "{\"update_disks\":[{\"path\":\"$N\",\"size\":9}]}"
check "it is exchanged" g "$M" "$(there vdb) && i=0; while [ \$i -lt 150 ] && ! test \"\$(cat /sys/block/vdb/size)\" = 18432; do sleep 0.1; i=\$((i+1)); done; test \"\$(head -c 3 /dev/vdb)\" = its && echo end | dd of=/dev/vdb conv=fsync"
eq "and what is written is in its file" "$(head -c 3 "$N")" end
check "removed" upd "{\"remove_disks\":[\"$N\"]}"

# ---- the quota is full ----
check "a disk that is larger than there is room" upd '{"add_disks":[{"model":"virtio","size":64}]}'
check "what else lies there takes nearly all of the quota" fallocate -l $(($(vmadm info "$M" | jq '.limits.quota_bytes - .usage.quota_bytes') - (16 << 20))) "$Z/$M/root/filler"
g "$M" 'i=0; while [ $i -lt 100 ] && ! test -e /sys/block/vdb; do sleep 0.1; i=$((i+1)); done; (dd if=/dev/urandom of=/dev/vdb bs=1M count=60 conv=fsync; echo WROTE $?) >/dev/ttyS0 2>&1 &'
check "writing past the quota stops it, it is not told of an error" await 40 eval '[ "$(status)" = io-error ]'
eq "the VM is there" "$(vmstate "$M")" running
check "an event says that it is the quota" await 10 eval '[ "$(vmadm events -j "$M" | jq -c "select(.type == \"disk-error\") | .detail | [.full, .limit, .used > .limit * 0.95]" | tail -1)" = "[true,$(vmadm info "$M" | jq .limits.quota_bytes),true]" ]'
W=$(worker) && kill -9 "$W"
check "its worker is killed, and another one comes" await 15 eval '[ -n "$(worker)" ] && [ "$(worker)" != "$W" ]'
rm -f "$NODE_RUN/$M/paused"
W=$(worker) && kill -9 "$W"
check "and the next, which asks" await 15 eval '[ -n "$(worker)" ] && [ "$(worker)" != "$W" ] && [ -e "$NODE_RUN/$M/paused" ]'
check "and a list says so, without asking it" await 5 eval '[ "$(vmadm list -H -o state,machine_status machine_status=io-error | tr -s " ")" = "running io-error" ]'
fails 0 'Successfully started' vmadm start "$M"
check "without room it stops again" await 30 eval '[ "$(status)" = io-error ]'
rm "$Z/$M/root/filler"
sync -f "$Z"
check "with room start lets it go on" vmadm start "$M"
check "and its write comes to its end, as if nothing had been" await 60 eval '[ "$(console_log "$M" | grep -c "WROTE 0")" -ge 1 ]'
eq "it runs" "$(status) $(field "$M" .machine_status)" "running running"

# ---- a snapshot while it writes ----
check "the guest writes blocks, each with its sum" g "$M" '(i=0; while :; do i=$((i+1)); dd if=/dev/urandom bs=4000 count=1 of=/tmp/b 2>/dev/null; (cat /tmp/b; md5sum </tmp/b | head -c 32; printf %064d $i) | head -c 4096 | dd of=/dev/vdb bs=4096 seek=$((i % 4000)) conv=notrunc,fsync 2>/dev/null; done) >/dev/null 2>&1 & echo started'
g "$M" 'sleep 3'
check "snapshot" vmadm create-snapshot "$M" s1
check "it goes on writing" g "$M" 'a=$(cat /sys/block/vdb/stat); sleep 2; test "$a" != "$(cat /sys/block/vdb/stat)"'
check "rollback" vmadm rollback-snapshot "$M" s1
check "it comes up" guest_up "$M" 2
G_LIMIT=60
check "each block that the snapshot has is whole" g "$M" '(i=0; n=0; while [ $i -lt 4 ]; do i=$((i+1)); dd if=/dev/vdb bs=4096 skip=$i count=1 of=/tmp/b 2>/dev/null; s=$(tail -c +4001 /tmp/b | head -c 32); [ ${#s} = 32 ] && [ -z "$(printf %s "$s" | tr -d 0-9a-f)" ] || continue; [ "$(head -c 4000 /tmp/b | md5sum | head -c 32)" = "$s" ] || exit 1; n=$((n+1)); done; [ $n -gt 0 ])'

# ---- the guest's agent ----
said() { [ "$(console_log "$M" | tr -d '\r' | grep -cE '^(FROZEN|THAWED)$')" = "$1" ]; }
agent() { g "$M" "killall agent; sleep 1; agent $1 >/dev/null 2>&1 & sleep 1"; }
check "without one" vmadm create-snapshot "$M" none
agent ok
run vmadm create-snapshot "$M" held
eq "with one: nothing is complained of" "$RC $OUT" "0 Created snapshot held for VM $M"
check "it froze the guest, and thawed it" await 10 said 2
agent refuse
run vmadm create-snapshot "$M" refused
like "one that refuses: the snapshot is made, and its words are no more than words" "$RC $OUT" '0 .*not \?\[2J me.*power cut'
agent silent
run vmadm create-snapshot "$M" silent
like "one that is silent" "$RC $OUT" '0 .*does not answer.*power cut'
agent lie
run vmadm create-snapshot "$M" lies
like "one that lies, and never stops talking" "$RC $OUT" '0 .*power cut'
check "there are all of them" [ "$(ls "$Z/$M/snap" | tr '\n' ' ')" = 'held lies none refused s1 silent ' ]
agent ok
(CLOISTER_FAIL=snapshot-frozen:kill vmadm create-snapshot "$M" killed) >/dev/null 2>&1
vmadm list >/dev/null 2>&1
vmadm update "$M" alias=thawed >/dev/null 2>&1
check "a command that is killed while the guest is frozen: the next one thaws it" await 10 said 5

# ---- one start that is another ----
check "stop" vmadm stop "$M"
fails 1 'No such file' vmadm start "$M" cdrom=/nowhere/x.iso,ide
fails 1 'whole path' vmadm start "$M" cdrom=x.iso
fails 1 'cdrom: .* is neither a file nor' vmadm start "$M" "cdrom=$T_TMP"
ln -s x.iso "$T_TMP/link.iso"
fails 1 'cdrom: .* is a symbolic link' vmadm start "$M" "cdrom=$T_TMP/link.iso,ide"
fails 1 'order=cd,once=d' vmadm start "$M" order=cz
fails 1 'order=cd,once=d' vmadm start "$M" order=cd,once=q
fails 1 'Its model may be virtio, scsi, ide or ahci' vmadm start "$M" "cdrom=$T_TMP/cd.iso,nvme"
fails 1 'are what a start can be given' vmadm start "$M" floppy=/x
eq "stopped" "$(vmstate "$M")" stopped
N=$(console_log "$M" | grep -c 'GUEST READY')
check "start with a CD-ROM, which has nothing to boot, tried first" vmadm start "$M" order=cd,once=dc "cdrom=$T_TMP/cd.iso,ahci"
at() { sed -n "s/.*$1,.*bootindex=\([0-9]*\)\$/\1/p" "/run/cloister-$CLOISTER_NODE/$M/spec"; }
le "the CD-ROM's place is before the disk's" "$(at ide-cd)" "$(($(at drive=disk0) - 1))"
check "it comes up from its disk" guest_up "$M" $((N + 1))
eq "the machine has the CD-ROM" "$(vmadm info "$M" | jq -c '[.. | objects | select(.["node-name"]? // "" | startswith("once")) | .ro | select(. != null)] | unique')" '[true]'
eq "the record has not" "$(field "$M" '[.disks[].path | select(endswith("iso"))] | length') $(field "$M" .boot)" "0 $(field "$M" .boot)"
fails 1 'only then' vmadm start "$M" order=c
check "an update of its disks leaves that CD-ROM where it is" upd '{"add_disks":[{"model":"virtio","size":5}]}'
check "stop" vmadm stop "$M" -F
check "start" vmadm start "$M"
eq "the next start is without it" "$(vmadm info "$M" | jq -c '[.. | objects | select(.["node-name"]? // "" | startswith("once"))] | length')" 0

# ---- other models ----
check "stop" vmadm stop "$M" -F
check "it boots from a disk of model ide, and has one of model scsi" upd "{\"update_disks\":[{\"path\":\"${D}0\",\"model\":\"ide\"},{\"path\":\"${D}1\",\"model\":\"scsi\",\"size\":66}]}"
N=$(console_log "$M" | grep -c 'GUEST READY')
check "start" vmadm start "$M"
check "it comes up" guest_up "$M" $((N + 1))
sd() { g "$M" "i=0; while [ \$i -lt ${2:-100} ]; do grep -qx $1 /sys/block/sd*/size 2>/dev/null && break; sleep 0.1; i=\$((i+1)); done; grep -lx $1 /sys/block/sd*/size"; } # size in sectors
check "the guest has that" sd $((66 * 2048))
check "one more of it, while it runs" upd '{"add_disks":[{"model":"scsi","size":7}]}'
check "the guest has it" sd $((7 * 2048))
check "and lets go of it" upd "{\"remove_disks\":[\"$(field "$M" '.disks[-1].path')\"]}"
check_not "it is gone" sd $((7 * 2048)) 1
check "delete" vmadm delete "$M"
