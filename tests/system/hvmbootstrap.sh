#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 1200
# A machine's disk made of Debian's packages: it boots to a login at its first serial port, and has a root that is its own.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
for p in debootstrap:debootstrap mke2fs:e2fsprogs grub-mkimage:grub-common; do
	command -v "${p%%:*}" >/dev/null || skip "needs ${p%%:*} (package ${p##*:})"
done
[ -f /usr/lib/grub/i386-pc/boot.img ] || skip "needs GRUB for BIOS (package grub-pc-bin)"
node hvmbootstrap
pool 6G
t0=$SECONDS
run timeout 700 imgadm bootstrap debian --type zvol --name deb -q
case $OUT in *"names no mirror"* | *"Couldn't download"* | *"nvalid Release"*) skip "no mirror: $OUT" ;; esac
eq "an image is made" "$RC" 0
echo "# made in $((SECONDS - t0)) s"
IMG=$(imgadm list -Ho uuid name=deb)
eq "it is a disk" "$(imgadm get "$IMG" | jq -c '.manifest | [.type, .image_size, .disk_driver]')" '["zvol",2048,"virtio"]'
eq "of which nothing else is kept" "$(ls "$NODE_POOL/images/$IMG" "$NODE_POOL/images/$IMG/root" | tr '\n' ' ')" "$(printf '%s:\nmanifest.json\nroot\n\n%s:\ndisk\n' "$NODE_POOL/images/$IMG" "$NODE_POOL/images/$IMG/root" | tr '\n' ' ')"
le "with holes where it is empty (KiB)" "$(du -k "$NODE_POOL/images/$IMG/root/disk" | cut -f1)" 1500000
# What its owner gives it comes over its second serial port; its script says what of it is there.
cat >"$T_TMP/script" <<'END'
#!/bin/sh
echo "SCRIPT $(hostname) $(sed 's/.* //' /root/.ssh/authorized_keys) $(id -nG debian | grep -cw sudo) $(sudo -u debian sudo -n id -un) $(systemctl is-failed cloud-init cloud-config | xargs) $(df -m --output=size / | tail -1 | xargs)" >/dev/ttyS0
END
M=$(jq -n --arg i "$IMG" --rawfile s "$T_TMP/script" '{brand: "kvm", ram: 512, vcpus: 2, alias: "m", disks: [{boot: true, model: "virtio", image_uuid: $i, size: 3072}],
	customer_metadata: {root_authorized_keys: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDsKojbjA9Ed6jXLbvUGA3gFI+p7qslyhiAPUOhm900v me@here", "user-script": $s}}' |
	vmadm create 2>&1 | sed -n 's/^Successfully created VM //p')
t0=$SECONDS
check "it boots to a login at the console" await 300 eval '[ "$(console_log "$M" | grep -c "login:")" -ge 1 ]'
echo "# booted in $((SECONDS - t0)) s"
check "cloud-init runs its script" await 300 eval '[ "$(console_log "$M" | grep -c "SCRIPT ")" -ge 1 ]'
echo "# ran it after $((SECONDS - t0)) s"
like "name, key of root's, a user that may become root, nothing that failed, a root as large as the disk" \
	"$(console_log "$M" | tr -d '\r' | sed -n 's/.*SCRIPT //p' | head -1)" '^m me@here 1 root (active|inactive) (active|inactive) (28|29|30)[0-9][0-9]$'
check "delete" vmadm delete "$M"
