#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# Bursts of I/O: a zone that writes faster than its ceiling may do so for io_burst_time, then has the ceiling until it has
# earned some of it back; whoever of its supervisors is killed meanwhile. Asserted on the kernel's own ceilings.
. "$(dirname "$0")/lib.sh"
need_root
node ioburst
pool

DEV=$(lsblk -ndo MAJ:MIN "$(losetup -nO NAME,BACK-FILE | awk -v p="$NODE_STATE/" 'index($2, p) == 1 {print $1}')" | tr -d ' ')
V1=$(awk '$0 ~ / - cgroup / && "," $NF "," ~ ",blkio," {print $5; exit}' /proc/self/mountinfo)
[ -n "$V1" ] || grep -qw io "$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)/cgroup.controllers" || skip "no io controller"
held() { # what: a ceiling of $z in the kernel; nothing = none
	local f
	if [ -n "$V1" ]; then
		case $1 in rbps) f=read_bps ;; wbps) f=write_bps ;; riops) f=read_iops ;; wiops) f=write_iops ;; esac
		awk -v d="$DEV" '$1 == d {print $2}' "$(find "$V1" -maxdepth 5 -type d -path "*/_zones/$z" 2>/dev/null | head -1)/blkio.throttle.${f}_device"
	else
		awk -v d="$DEV" '$1 == d' "$(cgdir "$z" v2)/io.max" | tr ' ' '\n' | sed -n "s/^$1=//p" | grep -v max
	fi
}
is() { [ "$(held "$1")" = "$2" ]; }
id() { awk '$1 == "zoneid" {print $2}' "$NODE_RUN/$1/zone"; }
ks() { kstat -p "caps:$(id "$z"):ioburst_zone_$(id "$z"):$1" | cut -f2; }
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }
keeper() { awk '$1 == "keeper" {print $2}' "$NODE_RUN/$1/zone"; }
hog() { zlogin "$z" 'head -c 1M /dev/urandom >/tmp/r; sh -c "while :; do dd if=/tmp/r of=/var/tmp/f bs=64k oflag=direct conv=notrunc; done" >/dev/null 2>&1 & echo $! >/tmp/hog' >/dev/null; }
no_hog() { zlogin "$z" 'kill $(cat /tmp/hog); rm -f /tmp/hog'; }
M=$((1 << 18)) # so little that a zone comes to its ceiling on the busiest machine

# ---- what contradicts itself ----
bad() { fails 1 "$1" vmadm create <<<"{\"brand\":\"joyent-minimal\",$2}"; }
bad 'io_write_bps_max: there is no io_write_bps to be above' '"io_write_bps_max":100,"io_burst_time":5'
bad 'io_write_bps_max: 50 is not more than io_write_bps, 100' '"io_write_bps":100,"io_write_bps_max":50,"io_burst_time":5'
bad 'io_read_iops_max: there is no io_burst_time' '"io_read_iops":100,"io_read_iops_max":500'
bad 'io_burst_time: there is no io_read_bps_max' '"io_read_iops":100,"io_burst_time":5'
bad 'io_burst_time: must be a whole number' '"io_read_iops":100,"io_read_iops_max":500,"io_burst_time":-5'
eq "nothing is left of these" "$(vmadm list -H)" ""

# ---- spent, clamped, earned back ----
mkzone z i1 "\"io_write_bps\":$((2 * M)),\"io_write_bps_max\":$((8 * M)),\"io_burst_time\":3,\"io_read_iops\":100,\"io_read_iops_max\":400" || exit 1
check "it begins with what it has in a burst" await 10 eval '[ "$(held wbps) $(held riops)" = "$((8 * M)) 400" ]'
eq "kstat" "$(ks burst_limit_sec) $(ks write_bps_baseline) $(ks write_bps_effective) $(ks write_bps_value) $(ks write_bps_bursting_sec)" "3 $((2 * M)) $((8 * M)) $((8 * M)) 0"
eq "kstat has nothing of the others" "$(ks 'read_bps_*')$(ks 'write_iops_*')" ""
hog
t=$EPOCHREALTIME
check "its burst is spent" await 20 is wbps $((2 * M))
le "not before its time" 2.5 "$(awk -v a="$t" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')"
eq "reads have theirs" "$(held riops)" 400
le "kstat: all is spent" 3 "$(ks write_bps_bursting_sec)"
eq "kstat: the ceiling" "$(ks write_bps_effective) $(ks read_iops_effective)" "$((2 * M)) 400"
check "that is an event" await 15 eval 'cloister events -j "$z" | jq -e "select(.type == \"burst-spent\" and .detail.limit == \"io_write_bps_max\" and .detail.now == $((2 * M)))"'

# ---- the clamp is looked after ----
check "a ceiling that somebody else wrote does not last" eval '
	if [ -n "$V1" ]; then echo "$DEV $((8 * M))" >"$(find "$V1" -maxdepth 5 -type d -path "*/_zones/$z" | head -1)/blkio.throttle.write_bps_device"
	else echo "$DEV wbps=$((8 * M))" >"$(cgdir "$z" v2)/io.max"; fi
	await 20 is wbps $((2 * M))'

# ---- nobody's death is a pardon ----
w=$(worker "$z")
kill -KILL "$w"
check "a killed worker is started again" await 10 eval '[ "$(worker "$z")" != "$w" ] && kill -0 "$(worker "$z")"'
eq "still clamped" "$(held wbps)" $((2 * M))
check "something else changes" vmadm update "$z" max_lwps=300 cpu_cap=90 cpu_baseline=50 cpu_burst_time=1000
eq "still clamped" "$(held wbps)" $((2 * M))
check "something of its I/O" vmadm update "$z" io_read_bps=$((50 * M)) io_write_bps_max=$((6 * M))
check "still clamped, or in a moment" await 10 is wbps $((2 * M))
eq "the new one is there" "$(held rbps)" $((50 * M))
check "an update that fails half way" eval 'CLOISTER_FAIL=update-store:error vmadm update "$z" io_write_bps=0; [ $? = 1 ]'
check "leaves it clamped" await 10 is wbps $((2 * M))
no_hog
check "who rests earns it back" await 30 is wbps $((6 * M))
check "to the last second" await 30 eval '[ "$(ks write_bps_bursting_sec)" = 0 ]'

# ---- live ----
hog
check "clamped again" await 20 is wbps $((2 * M))
check "more seconds" vmadm update "$z" io_burst_time=600
eq "let it go at once" "$(held wbps)" $((6 * M))
check "few" vmadm update "$z" io_burst_time=1
check "clamped" await 20 is wbps $((2 * M))
fails 1 'is not more than io_write_bps' vmadm update "$z" io_write_bps=$((7 * M))
fails 1 'there is no io_burst_time' vmadm update "$z" io_burst_time=0 io_write_bps_max=$((9 * M))
eq "and nothing has changed" "$(vmadm get "$z" | jq -c '[.io_write_bps,.io_write_bps_max,.io_burst_time]')" "[$((2 * M)),$((6 * M)),1]"

# ---- keeper and worker ----
k=$(keeper "$z") w=$(worker "$z")
kill -KILL "$k" "$w"
await 10 eval '! kill -0 "$k" && ! kill -0 "$w"'
eq "without both it stays clamped" "$(held wbps)" $((2 * M))
check "whoever adopts it" vmadm update "$z" alias=i1
eq "finds it clamped" "$(held wbps)" $((2 * M))
no_hog
check "and its worker lets it go" await 30 is wbps $((6 * M))

# ---- a worker that can't take the settings at boot ----
check "stop" vmadm stop -F "$z"
mkdir -p "$NODE_RUN/$z/ioburst" # where it would keep what is spent
check "start" vmadm start "$z"
eq "its ceilings are those without a burst" "$(held wbps) $(held riops)" "$((2 * M)) 100"
rmdir "$NODE_RUN/$z/ioburst"
check "until it can" await 30 is wbps $((6 * M))

# ---- away ----
check "no ceiling any more, and so no burst of it" vmadm update "$z" io_write_bps=0
eq "is none" "$(held wbps)$(vmadm get "$z" | jq -c '[.io_write_bps,.io_write_bps_max]')" "[null,null]"
eq "the other has its own still" "$(held riops) $(vmadm get "$z" | jq .io_burst_time)" "400 1"
check "no time: no bursts" vmadm update "$z" io_burst_time=0
eq "is the ceiling" "$(held riops) $(vmadm get "$z" | jq -c '[.io_read_iops,.io_read_iops_max,.io_burst_time]')" "100 [100,null,null]"
eq "and no file of it" "$(ls "$NODE_RUN/$z/ioburst" 2>/dev/null)" ""
eq "nor kstat's" "$(ks '*')" ""
check "stop" vmadm stop -F "$z"
check "delete" vmadm delete "$z"
