#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# What disks of a machine have beside their size: ceilings that a guest feels, alive and over a start; how long its
# requests take, in kstat too; room that is set aside; compression.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
command -v getfattr >/dev/null || skip "needs getfattr (package attr)"
node hvmblock
pool
T_TMP=$(mktemp -d)
Z=/zones-$CLOISTER_NODE
MB=1048576
field() { vmadm get "$1" | jq -rc "$2"; }
upd() { vmadm update "$M" <<<"$1"; }
disk1() { upd "{\"update_disks\":[{\"path\":\"${D}1\",$1}]}"; }
held() { vmadm info "$M" block | jq -c --arg n "$1" '.block[].inserted | select(.["node-name"] == $n) | [.bps_rd, .bps_wr, .iops_rd, .iops_wr]'; }
# How long $2 blocks of $1 bytes take the guest, in ms, in $MS: by its own clock, past its cache. In this shell, which counts what it has typed.
took() {
	MS=
	g "$M" "set -- \$(cat /proc/uptime); a=\$1; dd $3 bs=$1 count=$2 2>/dev/null; set -- \$(cat /proc/uptime); echo \$a \$1" && MS=$(awk '{printf "%d\n", ($2 - $1) * 1000}' <<<"$G_OUT")
}
within() { # what wanted-ms took…: 10 % of it
	took "${@:3}"
	if [ -n "$MS" ] && [ "$MS" -ge $(($2 * 9 / 10)) ] && [ "$MS" -le $(($2 * 11 / 10)) ]; then ok "$1: $MS of $2 ms"; else not_ok "$1" "$MS ms, not $2 within 10 %"; fi
}

mkguest "$T_TMP/g.raw" || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name g "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
fails 1 'there is no io_write_bps to be above' vmadm create <<<'{"brand":"kvm","ram":192,"disks":[{"model":"virtio","size":16,"io_write_bps_max":5,"io_burst_time":5}]}'
fails 1 'there is no io_burst_time' vmadm create <<<'{"brand":"kvm","ram":192,"disks":[{"model":"virtio","size":16,"io_write_bps":4,"io_write_bps_max":5}]}'
run vmadm create <<<'{"brand":"kvm","ram":192,"quota":1,"alias":"m","disks":[{"boot":true,"model":"virtio","image_uuid":"'"$IMG"'"},{"model":"virtio","size":64,"block_size":4096,"io_write_bps":'$((2 * MB))',"io_read_iops":100}]}'
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
D=$Z/$M/root/disk
check "its guest is up" guest_up "$M"

# ---- ceilings ----
eq "the record has them" "$(field "$M" '.disks[1] | [.io_write_bps, .io_read_iops]')" "[$((2 * MB)),100]"
eq "the monitor too; the other disk has none" "$(held disk1) $(held disk0)" "[0,$((2 * MB)),100,0] [0,0,0,0]"
# what a rested disk may have at once (a tenth of a second's) is had before
took 65536 8 "if=/dev/zero of=/dev/vdb oflag=direct"
within "8 MiB written at 2 MiB/s" 4000 65536 128 "if=/dev/zero of=/dev/vdb oflag=direct"
took 4096 20 "of=/dev/null if=/dev/vdb iflag=direct"
within "400 reads at 100 a second" 4000 4096 400 "of=/dev/null if=/dev/vdb iflag=direct"
check "another ceiling, while it runs" disk1 "\"io_write_bps\":$((4 * MB)),\"io_read_iops\":0"
eq "is held at once, the one of 0 is gone: record and monitor" "$(field "$M" '.disks[1] | [.io_write_bps, has("io_read_iops")]') $(held disk1)" "[$((4 * MB)),false] [0,$((4 * MB)),0,0]"
within "16 MiB written at 4 MiB/s" 4000 65536 256 "if=/dev/zero of=/dev/vdb oflag=direct"
(CLOISTER_FAIL=update-plug:kill disk1 "\"io_write_bps\":$((5 * MB))") >/dev/null 2>&1
vmadm update "$M" alias=m2 >/dev/null 2>&1
eq "a command killed before it is held: the next one does it" "$(held disk1)" "[0,$((5 * MB)),0,0]"
check "with a burst" disk1 "\"io_write_bps\":$((1 * MB)),\"io_write_bps_max\":$((4 * MB)),\"io_burst_time\":4"
eq "as the monitor has it" "$(vmadm info "$M" block | jq -c '.block[].inserted | select(.["node-name"] == "disk1") | [.bps_wr, .bps_wr_max, .bps_wr_max_length]')" "[$MB,$((4 * MB)),3]"
check "added to what runs, of another model" upd '{"add_disks":[{"model":"nvme","size":32,"io_read_bps":'$((3 * MB))'}]}'
eq "with its ceiling" "$(held disk2)" "[$((3 * MB)),0,0,0]"
check "its guest has it" g "$M" 'i=0; while [ $i -lt 100 ] && ! test -e /dev/nvme0n1; do sleep 0.1; i=$((i+1)); done; test -e /dev/nvme0n1'
took 65536 5 "of=/dev/null if=/dev/nvme0n1 iflag=direct"
within "12 MiB read at 3 MiB/s" 4000 65536 192 "of=/dev/null if=/dev/nvme0n1 iflag=direct"

# ---- how long requests take ----
eq "requests are counted by their time, each disk's" "$(vmadm info "$M" blockstats | jq -c '[.blockstats[] | select(.["node-name"] | startswith("disk")) | .latency | keys_unsorted] | unique')" '[["read","write","flush"]]'
eq "all of them since it was plugged in" "$(vmadm info "$M" blockstats | jq -c '.blockstats[] | select(.["node-name"] == "disk2") | (.latency.read | add) as $n | $n <= .stats.rd_operations and $n >= 192')" true

ks() { kstat -p "$1" | cut -f2; }
eq "kstat has the same, of the same disk" "$(ks "disk::${M}_disk2:reads")" "$(vmadm info "$M" blockstats | jq '.blockstats[] | select(.["node-name"] == "disk2") | .stats.rd_operations')"
eq "and how many waited longest" "$(ks "disk::${M}_disk2:10s_ops")" 0
like "of what waited for its ceiling" "$(ks "disk::${M}_disk1:/^10+ms_ops$/" | awk '{n += $1} END {print n}')" '^[1-9][0-9]+$'
eq "of all of its disks" "$(kstat -p 'disk:::writes' | wc -l)" 3
eq "the memory that it has" "$(ks "guest_mem::$M:actual")" $((192 * MB))
check "and what its guest says of it" await 25 eval '[ "$(ks "guest_mem::$M:free")" -gt 1000000 ]'
# ---- room that is set aside ----
mib() { echo $(($(stat -c %b "${D}$1") / 2048)); } # that the file has
way() { vmadm info "$M" block | jq -r --arg n "$1" '.block[].inserted | select(.["node-name"] == $n) | .detect_zeroes'; }
check "a ceiling that is in nobody's way" disk1 "\"io_write_bps\":$((500 * MB)),\"io_burst_time\":0"
check "what a guest discards is given back" g "$M" 'dd if=/dev/urandom of=/dev/vdb bs=1M count=16 seek=40 conv=fsync && blkdiscard -f -o 41943040 -l 16777216 /dev/vdb && sync'
sync -f "$Z"
fails 1 'more than its size' disk1 '"refreservation":65'
fails 1 'the pool has on' disk1 '"compression":"lz4"'
fails 1 'has not that much left' upd '{"add_disks":[{"model":"virtio","size":100000,"refreservation":100000}]}'
eq "of what was refused nothing is left" "$(field "$M" '.disks | length') $(ls "$Z/$M/root" | tr '\n' ' ')" "3 disk0 disk1 disk2 "
check "what is on it" g "$M" 'dd if=/dev/urandom of=/dev/vdb bs=1M count=2 seek=2 conv=fsync && dd if=/dev/vdb iflag=direct bs=1M count=2 skip=2 | md5sum >/tmp/sum'
sync -f "$Z"
HAD=$(mib 1)
CLOISTER_FAIL=update-firewall:error fails 1 '.' disk1 '"refreservation":64'
le "nor of what an update had set aside that failed later" "$(mib 1)" "$HAD"
eq "which is not in the record" "$(field "$M" '.disks[1] | has("refreservation")')" false
eq "and its guest runs" "$(vmadm info "$M" status | jq -r .status.status)" running
check "with what is on it" g "$M" 'test "$(dd if=/dev/vdb iflag=direct bs=1M count=2 skip=2 | md5sum)" = "$(cat /tmp/sum)"'
check "room for all of a disk, while it runs" disk1 '"refreservation":64'
eq "is there, and is the record's" "$(mib 1) $(field "$M" .disks[1].refreservation)" "64 64"
eq "what its guest discards stays the disk's from now on" "$(way disk1) $(way disk2)" "off unmap"
check "it goes on" g "$M" 'dd if=/dev/urandom of=/dev/vdb bs=1M count=8 seek=40 conv=fsync; blkdiscard -f -o 41943040 -l 8388608 /dev/vdb; dd if=/dev/zero of=/dev/vdb bs=1M count=8 seek=48 conv=fsync'
sync -f "$Z"
eq "it has all of it still" "$(mib 1)" 64
check "what else lies there takes the rest of the quota" fallocate -l $(($(vmadm info "$M" | jq '.limits.quota_bytes - .usage.quota_bytes') - 4 * MB)) "$Z/$M/root/filler"
check "what was set aside is written to all the same" g "$M" 'dd if=/dev/urandom of=/dev/vdb bs=1M count=30 seek=8 conv=fsync'
eq "it runs" "$(vmadm info "$M" status | jq -r .status.status)" running
rm -f "$Z/$M/root/filler"
fails 1 "can.t become less while" disk1 '"refreservation":8'

# ---- compression ----
prop() { getfattr --only-values -n btrfs.compression "${D}$1" 2>/dev/null; }
eq "new disks have the pool's way, which is the mount's" "$(prop 1)" ""
check "another, while it runs" disk1 '"compression":"gzip"'
eq "is the file's, and the record's" "$(prop 1) $(field "$M" .disks[1].compression)" "zlib gzip"
check "none" disk1 '"compression":"off"'
like "is that" "$(prop 1)" '^no(ne)?$'
check "the pool's again" disk1 '"compression":null'
eq "is that" "$(prop 1) $(field "$M" '.disks[1] | has("compression")')" " false"

# ---- blocks, as the guest is told of them ----
blocks() { # disk; in this shell, which counts what it has typed
	g "$M" "i=0; while [ \$i -lt 100 ] && ! test -e /sys/block/$1; do sleep 0.1; i=\$((i+1)); done; cat /sys/block/$1/queue/*cal_block_size"
	BLOCKS=$(tr -d '\r' <<<"$G_OUT" | xargs)
}
blocks vda
eq "unless told, 512" "$BLOCKS" "512 512"
blocks vdb
eq "of 4 KiB, in sectors of 512" "$BLOCKS" "512 4096"
check "a disk is added" upd '{"add_disks":[{"model":"virtio","size":8,"block_size":8192}]}'
blocks vdc
eq "the guest is told of its blocks, get shows them" "$BLOCKS $(field "$M" .disks[3].block_size)" "512 8192 8192"
fails 1 "block_size" upd "{\"update_disks\":[{\"path\":\"${D}3\",\"block_size\":4096}]}"
check "it goes" upd "{\"remove_disks\":[\"${D}3\"]}"

check "stop" vmadm stop "$M" -F
check "less of it" disk1 '"refreservation":8'
le "the rest is the pool's again, what was written to stays" "$(mib 1)" 56
check "none" disk1 '"refreservation":0'
eq "and none" "$(field "$M" '.disks[1] | has("refreservation")')" false
check "all of it again" disk1 '"refreservation":64'
check "start" vmadm start "$M"
eq "the next start has them as well" "$(held disk1 | jq .[1]) $(held disk2)" "$((500 * MB)) [$((3 * MB)),0,0,0]"
check "0 takes all of it away" disk1 '"io_write_bps":0'
eq "what is set aside was so from its start" "$(mib 1) $(way disk1)" "64 off"
eq "record and monitor" "$(field "$M" '.disks[1] | [keys[] | select(startswith("io_"))]') $(held disk1)" "[] [0,0,0,0]"
check "stop" vmadm stop "$M" -F
truncate -s 1T "${D}0" # which its monitor could have done
check "an image of it" imgadm create "$M" name=i version=1
eq "is as large as its record says" "$(imgadm list -j | jq -c '[.[].manifest | select(.name == "i") | .image_size]')" "[$(field "$M" .disks[0].size)]"
check "delete" vmadm delete "$M"
rm -rf "$T_TMP"
