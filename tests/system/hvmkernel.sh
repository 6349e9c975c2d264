#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# A machine that starts with a kernel and an initrd of the host's, and no disk to boot from: what its guest is told; that it keeps a copy; changes, which wait
# for a start; what is refused; suspend, a checkpoint of another kernel, and another node, which has to have the same files.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
node hvmkernel
two_nodes "$NODE-b" || exit 1
Z=/zones-$CLOISTER_NODE
mkdir f
guest_files f || { not_ok "a kernel for this test"; exit 1; }
K=$T_TMP/f/kernel I=$T_TMP/f/initrd
vm() { # members…
	printf '{"brand":"kvm","ram":192,"vga":"none"%s}' "${1:+,$1}"
}
mk() { # members: in $M
	run vmadm create <<<"$(vm "$1")"
	M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
	[ -n "$M" ] || { not_ok "a machine is created: $1" "$OUT"; exit 1; }
}
run vmadm create <<<"$(vm '"alias":"k","kernel":"'"$K"'","initrd":"'"$I"'","kernel_args":"'"$G_WORDS"' one=\"1 2\", two=ä"')"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
check "its guest comes up, without a disk" guest_up "$M"
check "cmdline" g "$M" 'cat /proc/cmdline'
like "it was told" "$G_OUT" "$G_WORDS one=\"1 2\", two=ä"
PID=$(vmadm get "$M" | jq .pid)
eq "get shows what was named, and the sums" "$(vmadm get "$M" | jq -r '.kernel + " " + .initrd + " " + .kernel_sha256 + " " + .initrd_sha256')" "$K $I $(sha256sum <"$K" | cut -d' ' -f1) $(sha256sum <"$I" | cut -d' ' -f1)"
copies() { (cd "$Z/$M/config" && stat -c '%n %a %u' kernel-* initrd-* boot.new 2>/dev/null) | sed -E 's/-[0-9a-f]{16}//' | paste -sd' '; }
eq "the VM has a copy of both, which nobody writes to" "$(copies)" "kernel 444 0 initrd 444 0"
eq "they are what was named" "$(cat "$Z/$M"/config/{kernel,initrd}-* | sha256sum)" "$(cat "$K" "$I" | sha256sum)"
flags() { awk '/^flags/ {print $2 % 10}' "/proc/$PID/fdinfo/$1"; }
eq "its monitor can read them, and not write" "$(flags 21) $(flags 22)" "0 0"

# ---- what was named may go, or change ----
mv f away
check "its guest reboots" g "$M" '(sleep 1; reboot -f) &'
check "and comes up without the files" guest_up "$M" 2
check "stop" vmadm stop "$M" -F
check "start" vmadm start "$M"
check "its guest comes up again" guest_up "$M" 3
check "what get printed can go to update" eval 'vmadm get "$M" | vmadm update "$M"'
fails 1 'kernel: .*No such file' vmadm update "$M" kernel="$K"
mv away f
mkdir -p x && echo here >x/second && (cd x && echo second | cpio -o -H newc --quiet | gzip -1) >>"$I"
SUM=$(vmadm get "$M" | jq -r .initrd_sha256)
run vmadm update "$M" initrd="$I"
like "named again it is taken as it is, for the next start" "$OUT" 'At the next boot of the VM: initrd$'
fails 1 'changes that wait' vmadm suspend "$M"
check "its sum is another" [ "$(vmadm get "$M" | jq -r .initrd_sha256)" != "$SUM" ]
eq "there is one copy" "$(copies)" "kernel 444 0 initrd 444 0"
run vmadm update "$M" kernel_args="$G_WORDS three"
like "words for the next start" "$OUT" 'At the next boot of the VM: kernel_args$'
check "a reset of what is to be another" vmadm reboot "$M" -F
check "starts it anew" guest_up "$M" 4
check "with its other words, and the other initrd" g "$M" 'grep -q " three$" /proc/cmdline && grep -q here /second'

# ---- its state is of this kernel ----
check "suspend" vmadm suspend "$M"
fails 1 'is suspended' vmadm update "$M" kernel_args=four
fails 1 'is suspended' vmadm update "$M" kernel=
cp "$I" i2 && echo >>i2
fails 1 'is suspended' vmadm update "$M" initrd="$PWD/i2"
check "resume" vmadm resume "$M"
check "its guest goes on" g "$M" 'grep -q " three$" /proc/cmdline && echo kept >/tmp/kept'
check "a checkpoint" vmadm create-snapshot "$M" one -m
check "other words" vmadm update "$M" kernel_args="$G_WORDS five"
fails 1 'changes that wait' vmadm suspend "$M"
check "a reset" vmadm reboot "$M" -F
check "up" guest_up "$M" 5
check "rollback" vmadm rollback-snapshot "$M" one
fails 1 'started with another kernel_args' vmadm start "$M"
check "the record may become what the state is of" vmadm update "$M" kernel_args="$G_WORDS three"
check "start" vmadm start "$M"
check "it goes on" g "$M" 'grep -q kept /tmp/kept'

# ---- to another node ----
listen
cp f/initrd i3
echo >>f/initrd
fails 1 'initrd: .* is another file here' go --without-snapshots
like "and what to do is said" "$OUT" 'put the same file there'
eq "it runs on here" "$(status_of "$HERE")" running
mv i3 f/initrd
mv f/kernel k3
fails 1 'kernel: .*No such file' go --without-snapshots
mv k3 f/kernel
eq "nothing of it is there" "$(there vmadm list -Hp -o uuid)" ""
check "it goes to a node that has the same" go --without-snapshots
check "there it runs" await 30 eval '[ "$(status_of "$THERE")" = running ]'
ended
turn_round
Z=/zones-$HERE
eq "with its copies" "$(copies) $(vmadm get "$M" | jq -r .kernel_sha256)" "kernel 444 0 initrd 444 0 $(sha256sum <"$K" | cut -d' ' -f1)"
check "its guest reboots" g "$M" 'grep -q kept /tmp/kept && { (sleep 1; reboot -f) & }'
check "and comes up from them" guest_up "$M" 1
check "with its words" g "$M" 'grep -q " three$" /proc/cmdline && grep -q here /second'

# ---- killed on the way ----
cp f/kernel k2 && echo >>k2
(CLOISTER_FAIL=update-store:kill vmadm update "$M" kernel="$PWD/k2") >/dev/null 2>&1
eq "killed before it is stored: it has the old one" "$(vmadm get "$M" | jq -r .kernel) $(vmadm update "$M" alias=k >/dev/null; copies)" "$K kernel 444 0 initrd 444 0"
check "the old one" test -e "$Z/$M/config/kernel-$(sha256sum <"$K" | cut -c1-16)"
(CLOISTER_FAIL=update-record:error vmadm update "$M" kernel="$PWD/k2") >/dev/null 2>&1
eq "one that fails at its last step: the old one too" "$(vmadm get "$M" | jq -r .kernel) $(copies)" "$K kernel 444 0 initrd 444 0"
check "that one" test -e "$Z/$M/config/kernel-$(sha256sum <"$K" | cut -c1-16)"
(CLOISTER_FAIL=update-store+:kill vmadm update "$M" kernel="$PWD/k2") >/dev/null 2>&1
eq "and after it: the new one" "$(vmadm update "$M" alias=k >/dev/null; vmadm get "$M" | jq -r .kernel) $(copies)" "$PWD/k2 kernel 444 0 initrd 444 0"
check "the new one" test -e "$Z/$M/config/kernel-$(sha256sum <k2 | cut -c1-16)"
run vmadm update "$M" kernel=
eq "without a kernel it has no initrd and no words" "$(vmadm get "$M" | jq -c '[has("kernel","initrd","kernel_args","kernel_sha256","initrd_sha256")]') $(copies)" "[false,false,false,false,false] "
check "delete" vmadm delete "$M"

# ---- what is refused ----
ln -s "$K" link
mkfifo pipe
: >empty
head -c 70000 /dev/urandom | tr -d 'H' >garbage
head -c 20000 "$K" >short
refused() { # pattern members
	fails 1 "$1" vmadm create <<<"$(vm "$2")"
}
refused 'kernel: .*link is a symbolic link' "\"kernel\":\"$PWD/link\""
refused 'kernel: .* is not a file' "\"kernel\":\"$PWD\""
refused 'kernel: .* is not a file' "\"kernel\":\"$PWD/pipe\""
refused 'initrd: .* is not a file' "\"kernel\":\"$K\",\"initrd\":\"/dev/null\""
refused 'kernel: .*No such file' "\"kernel\":\"$PWD/none\""
refused 'initrd: .*it is empty' "\"kernel\":\"$K\",\"initrd\":\"$PWD/empty\""
refused 'kernel: .*neither a bzImage' "\"kernel\":\"$PWD/garbage\""
refused 'kernel: must be an absolute path' '"kernel":"f/kernel"'
refused 'initrd: there is no kernel' "\"initrd\":\"$I\""
refused 'kernel_args: there is no kernel' '"kernel_args":"quiet"'
refused 'at most 2047 bytes' "\"kernel\":\"$K\",\"kernel_args\":\"$(printf 'x%.0s' {1..2048})\""
refused 'without control' "\"kernel\":\"$K\",\"kernel_args\":\"a\\nb\""
refused "kernel_sha256" "\"kernel\":\"$K\",\"kernel_sha256\":\"$SUM\""
fails 1 'kernel is not a property of brand joyent-minimal' vmadm create <<<"{\"brand\":\"joyent-minimal\",\"kernel\":\"$K\"}"
refused 'QEMU ended at once' "\"kernel\":\"$PWD/short\""
eq "nothing is left of any" "$(vmadm list -Hp -o uuid)" ""
truncate -s 300M large && cat "$K" | dd of=large conv=notrunc status=none
refused 'kernel: .*more than 256 MiB' "\"kernel\":\"$PWD/large\""

# ---- UEFI ----
if [ ! -e /usr/share/OVMF/OVMF_CODE_4M.fd ]; then
	skip_check "UEFI starts it" "needs the package ovmf"
else
	printf '\177ELF' | cat - garbage >elf
	refused 'no kernel that UEFI starts' "\"bootrom\":\"uefi\",\"kernel\":\"$PWD/elf\""
	mk "\"autoboot\":false,\"kernel\":\"$PWD/elf\""
	fails 1 'no kernel that UEFI starts' vmadm update "$M" bootrom=uefi
	check "delete" vmadm delete "$M"
	mk "\"bootrom\":\"uefi\",\"kernel\":\"$K\",\"initrd\":\"$I\",\"kernel_args\":\"$G_WORDS\""
	check "UEFI starts it" guest_up "$M"
	check "it is UEFI" g "$M" 'test -d /sys/firmware/efi && cat /proc/cmdline'
	like "and has its words" "$G_OUT" "$G_WORDS"
	check "delete" vmadm delete "$M"
fi
