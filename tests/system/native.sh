#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 200
# Native folders of a shared root (docs/decisions/root.md): /var and its like are the pool's own file system.
. "$(dirname "$0")/lib.sh"
need_root
node native
pool

busybox_root root
mkdir -p root/var/lib/pkg root/srv
echo image >root/var/lib/pkg/status
echo image >root/home/web/kept
echo image >root/srv/gone
tar -C root --numeric-owner --owner=0 --group=0 -cf root.tar .
import_image root.tar bb
fs() { zlogin "$1" "awk -v p='$2' '\$2 == p {t = \$3} END {print t}' /proc/mounts"; } # uuid folder
up() { echo "$NODE_POOL/$1/root/upper"; }

mkzone z n1 "\"image_uuid\":\"$IMG\"" lx || exit 1
eq "the root is an overlay" "$(fs "$z" /)" overlay
for d in var home root srv; do eq "/$d is the pool's" "$(fs "$z" /$d)" btrfs; done
eq "/tmp is the zone's tmpfs, and nothing lies below it" "$(zlogin "$z" 'grep -c " /tmp " /proc/mounts')-$(fs "$z" /tmp)" 1-tmpfs
eq "the image's content is in them" "$(zlogin "$z" cat /var/lib/pkg/status /home/web/kept /srv/gone | sort -u)" image
eq "with the zone's ids" "$(zlogin "$z" stat -c %u:%g /var/lib/pkg/status)" 0:0
like "they have no devices" "$(zlogin "$z" 'grep " /var " /proc/mounts')" ' rw,nodev,'
check_not "S1 they can't be unmounted" zlogin "$z" umount /var
check_not "S1 nor lazily" zlogin "$z" umount -l /home
check_not "S1 nor can nodev be cleared" zlogin "$z" mount -o remount,bind,dev /var
check "a folder to look below them" zlogin "$z" mkdir /mnt
fails '[1-9][0-9]*' 'Invalid argument' zlogin "$z" mount -o bind / /mnt

# ---- what is written in them is the zone's ----
check "write, change and remove there" zlogin "$z" 'echo zone >/var/lib/pkg/new && echo zone >/home/web/kept && rm /srv/gone && ln /var/lib/pkg/new /var/link'
eq "the image has none of it" "$(cat "$NODE_POOL/images/$IMG/root/home/web/kept" "$NODE_POOL/images/$IMG/root/srv/gone" | sort -u)" image
mkzone y n2 "\"image_uuid\":\"$IMG\"" lx
eq "nor has another zone of that image" "$(zlogin "$y" 'cat /home/web/kept /srv/gone; ls /var/lib/pkg' | tr '\n' ' ')" "image image status "
check "snapshot" vmadm create-snapshot "$z" s1
eq "it shows them" "$(zlogin "$z" 'cd /checkpoints/s1 && cat var/link home/web/kept && ls srv' | tr '\n' ' ')" "zone zone "
check "a reboot" vmadm reboot "$z" -F
check "it is back" await 20 zlogin "$z" true
eq "what was written is there" "$(zlogin "$z" 'cat /var/link /home/web/kept; ls /srv' | tr '\n' ' ')" "zone zone "
check "more of it" zlogin "$z" 'echo later >/home/web/kept; rm /var/link'
check "stop" vmadm stop "$z" -F
check "an image of the VM" imgadm create n1 name=copy
copy=$(imgadm list -Ho uuid name=copy)
eq "it has what the VM wrote, and not what it removed" \
	"$(cd "$NODE_POOL/images/$copy/root" && cat var/lib/pkg/new var/lib/pkg/status home/web/kept && ls srv var | tr '\n' ' ')" $'zone\nimage\nlater\nsrv:  var: lib '
check "rollback" vmadm rollback-snapshot "$z" s1
check "start" vmadm start "$z"
eq "they went back" "$(zlogin "$z" 'cat /var/link /home/web/kept' | tr '\n' ' ')" "zone zone "

# ---- an upper that was prepared: what is not marked stays the overlay's ----
vmadm stop "$z" -F >/dev/null 2>&1
mv "$(up "$z")/var" "$(up "$z")/away"
mkdir "$(up "$z")/var"
mv "$(up "$z")/home" "$(up "$z")/away/home"
ln -s /etc "$(up "$z")/home"
check "start over folders that are not ours" vmadm start "$z"
eq "a folder without the mark is merged" "$(fs "$z" /var)-$(zlogin "$z" cat /var/lib/pkg/status)" -image
eq "a link is no folder" "$(fs "$z" /home)-$(zlogin "$z" readlink /home)" -/etc
eq "the others are as before" "$(fs "$z" /root)" btrfs

# ---- the other kind, and a zone without a tmpfs ----
mkzone p n3 "\"image_uuid\":\"$IMG\",\"image_sharing\":\"private\"" lx
eq "a private root needs none" "$(fs "$p" /)-$(fs "$p" /var)" btrfs-
mkzone t n4 "\"image_uuid\":\"$IMG\",\"tmpfs\":0" lx
eq "without a tmpfs /tmp is one of them" "$(fs "$t" /tmp)" btrfs
mkzone j n5 '' joyent-minimal
eq "sparse zones have them too" "$(fs "$j" /)-$(fs "$j" /var)" overlay-btrfs
for x in "$z" "$y" "$p" "$t" "$j"; do check "delete" vmadm delete "$x"; done
