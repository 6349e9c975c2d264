#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# waits
# Room on the pool is paid for as long as a VM is there, whether it runs or not; and of VMs of one uuid each by itself.
. "$(dirname "$0")/lib.sh"
need_root
node stored
mkdir -p "$NODE_ETC"
echo usage_interval=1 >"$NODE_ETC/node.conf"
pool

usage() { cloister usage -j "$@"; }
cpu() { usage "$1" | jq '[.rows[].cpu_seconds] | add // 0'; }
data() { usage "$1" | jq -r '[(.rows[] | .data_byte_seconds // 0)] | add'; }
kernel_cpu() { awk '$1 == "usage_usec" {print $2 / 1e6}' "$(cgdir "$1" v2)/cpu.stat"; } # uuid: of this boot
near() { awk -v a="$2" -v b="$3" -v d="$4" 'BEGIN {exit !(a - b <= d && b - a <= d)}' && ok "$1 ($2, $3)" || not_ok "$1" "$2 is not within $4 of $3"; }
burn() { zlogin "$1" 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'; }
now() { date +%s.%N; }
# A sample is somewhere inside of the command that takes it: so what is billed has a lower and an upper bound.
begin() { # uuid
	T0=$(now) A=$(data "$1") T1=$(now) T2=
}
is64() { # what uuid: MiB, from begin to T2 (now) at least, and until this has looked at most
	local b
	T2=${T2:-$(now)}
	b=$(data "$2")
	if awk -v d="$A $b" -v t="$T0 $T1 $T2 $(now)" 'BEGIN {split(d, x); split(t, y); m = (x[2] - x[1]) / 1048576;
		print m " MiB-seconds in " y[3] - y[2] " to " y[4] - y[1] " s"; exit !(m >= 56 * (y[3] - y[2]) && m <= 80 * (y[4] - y[1]))}' >billed; then
		ok "$1 ($(cat billed))"
	else
		not_ok "$1" "$(cat billed): 64 MiB are there"
	fi
}
mean() { # uuid: MiB, about
	local a b t
	a=$(data "$1") t=$(now)
	read -rt 1 <> <(:)
	b=$(data "$1")
	awk -v a="$a" -v s="$t" -v b="$b" -v e="$(now)" 'BEGIN {printf "%.0f", (b - a) / (e - s) / 1048576}'
}
wait_s() { read -rt "$1" <> <(:); }
fill() {
	zlogin "$1" 'dd if=/dev/urandom of=/root/x bs=1M count=64 2>/dev/null; sync' >/dev/null
	sync -f "$NODE_POOL"
}

mkzone d u3
check "an empty snapshot" vmadm create-snapshot "$d" empty
fill "$d"
await 60 eval '[ "$(mean "$d")" -gt 40 ]'
begin "$d"
wait_s 3
is64 "what a running zone has on the pool is billed" "$d"
check "stop" vmadm stop "$d" -F
used=$(cpu "$d")
ran=$(usage "$d" | jq '[.rows[].seconds] | add')
begin "$d"
wait_s 3
is64 "and what it has while it is stopped" "$d"
eq "which is no running time" "$(usage "$d" | jq '[.rows[].seconds] | add')" "$ran"
eq "and no processor time" "$(cpu "$d")" "$used"
begin "$d"
for i in {1..10}; do cloister usage >/dev/null & done
wait
for i in {1..10}; do timeout -s KILL 0.0$((i % 5 + 1)) cloister usage >/dev/null 2>&1; done
wait_s 2
check "start" vmadm start "$d"
check "stop" vmadm stop "$d" -F
is64 "once, whoever looks and whatever is killed" "$d"

# nobody looks; what changes the dataset looks before it does
begin "$d"
wait_s 4
T2=$(now)
check "rollback while it is stopped" vmadm rollback-snapshot "$d" empty
is64 "the time before it is billed by what there was" "$d"
check "what comes after it by what is left" await 60 eval 'sync -f "$NODE_POOL"; [ "$(mean "$d")" -lt 30 ]'

# a machine that was off: its disks were not empty meanwhile
check "start" vmadm start "$d"
fill "$d"
await 60 eval '[ "$(mean "$d")" -gt 40 ]'
check "stop" vmadm stop "$d" -F
begin "$d"
power_cut
wait_s 3
check "boot" cloister boot
is64 "the time in which the machine was off" "$d"

run vmadm create <<<'{"brand":"joyent-minimal","alias":"u4","autoboot":false}'
n=$(vmadm list -H -o uuid alias=u4)
eq "a VM that was never started has a line" "$(usage "$n" | jq -c '.rows[0] | [.data_byte_seconds >= 0, .seconds == 0, .cpu_seconds == 0]')" "[true,true,true]"

# the database lost under a zone that runs: its file is no deleted VM's
check "start" vmadm start "$n"
burn "$n"
rm "$NODE_STATE"/node.db*
run vmadm create <<<'{"brand":"joyent-minimal","alias":"u9","autoboot":false}'
cloister usage >/dev/null
check "is not folded" test -e "$NODE_STATE/usage/$n"
check "import" cloister pool import
near "and is counted once" "$(cpu "$n")" "$(kernel_cpu "$n")" 0.3
check "stop" vmadm stop "$n" -F

# deleted: it ends there; and one of the same uuid, within the hour, is another VM
begin "$d"
wait_s 3
T2=$(now)
check "delete" vmadm delete "$d"
is64 "a stopped VM is billed until it is deleted" "$d"
gone=$(data "$d")
wait_s 2
eq "and not after that" "$(data "$d")" "$gone"
used=$(cpu "$d")
again() { vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$d\",\"alias\":\"u5\"}"; }
check "the same uuid again" again
burn "$d"
near "is added to what it was, and takes nothing of it away" "$(cpu "$d")" "$(awk -v a="$used" -v b="$(kernel_cpu "$d")" 'BEGIN {print a + b}')" 0.05
check "delete" vmadm delete "$d"
check "a third time, with nobody having looked between" again
check "has a file of its own" eval '[ "$(stat -c %s "$NODE_STATE/usage/$d" 2>/dev/null || echo 0)" -le 512 ]'
used=$(usage --hourly | jq --arg u "$d" '[.rows[] | select(.zone == $u).cpu_seconds] | add')
burn "$d"
t=$(kernel_cpu "$d")
check "and all three are paid for" awk -v a="$(cpu "$d")" -v u="$used" -v k="$t" 'BEGIN {exit !(u > 0 && a >= u && a > k)}'
check "delete" vmadm delete "$d"
