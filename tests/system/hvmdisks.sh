#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Disks of a machine (brand kvm) that is there: added, made larger, removed, stopped and while it runs. The guest is a boot sector
# (bootsector.s), which lets go of nothing.
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
node hvmdisks
pool
Z=/zones-$CLOISTER_NODE

bootsector "$T_TMP/g.raw" || { not_ok "a guest for this test"; exit 1; }
log() { cat "/var/log/cloister-$CLOISTER_NODE/vms/$1/console.log"; }
ups() { log "$1" | grep -c 'GUEST UP'; }
field() { vmadm get "$1" | jq -rc "$2"; }
paths() { field "$1" '[.disks[] | .path | sub(".*/"; "")] | join(" ")'; }
files() { (cd "$Z/$1/root" && echo *); }
size() { stat -c %s "$Z/$M/root/$1"; }
seen() { vmadm info "$M" | jq -c '[.machine.block[] | .inserted | select(.) | [."node-name", .image."virtual-size" / 1048576]] | sort'; } # by its monitor
upd() { vmadm update "$M" <<<"$1"; }
quota() { vmadm info "$M" | jq .limits.quota_bytes; }

run imgadm import --type zvol --name boot "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<'{"brand":"kvm","ram":64,"alias":"m","autoboot":false,"disks":[{"boot":true,"model":"virtio","image_uuid":"'"$IMG"'","size":4}]}'
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
D=$Z/$M/root/disk

# ---- stopped ----
check "disks are added: one of its own, one of an image" upd '{"add_disks":[{"model":"virtio","size":8},{"model":"virtio","image_uuid":"'"$IMG"'"}]}'
eq "the record has them" "$(field "$M" '[.disks[] | .size]')" "[4,8,2]"
eq "by names that are free, and so has the pool" "$(paths "$M"); $(files "$M")" "disk0 disk1 disk2; disk0 disk1 disk2"
eq "the second's is empty, and as large as it should be" "$(size disk1) $(tr -d '\0' <"${D}1" | wc -c)" "8388608 0"
eq "the third is the image's" "$(cmp "${D}2" "$Z/images/$IMG/root/disk" && echo same)" same
eq "the quota has room for them, four times" "$(field "$M" .quota) $(upd '{"quota":1}' >/dev/null 2>&1; vmadm start "$M" >/dev/null 2>&1; quota)" "10 $(((1 << 30) + 4 * (14 << 20)))"
vmadm stop -F "$M" >/dev/null 2>&1
check "one is made larger" upd "{\"update_disks\":[{\"path\":\"${D}1\",\"size\":16}]}"
eq "it is" "$(size disk1) $(field "$M" .disks[1].size)" "16777216 16"
fails 1 'what lies behind them would be lost' upd "{\"update_disks\":[{\"path\":\"${D}1\",\"size\":4}]}"
eq "and nothing is lost" "$(size disk1)" 16777216
check "smaller, where that is meant" upd "{\"update_disks\":[{\"path\":\"${D}1\",\"size\":4,\"dangerous_allow_shrink\":true}]}"
eq "it is" "$(size disk1) $(field "$M" '.disks[1] | [.size, has("dangerous_allow_shrink")]')" "4194304 [4,false]"
fails 1 'does not become a CD-ROM' upd "{\"update_disks\":[{\"path\":\"${D}1\",\"media\":\"cdrom\"}]}"
fails 1 'none with path' upd '{"update_disks":[{"path":"/nowhere","size":4}]}'
fails 1 'none with path' upd '{"remove_disks":["/nowhere"]}'
fails 1 'lies in the pool' upd '{"add_disks":[{"model":"virtio","path":"/tmp/x","size":10}]}'
fails 1 'installed|image' upd '{"add_disks":[{"model":"virtio","image_uuid":"11111111-2222-4333-8444-555555555555"}]}'
fails 1 'No such file' upd '{"add_disks":[{"model":"ide","media":"cdrom","path":"/nowhere/x.iso"}]}'
eq "of what was refused nothing is left" "$(paths "$M"); $(files "$M")" "disk0 disk1 disk2; disk0 disk1 disk2"
check "model and boot of a stopped one" upd "{\"update_disks\":[{\"path\":\"${D}1\",\"model\":\"scsi\"}]}"
check "removed" upd "{\"remove_disks\":[\"${D}1\"]}"
eq "it is gone" "$(paths "$M"); $(files "$M")" "disk0 disk2; disk0 disk2"
check "its number is free again" upd '{"add_disks":[{"model":"virtio","size":3}]}'
eq "and taken" "$(paths "$M"); $(size disk1)" "disk0 disk2 disk1; 3145728"
check "dry run" vmadm update "$M" --dry-run <<<'{"add_disks":[{"model":"virtio","size":3}]}'
eq "it makes nothing" "$(files "$M")" "disk0 disk1 disk2"

# ---- snapshots of disks that change ----
printf then | dd of="${D}1" conv=notrunc status=none
check "snapshot" vmadm create-snapshot "$M" s1
check "a disk of it goes" upd "{\"remove_disks\":[\"${D}1\"]}"
check "another comes" upd '{"add_disks":[{"model":"virtio","size":3}]}'
eq "under a number that the snapshot does not have" "$(paths "$M")" "disk0 disk2 disk3"
fails 1 'from before disk3 was added' vmadm rollback-snapshot "$M" s1
check "without it" upd "{\"remove_disks\":[\"${D}3\"],\"update_disks\":[{\"path\":\"${D}2\",\"size\":5}]}"
check "rollback" vmadm rollback-snapshot "$M" s1
eq "files are what the record has, as large as it says" "$(files "$M") $(size disk2)" "disk0 disk2 5242880"
check "smaller than in the snapshot" upd "{\"update_disks\":[{\"path\":\"${D}2\",\"size\":1,\"dangerous_allow_shrink\":true}]}"
fails 1 'disk2 had 2 MiB then' vmadm rollback-snapshot "$M" s1
check "delete-snapshot" vmadm delete-snapshot "$M" s1

# ---- a command that is killed ----
for at in update-disks update-disks+ update-store update-store+ update-settle update-settle+; do
	(CLOISTER_FAIL=$at:kill upd "{\"add_disks\":[{\"model\":\"virtio\",\"size\":3}],\"remove_disks\":[\"${D}2\"],\"update_disks\":[{\"path\":\"${D}0\",\"size\":6}]}") >/dev/null 2>&1
	vmadm update "$M" autoboot=false >/dev/null 2>&1
	case $at in update-store+ | update-settle*) want="disk0 disk1; disk0 disk1 6291456" ;; *) want="disk0 disk2; disk0 disk2 4194304" ;; esac
	eq "killed at $at: either record, and files as it says" "$(paths "$M"); $(files "$M") $(size disk0)" "$want"
	if [ "${want:6:5}" = disk1 ]; then
		run upd "{\"remove_disks\":[\"${D}1\"],\"update_disks\":[{\"path\":\"${D}0\",\"size\":4,\"dangerous_allow_shrink\":true}],\"add_disks\":[{\"model\":\"virtio\",\"size\":1}]}"
	fi
done

# ---- files of the host ----
truncate -s 1M "$T_TMP/cd.iso" "$T_TMP/file.raw"
chmod 666 "$T_TMP/cd.iso"
chmod 755 "$T_TMP"
check "a CD-ROM and a file of the host are added" upd "{\"add_disks\":[{\"model\":\"ide\",\"media\":\"cdrom\",\"path\":\"$T_TMP/cd.iso\"},{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"$T_TMP/file.raw\"}]}"
fails 1 'its own' upd "{\"update_disks\":[{\"path\":\"$T_TMP/file.raw\",\"size\":9}]}"
ln "$T_TMP/file.raw" "$T_TMP/same.raw"
fails 1 "is VM $M \(m\)'s" vmadm create <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"$T_TMP/same.raw\"}]}"
fails 1 "is VM $M \(m\)'s" vmadm create <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"${D}0\"}]}"
cd_of() { vmadm create --dry-run <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"ide\",\"media\":\"cdrom\",\"path\":\"$1\"}]}"; }
fails 1 "is VM $M \(m\)'s" cd_of "$T_TMP/same.raw"
fails 1 "is VM $M \(m\)'s" cd_of "${D}0"
check "a CD-ROM may be two VMs'" cd_of "$T_TMP/cd.iso"
fails 1 "is VM $M \(m\)'s" vmadm create --dry-run <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"$T_TMP/cd.iso\"}]}"
ln -s "$T_TMP/file.raw" "$T_TMP/link.raw"
for d in '"nocreate":true' '"media":"cdrom"'; do
	fails 1 'is a symbolic link' vmadm create <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",$d,\"path\":\"$T_TMP/link.raw\"}]}"
	fails 1 'is a symbolic link' upd "{\"add_disks\":[{\"model\":\"virtio\",$d,\"path\":\"$T_TMP/link.raw\"}]}"
done
truncate -s 1M "$T_TMP/once.raw"
truncate -s 1M "$T_TMP/once.iso"
check "start, with a disk and a CD-ROM for this start alone" vmadm start "$M" "disk=$T_TMP/once.raw,virtio" "cdrom=$T_TMP/once.iso,ide"
fails 1 "is VM $M \(m\)'s" cd_of "$T_TMP/once.raw"
fails 1 "is VM $M \(m\)'s" vmadm create --dry-run <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"$T_TMP/once.iso\"}]}"
check "the CD-ROM another may have too" cd_of "$T_TMP/once.iso"
fails 1 "is VM $M \(m\)'s" vmadm create <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"$T_TMP/once.raw\"}]}"
check "stop" vmadm stop "$M" -F
check "then it is nobody's" vmadm create --dry-run <<<"{\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"$T_TMP/once.raw\"}]}"
check "start" vmadm start "$M"
like "what runs its guest" "$(field "$M" .accelerator_used) $(vmadm info "$M" | jq -r .machine.accelerator)" '^(kvm kvm|tcg tcg)$'
eq "sysinfo says the same of a new one" "$(sysinfo | jq -r '."VM Accelerator"')" "$(field "$M" .accelerator_used)"
PID=$(field "$M" .pid)
ISO_FD=$(for f in "/proc/$PID/fd"/*; do [ "$f" -ef "$T_TMP/cd.iso" ] && echo "${f##*/}"; done | head -1)
like "the monitor has the CD-ROM" "$ISO_FD" '^[0-9]+$'
check_not "and can't write to it by a descriptor of its own either, whatever its mode is" sh -c "printf x >/proc/$PID/fd/$ISO_FD"
check "stop" vmadm stop "$M" -F
mv "$T_TMP/cd.iso" "$T_TMP/gone.iso"
fails 1 ": disks and sockets: $T_TMP/cd.iso: No such file" vmadm start "$M"
check "removed, though it is not there" upd "{\"remove_disks\":[\"$T_TMP/cd.iso\",\"$T_TMP/file.raw\"]}"
eq "what is the host's stays" "$(ls "$T_TMP/file.raw")" "$T_TMP/file.raw"

fails 1 'can not be reprovisioned' vmadm reprovision "$M" <<<'{"image_uuid":"11111111-2222-4333-8444-555555555555"}'
like "what to do instead is said" "$OUT" 'add_disks and remove_disks'

# ---- while it runs ----
check "start" vmadm start "$M"
check "its guest runs" await 30 eval '[ "$(ups "$M")" -ge 1 ]'
check "a disk is made larger" upd "{\"update_disks\":[{\"path\":\"${D}0\",\"size\":32}]}"
like "its monitor knows, and the file is" "$(seen) $(size disk0)" '\["disk0",32\].* 33554432'
check "one is added" upd '{"add_disks":[{"model":"virtio","size":7}]}'
N=$(field "$M" '.disks[-1].path')
like "the machine has it" "$(seen)" "\"${N##*/}\",7"
check "so is one of the host's, of another model" upd "{\"add_disks\":[{\"model\":\"nvme\",\"nocreate\":true,\"path\":\"$T_TMP/file.raw\"}]}"
like "and has that" "$(seen)" '"file[0-9a-f]{16}",1'
eq "both count: the quota has grown by the first" "$(quota)" $(((1 << 30) + ($(field "$M" '[.disks[] | select(.path | endswith(".raw") | not) | .size] | add') * 4 << 20)))
fails 1 'of model ide can.t be added while' upd '{"add_disks":[{"model":"ide","size":7}]}'
fails 1 'no adapter for one' upd '{"add_disks":[{"model":"scsi","size":7}]}'
fails 1 "its model can.t change while" upd "{\"update_disks\":[{\"path\":\"${D}0\",\"model\":\"nvme\"}]}"
fails 1 "its size can.t change while" upd "{\"update_disks\":[{\"path\":\"${D}0\",\"size\":4,\"dangerous_allow_shrink\":true}]}"
fails 1 "go when it is stopped" upd "{\"remove_disks\":[\"${D}0\"]}"
BEFORE="$(field "$M" .disks) $(files "$M")"
fails 1 'did not let go of it within' upd "{\"remove_disks\":[\"$N\"]}"
eq "and all is as it was: record and files" "$(field "$M" .disks) $(files "$M")" "$BEFORE"
(CLOISTER_FAIL=update-plug:kill upd '{"add_disks":[{"model":"virtio","size":9}]}') >/dev/null 2>&1
check "a command killed before it is plugged in" vmadm update "$M" <<<'{"alias":"m2"}'
like "the next one does that" "$(seen)" ',9\]'

# ---- a monitor that is not there for whoever clears up ----
(CLOISTER_FAIL=update-plug:kill upd '{"add_disks":[{"model":"virtio","size":10}]}') >/dev/null 2>&1
PID=$(field "$M" .pid)
kill -STOP "$PID"
run vmadm create <<<'{"brand":"kvm","ram":64,"alias":"o","autoboot":false,"disks":[{"boot":true,"model":"virtio","image_uuid":"'"$IMG"'","size":4}]}'
O=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
like "a killed command, and then a monitor that hangs: other VMs' commands are done" "$RC $O" '^0 [0-9a-f]{8}-'
eq "and it is not forgotten" "$(ls "$NODE_RUN/intents")" "$M"
check "a change that is none of its disks'" vmadm update "$M" autoboot=false
eq "does not forget it either" "$(ls "$NODE_RUN/intents")" "$M"
fails 1 'can.t be cleared up yet' vmadm create-snapshot "$M" no
fails 1 'can.t be cleared up yet' vmadm suspend "$M"
eq "nor is it forgotten for what is not done" "$(ls "$NODE_RUN/intents")" "$M"
kill -CONT "$PID"
check "when it answers, whichever command comes" vmadm update "$O" alias=o2
like "finishes that" "$(seen) $(ls "$NODE_RUN/intents")" ',10\].* $'
N=$(field "$M" '.disks[-1].path')
(CLOISTER_FAIL=update-plug:kill upd "{\"remove_disks\":[\"$N\"],\"add_disks\":[{\"model\":\"virtio\",\"size\":13}]}") >/dev/null 2>&1
check "a removal that is killed before the guest is asked" vmadm update "$O" alias=o3
eq "is in the record, and the guest has it still: so has the pool" "$(paths "$M" | grep -c "${N##*/}") $(seen | grep -c "${N##*/}") $(ls "$N")" "0 1 $N"
like "what was to be added it has" "$(seen)" ',13\]'
eq "that is all" "$(ls "$NODE_RUN/intents")" ""
dry() { vmadm update "$M" --dry-run <<<'{"add_disks":[{"model":"virtio","size":3}]}' | jq -r '.disks[-1].path'; }
check_not "its number is not given again" [ "$(dry)" = "$N" ]
mv "$N" "$T_TMP/away"
check_not "nor if its monitor alone had it" [ "$(dry)" = "$N" ]
mv "$T_TMP/away" "$N"
check "delete" vmadm delete "$O"
check "reset" vmadm reboot "$M" -F
check "its guest has let go by that: the next change of its disks" upd "{\"update_disks\":[{\"path\":\"${D}0\",\"size\":33}]}"
eq "takes that file away" "$(files "$M" | grep -c "${N##*/}") $(seen | grep -c "${N##*/}")" "0 0"
BEFORE=$(paths "$M") N=$(files "$M")
(CLOISTER_FAIL=update-plug+:error upd '{"add_disks":[{"model":"virtio","size":11}]}') >/dev/null 2>&1
eq "an update that fails, with its guest not letting go of what it has got: the record is as before" "$(paths "$M")" "$BEFORE"
eq "and the file stays, so that its name is not another's" "$(files "$M" | wc -w)" $(($(wc -w <<<"$N") + 1))
check "stop" vmadm stop "$M" -F
check "start" vmadm start "$M"
eq "that file is gone" "$(files "$M")" "$N"
eq "with all its disks" "$(seen | jq length)" "$(field "$M" '.disks | length')"
check "delete" vmadm delete "$M"
eq "nothing is left but the host's file" "$(ls "$Z" | grep -c -- -) $(ls "$T_TMP/file.raw")" "0 $T_TMP/file.raw"
