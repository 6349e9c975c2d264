#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Brand kvm: a machine as a zone's only process, from a disk image to its power button. The guest is a boot sector (bootsector.s).
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
node hvm
pool

guest() { # file name
	bootsector "$1" && printf %s "$2" | dd of="$1" bs=1 seek=480 conv=notrunc status=none
}
log() { cat "/var/log/cloister-$CLOISTER_NODE/vms/$1/console.log"; }
says() { log "$1" | tr -d '\r' | grep -q "$2"; }
count() { log "$1" | grep -c "$2"; }
field() { vmadm get "$1" | jq -r "$2"; }
key() { # uuid text what-it-then-says: at its console
	timeout 30 "$T_DIR/onpty.py" -t 10 "<$2;;$3;;<\\r~." zlogin -C "$1" >/dev/null
}

# ---- images of disks ----
guest "$T_TMP/one.raw" 1 || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name boot "$T_TMP/one.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
like "a raw disk is imported" "$OUT" 'Imported image .*boot@'
eq "its manifest says how large it is" "$(imgadm get "$IMG" | jq -c '.manifest | [.type, .image_size, .disk_driver]')" '["zvol",2,"virtio"]'
: >"$T_TMP/empty"
fails 1 'is empty' imgadm import --type zvol --name x "$T_TMP/empty"
fails 1 'a file, a block device or a pipe' imgadm import --type zvol --name x "$T_TMP"
eq "and nothing of these is left" "$(imgadm list -H | wc -l)" 1

# ---- what can't be ----
vm() { # members: a payload of brand kvm
	printf '{"brand":"kvm","ram":64,%s}' "$1"
}
no() { # pattern members
	fails 1 "$1" vmadm create <<<"$(vm "$2")"
}
no 'disks.0.size is missing' '"disks":[{"model":"virtio"}]'
no 'disks.0.path is missing' '"disks":[{"model":"ide","media":"cdrom"}]'
no 'disks.0.path is missing' '"disks":[{"model":"ide","nocreate":true}]'
no 'disks: must be an array' '"disks":{"model":"virtio","size":10}'
no 'tags: must be an object of strings' '"tags":{"a":[]}'
fails 1 'Its ram is 2147483648 MiB, and this host has [0-9]+' vmadm create <<<'{"brand":"kvm","ram":2147483648}'
no 'disks.0.model is missing' '"disks":[{"size":10}]'
no 'less than the image' "\"disks\":[{\"model\":\"virtio\",\"image_uuid\":\"$IMG\",\"size\":1}]"
no 'nocreate' '"disks":[{"model":"virtio","path":"/tmp/x","size":10}]'
no 'disks.0.path' '"disks":[{"model":"ide","media":"cdrom","path":"/nowhere/x.iso"}]'
no 'neither a file nor' '"disks":[{"model":"ide","media":"cdrom","path":"/dev/null"}]'
no 'installed|image' '"disks":[{"model":"virtio","image_uuid":"11111111-2222-4333-8444-555555555555"}]'
no 'KiB together, as cloud-init' "\"nocloud\":true,\"customer_metadata\":{\"root_authorized_keys\":\"$(printf '\\u0001%.0s' {1..90000})\"}"
no 'cpu_type' '"cpu_type":"z80"'
no 'vga' '"vga":"xenfb"'
no 'qemu_extra_opts is not available: .*the jail' '"qemu_extra_opts":"-rtc base=localtime"'
no 'rtc "Nowhere".*No such file' '"rtc":"Nowhere"'
no 'order=cd,once=d' '"boot":"order=cz"'
no 'external. does not exist' '"nics":[{"nic_tag":"external","ip":"dhcp","model":"virtio"}]'
no 'the pool has on' '"disks":[{"model":"virtio","size":4,"compression":"lz4"}]'
no 'zpool is not available' '"disks":[{"model":"virtio","size":4,"zpool":"tank"}]'
no 'disks.\*.image_uuid' "\"image_uuid\":\"$IMG\",\"disks\":[{\"model\":\"virtio\",\"size\":4}]"
fails 1 'suits kvm' vmadm create <<<"{\"brand\":\"lx\",\"image_uuid\":\"$IMG\"}"
eq "and nothing of these is left" "$(vmadm list -H; ls "/zones-$CLOISTER_NODE" | grep -c -- -)" 0

# ---- a machine ----
DISK="\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\",\"size\":8}]"
run vmadm create <<<"$(vm "\"alias\":\"m1\",\"vcpus\":2,$DISK")"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
ok "a machine is created"
check "its guest runs, and its first serial port is the console" await 30 says "$M" 'GUEST UP 1'
eq "list" "$(vmadm list -H -o type,ram,state,alias | tr -s ' ' | sed 's/ $//')" "KVM 64 running m1"
eq "hvm, and where its disk is" "$(field "$M" '[.hvm, .disks[0].path, .disks[0].size] | tostring')" "[true,\"/zones-$CLOISTER_NODE/$M/root/disk0\",8]"
INFO=$(vmadm info "$M")
eq "info: it runs, with two processors and its disk" "$(jq -c '.machine | [.status.status, (.cpus | length), .block[0].inserted.image."virtual-size"]' <<<"$INFO")" \
	'["running",2,8388608]'
KVM=$(jq -r .machine.kvm.enabled <<<"$INFO")
echo "# accelerator: $([ "$KVM" = true ] && echo kvm || echo tcg)"
le "what its disk takes is what is in the image" "$(du -k "/zones-$CLOISTER_NODE/$M/root/disk0" | cut -f1)" 2048
eq "its quota has room for its disk, four times" "$(jq .limits.quota_bytes <<<"$INFO")" $(((10 << 30) + 4 * (8 << 20)))

# ---- the jail ----
PID=$(field "$M" .pid)
like "the monitor is the zone's only process" "$(jq .usage.processes <<<"$INFO") $(cat "/proc/$PID/comm")" '^[0-9]+ qemu'
eq "no other process" "$(ps -o pid= --ppid "$PID" | wc -l)" 0
eq "it has no capability, in no set" "$(grep -h '^Cap' "/proc/$PID/status" | awk '$2 != "0000000000000000"')" ""
eq "and can get none" "$(awk '/NoNewPrivs/ {print $2}' "/proc/$PID/status")" 1
eq "two filters of system calls: the zone's and its own" "$(awk '/Seccomp_filters/ {print $2}' "/proc/$PID/status")" 2
UID_=$(awk '/^Uid/ {print $2}' "/proc/$PID/status")
eq "its user is neither the host's nor the zone's root" "$((UID_ - $(jq .zone.id_base <<<"$INFO")))" 1000
eq "nothing of the host is mounted" "$(grep -cE ' /(usr|lib|lib64|etc)[ /]' "/proc/$PID/mountinfo")" 0
eq "its root is empty" "$(cd "/proc/$PID/root" && find . -xdev -path ./.zonecontrol -prune -o -type f -size +0 -print | wc -l) $(ls "/proc/$PID/root/.zonecontrol/native" | wc -l)" "0 0"
eq "and can't be written to" "$(awk '$5 == "/" {print substr($6, 1, 2)}' "/proc/$PID/mountinfo")" ro
eq "its network has a loopback and no more" "$(nsenter -t "$PID" -n ip -o link | wc -l)" 1
eq "of files it has its disk, its console and /dev/urandom" \
	"$(for f in "/proc/$PID/fd"/*; do readlink "$f"; done | grep '^/' | sed "s/.*$M/DISK/" | sort -u | tr '\n' ' ')" \
	"/dev/console $([ "$KVM" = true ] && echo '/dev/kvm ')/dev/urandom DISK/root/disk0 "
fails 1 'machine' zlogin "$M" true

# ---- its console, its disk ----
check "what is typed at the console reaches the guest" key "$M" y y
check "it writes to its disk" key "$M" w 'WROTE 1'
eq "and the byte is in the file" "$(dd if="/zones-$CLOISTER_NODE/$M/root/disk0" bs=1 skip=512 count=1 status=none)" 1
eq "not in the image" "$(dd if="/zones-$CLOISTER_NODE/images/$IMG/root/disk" bs=1 skip=512 count=1 status=none | tr -d '\0')" ""

# ---- reset, power button, start ----
T=$(field "$M" .boot_timestamp)
check "reboot -F resets it" vmadm reboot "$M" -F
check "it comes up again" await 30 eval '[ "$(count "$M" "GUEST UP")" = 2 ]'
eq "in the same monitor, booted when it was" "$(field "$M" '[.pid, .boot_timestamp] | tostring')" "[$PID,\"$T\"]"
key "$M" r 'GUEST UP'
check "reset from inside" await 30 eval '[ "$(count "$M" "GUEST UP")" = 3 ]'
eq "a reset from inside is one too" "$(field "$M" .pid)" "$PID"
check "stop presses its power button" timeout 60 vmadm stop "$M"
check "of which the guest knows" says "$M" BUTTON
eq "stopped" "$(vmstate "$M") $(field "$M" .autoboot)" "stopped false"
check "start" vmadm start "$M"
check "its disk is as it was" eval "[ \"\$(dd if=/zones-$CLOISTER_NODE/$M/root/disk0 bs=1 skip=512 count=1 status=none)\" = 1 ]"
check "it runs" await 30 eval '[ "$(count "$M" "GUEST UP")" -ge 4 ]'
key "$M" q x
check "switched off from inside it is stopped, for good" await 20 eval '[ "$(vmstate "$M") $(field "$M" .autoboot)" = "stopped false" ]'

# ---- changes ----
fails 1 'vga: std' vmadm update "$M" vga=qxl
run vmadm update "$M" boot=order=nc
like "that nothing boots from the network is said" "$RC $OUT" '^0 .*no program to boot from the network'
check "boot as it is unless given" vmadm update "$M" boot=
check "what it has of memory and processors is changed for its next start" vmadm update "$M" ram=96 vcpus=1
eq "both" "$(field "$M" '[.ram, .vcpus] | tostring')" "[96,1]"

# ---- snapshots ----
check "snapshot of a stopped one" vmadm create-snapshot "$M" s1
printf X | dd of="/zones-$CLOISTER_NODE/$M/root/disk0" bs=1 seek=512 conv=notrunc status=none
check "rollback" vmadm rollback-snapshot "$M" s1
eq "the disk is as it was then" "$(dd if="/zones-$CLOISTER_NODE/$M/root/disk0" bs=1 skip=512 count=1 status=none)" 1
check "start" vmadm start "$M"
check "snapshot of a running one" vmadm create-snapshot "$M" s2
eq "of which its monitor sees nothing" "$(grep -c checkpoints "/proc/$(field "$M" .pid)/mountinfo")" 0
check "delete-snapshot" vmadm delete-snapshot "$M" s1

fails 1 'can not become less' vmadm update "$M" ram=64

# ---- accidents ----
check "halt" vmadm stop "$M" -F
(CLOISTER_FAIL=boot-machine:kill vmadm start "$M") >/dev/null 2>&1
status() { vmadm info "$1" | jq -r .machine.status.status; }
check "a start that is killed leaves a guest that has not run" await 30 eval '[ "$(status "$M")" = prelaunch ]'
check "start lets it go" vmadm start "$M"
eq "it runs, in an empty zone" "$(status "$M") $(grep -cE ' /(usr|lib|lib64|etc)[ /]' "/proc/$(field "$M" .pid)/mountinfo")" "running 0"
kill -KILL "$(field "$M" .pid)"
check "a monitor that is killed leaves a VM that is stopped" await 20 eval '[ "$(vmstate "$M")" = stopped ]'
eq "and would come up with the host" "$(field "$M" .autoboot)" true
mv "/zones-$CLOISTER_NODE/$M/root/disk0" "$T_TMP/away"
fails 1 'disk0' vmadm start "$M"
eq "stopped" "$(vmstate "$M")" stopped
mv "$T_TMP/away" "/zones-$CLOISTER_NODE/$M/root/disk0"
check "with its disk back it starts" vmadm start "$M"
no "is VM $M \(m1\)'s" "\"disks\":[{\"model\":\"virtio\",\"nocreate\":true,\"path\":\"/zones-$CLOISTER_NODE/$M/root/disk0\"}]"
eq "of the second one with that disk nothing is left" "$(vmadm list -H | wc -l)" 1
truncate -s 1M "$T_TMP/cd.iso"
check "every other model of disk" vmadm create <<<"$(vm "\"alias\":\"m2\",\"disks\":[{\"model\":\"scsi\",\"size\":4},{\"model\":\"ide\",\"size\":4},
	{\"model\":\"nvme\",\"size\":4},{\"model\":\"ide\",\"media\":\"cdrom\",\"path\":\"$T_TMP/cd.iso\"},{\"boot\":true,\"model\":\"ahci\",\"image_uuid\":\"$IMG\"}]")"
M2=$(vmadm lookup -1 alias=m2)
check "and it boots from the one that says boot" await 30 says "$M2" 'GUEST UP 1'
check "-t: how long the power button has" vmadm stop "$M2" -t 5
if [ "$KVM" = true ]; then
	check "accelerator kvm" vmadm create <<<"$(vm "\"accelerator\":\"kvm\",\"alias\":\"m3\"")"
else
	no "accelerator kvm: " '"accelerator":"kvm"'
fi
check "an image can go: its machines have no need of it" imgadm delete "$IMG"
check "start" vmadm start "$M2"
check "and come up without it" await 30 eval '[ "$(count "$M2" "GUEST UP")" = 2 ]'

# ---- the end ----
for m in $(vmadm lookup); do check "delete" vmadm delete "$m"; done
eq "nothing is left" "$(ls "/zones-$CLOISTER_NODE" | grep -c -- -) $(ls "/run/cloister-$CLOISTER_NODE" | grep -cE '^[0-9a-f]{8}-')" "0 0"
