#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# I/O limits of zones: as the kernel holds them, and as programs in the zone feel them.
. "$(dirname "$0")/lib.sh"
need_root
node io
pool

dev() { # of the pool, as the kernel has it
	local d
	d=$(losetup -nO NAME,BACK-FILE | awk -v p="$NODE_STATE/" 'index($2, p) == 1 {print $1}')
	lsblk -ndo MAJ:MIN "$d" | tr -d ' '
}
v1() { awk '$0 ~ / - cgroup / && "," $NF "," ~ ",blkio," {print $5; exit}' /proc/self/mountinfo; }
V1=$(v1) DEV=$(dev)
[ -n "$V1" ] || grep -qw io "$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)/cgroup.controllers" || skip "no io controller"
own() { find "$V1" -maxdepth 5 -type d -path "*/_zones/$1" 2>/dev/null | head -1; }
held() { # uuid what: a ceiling in the kernel
	local d f
	if [ -n "$V1" ]; then
		d=$(own "$1")
		case $2 in rbps) f=read_bps ;; wbps) f=write_bps ;; riops) f=read_iops ;; wiops) f=write_iops ;; esac
		[ -z "$d" ] || awk -v d="$DEV" '$1 == d {print $2}' "$d/blkio.throttle.${f}_device"
	else
		awk -v d="$DEV" '$1 == d' "$(cgdir "$1" v2)/io.max" | tr ' ' '\n' | sed -n "s/^$2=//p" | grep -v max
	fi
}
# Seconds that a command in the zone takes.
# What is written is random: the pool compresses.
took() { local t=$EPOCHREALTIME; "$@" >/dev/null 2>&1; awk -v a="$t" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}'; }

fails 1 'io_read_bps: must be' vmadm create <<<'{"brand":"joyent-minimal","io_read_bps":-1}'
fails 1 'io_write_iops: must be' vmadm create <<<'{"brand":"joyent-minimal","io_write_iops":"fast"}'

mkzone z plain '' || exit 1
eq "who has no ceiling has no cgroup for it" "$([ -z "$V1" ] || own "$z")$(held "$z" wbps)" ""
check "a program runs in it" zlogin "$z" 'sh -c "while :; do sleep 1; done" </dev/null >/dev/null 2>&1 & echo $! >/tmp/pid'
check "ceilings while it runs" vmadm update "$z" io_write_bps=5242880 io_read_iops=1000
[ -z "$V1" ] || like "says which writes they don't bind" "$OUT" 'not what the kernel writes back later'
like "says whose fsync waits with its own, and for how long" "$OUT" "io_write_bps: an fsync .* all other zones' fsync wait with it: $(($(vmadm get "$z" | jq .max_physical_memory) / 5)) s "
eq "written bytes" "$(held "$z" wbps)" 5242880
eq "reads" "$(held "$z" riops)" 1000
eq "nothing else" "$(held "$z" rbps)$(held "$z" wiops)" ""
[ -z "$V1" ] || eq "all of its processes are there" \
	"$(find "$(cgdir "$z" v2)" -name cgroup.procs -exec cat {} + | sort -n)" "$(sort -n "$(own "$z")/cgroup.procs")"
le "10 MiB of direct writes take at least 1.6 s" 1.6 "$(took zlogin "$z" 'dd if=/dev/urandom of=/var/tmp/f bs=1M count=10 oflag=direct')"
le "10 MiB that are synced too" 1.6 "$(took zlogin "$z" 'dd if=/dev/urandom of=/var/tmp/g bs=1M count=10 conv=fsync')"
check "others" vmadm update "$z" io_write_bps=0 io_read_bps=5242880 io_read_iops=0 io_write_iops=10000
like "that of operations is told for small ones" "$OUT" "io_write_iops: an fsync .*: $(($(vmadm get "$z" | jq .max_physical_memory) * 256 / 10000)) s "
eq "are the only ones" "$(held "$z" wbps) $(held "$z" rbps) $(held "$z" riops) $(held "$z" wiops)" " 5242880  10000"
eq "in the record too" "$(vmadm get "$z" | jq -c '[.io_write_bps,.io_read_bps,.io_read_iops,.io_write_iops]')" '[null,5242880,null,10000]'
le "10 MiB of direct reads take at least 1.6 s" 1.6 "$(took zlogin "$z" 'dd if=/var/tmp/f of=/dev/null bs=1M iflag=direct')"
check "an update that fails half way" eval 'CLOISTER_FAIL=update-store:error vmadm update "$z" io_read_bps=1048576; [ $? = 1 ]'
eq "leaves what was" "$(held "$z" rbps)" 5242880
# The loop device must not be left so: who has it next would never be flushed.
cache=/sys/dev/block/$DEV/queue/write_cache
check "a pool whose device has no cache to lose" eval 'echo "write through" >"$cache"; vmadm update "$z" io_write_iops=10001; r=$?; echo "write back" >"$cache"; [ $r = 0 ]'
like "is sent no flush: only older kernels make the log wait" "$OUT" "io_write_iops: before Linux 6.12 an fsync"
check "one that is reached in less than a second" vmadm update "$z" io_write_iops=1000000
unlike "is not worth a word" "$OUT" "fsync of this zone"
eq "the device is as it was" "$(cat "$cache")" "write back"
check "so is the ceiling" vmadm update "$z" io_write_iops=10000
check "reboot" vmadm reboot -F "$z"
eq "as before" "$(held "$z" rbps)" 5242880
eq "and nothing more" "$(held "$z" wbps)$(held "$z" riops)" ""
[ -z "$V1" ] || eq "its init and what it started are there" \
	"$(find "$(cgdir "$z" v2)" -name cgroup.procs -exec cat {} + | sort -n)" "$(sort -n "$(own "$z")/cgroup.procs")"
le "logins are bound" 1.6 "$(took zlogin "$z" 'dd if=/var/tmp/f of=/dev/null bs=1M iflag=direct')"
if grep -qs '\[bfq\]' "/sys/dev/block/$DEV/queue/scheduler"; then
	skip_check "a weight without a scheduler that weighs" "the pool has one"
else
	fails 1 'nothing weighs the I/O of zones' vmadm update "$z" zfs_io_priority=50
	eq "and the record is as it was" "$(vmadm get "$z" | jq .zfs_io_priority)" 100
	fails 1 'nothing weighs' vmadm create <<<'{"brand":"joyent-minimal","alias":"heavy","zfs_io_priority":500}'
	fails 1 'nothing weighs' vmadm create <<<'{"brand":"joyent-minimal","alias":"heavy","autoboot":false,"zfs_io_priority":500}'
	fails 1 'nothing weighs' vmadm create --dry-run <<<'{"brand":"joyent-minimal","alias":"heavy","zfs_io_priority":500}'
	eq "nothing is left of these" "$(vmadm list -Ho uuid)" "$z"
	check "stop" vmadm stop -F "$z"
	fails 1 'nothing weighs the I/O of zones' vmadm update "$z" zfs_io_priority=50
	fails 1 'nothing weighs the I/O of zones' vmadm update --dry-run "$z" zfs_io_priority=50
	eq "nor while it is stopped" "$(vmadm get "$z" | jq .zfs_io_priority)" 100
	check "a ceiling is fine then" vmadm update "$z" io_write_iops=500
	check "start" vmadm start "$z"
	eq "and held from its boot on" "$(held "$z" wiops)" 500
	check "away with it" vmadm update "$z" io_write_iops=0
fi
# A loop device keeps its scheduler for whoever is given it next.
sched=$(readlink -f "/sys/dev/block/$DEV")/queue/scheduler
was=$(sed 's/.*\[\(.*\)\].*/\1/' "$sched")
trap 'rc=$?; echo "$was" >"$sched"; (exit $rc); t_exit' EXIT
if echo bfq >"$sched"; then
	check "with bfq it can be had" vmadm update "$z" zfs_io_priority=500
	if [ -n "$V1" ]; then w=$(cat "$(own "$z")/blkio.bfq.weight"); else w=$(sed -n 's/^default //p' "$(cgdir "$z" v2)/io.bfq.weight"); fi
	eq "in the kernel" "$w" 500
	fails 1 'zfs_io_priority: 1001 is not between' vmadm update "$z" zfs_io_priority=1001
	fails 1 'zfs_io_priority: must be a whole number from 1' vmadm update "$z" zfs_io_priority=0
	echo "$was" >"$sched"
	check "something else is changed where the weight no longer can be" vmadm update "$z" alias=weighed
	check "stop" vmadm stop -F "$z"
	check "then too" vmadm update "$z" io_read_iops=900
	fails 1 'nothing weighs the I/O of zones' vmadm start "$z"
	eq "its boot is what tells of it" "$(vmadm get "$z" | jq -r .state)" stopped
	echo bfq >"$sched"
	check "start" vmadm start "$z"
	check "and given back" vmadm update "$z" zfs_io_priority=100
	if [ -n "$V1" ]; then w=$(cat "$(own "$z")/blkio.bfq.weight"); else w=$(cat "$(cgdir "$z" v2)"/io{,.bfq}.weight 2>/dev/null | sed -n 's/^default //p' | sort -u); fi
	eq "in the kernel too" "$w" 100
else
	skip_check "a weight" "no bfq"
fi
check "stop" vmadm stop -F "$z"
eq "nothing of it is left" "$(for d in $(node_cgroups "$NODE"); do find "$d" -name "$z"; done)" ""
check "delete" vmadm delete "$z"
