#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# A machine with UEFI: the firmware boots, and what it has written into its variables is there at its next start, in a snapshot and after a rollback.
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
node hvmfirmware
pool

vm() { # members: a payload of brand kvm
	printf '{"brand":"kvm","ram":128,%s}' "$1"
}
fails 1 'bootrom of brand kvm: bios or uefi' vmadm create <<<"$(vm '"bootrom":"/tmp/rom.fd"')"
if [ ! -e /usr/share/OVMF/OVMF_CODE_4M.fd ]; then
	fails 1 'apt-get install ovmf' vmadm create <<<"$(vm '"bootrom":"uefi"')"
	skip_check "UEFI boots" "needs the package ovmf"
	exit
fi
run vmadm create <<<"$(vm '"bootrom":"uefi","alias":"u1","disks":[{"model":"virtio","size":4}]')"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
VARS=/zones-$CLOISTER_NODE/$M/root/efivars
boots() { console_log "$M" | grep -ac 'BdsDxe: '; }
sum() { sha256sum <"$VARS" | cut -c1-16; }
check "UEFI boots, and says so at the first serial port" await 60 console_says "$M" 'BdsDxe: .*Boot'
eq "its variables are a file of root's, with its disks" "$(stat -c '%a %u %s' "$VARS")" "600 0 $(stat -Lc %s /usr/share/OVMF/OVMF_VARS_4M.fd)"
PID=$(vmadm get "$M" | jq .pid)
# by what they are: a file that is only read is opened through a mount of its own, and has another name there
opened() { # file: how the monitor has it open, 0 to read and 2 to write
	local f
	for f in /proc/"$PID"/fd/*; do [ ! "$f" -ef "$1" ] || awk '/^flags/ {print $2 % 10}' "/proc/$PID/fdinfo/${f##*/}"; done | sort -u
}
eq "the monitor can write them, and not the code" "$(opened "$VARS") $(opened /usr/share/OVMF/OVMF_CODE_4M.fd)" "2 0"
check "stop" vmadm stop "$M" -F
ONE=$(sum)
check "it has written into them" [ "$ONE" != "$(sha256sum </usr/share/OVMF/OVMF_VARS_4M.fd | cut -c1-16)" ]
check "a snapshot" vmadm create-snapshot "$M" one
N=$(boots)
check "start" vmadm start "$M"
check "it boots again" await 60 eval '[ "$(boots)" -gt "$N" ]'
check "stop" vmadm stop "$M" -F
# a counter among them goes up by one with each boot: made anew they would be as after the first
check "it has gone on from what it had" [ "$(sum)" != "$ONE" ]
check "rollback" vmadm rollback-snapshot "$M" one
eq "brings them back with the disks" "$(sum)" "$ONE"
check "bootrom can be changed for the next start" vmadm update "$M" bootrom=bios
check "start" vmadm start "$M"
check "SeaBIOS does not touch them" [ "$(sum)" = "$ONE" ]
check "delete" vmadm delete "$M"
