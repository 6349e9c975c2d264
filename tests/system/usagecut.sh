#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 200
# A power cut costs accounting one sampling interval, and the seconds that the file system keeps its journal for: the records lie
# on a disk of their own, of which a copy is made at one stroke, with what had been sent to it and nothing of the page cache.
. "$(dirname "$0")/lib.sh"
need_root
node ucut
mkdir -p "$NODE_ETC"
echo usage_interval=20 >"$NODE_ETC/node.conf"
command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
pool

usage_dir=$NODE_STATE/usage
mkdir -p "$usage_dir"
truncate -s 64M "$NODE_POOL/disk"
mkfs.ext4 -q -F "$NODE_POOL/disk"
disk_off() { umount "$usage_dir" 2>/dev/null || umount -l "$usage_dir" 2>/dev/null; }
end() {
	local rc=$?
	power_cut keep
	disk_off
	(exit "$rc")
	t_exit
}
trap end EXIT # the pool holds the disk
mount -o loop "$NODE_POOL/disk" "$usage_dir" || skip "no ext4"

mkzone z c1
check "the zone is sampled" await 20 eval '[ "$(stat -c %s "$usage_dir/$z" 2>/dev/null || echo 0)" -gt 0 ]'
sampled=$SECONDS
zlogin "$z" 'while :; do :; done' >/dev/null 2>&1 &
# almost two intervals: the next sample is due, and what the one before wrote is twenty seconds old
while [ $((SECONDS - sampled)) -lt 38 ]; do read -rt 1 <> <(:); done
check "the disk as it is now" cp --reflink=always "$NODE_POOL/disk" "$NODE_POOL/copy"
ran=$(awk -v b="$(awk '$1 == "boot_ns" {print $2}' "$NODE_RUN/$z/zone")" -v n="$(date +%s%N)" 'BEGIN {print (n - b) / 1e9}')
power_cut
wait $!
disk_off
mount -o loop "$NODE_POOL/copy" "$usage_dir"
check "its records are whole" test "$(stat -c %s "$usage_dir/$z")" -ge 256
read -r s c <<<"$(cloister usage -j "$z" | jq -r '.rows | "\([.[].seconds] | add) \([.[].cpu_seconds] | add)"')"
check "no more than an interval and a journal's commit of $ran s are lost ($s s are there)" awk -v r="$ran" -v s="$s" 'BEGIN {exit !(s <= r + 1 && r - s <= 20 + 7)}'
check "and no processor time but that ($c s)" awk -v s="$s" -v c="$c" 'BEGIN {exit !(c > 0 && c <= s * 2)}'
